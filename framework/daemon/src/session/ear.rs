//! Who hears a session, whatever its messages are.

use std::fmt;
use std::sync::Arc;

use raytree_supervise::panics;
use raytree_types::Cause;
use serde::de::DeserializeOwned;

use super::SessionEvent;
use super::error::SessionEnd;
use super::outgoing::Outgoing;
use super::window::Heard;

/// Has the closure of whoever owns the session. Wherever it is dropped, and it is dropped wherever the session can end, the
/// owner hears of the loss: so it does once, and last.
pub(super) struct Ear {
    outgoing: Arc<Outgoing>,
    heard: Option<Box<Hears>>,
    is_open: bool,
    window: Heard,
}

/// Fails when the message cannot be read.
type Hears = dyn FnMut(Bytes<'_>) -> Result<(), SessionEnd> + Send;

/// A [`SessionEvent`] before its message is read.
enum Bytes<'a> {
    Opened,
    Said(&'a [u8]),
    Lost(Cause),
}

impl Ear {
    pub(super) fn new<In: DeserializeOwned>(
        outgoing: &Arc<Outgoing>,
        mut heard: impl FnMut(SessionEvent<In>) + Send + 'static,
    ) -> Self {
        let heard = move |bytes: Bytes<'_>| {
            heard(match bytes {
                Bytes::Opened => SessionEvent::Opened,
                Bytes::Lost(cause) => SessionEvent::Lost(cause),
                Bytes::Said(json) => SessionEvent::Said(
                    serde_json::from_slice(json)
                        .map_err(|error| SessionEnd::Unreadable { what: error.to_string() })?,
                ),
            });
            Ok(())
        };
        let outgoing = Arc::clone(outgoing);
        Self { outgoing, heard: Some(Box::new(heard)), is_open: false, window: Heard::default() }
    }

    pub(super) fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// The session is open. A message may be here before the word that it is, and says as much.
    pub(super) fn opened(&mut self) -> Result<(), SessionEnd> {
        if self.is_open {
            return Ok(());
        }
        self.is_open = true;
        self.hear(Bytes::Opened)
    }

    /// The peer has said this.
    pub(super) fn said(&mut self, json: &[u8]) -> Result<(), SessionEnd> {
        self.opened()?;
        let far = self.window.hears(json.len()).map_err(|_| SessionEnd::Unbounded)?;
        self.hear(Bytes::Said(json))?;
        if let Some(amount) = far {
            self.outgoing.tell_heard(amount);
        }
        Ok(())
    }

    fn hear(&mut self, bytes: Bytes<'_>) -> Result<(), SessionEnd> {
        let Some(heard) = &mut self.heard else { return Ok(()) };
        match panics::catch(|| heard(bytes)) {
            Ok(outcome) => outcome,
            Err(cause) => {
                let heard = self.heard.take();
                // Of the second panic there is nothing to be told.
                _ = panics::catch(|| drop(heard));
                Err(SessionEnd::EarPanicked { what: cause.to_string() })
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.outgoing.shut();
        let Some(mut heard) = self.heard.take() else { return };
        let why = self.outgoing.why();
        let last = panics::catch(move || heard(Bytes::Lost(why)));
        if let Err(cause) = last {
            tracing::error!(peer = self.outgoing.peer(), %cause, "who lost a session panicked");
        }
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ear").field(&self.outgoing.peer()).finish()
    }
}
