//! A call waits for its arguments, and then for its turn; and once more, where an argument was lost before its turn came.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{NOBODYS, OpenCall};
use crate::object::cell::Standing;
use crate::object::waiter::{Dependent, Needs};
use crate::object::wanted::Wants;
use crate::task::args::{self, Pinned, Settled, Subscriber};
use crate::user::actor::Actor;
use crate::user::job::{HostedMsg, Ticket};
use crate::user::method::Invocation;
use crate::user::order::Deferred;

impl<T: Actor, I: Invocation<T>> OpenCall<T, I> {
    pub(super) fn ask_for_arguments(self: Arc<Self>) {
        let needs = Needs::of_arguments(self.life.runtime().as_deref());
        let mut wanted = Vec::new();
        if let Some(invocation) = &*self.invocation.lock() {
            invocation.each(&mut |settled: &dyn Settled| {
                self.missing.fetch_add(1, Ordering::AcqRel);
                let call = Arc::clone(&self) as Arc<dyn Dependent>;
                let (standing, later) = settled.subscribe(Subscriber(call, needs)).apart();
                if standing != Standing::Pending {
                    self.missing.fetch_sub(1, Ordering::AcqRel);
                }
                wanted.extend(later);
            });
        }
        wanted.into_iter().for_each(Wants::want);
        self.argument(true);
    }

    /// Its turn has come: whether it has its arguments, which stay where they are then, and no earlier call of its caller waits for some. One
    /// that was answered begins, and does nothing.
    pub(super) fn may_begin(&self, needs: Needs) -> bool {
        let has_arguments = || {
            let pinned = if self.refers { self.pins_arguments(needs) } else { Some(Vec::new()) };
            pinned.map(|pinned| drop(mem::replace(&mut *self.pinned.lock(), pinned))).is_some()
        };
        if self.order.may_begin(self) && has_arguments() {
            self.lets_others_begin();
            return true;
        }
        self.is_answered()
    }

    fn pins_arguments(&self, needs: Needs) -> Option<Pinned> {
        args::pinned(needs, |visit| {
            if let Some(invocation) = &*self.invocation.lock() {
                invocation.each(visit);
            }
        })
    }

    /// Back into the line of its caller, before what that has not sent yet.
    pub(super) fn goes_back(self: Arc<Self>) {
        // What has gathered is sent now, if this was the last of its turn.
        self.in_turn(|_| ());
        {
            // Who answers it looks at this afterwards.
            let _out = self.out.lock();
            self.is_back.store(true, Ordering::Relaxed);
        }
        // No life has it.
        self.exits.store(NOBODYS, Ordering::Release);
        self.sent.store(false, Ordering::Release);
        self.missing.store(1, Ordering::Release);
        if self.order.comes_back(Arc::clone(&self) as Arc<dyn Deferred>) {
            self.ask_for_arguments();
        } else {
            drop(self.credit.lock().take());
        }
    }

    /// It begins, or is over: those behind it need not wait for it, where it came back.
    fn lets_others_begin(&self) {
        if self.is_back.swap(false, Ordering::Relaxed) {
            self.order.goes_on(self);
        }
    }

    /// It is over.
    pub(super) fn lets_others_go_on(&self) {
        self.lets_others_begin();
        drop(self.pinned());
    }

    /// What keeps its arguments where they are.
    pub(super) fn pinned(&self) -> Pinned {
        if self.refers { mem::take(&mut *self.pinned.lock()) } else { Vec::new() }
    }
}

impl<T: Actor, I: Invocation<T>> Deferred for OpenCall<T, I> {
    fn number(&self) -> u64 {
        self.number
    }

    fn is_complete(&self) -> bool {
        // One that was cancelled holds up nobody.
        self.missing.load(Ordering::Acquire) == 0 || self.is_answered()
    }

    fn is_over(&self) -> bool {
        self.is_answered()
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
