//! What is said of a timeline that is written.

use std::fs;
use std::path::Path;
use std::time::Duration;

use expect_test::expect;
use raytree_types::inspect::Missing;
use raytree_types::state::{ProcessTrace, Span, SpanKind, TaskState, Trace};
use raytree_types::{RuntimeId, TaskId};

use super::super::save;
use crate::Code;

fn span(kind: SpanKind, name: &str, began: u64) -> Span {
    let of_task = kind == SpanKind::Task;
    Span {
        kind,
        name: name.to_owned(),
        line: if of_task { String::new() } else { "scores".to_owned() },
        began: Duration::from_secs(began),
        took: Duration::from_millis(250),
        task: of_task.then(|| TaskId::new(RuntimeId::given(1), began)),
        attempt: 0,
        actor: None,
        outcome: of_task.then_some(TaskState::Finished),
        bytes: None,
        from: None,
    }
}

fn process(path: &str, spans: Vec<Span>, dropped: u64) -> ProcessTrace {
    ProcessTrace { path: path.to_owned(), name: "train".to_owned(), pid: 7, spans, dropped }
}

fn trace() -> Trace {
    let own = vec![span(SpanKind::Task, "load", 10), span(SpanKind::Task, "load", 11)];
    let other = vec![span(SpanKind::Call, "add", 10)];
    Trace {
        now: Duration::from_secs(20),
        processes: vec![process("", own, 0), process("node_pool/node-1", other, 1000)],
        missing: Vec::new(),
    }
}

/// How it ends, what is printed and what is said, with FILE for the path.
fn told(trace: &Trace, path: &Path) -> (Code, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = save(trace, path, &mut out, &mut err).expect("memory");
    let own = path.display().to_string();
    let text = |bytes| String::from_utf8(bytes).expect("text").replace(&own, "FILE");
    (code, text(out), text(err))
}

#[test]
fn a_timeline_that_is_written_says_what_is_in_it_and_what_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("timeline.json");
    let (code, out, err) = told(&trace(), &path);
    assert_eq!((code, &*err), (Code::Good, ""));
    expect![[r#"
        3 spans of 2 processes are in FILE
        1,000 older ones are not
    "#]]
    .assert_eq(&out);
    let text = fs::read_to_string(&path).expect("a file");
    let said: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let events = said["traceEvents"].as_array().expect("events");
    assert_eq!(events.iter().filter(|event| event["ph"] == "X").count(), 3, "{text}");
    assert_eq!(said["otherData"]["dropped"], 1000, "{text}");
    let silent = Missing { path: "raytree/drivers/a".to_owned(), why: "it is silent".to_owned() };
    let (code, _, _) = told(&Trace { missing: vec![silent], ..trace() }, &path);
    assert_eq!(code, Code::Partly);
}

#[test]
fn a_timeline_that_cannot_be_written_is_code_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, out, err) = told(&trace(), &folder.path().join("not-there/timeline.json"));
    assert_eq!((code, &*out), (Code::Nothing, ""));
    assert!(err.starts_with("raytree: FILE cannot be written: "), "{err}");
}
