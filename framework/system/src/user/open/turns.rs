//! A call whose turn it is: what it does goes together with what those behind it do.

use std::sync::Arc;

use raytree_types::codec::Codec;

use super::OpenCall;
use crate::runtime::burst;
use crate::task::args::Pinned;
use crate::trace::{self, Traced};
use crate::user::actor::Actor;
use crate::user::job::Boxed;
use crate::user::method::{Begun, Invocation};

impl<T: Actor, I: Invocation<T>> OpenCall<T, I> {
    /// While the mailbox has more than this one, what goes to other processes goes together with what follows. Whoever takes
    /// that out of it ends the turn first, if it is not swift.
    pub(super) fn in_turn(self: &Arc<Self>, work: impl FnOnce(&Arc<Self>)) {
        if self.addr.probe().queued() > 1 {
            burst::in_turn(|| work(self));
        } else {
            work(self);
            burst::end_turn();
        }
    }

    /// What is to be run now; where that is nothing, it may have been the last of the turn.
    pub(super) fn begin_in_turn(self: &Arc<Self>) -> Option<(I, Pinned)> {
        let begun = self.begin();
        if begun.is_none() {
            self.in_turn(|_| ());
        }
        begun
    }

    pub(super) fn finish<'a>(
        self: Arc<Self>,
        begun: Begun<'a, I::Out>,
        codec: Codec,
        traced: Option<Traced>,
    ) -> Option<Boxed<'a>> {
        match begun {
            Begun::Done(result) => {
                self.in_turn(|own| own.returned(result, codec));
                None
            }
            Begun::Future(body) => {
                let body = trace::follow(traced, body);
                Some(Box::pin(async move {
                    if let Some(result) = self.drive(body).await {
                        self.returned(result, codec);
                    }
                }))
            }
        }
    }
}
