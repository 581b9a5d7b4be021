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

/// What is printed, without what differs from run to run: how long ago it was, and the place of the panic.
fn lines(text: &str, place: &str) -> Vec<String> {
    let one = |line: &str| {
        let aged = line.rsplit_once(" (").filter(|(_, age)| age.ends_with(" ago)"));
        aged.map_or(line, |(line, _)| line).replace(place, "PLACE")
    };
    text.lines().map(one).collect()
}

/// What supervisors decide in a process that fails with all that it is made of.
fn gives_up(below: &str) -> String {
    format!("it gives up: {below} failed more than 5 times within 30s")
}

/// The host of actors that panicked, the three supervisors above it in its process, and the one of its mirror in another process: the
/// origin comes first, and each says what it decided.
#[track_caller]
fn tells_every_step(text: &str, place: &str, worker: &str, mirror: &str) {
    let lines = lines(text, place);
    let [about, now, root, panic, rest @ ..] = &lines[..] else { panic!("{text}") };
    assert_eq!((about.as_str(), now.starts_with("  now    ")), (mirror, true), "{text}");
    assert_eq!(*root, format!("  root   {worker}/node/worker/actor_host"), "{text}");
    assert!(panic.starts_with("         panicked: told to panic now at PLACE in "), "{text}");
    let decides = |who: &str, what: &str| [format!("  then   {who}"), format!("         {what}")];
    let expected = [
        decides(&format!("{worker}/node/worker"), &gives_up("actor_host")),
        decides(&format!("{worker}/node"), &gives_up("worker")),
        decides(worker, &gives_up("node")),
        decides(worker, "its process ended with exit code 70"),
        [
            format!("  then   failed with it: {worker} died: told to panic now"),
            "  then   it is not restarted: its policy is to leave it at that".to_owned(),
        ],
    ];
    assert_eq!(rest, expected.concat(), "{text}");
}

/// The log of that process went with it: what its node has noted has all of it in one line, and then what became of the mirror.
fn tells_in_one_line(cluster: &Cluster, place: &str, worker: &str, mirror: &str) {
    let mut noted = Vec::new();
    until("two entries about the mirror", || {
        let (text, _, _) = cluster.raytree(&["events"]);
        let all = lines(&text, place).into_iter();
        noted = all.filter(|line| line.contains(&format!("  {mirror}  "))).collect();
        noted.len() >= 2
    });
    let [failed, ended] = &noted[..] else { panic!("two: {noted:#?}") };
    let decisions = [("/node/worker", "actor_host"), ("/node", "worker"), ("", "node")];
    let decided =
        decisions.map(|(who, below)| format!("; then {worker}{who}: {}", gives_up(below)));
    let origin =
        format!("  failed   {mirror}  failed: {worker} died: told to panic now at PLACE in ");
    let way = format!(", by {worker}/node/worker/actor_host{}", decided.concat());
    let end = format!("; then {worker}: its process ended with exit code 70");
    tells(failed, &[&origin, &way, &end]);
    let policy = "it is not restarted: its policy is to leave it at that";
    assert!(ended.ends_with(&format!("  ended    {mirror}  {policy}")), "{noted:#?}");
}

#[test]
fn a_failure_that_crossed_five_supervisors_and_two_processes_is_told_line_by_line() {
    let plan = of(a_failure_that_crossed_five_supervisors_and_two_processes_is_told_line_by_line);
    let cluster = plan.no_own_node().nodes(1).start();
    let driver = cluster.driver();
    let job = format!("job-{}", cluster.status().jobs[0].job.0);
    let lost = driver.run(async { Ok(fails_up_to_the_root::remote().await) });
    let lost = lost.expect_err("its worker is gone").to_string();
    tells(&lost, &["told to panic now", "instrumented.rs:", "actor_host", "it gives up"]);
    // Its place is that of its next life, too.
    let row = format!("node_pool/node-1/workers/{job}");
    until("its next life", || {
        let last = why(&cluster, &row).and_then(|(story, _)| story.steps.last().cloned());
        last.is_some_and(|last| last.what.starts_with("it is not restarted"))
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
            worker.clone(),
            mirror.clone(),
            mirror.clone(),
        ],
        "{text}"
    );
    tells_every_step(&text, place, &worker, &mirror);
    tells_in_one_line(&cluster, place, &worker, &mirror);
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
