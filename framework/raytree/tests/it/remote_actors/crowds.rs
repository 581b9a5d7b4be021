//! Many actors, many calls: nothing is left behind.

use raytree::prelude::*;
use raytree::{Result, Runtime};

use super::{Desk, Subject, Toy, within};

fn is_empty(runtime: &Runtime) -> bool {
    runtime.actor_count() == 0 && runtime.available_resources() == runtime.cluster_resources()
}

#[raytree::test]
async fn ten_thousand_actors_are_made_called_and_dropped_and_all_are_gone() -> Result<()> {
    within(async {
        let (desk, runtime) = (Desk::new(), raytree::current()?);
        for round in 0..10u64 {
            let subjects: Vec<_> = (0..1000).map(|_| Subject::remote(desk.key())).collect();
            let calls: Vec<_> = subjects
                .iter()
                .enumerate()
                .map(|(at, subject)| subject.keep(desk.counted(round * 1000 + at as u64)))
                .collect();
            if round % 2 == 0 {
                // Before their answers are there.
                drop(subjects);
                raytree::get_all(calls).await?;
            } else {
                raytree::get_all(calls).await?;
                drop(subjects);
            }
        }
        crate::support::until(|| is_empty(&runtime)).await;
        desk.all_freed().await;
        let notes = desk.notes();
        assert_eq!(notes.iter().filter(|note| *note == "stopped").count(), 10_000);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_hundred_thousand_calls_of_one_actor_leave_nothing_behind() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let sum = |values: Vec<u64>| values.into_iter().sum::<u64>();
        for round in 0..100 {
            let calls: Vec<_> = (0..1000).map(|value| subject.push(value)).collect();
            assert_eq!(sum(raytree::get_all(calls).await?), 499_500, "round {round}");
        }
        assert_eq!(subject.seen().await?.len(), 100_000);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn actors_that_end_in_every_way_at_once_are_all_gone() -> Result<()> {
    within(async {
        let (desk, runtime) = (Desk::new(), raytree::current()?);
        let toys: Vec<_> = (0..600).map(|at| Toy::remote(desk.key(), format!("{at}"))).collect();
        let mut ends = Vec::new();
        let mut answers = Vec::new();
        for (at, toy) in toys.into_iter().enumerate() {
            answers.push(toy.name());
            match at % 4 {
                0 => ends.push(toy.kill()),
                1 => ends.push(toy.stop()),
                2 => _ = toy.panic(),
                _ => drop(toy),
            }
        }
        for end in ends {
            end.await?;
        }
        for answer in answers {
            // An answer or an end, and never a hang.
            drop(answer.await);
        }
        crate::support::until(|| is_empty(&runtime)).await;
        Ok(())
    })
    .await
}
