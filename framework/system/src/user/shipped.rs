//! A call of a method that runs in another process.

use std::sync::Arc;

use raytree_supervise::panics;
use raytree_types::codec::Codec;
use raytree_types::{Error, Result};
use tokio::sync::oneshot;

use super::actor::Actor;
use super::job::Ticket;
use super::method::Invocation;
use super::open::OpenCall;
use crate::link::{Answer, Ask, CallTerms, Landing};
use crate::object::part::Part;
use crate::task::away::{self, OnEnd, Order, Results};
use crate::task::failure::Failure;
use crate::worker::crossing::{Crossing, Lost, Passage};

/// Reads a result.
type Reads<O> = fn(Part, Codec) -> Result<O, Failure>;

impl<T: Actor, I: Invocation<T>> OpenCall<T, I> {
    /// Goes to the actor that is held for this process at the other end of a link.
    pub(super) fn go(self: Arc<Self>, by: Passage<'_, T>, ticket: Ticket<T>) {
        let Some((invocation, _pinned)) = self.begin() else { return };
        let codec = invocation.codec();
        let order = panics::catch(|| invocation.order());
        let order: Result<Order<I::Out>, Failure> = match order {
            Ok(order) => order.map_err(Failure::from),
            Err(cause) => Err(Failure::User(Box::new(cause))),
        };
        let Order { info, arguments, results } = match order {
            Ok(order) => order,
            Err(failure) => return self.returned(Err(failure), codec),
        };
        let window = match &results {
            Results::One(_) => None,
            Results::Many { window, .. } => Some(*window),
        };
        let (link, export, retries, sent) = match by {
            Passage::Plain { link, export, is_begun, retries } => {
                (link, export, retries, Sent::Plain { is_begun })
            }
            Passage::Kept { link, export, crossing } => (link, export, None, Sent::Kept(crossing)),
        };
        let (method, signature) = (info.name.to_owned(), info.signature.to_owned());
        let terms = CallTerms { window, retries, trace: self.trace() };
        let what = Ask::Call { export, method, signature, terms };
        match results {
            Results::One(read) => {
                let call = Arc::clone(&self);
                let landing = Landed { call, sent, ticket, read, codec };
                let number = link.ask(what, arguments, Box::new(landing));
                *self.away.lock() = Some((Arc::clone(link), number));
                if self.is_answered() {
                    // Nothing when that was its answer.
                    self.withdraw();
                }
            }
            Results::Many { window, put, end } => {
                let Some(runtime) = self.life.runtime() else { return };
                let (ends, told) = self.hears_of_end(sent);
                let poured = away::pour(Arc::clone(link), what, arguments, (window, put, ends));
                runtime.user.spawn(async move {
                    let result = self.watched(poured).await;
                    match result {
                        Some(Err(failure)) if told.is_some() && self.is_lost(&failure) => {
                            // After all that has come of it.
                            let error = self.watched(async { told?.await.ok() }).await.flatten();
                            error.into_iter().for_each(|error| {
                                self.returned(Err(Failure::from(error)), codec);
                            });
                        }
                        // It ended with its life: who lost it is said there.
                        None | Some(Err(Failure::Lost(_))) => {}
                        Some(result) => self.returned(result.map(|()| end()), codec),
                    }
                    drop(ticket);
                });
            }
        }
    }

    /// The crossing of a stream is over when its last word comes; what error that is in the end is told later.
    fn hears_of_end(self: &Arc<Self>, sent: Sent<T>) -> (OnEnd, Option<oneshot::Receiver<Error>>) {
        let Sent::Kept(crossing) = sent else { return (Box::new(|_| ()), None) };
        let (tells, told) = oneshot::channel();
        let call = Arc::clone(self);
        let ends = move |answer: &Answer| match answer {
            Answer::Lost(_) => crossing.lost(Lost::Stream(tells)),
            Answer::Failed(error) if call.is_end(error) => crossing.lost(Lost::Stream(tells)),
            Answer::Failed(_) | Answer::Value(_) => drop(crossing),
        };
        (Box::new(ends), Some(told))
    }

    /// The life over there has ended, or cannot be heard: not what the call has come to.
    fn is_lost(&self, failure: &Failure) -> bool {
        match failure {
            Failure::Lost(_) => true,
            Failure::System(error) => self.is_end(error),
            Failure::User(_) => false,
        }
    }

    /// It tells of an end of this very actor.
    fn is_end(&self, error: &Error) -> bool {
        matches!(error, Error::ActorDied { actor, .. } if *actor == self.cell.known_as())
    }

    /// Nobody wants its answer any more.
    pub(super) fn withdraw(&self) {
        if let Some((link, call)) = self.away.lock().take() {
            link.withdraw(call, true);
        }
    }
}

/// How it went.
enum Sent<T: Actor> {
    /// `is_begun`: as of [`Passage::Plain`].
    Plain {
        is_begun: bool,
    },
    Kept(Crossing<T>),
}

struct Landed<T: Actor, I: Invocation<T>> {
    call: Arc<OpenCall<T, I>>,
    sent: Sent<T>,
    /// Dropped without an answer it says that the call was lost.
    ticket: Ticket<T>,
    read: Reads<I::Out>,
    codec: Codec,
}

impl<T: Actor, I: Invocation<T>> Landing for Landed<T, I> {
    fn land(self: Box<Self>, answer: Answer) {
        let Self { call, sent, ticket, read, codec } = *self;
        call.away.lock().take();
        let is_end = matches!(&answer, Answer::Failed(error) if call.is_end(error));
        let is_last =
            !matches!(&answer, Answer::Failed(Error::ActorDied { will_restart: true, .. }));
        let is_lost = is_end || matches!(answer, Answer::Lost(_));
        match (answer, sent) {
            // How that life has ended is known by and by.
            (_, Sent::Kept(crossing)) if is_lost => return crossing.lost(Lost::Call(ticket)),
            // The life over there has lost it; how it ended is told next. Of another process's actor only the last end is.
            (Answer::Lost(_), _) => {}
            (_, Sent::Plain { is_begun }) if is_end && (is_begun || is_last) => {}
            (Answer::Value(part), _) if part.is_far() => call.returned_far(part),
            (answer, _sent) => {
                // Where its answer goes, as long as it has none.
                let out = call.out.lock().clone();
                let read = |part| match out {
                    Some(out) => {
                        let read = out.reads(part, read);
                        out.comes_from_method();
                        read
                    }
                    None => read(part, codec),
                };
                let result = answer.of_body().and_then(read);
                call.returned(result, codec);
            }
        }
        drop(ticket);
    }
}
