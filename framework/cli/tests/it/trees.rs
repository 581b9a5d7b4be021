//! What is printed of runtimes that are well.

use std::process::{Command, Stdio};

use expect_test::expect;

use crate::support::*;

#[test]
fn a_tree_on_a_pipe() {
    let place = Place::new();
    let runtime = place.start();
    let _top = family(&runtime, "scores");
    // The inspector handles us: its count is not ours to know.
    expect![[r#"
        raytree pid PID PROGRAM RUNTIME up TIME
        NAME                HOST  STRATEGY     STATE      QUEUE  HANDLED  RST  PID  LAST CAUSE
        worker              -     one-for-one  ● running      0        1    0    -  -
          actor_host        -     one-for-one  ● running      0        3    0    -  -
            scores#1        -     -            ● running      0        2    0    -  -
            scores_shard#2  -     -            ● running      0        1    0    -  -
    "#]]
    .assert_eq(&place.shown(&["tree", "node/worker"]));
    let whole = place.shown(&["tree"]);
    let names: Vec<String> = whole.lines().skip(2).map(name).collect();
    assert_eq!(
        names,
        [
            "raytree",
            "  gcs",
            "    actor_directory",
            "  node",
            "    local_scheduler",
            "    worker",
            "      actor_host",
            "        scores#1",
            "        scores_shard#2",
            "    processes",
            "    memory_monitor",
            "  inspector",
        ]
    );
    runtime.shutdown();
}

/// The first column of a line.
fn name(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let word = line.split_whitespace().next().unwrap_or_default();
    format!("{}{word}", &line[..indent])
}

#[test]
fn owners_and_what_they_own() {
    let place = Place::new();
    let runtime = place.start();
    assert!(place.shown(&["tree", "--owners"]).ends_with("no actors\n"));
    let _top = family(&runtime, "scores");
    let _other = family(&runtime, "rounds");
    expect![[r#"
        raytree pid PID PROGRAM RUNTIME up TIME
        NAME              HOST  STRATEGY  STATE      QUEUE  HANDLED  RST  PID  LAST CAUSE
        scores#1          -     -         ● running      0        2    0    -  -
          scores_shard#2  -     -         ● running      0        1    0    -  -
        rounds#3          -     -         ● running      0        2    0    -  -
          rounds_shard#4  -     -         ● running      0        1    0    -  -
    "#]]
    .assert_eq(&place.shown(&["tree", "--owners"]));
    expect![[r#"
        raytree pid PID PROGRAM RUNTIME up TIME
        NAME         HOST  STRATEGY  STATE      QUEUE  HANDLED  RST  PID  LAST CAUSE
        scores#1 +1  -     -         ● running      0        2    0    -  -
        rounds#3 +1  -     -         ● running      0        2    0    -  -
    "#]]
    .assert_eq(&place.shown(&["tree", "--owners", "--depth", "0"]));
    let below = place.shown(&["tree", "rounds/rounds_shard", "--owners"]);
    assert!(
        below.lines().nth(2).is_some_and(|line| line.starts_with("rounds_shard#4 ")),
        "{below}"
    );
    runtime.shutdown();
}

#[test]
fn what_failed_is_found_with_its_cause() {
    let place = Place::new();
    let runtime = place.start();
    assert!(place.shown(&["tree", "--failed"]).ends_with("nothing is in trouble\n"));
    let top = family(&runtime, "scores");
    let _well = family(&runtime, "rounds");
    runtime.block_on(async {
        assert!(top.call(Panic).await.is_err());
        top.ready().await.expect("up again");
    });
    until(|| top.probe().restarts() == 1 && top.probe().queued() == 0);
    let failed = place.shown(&["tree", "--failed"]);
    let names: Vec<String> = failed.lines().skip(2).map(name).collect();
    assert_eq!(names, ["raytree", "  node", "    worker", "      actor_host", "        scores#1"]);
    let last = failed.lines().last().unwrap_or_default();
    let words: Vec<&str> = last.split_whitespace().collect();
    assert_eq!(words[7..13], ["1", "-", "panicked:", "index", "out", "of"], "{last}");
    runtime.shutdown();
}

#[test]
fn json_has_all_of_it() {
    let place = Place::new();
    let runtimes = [place.start(), place.start()];
    let _top = family(&runtimes[1], "scores");
    let (out, err, code) = place.raytree(&["tree", "--json", "--owners"]);
    assert_eq!((&*err, code), ("", 0));
    let replies: Vec<raytree::inspect::Reply> = serde_json::from_str(&out).expect("an array");
    let ids: Vec<_> = replies.iter().map(|reply| (reply.pid, reply.runtime)).collect();
    assert_eq!(ids, [0, 1].map(|at: usize| (std::process::id(), runtimes[at].id())));
    let raytree::inspect::Answer::Tree(tree) = &replies[1].answer else { panic!("a tree") };
    let names: Vec<&str> = tree.rows.iter().map(|row| &*row.name).collect();
    assert_eq!((names, tree.more), (vec!["scores#1", "scores_shard#2"], 0));
    runtimes.into_iter().for_each(raytree::Runtime::shutdown);
}

#[test]
fn several_runtimes_are_shown_one_after_the_other() {
    let place = Place::new();
    let runtimes = [place.start(), place.start()];
    let text = place.shown(&["tree", "gcs"]);
    let blocks: Vec<&str> = text.split("\n\n").collect();
    assert_eq!(blocks.len(), 2, "{text}");
    assert!(blocks.iter().all(|block| block.starts_with("raytree pid PID")), "{text}");
    let pid = std::process::id().to_string();
    assert_eq!(place.shown(&["tree", "gcs", "--pid", &pid]), text);
    runtimes.into_iter().for_each(raytree::Runtime::shutdown);
}

/// The other side of the next test, and nothing by itself: a program with a runtime that is on by default.
#[test]
fn a_program_until_its_input_ends() {
    if std::env::var_os("RAYTREE_TEST_PROGRAM").is_some() {
        let runtime = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).expect("an input");
        runtime.shutdown();
    }
}

#[test]
fn another_process_is_found_where_the_environment_says() {
    let place = Place::new();
    let program = |switch: &str| {
        let mut program = Command::new(std::env::current_exe().expect("a path"));
        program.args(["--exact", "trees::a_program_until_its_input_ends"]);
        program.env("RAYTREE_TEST_PROGRAM", "1").env("RAYTREE_INSPECT_DIR", place.path());
        program.env("RAYTREE_INSPECTOR", switch);
        program.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        program.spawn().expect("it runs")
    };
    let (mut seen, mut unseen) = (program("on"), program("off"));
    let pid = seen.id();
    let socket = place.path().join(format!("{pid}-1.sock"));
    until(|| socket.exists());
    let (out, err, code) = place.raytree(&["tree"]);
    assert_eq!((&*err, code), ("", 0));
    assert_eq!(out.matches("raytree pid ").count(), 1, "{out}");
    assert!(out.starts_with(&format!("raytree pid {pid} it-")), "{out}");
    for program in [&mut seen, &mut unseen] {
        drop(program.stdin.take());
        assert!(program.wait().expect("it ends").success());
    }
    assert!(!socket.exists(), "it took its socket along");
}
