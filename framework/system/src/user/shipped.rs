//! A call of a method that runs in another process.

use std::sync::Arc;

use raytree_supervise::panics;
use raytree_types::codec::Codec;
use raytree_types::{Error, Result};

use super::actor::Actor;
use super::job::Ticket;
use super::method::Invocation;
use super::open::OpenCall;
use crate::driver::residents::Resident;
use crate::link::{Answer, Ask, Landing, Link};
use crate::object::part::Part;
use crate::task::away::{self, Order, Results};
use crate::task::failure::Failure;

/// Reads a result.
type Reads<O> = fn(Part, Codec) -> Result<O, Failure>;

/// Whose actor it is that a call goes to.
#[derive(Clone)]
pub(crate) enum Whose {
    /// Its one life there was begun for this process, which is told how it ends.
    Begun,
    /// Another process's, which says what became of a call.
    Imported,
    /// The cluster's, in this life: its head says how that ends.
    Resident(Arc<Resident>, u32),
}

impl<T: Actor, I: Invocation<T>> OpenCall<T, I> {
    /// Goes to the actor that is held for this process under `export`.
    pub(super) fn go(
        self: Arc<Self>,
        (link, export, whose): (&Arc<Link>, u64, Whose),
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
                let landing = Landed { call, whose, ticket, read, codec };
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
                    match (result, whose) {
                        (None | Some(Err(Failure::Lost(_))), Whose::Resident(resident, life)) => {
                            self.lost_with(&resident, life, codec).await;
                        }
                        // It ended with its life: who lost it is said there.
                        (None | Some(Err(Failure::Lost(_))), _) => {}
                        (Some(result), _) => self.returned(result.map(|()| end()), codec),
                    }
                    drop(ticket);
                });
            }
        }
    }

    /// A life of a resident has lost it: how that has ended is known by and by.
    async fn lost_with(&self, resident: &Resident, life: u32, codec: Codec) {
        let (kind, will_restart) = resident.fate(life).await;
        let (actor, name) = (self.cell.known_as(), self.cell.name.clone());
        let died = Error::ActorDied { actor, name, kind: Box::new(kind), will_restart };
        self.returned(Err(Failure::from(died)), codec);
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
    whose: Whose,
    /// Dropped without an answer it says that the call was lost.
    ticket: Ticket<T>,
    read: Reads<I::Out>,
    codec: Codec,
}

impl<T: Actor, I: Invocation<T>> Landing for Landed<T, I> {
    fn land(self: Box<Self>, answer: Answer) {
        let Self { call, whose, ticket, read, codec } = *self;
        call.away.lock().take();
        if let Whose::Resident(resident, life) = whose {
            return landed_of_resident(call, (resident, life), ticket, answer, (read, codec));
        }
        let is_begun = matches!(whose, Whose::Begun);
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

/// What a life of a resident has lost is told once it is known how that has ended.
fn landed_of_resident<T: Actor, I: Invocation<T>>(
    call: Arc<OpenCall<T, I>>,
    (resident, life): (Arc<Resident>, u32),
    ticket: Ticket<T>,
    answer: Answer,
    (read, codec): (Reads<I::Out>, Codec),
) {
    let is_lost = match &answer {
        Answer::Lost(_) => true,
        Answer::Failed(Error::ActorDied { actor, .. }) => *actor == call.cell.known_as(),
        Answer::Failed(_) | Answer::Value(_) => false,
    };
    match call.life.runtime().filter(|_| is_lost) {
        Some(runtime) => {
            runtime.user.spawn(async move {
                call.lost_with(&resident, life, codec).await;
                drop(ticket);
            });
        }
        None => {
            let result = answer.of_body().and_then(|part| read(part, codec));
            call.returned(result, codec);
            drop(ticket);
        }
    }
}
