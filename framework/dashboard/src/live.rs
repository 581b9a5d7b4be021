//! The tree as it changes, as server-sent events: whole once, then what has changed each second.
//!
//! All viewers share one look; without viewers nobody looks. A viewer that reads slowly is told less often, since the next
//! change is told from what it was told last, and one that stops reading is cut off by its connection.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Bytes;
use parking_lot::Mutex;
use raytree_inspector::client::Client;
use raytree_supervise::clock;
use raytree_types::inspect::{ClusterStatus, Selection, TreeRows};
use raytree_types::limits;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::Source;
use crate::api::ApiError;
use crate::ask::Local;
use crate::router::Desk;

/// One look at everything.
struct Moment {
    at: Duration,
    rows: TreeRows,
    status: ClusterStatus,
    /// On the clock that does not go back.
    seen: Duration,
}

/// The looks that viewers share.
#[derive(Default)]
pub(crate) struct Live {
    /// One viewer at a time looks; the others wait for it without holding a thread.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<(Option<Client>, Option<Arc<Moment>>)>,
}

impl Live {
    /// The last look, or a new one when that is too old. Blocks.
    fn look(&self, source: &dyn Source) -> Result<Arc<Moment>, ApiError> {
        let mut state = self.state.lock();
        let (client, last) = &mut *state;
        let now = clock::now();
        // Viewers tick at different times, each once in such a while.
        let is_fresh = |last: &&mut Arc<Moment>| now < last.seen + limits::DASHBOARD_LOOK_EVERY / 2;
        if let Some(last) = last.as_mut().filter(is_fresh) {
            return Ok(Arc::clone(last));
        }
        let mut asks = match client.take() {
            Some(client) => client,
            None => Local::client(source.inspected().ok_or(ApiError::Ends)?),
        };
        let selection = Selection { whole: true, ..Selection::default() };
        let (reply, rows) = asks.follow(&selection, limits::DASHBOARD_ANSWER_WITHIN)?;
        let moment = Moment {
            at: reply.captured_at,
            rows: rows.clone(),
            status: source.status(),
            seen: clock::now(),
        };
        *client = Some(asks);
        Ok(Arc::clone(last.insert(Arc::new(moment))))
    }

    /// Nobody looks any more: what was seen is forgotten.
    fn forget(&self) {
        *self.state.lock() = (None, None);
    }
}

/// One who is told.
struct Viewer {
    desk: Arc<Desk>,
    /// What it has shown to be let in: that has to hold as long as it looks.
    shows: HeaderMap,
    ticks: Interval,
    told: Option<Arc<Moment>>,
    place: Option<OwnedSemaphorePermit>,
    is_over: bool,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.place = None;
        if self.desk.viewers.available_permits() == limits::DASHBOARD_VIEWERS_MAX {
            self.desk.live.forget();
        }
    }
}

/// `/api/v1/stream`
pub(crate) async fn stream(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = Arc::clone(&desk.viewers).try_acquire_owned();
    let place = place.map_err(|_| ApiError::TooManyViewers)?;
    let mut ticks = interval(limits::DASHBOARD_LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let entry = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        let is_entry = *name == header::AUTHORIZATION || *name == header::COOKIE;
        is_entry.then(|| (name.clone(), value.clone()))
    };
    let shows = headers.iter().filter_map(entry).collect();
    let viewer = Viewer { desk, shows, ticks, told: None, place: Some(place), is_over: false };
    let stream = futures_util::stream::unfold(viewer, next);
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(stream)).into_response())
}

async fn next(mut viewer: Viewer) -> Option<(Result<Bytes, Infallible>, Viewer)> {
    if viewer.is_over {
        return None;
    }
    viewer.ticks.tick().await;
    if !viewer.desk.admits(&viewer.shows) {
        viewer.is_over = true;
        let text = event("out", &"the session has ended").unwrap_or_default();
        return Some((Ok(Bytes::from(text)), viewer));
    }
    let (desk, told) = (Arc::clone(&viewer.desk), viewer.told.clone());
    let turn = viewer.desk.live.turn.lock().await;
    let looked = viewer.desk.asker.aside(move |source| {
        let moment = desk.live.look(source)?;
        let text = tell(told.as_deref(), &moment)?;
        Ok((moment, text))
    });
    let looked = looked.await;
    drop(turn);
    let text = match looked {
        Ok((moment, text)) => {
            viewer.told = Some(moment);
            text
        }
        Err(ApiError::Ends) => {
            viewer.is_over = true;
            event("ends", &"the head ends").unwrap_or_default()
        }
        // It is asked again, and the page says since when it knows nothing new.
        Err(error) => event("silent", &error.to_string()).unwrap_or_default(),
    };
    Some((Ok(Bytes::from(text)), viewer))
}

/// What a viewer is told who was told this before.
fn tell(told: Option<&Moment>, moment: &Moment) -> Result<String, ApiError> {
    #[derive(Serialize)]
    struct Said<T> {
        captured_at: Duration,
        #[serde(flatten)]
        what: T,
    }
    let captured_at = moment.at;
    let failed = |error: serde_json::Error| ApiError::Failed(error.to_string());
    let mut text = match told {
        None => event("tree", &Said { captured_at, what: &moment.rows }),
        Some(told) => {
            let what = told.rows.changes_to(&moment.rows);
            event("changes", &Said { captured_at, what })
        }
    }
    .map_err(failed)?;
    let still = |told: &Moment| {
        let uptime = moment.status.uptime;
        let timeless = |status: &ClusterStatus| {
            let mut status = ClusterStatus { uptime, ..status.clone() };
            status.jobs.iter_mut().for_each(|job| job.age = Duration::ZERO);
            status
        };
        timeless(&told.status) == timeless(&moment.status)
    };
    if !told.is_some_and(still) {
        text.push_str(&event("cluster", &moment.status).map_err(failed)?);
    }
    Ok(text)
}

fn event(name: &str, data: &impl Serialize) -> Result<String, serde_json::Error> {
    // JSON has no line breaks of its own.
    Ok(format!("event: {name}\ndata: {}\n\n", serde_json::to_string(data)?))
}

#[cfg(test)]
mod tests {
    use raytree_types::inspect::TreeRow;

    use super::*;

    fn moment(seq: u64, names: &[&str]) -> Moment {
        let rows = names.iter().map(|name| TreeRow::named(0, *name)).collect();
        let status = ClusterStatus {
            version: 1,
            pid: 1,
            address: "10.0.0.1:1".to_owned(),
            uptime: Duration::from_secs(seq),
            nodes: Vec::new(),
            jobs: Vec::new(),
            detached: Vec::new(),
            detached_count: 0,
            dashboard: None,
            metrics: None,
        };
        let at = Duration::from_secs(seq);
        Moment { at, rows: TreeRows { seq, rows, ..TreeRows::default() }, status, seen: at }
    }

    #[test]
    fn a_viewer_is_told_all_once_and_then_what_has_changed() {
        let (first, second) = (moment(1, &["a", "b"]), moment(2, &["a", "c"]));
        let all = tell(None, &first).expect("text");
        assert!(all.starts_with("event: tree\ndata: {\"captured_at\":{\"secs\":1,"), "{all}");
        assert!(all.contains("\n\nevent: cluster\ndata: {\"version\":1,"), "{all}");
        assert!(all.ends_with("}\n\n"), "{all}");
        let changes = tell(Some(&first), &second).expect("text");
        assert!(changes.starts_with("event: changes\n"), "{changes}");
        assert!(changes.contains("\"edits\":[{\"keep\":1},{\"drop\":1},{\"put\":[{"), "{changes}");
        assert!(!changes.contains("event: cluster"), "only time has passed: {changes}");
    }
}
