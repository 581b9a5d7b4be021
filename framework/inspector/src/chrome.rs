//! A timeline as Chrome's trace events, the JSON that Perfetto and Chrome's own viewer open.
//!
//! Source: *Trace Event Format*, Google, 2016. Each process has a number of its own, since processes of different machines may
//! share one; each actor has a line, and the tasks of a process have as many as ran at once. Tasks, calls, transfers, spills and restores
//! have each a category (`cat`) of their own, by which viewers filter.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use raytree_types::state::{Span, SpanKind, Trace};
use serde_json::{Value, json};

/// Writes it. Times are in microseconds since the first span.
///
/// # Errors
/// `to` cannot be written.
pub fn write(trace: &Trace, mut to: impl Write) -> io::Result<()> {
    let spans = trace.processes.iter().flat_map(|process| &process.spans);
    let zero = spans.map(|span| span.began).min().unwrap_or_default();
    write!(to, "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    let mut is_first = true;
    let mut event = |event: Value| -> io::Result<()> {
        if !std::mem::take(&mut is_first) {
            to.write_all(b",")?;
        }
        to.write_all(b"\n")?;
        serde_json::to_writer(&mut to, &event).map_err(io::Error::from)
    };
    for (number, process) in trace.processes.iter().enumerate() {
        let pid = number + 1;
        let name = format!("{} (pid {})", process.name, process.pid);
        event(named("process_name", pid, 0, &name))?;
        let lines = lines(&process.spans);
        for (line, (name, spans)) in lines.iter().enumerate() {
            event(named("thread_name", pid, line + 1, name))?;
            for span in spans {
                event(complete(span, (pid, line + 1), zero))?;
            }
        }
    }
    let dropped: u64 = trace.processes.iter().map(|process| process.dropped).sum();
    let missing: Vec<&str> = trace.missing.iter().map(|missing| &*missing.path).collect();
    let about = json!({ "dropped": dropped, "missing": missing });
    writeln!(to, "\n],\"otherData\":{about}}}")
}

fn named(what: &str, pid: usize, tid: usize, name: &str) -> Value {
    json!({ "name": what, "ph": "M", "pid": pid, "tid": tid, "args": { "name": name } })
}

fn complete(span: &Span, (pid, tid): (usize, usize), zero: Duration) -> Value {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let mut args = serde_json::Map::new();
    if let Some(task) = span.task {
        args.insert("task".to_owned(), task.to_string().into());
        args.insert("attempt".to_owned(), span.attempt.into());
        let outcome = span.outcome.map_or_else(|| "running".to_owned(), |how| how.to_string());
        args.insert("outcome".to_owned(), outcome.into());
    }
    if let Some(actor) = span.actor {
        args.insert("actor".to_owned(), actor.to_string().into());
    }
    if let Some(bytes) = span.bytes {
        args.insert("bytes".to_owned(), bytes.into());
    }
    if let Some(from) = span.from {
        args.insert("from".to_owned(), from.to_string().into());
    }
    json!({
        "name": span.name, "cat": span.kind.name(), "ph": "X", "pid": pid, "tid": tid,
        "ts": micros(span.began.saturating_sub(zero)), "dur": micros(span.took), "args": args,
    })
}

/// The spans of one process, line by line: on each line one after the other. Lines of actors are called after them; those of tasks
/// are numbered, and no more than are needed.
fn lines(spans: &[Span]) -> Vec<(String, Vec<&Span>)> {
    let mut of_name: BTreeMap<(bool, &str, Option<_>), Vec<&Span>> = BTreeMap::new();
    for span in spans {
        // Whatever an actor did or had done stands on its own lines.
        let is_of_actor = span.kind != SpanKind::Task;
        of_name.entry((is_of_actor, &span.line, span.actor)).or_default().push(span);
    }
    let mut lines = Vec::new();
    for ((is_of_actor, name, _), mut spans) in of_name {
        spans.sort_by_key(|span| (span.began, span.took));
        let apart = apart(&spans);
        for (number, spans) in apart.into_iter().enumerate() {
            let name = match (is_of_actor, number) {
                (false, number) => format!("tasks {}", number + 1),
                (true, 0) => name.to_owned(),
                (true, number) => format!("{name} ({})", number + 1),
            };
            lines.push((name, spans));
        }
    }
    lines
}

/// Sorted spans on as few lines as there are at once at most, none over another.
fn apart<'a>(spans: &[&'a Span]) -> Vec<Vec<&'a Span>> {
    let mut lines: Vec<Vec<&Span>> = Vec::new();
    // When each line is free, the earliest first.
    let mut free: BTreeMap<(Duration, usize), ()> = BTreeMap::new();
    for span in spans {
        let first = free.first_key_value().map(|(key, ())| *key);
        let line = match first.filter(|(from, _)| *from <= span.began) {
            Some(key) => {
                free.remove(&key);
                key.1
            }
            None => {
                lines.push(Vec::new());
                lines.len() - 1
            }
        };
        lines[line].push(span);
        free.insert((span.began + span.took, line), ());
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::net::SocketAddr;

    use expect_test::expect;
    use proptest::prelude::*;
    use raytree_types::inspect::Missing;
    use raytree_types::state::{ProcessTrace, TaskState};
    use raytree_types::{RuntimeId, TaskId};

    use super::*;

    fn task(number: u64, began: u64, took: u64) -> Span {
        Span {
            kind: SpanKind::Task,
            name: "load".to_owned(),
            line: String::new(),
            began: Duration::from_micros(began),
            took: Duration::from_micros(took),
            task: Some(TaskId::new(RuntimeId::given(1), number)),
            attempt: 0,
            actor: None,
            outcome: Some(TaskState::Finished),
            bytes: None,
            from: None,
        }
    }

    /// What an actor did, or had done.
    fn of_actor(kind: SpanKind, name: &str, line: &str, began: u64) -> Span {
        let (name, line) = (name.to_owned(), line.to_owned());
        Span { kind, name, line, task: None, outcome: None, ..task(0, began, 20) }
    }

    fn written(trace: &Trace) -> Result<Value, Box<dyn Error>> {
        let mut bytes = Vec::new();
        write(trace, &mut bytes)?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    #[test]
    fn a_timeline_is_what_a_viewer_reads() -> Result<(), Box<dyn Error>> {
        let call = of_actor(SpanKind::Call, "add", "counter", 1_005);
        let process = ProcessTrace {
            path: String::new(),
            name: "train".to_owned(),
            pid: 7,
            spans: vec![task(1, 1_000, 10), task(2, 1_005, 10), task(3, 1_010, 5), call],
            dropped: 4,
        };
        let missing = vec![Missing { path: "a/b".to_owned(), why: "silent".to_owned() }];
        let trace = Trace { now: Duration::ZERO, processes: vec![process], missing };
        let said = written(&trace)?;
        let events = said["traceEvents"].as_array().ok_or("no events")?;
        let line = |event: &Value| {
            let at =
                event["ts"].as_f64().map_or(String::new(), |ts| format!(" {ts}+{}", event["dur"]));
            let name =
                event["args"]["name"].as_str().or(event["name"].as_str()).unwrap_or_default();
            format!("{} {}.{}{at} {name}", event["ph"], event["pid"], event["tid"])
        };
        let lines: Vec<String> = events.iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "\"M\" 1.0 train (pid 7)",
                "\"M\" 1.1 tasks 1",
                "\"X\" 1.1 0+10.0 load",
                "\"X\" 1.1 10+5.0 load",
                "\"M\" 1.2 tasks 2",
                "\"X\" 1.2 5+10.0 load",
                "\"M\" 1.3 counter",
                "\"X\" 1.3 5+20.0 add",
            ]
        );
        assert_eq!(events[2]["args"]["task"], "task-1-1");
        assert_eq!(said["otherData"], json!({ "dropped": 4, "missing": ["a/b"] }));
        assert_eq!(written(&Trace::default())?["traceEvents"], json!([]));
        Ok(())
    }

    #[test]
    fn each_kind_has_a_category_and_says_what_is_known_of_it() -> Result<(), Box<dyn Error>> {
        let stored = |kind, name, began| Span {
            bytes: Some(3 << 20),
            ..of_actor(kind, name, "object_store", began)
        };
        let from: SocketAddr = "192.0.2.7:7007".parse()?;
        let fetched = Span {
            bytes: Some(1 << 20),
            from: Some(from),
            ..of_actor(SpanKind::Transfer, "pull", "puller", 0)
        };
        let in_vain =
            Span { from: Some(from), ..of_actor(SpanKind::Transfer, "pull", "puller", 100) };
        let spans = vec![
            task(1, 0, 10),
            Span { outcome: None, ..task(2, 20, 10) },
            of_actor(SpanKind::Call, "Changed", "object_store", 0),
            stored(SpanKind::Spill, "spill", 30),
            stored(SpanKind::Restore, "restore", 60),
            fetched,
            in_vain,
        ];
        let (path, name) = (String::new(), "node a".to_owned());
        let process = ProcessTrace { path, name, pid: 7, spans, dropped: 0 };
        let (now, missing) = (Duration::ZERO, Vec::new());
        let said = written(&Trace { now, processes: vec![process], missing })?;
        let events = said["traceEvents"].as_array().ok_or("no events")?;
        let spans = events.iter().filter(|event| event["ph"] == "X");
        let lines: Vec<String> = spans
            .map(|event| {
                let [cat, name, tid, args] = ["cat", "name", "tid", "args"].map(|key| &event[key]);
                format!("{cat} {name} on line {tid}: {args}")
            })
            .collect();
        expect![[r#"
            "task" "load" on line 1: {"attempt":0,"outcome":"finished","task":"task-1-1"}
            "task" "load" on line 1: {"attempt":0,"outcome":"running","task":"task-1-2"}
            "call" "Changed" on line 2: {}
            "spill" "spill" on line 2: {"bytes":3145728}
            "restore" "restore" on line 2: {"bytes":3145728}
            "transfer" "pull" on line 3: {"bytes":1048576,"from":"192.0.2.7:7007"}
            "transfer" "pull" on line 3: {"from":"192.0.2.7:7007"}"#]]
        .assert_eq(&lines.join("\n"));
        Ok(())
    }

    proptest! {
        #[test]
        fn no_span_lies_over_another(of in prop::collection::vec((0..1000_u64, 1..100_u64), 0..200)) {
            let spans: Vec<Span> =
                of.iter().enumerate().map(|(at, (began, took))| task(at as u64, *began, *took)).collect();
            let lines = lines(&spans);
            prop_assert_eq!(lines.iter().map(|(_, spans)| spans.len()).sum::<usize>(), spans.len());
            for (_, spans) in &lines {
                for two in spans.windows(2) {
                    prop_assert!(two[0].began + two[0].took <= two[1].began);
                }
            }
            // As few lines as there are spans at once.
            let at_once = |at: u64| {
                let at = Duration::from_micros(at);
                spans.iter().filter(|span| span.began <= at && at < span.began + span.took).count()
            };
            let most = (0..1100).map(at_once).max().unwrap_or_default();
            prop_assert_eq!(lines.len(), most);
        }
    }
}
