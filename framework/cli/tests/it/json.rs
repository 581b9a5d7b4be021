//! The fields of what commands say as JSON: scripts rely on them. What they say is in other tests.

use expect_test::{Expect, expect, expect_file};
use serde_json::Value;

use crate::one::failed;
use crate::support::*;

/// Each value as its kind, of a list the first one.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(all) => all.iter().take(1).map(shape).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect()
        }
    }
}

/// It has a version, and these fields.
#[track_caller]
pub(crate) fn check(said: (String, String, i32), expected: Expect) {
    expected.assert_eq(&fields(said));
}

/// The same, for what is long: it lies in a file.
fn stays(said: (String, String, i32), file: &str) {
    expect_file![format!("json/{file}.json")].assert_eq(&fields(said));
}

fn fields((out, err, _): (String, String, i32)) -> String {
    let said: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let of_one = said.as_array().map_or(&said, |all| &all[0]);
    assert!(of_one["version"].is_u64(), "{out}");
    serde_json::to_string_pretty(&shape(&said)).expect("JSON") + "\n"
}

#[test]
fn every_answer_has_a_version_and_fields_that_stay() {
    let place = Place::new();
    let (runtime, _top) = failed(&place);
    stays(place.raytree(&["actor", "scores", "--json"]), "actor");
    stays(place.raytree(&["why", "scores", "--json"]), "why");
    stays(place.raytree(&["events", "--json"]), "events");
    stays(place.raytree(&["tree", "scores", "--owners", "--json"]), "owners");
    stays(place.raytree(&["actors", "--json"]), "actors");
    stays(place.raytree(&["config", "cluster.port", "--json"]), "config");
    let (out, err, code) = place.raytree(&["restart", "scores", "--json"]);
    assert_eq!((&*err, code), ("", 1), "without --yes nothing is done");
    stays((out, err, code), "end");
    let (out, err, code) = place.raytree(&["kill", "scores", "--yes", "--json"]);
    assert_eq!((&*err, code), ("", 0));
    let said: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&said["version"], &said["end"]["is_done"]), (&1.into(), &true.into()));
    runtime.shutdown();
}

#[test]
fn counts_and_contexts_have_a_version_and_fields_that_stay() {
    let place = Place::new();
    let runtime = place.start();
    let _top = family(&runtime, "scores");
    check(
        place.raytree(&["actors", "--summary", "--json"]),
        expect![[r#"
        {
          "more": "number",
          "rows": [
            {
              "count": "number",
              "name": "string",
              "state": "string"
            }
          ],
          "version": "number"
        }
    "#]],
    );
    runtime.shutdown();
    let file = place.path().join("contexts.toml");
    let contexts = "current = \"lab\"\n\n[contexts.lab]\naddress = \"head:6380\"\n";
    std::fs::write(&file, format!("{contexts}token_file = \"lab.token\"\n")).expect("a file");
    let mut command = place.command(&["context", "list", "--json"]);
    let output = command.env("RAYTREE_CONFIG", &file).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    check(
        (text(output.stdout), text(output.stderr), 0),
        expect![[r#"
        {
          "more": "number",
          "rows": [
            {
              "address": "string",
              "is_current": "bool",
              "name": "string",
              "token_file": "string"
            }
          ],
          "version": "number"
        }
    "#]],
    );
}

#[test]
fn tb_1_actors_have_stable_columns() {
    let place = Place::new();
    let runtime = place.start();
    let _top = family(&runtime, "scores");
    let (out, err, code) = place.raytree(&["actors", "--sort", "name"]);
    assert_eq!((&*err, code), ("", 0));
    let rows: Vec<Vec<_>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    let heads = ["ID", "NAME", "CLASS", "STATE", "RESTARTS", "QUEUED", "HANDLED", "WANTS", "OWNER"];
    assert_eq!(rows[0], [&heads[..], &["JOB", "PID", "HOST", "CAUSE"]].concat());
    let names: Vec<_> = rows[1..].iter().map(|row| row[1]).collect();
    assert_eq!(names, ["scores", "scores_shard"]);
    assert_eq!(rows[2][8], rows[1][0], "its owner: {out}");
    runtime.shutdown();
}

#[test]
fn a_timeline_is_written_to_a_file() {
    let place = Place::new();
    let runtime = place.start();
    let _top = family(&runtime, "scores");
    let file = place.path().join("trace.json");
    let path = file.display().to_string();
    let (out, err, code) = place.raytree(&["timeline", "-o", &path]);
    assert_eq!((&*err, code), ("", 0));
    assert!(out.ends_with(&format!(" spans of 1 processes are in {path}\n")), "{out}");
    let text = std::fs::read_to_string(&file).expect("a file");
    let trace: Value = serde_json::from_str(&text).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events");
    assert!(events.iter().any(|event| event["ph"] == "X"), "{text}");
    runtime.shutdown();
}

#[test]
fn on_a_pipe_nothing_is_cut_whatever_the_terminal_is() {
    let place = Place::new();
    let (runtime, _top) = failed(&place);
    let said = |columns: &str| {
        let mut command = place.command(&["tree", "node/worker/actor_host"]);
        let output = command.env("COLUMNS", columns).output().expect("it runs");
        String::from_utf8(output.stdout).expect("text")
    };
    let narrow = said("20");
    assert!(narrow.contains("LAST CAUSE") && narrow.contains("in Panic"), "{narrow}");
    let rows = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows(&narrow), rows(&said("200")));
    runtime.shutdown();
}
