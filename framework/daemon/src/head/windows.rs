//! How the head looks into nodes and drivers: it asks them over the connection that there is, and they dial once more. What is
//! looked at goes over that connection alone, so that no look, however large, delays what a cluster lives by.

use std::collections::HashMap;
use std::fmt;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_inspector::client::{AskError, Dial, Line};
use raytree_inspector::{Feed, Inspected, StreamLine, answer_over};
use raytree_supervise::Passage;
use raytree_wire::Stream;

/// Those who were asked to dial and have not yet; and what the head shows itself.
#[derive(Default)]
pub(crate) struct Windows {
    awaited: Mutex<HashMap<u64, SyncSender<Option<Stream>>>>,
    /// The head, once it can be looked at.
    pub(crate) own: OnceLock<Weak<dyn Inspected>>,
}

impl Windows {
    /// The way into somebody who is asked to dial with `ask`, which gives back whether it could be asked.
    pub(crate) fn way(
        self: &Arc<Self>,
        ask: impl Fn(u64) -> bool + Send + Sync + 'static,
    ) -> Arc<dyn Passage> {
        Feed::new(Window { windows: Arc::clone(self), ask: Box::new(ask) })
    }

    /// Somebody has dialed; without a stream it is not to be looked at.
    pub(crate) fn arrived(&self, ticket: u64, stream: Option<Stream>) {
        let waits = self.awaited.lock().remove(&ticket);
        if let Some(waits) = waits {
            // Who has waited may have given up.
            _ = waits.try_send(stream);
        }
    }

    /// Answers somebody who looks at the cluster, for as long as he looks.
    pub(crate) fn show(&self, stream: Stream) {
        if let Some(own) = self.own.get() {
            answer_over(stream, own);
        }
    }
}

struct Window {
    windows: Arc<Windows>,
    ask: Box<dyn Fn(u64) -> bool + Send + Sync>,
}

impl Dial for Window {
    fn dial(&self, within: Duration) -> Result<Box<dyn Line>, AskError> {
        // Nobody else is to guess it.
        let ticket = crate::number()?;
        let (waits, arrived) = sync_channel(1);
        self.windows.awaited.lock().insert(ticket, waits);
        let stream = if (self.ask)(ticket) { arrived.recv_timeout(within).ok() } else { None };
        self.windows.awaited.lock().remove(&ticket);
        let stream = stream.ok_or(AskError::Silent { within })?.ok_or(AskError::Shut)?;
        Ok(Box::new(StreamLine::new(stream)))
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window").finish_non_exhaustive()
    }
}
