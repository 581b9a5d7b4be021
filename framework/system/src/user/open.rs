//! Calls that have no answer yet.
//!
//! Invariants:
//! - **OC-1 (always-answered):** a call gets its answer, or the end of the life that lost it, even when a thread that hangs
//!   keeps the actor's mailbox for ever.
//! - **OC-2 (at-most-once):** without `retries` a call begins at most once; with them, once more for each life it was lost
//!   with.

mod arguments;
mod calls;
mod turns;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use std::task::Poll;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use raytree_supervise::{Addr, Credit, panics};
use raytree_types::state::TaskState;
use raytree_types::{Error, Result};

use super::actor::Actor;
use super::context::ActorContext;
use super::handle::{ActorHandle, Lease};
use super::job::{Boxed, HostedMsg, MethodJob, Ticket};
use super::method::{Begun, Invocation};
use super::order::{Deferred, Order};
use super::status::Cell;
use crate::link::Link;
use crate::object::cell::{Maker, ObjectCell, Producer};
use crate::object::part::Part;
use crate::object::travel;
use crate::object::waiter::Needs;
use crate::runtime::burst;
use crate::runtime::life::Life;
use crate::task::args::Pinned;
use crate::task::context::{self, Mode};
use crate::task::failure::Failure;
use crate::trace::{self, TraceContext, Traced};
use crate::worker::crossing::Passage;
use crate::worker::pace::Hold;
pub(crate) use calls::{Awaited, Open, OpenCalls, Seen};

/// Not in any place yet, or no longer.
const NOWHERE: usize = usize::MAX;

/// More lives than ever end: a call that no life has is lost with the one that is announced next.
const NOBODYS: u64 = u64::MAX;

/// One call.
pub(crate) struct OpenCall<T: Actor, I: Invocation<T>> {
    /// Where it stands among the open ones.
    place: AtomicUsize,
    label: &'static str,
    short_name: &'static str,
    exclusive: bool,
    blocking: bool,
    sync: bool,
    pub(super) life: &'static Life,
    addr: Addr<HostedMsg<T>>,
    pub(super) cell: Arc<Cell>,
    order: Arc<Order>,
    /// As how many-th of its caller it was made.
    number: u64,
    /// Arguments that are not there yet, and one while they are asked.
    missing: AtomicUsize,
    /// It has arguments that are references.
    refers: bool,
    /// It came back into the line of its caller, and has not begun since.
    is_back: AtomicBool,
    /// Its turn has come, and until it has its arguments this keeps them where they are.
    pinned: Mutex<Pinned>,
    invocation: Mutex<Option<I>>,
    credit: Mutex<Option<Credit>>,
    /// What was asked of an actor keeps it alive until it is answered, whoever still holds a handle.
    lease: Mutex<Option<Arc<Lease>>>,
    /// It has left the line of its caller.
    sent: AtomicBool,
    /// Its body was begun here.
    begun: AtomicBool,
    pub(super) out: Mutex<Option<Arc<ObjectCell<I::Out>>>>,
    /// Its message was dropped unanswered.
    lost: AtomicBool,
    /// Lives that had ended when it went to the one that has it; [`NOBODYS`] while none has it.
    exits: AtomicU64,
    retries: AtomicU32,
    /// Whoever polls its body is woken when it is cancelled.
    waker: AtomicWaker,
    /// Within which it was made, where anybody wants to know.
    trace: Option<Box<TraceContext>>,
    /// Where it runs, when that is in another process.
    pub(super) away: Mutex<Option<(Arc<Link>, u64)>>,
}

impl<T: Actor, I: Invocation<T>> OpenCall<T, I> {
    /// Makes a call: at once if it can go, else as soon as its arguments and the caller's earlier calls allow.
    pub(crate) fn make(
        handle: &ActorHandle<T>,
        order: &Arc<Order>,
        (invocation, credit, retries): (I, Credit, Option<u32>),
        (life, out): (&'static Life, Arc<ObjectCell<I::Out>>),
    ) {
        let (mut refers, mut waits) = (false, false);
        let needs = Needs::of_arguments(life.runtime().as_deref());
        invocation.each(&mut |settled| {
            refers = true;
            waits |= !needs.has(settled);
        });
        let waits = waits || !order.is_empty();
        let (addr, cell) = (&handle.addr, handle.cell());
        let most = || cell.options.retries_max();
        let retries = if I::REPEATS { retries.unwrap_or_else(most) } else { 0 };
        let call = Arc::new(Self {
            place: AtomicUsize::new(NOWHERE),
            label: invocation.label(),
            short_name: invocation.short_name(),
            exclusive: invocation.is_exclusive(),
            blocking: invocation.is_blocking(),
            sync: invocation.is_sync(),
            life,
            addr: addr.clone(),
            cell: Arc::clone(cell),
            order: Arc::clone(order),
            number: order.number(),
            missing: AtomicUsize::new(1),
            refers,
            is_back: AtomicBool::new(false),
            pinned: Mutex::default(),
            invocation: Mutex::new(Some(if retries > 0 { invocation.keep() } else { invocation })),
            credit: Mutex::new(Some(credit)),
            lease: Mutex::new(Some(Arc::clone(&handle.lease))),
            sent: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            out: Mutex::new(Some(Arc::clone(&out))),
            lost: AtomicBool::new(false),
            exits: AtomicU64::new(NOBODYS),
            retries: AtomicU32::new(retries),
            waker: AtomicWaker::new(),
            trace: trace::outgoing().map(Box::new),
            away: Mutex::new(None),
        });
        out.made_by(Arc::clone(&call) as Arc<dyn Producer>);
        let place = cell.open.enter(Arc::clone(&call) as Arc<dyn Open>);
        call.place.store(place, Ordering::Release);
        if call.is_answered() {
            // The actor died in between.
            cell.open.leave(call.place.swap(NOWHERE, Ordering::AcqRel));
        }
        if !waits {
            call.missing.store(0, Ordering::Release);
            burst::send(call);
            return;
        }
        // Who has its arguments sends it, and may be quicker than this thread.
        burst::send_kept();
        order.push(Arc::clone(&call) as Arc<dyn Deferred>);
        Arc::clone(&call).ask_for_arguments();
        if cell.is_dead() {
            // It may have died before it knew of this call, and nobody asks whether it can be sent.
            call.answer(Err(cell.gone()));
        }
    }

    /// The answer, for all who wait.
    fn answer(&self, result: Result<I::Out>) {
        if let Some(out) = self.is_over() {
            out.settle(result);
        }
    }

    /// Its answer is in a store of another node.
    pub(super) fn returned_far(&self, part: Part) {
        // Whoever has the answer finds room for the next call.
        drop(self.credit.lock().take());
        if let Some(out) = self.is_over() {
            out.arrived();
            out.comes_from_method();
            out.settle_far(part);
        }
    }

    /// Where its answer goes, unless it has one.
    fn is_over(&self) -> Option<Arc<ObjectCell<I::Out>>> {
        let out = self.out.lock().take()?;
        self.cell.open.leave(self.place.swap(NOWHERE, Ordering::AcqRel));
        drop(self.lease.lock().take());
        self.lets_others_go_on();
        let invocation = self.invocation.lock().take();
        // The user's drop.
        _ = panics::catch(|| drop(invocation));
        Some(out)
    }

    /// Within which it was made.
    pub(super) fn trace(&self) -> Option<TraceContext> {
        self.trace.as_deref().copied()
    }

    /// Its span, which begins now.
    fn traced(&self) -> Option<Traced> {
        let actor = (&*self.cell.name, self.cell.id);
        self.trace().map(|parent| Traced::call(parent, self.label, actor))
    }

    /// Its body runs, or may do so where it was sent.
    fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed) || self.away.lock().is_some()
    }

    pub(super) fn is_answered(&self) -> bool {
        self.out.lock().is_none()
    }

    pub(super) fn returned(
        &self,
        result: Result<I::Out, Failure>,
        codec: raytree_types::codec::Codec,
    ) {
        let result = result
            .and_then(|value| travel::through(self.life, codec, value).map_err(Failure::from))
            .map_err(|failure| failure.into_error(self.label));
        // Whoever has the answer finds room for the next call.
        drop(self.credit.lock().take());
        self.answer(result);
    }

    /// What is to be run now, with what keeps its arguments where they are until it has them; none when nobody wants it any more.
    pub(super) fn begin(&self) -> Option<(I, Pinned)> {
        self.begun.store(true, Ordering::Relaxed);
        let pinned = self.pinned();
        let mut invocation = self.invocation.lock();
        if self.retries.load(Ordering::Acquire) > 0
            && let Some(again) = invocation.as_ref().and_then(Invocation::again)
        {
            return Some((again, pinned));
        }
        invocation.take().map(|invocation| (invocation, pinned))
    }

    /// What is done for it elsewhere, until the call is cancelled.
    pub(super) async fn watched<R>(&self, work: impl Future<Output = R>) -> Option<R> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.is_answered() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }

    /// Polls a body until it ends or the call is cancelled.
    async fn drive(
        &self,
        body: impl Future<Output = Result<I::Out, Failure>>,
    ) -> Option<Result<I::Out, Failure>> {
        let mut body = pin!(body);
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.is_answered() {
                return Poll::Ready(None);
            }
            let _entered = context::enter_actor(&self.cell, Mode::Async);
            body.as_mut().poll(cx).map(Some)
        })
        .await
    }
}

impl<T: Actor, I: Invocation<T>> Producer for OpenCall<T, I> {
    fn maker(&self) -> Option<Maker> {
        Some(Maker::Call(self.cell.known_as()))
    }

    fn cancel(&self, _recursive: bool) {
        self.fail(Error::Cancelled { task: self.label.to_owned() });
    }
}

impl<T: Actor, I: Invocation<T>> Open for OpenCall<T, I> {
    fn fail(&self, error: Error) {
        if !self.sent.load(Ordering::Acquire) {
            // It was not sent yet, and takes no room in the mailbox.
            drop(self.credit.lock().take());
        }
        self.answer(Err(error));
        self.waker.wake();
        self.order.advance();
        self.withdraw();
    }

    fn seen(&self) -> Seen {
        let state = match (self.missing.load(Ordering::Acquire), self.has_begun()) {
            (0, true) => TaskState::Running,
            (0, false) => TaskState::Queued,
            _ => TaskState::PendingArguments,
        };
        let out = self.out.lock().clone();
        let out = out.map(|out| out.seen());
        Seen { label: self.label, state, out }
    }

    fn arguments(&self) -> Vec<usize> {
        self.invocation.lock().as_ref().map(I::arguments).unwrap_or_default()
    }

    fn awaited(&self) -> Awaited {
        // The object's own lock is taken after this one is let go.
        let out = self.out.lock().clone();
        let by = out.map(|out| out.awaited_by()).unwrap_or_default();
        Awaited { what: self.short_name, has_begun: self.has_begun(), by }
    }

    fn life_ended(self: Arc<Self>, error: &Error, dead: bool) {
        // Whoever takes the mark decides: the end and the drop of the message may come at once.
        if !dead && !self.lost.swap(false, Ordering::AcqRel) {
            return;
        }
        let again = !dead
            && self.retries.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less).is_ok();
        if again {
            if !self.is_answered() {
                self.exits.store(NOBODYS, Ordering::Release);
                let addr = self.addr.clone();
                // What was sent later waits behind it (OR-1). Refused: the ticket, dropped, says so.
                _ = addr.cast_first(HostedMsg::Method(Ticket::new(self)));
            }
        } else {
            self.answer(Err(error.clone()));
        }
    }
}

/// One retry less; none where there was none.
fn one_less(left: u32) -> Option<u32> {
    left.checked_sub(1)
}

impl<T: Actor, I: Invocation<T>> MethodJob<T> for OpenCall<T, I> {
    fn short_name(&self) -> &'static str {
        self.short_name
    }

    fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    fn is_blocking(&self) -> bool {
        self.blocking
    }

    fn is_sync(&self) -> bool {
        self.sync
    }

    fn exclusive<'a>(
        self: Arc<Self>,
        actor: &'a mut T,
        ctx: &'a ActorContext<T>,
        hold: &Hold,
    ) -> Option<Boxed<'a>> {
        let (invocation, _pinned) = self.begin_in_turn()?;
        let (codec, traced) = (invocation.codec(), self.traced());
        let begun = {
            let _entered = context::enter_actor(&self.cell, Mode::SyncOnUserThread);
            let _inside = traced.as_ref().map(Traced::enter);
            hold.run(|| invocation.exclusive(actor, ctx), Begun::has_run)
        };
        self.finish(begun, codec, traced)
    }

    fn shared<'a>(
        self: Arc<Self>,
        actor: &'a T,
        ctx: &'a ActorContext<T>,
        hold: &Hold,
    ) -> Option<Boxed<'a>> {
        let (invocation, _pinned) = self.begin_in_turn()?;
        let (codec, traced) = (invocation.codec(), self.traced());
        let begun = {
            let _entered = context::enter_actor(&self.cell, Mode::SyncOnUserThread);
            let _inside = traced.as_ref().map(Traced::enter);
            hold.run(|| invocation.shared(actor, ctx), Begun::has_run)
        };
        self.finish(begun, codec, traced)
    }

    fn overlapping(
        self: Arc<Self>,
        actor: Arc<T>,
        ctx: ActorContext<T>,
        hold: Hold,
    ) -> Boxed<'static> {
        Box::pin(async move {
            if let Some(body) = Arc::clone(&self).shared(&actor, &ctx, &hold) {
                body.await;
            }
        })
    }

    fn on_own_thread(self: Arc<Self>, actor: &T, ctx: &ActorContext<T>) {
        let Some((invocation, _pinned)) = self.begin() else { return };
        let codec = invocation.codec();
        let traced = self.traced();
        let _entered = context::enter_actor(&self.cell, Mode::Sync);
        let _inside = traced.as_ref().map(Traced::enter);
        if let Begun::Done(result) = invocation.shared(actor, ctx) {
            self.returned(result, codec);
        }
    }

    fn has_turn(&self, needs: Needs) -> bool {
        self.may_begin(needs)
    }

    fn comes_back(self: Arc<Self>) {
        self.goes_back();
    }

    fn ship(self: Arc<Self>, by: Passage<'_, T>, ticket: Ticket<T>) {
        self.in_turn(|own| Arc::clone(own).go(by, ticket));
    }

    fn again(&self, error: &Error) -> Option<u32> {
        let lives_again = matches!(error, Error::ActorDied { will_restart: true, .. });
        let order = Ordering::AcqRel;
        let before = if lives_again && !self.is_answered() {
            self.retries.fetch_update(order, Ordering::Acquire, one_less).ok()
        } else {
            None
        };
        if before.is_none() {
            self.answer(Err(error.clone()));
        }
        before.map(|before| before - 1)
    }

    fn delivered(&self) {
        self.exits.store(self.cell.exits(), Ordering::Release);
    }

    /// Its message was dropped; unless it was answered before, it is lost with the life that had it.
    fn dropped(self: Arc<Self>) {
        drop(self.credit.lock().take());
        if self.is_answered() {
            return;
        }
        self.lost.store(true, Ordering::Release);
        // Either this sees the end, or the end sees the mark (`Cell::exited` has the other fence).
        fence(Ordering::SeqCst);
        // The end of the life that had it, if it was announced before this; else the one that is announced next tells it.
        if self.cell.exits() > self.exits.load(Ordering::Acquire) || self.cell.is_dead() {
            let (error, dead) = (self.cell.gone(), self.cell.is_dead());
            self.life_ended(&error, dead);
        }
    }
}
