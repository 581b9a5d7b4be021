//! Records that a process lists.

use std::time::Duration;

use raytree_types::state::{
    Listing, ObjectPlace, ObjectRecord, ObjectState, Rows, Span, SpanKind, StateQuery, TaskKind,
    TaskRecord, TaskState, What,
};
use raytree_types::{JobId, Resources, RuntimeId, TaskId};

fn id() -> TaskId {
    TaskId::new(RuntimeId::given(7), 3)
}

/// What there is.
pub(crate) fn lists(query: &StateQuery) -> Rows {
    match query.what {
        What::Tasks => {
            let states = [TaskState::Running, TaskState::Failed];
            Rows::Tasks(Listing::of(states.map(task).into_iter(), 2, query))
        }
        What::Objects => Rows::Objects(Listing::of([object()].into_iter(), 0, query)),
        What::Actors => Rows::none(What::Actors),
    }
}

fn task(state: TaskState) -> TaskRecord {
    let is_over = state.is_over();
    TaskRecord {
        id: Some(id()),
        kind: TaskKind::Task,
        name: "load".to_owned(),
        state,
        attempt: 1,
        parent: None,
        actor: None,
        job: Some(JobId(1)),
        pid: 9,
        host: Some("job-1 on node-1".to_owned()),
        submitted: Some(Duration::from_secs(100)),
        began: Some(Duration::from_secs(101)),
        ended: is_over.then_some(Duration::from_secs(103)),
        wants: Resources::cpus(1.0),
        error: is_over.then(|| "panicked: no such file".to_owned()),
    }
}

fn object() -> ObjectRecord {
    let held_by = vec!["job-1 on node-1".to_owned()];
    ObjectRecord {
        holders: 1,
        held_by,
        waiters: 2,
        owner: "train".to_owned(),
        size: Some(1 << 20),
        place: Some(ObjectPlace::Disk),
        store: Some("node-1".to_owned()),
        references: 3,
        pins: 0,
        used_by: 1,
        since: Some(Duration::from_secs(102)),
        call_site: Some("src/main.rs:42".to_owned()),
        ..ObjectRecord::new("load", ObjectState::Ready, 9)
    }
}

/// What ran.
pub(crate) fn span() -> Span {
    Span {
        kind: SpanKind::Task,
        name: "load".to_owned(),
        line: String::new(),
        began: Duration::from_secs(101),
        took: Duration::from_secs(2),
        task: Some(id()),
        attempt: 1,
        actor: None,
        outcome: Some(TaskState::Failed),
        bytes: None,
        from: None,
    }
}
