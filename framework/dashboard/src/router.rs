//! The addresses of the dashboard, and what every request has to pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use parking_lot::Mutex;
use raytree_supervise::clock;
use raytree_types::limits;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::access::Access;
use crate::api::{self, ApiError};
use crate::ask::Asker;
use crate::guard::{self, From};
use crate::live::Live;
use crate::login::{self, shown};
use crate::metrics::TARGET_LABELS;
use crate::{Source, page};

/// What the lives of a dashboard share: a restarted server goes on where the last one was.
pub(crate) struct Desk {
    pub(crate) asker: Asker,
    pub(crate) access: Mutex<Access>,
    pub(crate) live: Live,
    pub(crate) viewers: Arc<Semaphore>,
    /// The name of the cookie: another one for each port, since browsers do not tell the ports of a host apart.
    pub(crate) cookie: String,
}

/// How one enters.
#[derive(Debug)]
pub struct Entry {
    /// Who may.
    pub access: Access,
    /// The port on which it listens.
    pub port: u16,
}

/// The routes of a dashboard that shows this.
pub fn dashboard(source: Arc<dyn Source>, entry: Entry) -> Router {
    let desk = Arc::new(Desk {
        asker: Asker::new(source),
        access: Mutex::new(entry.access),
        live: Live::default(),
        viewers: Arc::new(Semaphore::new(limits::DASHBOARD_VIEWERS_MAX)),
        cookie: format!("raytree_{}", entry.port),
    });
    let known = from_fn_with_state(Arc::clone(&desk), is_known);
    let asked = api::routes().route("/api/prometheus/targets", get(targets)).route_layer(known);
    Router::new()
        .merge(asked)
        .route("/", get(page::index))
        .route("/assets/{name}", get(page::asset))
        .route("/login", get(login::login))
        .route("/logout", post(login::logout))
        .route("/api/healthz", get(healthz))
        .fallback(async || ApiError::NoSuchAddress)
        .with_state(desk)
        .layer(from_fn(is_ours))
}

/// Every request: from one of our own pages or a program, and small. Every answer: not to be used by pages from elsewhere.
async fn is_ours(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let from = From {
        host: authority.or_else(|| text("host")),
        origin: text("origin"),
        site: text("sec-fetch-site"),
        mode: text("sec-fetch-mode"),
    };
    let length = text("content-length").and_then(|length| length.parse::<u64>().ok());
    let is_large = length.is_some_and(|length| length > limits::HTTP_BODY_BYTES_MAX)
        || headers.contains_key(header::TRANSFER_ENCODING);
    let mut response = match guard::check(from) {
        Err(foreign) => ApiError::from(foreign).into_response(),
        Ok(()) if is_large => ApiError::TooLarge.into_response(),
        Ok(()) => next.run(request).await,
    };
    let own = response.headers_mut();
    for (name, value) in SAFE {
        own.insert(name, HeaderValue::from_static(value));
    }
    own.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// What keeps a browser from taking an answer for something else, and others from using it.
const SAFE: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// Lets through who shows the token or a session.
async fn is_known(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    if desk.admits(request.headers()) {
        next.run(request).await
    } else {
        ApiError::Unknown.into_response()
    }
}

impl Desk {
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        self.access.lock().admits(shown(headers, &self.cookie), clock::now())
    }
}

/// `/api/prometheus/targets`: all whose numbers can be read, as HTTP service discovery wants them.
async fn targets(State(desk): State<Arc<Desk>>) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Target {
        targets: [String; 1],
        labels: BTreeMap<&'static str, String>,
    }
    let status = desk.asker.aside(|source| Ok(source.status())).await?;
    let head = status.metrics.map(|at| (at, "head".to_owned()));
    let nodes = status.nodes.into_iter().filter_map(|node| Some((node.metrics?, node.name)));
    let cluster = &status.address;
    let target = |(at, name): (String, String)| {
        let labels = TARGET_LABELS.into_iter().zip([cluster.clone(), name]).collect();
        Target { targets: [at], labels }
    };
    api::json(StatusCode::OK, &head.into_iter().chain(nodes).map(target).collect::<Vec<_>>())
}

/// `/api/healthz`: for probes, which know no token.
async fn healthz(State(desk): State<Arc<Desk>>) -> Result<&'static str, ApiError> {
    desk.asker.aside(|source| source.health().map_err(ApiError::Unwell)).await?;
    Ok("ok\n")
}
