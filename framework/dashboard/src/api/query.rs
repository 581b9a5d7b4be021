//! What a request may say behind its `?`: read strictly, so that a mistake is not taken for no wish.

use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use raytree_types::inspect::{EventKind, EventQuery, Selection};
use raytree_types::limits;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::ApiError;

/// The parameters of a request.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|Query(read)| Self(read)).map_err(|bad| ApiError::BadRequest(bad.body_text()))
    }
}

/// None.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Which actor.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    pub(crate) which: String,
}

/// Which part of a tree.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TreeAsked {
    path: Option<String>,
    depth: Option<u32>,
    #[serde(default)]
    failed: bool,
    whole: Option<bool>,
}

impl TreeAsked {
    pub(crate) fn selection(self, owners: bool) -> Selection {
        Selection {
            owners,
            whole: self.whole.unwrap_or(true),
            path: self.path,
            depth: self.depth,
            failed: self.failed,
            since: None,
        }
    }
}

/// Which entries of the log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsAsked {
    /// Seconds since 1970.
    since: Option<f64>,
    kind: Option<String>,
    path: Option<String>,
    limit: Option<usize>,
    whole: Option<bool>,
}

impl EventsAsked {
    pub(crate) fn query(self) -> Result<EventQuery, ApiError> {
        let bad = |what: &str| ApiError::BadRequest(what.to_owned());
        let since = self.since.map(Duration::try_from_secs_f64).transpose();
        let kind = self.kind.map(|kind| EventKind::named(&kind).ok_or(kind)).transpose();
        let kind = kind.map_err(|kind| bad(&format!("there is no kind of event {kind:?}")))?;
        Ok(EventQuery {
            whole: self.whole.unwrap_or(true),
            since: since.map_err(|_| bad("since is seconds since 1970"))?,
            kind,
            path: self.path,
            limit: Some(limit(self.limit)?),
        })
    }
}

/// How many rows.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, ApiError> {
    let most = limits::API_ROWS_MAX;
    match asked.unwrap_or(limits::API_ROWS_DEFAULT) {
        limit if limit > most => {
            Err(ApiError::BadRequest(format!("limit is at most {most}, use offset for more")))
        }
        limit => Ok(limit),
    }
}
