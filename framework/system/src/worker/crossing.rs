//! How a call crosses to an actor of another process, and what becomes of one whose life there ends first.

use std::sync::Arc;

use raytree_types::Error;
use tokio::sync::oneshot;

use crate::link::Link;
use crate::user::actor::Actor;
use crate::user::job::Ticket;

/// How a call is sent to an actor of another process.
pub(crate) enum Passage<'a, A: Actor> {
    /// To the process that has the body for this one, or to the owner of the actor: how a life ends is told by it.
    Plain {
        link: &'a Arc<Link>,
        export: u64,
        /// Its one life there was begun for this process, which is told how it ends.
        is_begun: bool,
        /// How often it may be made again; none for what the actor's options say.
        retries: Option<u32>,
    },
    /// To one life, whose end somebody else tells: past the owner to its worker, or to a resident of the cluster.
    Kept { link: &'a Arc<Link>, export: u64, crossing: Crossing<A> },
}

/// A call by its number: those of one keeper go up in the order in which they were sent.
pub(crate) type Number = u64;

/// Keeps what has no answer when its life is over, until it is known how that has ended.
pub(crate) trait Keeper<A: Actor>: Send + Sync {
    /// It is answered, or nobody wants its answer.
    fn answered(&self, call: Number);
    /// No answer will come.
    fn lost(&self, call: Number, lost: Lost<A>);
}

/// A call whose life has ended before it was answered.
pub(crate) enum Lost<A: Actor> {
    Call(Ticket<A>),
    /// It gave many, and is not made again. What has come of them is read first; then its caller is told.
    Stream(oneshot::Sender<Error>),
}

impl<A: Actor> Lost<A> {
    /// Its life is over, with this error: the call, if it is to be made again, and how often it may still be lost then. Else its
    /// caller is told.
    pub(crate) fn settle(self, error: &Error) -> Option<(Ticket<A>, u32)> {
        match self {
            Self::Call(ticket) => {
                let left = ticket.job().again(error)?;
                Some((ticket, left))
            }
            Self::Stream(tells) => {
                // Nobody reads it any more.
                _ = tells.send(error.clone());
                None
            }
        }
    }
}

/// A call on its way. Dropped, it is answered, or nobody wants its answer.
pub(crate) struct Crossing<A: Actor> {
    keeper: Arc<dyn Keeper<A>>,
    call: Number,
    is_lost: bool,
}

impl<A: Actor> Crossing<A> {
    pub(crate) fn new(keeper: Arc<dyn Keeper<A>>, call: Number) -> Self {
        Self { keeper, call, is_lost: false }
    }

    /// No answer will come: the call waits for the word that its life is over.
    pub(crate) fn lost(mut self, lost: Lost<A>) {
        self.is_lost = true;
        self.keeper.lost(self.call, lost);
    }
}

impl<A: Actor> Drop for Crossing<A> {
    fn drop(&mut self) {
        if !self.is_lost {
            self.keeper.answered(self.call);
        }
    }
}
