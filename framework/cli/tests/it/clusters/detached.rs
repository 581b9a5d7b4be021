//! Detached actors: they belong to the cluster and outlive the program that has created them.

use std::path::PathBuf;

use raytree::prelude::*;
use raytree::{Error, ExitKind, Result, get_actor, get_all};
use rustix::process::Signal;

use super::support::{Cluster, SAYS, lives, of, parent, send, until};
use super::{Counter, CounterHandle, process};

fn named(name: &str) -> ActorOptions {
    ActorOptions::new().name(name).detached().restarts(0)
}

fn is_missing(found: Result<CounterHandle>) -> bool {
    matches!(found, Err(Error::ActorNotFound { .. }))
}

#[test]
fn rs_5_ra_1_it_outlives_its_driver_and_the_next_one_finds_it() {
    let cluster = of(rs_5_ra_1_it_outlives_its_driver_and_the_next_one_finds_it).nodes(1).start();
    let driver = cluster.driver();
    let home = driver.run(async {
        let counter = Counter::with(named("scores")).remote(10);
        assert_eq!(counter.add(5).await?, 15);
        counter.process().await
    });
    drop(driver);
    until("the end of the job", || cluster.status().jobs.is_empty());
    assert_eq!(cluster.status().detached.len(), 1);
    let driver = cluster.driver();
    driver.run(async {
        let counter = get_actor::<Counter>("scores").await?;
        assert_eq!((counter.add(1).await?, counter.process().await?), (16, home));
        // Calls of one caller are handled in their order.
        let sums = get_all((0..500).map(|_| counter.add(1))).await?;
        assert_eq!(sums, (17..517).collect::<Vec<_>>());
        let again = get_actor::<Counter>("scores").await?;
        assert_eq!(again.id(), counter.id());
        let exit = counter.kill().await?;
        assert!(matches!(exit.kind, ExitKind::Killed { .. }), "{exit}");
        assert!(is_missing(get_actor::<Counter>("scores").await));
        Ok(())
    });
    assert!(!lives(home));
    drop(driver);
    cluster.until_free();
}

/// A program that creates one, says so, and waits for its end; nothing when it is run as a test.
#[test]
fn creates_a_ghost() {
    let is_program = std::env::var_os("RAYTREE_TEST_PROGRAM").is_some();
    if std::env::var_os("RAYTREE_ROLE").is_none() && !is_program {
        return;
    }
    let runtime = raytree::init().threads(2).start().expect("a runtime");
    let _here = runtime.enter();
    let owned = Counter::remote(1);
    let ghost = Counter::with(named("ghost")).remote(7);
    let told = runtime
        .block_on(async { Ok::<_, Error>((ghost.process().await?, owned.process().await?)) });
    let (ghost, owned) = told.expect("they live");
    println!("{SAYS}{ghost} {owned}");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("an input");
}

#[test]
fn rs_5_a_driver_that_is_killed_takes_what_it_owns_along_and_nothing_detached() {
    let plan = of(rs_5_a_driver_that_is_killed_takes_what_it_owns_along_and_nothing_detached);
    let cluster = plan.nodes(1).start();
    let mut program = cluster.program(creates_a_ghost, 1);
    let said = program.says();
    let pids: Vec<u32> = said.split(' ').map(|pid| pid.parse().expect("a pid")).collect();
    let (ghost, owned) = (pids[0], pids[1]);
    assert_ne!(ghost, owned);
    send(program.pid(), Signal::KILL);
    until("the end of what the driver owned", || !lives(owned));
    until("the end of its job", || cluster.status().jobs.is_empty());
    assert!(lives(ghost));
    assert!(cluster.status().detached.iter().any(|own| own.name.as_deref() == Some("ghost")));
    // It is of the same program, so this one may call it.
    let driver = cluster.driver();
    driver.run(async {
        let counter = get_actor::<Counter>("ghost").await?;
        assert_eq!((counter.add(1).await?, counter.process().await?), (8, ghost));
        counter.stop().await?;
        Ok(())
    });
    until("the end of the detached one", || !lives(ghost));
}

/// Calls it until it answers: what is lost meanwhile is told.
async fn answers(counter: &CounterHandle) -> u32 {
    loop {
        match counter.process().await {
            Ok(process) => return process,
            Err(Error::ActorDied { will_restart: true, .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn rs_2_rs_3_rf_1_its_process_is_killed_and_it_lives_again_as_often_as_it_may() {
    let plan = of(rs_2_rs_3_rf_1_its_process_is_killed_and_it_lives_again_as_often_as_it_may);
    let cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    driver.run(async {
        let counter = Counter::with(named("phoenix").restarts(1)).remote(10);
        assert_eq!(counter.add(5).await?, 15);
        let first = counter.process().await?;
        send(first, Signal::KILL);
        let second = loop {
            let now = answers(&counter).await;
            if now != first {
                break now;
            }
        };
        assert_eq!(counter.add(0).await?, 10, "a new life begins anew");
        send(second, Signal::KILL);
        let exit = counter.exited().await?;
        assert!(matches!(exit.kind, ExitKind::HostDied(_)), "{exit}");
        assert!(is_missing(get_actor::<Counter>("phoenix").await));
        Ok(())
    });
    drop(driver);
    cluster.until_free();
}

/// Writes down what it is told, and dies at the number that it is to die of, once.
struct Scribe {
    journal: PathBuf,
}

#[remote]
impl Scribe {
    fn new(journal: PathBuf) -> Self {
        Self { journal }
    }

    pub(crate) fn writes(&mut self, number: u32, is_deadly: bool) -> Result<u32, std::io::Error> {
        let before = std::fs::read_to_string(&self.journal).unwrap_or_default();
        std::fs::write(&self.journal, format!("{before}{number}\n"))?;
        if is_deadly && !before.lines().any(|line| line == number.to_string()) {
            send(std::process::id(), Signal::KILL);
            std::thread::park();
        }
        Ok(number)
    }
}

#[test]
fn ra_2_what_a_life_has_lost_is_made_again_in_its_order_as_often_as_asked() {
    let plan = of(ra_2_what_a_life_has_lost_is_made_again_in_its_order_as_often_as_asked);
    let cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    let journal = cluster.folder.path().join("journal");
    driver.run(async {
        let scribe = Scribe::with(named("scribe").restarts(2).retries(1)).remote(journal.clone());
        let calls = (0..20).map(|number| scribe.writes(number, number == 5));
        assert_eq!(get_all(calls).await?, (0..20).collect::<Vec<_>>());
        let written = std::fs::read_to_string(&journal).expect("it was written");
        let written: Vec<u32> = written.lines().map(|line| line.parse().expect("one")).collect();
        // First all up to the deadly one; then, from the first without an answer on, all in their order.
        let (first, second) = written.split_at(6);
        assert_eq!(first, [0, 1, 2, 3, 4, 5]);
        assert!((0..=5).contains(&second[0]), "{written:?}");
        assert_eq!(second, (second[0]..20).collect::<Vec<_>>());
        // Once more than it may be made again: the caller is told.
        let scribe = Scribe::with(named("blunt").restarts(2)).remote(journal.clone());
        let told = scribe.writes(100, true).await.unwrap_err();
        assert!(matches!(told, Error::ActorDied { will_restart: true, .. }), "{told}");
        assert_eq!(scribe.writes(101, false).await?, 101);
        let first = get_actor::<Scribe>("scribe").await?;
        first.kill().await?;
        scribe.kill().await.map(drop)
    });
}

#[test]
fn rs_2_its_node_is_killed_and_it_lives_on_another_one() {
    let plan = of(rs_2_its_node_is_killed_and_it_lives_on_another_one);
    let mut cluster = plan.no_own_node().nodes(2).start();
    let driver = cluster.driver();
    let (counter, home) = driver.run(async {
        let counter = Counter::with(named("nomad").restarts(5)).remote(1);
        let home = counter.process().await?;
        Ok((counter, home))
    });
    let node = parent(home).expect("it lives");
    let index = cluster.nodes.iter().position(|own| own.pid() == node).expect("one of them");
    cluster.nodes[index].kill();
    let elsewhere = cluster.nodes[1 - index].pid();
    let now = driver.run(async {
        loop {
            let now = answers(&counter).await;
            if now != home {
                return Ok(now);
            }
        }
    });
    assert_eq!(parent(now), Some(elsewhere));
    driver.run(async { counter.kill().await });
}

/// Its handle goes at once.
#[remote]
async fn makes(name: String, is_detached: bool) -> Result<u32> {
    let options = ActorOptions::new().name(name).restarts(0);
    let options = if is_detached { options.detached() } else { options };
    let counter = Counter::with(options).remote(5);
    counter.add(1).await?;
    counter.process().await
}

#[remote]
async fn makes_and_kills(name: String) -> Result<()> {
    let counter = Counter::with(named(&name)).remote(5);
    let exit = counter.kill().await?;
    assert!(matches!(exit.kind, ExitKind::Killed { .. }), "{exit}");
    Ok(())
}

/// What it asks for comes after what it has asked for before.
#[remote]
async fn makes_and_finds(name: String) -> Result<u64> {
    let named = ActorOptions::new().name(&*name);
    let first = Counter::with(named.clone()).remote(5);
    let second = Counter::with(named).remote(7);
    let told = second.add(1).await;
    assert!(matches!(told, Err(Error::NameTaken { .. })), "{told:?}");
    let sum = get_actor::<Counter>(&name).await?.add(1).await?;
    first.add(1);
    first.stop().await?;
    Ok(sum)
}

/// A handle that is given away before anything is known of the actor, and who gives it.
#[remote]
async fn gives(name: String, is_detached: bool) -> Result<(u32, CounterHandle)> {
    let options = ActorOptions::new().name(name);
    let options = if is_detached { options.detached() } else { options };
    Ok((std::process::id(), Counter::with(options).remote(5)))
}

#[test]
fn a_handle_on_what_a_worker_has_made_does_not_hang_from_that_worker() {
    let plan = of(a_handle_on_what_a_worker_has_made_does_not_hang_from_that_worker);
    let cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    driver.run(async {
        for is_detached in [true, false] {
            let (giver, counter) = gives::remote("given".to_owned(), is_detached).await?;
            send(giver, Signal::KILL);
            until("the end of the giver", || !lives(giver));
            assert_ne!(answers(&counter).await, giver);
            // One that did not live there has its state.
            assert!(is_detached || counter.add(1).await? >= 6);
            counter.kill().await?;
        }
        Ok(())
    });
}

#[test]
fn rs_5_one_that_a_task_has_created_outlives_the_driver_too() {
    let plan = of(rs_5_one_that_a_task_has_created_outlives_the_driver_too);
    let cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    let (home, worker) = driver.run(async {
        let home = makes::remote("made".to_owned(), true).await?;
        let refused = makes::remote("made".to_owned(), true).await.unwrap_err();
        assert!(refused.to_string().contains("has this name already"), "{refused}");
        makes_and_kills::remote("dead".to_owned()).await?;
        assert!(is_missing(get_actor::<Counter>("dead").await));
        Ok((home, process::remote().await?))
    });
    assert_ne!(home, worker, "a process of its own");
    drop(driver);
    until("the end of the job", || cluster.status().jobs.is_empty());
    assert!(lives(home));
    let driver = cluster.driver();
    driver.run(async {
        let counter = get_actor::<Counter>("made").await?;
        assert_eq!((counter.add(1).await?, counter.process().await?), (7, home));
        counter.stop().await.map(drop)
    });
    drop(driver);
    cluster.until_free();
}

#[test]
fn a_name_that_a_task_has_given_is_one_actors_in_the_whole_program() {
    let plan = of(a_name_that_a_task_has_given_is_one_actors_in_the_whole_program);
    let cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    driver.run(async {
        makes::remote("one".to_owned(), false).await?;
        let names = (0..4).map(|_| finds_and_adds::remote("one".to_owned()));
        assert_eq!(get_all(names).await?.into_iter().max(), Some(10));
        let refused = makes::remote("one".to_owned(), false).await.unwrap_err();
        assert!(refused.to_string().contains("one"), "{refused}");
        let counter = get_actor::<Counter>("one").await?;
        assert_eq!(counter.add(1).await?, 11);
        counter.kill().await?;
        assert!(is_missing(get_actor::<Counter>("one").await));
        assert_eq!(makes_and_finds::remote("two".to_owned()).await?, 6);
        Ok(())
    });
    assert_eq!(cluster.status().detached, []);
}

#[remote]
async fn finds_and_adds(name: String) -> Result<u64> {
    get_actor::<Counter>(&name).await?.add(1).await
}

#[test]
fn rs_1_a_name_is_one_actors_in_the_whole_cluster() {
    let cluster = of(rs_1_a_name_is_one_actors_in_the_whole_cluster).nodes(1).start();
    let driver = cluster.driver();
    driver.run(async {
        let first = Counter::with(named("only")).remote(1);
        first.ready().await?;
        let second = Counter::with(named("only")).remote(2);
        let refused = second.add(1).await.unwrap_err();
        assert!(refused.to_string().contains("has this name already"), "{refused}");
        let same = Counter::with(named("only").get_if_exists()).remote(3);
        assert_eq!(same.add(1).await?, 2);
        assert_eq!(same.process().await?, first.process().await?);
        // From every node, too, and from tasks and actors there.
        let sums = get_all((0..4).map(|_| finds_and_adds::remote("only".to_owned()))).await?;
        assert_eq!(sums.into_iter().max(), Some(6));
        let missing = finds_and_adds::remote("nobody".to_owned()).await.unwrap_err();
        assert!(missing.to_string().contains("nobody"), "{missing}");
        assert!(process::remote().await? > 0);
        first.kill().await?;
        let third = Counter::with(named("only")).remote(3);
        assert_eq!(third.add(0).await?, 3, "the name is free again");
        third.kill().await.map(drop)
    });
}

#[remote]
async fn never() -> Result<u64> {
    std::future::pending().await
}

#[test]
fn rs_4_one_that_is_ended_before_the_cluster_knows_of_it_is_over() {
    let cluster = of(rs_4_one_that_is_ended_before_the_cluster_knows_of_it_is_over).start();
    let driver = cluster.driver();
    driver.run(async {
        let argument = never::remote();
        let waits = Counter::with(named("early")).remote(&argument);
        let exit = waits.kill().await?;
        assert!(matches!(exit.kind, ExitKind::Killed { .. }), "{exit}");
        argument.cancel();
        for kill in [true, false, true, false] {
            let counter = Counter::with(named("early")).remote(1);
            let told = counter.add(1);
            let ending = if kill { counter.kill() } else { counter.stop() };
            let exit = ending.await?;
            // Nothing is known of an order between them.
            assert!(matches!(told.await, Ok(2) | Err(Error::ActorDied { .. })));
            assert!(!matches!(exit.kind, ExitKind::Constructor(_)), "{exit}");
        }
        assert!(is_missing(get_actor::<Counter>("early").await));
        Ok(())
    });
    assert_eq!(cluster.status().detached, []);
    drop(driver);
    cluster.until_free();
}

#[test]
fn rs_4_one_that_waits_for_room_ends_at_once_when_it_is_stopped() {
    let plan = of(rs_4_one_that_waits_for_room_ends_at_once_when_it_is_stopped);
    let cluster = plan.set("node.resources=lens=1").start();
    let driver = cluster.driver();
    let (first, home) = driver.run(async {
        // What there is of it this program has itself.
        let first = Counter::with(named("first")).remote(1);
        let home = first.process().await?;
        let second = Counter::with(named("second").resource("lens", 1.0)).remote(2);
        let told = second.add(1);
        let exit = second.stop().await?;
        assert!(matches!(exit.kind, ExitKind::Stopped { .. }), "{exit}");
        assert!(matches!(told.await, Err(Error::ActorDied { .. })));
        Ok((first, home))
    });
    // In order, behind what was called before.
    let sums = driver.run(async {
        let sums: Vec<_> = (0..100).map(|_| first.add(1)).collect();
        first.stop().await?;
        get_all(sums).await
    });
    assert_eq!(sums, (2..102).collect::<Vec<_>>());
    assert!(!lives(home));
    assert_eq!(cluster.status().detached, []);
}

/// Wants what it is told, and remembers its end in a file.
struct Fussy {
    mark: PathBuf,
}

#[remote]
impl Fussy {
    fn new(mark: PathBuf, likes: bool) -> Result<Self, std::io::Error> {
        if likes { Ok(Self { mark }) } else { Err(std::io::Error::other("it does not like it")) }
    }

    pub(crate) fn breaks(&mut self) -> u32 {
        panic!("it broke")
    }

    pub(crate) fn mark(&self) -> PathBuf {
        self.mark.clone()
    }
}

#[test]
fn rs_4_how_it_ends_is_told_in_full() {
    let cluster: Cluster = of(rs_4_how_it_ends_is_told_in_full).start();
    let driver = cluster.driver();
    driver.run(async {
        let mark = cluster.folder.path().join("mark");
        let refused = Fussy::with(named("fussy")).remote(mark.clone(), false);
        let told = refused.mark().await.unwrap_err();
        assert!(told.to_string().contains("does not like it"), "{told}");
        let fussy = Fussy::with(named("fussy").restarts(1)).remote(mark.clone(), true);
        let told = fussy.breaks().await.unwrap_err();
        assert!(matches!(&told, Error::ActorDied { will_restart: true, .. }), "{told}");
        assert_eq!(fussy.mark().await?, mark);
        let exit = fussy.kill().await?;
        assert!(
            matches!(exit.kind, ExitKind::Killed { .. }),
            "not that of the life before: {exit}"
        );
        let fussy = Fussy::with(named("fussy")).remote(mark.clone(), true);
        assert_eq!(fussy.mark().await?, mark);
        let told = fussy.breaks().await.unwrap_err();
        assert!(matches!(&told, Error::ActorDied { .. }), "{told}");
        let exit = fussy.exited().await?;
        assert!(exit.to_string().contains("it broke"), "{exit}");
        // What it is made of has to outlive this program.
        let reference = raytree::put(1u64).await?;
        let refers = Refers::with(named("refers")).remote(vec![reference]);
        let told = refers.ready().await.unwrap_err();
        assert!(told.to_string().contains("outlives this program"), "{told}");
        let large = Blob::with(named("blob")).remote(vec![0; 1 << 20]);
        let told = large.ready().await.unwrap_err();
        assert!(told.to_string().contains("32768"), "{told}");
        Ok(())
    });
    assert_eq!(cluster.status().detached, []);
}

struct Refers;

#[remote]
impl Refers {
    fn new(_references: Vec<ObjectRef<u64>>) -> Self {
        Self
    }
}

struct Blob;

#[remote]
impl Blob {
    fn new(_bytes: Vec<u8>) -> Self {
        Self
    }
}
