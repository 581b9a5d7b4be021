//! Pings, whatever the actor does meanwhile.

use std::sync::Arc;
use std::time::Duration;

use raytree_types::inspect::{ActorState, Lag};
use raytree_types::{Backoff, Strategy};

use super::super::*;
use super::support::*;
use crate::Root;
use crate::addr::{Addr, Refused};
use crate::ping::ping_all;
use crate::probe::{Kind, Probe};

/// So long one waits that is not to answer.
const SHORT: Duration = Duration::from_millis(50);

async fn pinged(probes: &[&Arc<Probe>], within: Duration) -> Vec<Lag> {
    let probes: Vec<_> = probes.iter().map(|probe| Arc::clone(probe)).collect();
    tokio::task::spawn_blocking(move || ping_all(&probes, within)).await.expect("no panic")
}

fn is_answered(lag: &Lag) -> bool {
    matches!(lag, Lag::Answered(_))
}

#[tokio::test]
async fn pg_1_the_mailbox_answers_without_credit_and_the_actor_does_not_notice() {
    let (log, mut events) = Log::new();
    let a: DummyAddr = Addr::new("a", "Dummy", 1, Kind::System);
    let make = move || -> Make { ("a", log.clone(), |_| Ok(())) };
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(ChildSpec::actor::<Dummy>(&a, make));
    let root = Root::start("root", spec).unwrap();
    events.expect(&["a up 0"]).await;
    while a.probe().handled() < 1 {
        tokio::task::yield_now().await;
    }
    let credit = a.try_credit().expect("the only one");
    let refused = a.try_send(DummyMsg::Quit).unwrap_err();
    assert_eq!(refused.reason, Refused::Overloaded { limit: 1 });
    let lags = pinged(&[root.probe(), a.probe()], GENEROUS).await;
    assert!(lags.iter().all(is_answered), "{lags:?}");
    assert_eq!((a.probe().handled(), a.probe().queued()), (1, 0));
    drop(credit);
    assert_eq!(life(&a).await, 0);
}

#[tokio::test]
async fn pg_1_a_ping_waits_for_no_life_that_is_not_up() {
    let (log, mut events) = Log::new();
    let (a, sa) = dummy("a", &log);
    let sa = sa.backoff(Backoff { base: GENEROUS, max: GENEROUS });
    let _root = Root::start("root", SupervisorSpec::new(Strategy::OneForOne).child(sa)).unwrap();
    events.expect(&["a up 0"]).await;
    tell(&a, DummyMsg::Panic);
    // The first restart comes at once, the second one waits.
    events.expect(&["a up 1"]).await;
    tell(&a, DummyMsg::Panic);
    while a.probe().state() != ActorState::Restarting {
        tokio::task::yield_now().await;
    }
    assert_eq!(pinged(&[a.probe()], GENEROUS).await, [Lag::NotUp(ActorState::Restarting)]);
    assert_eq!(a.probe().queued(), 0);
}

#[tokio::test]
async fn pg_2_one_that_hangs_is_silent_and_has_one_ping_however_often_it_is_asked() {
    let (log, mut events) = Log::new();
    let (a, sa) = dummy("a", &log);
    let (b, sb) = dummy("b", &log);
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(sa).child(sb);
    let _root = Root::start("root", spec).unwrap();
    events.expect(&["a up 0", "b up 0"]).await;
    tell(&a, DummyMsg::Hang);
    while a.probe().busy_for().is_none() {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        let lags = pinged(&[a.probe(), b.probe()], SHORT).await;
        let hangs = |current: &Option<String>| current.as_deref() == Some("Hang");
        assert!(matches!(&lags[0], Lag::Silent { current, .. } if hangs(current)), "{lags:?}");
        assert!(is_answered(&lags[1]), "{lags:?}");
        assert_eq!(a.probe().queued(), 2, "what it hangs in, and one ping");
    }
    // The ping goes with the life, and the next one is examined anew.
    a.probe().end_life();
    events.expect(&["a up 1"]).await;
    assert!(is_answered(&pinged(&[a.probe()], GENEROUS).await[0]));
}

#[tokio::test]
async fn pg_2_those_who_ask_at_once_are_all_answered() {
    let (log, mut events) = Log::new();
    let (a, sa) = dummy("a", &log);
    let _root = Root::start("root", SupervisorSpec::new(Strategy::OneForOne).child(sa)).unwrap();
    events.expect(&["a up 0"]).await;
    let twice = [a.probe(), a.probe()];
    let asks = (0..8).map(|_| pinged(&twice, GENEROUS));
    let lags = join_all(asks).await;
    assert!(lags.iter().flatten().all(is_answered), "{lags:?}");
    assert_eq!(a.probe().queued(), 0);
}
