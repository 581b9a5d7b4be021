//! What processes have written, read from outside by who lives in them.

#![expect(clippy::print_stdout, reason = "what is written is what is tested")]

use std::any::type_name;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use clap::Parser as _;
use expect_test::expect;
use raytree::inspect::LogText;
use raytree::prelude::*;
use raytree_cli::args::{Cli, Command};
use raytree_cli::source;
use serde::Deserialize as _;

use crate::json::check;
use crate::support::*;

/// Writes what it is told.
struct Scribe;

#[remote]
impl Scribe {
    fn new() -> Self {
        Self
    }

    pub(crate) fn writes(&mut self, line: String) -> u32 {
        println!("{line}");
        eprintln!("{line} again");
        std::process::id()
    }
}

/// A runtime with one node, which is this test, started again.
fn started<F: Fn()>(place: &Place, test: F) -> Runtime {
    _ = test;
    if std::env::var_os("RAYTREE_ROLE").is_some() {
        let never = raytree::init().start();
        panic!("a node is served until it ends: {never:?}");
    }
    let path = type_name::<F>();
    let path = path.split_once("::").map_or(path, |(_, own)| own);
    let again = ["--exact", path, "--nocapture"].map(Into::into).into();
    let folder = place.path().join("logs").display().to_string();
    let init = raytree::init().cpus(4.0).threads(2).nodes(1).log_to_driver(false).again(again);
    let init = init.inspect_dir(place.path()).setting("logs.folder", folder);
    let runtime = init.start().expect("a runtime");
    // Each can be looked at a moment after it has begun.
    until(|| place.raytree(&["tree", "--json"]).0.matches("\"inspector\"").count() == 2);
    runtime
}

/// The scribe, which has written a line; and in which process.
fn scribe(runtime: &Runtime, options: ActorOptions) -> (ScribeHandle, u32) {
    let _here = runtime.enter();
    let scribe = Scribe::with(options.cpus(1.0).name("scribe")).remote();
    let pid = runtime.block_on(async { scribe.writes("the first line".to_owned()).await });
    (scribe, pid.expect("it lives"))
}

#[test]
fn what_a_process_wrote_is_found_by_whoever_lives_there() {
    let place = Place::new();
    let runtime = started(&place, what_a_process_wrote_is_found_by_whoever_lives_there);
    let (scribe, pid) = scribe(&runtime, ActorOptions::new());
    let id = scribe.id().expect("it was created").to_string();
    let last = |which: &str| place.raytree(&["logs", which, "--tail", "1"]).0;
    // It was written before it was answered, and is read a moment later.
    until(|| last("node-1") == "out  the first line\nerr  the first line again\n");
    let text = last("node-1");
    for which in ["scribe", &id, &pid.to_string(), "node_pool/node-1", "node_pool/node-1/gcs"] {
        assert_eq!(last(which), text, "{which}");
    }
    let (out, err, code) = place.raytree(&["logs", "scribe", "--out", "--tail", "1"]);
    let folder = err.trim_start_matches("raytree: older lines are in ");
    let (folder, rest) = folder.split_once(", ").expect("a folder");
    assert!(folder.starts_with(&*place.path().display().to_string()), "{err}");
    assert_eq!((&*out, rest, code), ("the first line\n", "or shown with --tail\n", 0));
    let (out, err, _) = place.raytree(&["logs", "scribe", "--json", "--err"]);
    let said: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let text = LogText::deserialize(&said["log"]).expect("a text");
    assert_eq!((text.source.to_string(), &*err), (format!("node-1 pid={pid}"), ""));
    assert_eq!(text.lines.last().map(|line| &*line.text), Some("the first line again"));
    check(
        place.raytree(&["logs", "scribe", "--json"]),
        expect![[r#"
        {
          "log": {
            "folder": "string",
            "is_cut": "bool",
            "lines": [
              {
                "output": "string",
                "text": "string"
              }
            ],
            "next": {
              "err": [
                "number"
              ],
              "files": "string",
              "out": [
                "number"
              ]
            },
            "source": {
              "name": "string",
              "node": null,
              "pid": "number"
            }
          },
          "version": "number"
        }
    "#]],
    );
    // One that is gone is found by its number.
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid.cast_signed()).expect("a process"),
        rustix::process::Signal::KILL,
    )
    .expect("it lives");
    until(|| runtime.node_processes().first().is_some_and(|own| own.is_some_and(|own| own != pid)));
    assert_eq!(last(&pid.to_string()), "out  the first line\nerr  the first line again\n");
    runtime.shutdown();
}

#[test]
fn the_live_view_shows_what_the_process_of_a_row_wrote() {
    let place = Place::new();
    let runtime = started(&place, the_live_view_shows_what_the_process_of_a_row_wrote);
    let (_scribe, _) = scribe(&runtime, ActorOptions::new());
    let Command::Top(args) = Cli::parse_from(["raytree", "top"]).command else { unreachable!() };
    let found = source(&args, &place.path(), &mut Vec::new()).expect("a vector");
    let mut source = found.expect("a runtime");
    let mut path: Vec<String> = Vec::new();
    for row in source.look().expect("a moment").rows {
        path.truncate(row.depth as usize);
        path.push(row.name.clone());
        if row.name.starts_with("scribe") {
            break;
        }
    }
    assert!(path.last().is_some_and(|name| name.starts_with("scribe")), "{path:?}");
    let mut last = |path: &str| source.logs(path, 1);
    let written = ["out  the first line", "err  the first line again"].map(str::to_owned);
    let scribe = path[1..].join("/");
    // It stands in here for where it lives.
    while last(&scribe).expect("a log") != written {
        std::thread::yield_now();
    }
    for row in ["node_pool/node-1", "node_pool/node-1/gcs"] {
        assert_eq!(last(row).expect("a log"), written, "{row}");
    }
    let why = last("gcs").expect_err("the program's own");
    assert!(why.starts_with("there is no log of process"), "{why}");
    runtime.shutdown();
}

#[test]
fn what_an_isolated_actor_wrote_is_its_own() {
    let place = Place::new();
    let runtime = started(&place, what_an_isolated_actor_wrote_is_its_own);
    let (_scribe, pid) = scribe(&runtime, ActorOptions::new().isolated());
    let last = |which: &str| place.raytree(&["logs", which, "--tail", "1"]).0;
    until(|| last("scribe") == "out  the first line\nerr  the first line again\n");
    assert_eq!(last(&pid.to_string()), last("scribe"));
    assert_ne!(last("node-1"), last("scribe"));
    runtime.shutdown();
}

#[test]
fn what_has_no_log_is_said_to_have_none() {
    let place = Place::new();
    let runtime = started(&place, what_has_no_log_is_said_to_have_none);
    let pid = std::process::id().to_string();
    let said = |which: &str| {
        let (out, err, code) = place.raytree(&["logs", which]);
        assert_eq!((&*out, code), ("", 1));
        err.replace(&pid, "PID")
    };
    expect![[r#"
        raytree: there is no log of process PID: it is the program, and writes to where it was started
    "#]]
    .assert_eq(&said("gcs/actor_directory"));
    expect![[r#"
        raytree: there is no `scrobe` in the tree
    "#]]
    .assert_eq(&said("scrobe"));
    expect![[r#"
        raytree: there is no log of process 4194999: it has written nothing, or that is kept elsewhere
    "#]]
    .assert_eq(&said("4194999"));
    runtime.shutdown();
    let (_, err, code) = place.raytree(&["logs", "scribe"]);
    assert!(err.starts_with("raytree: nothing runs (looked in "), "{err}");
    assert_eq!(code, 2);
}

#[test]
fn what_comes_later_is_followed() {
    let place = Place::new();
    let runtime = started(&place, what_comes_later_is_followed);
    let (scribe, _) = scribe(&runtime, ActorOptions::new());
    let last = || place.raytree(&["logs", "scribe", "--out", "--tail", "1"]).0;
    until(|| last() == "the first line\n");
    let mut command = place.command(&["logs", "scribe", "--out", "--tail", "1", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    assert_eq!(next(), "the first line");
    for line in ["the second", "the third"] {
        let written = scribe.writes(line.to_owned());
        runtime.block_on(written).expect("it lives");
        assert_eq!(next(), line);
    }
    child.kill().and_then(|()| child.wait()).expect("it is ours");
    runtime.shutdown();
}
