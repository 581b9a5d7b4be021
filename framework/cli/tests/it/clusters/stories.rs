//! What operators read of a subtree that was lost: where it began, what it led to, what was decided.

use raytree::Result;
use raytree::inspect::{ActorState, Event, EventKind, Events, Story};
use raytree::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::support::{Cluster, children, lives, of, until};
use super::{Counter, CounterHandle};

/// Has an actor of the system panic in the process that this runs in, and waits until it lives again.
async fn panics(path: &str) -> Result<()> {
    let runtime = raytree::current()?;
    let probe = runtime.probe(path).expect("such an actor");
    let before = probe.restarts();
    probe.panic_now();
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(1));
    while probe.restarts() == before || probe.state() != ActorState::Running {
        looks.tick().await;
    }
    Ok(())
}

/// Takes the process that it runs in along: no actor of a user can, since each has restarts of its own, so it is the host of
/// them all that fails until nobody above it may begin again.
#[remote(cpus = 0, retries = 0)]
async fn fails_up_to_the_root() -> Result<()> {
    for path in ["node", "node/worker"] {
        for _ in 0..5 {
            panics(path).await?;
        }
    }
    loop {
        panics("node/worker/actor_host").await?;
    }
}

fn why(cluster: &Cluster, which: &str) -> Option<(Story, String)> {
    let (json, _, code) = cluster.raytree(&["why", which, "--json"]);
    let (text, _, _) = cluster.raytree(&["why", which]);
    (code == 0).then(|| (part(&json, "story"), text))
}

fn events(cluster: &Cluster, more: &[&str]) -> Vec<Event> {
    let (out, _, _) = cluster.raytree(&[&["events", "--json"], more].concat());
    part::<Events>(&out, "log").events
}

/// What stands under this name in an answer.
fn part<T: DeserializeOwned>(json: &str, name: &str) -> T {
    let mut said: Value = serde_json::from_str(json).expect("JSON");
    serde_json::from_value(said[name].take()).expect(name)
}

/// The ends of the lines are those, in this order and maybe with others between them.
#[track_caller]
fn tells(text: &str, expected: &[&str]) {
    let mut rest = text;
    for part in expected {
        let Some((_, behind)) = rest.split_once(part) else {
            panic!("there is no {part:?} in {rest:?} of {text}")
        };
        rest = behind;
    }
}

#[test]
fn a_worker_whose_tree_gave_up_is_told_from_its_panic_on() {
    let plan = of(a_worker_whose_tree_gave_up_is_told_from_its_panic_on);
    let cluster = plan.no_own_node().nodes(1).start();
    let driver = cluster.driver();
    let job = format!("job-{}", cluster.status().jobs[0].job.0);
    let lost = driver.run(async { Ok(fails_up_to_the_root::remote().await) });
    let lost = lost.expect_err("its worker is gone").to_string();
    tells(&lost, &["told to panic now", "instrumented.rs:", "actor_host", "it gives up"]);
    // Its place is that of its next life, too.
    let row = format!("node_pool/node-1/workers/{job}");
    until("its next life", || {
        why(&cluster, &row).is_some_and(|(story, _)| !story.steps.is_empty())
    });
    let (story, text) = why(&cluster, &row).expect("a story");
    let first = &story.steps[0];
    let worker = format!("{job} on node-1");
    assert_eq!(first.who, format!("{worker}/node/worker/actor_host"), "{text}");
    assert!(first.what.starts_with("panicked: told to panic now at "), "{text}");
    let place = first.place.as_deref().expect("a place");
    assert!(place.contains("instrumented.rs:"), "{place}");
    let whom = story.steps.iter().map(|step| step.who.clone()).collect::<Vec<_>>();
    let mirror = format!("raytree/{row}");
    assert_eq!(
        whom,
        [
            format!("{worker}/node/worker/actor_host"),
            format!("{worker}/node/worker"),
            format!("{worker}/node"),
            worker.clone(),
            worker,
            mirror.clone(),
            mirror,
        ],
        "{text}"
    );
    tells(
        &text,
        &[
            "it gives up: actor_host failed more than 5 times within 30s",
            "it gives up: worker failed more than 5 times within 30s",
            "it gives up: node failed more than 5 times within 30s",
            "its process ended with exit code 70",
            "failed with it: ",
            "it is not restarted",
        ],
    );
    drop(driver);
    cluster.until_free();
}

#[test]
fn a_node_that_is_killed_is_read_in_events_and_why() {
    let plan = of(a_node_that_is_killed_is_read_in_events_and_why);
    let mut cluster = plan.no_own_node().nodes(2).start();
    let init = cluster.init().inspector(true).inspect_dir(cluster.sockets());
    let driver = cluster.driver_with(init);
    let counter: CounterHandle = driver.run(async {
        let free = ActorOptions::new().cpus(0.0).restarts(100).label("tally");
        let counter = Counter::with(free).remote(0);
        counter.ready().await?;
        Ok(counter)
    });
    let pid = driver.run(async { counter.process().await });
    let nodes = cluster.nodes.iter().map(|node| (node.name.clone(), children(node.pid())));
    let home = nodes.into_iter().find(|(_, workers)| workers.contains(&pid));
    let (home, workers) = home.expect("it is on a node");
    cluster.node(&home).kill();
    until("the end of what was below it", || !workers.iter().any(|worker| lives(*worker)));
    let moved = driver.run(async {
        loop {
            match counter.process().await {
                Ok(now) => return Ok(now),
                Err(raytree::Error::ActorDied { .. }) => tokio::task::yield_now().await,
                Err(other) => return Err(other),
            }
        }
    });
    assert_ne!(moved, pid);
    let about = |name: &str| {
        let all = events(&cluster, &[]).into_iter();
        let own = all.filter(|event| event.path.rsplit('/').next() == Some(name));
        own.collect::<Vec<_>>()
    };
    let actor = "tally#1";
    until("its next life", || about(actor).iter().any(|event| event.kind == EventKind::Up));
    until("the end of its node", || about(&home).iter().any(|one| one.kind == EventKind::Ended));
    let kinds = |name: &str| about(name).into_iter().map(|event| event.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&home), [EventKind::Failed, EventKind::Ended]);
    assert_eq!(kinds(actor), [EventKind::Failed, EventKind::Restart, EventKind::Up]);
    let (text, _, code) = cluster.raytree(&["events"]);
    assert_eq!(code, 0, "{text}");
    tells(&text, &["failed ", &format!("/{home} "), "ended "]);
    tells(&text, &["failed ", actor, &home, "restart ", actor, "up ", actor, "life 1 is up"]);
    let (story, text) = why(&cluster, "tally").expect("a story");
    assert!(story.steps[0].what.contains(&home), "{text}");
    tells(&text, &["cause ", &home, "died", "life 1 is up"]);
    drop(driver);
}
