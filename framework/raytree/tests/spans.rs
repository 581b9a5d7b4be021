//! With a subscriber, tasks and calls are spans. A process has one subscriber for good, so this is a process of its own.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use raytree::Result;
use raytree::prelude::*;
use raytree::trace::{self, TraceContext};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type Seen = Option<TraceContext>;

#[remote]
fn context() -> Seen {
    trace::current()
}

struct Witness;

#[remote]
impl Witness {
    fn new() -> Self {
        Self
    }

    pub(crate) async fn nested(&mut self) -> Result<Vec<Seen>> {
        Ok(vec![trace::current(), context::remote().await?])
    }
}

/// Every span of a task or a call: its kind, and its fields.
struct Spans(Mutex<Vec<(&'static str, BTreeMap<&'static str, String>)>>);

static SPANS: Spans = Spans(Mutex::new(Vec::new()));

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for &'static Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "raytree::trace"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = BTreeMap::new();
        span.record(&mut Fields(&mut fields));
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.push((span.metadata().name(), fields));
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn event(&self, _event: &Event<'_>) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

#[test]
fn tc_1_with_a_subscriber_each_task_and_each_call_is_a_span_below_that_of_its_caller() {
    tracing::subscriber::set_global_default(&SPANS).expect("the only one of this process");
    let runtime = raytree::init().cpus(4.0).threads(2).inspector(false).start().expect("a runtime");
    let seen = runtime.block_on(async { Witness::remote().nested().await });
    let seen = seen.expect("it lives");
    runtime.shutdown();
    let spans = SPANS.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let of = |context: Seen| {
        let id = format!("{:016x}", context.expect("a context").span_id());
        let found = spans.iter().find(|(_, fields)| fields["span_id"] == id);
        found.unwrap_or_else(|| panic!("no span {id} in {spans:?}"))
    };
    let ((kind, call), (below, task)) = (of(seen[0]), of(seen[1]));
    assert_eq!(
        (*kind, &*call["name"], *below, &*task["name"]),
        ("call", "Witness::nested", "task", "context")
    );
    assert!(
        call["actor"].starts_with("Witness") && call["actor_id"].starts_with("actor-"),
        "{call:?}"
    );
    assert!(task["task"].starts_with("task-"), "{task:?}");
    assert_eq!((&task["parent_id"], &task["trace_id"]), (&call["span_id"], &call["trace_id"]));
}
