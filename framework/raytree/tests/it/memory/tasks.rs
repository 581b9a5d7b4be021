//! Tasks of a program without nodes.

use super::*;
use raytree::state;

#[test]
fn a_task_that_was_ended_for_memory_says_how_much_of_it_was_in_use() -> Result<()> {
    let figures = Figures::new();
    let cluster = start(&figures, 0)?;
    let runtime = cluster.runtime().clone();
    within(&cluster, async {
        let desk = Desk::new();
        let eats = stays::with(isolated().name("eats")).remote(desk.place("a"));
        let process = desk.run("a", 0).await;
        figures.has(process, 400);
        figures.is_full_with(process);
        let error = eats.await.unwrap_err();
        let name = format!("eats (process {process})");
        assert_eq!(sizes(&error), (name, [999, 1000, 900, 400]));
        assert_eq!(error.code(), "RT0017");
        assert!(!is_there(process));
        let ended = format!("eats (process {process}) was ended for its 400 bytes of memory");
        is_told(
            &runtime,
            &[&ended, "999 of 1000 bytes of memory are in use, where 900 is the limit"],
        )
        .await;
        // There is memory again, and all is as before.
        goes_on(&runtime).await;
        is_told(&runtime, &["not short of memory any more"]).await;
        desk.let_go("b");
        stays::with(isolated()).remote(desk.place("b")).await?;
        Ok(())
    })
}

#[test]
fn what_can_be_run_again_is_ended_first_and_runs_again_when_there_is_memory() -> Result<()> {
    let figures = Figures::new();
    let cluster = start(&figures, 0)?;
    within(&cluster, async {
        let desk = Desk::new();
        let again = stays::with(isolated().retries(1)).remote(desk.place("again"));
        let first = desk.run("again", 0).await;
        let once = stays::with(isolated()).remote(desk.place("once"));
        // The newest, and it cannot be run again.
        let stayed = desk.run("once", 0).await;
        figures.is_full_with(first);
        let second = desk.run("again", 1).await;
        assert!(first != second && !is_there(first) && is_there(stayed));
        desk.let_go("once");
        desk.let_go("again");
        assert_eq!((again.await?, once.await?), (second, stayed));
        Ok(())
    })
}

#[test]
fn a_task_is_run_again_as_often_as_it_may_and_then_says_why_not() -> Result<()> {
    let figures = Figures::new();
    let cluster = start(&figures, 0)?;
    within(&cluster, async {
        let desk = Desk::new();
        let eats = stays::with(isolated().retries(2)).remote(desk.place("a"));
        for number in 0..3 {
            figures.is_full_with(desk.run("a", number).await);
        }
        let error = eats.await.unwrap_err();
        let last = desk.runs("a")[2];
        assert_eq!(sizes(&error).0, format!("stays (process {last})"));
        assert_eq!(desk.runs("a").len(), 3);
        Ok(())
    })
}

#[test]
fn nothing_begins_while_memory_is_short_and_why_says_so() -> Result<()> {
    let figures = Figures::new();
    let cluster = start(&figures, 0)?;
    let runtime = cluster.runtime().clone();
    within(&cluster, async {
        let desk = Desk::new();
        let runs = stays::remote(desk.place("runs"));
        desk.run("runs", 0).await;
        figures.use_up(SHORT);
        holds_back(&runtime).await;
        let waits = stays::with(TaskOptions::new().name("waits")).remote(desk.place("waits"));
        let id = loop {
            let list = state::tasks().is("name", "waits").await?;
            if let Some(id) = list.rows.first().and_then(|row| row.id) {
                break id;
            }
        };
        let story = state::why(id).await?;
        assert_eq!(story.now, "it waits for 1 CPU");
        let why = "the node is short of it, and begins nothing new: 905 of 1000 bytes of memory are in use";
        assert_eq!((&*story.steps[0].who, &*story.steps[0].what), ("memory", why));
        // What asks for nothing that may be handed out is not held up.
        desk.let_go("free");
        stays::with(TaskOptions::new().cpus(0.0)).remote(desk.place("free")).await?;
        assert!(desk.runs("waits").is_empty());
        // A CPU is free, and one after the other may begin: it is not this program that has the memory.
        desk.let_go("runs");
        runs.await?;
        desk.run("waits", 0).await;
        desk.let_go("waits");
        waits.await?;
        figures.use_up(ENOUGH);
        goes_on(&runtime).await;
        Ok(())
    })
}

#[test]
fn a_program_never_ends_itself() -> Result<()> {
    let figures = Figures::new();
    let cluster = start(&figures, 0)?;
    let runtime = cluster.runtime().clone();
    within(&cluster, async {
        let desk = Desk::new();
        figures.has(std::process::id(), 900);
        let runs = stays::remote(desk.place("runs"));
        desk.run("runs", 0).await;
        figures.use_up(FULL);
        holds_back(&runtime).await;
        // The monitor dies of something else meanwhile: what it holds back is held back by the next life of it.
        let monitor = runtime.probe("node/memory_monitor").expect("a monitor");
        monitor.panic_now();
        until(|| monitor.restarts() > 0).await;
        holds_back(&runtime).await;
        figures.use_up(ENOUGH);
        goes_on(&runtime).await;
        desk.let_go("runs");
        assert_eq!(runs.await?, std::process::id());
        Ok(())
    })
}

#[test]
fn a_watch_that_is_off_is_not_there() -> Result<()> {
    let init = raytree::init().cpus(1.0).threads(1).setting("node.memory_watch", "false");
    let cluster = TestCluster::start(init)?;
    assert!(cluster.runtime().probe("node/memory_monitor").is_none());
    let off = raytree::init().setting("node.memory_refuse_at", "0.05").start().map(|_| ());
    assert!(matches!(off, Err(Error::BadOption { .. })), "{off:?}");
    Ok(())
}
