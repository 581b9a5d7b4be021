//! The JSON of the dashboard: `/api/v1/..`, versioned. Records are those of `raytree_types::inspect`, as `raytree .. --json`
//! prints them; a duration is `{"secs": 1, "nanos": 500000000}`, a time the duration since 1970.

mod actors;
mod error;
mod logs;
mod query;
mod state;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use raytree_supervise::clock;
use raytree_types::inspect::{Answer, ClusterStatus, Reply, Request, Selection};
use serde::Serialize;

pub(crate) use error::ApiError;
use query::{EventsAsked, Nothing, Params, TreeAsked, Which};

use crate::live;
use crate::router::Desk;

/// The version of the envelope and of the addresses; that of the records is in them, or is
/// [`INSPECT_VERSION`](raytree_types::inspect::INSPECT_VERSION).
pub(crate) const API_VERSION: u32 = 1;

/// All that can be asked, in the order in which it is listed.
const ENDPOINTS: [(&str, &str); 14] = [
    ("cluster", "the cluster as a whole: its nodes, jobs and detached actors"),
    ("nodes", "its nodes"),
    ("jobs", "its jobs"),
    ("tree", "who supervises whom: path, depth, failed, whole"),
    ("owners", "who spawned whom: path, depth"),
    ("actors", "actors as a list: name, class, state, host, system, sort, limit, offset"),
    ("actor", "all there is to say of one actor: which"),
    ("why", "why an actor is as it is: which"),
    ("tasks", "tasks, and calls without an answer: where, limit, summary"),
    ("objects", "objects to come, in a store, or held by several processes: where, limit, summary"),
    ("events", "what failed and what supervisors decided: since, kind, path, limit"),
    ("logs", "what a process has written: which, tail, output"),
    ("timeline", "what ran when: since, limit, format (chrome is a file for Perfetto)"),
    ("waits", "who waits for whom, deadlocks first"),
];

/// What is at and below `/api/v1`.
pub(crate) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/api/v1", get(index))
        .route("/api/v1/", get(index))
        .nest("/api/v1", below())
}

fn below() -> Router<Arc<Desk>> {
    Router::new()
        .route("/cluster", get(cluster))
        .route("/nodes", get(nodes))
        .route("/jobs", get(jobs))
        .route("/tree", get(tree))
        .route("/owners", get(owners))
        .route("/actors", get(actors::list))
        .route("/actor", get(actor))
        .route("/why", get(why))
        .route("/events", get(events))
        .route("/logs", get(logs::logs))
        .route("/tasks", get(state::tasks))
        .route("/objects", get(state::objects))
        .route("/timeline", get(state::timeline))
        .route("/waits", get(waits))
        .route("/stream", get(live::stream))
        .fallback(async || ApiError::NoSuchAddress)
}

/// An answer in its envelope.
pub(crate) fn said(data: &impl Serialize) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Envelope<'a, T> {
        version: u32,
        captured_at: std::time::Duration,
        data: &'a T,
    }
    let envelope = Envelope { version: API_VERSION, captured_at: clock::unix_time(), data };
    json(StatusCode::OK, &envelope)
}

pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Result<Response, ApiError> {
    let body = serde_json::to_vec(body).map_err(|error| ApiError::Failed(error.to_string()))?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

async fn index(_: Params<Nothing>) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Endpoint {
        path: String,
        tells: &'static str,
    }
    let own = |(name, tells): &(&str, &'static str)| Endpoint {
        path: format!("/api/v{API_VERSION}/{name}"),
        tells,
    };
    said(&ENDPOINTS.iter().map(own).collect::<Vec<_>>())
}

async fn status(desk: &Desk) -> Result<ClusterStatus, ApiError> {
    desk.asker.aside(|source| Ok(source.status())).await
}

async fn cluster(State(desk): State<Arc<Desk>>, _: Params<Nothing>) -> Result<Response, ApiError> {
    said(&status(&desk).await?)
}

async fn nodes(State(desk): State<Arc<Desk>>, _: Params<Nothing>) -> Result<Response, ApiError> {
    said(&status(&desk).await?.nodes)
}

async fn jobs(State(desk): State<Arc<Desk>>, _: Params<Nothing>) -> Result<Response, ApiError> {
    said(&status(&desk).await?.jobs)
}

async fn tree(
    State(desk): State<Arc<Desk>>,
    asked: Params<TreeAsked>,
) -> Result<Response, ApiError> {
    look(&desk, asked.0.selection(false)).await
}

async fn owners(
    State(desk): State<Arc<Desk>>,
    asked: Params<TreeAsked>,
) -> Result<Response, ApiError> {
    look(&desk, asked.0.selection(true)).await
}

async fn look(desk: &Desk, selection: Selection) -> Result<Response, ApiError> {
    ask(desk, Request::Tree(selection)).await
}

async fn actor(State(desk): State<Arc<Desk>>, asked: Params<Which>) -> Result<Response, ApiError> {
    ask(&desk, Request::Actor { which: asked.0.which }).await
}

async fn why(State(desk): State<Arc<Desk>>, asked: Params<Which>) -> Result<Response, ApiError> {
    ask(&desk, Request::Why { which: asked.0.which }).await
}

async fn events(
    State(desk): State<Arc<Desk>>,
    asked: Params<EventsAsked>,
) -> Result<Response, ApiError> {
    ask(&desk, Request::Events(asked.0.query()?)).await
}

async fn waits(State(desk): State<Arc<Desk>>, _: Params<Nothing>) -> Result<Response, ApiError> {
    ask(&desk, Request::Waits).await
}

/// What the inspector says.
async fn ask(desk: &Desk, request: Request) -> Result<Response, ApiError> {
    let Reply { answer, .. } = desk.asker.ask(request).await?;
    match answer {
        Answer::Tree(rows) => said(&rows),
        Answer::Actor(detail) => said(&detail),
        Answer::Why(story) => said(&story),
        Answer::Events(events) => said(&events),
        Answer::Waits(waits) => said(&waits),
        _ => Err(ApiError::no_sense()),
    }
}
