//! What travels into a mailbox: the message, and the guards that keep counts and credits right on every path.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::ping::Ping;
use crate::probe::Probe;

/// The right to have one message waiting or handled. Given back when it is dropped.
pub type Credit = OwnedSemaphorePermit;

/// A message on its way. However it ends (handled, dropped with a mailbox, refused), the guards see it.
#[derive(Debug)]
pub struct Envelope<M> {
    pub(crate) body: Body<M>,
    pub(crate) guard: Guard,
}

#[derive(Debug)]
pub(crate) enum Body<M> {
    /// A message.
    Message(M),
    /// Nothing: look at your probe.
    Wake,
    /// Nothing: say that its turn has come.
    Ping(Box<Ping>),
}

/// Counts one queued message while it lives.
#[derive(Debug)]
pub(crate) struct Guard {
    probe: Arc<Probe>,
    _credit: Option<Credit>,
}

impl Guard {
    pub(crate) fn new(probe: &Arc<Probe>, credit: Option<Credit>) -> Self {
        probe.sent();
        Self { probe: Arc::clone(probe), _credit: credit }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.probe.gone_from_queue();
    }
}

// Never leaves the process: the defaults refuse to serialise.
impl<M: Send + 'static> ractor::Message for Envelope<M> {}

/// Where the answer to a call goes. Dropping it tells the caller that there will be none.
#[derive(Debug)]
pub struct Reply<T>(oneshot::Sender<T>);

impl<T> Reply<T> {
    pub(crate) fn pair() -> (Self, oneshot::Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// Answers. A caller that has given up in the meantime is not an error.
    pub fn send(self, value: T) {
        _ = self.0.send(value);
    }
}
