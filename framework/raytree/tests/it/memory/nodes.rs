//! Programs with nodes of their own.

use super::*;

/// How soon the operating system would end the process, from -1000 to 1000.
#[remote(retries = 0)]
fn ends_at() -> i32 {
    let text = std::fs::read_to_string("/proc/self/oom_score_adj").expect("such a file");
    text.trim().parse().expect("a number")
}

#[test]
fn the_operating_system_ends_isolated_processes_before_nodes_and_those_before_the_program()
-> Result<()> {
    let cluster = start(&Figures::new(), 1)?;
    within(&cluster, async {
        let node = ends_at::remote().await?;
        let isolated = ends_at::with(isolated()).remote().await?;
        assert!(node >= 500 && isolated == 1000, "{node}, {isolated}");
        Ok(())
    })
}

#[test]
fn a_node_stays_as_long_as_it_has_isolated_processes() -> Result<()> {
    let figures = Figures::new();
    let cluster = start(&figures, 1)?;
    within(&cluster, async {
        let desk = Desk::new();
        let shared = stays::with(TaskOptions::new().cpus(0.0)).remote(desk.place("shared"));
        let node = desk.run("shared", 0).await;
        figures.has(node, 900);
        let (mut tasks, mut processes) = (Vec::new(), Vec::new());
        for name in ["a", "b", "c"] {
            tasks.push(stays::with(isolated().cpus(0.5)).remote(desk.place(name)));
            processes.push(desk.run(name, 0).await);
        }
        // They go one after the other, the newest first, and only the end of the last one helps.
        figures.is_full_with(processes[0]);
        until(|| !is_there(processes[0])).await;
        assert!(processes.iter().all(|one| !is_there(*one)));
        desk.let_go("shared");
        assert_eq!(shared.await?, node);
        for lost in tasks {
            sizes(&lost.await.unwrap_err());
        }
        Ok(())
    })
}

#[test]
fn an_isolated_process_of_a_node_is_ended_before_the_node() -> Result<()> {
    let figures = Figures::new();
    let cluster = start(&figures, 2)?;
    let runtime = cluster.runtime().clone();
    within(&cluster, async {
        let desk = Desk::new();
        let shared = stays::remote(desk.place("shared"));
        let node = desk.run("shared", 0).await;
        let eats = stays::with(isolated().name("eats")).remote(desk.place("a"));
        let process = desk.run("a", 0).await;
        // The node has more, and goes last all the same.
        figures.has(node, 600);
        figures.is_full_with(process);
        let error = eats.await.unwrap_err();
        let (name, [used, total, limit, _]) = sizes(&error);
        assert_eq!(name, format!("eats (process {process})"));
        assert_eq!([used, total, limit], [999, 1000, 900]);
        let ended = format!("(process {process}) was ended for its 300 bytes of memory");
        is_told(&runtime, &["an isolated process of node-", &ended]).await;
        goes_on(&runtime).await;
        desk.let_go("shared");
        assert_eq!(shared.await?, node);
        Ok(())
    })
}

#[test]
fn a_task_on_a_node_runs_again_when_its_process_was_ended_for_memory() -> Result<()> {
    let figures = Figures::new();
    let cluster = start(&figures, 2)?;
    within(&cluster, async {
        let desk = Desk::new();
        let once = stays::with(isolated()).remote(desk.place("once"));
        let stayed = desk.run("once", 0).await;
        let again = stays::with(isolated().retries(1)).remote(desk.place("again"));
        let first = desk.run("again", 0).await;
        figures.is_full_with(first);
        let second = desk.run("again", 1).await;
        desk.let_go("again");
        desk.let_go("once");
        assert_eq!((again.await?, once.await?), (second, stayed));
        Ok(())
    })
}

#[test]
fn a_node_is_ended_when_nothing_else_helps_and_all_that_is_lost_with_it_is_listed() -> Result<()> {
    let figures = Figures::new();
    let cluster = start(&figures, 2)?;
    let runtime = cluster.runtime().clone();
    within(&cluster, async {
        let desk = Desk::new();
        let lost = stays::with(TaskOptions::new().name("lost")).remote(desk.place("lost"));
        let node = desk.run("lost", 0).await;
        let again = stays::with(TaskOptions::new().retries(3)).remote(desk.place("again"));
        desk.run("again", 0).await;
        let at = cluster.pids().iter().position(|own| *own == node).expect("a node");
        let name = format!("node-{}", at + 1);
        figures.has(node, 500);
        figures.is_full_with(node);
        let error = lost.await.unwrap_err();
        assert_eq!(sizes(&error), (format!("{name} (process {node})"), [999, 1000, 900, 500]));
        is_told(&runtime, &[&name, "500 bytes", "lost with it: ", "task", "lost"]).await;
        // Its next life does what it is asked for.
        desk.let_go("again");
        again.await?;
        until(|| cluster.pids().len() == 2).await;
        assert!(!cluster.pids().contains(&node));
        goes_on(&runtime).await;
        desk.let_go("b");
        stays::remote(desk.place("b")).await?;
        Ok(())
    })
}
