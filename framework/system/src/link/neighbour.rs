//! What two workers of one job do for each other over a link between them, and what their owner, the driver, does for that.
//!
//! Over such a link calls of actors go, and their answers, and nothing else. Whatever a value refers to stays with the owner,
//! as if the value had gone through it: the sender has the owner hold it for the other one (it is *passed*), and speaks of it
//! by a number. Who gets such a message waits for what it speaks of, and so does all that comes behind it over that link. So no
//! reference hangs from a process that merely sent it; but values with references wait for the owner where others do not, and
//! while the owner stands still they hold up what follows them.
//!
//! Invariants:
//! - **LB-1 (calls-alone):** a neighbour gets nothing but the lives that its own owner has begun, and does nothing with them
//!   but to call them.
//! - **LB-2 (no-chain):** a reference that was sent to a neighbour is good for as long as its owner is, whatever becomes of
//!   the one who sent it.

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use raytree_process::cluster::{LifeAddress, Worker};
use raytree_supervise::panics;
use raytree_types::codec::{Codec, RefToken};
use raytree_types::{ActorId, Cause, Error, Incarnation, Result};

use super::export::{Held, Kept, unknown};
use super::frame::{Ask, Frame, WireRef};
use super::serve::{Serving, gone};
use super::{Channel, Link};
use crate::cluster::neighbours::Neighbours;
use crate::object::part::Part;
use crate::runtime::Shared;

/// Whom a link leads to, of those who have one owner.
pub(crate) struct Between {
    who: Worker,
    all: Arc<Neighbours>,
    /// The other one has surely ended.
    has_ended: AtomicBool,
}

impl Between {
    /// The owner holds a reference for the other one.
    pub(super) fn pass(&self, token: RefToken, kept: &mut Kept) -> Result<WireRef> {
        let owner = self.all.owner().ok_or_else(unknown)?;
        // Kept until the words about it are given.
        let mut own = Kept::default();
        let what = owner.refer(token, &mut own)?;
        let number = self.all.number();
        owner.tell(&Frame::Pass { to: self.who.clone(), number, what });
        owner.said(&own);
        kept.words.passes(number);
        Ok(WireRef::Passed { number })
    }

    /// What the other one has passed under this number. Waits until the owner has handed it on.
    pub(super) fn take(&self, number: u64) -> Option<RefToken> {
        let is_over = || self.has_ended.load(Ordering::SeqCst);
        self.all.take_passed(&self.who, number, is_over)
    }
}

impl Link {
    /// As [`Link::start`], with a worker of the same job at the other end.
    ///
    /// # Errors
    /// What the operating system said.
    pub(crate) fn start_between(
        (who, all): (&Worker, &Arc<Neighbours>),
        channel: impl Into<Channel>,
        runtime: &Arc<Shared>,
        hung_up: impl FnOnce(Cause) + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let (who, all) = (who.clone(), Arc::clone(all));
        let peer = who.to_string();
        let between = Between { who, all, has_ended: AtomicBool::new(false) };
        Self::open(&peer, Some(between), channel.into(), runtime, hung_up)
    }

    /// The other one has surely ended: what it has passed and was not handed on will not be.
    pub(crate) fn waits_no_more(&self) {
        if let Some(between) = &self.between {
            between.has_ended.store(true, Ordering::SeqCst);
        }
    }

    /// A neighbour of which the owner has said that it has ended.
    pub(super) fn has_surely_ended(&self) -> bool {
        self.between.as_ref().is_some_and(|between| between.has_ended.load(Ordering::SeqCst))
    }

    pub(super) fn surely_ended(&self) -> Cause {
        Cause::message(format!("{} has ended", self.peer))
    }

    /// A neighbour may ask for calls alone (LB-1), and the owner for everything else.
    pub(super) fn may_ask(&self, what: &Ask) -> Result<()> {
        let is_between = matches!(what, Ask::Attach { .. });
        let is_call = matches!(what, Ask::Call { .. });
        if is_call || is_between == self.between.is_some() { Ok(()) } else { Err(stranger()) }
    }

    /// A life that the owner of both has begun here is held for the other side.
    pub(super) fn attach(
        self: &Arc<Self>,
        call: u64,
        id: ActorId,
        life: Incarnation,
    ) -> Result<()> {
        let runtime = self.life.runtime().ok_or_else(|| self.life.gone())?;
        let launch = runtime.table.launch(id).filter(|launch| launch.given() == Some(life));
        let token = launch.and_then(|launch| launch.token()).ok_or_else(stranger)?;
        let Held::Actor(actor) = token.held.clone() else { return Err(stranger()) };
        self.born(call, token, &*actor);
        Ok(())
    }

    /// Where an actor that the other side holds lives now, if that is another worker of this driver.
    pub(super) fn where_is(&self, export: u64) -> Option<LifeAddress> {
        let Some(Held::Actor(actor)) = self.export(export) else { return None };
        let (link, life) = actor.cell()?.lives_at()?;
        let runtime = self.life.runtime()?;
        let (worker, address) = runtime.driver.get()?.worker_over(&link)?;
        Some(LifeAddress { worker, address, life })
    }

    /// The other side hears of the end of a life of an actor that it holds, with the error that its callers get.
    pub(super) fn serve_end(
        self: &Arc<Self>,
        call: u64,
        export: u64,
        life: Incarnation,
    ) -> Result<()> {
        let Some(Held::Actor(actor)) = self.export(export) else { return Err(gone()) };
        let cell = actor.cell().ok_or_else(gone)?;
        let runtime = self.life.runtime().ok_or_else(|| self.life.gone())?;
        let link = Arc::downgrade(self);
        // The call is noted first: its answer may be there at once.
        let (begin, begins) = tokio::sync::oneshot::channel::<()>();
        let waits = runtime.system.spawn(async move {
            if begins.await.is_err() {
                return;
            }
            let error = cell.is_over(life).await;
            if let Some(link) = link.upgrade() {
                link.answer(call, Part::of(Codec::Compact, &error));
            }
        });
        if self.notes(call, Serving::End(waits.abort_handle())) {
            // It waits for this.
            _ = begin.send(());
        }
        Ok(())
    }

    /// A worker passes something to another one: this side, the owner of both, holds it for that.
    pub(super) fn hand_on(self: &Arc<Self>, to: &Worker, number: u64, what: WireRef) {
        let token = self.referred(what);
        let Some(runtime) = self.life.runtime() else { return };
        let Some(driver) = runtime.driver.get() else { return };
        let from = driver.worker_over(self).map(|(from, _)| from);
        // One that is gone waits for nothing.
        let (Some(from), Some(there)) = (from, driver.link_with(to)) else { return };
        let mut kept = Kept::default();
        let referred =
            panics::catch(|| there.refer(token?, &mut kept)).unwrap_or_else(|_| Err(unknown()));
        if referred.is_err() {
            there.unsaid(&mem::take(&mut kept));
        }
        there.tell(&Frame::Passed { from, number, what: referred.ok() });
        there.said(&kept);
    }

    pub(super) fn is_passed(self: &Arc<Self>, from: Worker, number: u64, what: Option<WireRef>) {
        let Some(runtime) = self.life.runtime().filter(|_| self.between.is_none()) else { return };
        let token = what.and_then(|what| self.referred(what).ok());
        if let Some(neighbours) = runtime.neighbours.get() {
            neighbours.has_passed(from, number, token);
        }
    }

    pub(super) fn unpassed(&self, numbers: &[u64]) {
        if let Some(between) = &self.between {
            numbers.iter().for_each(|number| drop(between.take(*number)));
        }
    }

    /// The other side, the owner of this worker and another one, hears that this one cannot reach that.
    pub(crate) fn cannot_reach(&self, worker: &Worker) {
        self.tell(&Frame::Unreachable { worker: worker.clone() });
    }

    pub(super) fn is_unreachable(self: &Arc<Self>, worker: Worker) {
        let Some(runtime) = self.life.runtime() else { return };
        let Some(driver) = runtime.driver.get() else { return };
        if let Some((by, _)) = driver.worker_over(self) {
            driver.cannot_be_reached(worker, by);
        }
    }

    /// The other side, a worker, hears that another one has surely ended.
    pub(crate) fn tell_ended(&self, worker: &Worker) {
        self.tell(&Frame::Ended { worker: worker.clone() });
    }

    pub(super) fn has_ended(&self, worker: &Worker) {
        let Some(runtime) = self.life.runtime().filter(|_| self.between.is_none()) else { return };
        if let Some(neighbours) = runtime.neighbours.get() {
            neighbours.has_ended(worker);
        }
    }
}

fn stranger() -> Error {
    let (type_name, reason) =
        ("a question".to_owned(), "it is none that this process answers whoever asks".to_owned());
    Error::CannotTravel { type_name, attribute: None, reason }
}
