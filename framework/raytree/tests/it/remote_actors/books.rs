//! CPUs that actors hold, beside tasks that want them too. In the end everything is given back.

use raytree::prelude::*;
use raytree::{Error, Lifecycle, Result};

use super::subject::died;
use super::{Desk, Key, Subject, Toy, within};

/// Holds a CPU until its gate is open.
#[remote]
async fn busy(desk: Key, gate: u64) -> u64 {
    let _body = desk.desk().body();
    desk.desk().gate(gate).wait().await;
    gate
}

fn free() -> String {
    raytree::current().map_or_else(|_| String::new(), |own| own.available_resources().to_string())
}

fn cpus(amount: f64) -> ActorOptions {
    ActorOptions::new().cpus(amount)
}

#[raytree::test]
async fn cpus_held_for_life_are_counted_and_given_back_however_it_ends() -> Result<()> {
    within(async {
        let desk = Desk::new();
        for end in 0..4 {
            let toy = Toy::with(cpus(1.5)).remote(desk.key(), "toy");
            toy.ready().await?;
            assert_eq!(free(), "0.5 CPU");
            match end {
                0 => _ = toy.kill().await?,
                1 => _ = toy.stop().await?,
                2 => assert!(!died(toy.panic().await).1),
                _ => drop(toy),
            }
            crate::support::until(|| free() == "2 CPU").await;
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn an_actor_that_holds_cpus_waits_for_tasks_and_tasks_wait_for_it() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let tasks: Vec<_> = (0..2).map(|gate| busy::remote(desk.key(), gate)).collect();
        desk.runs(2).await;
        let toy = Toy::with(cpus(1.0)).remote(desk.key(), "toy");
        let name = toy.name();
        assert_eq!(toy.status()?.lifecycle, Lifecycle::Pending);
        desk.open(0);
        assert_eq!(name.await?, "toy");
        // One CPU is the actor's, the other one the task's: a third one waits.
        let third = busy::remote(desk.key(), 3);
        desk.open(3);
        assert!(!third.is_ready());
        toy.kill().await?;
        assert_eq!(third.await?, 3);
        desk.open(1);
        raytree::get_all(tasks).await?;
        crate::support::until(|| free() == "2 CPU").await;
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1)]
async fn a_hundred_idle_actors_live_on_one_cpu_beside_tasks() -> Result<()> {
    within(async {
        let desk = Desk::new();
        // By default one CPU to be placed, and none to run.
        let actors: Vec<_> = (0..100).map(|_| Plain::remote()).collect();
        for (at, actor) in actors.iter().enumerate() {
            assert_eq!(actor.number(at as u64).await?, at as u64);
        }
        crate::support::until(|| free() == "1 CPU").await;
        let task = busy::remote(desk.key(), 0);
        desk.runs(1).await;
        // They run while the task has the CPU; a new one waits to be placed.
        assert_eq!(actors[7].number(1).await?, 1);
        let late = Plain::remote();
        let waits = late.number(5);
        assert_eq!(late.status()?.lifecycle, Lifecycle::Pending);
        desk.open(0);
        assert_eq!((task.await?, waits.await?), (0, 5));
        drop((actors, late));
        crate::support::until(|| raytree::current().is_ok_and(|own| own.actor_count() == 0)).await;
        assert_eq!(free(), "1 CPU");
        Ok(())
    })
    .await
}

/// With the resources that actors have by default.
struct Plain;

#[remote]
impl Plain {
    fn new() -> Self {
        Self
    }

    pub(crate) fn number(&self, number: u64) -> u64 {
        number
    }
}

#[raytree::test]
async fn fractions_of_cpus_add_up() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let actors: Vec<_> =
            (0..16).map(|at| Toy::with(cpus(0.125)).remote(desk.key(), format!("{at}"))).collect();
        for actor in &actors {
            actor.ready().await?;
        }
        assert_eq!(raytree::current()?.available_resources().thousandths("CPU"), 0);
        let more = Toy::with(cpus(0.125)).remote(desk.key(), "more");
        let name = more.name();
        assert!(!name.is_ready());
        actors[3].kill().await?;
        assert_eq!(name.await?, "more");
        drop((actors, more));
        crate::support::until(|| free() == "2 CPU").await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn one_that_waits_for_cpus_can_be_killed_stopped_or_dropped() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let holder = Toy::with(cpus(2.0)).remote(desk.key(), "holder");
        holder.ready().await?;
        let make = || Toy::with(cpus(1.0)).remote(desk.key(), "waits");
        let (killed, stopped, dropped, drained) = (make(), make(), make(), make());
        let (one, two) = (killed.name(), stopped.name());
        assert!(matches!(killed.kill().await?.kind, ExitKind::Killed { .. }));
        assert!(matches!(died(one.await), (ExitKind::Killed { .. }, false)));
        assert!(matches!(stopped.stop().await?.kind, ExitKind::Stopped { .. }));
        assert!(matches!(died(two.await), (ExitKind::Stopped { .. }, false)));
        drop(dropped);
        // What was asked of this one is done first, once it is placed.
        let name = drained.name();
        drop(drained);
        crate::support::until(|| raytree::current().is_ok_and(|own| own.actor_count() == 2)).await;
        holder.kill().await?;
        assert_eq!(name.await?, "waits");
        crate::support::until(|| free() == "2 CPU").await;
        assert_eq!(desk.notes().iter().filter(|note| *note == "waits up").count(), 1);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn what_can_never_be_placed_says_so_in_every_call() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(cpus(3.0)).remote(desk.key());
        let told = subject.push(1).await.unwrap_err();
        assert!(matches!(&told, Error::Infeasible { .. }), "{told}");
        assert_eq!(subject.clone().push(1).await.unwrap_err(), told);
        assert_eq!(subject.upto(3).next().await, Some(Err(told.clone())));
        assert_eq!(subject.ready().await.unwrap_err(), told);
        assert_eq!(subject.status().unwrap_err(), told);
        assert_eq!(raytree::put(subject).await?.await?.push(1).await.unwrap_err(), told);
        assert_eq!((raytree::current()?.actor_count(), free().as_str()), (0, "2 CPU"));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_restarting_actor_keeps_its_cpus_and_books_balance_after_many_lives() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let options = cpus(1.0).restarts(20).backoff(raytree::Backoff::NONE);
        let subject = Subject::with(options).remote(desk.key());
        for _ in 0..20 {
            assert!(died(subject.panic("again").await).1);
        }
        assert_eq!(subject.life().await?, 20);
        assert_eq!(free(), "1 CPU");
        assert!(!died(subject.panic("at last").await).1);
        assert_eq!(free(), "2 CPU");
        Ok(())
    })
    .await
}
