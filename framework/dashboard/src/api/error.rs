//! Why there is no answer.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use raytree_inspector::client::AskError;
use raytree_types::inspect::Refused;
use raytree_types::limits;
use serde::Serialize;
use serde_json::Value;

use super::API_VERSION;
use crate::access::NoEntry;
use crate::guard::Foreign;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// Neither token nor session.
    #[error(
        "show the token (`raytree dashboard --token`), or open a link that `raytree dashboard` prints"
    )]
    Unknown,
    /// A code that opens nothing.
    #[error(transparent)]
    NoEntry(#[from] NoEntry),
    /// A page from elsewhere.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// The request is no sensible one.
    #[error("{0}")]
    BadRequest(String),
    /// It brings more than anything that can be asked.
    #[error("a request has a body of at most {} bytes", limits::HTTP_BODY_BYTES_MAX)]
    TooLarge,
    /// There is no such thing to ask.
    #[error("nothing is at this address: `/api/v1/` lists what there is")]
    NoSuchAddress,
    /// The inspector refuses it.
    #[error(transparent)]
    Refused(Refused),
    /// The processes that have to be asked are silent.
    #[error("there was no answer within {:?}", limits::DASHBOARD_ANSWER_WITHIN)]
    Silent,
    /// Too many ask at once.
    #[error("too many ask at once: try again")]
    Busy,
    /// Too many watch.
    #[error(
        "{} pages are open already, which is the bound: close one",
        limits::DASHBOARD_VIEWERS_MAX
    )]
    TooManyViewers,
    /// The head starts or ends.
    #[error("the head starts, or ends")]
    Ends,
    /// It cannot do its work.
    #[error("{0}")]
    Unwell(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(refused) => Self::Refused(refused),
            AskError::Silent { .. } => Self::Silent,
            AskError::Gone | AskError::Shut | AskError::HungUp => Self::Ends,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl ApiError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Unknown | Self::NoEntry(_) => StatusCode::UNAUTHORIZED,
            Self::Foreign(Foreign::Host { .. } | Foreign::NoHost) => {
                StatusCode::MISDIRECTED_REQUEST
            }
            Self::Foreign(_) => StatusCode::FORBIDDEN,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoSuchAddress => StatusCode::NOT_FOUND,
            Self::Refused(refused) => match refused {
                Refused::NoSuchPath { .. } | Refused::NoLog { .. } => StatusCode::NOT_FOUND,
                Refused::Ambiguous { .. }
                | Refused::NoOwners { .. }
                | Refused::LivesElsewhere { .. } => StatusCode::CONFLICT,
                Refused::BadRequest { .. } | Refused::TooLong { .. } | Refused::BadQuery(_) => {
                    StatusCode::BAD_REQUEST
                }
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Silent => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy | Self::TooManyViewers | Self::Ends | Self::Unwell(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// An answer to another question.
    pub(super) fn no_sense() -> Self {
        Self::Failed("the answer makes no sense".to_owned())
    }

    /// A word that does not change.
    fn code(&self) -> String {
        let word = match self {
            Self::Unknown => "unknown",
            Self::NoEntry(_) => "no_entry",
            Self::Foreign(_) => "foreign",
            Self::BadRequest(_) => "bad_request",
            Self::TooLarge => "too_large",
            Self::NoSuchAddress => "no_such_address",
            Self::Silent => "silent",
            Self::Busy => "busy",
            Self::TooManyViewers => "too_many_viewers",
            Self::Ends => "ends",
            Self::Unwell(_) => "unwell",
            Self::Failed(_) => "failed",
            // The inspector's own word.
            Self::Refused(refused) => match serde_json::to_value(refused) {
                Ok(Value::Object(one)) => return one.keys().next().cloned().unwrap_or_default(),
                Ok(Value::String(word)) => return word,
                _ => "refused",
            },
        };
        word.to_owned()
    }
}

#[derive(Serialize)]
struct Envelope {
    version: u32,
    error: Said,
}

#[derive(Serialize)]
struct Said {
    code: String,
    message: String,
    /// What may be meant instead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    near: Vec<String>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let near = match &self {
            Self::Refused(Refused::NoSuchPath { near, .. }) => near.clone(),
            Self::Refused(Refused::Ambiguous { paths, .. }) => paths.clone(),
            _ => Vec::new(),
        };
        let said = Said { code: self.code(), message: self.to_string(), near };
        let body = serde_json::to_vec(&Envelope { version: API_VERSION, error: said });
        let json = [(header::CONTENT_TYPE, "application/json")];
        let mut response = (self.status(), json, body.unwrap_or_default()).into_response();
        if matches!(self, Self::Unknown) {
            let scheme = header::HeaderValue::from_static("Bearer realm=\"raytree\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
