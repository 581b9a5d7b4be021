//! Actors on nodes.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use raytree::prelude::*;
use raytree::{Error, Result, get_actor, get_all};

use super::within;

struct Counter {
    value: u64,
}

#[remote]
impl Counter {
    fn new(value: u64) -> std::result::Result<Self, std::fmt::Error> {
        if value == 13 { Err(std::fmt::Error) } else { Ok(Self { value }) }
    }

    pub(crate) fn add(&mut self, more: u64) -> u64 {
        self.value += more;
        self.value
    }

    pub(crate) async fn value(&self) -> u64 {
        self.value
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    pub(crate) fn panics(&mut self) {
        panic!("as it was told to");
    }

    pub(crate) fn aborts(&mut self) {
        std::process::abort()
    }

    pub(crate) fn counts(&self, to: u64) -> impl Iterator<Item = u64> {
        self.value..to
    }

    pub(crate) async fn never(&self) {
        std::future::pending::<()>().await;
    }
}

/// Calls another actor.
struct Caller {
    counter: CounterHandle,
}

#[remote]
impl Caller {
    fn new(counter: CounterHandle) -> Self {
        Self { counter }
    }

    pub(crate) async fn add(&mut self, more: u64) -> Result<u64> {
        self.counter.add(more).await
    }

    pub(crate) fn counter(&self) -> CounterHandle {
        self.counter.clone()
    }
}

#[remote]
async fn adds(counter: CounterHandle, times: u64) -> Result<u64> {
    let mut last = 0;
    for _ in 0..times {
        last = counter.add(1).await?;
    }
    Ok(last)
}

#[remote]
async fn finds(name: String) -> Result<u64> {
    get_actor::<Counter>(&name).await?.add(1).await
}

/// Makes an actor where it runs, and gives it away.
#[remote]
async fn makes() -> CounterHandle {
    Counter::remote(100)
}

#[raytree::test(nodes = 2)]
async fn calls_arrive_in_order_and_are_answered() -> Result<()> {
    within(async {
        let counter = Counter::remote(10);
        let calls: Vec<_> = (0..1000).map(|_| counter.add(1)).collect();
        assert_eq!(get_all(calls).await?, (11..=1010).collect::<Vec<_>>());
        assert_eq!(counter.value().await?, 1010);
        assert_ne!(counter.process().await?, std::process::id());
        let items: Vec<_> = counter.counts(1020).collect().await;
        assert_eq!(
            items.into_iter().collect::<Result<Vec<_>>>()?,
            (1010..1020).collect::<Vec<_>>()
        );
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn actors_are_spread_over_the_nodes() -> Result<()> {
    within(async {
        let counters: Vec<_> = (0..4).map(|_| Counter::remote(1)).collect();
        let processes: Vec<_> = counters.iter().map(|counter| counter.process()).collect();
        let processes: BTreeSet<u32> = get_all(processes).await?.into_iter().collect();
        assert_eq!(processes.len(), 2);
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn handles_travel_and_call_from_anywhere() -> Result<()> {
    within(async {
        let counter = Counter::remote(0);
        let adding: Vec<_> = (0..4).map(|_| adds::remote(counter.clone(), 50)).collect();
        get_all(adding).await?;
        assert_eq!(counter.value().await?, 200);
        let callers: Vec<_> = (0..3).map(|_| Caller::remote(counter.clone())).collect();
        for caller in &callers {
            caller.add(1).await?;
        }
        // It comes home, and is the same.
        let home = callers[0].counter().await?;
        assert_eq!(home.id(), counter.id());
        assert_eq!(home.value().await?, 203);
        let theirs = makes::remote().await?;
        assert_eq!(theirs.add(1).await?, 101);
        let told = theirs.stop().await?;
        assert!(told.kind.is_normal(), "{told}");
        assert!(matches!(theirs.add(1).await, Err(Error::ActorDied { .. })));
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn names_are_found_on_every_node() -> Result<()> {
    within(async {
        let _scores = Counter::with(ActorOptions::new().name("scores")).remote(5);
        assert_eq!(finds::remote("scores").await?, 6);
        let told = finds::remote("nobody").await.unwrap_err();
        assert!(told.to_string().contains("nobody"), "{told}");
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn a_panic_restarts_it_within_its_budget_and_tells_why() -> Result<()> {
    within(async {
        let counter = Counter::with(ActorOptions::new().restarts(1)).remote(3);
        assert_eq!(counter.add(1).await?, 4);
        let told = counter.panics().await.unwrap_err();
        assert!(told.to_string().contains("as it was told to"), "{told}");
        assert!(matches!(told, Error::ActorDied { will_restart: true, .. }), "{told}");
        assert_eq!(counter.add(1).await?, 4);
        let told = counter.panics().await.unwrap_err();
        assert!(matches!(told, Error::ActorDied { will_restart: false, .. }), "{told}");
        let exit = counter.exited().await?;
        assert!(exit.to_string().contains("as it was told to"), "{exit}");
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn a_constructor_that_fails_says_so() -> Result<()> {
    within(async {
        let counter = Counter::remote(13);
        let told = counter.add(1).await.unwrap_err();
        assert!(told.to_string().contains("constructor"), "{told}");
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn an_actor_outlives_its_process_where_it_has_restarts() -> Result<()> {
    within(async {
        let counter = Counter::with(ActorOptions::new().restarts(1)).remote(3);
        let told = counter.aborts().await.unwrap_err();
        assert!(matches!(told, Error::ActorDied { will_restart: true, .. }), "{told}");
        assert!(told.to_string().contains("signal 6"), "{told}");
        assert_eq!(counter.add(1).await?, 4);
        Ok(())
    })
    .await
}

#[remote]
async fn panics_it(counter: CounterHandle) -> Result<u64> {
    let told = counter.panics().await.expect_err("it panics");
    assert!(matches!(told, Error::ActorDied { will_restart: true, .. }), "{told}");
    counter.add(1).await
}

#[raytree::test(nodes = 2)]
async fn a_caller_on_another_node_is_told_of_a_restart_and_reaches_the_next_life() -> Result<()> {
    within(async {
        let counter = Counter::with(ActorOptions::new().restarts(2)).remote(3);
        counter.ready().await?;
        for _ in 0..2 {
            assert_eq!(panics_it::remote(counter.clone()).await?, 4);
        }
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1)]
async fn a_stand_in_that_panics_costs_one_life() -> Result<()> {
    within(async {
        let counter = Counter::with(ActorOptions::new().restarts(1)).remote(3);
        assert_eq!(counter.add(1).await?, 4);
        counter.probe().expect("a probe").panic_now();
        while counter.add(1).await.is_ok() {}
        // The end of the first body is not that of the second.
        for value in 4..50 {
            assert_eq!(counter.add(1).await?, value);
        }
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1)]
async fn a_stream_and_what_is_called_after_it_arrive_in_order() -> Result<()> {
    within(async {
        let counter = Counter::remote(0);
        for round in 0..200 {
            let items = counter.counts(round + 3);
            let added = counter.add(1);
            assert_eq!(items.collect::<Vec<_>>().await.len(), 3, "{round}");
            assert_eq!(added.await?, round + 1);
        }
        Ok(())
    })
    .await
}

/// Nobody else holds a handle any more.
#[raytree::test(nodes = 1)]
async fn a_handle_that_was_given_away_keeps_its_actor() -> Result<()> {
    within(async {
        let counter = Counter::remote(0);
        counter.ready().await?;
        let caller = Caller::remote(counter.clone());
        caller.ready().await?;
        drop(counter);
        for value in 1..20 {
            assert_eq!(caller.add(1).await?, value);
        }
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1)]
async fn stop_and_kill_reach_it() -> Result<()> {
    within(async {
        let counter = Counter::remote(3);
        assert_eq!(counter.add(1).await?, 4);
        let waits = counter.never();
        let killed = counter.kill().await?;
        assert!(!killed.kind.is_normal(), "{killed}");
        assert!(matches!(waits.await, Err(Error::ActorDied { .. })));
        let other = Counter::remote(4);
        let last = other.add(1);
        assert!(other.stop().await?.kind.is_normal());
        assert_eq!(last.await?, 5);
        Ok(())
    })
    .await
}

/// Writes down that it has ended, where it lived.
struct Mourned {
    file: String,
}

#[remote]
impl Mourned {
    fn new(file: String) -> Self {
        Self { file }
    }

    pub(crate) async fn never(&self) {
        std::future::pending::<()>().await;
    }
}

impl Drop for Mourned {
    fn drop(&mut self) {
        std::fs::write(&self.file, "").expect("a file");
    }
}

#[raytree::test(nodes = 1)]
async fn aw_1_an_end_is_told_when_it_has_come_over_there() -> Result<()> {
    within(async {
        let folder = tempfile::tempdir().expect("a folder");
        for kill in [true, false] {
            let file = folder.path().join(kill.to_string());
            let mourned = Mourned::remote(file.display().to_string());
            mourned.ready().await?;
            let waits = mourned.never();
            assert!(!file.exists());
            if kill {
                mourned.kill().await?;
            } else {
                waits.cancel();
                mourned.stop().await?;
            }
            assert!(file.exists(), "killed: {kill}");
        }
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1)]
async fn the_last_handle_ends_it_there_too() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let counter = Counter::remote(3);
        let exited = counter.exited();
        let last = counter.add(1);
        drop(counter);
        assert_eq!(last.await?, 4);
        assert!(exited.await?.kind.is_normal());
        assert_eq!(runtime.actor_count(), 0);
        Ok(())
    })
    .await
}
