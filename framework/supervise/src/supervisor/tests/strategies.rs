//! Every strategy, every way of ending, under induced panics. Tests wait for events.

use std::time::Duration;

use raytree_types::inspect::ActorState;
use raytree_types::{ExitKind, Restart, Shutdown, Strategy};

use super::super::*;
use super::support::*;
use crate::addr::{Addr, CallError, Refused};
use crate::{BeforeRestart, Observer, Root};

#[tokio::test]
async fn one_for_one_restarts_only_the_one_that_failed() {
    let (_root, [a, b, c], mut events) = three(Strategy::OneForOne);
    events.expect(&["a up 0", "b up 0", "c up 0"]).await;
    tell(&b, DummyMsg::Panic);
    events.expect(&["b up 1"]).await;
    tell(&b, DummyMsg::Fail);
    events.expect(&["b up 2"]).await;
    assert_eq!((life(&a).await, life(&b).await, life(&c).await), (0, 2, 0));
    let causes = b.probe().last_causes();
    let ExitKind::Panicked(cause) = &causes[0] else { panic!("{causes:?}") };
    assert_eq!(cause.message, "bad shard map");
    assert_eq!(cause.during.as_deref(), Some("Panic"));
    assert!(cause.place.as_ref().unwrap().contains("supervisor/tests/support.rs:"));
    assert!(matches!(&causes[1], ExitKind::Failed(cause) if cause.message == "no such shard"));
    assert_eq!(b.probe().restarts(), 2);
}

#[tokio::test]
async fn one_for_all_stops_youngest_first_and_starts_oldest_first() {
    let (_root, [a, b, c], mut events) = three(Strategy::OneForAll);
    events.expect(&["a up 0", "b up 0", "c up 0"]).await;
    tell(&b, DummyMsg::Panic);
    events.expect(&["c stopped", "a stopped", "a up 1", "b up 1", "c up 1"]).await;
    assert_eq!((life(&a).await, life(&b).await, life(&c).await), (1, 1, 1));
}

#[tokio::test]
async fn rest_for_one_leaves_the_older_ones_alone() {
    let (_root, [a, b, c], mut events) = three(Strategy::RestForOne);
    events.expect(&["a up 0", "b up 0", "c up 0"]).await;
    tell(&b, DummyMsg::Panic);
    events.expect(&["c stopped", "b up 1", "c up 1"]).await;
    assert_eq!((life(&a).await, life(&b).await, life(&c).await), (0, 1, 1));
}

#[tokio::test]
async fn su_2_ordered_shutdown_is_youngest_first_and_closes_every_address() {
    let (root, [a, b, c], mut events) = three(Strategy::OneForOne);
    events.expect(&["a up 0", "b up 0", "c up 0"]).await;
    assert!(root.shutdown(GENEROUS).await.is_normal());
    events.expect(&["c stopped", "b stopped", "a stopped"]).await;
    for addr in [a, b, c] {
        let error = addr.cast(DummyMsg::Quit).unwrap_err();
        assert_eq!(error.reason, Refused::Gone);
        assert_eq!(addr.probe().state(), ActorState::Stopped);
    }
}

#[tokio::test]
async fn a_child_that_hangs_is_killed_after_its_deadline_and_the_shutdown_goes_on() {
    let (log, mut events) = Log::new();
    let (a, sa) = dummy("a", &log);
    let (b, sb) = dummy("b", &log);
    let sb = sb.shutdown(Shutdown::Stop(Duration::from_millis(20)));
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(sa).child(sb);
    let root = Root::start("root", spec).expect("a root");
    tell(&b, DummyMsg::Hang);
    events.expect(&["a up 0", "b up 0"]).await;
    assert!(root.shutdown(GENEROUS).await.is_normal());
    events.expect(&["a stopped"]).await;
    assert!(matches!(b.probe().last_causes()[..], [ExitKind::Killed { .. }]));
    assert_eq!(a.probe().state(), ActorState::Stopped);
}

#[tokio::test]
async fn drain_handles_everything_queued_first() {
    let (log, mut events) = Log::new();
    let (a, sa) = dummy("a", &log);
    let spec =
        SupervisorSpec::new(Strategy::OneForOne).child(sa.shutdown(Shutdown::Drain(GENEROUS)));
    let root = Root::start("root", spec).expect("a root");
    events.expect(&["a up 0"]).await;
    let (open, gate) = tokio::sync::oneshot::channel();
    let waiting = a.call(|reply| DummyMsg::Wait(gate, reply), GENEROUS);
    let behind: Vec<_> =
        (0..10).map(|n| a.call(move |reply| DummyMsg::Echo(n, reply), GENEROUS)).collect();
    let all = async { tokio::join!(waiting, join_all(behind)) };
    let end = async {
        open.send(()).expect("the actor waits");
        root.shutdown(GENEROUS).await
    };
    let ((first, rest), kind) = tokio::join!(all, end);
    assert_eq!(first, Ok(()));
    assert_eq!(rest, (0..10).map(Ok).collect::<Vec<_>>());
    assert!(kind.is_normal());
}

#[tokio::test]
async fn transient_and_temporary_children_stay_down_when_they_should() {
    let (log, mut events) = Log::new();
    let (a, sa) = dummy("a", &log);
    let (b, sb) = dummy("b", &log);
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .child(sa.restart(Restart::Transient))
        .child(sb.restart(Restart::Temporary));
    let root = Root::start("root", spec).expect("a root");
    events.expect(&["a up 0", "b up 0"]).await;
    tell(&a, DummyMsg::Panic);
    events.expect(&["a up 1"]).await;
    tell(&a, DummyMsg::Quit);
    events.expect(&["a stopped"]).await;
    let (reply_of_b, reply_of_a) =
        (b.call(DummyMsg::PanicHolding, GENEROUS).await, a.call(DummyMsg::Life, GENEROUS).await);
    assert_eq!(reply_of_b, Err(CallError::Dropped));
    assert!(matches!(reply_of_a, Err(CallError::Dropped | CallError::Refused(Refused::Gone))));
    assert!(root.shutdown(GENEROUS).await.is_normal());
    assert!(matches!(a.last_exit(), Some(ExitKind::Stopped { reason }) if reason == "had enough"));
    assert!(matches!(b.last_exit(), Some(ExitKind::Panicked(_))));
}

#[tokio::test]
async fn sd_4_a_crash_loop_takes_the_supervisor_down_and_its_supervisor_starts_it_anew() {
    let (log, mut events) = Log::new();
    let (a, inner, inner_spec) = nested(&log, 2);
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(inner_spec);
    let root = Root::start("root", spec).expect("a root");
    for up in ["a up 0", "a up 1", "a up 2"] {
        events.expect(&[up]).await;
        tell(&a, DummyMsg::Panic);
    }
    // The third panic exceeds the limit of 2: the inner supervisor fails and begins a new life with fresh children.
    events.expect(&["a up 0"]).await;
    assert_eq!(inner.probe().restarts(), 1);
    let cause = inner.probe().last_causes()[0].to_string();
    assert!(
        cause.contains("a failed more than 2 times") && cause.contains("bad shard map"),
        "{cause}"
    );
    assert_eq!(life(&a).await, 0);
    assert!(root.shutdown(GENEROUS).await.is_normal());
}

#[tokio::test]
async fn a_failing_constructor_is_a_typed_end_and_is_tried_again() {
    let (log, mut events) = Log::new();
    let failing = |life| if life < 2 { Err("no disk yet") } else { Ok(()) };
    let (a, sa) = dummy_that("a", &log, failing);
    let _root = Root::start("root", SupervisorSpec::new(Strategy::OneForOne).child(sa)).unwrap();
    assert_eq!(life(&a).await, 2, "what was sent before waited for the life that came up");
    events.expect(&["a up 2"]).await;
    let causes = a.probe().last_causes();
    assert_eq!(causes.len(), 2);
    assert!(
        causes
            .iter()
            .all(|kind| matches!(kind, ExitKind::Constructor(c) if c.message == "no disk yet"))
    );
}

#[tokio::test]
async fn su_1_a_supervisor_that_panics_is_restarted_after_its_whole_subtree_has_ended() {
    let (log, mut events) = Log::new();
    let (a, inner, inner_spec) = nested(&log, 5);
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(inner_spec);
    let root = Root::start("root", spec).expect("a root");
    events.expect(&["a up 0"]).await;
    let before = a.probe().body.cell().expect("a body");
    inner.probe().panic_now();
    events.expect(&["a up 0"]).await;
    assert_eq!(before.get_status(), ractor::ActorStatus::Stopped, "the old body ended first");
    assert_eq!(life(&a).await, 0);
    assert!(root.shutdown(GENEROUS).await.is_normal());
    events.expect(&["a stopped"]).await;
}

/// Notes what a supervisor decides, and can hold a restart up.
struct Noting(Log, Option<tokio::sync::oneshot::Receiver<()>>);

impl Observer for Noting {
    fn exited(&mut self, life: u32, _kind: &ExitKind) -> Option<BeforeRestart> {
        self.0.note(format!("exited {life}"));
        let gate = self.1.take()?;
        Some(Box::pin(async move { _ = gate.await }))
    }
    fn ended(&mut self, reason: EndReason, last: &ExitKind) {
        self.0.note(format!("ended {reason:?} {last}"));
    }
}

#[tokio::test]
async fn children_come_and_go_by_tag_and_their_observer_hears_of_it() {
    let (root, _, mut events) = three(Strategy::OneForOne);
    events.expect(&["a up 0", "b up 0", "c up 0"]).await;
    let (log, mut events) = Log::new();
    let (extra, spec) = dummy("extra", &log);
    let (open, gate) = tokio::sync::oneshot::channel();
    let spec = spec.tag(7).own_restarts(1).observer(Noting(log.clone(), Some(gate)));
    root.addr().cast(SupervisorMsg::StartChild(Box::new(spec))).unwrap();
    events.expect(&["extra up 0"]).await;
    tell(&extra, DummyMsg::Panic);
    events.expect(&["exited 0"]).await;
    open.send(()).expect("the restart waits for its observer");
    events.expect(&["extra up 1"]).await;
    let end = SupervisorMsg::EndChild { tag: 7, kill: true, reason: "enough".to_owned() };
    root.addr().cast(end).unwrap();
    events.expect(&["exited 1", "ended Stopped killed: enough"]).await;
    assert!(root.shutdown(GENEROUS).await.is_normal());
}

#[tokio::test]
async fn a_child_killed_before_it_is_linked_is_still_reported() {
    let (root, _, mut events) = three(Strategy::OneForOne);
    events.until("c up 0").await;
    let (log, mut events) = Log::new();
    for tag in 0..200 {
        let (_, spec) = dummy("brief", &log);
        let spec = spec.tag(tag).observer(Noting(log.clone(), None));
        root.addr().cast(SupervisorMsg::StartChild(Box::new(spec))).unwrap();
        let end = SupervisorMsg::EndChild { tag, kill: true, reason: "at once".to_owned() };
        root.addr().cast(end).unwrap();
    }
    let mut ended = 0;
    while ended < 200 {
        ended += u32::from(events.next().await.starts_with("ended"));
    }
    assert!(root.shutdown(GENEROUS).await.is_normal());
}

#[tokio::test]
async fn sd_1_a_new_life_begins_after_the_old_ones_value_and_work_are_gone() {
    let (_root, [a, ..], mut events) = three(Strategy::OneForOne);
    events.expect(&["a up 0", "b up 0", "c up 0"]).await;
    tell(&a, DummyMsg::Leave("the work is gone"));
    tell(&a, DummyMsg::Panic);
    // The work that life 0 piped is dropped, and says so, before life 1 begins.
    events.expect(&["the work is gone", "a up 1"]).await;
}

#[tokio::test]
async fn a_shutdown_meant_for_one_life_of_a_supervisor_does_not_reach_the_next() {
    let (log, mut events) = Log::new();
    let (_a, inner, inner_spec) = nested(&log, 5);
    let (b, sb) = dummy("b", &log);
    let spec = SupervisorSpec::new(Strategy::OneForAll).child(sb).child(inner_spec);
    let root = Root::start("root", spec).expect("a root");
    events.expect(&["b up 0", "a up 0"]).await;
    // Both fail at the same moment: the stop that b's failure asks of inner meets a dying one.
    inner.probe().panic_now();
    b.probe().panic_now();
    events.expect(&["b up 1", "a up 0"]).await;
    assert_eq!(life(&b).await, 1);
    assert!(root.shutdown(GENEROUS).await.is_normal());
    events.expect(&["a stopped", "b stopped"]).await;
    assert_eq!(inner.probe().restarts() + b.probe().restarts(), 1);
}

#[tokio::test]
async fn su_2_what_is_below_a_supervisor_that_will_not_live_again_is_closed() {
    let (log, mut events) = Log::new();
    let (a, inner, inner_spec) = nested(&log, 5);
    let spec =
        SupervisorSpec::new(Strategy::OneForOne).child(inner_spec.restart(Restart::Temporary));
    let root = Root::start("root", spec).expect("a root");
    events.expect(&["a up 0"]).await;
    let waiting = a.call(DummyMsg::HangHolding, GENEROUS);
    let fail = async { inner.probe().panic_now() };
    let (waited, ()) = tokio::join!(waiting, fail);
    assert_eq!(waited, Err(CallError::Dropped));
    let late = a.call(DummyMsg::Life, GENEROUS).await;
    assert!(matches!(late, Err(CallError::Dropped | CallError::Refused(Refused::Gone))));
    assert!(root.shutdown(GENEROUS).await.is_normal());
}

#[tokio::test]
async fn a_child_whose_start_dies_with_its_supervisor_is_reported_once() {
    let (log, mut events) = Log::new();
    let inner = Addr::system::<Supervisor>("inner");
    let inner_spec =
        ChildSpec::supervisor(&inner, || SupervisorSpec::new(Strategy::OneForOne).independent());
    let root =
        Root::start("root", SupervisorSpec::new(Strategy::OneForOne).child(inner_spec)).unwrap();
    for tag in 0..100 {
        let (_, spec) = dummy("brief", &log);
        let spec = spec.tag(tag).observer(Noting(log.clone(), None));
        inner.cast(SupervisorMsg::StartChild(Box::new(spec))).unwrap();
        if tag == 50 {
            inner.probe().panic_now();
        }
    }
    while inner.probe().restarts() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(root.shutdown(GENEROUS).await.is_normal());
    let mut ended = 0;
    while ended < 100 {
        ended += u32::from(events.next().await.starts_with("ended"));
    }
    drop(log);
    assert!(!events.hold_an_end(), "nobody ended twice");
}
