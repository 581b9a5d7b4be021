//! Resources: what is taken, what is given back, who waits, what can never be.

use raytree::prelude::*;
use raytree::{Error, Lifecycle};

use crate::support::*;

#[test]
fn a_hundred_idle_actors_fit_on_one_cpu() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let subjects = (0..100)
            .map(|_| runtime.spawn::<Subject>(("a", notes.clone()), ActorOptions::new()))
            .collect::<Result<Vec<_>, _>>()?;
        for subject in &subjects {
            subject.ready().await?;
        }
        until(|| runtime.available_resources() == Resources::cpus(1.0)).await;
        Ok(())
    });
}

#[test]
fn no_more_actors_than_there_may_be() {
    let runtime = raytree::init().cpus(1.0).threads(1).actors_max(3).start().expect("a runtime");
    let (notes, _heard) = Notes::new();
    let spawn = || runtime.spawn::<Subject>(("a", notes.clone()), ActorOptions::new());
    let three = [spawn().expect("one"), spawn().expect("two"), spawn().expect("three")];
    let refused = spawn().map(drop);
    assert_eq!(refused, Err(Error::TooManyActors { limit: 3 }));
    runtime.block_on(three[0].stop()).expect("an end");
    runtime.block_on(async { until(|| runtime.actor_count() == 2).await });
    spawn().map(drop).expect("room for one");
    runtime.shutdown();
    let none = raytree::init().actors_max(0).start().map(drop);
    assert!(matches!(none, Err(Error::BadOption { .. })), "{none:?}");
}

#[test]
fn ls_1_who_names_resources_holds_them_for_life_and_others_wait() {
    with_runtime(2.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let spawn =
            |cpus| runtime.spawn::<Subject>(("a", notes.clone()), ActorOptions::new().cpus(cpus));
        let (first, second) = (spawn(1.5)?, spawn(0.5)?);
        first.ready().await?;
        second.ready().await?;
        assert!(runtime.available_resources().is_none());
        let third = spawn(1.0)?;
        assert_eq!(third.status().lifecycle, Lifecycle::Pending);
        let waiting = third.call(Push(1));
        second.stop().await?;
        assert_eq!(third.status().lifecycle, Lifecycle::Pending, "half a CPU is not enough");
        first.stop().await?;
        assert_eq!(waiting.await?, 1);
        until(|| runtime.available_resources() == Resources::cpus(1.0)).await;
        Ok(())
    });
}

#[test]
fn an_infeasible_demand_fails_at_once_and_says_what_exists() {
    with_runtime(2.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let options = ActorOptions::new().label("trainer").cpus(1.0).gpus(2.0);
        let error = runtime.spawn::<Subject>(("a", notes), options).unwrap_err();
        assert_eq!(
            error.to_string(),
            "trainer asks for 1 CPU, 2 GPU, but there is only 2 CPU in all"
        );
        assert_eq!(runtime.actor_count(), 0);
        Ok(())
    });
}

#[test]
fn a_waiting_actor_can_be_stopped_and_a_bad_option_is_refused() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let holder =
            runtime.spawn::<Subject>(("a", notes.clone()), ActorOptions::new().cpus(1.0))?;
        let waiting =
            runtime.spawn::<Subject>(("b", notes.clone()), ActorOptions::new().cpus(1.0))?;
        let call = waiting.call(Push(1));
        assert!(waiting.stop().await?.kind.is_normal());
        assert!(matches!(call.await, Err(Error::ActorDied { .. })));
        let bad = runtime.spawn::<Subject>(("c", notes), ActorOptions::new().cpus(-1.0));
        assert!(bad.unwrap_err().to_string().contains("placement.rs:"), "the caller's line");
        holder.stop().await?;
        until(|| runtime.available_resources() == Resources::cpus(1.0)).await;
        Ok(())
    });
}

#[test]
fn a_constructor_that_fails_gives_its_cpu_back() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        for _ in 0..20 {
            let subject =
                runtime.spawn::<Subject>(("stillborn", notes.clone()), ActorOptions::new())?;
            subject.ready().await.expect_err("its constructor fails");
        }
        until(|| runtime.available_resources() == Resources::cpus(1.0)).await;
        Ok(())
    });
}

#[test]
fn ls_1_nobody_waits_who_could_start() {
    with_runtime(2.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let spawn = |options| runtime.spawn::<Subject>(("a", notes.clone()), options);
        let one = ActorOptions::new().cpus(1.0);
        let holder = spawn(one.clone())?;
        let blocked = spawn(ActorOptions::new().cpus(2.0))?;
        // Nothing is asked for, so nothing is waited for.
        spawn(ActorOptions::new().cpus(0.0))?.ready().await?;
        let behind = spawn(one)?;
        assert_eq!(behind.status().lifecycle, Lifecycle::Pending, "the older one comes first");
        blocked.stop().await?;
        behind.ready().await?;
        holder.stop().await?;
        Ok(())
    });
}
