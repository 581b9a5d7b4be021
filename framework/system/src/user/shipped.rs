//! A call of a method that runs in another process.

use std::sync::Arc;

use raytree_supervise::panics;
use raytree_types::codec::Codec;
use raytree_types::{Error, Result};

use super::actor::Actor;
use super::job::Ticket;
use super::method::Invocation;
use super::open::OpenCall;
use crate::link::{Answer, Ask, Landing, Link};
use crate::object::part::Part;
use crate::task::away::{self, Order, Results};
use crate::task::failure::Failure;

impl<T: Actor, I: Invocation<T>> OpenCall<T, I> {
    /// Goes to the actor that is held for this process under `export`.
    /// `is_begun`: its one life there was begun for this process, which is told how it ends.
    pub(super) fn go(
        self: Arc<Self>,
        (link, export, is_begun): (&Arc<Link>, u64, bool),
        ticket: Ticket<T>,
    ) {
        let Some(invocation) = self.begin() else { return };
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
        let (method, signature) = (info.name.to_owned(), info.signature.to_owned());
        let what = Ask::Call { export, method, signature, window };
        match results {
            Results::One(read) => {
                let call = Arc::clone(&self);
                let landing = Landed { call, is_begun, ticket, read, codec };
                let number = link.ask(what, arguments, Box::new(landing));
                *self.away.lock() = Some((Arc::clone(link), number));
                if self.is_answered() {
                    // Nothing when that was its answer.
                    self.withdraw();
                }
            }
            Results::Many { window, put, end } => {
                let Some(runtime) = self.life.runtime() else { return };
                let poured = away::pour(Arc::clone(link), what, arguments, (window, put));
                runtime.user.spawn(async move {
                    let result = self.watched(poured).await;
                    match result {
                        // It ended with its life: who lost it is said there.
                        None | Some(Err(Failure::Lost(_))) => {}
                        Some(result) => self.returned(result.map(|()| end()), codec),
                    }
                    drop(ticket);
                });
            }
        }
    }

    /// Nobody wants its answer any more.
    pub(super) fn withdraw(&self) {
        if let Some((link, call)) = self.away.lock().take() {
            link.withdraw(call, true);
        }
    }
}

struct Landed<T: Actor, I: Invocation<T>> {
    call: Arc<OpenCall<T, I>>,
    is_begun: bool,
    /// Dropped without an answer it says that the call was lost.
    ticket: Ticket<T>,
    read: fn(Part, Codec) -> Result<I::Out, Failure>,
    codec: Codec,
}

impl<T: Actor, I: Invocation<T>> Landing for Landed<T, I> {
    fn land(self: Box<Self>, answer: Answer) {
        let Self { call, is_begun, ticket, read, codec } = *self;
        call.away.lock().take();
        match answer {
            // The life over there has lost it; how it ended is told next. Of another process's actor only the last end is.
            Answer::Lost(_) => {}
            Answer::Failed(Error::ActorDied { actor, will_restart, .. })
                if actor == call.cell.known_as() && (is_begun || !will_restart) => {}
            answer => {
                let result = answer.of_body().and_then(|part| read(part, codec));
                call.returned(result, codec);
            }
        }
        drop(ticket);
    }
}
