//! What is told of a failure that takes supervisors along.

use std::sync::Arc;

use raytree_types::inspect::{EventKind, EventQuery};
use raytree_types::{Strategy, limits};

use super::super::*;
use super::support::*;
use crate::Root;
use crate::addr::Addr;

/// Five supervisors below each other, and an actor below them: none of them may fail.
fn tower(log: &Log) -> (Root, DummyAddr) {
    type Make = Arc<dyn Fn() -> SupervisorSpec + Send + Sync>;
    let spec = || SupervisorSpec::new(Strategy::OneForOne).limit(0, GENEROUS);
    let (a, _) = dummy("a", log);
    let own = (a.clone(), log.clone());
    let mut make: Make = Arc::new(move || {
        let (addr, log) = own.clone();
        spec().child(ChildSpec::actor::<Dummy>(&addr, move || ("a", log.clone(), |_| Ok(()))))
    });
    for name in ["s5", "s4", "s3", "s2"] {
        let (addr, below) = (Addr::system::<Supervisor>(name), make);
        make = Arc::new(move || {
            let below = Arc::clone(&below);
            spec().child(ChildSpec::supervisor(&addr, move || below()))
        });
    }
    (Root::start("s1", make()).expect("a root"), a)
}

#[tokio::test]
async fn a_failure_that_took_five_supervisors_down_is_told_from_its_origin_on() {
    let (log, mut events) = Log::new();
    let (root, a) = tower(&log);
    events.expect(&["a up 0"]).await;
    assert_eq!(root.failure(), None, "it lives");
    tell(&a, DummyMsg::Panic);
    let end = root.ended().await.to_string();
    let cause = root.failure().expect("a cause");
    assert_eq!((&*cause.message, &*cause.type_name), ("bad shard map", "panic"));
    assert!(cause.place.as_ref().is_some_and(|place| place.contains("tests/support.rs:")));
    assert_eq!(cause.during.as_deref(), Some("Panic"));
    assert!(end.starts_with("failed: bad shard map at "), "{end}");
    let whom: Vec<_> = cause.way.iter().map(|step| &*step.who).collect();
    let path = "s1/s2/s3/s4/s5/a";
    assert_eq!(
        whom,
        [path, "s1/s2/s3/s4/s5", "s1/s2/s3/s4", "s1/s2/s3", "s1/s2", "s1"],
        "the origin first"
    );
    assert!(cause.way[0].what.starts_with("panicked: bad shard map at "), "{}", cause.way[0]);
    for (step, below) in cause.way[1..].iter().zip(["a", "s5", "s4", "s3", "s2"]) {
        let what = format!("it gives up: {below} failed more than 0 times within 20s");
        assert_eq!(step.what, what);
    }
    // Everybody on the way says so, as far as it had come.
    let told = root.probe().events().expect("a log").read(&EventQuery::default()).events;
    let gave_up = told.iter().filter(|event| event.kind == EventKind::GaveUp);
    let gave_up: Vec<_> = gave_up.filter_map(|event| event.cause.as_ref()).collect();
    assert_eq!(gave_up.len(), 5);
    for (number, one) in gave_up.into_iter().enumerate() {
        assert_eq!((&*one.message, &one.place), ("bad shard map", &cause.place));
        assert_eq!(one.way[..], cause.way[..number + 2]);
    }
}

#[tokio::test]
async fn what_is_kept_of_an_end_is_bounded_and_what_was_before_is_counted() {
    let (log, mut events) = Log::new();
    let (a, spec) = dummy_that("a", &log, |life| match life {
        0 => Ok(()),
        _ => Err(&*"x".repeat(1 << 20).leak()),
    });
    let limit = limits::LAST_CAUSES as u32 + 2;
    let spec = SupervisorSpec::new(Strategy::OneForOne).limit(limit, GENEROUS).child(spec);
    let root = Root::start("root", spec).expect("a root");
    events.expect(&["a up 0"]).await;
    tell(&a, DummyMsg::Panic);
    root.ended().await;
    let detail = a.probe().detail();
    assert_eq!((detail.ends.len(), detail.ends_dropped), (limits::LAST_CAUSES, 3));
    for end in &detail.ends {
        let cause = end.cause().expect("a cause");
        assert_eq!(cause.message.len(), limits::INSPECT_CAUSE_CHARS_MAX);
    }
    let longest = detail.recorder.iter().map(|event| event.what.len()).max();
    assert_eq!(longest, Some(limits::INSPECT_CAUSE_CHARS_MAX));
    assert_eq!(detail.recorder_dropped, 0);
    for _ in 0..limits::FLIGHT_RECORDER_SYSTEM + 5 {
        a.probe().note("more");
    }
    let noted = detail.recorder.len() as u64;
    assert_eq!(a.probe().detail().recorder_dropped, noted + 5);
    assert!(root.failure().is_some_and(|cause| cause.to_string().len() < 4096));
}
