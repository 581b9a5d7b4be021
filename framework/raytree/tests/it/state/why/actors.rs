//! Why actors are as they are.

use std::time::Duration;

use raytree::Backoff;

use super::*;
use crate::deadlocks::{Asker, AskerHandle, Meeting};

#[raytree::test(cpus = 2)]
async fn why_an_actor_is_not_there_says_which_try_it_is_and_after_what() -> Result<()> {
    within(async {
        let long = Duration::from_secs(3600);
        let backoff = Backoff { base: long, max: long };
        let options = ActorOptions::new().name("keeper").restarts(5).backoff(backoff);
        let keeper = Keeper::with(options).remote();
        for _ in 0..2 {
            // The first restart is at once.
            keeper.ready().await?;
            keeper.breaks().await.expect_err("it panics");
        }
        comes(|| async {
            let story = state::why("keeper").await;
            story.is_ok_and(|story| {
                story.now.starts_with("it is restarting, try 2 of 5, after `panicked: dropped it")
                    && story.now.contains(": its next life begins in ")
            })
        })
        .await;
        let story = state::why("keeper").await?;
        assert!(lines(&story)[0].contains("panicked: dropped it"), "{story:?}");
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn why_an_actor_takes_no_more_is_its_full_mailbox() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let keeper = Keeper::with(ActorOptions::new().name("keeper").mailbox(3)).remote();
        let mut kept = vec![keeper.keep(gate)];
        gate.begun(1).await;
        loop {
            let next = keeper.keep(gate);
            if next.is_ready() {
                let refused = next.await.expect_err("there is no room");
                assert!(matches!(refused, Error::Overloaded { .. }), "{refused}");
                break;
            }
            kept.push(next);
        }
        comes(|| async {
            let story = state::why("keeper").await;
            story.is_ok_and(|story| story.now.contains("and its mailbox is full: "))
        })
        .await;
        gate.open();
        raytree::get_all(kept).await?;
        Ok(())
    })
    .await
}

#[test]
fn why_an_actor_waits_behind_a_deadlock() {
    let init = raytree::init().cpus(2.0).threads(2).setting("calls.fail_deadlocks", "false");
    let runtime = init.start().expect("a runtime");
    runtime
        .block_on(within(async {
            let options = |name| ActorOptions::new().name(name);
            let ask: Vec<AskerHandle> =
                ["one", "two", "guest"].map(|name| Asker::with(options(name)).remote()).into();
            let meeting = Meeting::remote(2);
            let one = ask[0].meet(meeting.clone(), ask[1].clone());
            let two = ask[1].meet(meeting, ask[0].clone());
            let guest = ask[2].ask(ask[0].clone(), raytree::put(()).await?);
            let says = |which: &'static str, end: &'static str| async move {
                state::why(which).await.is_ok_and(|story| story.now.ends_with(end))
            };
            comes(|| says("guest", ", behind a deadlock")).await;
            comes(|| says("one", "until somebody there gives up")).await;
            assert!(state::why("two").await?.is_cycle && !state::why("guest").await?.is_cycle);
            [one, two, guest].iter().for_each(ObjectRef::cancel);
            Ok::<_, Error>(())
        }))
        .expect("all is well");
    runtime.shutdown();
}
