//! A call waits for its arguments, and then for its turn.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::OpenCall;
use crate::object::cell::Standing;
use crate::object::waiter::{Dependent, Needs};
use crate::task::args::{Settled, Subscriber};
use crate::user::actor::Actor;
use crate::user::job::{HostedMsg, Ticket};
use crate::user::method::Invocation;
use crate::user::order::Deferred;

impl<T: Actor, I: Invocation<T>> OpenCall<T, I> {
    pub(super) fn ask_for_arguments(self: Arc<Self>) {
        let needs = Needs::of_arguments(self.life.runtime().as_deref());
        if let Some(invocation) = &*self.invocation.lock() {
            invocation.each(&mut |settled: &dyn Settled| {
                self.missing.fetch_add(1, Ordering::AcqRel);
                let call = Arc::clone(&self) as Arc<dyn Dependent>;
                if settled.subscribe(Subscriber(call, needs)).0 != Standing::Pending {
                    self.missing.fetch_sub(1, Ordering::AcqRel);
                }
            });
        }
        self.argument(true);
    }
}

impl<T: Actor, I: Invocation<T>> Deferred for OpenCall<T, I> {
    fn is_complete(&self) -> bool {
        // One that was cancelled holds up nobody.
        self.missing.load(Ordering::Acquire) == 0 || self.is_answered()
    }

    fn send(self: Arc<Self>) {
        if self.is_answered() {
            return;
        }
        self.sent.store(true, Ordering::Release);
        let addr = self.addr.clone();
        // Refused: the ticket, dropped, says so.
        _ = addr.cast(HostedMsg::Method(Ticket::new(self)));
    }
}

impl<T: Actor, I: Invocation<T>> Dependent for OpenCall<T, I> {
    fn argument(self: Arc<Self>, _ok: bool) {
        // One that failed is found by the body that wants it.
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.order.advance();
        }
    }
}
