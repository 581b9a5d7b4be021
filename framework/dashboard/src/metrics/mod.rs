//! Numbers for Prometheus: read when they are scraped, and at no other time.
//!
//! Each node says what there is of its own process and its workers, the head of itself, of the programs that use the cluster, and of
//! the cluster as a whole; so nothing is said twice. `/metrics` is in the format of OpenMetrics for who accepts that, as Prometheus does,
//! and in Prometheus's own text format for everybody else.

mod collect;
mod page;
mod table;
mod tally;
mod text;

use std::fmt;
use std::sync::{Arc, Weak};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text as open_metrics};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use raytree_inspector::Inspected;
use raytree_inspector::client::AskError;
use raytree_types::inspect::{Answer, ClusterStatus, EventQuery, Request, Selection, TreeRow};
use raytree_types::limits;
use raytree_types::state::{Count, Rows, StateQuery, What};
use tokio::sync::Semaphore;

use crate::api::ApiError;
use crate::ask::Local;
use collect::{Sample, Samples};
use table::Kind;
use tally::Tally;

pub use page::page;

/// Labels that the list of targets adds to everything that is scraped: which cluster, and which of its machines.
pub(crate) const TARGET_LABELS: [&str; 2] = ["raytree_cluster", "raytree_node"];

/// Of whom numbers are told.
pub trait Measured: Send + Sync + 'static {
    /// Its tree; none before that is up.
    fn inspected(&self) -> Option<Weak<dyn Inspected>>;

    /// How its cluster is, where it is the head of one: then what its nodes say themselves is left out.
    fn cluster(&self) -> Option<ClusterStatus>;

    /// How much of its machine's memory is in use, and how much there is, in bytes; none where nobody says.
    fn memory(&self) -> Option<(u64, u64)> {
        None
    }
}

struct Desk {
    measured: Arc<dyn Measured>,
    tally: Mutex<Tally>,
    /// Scrapes at once: one is under way, one waits.
    places: Arc<Semaphore>,
}

/// `/metrics` of this process.
pub fn metrics(measured: Arc<dyn Measured>) -> Router {
    let places = Arc::new(Semaphore::new(limits::METRICS_SCRAPES_MAX));
    let desk = Arc::new(Desk { measured, tally: Mutex::default(), places });
    Router::new()
        .route("/metrics", get(scrape))
        .fallback(async || ApiError::NoSuchAddress)
        .with_state(desk)
}

async fn scrape(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let mut accepted = headers.get_all(header::ACCEPT).into_iter().flat_map(|own| own.to_str());
    let is_open = accepted.any(text::reads_open_metrics);
    let place = Arc::clone(&desk.places).try_acquire_owned().map_err(|_| ApiError::Busy)?;
    let told = tokio::task::spawn_blocking(move || {
        let _place = place;
        desk.tell(is_open)
    });
    let told = told.await.map_err(|panic| ApiError::Failed(panic.to_string()))??;
    let kind = match is_open {
        true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        false => "text/plain; version=0.0.4; charset=utf-8",
    };
    let kind = [(header::CONTENT_TYPE, kind), (header::VARY, "accept")];
    Ok((kind, [(header::CACHE_CONTROL, "no-store")], told).into_response())
}

impl Desk {
    fn tell(&self, is_open: bool) -> Result<String, ApiError> {
        let inspected = self.measured.inspected().ok_or(ApiError::Ends)?;
        let mut client = Local::client(inspected);
        let mut ask = |request| client.ask(request, limits::DASHBOARD_ANSWER_WITHIN);
        let cluster = self.measured.cluster();
        let mut rows = Vec::new();
        let own = Selection { whole: cluster.is_none(), ..Selection::default() };
        rows.extend(tree(ask(Request::Tree(own))?.answer));
        if cluster.is_some() {
            // Nodes speak for themselves; nobody else speaks for programs.
            let path = Some("drivers".to_owned());
            let below = Selection { whole: true, path, ..Selection::default() };
            rows.extend(match ask(Request::Tree(below)) {
                Ok(reply) => programs(tree(reply.answer)),
                Err(AskError::Refused(_)) => Vec::new(),
                Err(error) => return Err(error.into()),
            });
        }
        let query =
            EventQuery { whole: cluster.is_none(), limit: Some(0), ..EventQuery::default() };
        let dropped = match ask(Request::Events(query))?.answer {
            Answer::Events(events) => events.dropped,
            _ => 0,
        };
        let mut samples = Samples::default();
        samples.own(dropped);
        if let Some(memory) = self.measured.memory() {
            samples.memory(memory);
        }
        samples.trees(&rows, &mut self.tally.lock());
        if let Some(status) = &cluster {
            samples.cluster(status);
            let mut counts = |what| {
                let query = StateQuery { summary: true, ..StateQuery::all(what) };
                ask(Request::State(query)).map(|reply| counted(reply.answer))
            };
            samples.lists(&counts(What::Tasks)?, &counts(What::Objects)?);
        }
        match is_open {
            true => write(samples.of()).map_err(|error| ApiError::Failed(error.to_string())),
            false => Ok(text::plain(&samples.of())),
        }
    }
}

fn counted(answer: Answer) -> Vec<Count> {
    match answer {
        Answer::State(Rows::Tasks(list)) => list.counts,
        Answer::State(Rows::Objects(list)) => list.counts,
        _ => Vec::new(),
    }
}

fn tree(answer: Answer) -> Vec<TreeRow> {
    if let Answer::Tree(rows) = answer { rows.rows } else { Vec::new() }
}

/// What is below the drivers' mirrors, from the first row of each process on: the rest is the head's own and was said.
fn programs(rows: Vec<TreeRow>) -> Vec<TreeRow> {
    let mut within = None;
    let mut kept = Vec::new();
    for row in rows {
        if within.is_some_and(|depth| row.depth <= depth) {
            within = None;
        }
        if within.is_none() && row.process.is_some() {
            within = Some(row.depth);
        }
        if within.is_some() {
            kept.push(row);
        }
    }
    kept
}

/// The text that is scraped, in the format of OpenMetrics.
fn write(samples: Vec<Sample>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("raytree");
    registry.register_collector(Box::new(Collected(samples)));
    let mut out = String::new();
    open_metrics::encode(&mut out, &registry)?;
    Ok(out)
}

struct Collected(Vec<Sample>);

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected").field("samples", &self.0.len()).finish()
    }
}

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (metric, _) in table::TABLE {
            let mut own =
                self.0.iter().filter(|sample| std::ptr::eq(sample.metric, metric)).peekable();
            if own.peek().is_none() {
                continue;
            }
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            let mut family = encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
            for sample in own {
                let labels: Vec<(&str, &str)> = metric
                    .labels
                    .iter()
                    .copied()
                    .zip(sample.labels.iter().map(String::as_str))
                    .collect();
                let mut one = family.encode_family(&labels)?;
                match metric.kind {
                    Kind::Counter => {
                        one.encode_counter::<NoLabelSet, f64, f64>(&sample.value, None)?
                    }
                    Kind::Gauge => one.encode_gauge(&sample.value)?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
