//! A million pending tasks, and not one more.

use raytree::prelude::*;
use raytree::{Error, Result, limits};

use super::gate::*;

#[remote]
fn holds(gate: Gate) {
    gate.pass_blocking();
}

#[remote]
fn one() -> u64 {
    1
}

/// Holds the CPU that all of them need, but for when it waits for room.
#[remote]
async fn submits(tasks: usize) -> Result<u64> {
    let mut sum = 0;
    let mut ones = Vec::with_capacity(tasks);
    for _ in 0..tasks {
        ones.push(one::submit().await?);
    }
    for one in ones {
        sum += one.await?;
    }
    Ok(sum)
}

#[raytree::test(cpus = 1, strict = false)]
async fn who_waits_for_room_lends_its_cpu() -> Result<()> {
    let tasks = limits::TASKS_MAX + 1000;
    assert_eq!(within(async { submits::remote(tasks).await }).await?, tasks as u64);
    at_rest(&raytree::current()?).await;
    Ok(())
}

/// Strict mode would write and read a million unit values: it is another test's business.
#[raytree::test(cpus = 1, strict = false)]
async fn a_million_pending_tasks_is_a_bound() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let holds = holds::remote(gate);
        let waiting: Vec<_> = (1..limits::TASKS_MAX).map(|_| one::remote()).collect();
        assert!(waiting.iter().all(|reference| !reference.is_ready()));
        match one::remote().await {
            Err(Error::Overloaded { name, limit: limits::TASKS_MAX }) => {
                assert!(name.ends_with("one"), "{name}");
            }
            other => panic!("one too many: {other:?}"),
        }
        // Whoever can wait has a place as soon as there is one.
        let task = one::task();
        let patient = task.submit();
        let mut patient = std::pin::pin!(patient);
        assert!(futures_util::poll!(&mut patient).is_pending());
        gate.open();
        assert_eq!(patient.await?.await?, 1);
        holds.await?;
        let ones = raytree::get_all(waiting).await?;
        assert_eq!(ones.into_iter().sum::<u64>(), limits::TASKS_MAX as u64 - 1);
        assert_eq!(one::remote().await?, 1);
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}
