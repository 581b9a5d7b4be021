//! Who is asked: this process, or the head of its cluster. Blocks, on a thread that may.

use std::sync::{Arc, Weak};

use raytree_inspector::client::{AskError, Client};
use raytree_inspector::{Inspected, ask_here};
use raytree_supervise::clock;
use raytree_types::inspect::{
    Answer, ClusterStatus, NodePhase, NodeStatus, Refused, Request, Story,
};
use raytree_types::state::{BadQuery, Rows, StateQuery, Trace, TraceQuery};
use raytree_types::{Error, Result, limits};

use crate::runtime::Shared;

/// Asks on a thread of its own, so that nobody's work is held up.
pub(super) async fn apart<T: Send + 'static>(
    runtime: &Arc<Shared>,
    ask: impl FnOnce(&Arc<Shared>) -> Result<T> + Send + 'static,
) -> Result<T> {
    let asked = Arc::clone(runtime);
    let answer = runtime.system.spawn_blocking(move || ask(&asked)).await;
    answer.unwrap_or_else(|_| Err(runtime.gone()))
}

pub(super) fn rows(runtime: &Arc<Shared>, query: StateQuery) -> Result<Rows> {
    // Before anybody far away is asked.
    query.check().map_err(bad)?;
    match ask(runtime, Request::State(query))? {
        Answer::State(rows) => Ok(rows),
        _ => Err(cannot("the answer makes no sense")),
    }
}

pub(super) fn timeline(runtime: &Arc<Shared>, query: &TraceQuery) -> Result<Trace> {
    match ask(runtime, Request::Timeline(query.clone()))? {
        Answer::Timeline(trace) => Ok(trace),
        _ => Err(cannot("the answer makes no sense")),
    }
}

pub(crate) fn why(runtime: &Arc<Shared>, which: String) -> Result<Story> {
    let request = Request::Why { which: which.clone() };
    // Other programs of a cluster count their tasks and actors alike: what this one knows is its own.
    let inspected = Arc::downgrade(runtime) as Weak<dyn Inspected>;
    if runtime.driver.get().is_some()
        && let Ok(Answer::Why(story)) =
            ask_here(&inspected, request.clone(), limits::INSPECT_ANSWER_WITHIN)
    {
        return Ok(story);
    }
    match asked(runtime, request)? {
        Ok(Answer::Why(story)) => Ok(story),
        Err(Refused::NoSuchPath { near, .. }) => {
            let kind = if is_task_id(&which) { "task" } else { "actor" }.to_owned();
            Err(Error::UnknownName { kind, which, near })
        }
        Err(other) => Err(refusal(other)),
        Ok(_) => Err(cannot("the answer makes no sense")),
    }
}

/// It reads as the id of a task does: `task-1-2a`.
fn is_task_id(which: &str) -> bool {
    let numbers = which.strip_prefix("task-").and_then(|rest| rest.split_once('-'));
    let is_number = |text: &str, radix| u64::from_str_radix(text, radix).is_ok();
    numbers.is_some_and(|(runtime, number)| is_number(runtime, 10) && is_number(number, 16))
}

pub(super) fn status(runtime: &Arc<Shared>) -> Result<ClusterStatus> {
    match runtime.driver.get() {
        Some(driver) => driver.status().map_err(|why| cannot(&format!("its head: {why}"))),
        None => Ok(own_status(runtime)),
    }
}

/// Asks whoever knows most: the head of the cluster, or this process for all below it.
///
/// # Errors
/// [`Error::CannotLook`], [`Error::BadOption`].
pub(crate) fn ask(runtime: &Arc<Shared>, request: Request) -> Result<Answer> {
    asked(runtime, request)?.map_err(refusal)
}

/// The same, with the refusal as it is.
fn asked(runtime: &Arc<Shared>, request: Request) -> Result<std::result::Result<Answer, Refused>> {
    let within = limits::INSPECT_ANSWER_WITHIN;
    if let Some(driver) = runtime.driver.get() {
        let line = driver.looks().map_err(|why| cannot(&format!("its head: {why}")))?;
        return match Client::new(Box::new(line)).ask(request, within) {
            Ok(reply) => Ok(Ok(reply.answer)),
            Err(AskError::Refused(refused)) => Ok(Err(refused)),
            Err(error) => Err(cannot(&format!("its head: {error}"))),
        };
    }
    let inspected = Arc::downgrade(runtime) as Weak<dyn Inspected>;
    Ok(ask_here(&inspected, request, within))
}

fn refusal(refused: Refused) -> Error {
    match refused {
        Refused::BadQuery(query) => bad(query),
        other => cannot(&other.to_string()),
    }
}

fn bad(query: BadQuery) -> Error {
    let (option, value) = match &query {
        BadQuery::Column { column, .. } => ("the column", column.clone()),
        BadQuery::Limit { limit, .. } => ("the limit", limit.to_string()),
        _ => ("the condition", query.to_string()),
    };
    Error::BadOption { option: option.to_owned(), value, reason: query.to_string() }
}

pub(super) fn cannot(why: &str) -> Error {
    Error::CannotLook { why: why.to_owned() }
}

/// A program without a cluster, as a cluster of its own.
fn own_status(runtime: &Shared) -> ClusterStatus {
    let pid = std::process::id();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let own = NodeStatus {
        name: "local".to_owned(),
        life: 1,
        phase: NodePhase::Up,
        address: format!("pid {pid}"),
        total: runtime.ledger.total(),
        free: runtime.ledger.free(),
        version: version.clone(),
        metrics: None,
    };
    let peers = runtime.peers.seen();
    let pool = runtime.addrs.node_pool.probe();
    let nodes = peers.iter().map(|peer| NodeStatus {
        name: peer.name.clone(),
        life: pool.find(&peer.name).map_or(0, |mirror| u64::from(mirror.restarts())) + 1,
        phase: if peer.is_up() { NodePhase::Up } else { NodePhase::Starting },
        address: format!("a process of pid {pid}"),
        total: peer.total.clone(),
        free: peer.free(),
        version: version.clone(),
        metrics: None,
    });
    // With nodes of its own the program itself runs no tasks.
    let mut all: Vec<NodeStatus> = nodes.collect();
    if all.is_empty() {
        all.push(own);
    }
    ClusterStatus {
        version: ClusterStatus::VERSION,
        pid,
        address: "local".to_owned(),
        uptime: clock::now(),
        nodes: all,
        jobs: Vec::new(),
        detached: Vec::new(),
        detached_count: 0,
        dashboard: None,
        metrics: None,
    }
}
