//! How a node dials its head: for its session, and when the head wants to look at it.

use std::sync::Arc;
use std::thread;

use raytree_inspector::answer_over;
use raytree_process::cluster::Greeting;
use raytree_types::limits;
use raytree_wire::{DialError, Hello, Plane, Stream, dial};

use super::station::Station;

/// Why there is no connection with the head.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undialed {
    /// It was dialed.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It could not even be dialed.
    #[error("{0}")]
    Said(String),
}

impl Station {
    /// A new connection with the head. Blocks.
    ///
    /// # Errors
    /// [`Undialed`].
    pub(super) fn dials(&self, greeting: &Greeting) -> Result<Stream, Undialed> {
        let said = |error: &dyn std::error::Error| Undialed::Said(error.to_string());
        let details = serde_json::to_vec(greeting).map_err(|error| said(&error))?;
        let hello = Hello::new(Plane::Control, &*self.name, details);
        let hello = hello.map_err(|error| said(&error))?;
        let (secrets, within) = (&self.secrets, limits::WIRE_HANDSHAKE_WITHIN);
        Ok(dial(self.head, &secrets.token, secrets.tls.as_ref(), &hello, within)?)
    }

    /// The head wants to look at this node: it is shown, on a thread and a connection of its own.
    pub(super) fn lets_look(self: &Arc<Self>, ticket: u64) {
        let Ok(place) = Arc::clone(&self.lookers).try_acquire_owned() else {
            tracing::warn!("the head looks at this node through too many connections");
            return;
        };
        let station = Arc::clone(self);
        let thread = thread::Builder::new().name("raytree-looked-at".to_owned());
        let started = thread.spawn(move || {
            let _place = place;
            let opens = station.sight.door.is_wanted();
            match station.dials(&Greeting::Window { ticket, opens }) {
                Ok(stream) => {
                    if let Some(shown) = station.shown.get().filter(|_| opens) {
                        answer_over(stream, shown);
                    }
                }
                Err(error) => tracing::warn!(%error, "the head cannot look at this node"),
            }
        });
        if let Err(error) = started {
            tracing::warn!(%error, "no thread for who looks at this node");
        }
    }
}
