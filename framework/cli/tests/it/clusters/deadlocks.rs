//! The dinner of the textbook over several nodes: what an operator is told who asks about one of the forks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use raytree::prelude::*;
use raytree::{Result, get_all};

use super::support::{Cluster, of, until};

/// As many as there are nodes, with a CPU each.
const FORKS: usize = 3;

/// A fork that is in one hand for as long as a meal takes, and that nobody else can even ask meanwhile, as those of the example
/// `philosophers --left-first`.
struct Fork;

#[remote]
impl Fork {
    fn new() -> Self {
        Self
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    /// Is taken; once all on the table are, reaches for the other one.
    pub(crate) async fn dine_with(
        &mut self,
        other: Option<ForkHandle>,
        table: String,
    ) -> Result<()> {
        let Some(other) = other else { return Ok(()) };
        fs::write(Path::new(&table).join(std::process::id().to_string()), "").expect("a file");
        {
            let mut looks = tokio::time::interval(Duration::from_millis(5));
            while fs::read_dir(&table).expect("a folder").count() < FORKS {
                looks.tick().await;
            }
        }
        other.dine_with(None, table).await?;
        Ok(())
    }
}

/// The id under which a person finds it.
fn id_of(cluster: &Cluster, fork: &str) -> String {
    let mut id = None;
    until("its row", || {
        let (out, _, _) = cluster.raytree(&["actors"]);
        let mut rows = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = rows.find(|row| row.get(1).is_some_and(|name| name.starts_with(fork)));
        id = row.map(|row| row[0].to_owned());
        id.is_some()
    });
    id.expect("it is in the list")
}

#[test]
fn a_deadlock_over_three_nodes_is_named_to_who_asks_about_one_of_it() {
    let plan = of(a_deadlock_over_three_nodes_is_named_to_who_asks_about_one_of_it);
    let cluster = plan.no_own_node().nodes(FORKS).start();
    let init = cluster.init().inspector(true).inspect_dir(cluster.sockets());
    let driver = cluster.driver_with(init.setting("calls.fail_deadlocks", "false"));
    let table = cluster.folder.path().join("table");
    fs::create_dir(&table).expect("a folder");
    let table = table.display().to_string();
    let _kept = driver.run(async {
        let named = |number| ActorOptions::new().cpus(1.0).label(format!("fork-{number}"));
        let forks: Vec<ForkHandle> =
            (1..=FORKS).map(|number| Fork::with(named(number)).remote()).collect();
        let processes = get_all(forks.iter().map(ForkHandle::process)).await?;
        let homes: BTreeSet<u32> = processes.into_iter().collect();
        assert_eq!(homes.len(), FORKS, "each is on a node of its own");
        let right_of = |seat: usize| Some(forks[(seat + 1) % FORKS].clone());
        let meals: Vec<_> =
            (0..FORKS).map(|seat| forks[seat].dine_with(right_of(seat), table.clone())).collect();
        Ok((forks, meals))
    });
    let id = id_of(&cluster, "fork-2");
    assert!(id.starts_with("actor-"), "{id}");
    for which in ["fork-2", &id] {
        let mut text = String::new();
        until("a deadlock", || {
            let (out, _, code) = cluster.raytree(&["why", which]);
            text = out;
            code == 0 && text.contains("DEADLOCK")
        });
        let mut lines = text.lines().skip(1);
        let now = "  now    it is in a deadlock, until somebody there gives up";
        assert_eq!(lines.next(), Some(now), "{text}");
        let circle = "  DEADLOCK: these wait for each other in a circle";
        assert_eq!(lines.next(), Some(circle), "{text}");
        assert_eq!(text.matches("\n  stuck  ").count(), FORKS, "{text}");
        for (one, next) in [("fork-1", "fork-2"), ("fork-2", "fork-3"), ("fork-3", "fork-1")] {
            let waits = |pair: &[&str]| {
                pair[0].starts_with(&format!("  stuck  {one} ("))
                    && pair[1].contains("waits for ")
                    && pair[1].contains(&format!("dine_with of {next} ("))
            };
            let all: Vec<&str> = text.lines().collect();
            assert!(all.windows(2).any(waits), "{one} waits for {next} in {text}");
        }
    }
    drop(driver);
    cluster.until_free();
}
