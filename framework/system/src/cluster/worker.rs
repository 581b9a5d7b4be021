//! A worker: this program, started by a node of a cluster to run what one driver submits.
//!
//! It is served as a node of the program's own is ([`super::serve`]); but its driver is no parent. It listens on a port of
//! its own, tells its parent which, and the driver dials it. When the driver's link ends, so does the worker: it has nobody
//! to work for, and must not work for nobody. Other workers of its job dial it, too, to call its actors directly
//! ([`Neighbours`]); those links may fall as they please.

use std::net::SocketAddr;
use std::path::Path;
use std::process::exit;
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_process::Link as Line;
use raytree_process::cluster::{Greeting, Posting};
use raytree_types::inspect::THE_PROGRAM;
use raytree_types::{Resources, limits};
use raytree_wire::{BindTo, Hello, Listener, Plane, Stream, Tls, Token};

use super::neighbours::Neighbours;
use super::node::Details;
use super::peer::Peer;
use super::resident::Callers;
use super::serve::{FAILED, ORPHANED};
use super::{dialer, drain};
use crate::link::Link;
use crate::runtime::Runtime;
use crate::stores::StoreTerms;

/// What the process of a worker is called.
pub(crate) const ROLE: &str = "worker";

/// The runtime of a worker.
pub(crate) fn details(posting: &Posting) -> Details {
    let cpus = posting.grant.thousandths(raytree_types::resources::CPU).div_ceil(1000);
    let threads = posting.terms.threads.unwrap_or_else(|| usize::try_from(cpus).unwrap_or(1));
    Details {
        runtime: posting.runtime,
        resources: posting.grant.clone(),
        all: Resources::none(),
        threads: threads.clamp(1, limits::USER_THREADS_MAX),
        strict: posting.terms.strict,
        namespace: posting.terms.namespace.clone(),
        abandoned_max: posting.abandoned_max,
        lineage_bytes: posting.terms.lineage_bytes,
        store: posting.store.clone(),
        store_at: posting.store_at,
        store_terms: StoreTerms::default(),
    }
}

/// Listens for the driver; or for all `callers`, where there is none.
///
/// # Errors
/// A sentence.
pub(super) fn listen(
    posting: &Posting,
    line: &Line,
    runtime: Runtime,
    callers: Option<&Arc<Callers>>,
) -> Result<Listener, String> {
    let Posting { door, worker, .. } = posting.clone();
    let token = Token::load(&door.token_file).map_err(|error| error.to_string())?;
    let pem = door.pem.as_ref().map(|(cert, key)| (Path::new(cert), Path::new(key)));
    let is_exposed = !door.insecure && !door.bind.to_canonical().is_loopback();
    let tls = Tls::chosen(&token, pem, is_exposed).map_err(|error| error.to_string())?;
    if callers.is_none() {
        let shared = runtime.shared();
        let own = (worker.clone(), token.clone(), tls.clone());
        let neighbours = Arc::new(Neighbours::new(own.0, own.1, own.2, Arc::downgrade(shared)));
        // Set once, here.
        _ = shared.neighbours.set(Arc::clone(&neighbours));
        dialer::start(shared, &neighbours);
    }
    let to = BindTo {
        address: SocketAddr::new(door.bind, 0),
        tls,
        insecure: door.insecure,
        ..BindTo::loopback(token)
    };
    let (is_taken, line, callers) = (Mutex::new(false), line.clone(), callers.cloned());
    let accepted = move |hello: Hello, stream: Stream, from: SocketAddr| {
        let greeting = serde_json::from_slice::<Greeting>(hello.details());
        let refused = match greeting {
            Ok(Greeting::Calls { worker: meant })
                if meant == worker && hello.plane() == Plane::Calls =>
            {
                if let Some(callers) = &callers {
                    callers.serve(&runtime, hello.name(), stream);
                } else if !std::mem::replace(&mut *is_taken.lock(), true) {
                    // One link for life: a driver that has lost it gets another worker.
                    serves(&line, &runtime, stream);
                }
                return;
            }
            Ok(Greeting::Neighbour { from, to }) if hello.plane() == Plane::Calls => {
                let neighbours = runtime.shared().neighbours.get();
                let neighbours = neighbours.ok_or("a resident has no neighbours".to_owned());
                neighbours.and_then(|own| own.comes(&from, &to, stream))
            }
            _ => Err("it is no driver, and no worker".to_owned()),
        };
        if let Err(why) = refused {
            let who = hello.name();
            tracing::warn!(%from, who, why, "somebody dialed this worker for something else");
        }
    };
    Listener::bind(to, accepted).map_err(|error| error.to_string())
}

#[expect(clippy::exit, reason = "the program as such never runs in this process")]
fn serves(line: &Line, runtime: &Runtime, stream: Stream) {
    let gone = |cause: raytree_types::Cause| {
        tracing::info!("the driver is gone: {cause}");
        exit(ORPHANED)
    };
    // There before the first question comes. Set once, by its one driver.
    let program = Arc::new(Peer::boundless(THE_PROGRAM.to_owned()));
    _ = runtime.shared().program.set(Arc::clone(&program));
    match Link::start(THE_PROGRAM, stream, runtime.shared(), gone) {
        Ok(link) => {
            drain::when_asked(line, runtime.shared(), &link);
            if let Some(neighbours) = runtime.shared().neighbours.get() {
                neighbours.owned_over(&link);
            }
            program.comes_up(link);
        }
        Err(error) => {
            tracing::error!(%error, "no thread for the link of this worker");
            exit(FAILED);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(terms: Value) -> Details {
        let worker = json!({ "job": 1, "node": "n", "incarnation": 1, "life": 1 });
        let door =
            json!({ "bind": "127.0.0.1", "token_file": "t", "insecure": false, "pem": null });
        let posting = json!({
            "worker": worker, "runtime": 7, "grant": Resources::none(), "terms": terms,
            "residence": null, "abandoned_max": 8, "door": door,
        });
        details(&serde_json::from_value(posting).expect("a posting"))
    }

    #[test]
    fn a_worker_keeps_as_much_of_lineages_as_its_driver_says() {
        let older = json!({ "threads": 2, "strict": false, "namespace": "" });
        assert_eq!(told(older.clone()).lineage_bytes, limits::LINEAGE_BYTES);
        let mut terms = older;
        terms["lineage_bytes"] = json!(0);
        assert_eq!(told(terms).lineage_bytes, 0);
    }
}
