//! The answer to a call, while it is under way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use raytree_types::{Error, Result};
use tokio::sync::futures::OwnedNotified;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::task::context::Waiting;
use crate::user::status::{Cell, Lifecycle};

/// The answer of an actor: a future. The call was sent when it was made; dropping this does not take it back.
#[must_use = "a call runs also when its answer is not awaited; say `_ =` if that is meant"]
pub struct Pending<R> {
    cell: Arc<Cell>,
    /// Lives of the callee that had ended when the call was made.
    exits: u64,
    stage: Stage<R>,
    /// A task that awaits it lends its CPU.
    waits: Option<Waiting>,
}

enum Stage<R> {
    Refused(Option<Error>),
    Waiting {
        answer: oneshot::Receiver<R>,
        /// An actor may die and leave its mailbox behind in a thread that is stuck.
        death: Option<Pin<Box<OwnedNotified>>>,
    },
    /// The answer was dropped: the actor has ended, and the supervisor is about to say how.
    Asking(Pin<Box<dyn Future<Output = Error> + Send>>),
}

impl<R> Pending<R> {
    pub(crate) fn refused(cell: Arc<Cell>, error: Error) -> Self {
        Self { cell, exits: 0, stage: Stage::Refused(Some(error)), waits: None }
    }

    pub(crate) fn waiting(cell: Arc<Cell>, exits: u64, answer: oneshot::Receiver<R>) -> Self {
        Self { cell, exits, stage: Stage::Waiting { answer, death: None }, waits: None }
    }

    /// The answer, if it comes within `limit`.
    ///
    /// # Errors
    /// [`Error::Timeout`] when it does not; the call may still run. Else as for awaiting it.
    pub async fn timeout(self, limit: Duration) -> Result<R> {
        let name = self.cell.name.clone();
        match tokio::time::timeout(limit, self).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Timeout { what: format!("a call to {name}"), after: limit }),
        }
    }
}

// Nothing in it is pinned in place.
impl<R> Unpin for Pending<R> {}

impl<R> Future for Pending<R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<R>> {
        let polled = self.answer(cx);
        if polled.is_ready() {
            self.waits = None;
        } else if self.waits.is_none() {
            self.waits = Waiting::begin();
        }
        polled
    }
}

impl<R> Pending<R> {
    fn answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<R>> {
        let Self { cell, exits, stage, .. } = self;
        loop {
            match stage {
                Stage::Refused(error) => {
                    let again = || Error::CallDropped { actor: cell.id, name: cell.name.clone() };
                    return Poll::Ready(Err(error.take().unwrap_or_else(again)));
                }
                Stage::Waiting { answer, death } => match Pin::new(&mut *answer).poll(cx) {
                    Poll::Ready(Ok(value)) => return Poll::Ready(Ok(value)),
                    Poll::Ready(Err(_)) => {
                        let reason = why(Arc::clone(cell), *exits);
                        *stage = Stage::Asking(Box::pin(reason));
                    }
                    Poll::Pending => {
                        let notify = || Box::pin(Arc::clone(&cell.death).notified_owned());
                        let death = death.get_or_insert_with(notify);
                        let dead = death.as_mut().poll(cx).is_ready() || cell.is_dead();
                        // The answer, or the word that none will come, may have come just before the end.
                        match answer.try_recv() {
                            Ok(value) => return Poll::Ready(Ok(value)),
                            Err(TryRecvError::Closed) => {
                                let reason = why(Arc::clone(cell), *exits);
                                *stage = Stage::Asking(Box::pin(reason));
                            }
                            Err(TryRecvError::Empty) if dead => {
                                return Poll::Ready(Err(cell.gone()));
                            }
                            Err(TryRecvError::Empty) => return Poll::Pending,
                        }
                    }
                },
                Stage::Asking(reason) => return Poll::Ready(Err(ready!(reason.as_mut().poll(cx)))),
            }
        }
    }
}

/// The end that cost the call its answer: the newest that is known once there is one after the call.
async fn why(cell: Arc<Cell>, exits: u64) -> Error {
    // A body's mailbox is gone before its end is announced, so that end is yet to come, or came after the call.
    let mut status = cell.watch();
    let known = status
        .wait_for(|status| status.exits > exits || status.lifecycle == Lifecycle::Dead)
        .await
        .is_ok();
    if known { cell.gone() } else { Error::CallDropped { actor: cell.id, name: cell.name.clone() } }
}

impl<R> fmt::Debug for Pending<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("callee", &self.cell).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, Weak};
    use std::task::Waker;

    use raytree_supervise::Addr;
    use raytree_types::{ActorIds, ActorOptions, RuntimeId};

    use super::*;

    /// An actor whose end is not announced.
    fn cell() -> Arc<Cell> {
        let id = ActorIds::new(RuntimeId::next()).next();
        let addr = Addr::<crate::node::scheduler::SchedulerMsg>::system::<()>("one");
        let probe = Arc::clone(addr.probe());
        Arc::new(Cell::new(id, "one".to_owned(), ActorOptions::new(), None, probe, Weak::new()))
    }

    #[test]
    fn an_answer_that_is_lost_while_it_is_looked_for_is_asked_after() {
        let cell = cell();
        for _ in 0..20_000 {
            let (reply, answer) = oneshot::channel::<u64>();
            let both = Arc::new(Barrier::new(2));
            let gate = Arc::clone(&both);
            let loses = std::thread::spawn(move || {
                gate.wait();
                drop(reply);
            });
            let mut pending = Pending::waiting(Arc::clone(&cell), 0, answer);
            let mut cx = Context::from_waker(Waker::noop());
            both.wait();
            while !matches!(pending.stage, Stage::Asking(_)) {
                assert!(Pin::new(&mut pending).poll(&mut cx).is_pending(), "nobody has answered");
            }
            loses.join().expect("no panic");
        }
    }
}
