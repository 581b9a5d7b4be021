//! Actors that wait for each other in a circle: one of the waits fails, and everybody gets on.

mod tasks;

use futures_util::future::{Either, join_all, select};
use raytree::Result;
use raytree::prelude::*;
use tokio::sync::Barrier;

use crate::tasks::gate::*;

/// Lets nobody on before all are there.
pub(crate) struct Meeting(Barrier);

#[remote(max_concurrency = 8)]
impl Meeting {
    pub(crate) fn new(all: usize) -> Self {
        Self(Barrier::new(all))
    }

    pub(crate) async fn come(&self) {
        self.0.wait().await;
    }
}

/// Asks others, and waits for their answers.
pub(crate) struct Asker;

#[remote]
impl Asker {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    /// Asks the next one when all are held up in this: how many were asked.
    pub(crate) async fn meet(
        &mut self,
        meeting: MeetingHandle,
        next: AskerHandle,
    ) -> Result<usize> {
        meeting.come().await?;
        self.ask(next, raytree::put(()).await?).await
    }

    pub(crate) async fn ask(&mut self, next: AskerHandle, held: ObjectRef<()>) -> Result<usize> {
        Ok(1 + next.hold(&held).await?)
    }

    /// Has another one ask it back meanwhile: what that one was told.
    pub(crate) async fn calls(&mut self, own: AskerHandle, other: AskerHandle) -> Result<String> {
        other.calls_back(own).await
    }

    pub(crate) async fn calls_back(&mut self, asker: AskerHandle) -> Result<String> {
        let told = asker.process().await;
        Ok(told.map_or_else(|error| error.to_string(), |_| "an answer".to_owned()))
    }

    /// The same, unless something else is there before.
    pub(crate) async fn calls_or(
        &mut self,
        (own, other): (AskerHandle, AskerHandle),
        held: ObjectRef<()>,
    ) -> Result<bool> {
        Ok(matches!(select(held, other.calls_back(own)).await, Either::Left(_)))
    }

    pub(crate) async fn hold(&mut self, held: ObjectRef<()>) -> Result<usize> {
        (&held).await?;
        Ok(1)
    }
}

#[remote]
async fn opens(gate: Gate) {
    gate.pass().await;
}

/// All of them ask the next one at the same time; what each says.
async fn in_a_circle(askers: &[AskerHandle]) -> Vec<Result<usize>> {
    let meeting = Meeting::remote(askers.len());
    let next = |at: usize| askers[(at + 1) % askers.len()].clone();
    let asked: Vec<_> =
        (0..askers.len()).map(|at| askers[at].meet(meeting.clone(), next(at))).collect();
    join_all(asked).await
}

/// One of them was told of the deadlock, which names all of them, and the others have their answers.
fn one_was_told(results: &[Result<usize>], names: &[&str]) {
    let told: Vec<String> = results
        .iter()
        .filter_map(|result| result.as_ref().err())
        .map(ToString::to_string)
        .collect();
    let [told] = &told[..] else { panic!("one error: {results:?}") };
    assert!(told.contains("a deadlock, each waits for the next: "), "{told}");
    for name in names {
        assert!(told.contains(&format!("{name} (actor-")), "{name} in {told}");
    }
    let got_on: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    assert!(got_on.iter().all(|asked| **asked == 2), "{results:?}");
}

fn askers(names: &[&str]) -> Vec<AskerHandle> {
    let options = |name: &&str| ActorOptions::new().label(*name);
    names.iter().map(|name| Asker::with(options(name)).remote()).collect()
}

#[raytree::test(cpus = 2)]
async fn a_circle_of_waits_is_an_error_to_one_of_them() -> Result<()> {
    within(async {
        let names = ["one", "two", "three"];
        one_was_told(&in_a_circle(&askers(&names)).await, &names);
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn an_actor_that_waits_for_itself_is_told() -> Result<()> {
    within(async {
        let alone = askers(&["alone"]);
        let results = in_a_circle(&alone).await;
        assert!(matches!(&results[..], [Err(_)]), "{results:?}");
        one_was_told(&results, &["alone"]);
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn a_circle_over_processes_is_an_error_to_one_of_them() -> Result<()> {
    within(async {
        let names = ["one", "two", "three", "four"];
        let askers = askers(&names);
        let mut processes = Vec::new();
        for asker in &askers {
            processes.push(asker.process().await?);
        }
        processes.sort_unstable();
        processes.dedup();
        assert_eq!(processes.len(), 2, "they live in both nodes");
        one_was_told(&in_a_circle(&askers).await, &names);
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn a_long_wait_for_one_that_gets_on_is_left_alone() -> Result<()> {
    within(async {
        let (gate, askers) = (Gate::new(), askers(&["first", "second"]));
        let held = opens::remote(gate);
        // In a line, and the last of it waits for a task: longer than it takes to be looked at.
        let asked = askers[0].ask(askers[1].clone(), &held);
        gate.begun(1).await;
        let looked = raytree::limits::DEADLOCK_TICK * 3;
        assert!(tokio::time::timeout(looked, &asked).await.is_err());
        gate.open();
        assert_eq!(asked.await?, 2);
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn who_runs_is_told_and_goes_on_when_it_waits_for_one_that_waits_for_it() -> Result<()> {
    within(async {
        let askers = askers(&["first", "second"]);
        let told = askers[0].calls(askers[0].clone(), askers[1].clone()).await?;
        assert!(told.contains("a deadlock, each waits for the next: second (actor-"), "{told}");
        assert!(askers[1].process().await? > 0, "it goes on");
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn one_that_awaits_something_else_besides_is_left_alone() -> Result<()> {
    within(async {
        let (gate, askers) = (Gate::new(), askers(&["first", "second"]));
        let held = opens::remote(gate);
        let both = (askers[0].clone(), askers[1].clone());
        let asked = askers[0].calls_or(both, &held);
        gate.begun(1).await;
        let looked = raytree::limits::DEADLOCK_TICK * 4;
        assert!(tokio::time::timeout(looked, &asked).await.is_err());
        gate.open();
        assert!(asked.await?, "its other way");
        Ok(())
    })
    .await
}
