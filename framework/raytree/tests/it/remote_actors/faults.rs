//! The actor host and the directory die while calls are under way: everybody is answered, books balance.

use raytree::prelude::*;
use raytree::{Backoff, Result, Runtime};

use super::subject::{died, late, same};
use super::{Desk, Subject, Toy, within};

const HOST: &str = "node/worker/actor_host";

fn kill_host(runtime: &Runtime) {
    runtime.probe(HOST).expect("a host").panic_now();
}

async fn host_is_back(runtime: &Runtime, restarts: u64) {
    crate::support::until(|| {
        runtime.probe(HOST).is_some_and(|host| u64::from(host.restarts()) >= restarts)
    })
    .await;
}

fn options(retries: u32) -> ActorOptions {
    ActorOptions::new().restarts(5).retries(retries).backoff(Backoff::NONE)
}

#[raytree::test]
async fn oc_1_calls_under_way_when_the_host_dies_are_answered_or_made_again() -> Result<()> {
    within(async {
        let (desk, runtime) = (Desk::new(), raytree::current()?);
        let again = Subject::with(options(3).cpus(0.5)).remote(desk.key());
        let once = Subject::with(options(0)).remote(desk.key());
        let never = Subject::remote(desk.key());
        desk.hears_times("up 0", 3).await;
        let repeated: Vec<_> = [again.push_later(0, 1), again.keep(desk.counted(2))].into();
        let lost = [once.push_later(0, 1), once.push(2)];
        let gone = [never.push_later(0, 1), never.push(same::remote(2))];
        let waits = again.push(late::remote(desk.key(), 1, 3));
        desk.hears_times("began 1", 3).await;
        kill_host(&runtime);
        for call in lost {
            let (kind, will_restart) = died(call.await);
            assert!(matches!(kind, ExitKind::HostDied(_)) && will_restart, "{kind}");
        }
        for call in gone {
            assert!(!died(call.await).1);
        }
        desk.open(0);
        assert_eq!(raytree::get_all(&repeated).await?, [1, 2]);
        desk.open(1);
        assert_eq!(waits.await?, 3);
        assert_eq!(again.seen().await?, [1, 3]);
        assert_eq!(once.push(4).await?, 4);
        assert_eq!(runtime.actor_count(), 2);
        drop((again, once));
        crate::support::until(|| runtime.actor_count() == 0).await;
        assert_eq!(runtime.available_resources().to_string(), "2 CPU");
        desk.all_freed().await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn or_1_holds_for_calls_that_a_dead_host_lost() -> Result<()> {
    within(async {
        let (desk, runtime) = (Desk::new(), raytree::current()?);
        for round in 0..3 {
            let subject = Subject::with(options(9)).remote(desk.key());
            let first = subject.push_later(round, 0);
            let early: Vec<_> = (1..100).map(|value| subject.push(value)).collect();
            desk.hears_times("began 0", round as usize + 1).await;
            kill_host(&runtime);
            let late: Vec<_> = (100..200).map(|value| subject.push(value)).collect();
            desk.open(round);
            first.await?;
            raytree::get_all(early.iter().chain(&late).cloned().collect::<Vec<_>>()).await?;
            let seen = subject.seen().await?;
            assert!(seen.is_sorted(), "round {round}: {seen:?}");
            host_is_back(&runtime, round + 1).await;
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn oc_1_an_actor_whose_body_hangs_when_its_host_dies_can_still_be_killed() -> Result<()> {
    within(async {
        let (desk, runtime) = (Desk::new(), raytree::current()?);
        let subject = Subject::with(options(5)).remote(desk.key());
        let running = subject.block(0);
        desk.hears("blocks 0").await;
        let queued = subject.push(1);
        kill_host(&runtime);
        host_is_back(&runtime, 1).await;
        assert!(matches!(subject.kill().await?.kind, ExitKind::Killed { .. }));
        for call in [running, queued] {
            assert!(matches!(died(call.await), (ExitKind::Killed { .. }, false)));
        }
        assert_eq!(runtime.actor_count(), 0);
        desk.open(0);
        desk.hears("unblocked 0").await;
        // Its end was told, and nothing was taken in its name.
        let both = Toy::with(ActorOptions::new().cpus(2.0)).remote(desk.key(), "both");
        assert_eq!(both.name().await?, "both");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_family_survives_its_host_in_order() -> Result<()> {
    within(async {
        let (desk, runtime) = (Desk::new(), raytree::current()?);
        let parent = Subject::with(options(0)).remote(desk.key());
        let child = parent.adopt("child", false).await?;
        kill_host(&runtime);
        host_is_back(&runtime, 1).await;
        // The old child ended; the new life has none yet.
        assert!(!died(child.exited().await.map(|_| child.name()).expect("an end").await).1);
        let next = parent.adopt("next", false).await?;
        assert_eq!(next.name().await?, "next");
        assert_eq!(runtime.actor_count(), 2);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_directory_that_dies_forgets_no_end_and_no_name() -> Result<()> {
    within(async {
        let (desk, runtime) = (Desk::new(), raytree::current()?);
        for round in 0..3 {
            let named = Toy::with(ActorOptions::new().name("kept")).remote(desk.key(), "kept");
            let toys: Vec<_> = (0..20).map(|_| Toy::remote(desk.key(), "toy")).collect();
            for toy in &toys {
                toy.ready().await?;
            }
            runtime.probe("gcs/actor_directory").expect("a directory").panic_now();
            let ends: Vec<_> = toys.iter().map(Handle::kill).collect();
            for end in ends {
                end.await?;
            }
            assert_eq!(raytree::get_actor::<Toy>("kept").await?.name().await?, "kept", "{round}");
            named.stop().await?;
        }
        assert_eq!(runtime.actor_count(), 0);
        Ok(())
    })
    .await
}
