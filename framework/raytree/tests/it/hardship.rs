//! Several things going wrong at once: a host that dies in the middle of starts and stops, code that hangs, values whose
//! `Drop` or `Clone` panics. Nobody may wait for ever and nobody innocent may suffer.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use raytree::prelude::*;
use raytree::{Backoff, Error, Lifecycle};
use tokio::sync::oneshot;

use crate::support::*;

/// An actor whose value, arguments and handlers misbehave as told.
struct Rude(Manners);

#[derive(Clone)]
struct Manners {
    drop_panics: bool,
    clone: Arc<PanicsOnClone>,
    /// What runtime the actor found to be the current one at its end.
    seen: LastSeen,
}

type LastSeen = Arc<Mutex<Option<raytree::Result<raytree::RuntimeId>>>>;

struct PanicsOnClone(bool);

struct Args(Manners);

impl Clone for Args {
    fn clone(&self) -> Self {
        assert!(!self.0.clone.0, "no copies of this");
        Self(self.0.clone())
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        assert!(!self.0.drop_panics, "not without a fight");
    }
}

/// Blocks its thread until the other side of the channel is dropped.
struct Block(Receiver<()>);
struct Ping;
struct StopFromTask;
struct SeenLast;

impl Actor for Rude {
    type Args = Args;
    async fn start(Args(manners): Args, _ctx: &ActorContext<Self>) -> Result<Self, BoxError> {
        Ok(Self(manners))
    }

    async fn stopped(&mut self, _ctx: &ActorContext<Self>) {
        let current = raytree::current().map(|current| current.id());
        *self.0.seen.lock().expect("no panic") = Some(current);
    }
}

impl Call<Block> for Rude {
    type Reply = ();
    async fn call(&mut self, Block(gate): Block, _ctx: &ActorContext<Self>) {
        _ = gate.recv();
    }
}

impl Call<Ping> for Rude {
    type Reply = ();
    async fn call(&mut self, _: Ping, _ctx: &ActorContext<Self>) {}
}

impl Call<StopFromTask> for Rude {
    type Reply = ();
    async fn call(&mut self, _: StopFromTask, ctx: &ActorContext<Self>) {
        let (ctx, runtime) = (ctx.clone(), ctx.runtime().expect("a runtime"));
        drop(runtime.tokio().spawn(async move { ctx.stop("killed") }));
    }
}

impl Call<SeenLast> for Rude {
    type Reply = LastSeen;
    async fn call(&mut self, _: SeenLast, _ctx: &ActorContext<Self>) -> LastSeen {
        Arc::clone(&self.0.seen)
    }
}

fn rude(runtime: &Runtime, drop_panics: bool, clone_panics: bool) -> ActorHandle<Rude> {
    let manners = Manners {
        drop_panics,
        clone: Arc::new(PanicsOnClone(clone_panics)),
        seen: LastSeen::default(),
    };
    runtime.spawn(Args(manners), ActorOptions::new()).expect("an actor")
}

#[test]
fn a_value_whose_drop_panics_hurts_nobody_else() {
    with_runtime(1.0, |runtime| async move {
        let (innocent, stopped, killed) = (
            rude(&runtime, false, false),
            rude(&runtime, true, false),
            rude(&runtime, true, false),
        );
        stopped.call(Ping).await?;
        killed.call(Ping).await?;
        let exit = stopped.stop().await?;
        assert!(exit.kind.to_string().contains("not without a fight"), "{exit}");
        killed.kill();
        assert!(matches!(killed.exited().await?.kind, ExitKind::Killed { .. }));
        innocent.call(Ping).await?;
        assert_eq!(runtime.probe("node/worker/actor_host").map(|host| host.restarts()), Some(0));
        Ok(())
    });
}

#[test]
fn arguments_whose_clone_panics_are_a_failure_of_that_actor() {
    with_runtime(1.0, |runtime| async move {
        let (innocent, broken) = (rude(&runtime, false, false), rude(&runtime, false, true));
        let error = broken.call(Ping).await.unwrap_err();
        assert!(error.to_string().contains("no copies of this"), "{error}");
        innocent.call(Ping).await
    });
}

#[test]
fn an_actor_stops_itself_from_a_task_and_its_reason_is_only_a_word() {
    with_runtime(1.0, |runtime| async move {
        let subject = rude(&runtime, false, false);
        subject.call(StopFromTask).await?;
        let exit = subject.exited().await?;
        assert_eq!(exit.kind, ExitKind::Stopped { reason: "killed".to_owned() });
        Ok(())
    });
}

#[test]
fn ad_3_a_thread_that_hangs_costs_its_own_actor_only() {
    with_runtime(1.0, |runtime| async move {
        let (open, gate): (SyncSender<()>, _) = sync_channel(1);
        let stuck = rude(&runtime, false, false);
        let running = stuck.call(Block(gate));
        let behind = stuck.call(Ping);
        while stuck.probe().snapshot().root.current.as_deref() != Some("Block") {
            tokio::task::yield_now().await;
        }
        stuck.kill();
        for error in [running.await.unwrap_err(), behind.await.unwrap_err()] {
            assert!(error.to_string().contains("abandoned"), "{error}");
        }
        // A host that fails above another stuck one goes on without it.
        let (open_too, gate) = sync_channel(1);
        let stuck_too = rude(&runtime, false, false);
        let running = stuck_too.call(Block(gate));
        while stuck_too.probe().snapshot().root.current.as_deref() != Some("Block") {
            tokio::task::yield_now().await;
        }
        drop(open);
        runtime.probe("node/worker/actor_host").expect("a host").panic_now();
        assert!(matches!(running.await, Err(Error::ActorDied { .. })));
        rude(&runtime, false, false).call(Ping).await?;
        drop(open_too);
        Ok(())
    });
}

#[test]
fn di_2_starts_and_stops_that_meet_a_dying_host_come_to_an_end() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let host = runtime.probe("node/worker/actor_host").expect("a host");
        let options = || ActorOptions::new().restarts(100);
        let mut subjects = Vec::new();
        for number in 0..400 {
            subjects.push(runtime.spawn::<Subject>(("a", notes.clone()), options())?);
            if number == 200 {
                host.panic_now();
            }
        }
        for subject in &subjects {
            while let Err(error) = subject.call(Push(1)).await {
                assert!(matches!(error, Error::ActorDied { will_restart: true, .. }), "{error}");
            }
        }
        // Now the stops.
        let last = subjects.pop().expect("many");
        for (number, subject) in subjects.iter().enumerate() {
            let (_open, gate) = oneshot::channel();
            drop(subject.call(Gate(gate)));
            drop(subject.clone());
            if number == 200 {
                host.panic_now();
            }
        }
        drop(subjects);
        until(|| runtime.actor_count() == 1).await;
        last.stop().await?;
        until(|| runtime.available_resources() == Resources::cpus(1.0)).await;
        Ok(())
    });
}

#[test]
fn di_2_a_stop_under_way_outlives_the_host_and_nobody_is_resurrected() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let options = ActorOptions::new().restarts(3);
        let subject = runtime.spawn::<Subject>(("a", notes.clone()), options.clone())?;
        let parent = runtime.spawn::<Subject>(("p", notes), options.clone())?;
        let child = parent.call(Child("c", options)).await??;
        child.ready().await?;
        let hanging = subject.call(Hang);
        let (first, second) = (subject.clone(), subject.clone());
        let stops = async { tokio::join!(first.stop(), second.stop()) };
        let fail = async {
            until(|| subject.probe().snapshot().root.current.is_some()).await;
            runtime.probe("node/worker/actor_host").expect("a host").panic_now();
        };
        let ((first, second), ()) = tokio::join!(stops, fail);
        assert_eq!(first?, second?);
        assert!(matches!(hanging.await, Err(Error::ActorDied { .. })));
        assert_eq!(subject.status().lifecycle, Lifecycle::Dead);
        // The parent lives again, its child does not.
        while parent.query(Which).await.map_or(0, |which| which.placement) == 0 {}
        assert!(matches!(
            child.exited().await?.kind,
            ExitKind::HostDied(_) | ExitKind::Stopped { .. }
        ));
        Ok(())
    });
}

#[test]
fn calls_made_before_an_actor_is_up_are_handled_also_when_it_is_let_go() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        for _ in 0..50 {
            let answer = {
                let subject =
                    runtime.spawn::<Subject>(("a", notes.clone()), ActorOptions::new())?;
                subject.call(Push(1))
            };
            assert_eq!(answer.await?, 1);
            let subject = runtime.spawn::<Subject>(("a", notes.clone()), ActorOptions::new())?;
            subject.ready().await?;
            let answer = subject.call(Push(1));
            subject.stop().await?;
            assert_eq!(answer.await?, 1);
        }
        Ok(())
    });
}

#[test]
fn a_stop_between_two_lives_is_a_stop() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let day = std::time::Duration::from_secs(86_400);
        let options = ActorOptions::new().restarts(9).backoff(Backoff { base: day, max: day });
        let subject = runtime.spawn::<Subject>(("a", notes), options)?;
        _ = subject.call(Panic).await;
        _ = subject.call(Panic).await;
        until(|| subject.status().lifecycle == Lifecycle::Restarting).await;
        let exit = subject.stop().await?;
        assert_eq!(exit.kind, ExitKind::Stopped { reason: "stopped by its user".to_owned() });
        Ok(())
    });
}

#[test]
fn a_parent_hears_of_a_child_that_was_ended_in_line() {
    with_runtime(1.0, |runtime| async move {
        let (notes, mut heard) = Notes::new();
        let parent = runtime.spawn::<Subject>(("p", notes), ActorOptions::new().cpus(1.0))?;
        let options = ActorOptions::new().cpus(1.0).tell_parent();
        let child = parent.call(Child("c", options)).await??;
        assert_eq!(child.status().lifecycle, Lifecycle::Pending);
        child.stop().await?;
        expect(&mut heard, &["p up 0.0", "p heard: c stopped: stopped by its user"]).await;
        Ok(())
    });
}

#[test]
fn a_second_shutdown_waits_for_the_first() {
    let runtime = raytree::init().cpus(1.0).threads(2).start().expect("a runtime");
    let (notes, mut heard) = Notes::new();
    let subject = runtime.spawn::<Subject>(("a", notes), ActorOptions::new()).expect("an actor");
    runtime.block_on(subject.ready()).expect("up");
    let other = runtime.clone();
    let thread = std::thread::spawn(move || other.shutdown());
    runtime.shutdown();
    thread.join().expect("no panic");
    assert_eq!(heard.blocking_recv().as_deref(), Some("a up 0.0"));
    assert_eq!(heard.blocking_recv().as_deref(), Some("a stopped"), "both waited for the order");
}

#[test]
fn a_runtime_that_ends_is_not_replaced_by_another_on_its_own_threads() {
    let other = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
    let runtime = raytree::init().cpus(1.0).threads(2).start().expect("a runtime");
    let subject = rude(&runtime, false, false);
    runtime.block_on(subject.call(Ping)).expect("up");
    let seen = runtime.block_on(subject.call(SeenLast)).expect("an answer");
    runtime.shutdown();
    let last = seen.lock().expect("no panic").take();
    assert!(matches!(last, Some(Err(Error::RuntimeGone { .. }))), "{last:?}");
    other.shutdown();
}
