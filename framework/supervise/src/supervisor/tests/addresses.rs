//! Addresses, admission, probes and the *panic now* hook.

use std::time::Duration;

use raytree_types::{Backoff, ExitKind, Shutdown, Strategy};

use super::super::*;
use super::support::*;
use crate::Root;
use crate::addr::{Addr, CallError, Refused};
use crate::envelope::Reply;
use crate::probe::{Kind, Probe};

#[tokio::test]
async fn ad_3_a_root_that_gives_up_says_why_and_every_waiter_is_told() {
    let (log, mut events) = Log::new();
    let (a, sa) = dummy("a", &log);
    let (b, sb) = dummy("b", &log);
    let sb = sb.shutdown(Shutdown::Kill);
    let spec = SupervisorSpec::new(Strategy::OneForOne).limit(0, GENEROUS).child(sa).child(sb);
    let root = Root::start("root", spec).expect("a root");
    events.expect(&["a up 0", "b up 0"]).await;
    tell(&b, DummyMsg::Hang);
    let waiting = b.call(DummyMsg::Life, GENEROUS);
    tell(&a, DummyMsg::Panic);
    let (answer, end) = tokio::join!(waiting, root.ended());
    assert!(matches!(answer, Err(CallError::Dropped | CallError::Refused(Refused::Gone))));
    assert!(matches!(&end, ExitKind::Failed(cause) if cause.to_string().contains("bad shard map")));
    assert!(b.cast(DummyMsg::Quit).is_err());
}

#[tokio::test]
async fn ad_1_an_address_survives_restarts_and_parks_what_comes_between() {
    let (log, mut events) = Log::new();
    let (a, sa) = dummy_that("a", &log, |_| Ok(()));
    // The second restart waits, so that there is a time between lives.
    let sa = sa.backoff(Backoff { base: Duration::from_millis(50), max: GENEROUS });
    let _root = Root::start("root", SupervisorSpec::new(Strategy::OneForOne).child(sa)).unwrap();
    events.expect(&["a up 0"]).await;
    tell(&a, DummyMsg::Panic);
    events.expect(&["a up 1"]).await;
    assert_eq!(a.call(DummyMsg::PanicHolding, GENEROUS).await, Err(CallError::Dropped));
    let calls = (0..100).map(|n| a.call(move |reply| DummyMsg::Echo(n, reply), GENEROUS));
    let answers = join_all(calls).await;
    assert_eq!(answers, (0..100).map(Ok).collect::<Vec<_>>());
    assert_eq!(life(&a).await, 2);
}

#[tokio::test]
async fn ad_2_admission_is_bounded_and_a_waiting_sender_gets_the_next_place() {
    let (log, mut events) = Log::new();
    let a: DummyAddr = Addr::new("a", "Dummy", 2, Kind::System);
    let make = move || -> Make { ("a", log.clone(), |_| Ok(())) };
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(ChildSpec::actor::<Dummy>(&a, make));
    let _root = Root::start("root", spec).unwrap();
    events.expect(&["a up 0"]).await;
    let (open, gate) = tokio::sync::oneshot::channel();
    let (reply, first) = Reply::pair();
    a.try_send(DummyMsg::Wait(gate, reply)).expect("room for one");
    let (reply, second) = Reply::pair();
    a.try_send(DummyMsg::Echo(2, reply)).expect("room for two");
    let (reply, _third) = Reply::pair();
    let refused = a.try_send(DummyMsg::Echo(3, reply)).unwrap_err();
    assert_eq!(refused.reason, Refused::Overloaded { limit: 2 });
    assert!(matches!(refused.message, DummyMsg::Echo(3, _)), "the message comes back");
    let (reply, fourth) = Reply::pair();
    let waits = a.send(DummyMsg::Echo(4, reply));
    let (sent, ()) = tokio::join!(waits, async { open.send(()).unwrap() });
    sent.expect("accepted once there was room");
    assert_eq!((first.await, second.await, fourth.await), (Ok(()), Ok(2), Ok(4)));
}

#[tokio::test]
async fn one_whose_address_was_closed_while_it_lived_is_drained_too() {
    let (log, mut events) = Log::new();
    let (a, sa) = dummy("a", &log);
    let spec =
        SupervisorSpec::new(Strategy::OneForOne).child(sa.shutdown(Shutdown::Drain(GENEROUS)));
    let root = Root::start("root", spec).expect("a root");
    events.expect(&["a up 0"]).await;
    a.close(ExitKind::Stopped { reason: "nobody is to reach it".to_owned() });
    // Half of what it would have until it is killed.
    let end = root.shutdown(GENEROUS / 2).await;
    assert_eq!(end, ExitKind::Stopped { reason: "shut down".to_owned() });
}

#[tokio::test]
async fn the_panic_now_hook_reaches_an_idle_and_a_busy_actor() {
    let (_root, [a, ..], mut events) = three(Strategy::OneForOne);
    events.expect(&["a up 0", "b up 0", "c up 0"]).await;
    a.probe().panic_now();
    events.expect(&["a up 1"]).await;
    let (open, gate) = tokio::sync::oneshot::channel();
    let busy = a.call(|reply| DummyMsg::Wait(gate, reply), GENEROUS);
    let next = a.call(DummyMsg::Life, GENEROUS);
    let hook = async {
        while a.probe().snapshot().root.current.is_none() {
            tokio::task::yield_now().await;
        }
        a.probe().panic_now();
        open.send(()).unwrap();
    };
    let (busy, next, ()) = tokio::join!(busy, next, hook);
    assert_eq!(busy, Ok(()), "the current message is finished");
    assert_eq!(next, Err(CallError::Dropped), "the next one meets the panic");
    events.expect(&["a up 2"]).await;
    assert!(a.probe().last_causes()[1].to_string().contains("told to panic now"));
}

#[tokio::test]
async fn a_panic_in_piped_work_fails_the_actor() {
    let (_root, [a, ..], mut events) = three(Strategy::OneForOne);
    events.expect(&["a up 0", "b up 0", "c up 0"]).await;
    tell(&a, DummyMsg::PanicInPipe);
    events.expect(&["a up 1"]).await;
    assert!(a.probe().last_causes()[0].to_string().contains("in the pipe"));
}

#[tokio::test]
async fn the_tree_walk_shows_what_ractor_links() {
    let (root, [a, b, c], mut events) = three(Strategy::RestForOne);
    events.expect(&["a up 0", "b up 0", "c up 0"]).await;
    assert_eq!(life(&a).await, 0);
    let snapshot = root.probe().snapshot();
    let names: Vec<&str> =
        snapshot.root.walk().iter().map(|(_, node)| node.name.as_str()).collect();
    assert_eq!(names, ["root", "a", "b", "c"]);
    assert_eq!(snapshot.root.strategy.as_deref(), Some("rest-for-one"));
    assert_eq!(b.probe().path(), "root/b");
    let body = |probe: &Probe| probe.body.cell().expect("a body");
    let linked = body(root.probe()).get_children();
    let mut linked: Vec<_> = linked.iter().map(ractor::ActorCell::get_id).collect();
    let mut walked: Vec<_> = [&a, &b, &c].map(|addr| body(addr.probe()).get_id()).into();
    linked.sort();
    walked.sort();
    assert_eq!(linked, walked);
    assert!(snapshot.root.find("a").is_some_and(|node| node.handled >= 1));
}

#[tokio::test]
async fn a_probe_shows_the_current_message_and_the_queue() {
    let (_root, [a, ..], mut events) = three(Strategy::OneForOne);
    events.expect(&["a up 0", "b up 0", "c up 0"]).await;
    let (open, gate) = tokio::sync::oneshot::channel();
    let busy = a.call(|reply| DummyMsg::Wait(gate, reply), GENEROUS);
    let behind = a.call(DummyMsg::Life, GENEROUS);
    let look = async {
        while a.probe().snapshot().root.current.is_none() || a.probe().queued() < 2 {
            tokio::task::yield_now().await;
        }
        let node = a.probe().snapshot().root;
        open.send(()).unwrap();
        node
    };
    let (busy, behind, node) = tokio::join!(busy, behind, look);
    assert_eq!((busy, behind), (Ok(()), Ok(0)));
    assert_eq!(node.current.as_deref(), Some("Wait"));
    assert_eq!(node.queued, 2);
    assert!(node.busy_for.is_some());
}

#[tokio::test]
async fn messages_stay_small() {
    // A message is under 1 KiB or it is a reference.
    assert!(std::mem::size_of::<crate::envelope::Envelope<SupervisorMsg>>() < 256);
}
