//! What there is and what has run: tasks, objects and the timeline.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use raytree_inspector::chrome;
use raytree_types::inspect::{Answer, Request};
use raytree_types::limits;
use raytree_types::state::{Rows, StateQuery, Trace, TraceQuery, What};
use serde::Deserialize;

use super::query::Params;
use super::{ApiError, said};
use crate::router::Desk;

/// Which records.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListAsked {
    /// Conditions with commas between them, each as `column=value` or `column!=value`.
    r#where: Option<String>,
    limit: Option<usize>,
    /// Counts by name and state, instead of rows.
    #[serde(default)]
    summary: bool,
    whole: Option<bool>,
}

impl ListAsked {
    fn query(self, what: What) -> Result<StateQuery, ApiError> {
        let written = self.r#where.unwrap_or_default();
        let conditions = written.split(',').filter(|one| !one.trim().is_empty());
        let bad = |bad: raytree_types::state::BadQuery| ApiError::BadRequest(bad.to_string());
        let filters = conditions.map(str::parse).collect::<Result<_, _>>().map_err(bad)?;
        let query = StateQuery {
            filters,
            limit: self.limit.unwrap_or(limits::STATE_ROWS),
            sort: None,
            summary: self.summary,
            whole: self.whole.unwrap_or(true),
            what,
        };
        query.check().map_err(bad)?;
        Ok(query)
    }
}

/// `/api/v1/tasks`
pub(super) async fn tasks(
    State(desk): State<Arc<Desk>>,
    asked: Params<ListAsked>,
) -> Result<Response, ApiError> {
    list(&desk, asked.0.query(What::Tasks)?).await
}

/// `/api/v1/objects`
pub(super) async fn objects(
    State(desk): State<Arc<Desk>>,
    asked: Params<ListAsked>,
) -> Result<Response, ApiError> {
    list(&desk, asked.0.query(What::Objects)?).await
}

async fn list(desk: &Desk, query: StateQuery) -> Result<Response, ApiError> {
    match desk.asker.ask(Request::State(query)).await?.answer {
        Answer::State(Rows::Tasks(list)) => said(&list),
        Answer::State(Rows::Objects(list)) => said(&list),
        _ => Err(ApiError::no_sense()),
    }
}

/// Which part of the timeline, and how it is told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimelineAsked {
    /// Seconds since 1970.
    since: Option<f64>,
    limit: Option<usize>,
    #[serde(default)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// Records in the usual envelope.
    #[default]
    Records,
    /// Trace events, as a file for Perfetto.
    Chrome,
}

/// `/api/v1/timeline`
pub(super) async fn timeline(
    State(desk): State<Arc<Desk>>,
    asked: Params<TimelineAsked>,
) -> Result<Response, ApiError> {
    let asked = asked.0;
    let since = asked.since.map(Duration::try_from_secs_f64).transpose();
    let since =
        since.map_err(|_| ApiError::BadRequest("since is seconds since 1970".to_owned()))?;
    let (limit, max) = (asked.limit.unwrap_or(limits::TIMELINE_SPANS), limits::TIMELINE_SPANS_MAX);
    if limit == 0 || limit > max {
        return Err(ApiError::BadRequest(format!("limit is 1 to {max}")));
    }
    let answer = desk.asker.ask(Request::Timeline(TraceQuery { since, limit })).await?.answer;
    let Answer::Timeline(trace) = answer else { return Err(ApiError::no_sense()) };
    match asked.format {
        Format::Records => said(&trace),
        Format::Chrome => file(trace).await,
    }
}

async fn file(trace: Trace) -> Result<Response, ApiError> {
    let written = tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        chrome::write(&trace, &mut text)?;
        Ok::<_, io::Error>(text)
    });
    let failed = |why: String| ApiError::Failed(why);
    let text = written.await.map_err(|panic| failed(panic.to_string()))?;
    let text = text.map_err(|error| failed(error.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"raytree-timeline.json\""),
    ];
    Ok((StatusCode::OK, headers, text).into_response())
}
