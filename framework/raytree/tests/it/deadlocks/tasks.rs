//! Circles that lead through tasks.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use super::*;

const TOLD: &str = "a deadlock, each waits for the next: ";

/// Has tasks ask it, and waits for them: what they say.
pub(crate) struct Starter;

#[remote]
impl Starter {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    pub(crate) async fn starts(&mut self, own: StarterHandle) -> Result<String> {
        asks::remote(own).await
    }

    pub(crate) async fn starts_blocking(&mut self, own: StarterHandle) -> Result<String> {
        asks_blocking::remote(own).await
    }

    /// The task has no argument before this is over.
    pub(crate) async fn has_it_passed_on(&mut self, own: StarterHandle) -> Result<u32> {
        passes_on::remote(own.process()).await
    }

    /// One task waits for another, which asks this one.
    pub(crate) async fn starts_two(&mut self, own: StarterHandle) -> Result<String> {
        starts_another::remote(own).await
    }

    /// One task may run the other while it waits for it.
    pub(crate) async fn starts_one_inside(&mut self, own: StarterHandle) -> Result<String> {
        asks_inside::remote(own).await
    }

    pub(crate) async fn starts_for(&mut self, other: AskerHandle, gate: Gate) -> Result<usize> {
        asks_for::remote(other, gate).await
    }

    pub(crate) async fn starts_one_with_another_way(
        &mut self,
        own: StarterHandle,
        held: ObjectRef<()>,
    ) -> Result<bool> {
        asks_or::remote(own, &held).await
    }

    pub(crate) async fn starts_one_in_time(&mut self, own: StarterHandle) -> Result<String> {
        let limit = raytree::limits::DEADLOCK_TICK * 5;
        asks::with(TaskOptions::new().timeout(limit)).remote(own).await
    }

    pub(crate) async fn starts_one_that_looks_in(
        &mut self,
        own: StarterHandle,
        gate: Gate,
    ) -> Result<bool> {
        looks_in::remote(own, gate).await
    }

    /// Others are served meanwhile.
    pub(crate) async fn starts_beside(&self, own: StarterHandle) -> Result<String> {
        asks::remote(own).await
    }
}

fn told(answer: Result<u32>) -> String {
    answer.map_or_else(|error| error.to_string(), |_| "an answer".to_owned())
}

#[remote]
async fn asks(starter: StarterHandle) -> String {
    told(starter.process().await)
}

#[remote]
fn asks_blocking(starter: StarterHandle) -> String {
    told(starter.process().get())
}

#[remote]
fn asks_inside(starter: StarterHandle) -> Result<String> {
    asks_blocking::remote(starter).get()
}

#[remote]
fn passes_on(process: u32) -> u32 {
    process
}

#[remote]
async fn starts_another(starter: StarterHandle) -> Result<String> {
    asks::remote(starter).await
}

#[remote]
async fn asks_for(other: AskerHandle, gate: Gate) -> Result<usize> {
    let held = opens::remote(gate);
    other.hold(&held).await
}

#[remote]
async fn asks_or(starter: StarterHandle, held: ObjectRef<()>) -> bool {
    matches!(select(held, starter.process()).await, Either::Left(_))
}

/// Asks, and does something else instead of waiting for the answer: whether there was none.
#[remote]
fn looks_in(starter: StarterHandle, gate: Gate) -> bool {
    let mut asked = pin!(starter.process());
    let polled = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    gate.pass_blocking();
    polled.is_pending()
}

fn starter() -> StarterHandle {
    Starter::with(ActorOptions::new().label("starter")).remote()
}

#[raytree::test(cpus = 2)]
async fn a_circle_through_a_task_is_an_error_to_one_of_them() -> Result<()> {
    within(async {
        let starter = starter();
        let said = starter.starts(starter.clone()).await?;
        assert!(said.contains(&format!("{TOLD}asks (task-")), "{said}");
        assert!(said.contains("for process \u{2192} starter (actor-"), "{said}");
        assert!(said.contains("for the result \u{2192} asks (task-"), "{said}");
        assert!(starter.process().await? > 0, "it goes on");
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn a_circle_through_a_task_that_blocks_is_an_error_to_one_of_them() -> Result<()> {
    within(async {
        let starter = starter();
        let said = starter.starts_blocking(starter.clone()).await?;
        assert!(said.contains(&format!("{TOLD}asks_blocking (task-")), "{said}");
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn a_circle_through_two_tasks_is_an_error_to_one_of_them() -> Result<()> {
    within(async {
        let starter = starter();
        let said = starter.starts_two(starter.clone()).await?;
        assert!(said.contains("for the result \u{2192} asks (task-"), "{said}");
        assert!(said.contains("for the result \u{2192} starts_another (task-"), "{said}");
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1)]
async fn a_circle_through_a_task_inside_another_is_an_error_to_one_of_them() -> Result<()> {
    within(async {
        let starter = starter();
        let said = starter.starts_one_inside(starter.clone()).await?;
        assert!(said.contains("for the result \u{2192} asks_inside (task-"), "{said}");
        assert!(said.contains("for the result \u{2192} asks_blocking (task-"), "{said}");
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn a_circle_through_the_argument_of_a_task_is_an_error_to_one_of_them() -> Result<()> {
    within(async {
        let starter = starter();
        let error = starter.has_it_passed_on(starter.clone()).await.expect_err("a deadlock");
        let said = error.to_string();
        assert!(said.contains(&format!("{TOLD}starter (actor-")), "{said}");
        assert!(said.contains("for the result \u{2192} passes_on (task-"), "{said}");
        assert!(starter.process().await? > 0, "it goes on");
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn a_circle_through_a_task_in_another_process_is_an_error_to_one_of_them() -> Result<()> {
    within(async {
        // The first process has no room for a task beside it.
        let starters = [starter(), starter()];
        for starter in &starters {
            // Nobody knows of a call in another process whether its body has begun: the error may go to either of them.
            let said =
                starter.starts(starter.clone()).await.unwrap_or_else(|error| error.to_string());
            assert!(said.contains(TOLD), "{said}");
            assert!(said.contains("for process \u{2192} starter (actor-"), "{said}");
            assert!(said.contains("for the result \u{2192} asks (task-"), "{said}");
            assert!(starter.process().await? > 0, "it goes on");
        }
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn a_task_that_waits_for_one_who_gets_on_is_left_alone() -> Result<()> {
    within(async {
        let (gate, starter, other) = (Gate::new(), starter(), askers(&["other"]).remove(0));
        let asked = starter.starts_for(other, gate);
        gate.begun(1).await;
        let looked = raytree::limits::DEADLOCK_TICK * 3;
        assert!(tokio::time::timeout(looked, &asked).await.is_err());
        gate.open();
        assert_eq!(asked.await?, 1);
        let beside = Starter::with(ActorOptions::new().max_concurrency(2)).remote();
        assert_eq!(beside.starts_beside(beside.clone()).await?, "an answer");
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn a_task_that_has_another_way_is_left_alone() -> Result<()> {
    within(async {
        let (gate, starter) = (Gate::new(), starter());
        let held = opens::remote(gate);
        let asked = starter.starts_one_with_another_way(starter.clone(), &held);
        gate.begun(1).await;
        let looked = raytree::limits::DEADLOCK_TICK * 4;
        assert!(tokio::time::timeout(looked, &asked).await.is_err());
        gate.open();
        assert!(asked.await?, "its other way");
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn a_task_that_does_something_else_than_wait_is_left_alone() -> Result<()> {
    within(async {
        let (gate, starter) = (Gate::new(), starter());
        let asked = starter.starts_one_that_looks_in(starter.clone(), gate);
        gate.begun(1).await;
        let looked = raytree::limits::DEADLOCK_TICK * 4;
        assert!(tokio::time::timeout(looked, &asked).await.is_err());
        gate.open();
        assert!(asked.await?, "it went on");
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn a_task_whose_time_is_limited_is_left_alone() -> Result<()> {
    within(async {
        let starter = starter();
        let error = starter.starts_one_in_time(starter.clone()).await.expect_err("it is too late");
        assert!(error.to_string().contains("did not finish within"), "{error}");
        Ok(())
    })
    .await
}
