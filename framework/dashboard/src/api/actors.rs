//! Actors as a list: the tree without its shape.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use raytree_types::inspect::{Answer, Request, Selection, TreeRow};
use serde::{Deserialize, Serialize};

use super::query::{self, Params};
use super::{ApiError, said};
use crate::router::Desk;

/// Which actors, and in what order.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ActorsAsked {
    /// Part of its path.
    name: Option<String>,
    /// Part of its type.
    class: Option<String>,
    /// Its state, in full.
    state: Option<String>,
    /// Part of what its process is called.
    host: Option<String>,
    /// Also those of the system.
    system: bool,
    sort: Sort,
    limit: Option<usize>,
    offset: usize,
}

/// By what actors are sorted; numbers from the largest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sort {
    #[default]
    Tree,
    Name,
    Queued,
    Handled,
    Busy,
    Restarts,
}

/// An actor, with all that its place in the tree would have said of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct ActorRow {
    /// From the root down to it.
    path: String,
    /// What its process is to the cluster.
    process: Option<String>,
    pid: Option<u32>,
    /// The process did not answer: this was so, so long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<std::time::Duration>,
    #[serde(flatten)]
    row: TreeRow,
}

/// Some of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Actors {
    /// How many fit.
    total: usize,
    actors: Vec<ActorRow>,
    /// Rows of the tree that did not fit into the answer of the inspector, and were not looked at.
    more: u64,
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    asked: Params<ActorsAsked>,
) -> Result<Response, ApiError> {
    query::limit(asked.0.limit)?;
    let selection = Selection { whole: true, ..Selection::default() };
    let reply = desk.asker.ask(Request::Tree(selection)).await?;
    let Answer::Tree(rows) = reply.answer else {
        return Err(ApiError::Failed("the answer makes no sense".to_owned()));
    };
    said(&pick(&rows.rows, rows.more, &asked.0)?)
}

/// Those of a tree that are asked for.
fn pick(rows: &[TreeRow], more: u64, asked: &ActorsAsked) -> Result<Actors, ApiError> {
    let limit = query::limit(asked.limit)?;
    let mut names: Vec<&str> = Vec::new();
    let mut processes: Vec<(u32, &TreeRow)> = Vec::new();
    let mut fits = Vec::new();
    for row in rows {
        names.truncate(row.depth as usize);
        names.push(&row.name);
        while processes.last().is_some_and(|(depth, _)| *depth >= row.depth) {
            processes.pop();
        }
        if row.process.is_some() {
            processes.push((row.depth, row));
        }
        if row.id.is_none() && !asked.system {
            continue;
        }
        let process = processes.last().and_then(|(_, row)| row.process.as_deref());
        let own = ActorRow {
            path: names.join("/"),
            process: process.map(|own| own.role.to_string()),
            pid: process.map(|own| own.pid),
            stale: process.and_then(|own| own.stale),
            row: row.clone(),
        };
        if asked.is_fit(&own) {
            fits.push(own);
        }
    }
    asked.sort.sort(&mut fits);
    let total = fits.len();
    let actors = fits.into_iter().skip(asked.offset).take(limit).collect();
    Ok(Actors { total, actors, more })
}

impl ActorsAsked {
    fn is_fit(&self, own: &ActorRow) -> bool {
        let part = |of: &str, asked: &Option<String>| {
            let has = |asked: &String| of.to_lowercase().contains(&asked.to_lowercase());
            asked.as_ref().is_none_or(has)
        };
        let process = own.process.as_deref().unwrap_or_default();
        let host = own.row.host.as_deref().unwrap_or_default();
        part(&own.path, &self.name)
            && part(&own.row.type_name, &self.class)
            && (part(process, &self.host) || part(host, &self.host))
            && self.state.as_ref().is_none_or(|state| own.row.state.to_string() == *state)
    }
}

impl Sort {
    fn sort(self, rows: &mut [ActorRow]) {
        match self {
            Self::Tree => {}
            Self::Name => rows.sort_by(|a, b| a.row.name.cmp(&b.row.name)),
            Self::Queued => rows.sort_by_key(|own| Reverse(own.row.queued)),
            Self::Handled => rows.sort_by_key(|own| Reverse(own.row.handled)),
            Self::Busy => rows.sort_by_key(|own| Reverse(own.row.busy)),
            Self::Restarts => rows.sort_by_key(|own| Reverse(own.row.restarts)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use raytree_types::inspect::{ActorState, ProcessRow, Role};
    use raytree_types::{ActorIds, RuntimeId};

    use super::*;

    fn process(role: Role, pid: u32) -> Option<Box<ProcessRow>> {
        Some(Box::new(ProcessRow {
            pid,
            role,
            program: "a".to_owned(),
            uptime: Duration::ZERO,
            cpu: Duration::ZERO,
            memory: 0,
            threads: 1,
            store: None,
            stale: None,
        }))
    }

    /// A head with a worker that has two actors, and one of the system beside them.
    fn tree() -> Vec<TreeRow> {
        let ids = ActorIds::new(RuntimeId::given(7));
        let part = Role::Part { name: "job-1 on node-1".to_owned() };
        vec![
            TreeRow { process: process(Role::Head, 1), ..TreeRow::named(0, "raytree") },
            TreeRow { process: process(part, 2), ..TreeRow::named(1, "job-1") },
            TreeRow {
                id: Some(ids.next()),
                type_name: "Counter".to_owned(),
                queued: 1,
                ..TreeRow::named(2, "scores")
            },
            TreeRow {
                id: Some(ids.next()),
                type_name: "Table".to_owned(),
                queued: 9,
                state: ActorState::Failed,
                ..TreeRow::named(2, "table")
            },
            TreeRow::named(1, "door"),
        ]
    }

    fn paths(asked: ActorsAsked) -> (usize, Vec<String>) {
        let all = pick(&tree(), 0, &asked).expect("a limit that is allowed");
        (all.total, all.actors.into_iter().map(|own| own.path).collect())
    }

    #[test]
    fn actors_are_picked_sorted_and_cut() {
        let of = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        let (scores, table) = ("raytree/job-1/scores", "raytree/job-1/table");
        let any = ActorsAsked::default;
        assert_eq!(paths(any()), (2, of(&[scores, table])));
        assert_eq!(paths(ActorsAsked { sort: Sort::Queued, ..any() }).1, of(&[table, scores]));
        assert_eq!(paths(ActorsAsked { limit: Some(1), offset: 1, ..any() }), (2, of(&[table])));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(paths(ActorsAsked { name: text("SCO"), ..any() }).1, of(&[scores]));
        assert_eq!(paths(ActorsAsked { class: text("tab"), ..any() }).1, of(&[table]));
        assert_eq!(paths(ActorsAsked { state: text("failed"), ..any() }).1, of(&[table]));
        assert_eq!(paths(ActorsAsked { state: text("fail"), ..any() }).0, 0, "a state in full");
        assert_eq!(paths(ActorsAsked { host: text("node-1"), ..any() }).0, 2);
        let system = ActorsAsked { system: true, host: text("head"), ..any() };
        assert_eq!(paths(system).1, of(&["raytree", "raytree/door"]));
        let many = ActorsAsked { limit: Some(10_001), ..any() };
        assert!(matches!(pick(&tree(), 0, &many), Err(ApiError::BadRequest(_))));
    }
}
