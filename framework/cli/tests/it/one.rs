//! One actor, what happened to it and why, and its end from outside.

use expect_test::expect;
use serde::Deserialize as _;

use crate::support::*;

/// As it is printed, without what differs from run to run.
fn steady(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let mut at = 0;
        while at < words.len() {
            let word = words[at].trim_start_matches('(').to_owned();
            let is_unit = words
                .get(at + 1)
                .is_some_and(|unit| ["ms", "s", "ms,", "s,"].contains(&unit.trim_end_matches(')')));
            if word.parse::<f64>().is_ok() && is_unit {
                words[at] = words[at].replace(&word, "N");
            } else if word.len() == 24 && word.ends_with('Z') && word.contains('T') {
                words[at] = "TIME".to_owned();
            }
            at += 1;
        }
        let pid = std::process::id().to_string();
        lines.push(words.join(" ").replace(&pid, "PID"));
    }
    lines.join("\n") + "\n"
}

pub(crate) fn failed(place: &Place) -> (raytree::Runtime, raytree::ActorHandle<Parent>) {
    let runtime = place.start();
    let top = family(&runtime, "scores");
    runtime.block_on(async {
        assert!(top.call(Panic).await.is_err());
        top.ready().await.expect("up again");
    });
    until(|| top.probe().restarts() == 1 && top.probe().queued() == 0);
    until(|| place.raytree(&["events"]).0.contains("life 1 is up"));
    (runtime, top)
}

#[test]
fn all_there_is_to_say_of_an_actor_by_path_name_and_id() {
    let place = Place::new();
    let (runtime, top) = failed(&place);
    let by_name = place.raytree(&["actor", "scores"]);
    assert_eq!((&*by_name.1, by_name.2), ("", 0));
    expect![[r#"
        raytree/node/worker/actor_host/scores#1
          type      Parent
          id        ID
          state     running
          process   PID
          policy    transient, 3 restarts of its own, waits 50ms to 5s between restarts, has 30s to finish what is queued
          mailbox   0 of 10,000
          handled   4, in N ms
          restarts  1
          last end  panicked: index out of bounds: the len is 3 at framework/cli/tests/it/support.rs:99:9 in Panic
          flight recorder
            TIME  life 0 is up
            TIME  panicked: index out of bounds: the len is 3 at framework/cli/tests/it/support.rs:99:9 in Panic
            TIME  restart 1, at once
            TIME  life 1 is up
    "#]].assert_eq(&steady(&by_name.0).replace(&top.id().to_string(), "ID"));
    for other in [&*top.id().to_string(), "node/worker/actor_host/scores#1"] {
        let path = place.raytree(&["actor", other]).0;
        assert_eq!(path.lines().next(), by_name.0.lines().next(), "{other}");
    }
    let (out, err, code) = place.raytree(&["actor", "scores", "--json"]);
    assert_eq!((&*err, code), ("", 0));
    let said: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let detail = raytree::inspect::ActorDetail::deserialize(&said["actor"]).expect("details");
    assert_eq!(detail.row.id, Some(top.id()));
    assert_eq!(detail.policy.and_then(|policy| policy.own_restarts), Some(3));
    runtime.shutdown();
}

#[test]
fn a_name_that_nobody_or_more_than_one_has_is_told_with_those_that_are_meant() {
    let place = Place::new();
    let runtime = place.start();
    let _two = [family(&runtime, "scores"), family(&runtime, "rounds")];
    let _more = runtime.spawn::<Parent>((), raytree::ActorOptions::new().label("rounds"));
    let (out, err, code) = place.raytree(&["actor", "scroes"]);
    assert_eq!((&*out, code), ("", 1));
    expect![[r#"
        raytree: there is no `scroes` in the tree; is `scores` meant?
    "#]]
    .assert_eq(&err);
    let (out, err, code) = place.raytree(&["why", "rounds"]);
    assert_eq!((&*out, code), ("", 1));
    expect![[r#"
        raytree: `rounds` may be any of these, say which: raytree/node/worker/actor_host/rounds#3, raytree/node/worker/actor_host/rounds#5
    "#]].assert_eq(&err);
    runtime.shutdown();
}

#[test]
fn a_failure_is_told_from_its_root_cause_on() {
    let place = Place::new();
    let (runtime, _top) = failed(&place);
    let (out, err, code) = place.raytree(&["why", "scores"]);
    assert_eq!((&*err, code), ("", 0));
    expect![[r#"
        raytree/node/worker/actor_host/scores#1
          now    it runs, and has nothing to do
          cause  panicked: index out of bounds: the len is 3 at framework/cli/tests/it/support.rs:99:9 in Panic; restarted: life 1 is up (N ms ago)
    "#]].assert_eq(&steady(&out));
    let (out, err, code) = place.raytree(&["why", "gcs"]);
    assert_eq!((&*err, code), ("", 0));
    expect![[r#"
        raytree/gcs
          now    it runs, and has nothing to do
    "#]]
    .assert_eq(&steady(&out));
    runtime.shutdown();
}

#[test]
fn an_actor_that_waits_for_resources_says_who_has_them() {
    let place = Place::new();
    let runtime = place.start();
    let asks = |cpus| raytree::ActorOptions::new().cpus(cpus);
    let holds = runtime.spawn::<Parent>((), asks(1.0).label("holds")).expect("an actor");
    runtime.block_on(holds.ready()).expect("up");
    let waits = runtime.spawn::<Parent>((), asks(0.5).label("waits")).expect("an actor");
    let (out, err, code) = place.raytree(&["why", "waits"]);
    assert_eq!((&*err, code), ("", 0));
    expect![[r#"
        waits#2 (ID)
          now    it waits for 0.5 CPU
          root   held by
                 holds#1 (1 CPU)
          then   resources
                 free are 0 CPU of 1 CPU
    "#]]
    .assert_eq(&out.replace(&waits.id().to_string(), "ID"));
    runtime.shutdown();
}

#[test]
fn the_log_has_what_failed_and_what_was_decided() {
    let place = Place::new();
    let (runtime, _top) = failed(&place);
    let (out, err, code) = place.raytree(&["events"]);
    assert_eq!((&*err, code), ("", 0));
    expect![[r#"
        TIME  failed   raytree/node/worker/actor_host/scores#1  panicked: index out of bounds: the len is 3 at framework/cli/tests/it/support.rs:99:9 in Panic
        TIME  restart  raytree/node/worker/actor_host/scores#1  restart 1, at once
        TIME  up       raytree/node/worker/actor_host/scores#1  life 1 is up
    "#]].assert_eq(&steady(&out));
    let of = |more: &[&str]| {
        let (out, err, code) = place.raytree(&[&["events"], more].concat());
        assert_eq!((&*err, code), ("", 0));
        steady(&out)
    };
    assert_eq!(of(&["--kind", "restart"]).lines().count(), 1);
    assert_eq!(of(&["gcs"]), "nothing has failed\n");
    // As it is called everywhere else.
    assert_eq!(of(&["node/worker/actor_host/scores"]).lines().count(), 3);
    let (out, err, code) = place.raytree(&["events", "node/wroker"]);
    assert_eq!((&*out, code), ("", 1));
    let wrong = "there is no `raytree/node/wroker` in the tree; is `worker` meant?";
    assert_eq!(err, format!("raytree: {wrong}\n"));
    let limited = of(&["--limit", "1"]);
    assert!(limited.ends_with("… and 2 older ones: --limit shows more\n"), "{limited}");
    let json = place.raytree(&["events", "--json"]).0;
    let said: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let events = raytree::inspect::Events::deserialize(&said["log"]).expect("events");
    let cause = events.events[0].cause.as_ref().expect("a cause");
    assert!(cause.place.as_ref().is_some_and(|place| place.contains("support.rs:")), "{cause:?}");
    let (out, err, code) = place.raytree(&["events", "--kind", "fialed"]);
    assert_eq!((&*out, code), ("", 2));
    let known = "it is one of failed, restart, up, ended, gave-up, warning";
    assert_eq!(err, format!("raytree: there is no kind of event called `fialed`: {known}\n"));
    assert_eq!(place.raytree(&["events", "--since", "soon"]).2, 2);
    runtime.shutdown();
}

#[test]
fn nothing_is_ended_before_it_is_said_what_is_lost() {
    let place = Place::new();
    let runtime = place.start();
    let top = family(&runtime, "scores");
    let (out, err, code) = place.raytree(&["kill", "scores"]);
    assert_eq!((&*out, code), ("", 1));
    expect![[r#"
        raytree: killing raytree/node/worker/actor_host/scores#1 would lose:
          its state
          1 actor that it owns: scores_shard#2
        nothing was done: say --yes to do it
    "#]]
    .assert_eq(&err);
    assert_eq!(top.probe().restarts(), 0);
    let (out, err, code) = place.raytree(&["restart", "scores", "--yes"]);
    assert_eq!((&*err, code), ("", 0));
    expect![[r#"
        raytree/node/worker/actor_host/scores#1 restarts; lost with it:
          its state
          1 actor that it owns: scores_shard#2
    "#]]
    .assert_eq(&out);
    until(|| top.probe().restarts() == 1);
    runtime.block_on(top.ready()).expect("its next life");
    let (out, err, code) = place.raytree(&["kill", "scores", "--yes"]);
    assert_eq!((&*err, code), ("", 0));
    assert!(out.starts_with("raytree/node/worker/actor_host/scores#1 was killed"), "{out}");
    let exit = runtime.block_on(top.exited()).expect("it has ended");
    assert!(exit.kind.to_string().contains("killed by an operator"), "{exit}");
    let (out, err, code) = place.raytree(&["kill", "gcs/actor_directory", "--yes"]);
    assert_eq!((&*out, code), ("", 1));
    expect![[r#"
        raytree: raytree/gcs/actor_directory is not ended: it is part of the system: `raytree restart` ends its present life
    "#]].assert_eq(&err);
    let (out, err, code) = place.raytree(&["restart", "raytree", "--yes"]);
    assert_eq!((&*out, code), ("", 1));
    expect![[r#"
        raytree: raytree is not ended: it is the root of its process, and nobody would start it again
    "#]].assert_eq(&err);
    let restarts = || runtime.probe("gcs/actor_directory").map(|probe| probe.restarts());
    assert_eq!(restarts(), Some(0));
    let (_, err, code) = place.raytree(&["restart", "gcs/actor_directory", "--yes"]);
    assert_eq!((&*err, code), ("", 0));
    until(|| restarts() == Some(1));
    runtime.shutdown();
}

#[test]
fn the_live_view_wants_a_terminal() {
    let place = Place::new();
    for arguments in [&["top", "--demo"][..], &["top"]] {
        let (out, err, code) = place.raytree(arguments);
        assert_eq!((&*out, code), ("", 2));
        let why = "the live view needs a terminal; `raytree tree` prints it once";
        assert_eq!(err, format!("raytree: {why}\n"));
    }
    assert_eq!(place.raytree(&["top", "--interval", "soon"]).2, 2);
}

#[test]
fn of_two_that_are_called_alike_none_is_ended_before_it_is_said_which() {
    let place = Place::new();
    let runtimes = [place.start(), place.start()];
    let tops = runtimes.each_ref().map(|runtime| family(runtime, "scores"));
    for arguments in [&["kill", "scores", "--yes"], &["restart", "scores", "--yes"]] {
        let (out, err, code) = place.raytree(arguments);
        assert_eq!((&*out, code), ("", 1));
        assert!(err.starts_with("raytree: several have one, say --pid or its id: it-"), "{err}");
    }
    let (out, err, code) = place.raytree(&["kill", &tops[1].id().to_string(), "--yes"]);
    assert_eq!((&*err, code), ("", 0));
    assert!(out.contains("scores#1 was killed"), "{out}");
    let exit = runtimes[1].block_on(tops[1].exited()).expect("it has ended");
    assert!(exit.kind.to_string().contains("killed by an operator"), "{exit}");
    assert_eq!(
        (tops[0].probe().restarts(), tops[0].probe().state()),
        (0, raytree::inspect::ActorState::Running)
    );
    runtimes.into_iter().for_each(raytree::Runtime::shutdown);
}
