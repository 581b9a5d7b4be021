//! What processes have written.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use raytree_types::inspect::{Answer, LogQuery, Request};
use raytree_types::limits;
use raytree_types::logs::Output;
use serde::Deserialize;

use super::query::{Params, limit};
use super::{ApiError, said};
use crate::router::Desk;

/// Whose lines.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogsAsked {
    which: String,
    tail: Option<usize>,
    output: Option<Output>,
}

/// `/api/v1/logs`
pub(super) async fn logs(
    State(desk): State<Arc<Desk>>,
    asked: Params<LogsAsked>,
) -> Result<Response, ApiError> {
    let LogsAsked { which, tail, output } = asked.0;
    let tail = limit(Some(tail.unwrap_or(limits::LOG_TAIL_LINES)))?;
    let query = LogQuery { which, tail, output, since: None };
    match desk.asker.ask(Request::Logs(query)).await?.answer {
        Answer::Logs(text) => said(&text),
        _ => Err(ApiError::no_sense()),
    }
}
