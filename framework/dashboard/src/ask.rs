//! Questions for the inspector of this very process, on threads that may block, and not too many at once.

use std::sync::{Arc, Weak};
use std::time::Duration;

use raytree_inspector::client::{AskError, Client, Line};
use raytree_inspector::{Inspected, Talk};
use raytree_types::inspect::{Refused, Reply, Request};
use raytree_types::limits;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::Source;
use crate::api::ApiError;

/// Asks what the socket of the inspector would be asked, without a socket.
pub(crate) struct Local {
    talk: Talk,
    inspected: Weak<dyn Inspected>,
}

impl Local {
    /// A conversation with that one.
    pub(crate) fn client(inspected: Weak<dyn Inspected>) -> Client {
        Client::new(Box::new(Self { talk: Talk::default(), inspected }))
    }
}

impl Line for Local {
    fn exchange(&mut self, line: &[u8], _within: Duration) -> Result<Vec<u8>, AskError> {
        // As everybody else would refuse it to whom it may be passed on.
        let limit = limits::INSPECT_REQUEST_BYTES_MAX;
        if line.len() > limit {
            return Err(AskError::Refused(Refused::TooLong { limit }));
        }
        let said = self.talk.answer(&self.inspected, line)?.ok_or(AskError::Gone)?;
        let line = said.line.clone();
        said.was_sent();
        Ok(line)
    }
}

/// Asks, a few at once.
pub(crate) struct Asker {
    source: Arc<dyn Source>,
    places: Arc<Semaphore>,
}

impl Asker {
    pub(crate) fn new(source: Arc<dyn Source>) -> Self {
        Self { source, places: Arc::new(Semaphore::new(limits::DASHBOARD_ASKS_MAX)) }
    }

    /// Does this on a thread that may block, once there is a place for it.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Source) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let place = Arc::clone(&self.places).acquire_owned();
        let place = timeout(limits::DASHBOARD_ANSWER_WITHIN, place).await;
        let place = place.map_err(|_| ApiError::Busy)?.map_err(|_| ApiError::Busy)?;
        let source = Arc::clone(&self.source);
        let done = spawn_blocking(move || {
            // The thread works on when its client has left.
            let _place = place;
            work(&*source)
        });
        done.await.map_err(|panic| ApiError::Failed(panic.to_string()))?
    }

    /// Asks one thing of the whole cluster.
    pub(crate) async fn ask(&self, request: Request) -> Result<Reply, ApiError> {
        self.aside(move |source| {
            let inspected = source.inspected().ok_or(ApiError::Ends)?;
            let within = limits::DASHBOARD_ANSWER_WITHIN;
            Ok(Local::client(inspected).ask(request, within)?)
        })
        .await
    }
}
