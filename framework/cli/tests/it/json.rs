//! The fields of what commands say as JSON: scripts rely on them. What they say is in other tests.

use expect_test::{Expect, expect};
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
pub(crate) fn check((out, err, _): (String, String, i32), expected: Expect) {
    let said: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let of_one = said.as_array().map_or(&said, |all| &all[0]);
    assert!(of_one["version"].is_u64(), "{out}");
    let text = serde_json::to_string_pretty(&shape(&said)).expect("JSON");
    expected.assert_eq(&(text + "\n"));
}

#[test]
fn every_answer_has_a_version_and_fields_that_stay() {
    let place = Place::new();
    let (runtime, _top) = failed(&place);
    check(
        place.raytree(&["actor", "scores", "--json"]),
        expect![[r#"
        {
          "actor": {
            "children": "number",
            "ends": [
              {
                "Panicked": {
                  "chain": [],
                  "during": "string",
                  "message": "string",
                  "place": "string",
                  "type_name": "string",
                  "value": null,
                  "way": []
                }
              }
            ],
            "ends_dropped": "number",
            "intensity": null,
            "next_life_in": null,
            "path": "string",
            "pid": "number",
            "policy": {
              "backoff": {
                "base": {
                  "nanos": "number",
                  "secs": "number"
                },
                "max": {
                  "nanos": "number",
                  "secs": "number"
                }
              },
              "own_restarts": "number",
              "restart": "string",
              "shutdown": {
                "Drain": {
                  "nanos": "number",
                  "secs": "number"
                }
              }
            },
            "recorder": [
              {
                "at": {
                  "nanos": "number",
                  "secs": "number"
                },
                "what": "string"
              }
            ],
            "recorder_dropped": "number",
            "row": {
              "busy": {
                "nanos": "number",
                "secs": "number"
              },
              "busy_for": null,
              "current": null,
              "depth": "number",
              "handled": "number",
              "hidden": "number",
              "id": {
                "number": "number",
                "runtime": "number"
              },
              "last_cause": "string",
              "name": "string",
              "queue_limit": "number",
              "queued": "number",
              "refused": "number",
              "restarts": "number",
              "state": "string",
              "strategy": null,
              "type_name": "string"
            }
          },
          "version": "number"
        }
    "#]],
    );
    check(
        place.raytree(&["why", "scores", "--json"]),
        expect![[r#"
        {
          "story": {
            "about": "string",
            "id": {
              "number": "number",
              "runtime": "number"
            },
            "is_cycle": "bool",
            "now": "string",
            "steps": [
              {
                "age": {
                  "nanos": "number",
                  "secs": "number"
                },
                "place": "string",
                "what": "string",
                "who": "string"
              }
            ]
          },
          "version": "number"
        }
    "#]],
    );
    check(
        place.raytree(&["events", "--json"]),
        expect![[r#"
        {
          "log": {
            "dropped": "number",
            "events": [
              {
                "at": {
                  "nanos": "number",
                  "secs": "number"
                },
                "cause": {
                  "chain": [],
                  "during": "string",
                  "message": "string",
                  "place": "string",
                  "type_name": "string",
                  "value": null,
                  "way": []
                },
                "kind": "string",
                "number": "number",
                "path": "string",
                "pid": "number",
                "what": "string"
              }
            ],
            "more": "number"
          },
          "version": "number"
        }
    "#]],
    );
    check(
        place.raytree(&["tree", "scores", "--owners", "--json"]),
        expect![[r#"
        [
          {
            "answer": {
              "tree": {
                "more": "number",
                "rows": [
                  {
                    "busy": {
                      "nanos": "number",
                      "secs": "number"
                    },
                    "busy_for": null,
                    "current": null,
                    "depth": "number",
                    "handled": "number",
                    "hidden": "number",
                    "id": {
                      "number": "number",
                      "runtime": "number"
                    },
                    "last_cause": "string",
                    "name": "string",
                    "queue_limit": "number",
                    "queued": "number",
                    "refused": "number",
                    "restarts": "number",
                    "state": "string",
                    "strategy": null,
                    "type_name": "string"
                  }
                ],
                "seq": "number"
              }
            },
            "captured_at": {
              "nanos": "number",
              "secs": "number"
            },
            "pid": "number",
            "program": "string",
            "role": "string",
            "runtime": "number",
            "uptime": {
              "nanos": "number",
              "secs": "number"
            },
            "version": "number"
          }
        ]
    "#]],
    );
    check(
        place.raytree(&["actors", "--json"]),
        expect![[r#"
        {
          "more": "number",
          "rows": [
            {
              "cause": "string",
              "class": "string",
              "handled": "number",
              "id": {
                "number": "number",
                "runtime": "number"
              },
              "name": "string",
              "pid": "number",
              "queued": "number",
              "restarts": "number",
              "state": "string"
            }
          ],
          "version": "number"
        }
    "#]],
    );
    check(
        place.raytree(&["config", "cluster.port", "--json"]),
        expect![[r#"
        {
          "settings": [
            {
              "default": "string",
              "key": "string",
              "meaning": "string",
              "origin": "string",
              "range": "string",
              "short_variable": null,
              "unit": "string",
              "value": "string",
              "variable": "string"
            }
          ],
          "version": "number"
        }
    "#]],
    );
    let (out, err, code) = place.raytree(&["restart", "scores", "--json"]);
    assert_eq!((&*err, code), ("", 1), "without --yes nothing is done");
    check(
        (out, err, code),
        expect![[r#"
        {
          "end": {
            "is_done": "bool",
            "lost": [
              "string"
            ],
            "path": "string"
          },
          "version": "number"
        }
    "#]],
    );
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
