//! Who runs beside whom: `&mut self` alone, `&self` up to the bound, blocking methods on threads of their own.

use raytree::prelude::*;
use raytree::{Error, Result};

use super::subject::{late, same};
use super::{Desk, Subject, within};

/// Synchronous methods that are not marked, and take their time now and then.
struct Log {
    said: std::sync::Mutex<Vec<u64>>,
    lock: std::sync::Arc<tokio::sync::Mutex<()>>,
}

#[remote]
impl Log {
    fn new() -> Self {
        Self { said: Default::default(), lock: Default::default() }
    }

    pub(crate) fn say(&self, what: u64) {
        if what.is_multiple_of(7) {
            // A millisecond or more.
            _ = (0..1_000_000u64).map(std::hint::black_box).sum::<u64>();
        }
        self.said.lock().expect("no panic").push(what);
    }

    pub(crate) fn said(&mut self) -> Vec<u64> {
        self.said.lock().expect("no panic").clone()
    }

    /// What async code may not do.
    pub(crate) fn locks(&self) {
        drop(self.lock.blocking_lock());
    }

    #[remote(blocking)]
    pub(crate) fn may_lock(&self) {
        drop(self.lock.blocking_lock());
    }
}

#[raytree::test]
async fn ha_2_synchronous_methods_run_in_order_slow_or_swift() -> Result<()> {
    within(async {
        for width in [1, 4] {
            let log = Log::with(ActorOptions::new().max_concurrency(width)).remote();
            let calls: Vec<_> = (0..100).map(|what| log.say(what)).collect();
            raytree::get_all(calls).await?;
            assert_eq!(log.said().await?, (0..100).collect::<Vec<_>>(), "{width}");
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn what_is_marked_may_block_and_what_is_not_may_not_from_the_first_call_on() -> Result<()> {
    within(async {
        for width in [1, 4] {
            let log = || Log::with(ActorOptions::new().max_concurrency(width)).remote();
            let good = log();
            for _ in 0..20 {
                good.may_lock().await?;
                assert!(matches!(log().locks().await, Err(Error::ActorDied { .. })));
            }
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn exclusive_methods_run_one_after_the_other_across_awaits() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let calls: Vec<_> = (0..5).map(|gate| subject.push_later(gate, gate)).collect();
        for gate in [4, 3, 2, 1] {
            desk.open(gate);
        }
        desk.hears("began 0").await;
        assert!(calls.iter().all(|call| !call.is_ready()));
        assert_eq!(desk.notes().iter().filter(|note| note.starts_with("began")).count(), 1);
        desk.open(0);
        raytree::get_all(&calls).await?;
        assert_eq!(subject.seen().await?, [0, 1, 2, 3, 4]);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn shared_methods_overlap_exactly_up_to_the_bound() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(ActorOptions::new().max_concurrency(3)).remote(desk.key());
        let calls: Vec<_> = (0..10).map(|gate| subject.meet(gate)).collect();
        for done in 0..8 {
            desk.runs(3).await;
            desk.open(done);
            (&calls[done as usize]).await?;
        }
        (8..10).for_each(|gate| desk.open(gate));
        raytree::get_all(&calls).await?;
        assert_eq!(desk.most(), 3);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn an_exclusive_method_waits_for_the_shared_ones_and_holds_up_later_ones() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(ActorOptions::new().max_concurrency(8)).remote(desk.key());
        let before: Vec<_> = (0..3).map(|gate| subject.meet(gate)).collect();
        desk.runs(3).await;
        let alone = subject.push_later(10, 1);
        let after: Vec<_> = (0..3).map(|gate| subject.meet(gate)).collect();
        desk.open(0);
        desk.open(1);
        desk.runs(1).await;
        assert!(!desk.notes().contains(&"began 1".to_owned()));
        desk.open(2);
        desk.hears("began 1").await;
        desk.runs(0).await;
        desk.open(10);
        assert_eq!(alone.await?, 1);
        raytree::get_all(&before).await?;
        raytree::get_all(&after).await?;
        assert!(desk.most() <= 3);
        Ok(())
    })
    .await
}

#[raytree::test(threads = 1)]
async fn a_thousand_async_waits_overlap_on_one_thread() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(ActorOptions::new().max_concurrency(1000)).remote(desk.key());
        let calls: Vec<_> = (0..1100).map(|_| subject.meet(0)).collect();
        desk.runs(1000).await;
        desk.open(0);
        raytree::get_all(&calls).await?;
        assert_eq!(desk.most(), 1000);
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1, threads = 1)]
async fn blocking_methods_overlap_and_hold_up_nobody_else() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(ActorOptions::new().max_concurrency(3)).remote(desk.key());
        let calls: Vec<_> = (0..5).map(|gate| subject.block_beside(gate)).collect();
        desk.runs(3).await;
        let other = Subject::remote(desk.key());
        assert_eq!(other.push(same::remote(1)).await?, 1);
        (0..5).for_each(|gate| desk.open(gate));
        assert_eq!(raytree::get_all(&calls).await?, [0, 1, 2, 3, 4]);
        assert_eq!(desk.most(), 3);
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1, threads = 1)]
async fn a_blocking_exclusive_method_holds_up_nobody_else() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let (one, other) = (Subject::remote(desk.key()), Subject::remote(desk.key()));
        let blocked = one.block(0);
        desk.hears("blocks 0").await;
        assert_eq!(other.push(same::remote(1)).await?, 1);
        desk.open(0);
        assert_eq!(blocked.await?, 0);
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1, threads = 1)]
async fn synchronous_methods_that_get_do_not_starve_a_runtime_with_one_thread() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let actors: Vec<_> = (0..20).map(|_| Subject::remote(desk.key())).collect();
        let gets: Vec<_> = actors
            .iter()
            .map(|actor| actor.get(late::remote(desk.key(), 0, 1)))
            .chain([Subject::remote(desk.key()).get(same::remote(1))])
            .collect();
        // All of them wait, and their thread is free for others.
        assert_eq!(Subject::remote(desk.key()).push(1).await?, 1);
        desk.open(0);
        raytree::get_all(&gets).await?;
        // One waits for the next, and so on.
        let first = actors[0].clone();
        assert_eq!(first.chain(actors[1..].to_vec()).await?, 20);
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1, threads = 1)]
async fn blocking_methods_that_overlap_may_get() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(ActorOptions::new().max_concurrency(8)).remote(desk.key());
        let gets: Vec<_> =
            (0..8).map(|value| subject.get_beside(late::remote(desk.key(), 0, value))).collect();
        desk.runs(8).await;
        desk.open(0);
        assert_eq!(raytree::get_all(&gets).await?, [0, 1, 2, 3, 4, 5, 6, 7]);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn get_in_async_methods_is_refused_with_the_word_to_use() -> Result<()> {
    within(async {
        let desk = Desk::new();
        for overlapping in [1, 4] {
            let options = ActorOptions::new().max_concurrency(overlapping);
            let subject = Subject::with(options).remote(desk.key());
            let Err(Error::TaskFailed { cause, .. }) =
                subject.get_in_async(late::remote(desk.key(), 0, 1)).await
            else {
                panic!("it blocked")
            };
            assert!(cause.message.contains(".await"), "{}", cause.message);
            assert_eq!(subject.push(1).await?, 1);
        }
        Ok(())
    })
    .await
}

/// More of them wait than a pool of threads has: they are told, or all get their turn; nobody hangs.
#[raytree::test(cpus = 1, threads = 1)]
async fn more_waits_than_there_can_be_threads_hang_nobody() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let actors: Vec<_> = (0..600).map(|_| Subject::remote(desk.key())).collect();
        let gets: Vec<_> =
            actors.iter().map(|actor| actor.get(late::remote(desk.key(), 0, 1))).collect();
        let other = Subject::remote(desk.key());
        assert_eq!(other.push(1).await?, 1);
        desk.open(0);
        for get in gets {
            match get.await {
                Ok(value) => assert_eq!(value, 1),
                Err(error) => assert!(error.to_string().contains("threads are blocked"), "{error}"),
            }
        }
        Ok(())
    })
    .await
}
