//! A link: what two processes do for each other over one [`Channel`]. Both sides are alike: each may ask the other to
//! run functions, to call methods, to hand out the value of an object, and answers the same questions itself.
//!
//! ```text
//! asks: ask() ──▶ Outgoing ──▶ socket ──▶ reader ──▶ serve: submits it here ──▶ object settles ──▶ Answer ──▶ back
//! ```
//!
//! No actor is on the way of a call: the one who asks writes to the socket himself, and one thread on each side reads. What
//! comes alone it hands on at once; what comes by the hundred wakes others once, and goes out together
//! ([`burst`](crate::runtime::burst)). Values are written by the one who has them and read on that thread, which is their types' own
//! code: it may not wait there, and is told so by an error of whatever it waits for. What is large waits a moment for room in the store,
//! and goes another way where that has to be made.
//!
//! What a value refers to is *exported*: the sender holds the object or the actor for the receiver, under a number, until
//! the receiver lets go of it. One that came over the same link goes back as the receiver's own; one of a third process is
//! exported anew, and its value passes through here.
//!
//! Two workers of one job have a link as well, for calls alone ([`neighbour`]).
//!
//! A link that has ended is never taken up again. Whoever owns it decides when that is: [`Link::end`] tells everybody who
//! waits, with the cause.
//!
//! Where more waits to go out than [`LINK_WAITING_BYTES_MAX`](raytree_types::limits::LINK_WAITING_BYTES_MAX) there is no
//! *room*: tasks are not seated over it and calls wait with their stand-ins, but what follows from work that was begun
//! (answers, items, cancels, releases, ends) is said at once, and whoever reads never waits to write. So a slow process
//! grows nobody else, and there is nothing that two who wait could wait for of each other.
//!
//! Invariants:
//! - **LI-1 (answered-once):** every question is answered once: with what came of it, or with the end of the link.
//! - **LI-2 (held-until-released):** what is exported lives until it is released or the link has ended, and no longer.

pub(crate) mod adopt;
mod answer;
mod birth;
mod channel;
mod export;
mod flushes;
mod frame;
mod import;
mod logs;
mod neighbour;
mod open_links;
mod outgoing;
mod relay;
mod serve;
mod stored;
mod stream;
mod watch;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;
use raytree_engine::borrow::{Exports, Imports};
use raytree_supervise::panics;
use raytree_types::{AbandonedThreads, Cause, Error, Exit, Result};
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use crate::object::part::Part;
use crate::runtime::burst::Burst;
use crate::runtime::life::Life;
use crate::runtime::{Shared, ambient};
use answer::Asks;
pub(crate) use answer::{Answer, Landing};
pub(crate) use birth::{Births, made_by};
pub(crate) use channel::Channel;
use channel::Reads;
use export::Kept;
pub(crate) use export::{Called, Callee, Held, Object, Token};
use flushes::FlushesFirst;
pub(crate) use frame::Ask;
pub use frame::{CallTerms, Terms};
use frame::{Frame, Packed};
pub(crate) use import::{Home, Imported, ImportedActor};
pub(crate) use neighbour::Between;
pub(crate) use open_links::OpenLinks;
use outgoing::Outgoing;
pub(crate) use serve::ITS_RESULT;
pub use serve::Served;
use stored::Loan;
use stream::Unsent;
use watch::Watcher;

/// See the [module documentation](self).
pub(crate) struct Link {
    /// Who is at the other end, for messages.
    pub(crate) peer: Arc<str>,
    pub(crate) life: &'static Life,
    out: Outgoing,
    /// Told whenever there is room again.
    room: Arc<Notify>,
    tables: Mutex<Tables>,
    /// Numbers of calls and exports of this side.
    next: AtomicU64,
    /// The abandoned threads of the other side, as it said last.
    abandoned: Mutex<AbandonedThreads>,
    /// They are too many: the other side leaves.
    leaves: AtomicBool,
    /// The other end is a worker of the same job, and no owner of anything.
    between: Option<Between>,
    /// Where what is large may lie.
    stores: stored::Common,
    /// How many objects of the other side this one knows of, and has not heard the value of.
    owed: AtomicUsize,
}

#[derive(Default)]
struct Tables {
    /// Questions of this side.
    asked: HashMap<u64, Box<dyn Landing>>,
    /// Questions of the other side, as far as they have no answer yet.
    serving: HashMap<u64, serve::Serving>,
    /// What the other side holds of this one: references, with who waits for the ends of those that are actors, and objects of the
    /// store that it is told of, until it holds them itself.
    exports: Exports<Arc<Token>, Loan, AbortHandle>,
    /// Objects of other stores that it has told of.
    told: stored::Told,
    /// What this side holds of actors there, and who wants to hear of their ends.
    imports: Imports<Watcher, Box<Exit>>,
    /// Why there is no link any more.
    ended: Option<Cause>,
}

impl Link {
    /// Takes a stream up. `hung_up` is called on the link's thread when the other side says nothing more, or nonsense; the
    /// link ends with [`Link::end`], not before.
    ///
    /// # Errors
    /// What the operating system said.
    pub(crate) fn start(
        peer: &str,
        channel: impl Into<Channel>,
        runtime: &Arc<Shared>,
        hung_up: impl FnOnce(Cause) + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        Self::open(peer, None, channel.into(), runtime, hung_up)
    }

    fn open(
        peer: &str,
        between: Option<Between>,
        channel: Channel,
        runtime: &Arc<Shared>,
        hung_up: impl FnOnce(Cause) + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let (reads, writes) = channel.split()?;
        let (life, room) = (runtime.life, Arc::new(Notify::new()));
        let tells = Arc::clone(&room);
        let on_room = move || {
            tells.notify_waiters();
            if let Some(runtime) = life.runtime() {
                runtime.link_has_room();
            }
        };
        let link = Arc::new(Self {
            peer: peer.into(),
            life,
            out: Outgoing::new(writes, Box::new(on_room)),
            room,
            tables: Mutex::default(),
            next: AtomicU64::new(1),
            abandoned: Mutex::default(),
            leaves: AtomicBool::new(false),
            between,
            stores: stored::Common::default(),
            owed: AtomicUsize::default(),
        });
        runtime.links.enter(&link);
        link.out.is_looked_after(&runtime.system);
        link.offers_its_store(runtime);
        let (own, here) = (Arc::clone(&link), Arc::clone(&runtime.here));
        thread::Builder::new().name("raytree-link".to_owned()).spawn(move || {
            // What is read here may submit tasks, and must not block.
            ambient::bind_thread(here, false);
            raytree_objects::impatient();
            hung_up(match reads {
                Reads::Unix(reads) => own.read(reads),
                Reads::Wire(reads) => own.read(reads),
            });
        })?;
        Ok(link)
    }

    fn read(self: &Arc<Self>, from: impl Read) -> Cause {
        let burst = RefCell::new(Burst::begin());
        let from = FlushesFirst { from, burst: &burst };
        let mut from = BufReader::with_capacity(64 << 10, from);
        loop {
            let frame = match stream::read::<Frame>(&mut from) {
                Ok(frame) => frame,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Cause::message(format!("{} speaks nonsense: {error}", self.peer));
                }
                Err(_) => return Cause::message(format!("the link to {} was cut", self.peer)),
            };
            if !frame.is_of_many() {
                burst.borrow_mut().flush();
            }
            // A value's own code runs here.
            if let Err(cause) = panics::catch(|| self.hear(frame)) {
                tracing::error!(peer = &*self.peer, "what came over the link panicked: {cause}");
            }
            burst.borrow_mut().heard();
        }
    }

    fn hear(self: &Arc<Self>, frame: Frame) {
        match frame {
            Frame::Ask { call, what, arguments } => self.asked(call, what, arguments),
            Frame::Answer { call, result } => self.answered(call, result),
            Frame::Withdraw { call, recursive } => self.withdrawn(call, recursive),
            Frame::Item { call, item } => self.item(call, item),
            Frame::Room { call, items } => self.room(call, items),
            Frame::Release { export } => _ = self.take_export(export),
            // Nothing of a worker is another one's.
            Frame::Cancel { .. } | Frame::End { .. } if self.between.is_some() => {}
            Frame::Cancel { export, recursive } => {
                if let Some(Held::Object(object)) = self.export(export) {
                    object.cancel(recursive);
                }
            }
            Frame::End { export, kill } => {
                if let Some(Held::Actor(actor)) = self.export(export) {
                    actor.end(kill);
                }
            }
            Frame::Abandoned { threads, leaves } => {
                *self.abandoned.lock() = threads;
                self.leaves.fetch_or(leaves, Ordering::SeqCst);
            }
            Frame::Pass { to, number, what } => self.hand_on(&to, number, what),
            Frame::Passed { from, number, what } => self.is_passed(from, number, what),
            Frame::Unpassed { numbers } => self.unpassed(&numbers),
            Frame::Unreachable { worker } => self.is_unreachable(worker),
            Frame::Ended { worker } => self.has_ended(&worker),
            Frame::Lines(lines) => self.hears_lines(lines),
            Frame::Store { door, at } => self.is_offered(&door, at),
            Frame::Shares { door } => self.shares(&door),
            Frame::Hurry { export } => self.hears_hurry(export),
            Frame::Exited { export, exit } => self.exited(export, exit),
        }
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn say(&self, frame: &Frame) -> std::result::Result<(), Unsent> {
        self.out.give(stream::write(frame)?);
        Ok(())
    }

    /// Says what has no arguments, and can always be written.
    fn tell(&self, frame: &Frame) {
        if let Err(error) = self.say(frame) {
            let error = error.of("what it is told");
            tracing::error!(peer = &*self.peer, %error, "a message cannot be written");
        }
    }

    /// Whether new work may be sent. Whoever asks may be one of many: each may send one message then.
    pub(crate) fn has_room(&self) -> bool {
        self.out.has_room()
    }

    /// Waits until new work may be sent, or the link has ended.
    pub(crate) async fn wait_for_room(&self) {
        loop {
            // Before the look, so that nothing is missed.
            let told = self.room.notified();
            if self.has_room() {
                return;
            }
            told.await;
        }
    }

    /// Asks a question. Whatever happens, `landing` hears of it once; perhaps before this returns.
    pub(crate) fn ask(
        self: &Arc<Self>,
        what: Ask,
        arguments: Vec<Part>,
        landing: Box<dyn Landing>,
    ) -> u64 {
        let call = self.number();
        {
            let mut tables = self.tables.lock();
            if let Some(cause) = tables.ended.clone() {
                drop(tables);
                landing.land(Answer::Lost(cause));
                return call;
            }
            tables.asked.insert(call, landing);
            if matches!(what, Ask::Make { .. }) {
                // It is held for this side from its making on.
                tables.imports.comes(made_by(call));
            }
        }
        let may_stay = matches!(what, Ask::Run { .. } | Ask::Call { .. });
        // Another run of a task gets its arguments anew; a call keeps its turn, and asks for them again.
        let asks_again = matches!(what, Ask::Call { .. });
        let mut kept = Kept::of_value(may_stay);
        let arguments = arguments.into_iter().map(|part| {
            let mut part = if may_stay { part } else { part.fetched()? };
            part.object = part.object.filter(|_| asks_again);
            // An argument that is an object of its own has no references.
            kept.may_stay = may_stay && part.written.refs.is_empty();
            self.pack(part, &mut kept)
        });
        let said = arguments.collect::<Result<_>>().and_then(|arguments| {
            let frame = Frame::Ask { call, what, arguments };
            self.say(&frame).map_err(|unsent| unsent.of(&frame.name()))
        });
        match said {
            Ok(()) => self.said(&kept),
            Err(error) => {
                self.unsaid(&kept);
                self.settle(call, Answer::Failed(error));
            }
        }
        call
    }

    /// Asks a question without arguments, and waits for its answer.
    pub(crate) async fn request(self: &Arc<Self>, what: Ask) -> Result<Part> {
        self.request_with(what, Vec::new()).await
    }

    pub(crate) async fn request_with(
        self: &Arc<Self>,
        what: Ask,
        arguments: Vec<Part>,
    ) -> Result<Part> {
        struct Tells(oneshot::Sender<Answer>);
        impl Landing for Tells {
            fn land(self: Box<Self>, answer: Answer) {
                // Whoever asked may have left.
                _ = self.0.send(answer);
            }
        }
        let (tells, told) = oneshot::channel();
        let call = self.ask(what, arguments, Box::new(Tells(tells)));
        // Given up, it is not wanted any more.
        let _asks = Asks { link: Arc::clone(self), call };
        match told.await {
            Ok(Answer::Value(part)) => Ok(part),
            Ok(Answer::Failed(error)) => Err(error),
            Ok(Answer::Lost(_)) | Err(_) => Err(self.life.gone()),
        }
    }

    fn settle(&self, call: u64, answer: Answer) {
        let landing = self.tables.lock().asked.remove(&call);
        if let Some(landing) = landing {
            landing.land(answer);
        }
    }

    fn answered(self: &Arc<Self>, call: u64, result: std::result::Result<Packed, Error>) {
        let answer = match result.map(|packed| self.unpack(packed)) {
            Ok(Ok(part)) => Answer::Value(part),
            Ok(Err(error)) if stored::is_lost(&error) => {
                self.fails_later(call, error);
                return;
            }
            // What it refers to died with the one who has sent it: so has the answer.
            Ok(Err(_)) if self.has_surely_ended() => Answer::Lost(self.surely_ended()),
            Err(mut error) | Ok(Err(mut error)) => {
                // It does not know what it is called here. One that has asked somebody else has said whom.
                if let Error::ProgramsDiffer { asked, .. } = &mut error
                    && asked.is_empty()
                {
                    (*self.peer).clone_into(asked);
                }
                Answer::Failed(error)
            }
        };
        self.settle(call, answer);
    }

    /// The answer is no longer wanted: who asked hears nothing more.
    pub(crate) fn withdraw(&self, call: u64, recursive: bool) {
        let landing = self.tables.lock().asked.remove(&call);
        if landing.is_some() {
            self.tell(&Frame::Withdraw { call, recursive });
        }
        drop(landing);
    }

    /// So many further items may come.
    pub(crate) fn give_room(&self, call: u64, items: u32) {
        self.tell(&Frame::Room { call, items });
    }

    /// An actor that this side holds is to end.
    pub(crate) fn end_actor(&self, export: u64, kill: bool) {
        self.tell(&Frame::End { export, kill });
    }

    /// The other side hears of this side's abandoned threads.
    pub(crate) fn tell_abandoned(&self, threads: &AbandonedThreads, leaves: bool) {
        self.tell(&Frame::Abandoned { threads: threads.clone(), leaves });
    }

    /// Those of the other side, as it said last.
    pub(crate) fn abandoned(&self) -> AbandonedThreads {
        self.abandoned.lock().clone()
    }

    /// The other side has said that it leaves: it is given nothing new (DR-1).
    pub(crate) fn leaves(&self) -> bool {
        self.leaves.load(Ordering::SeqCst)
    }

    /// What was left to be written with others goes: this process ends.
    pub(crate) fn flush(&self) {
        self.out.flush();
    }

    /// All that there is to say has gone out, and what lies in the store was taken over: no items of a stream are left.
    pub(crate) fn has_said_all(&self) -> bool {
        let is_stream = |serving: &serve::Serving| matches!(serving, serve::Serving::Many(..));
        let tables = self.tables.lock();
        let is_over = !tables.exports.loans().any(|(_, loan)| loan.is_on_its_way())
            && !tables.serving.values().any(is_stream);
        is_over && self.out.is_empty()
    }

    /// Ends it: everybody who waits is told `cause`, what the other side asked for is given up, what it held is let go.
    /// A later end changes nothing.
    pub(crate) fn end(&self, cause: &Cause) {
        let left = {
            let mut tables = self.tables.lock();
            if tables.ended.is_some() {
                return;
            }
            let ended = Some(cause.clone());
            let exports = Exports::over();
            mem::replace(&mut *tables, Tables { ended, exports, ..Tables::default() })
        };
        self.out.close();
        let Tables { asked, serving, exports, told, imports, .. } = left;
        let tokens = export::tokens_of(exports);
        self.keeps_what_it_was_told_of(told);
        for serving in serving.into_values() {
            serving.give_up(true);
        }
        // What is dropped here may be the user's, and may look at this link.
        if let Err(cause) = panics::catch(|| drop(tokens)) {
            tracing::error!("dropping what the other side held panicked: {cause}");
        }
        // One that panics keeps the word from nobody else (LI-1).
        let quietly = |tell: Box<dyn FnOnce() + '_>| {
            if let Err(cause) = panics::catch(tell) {
                tracing::error!("telling of the end of a link panicked: {cause}");
            }
        };
        for landing in asked.into_values() {
            quietly(Box::new(|| landing.land(Answer::Lost(cause.clone()))));
        }
        for told in imports.into_waiting() {
            quietly(Box::new(|| told(Err(cause.clone()))));
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.end(&Cause::message(format!("nobody held the link to {}", self.peer)));
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.out.waiting();
        f.debug_struct("Link")
            .field("peer", &self.peer)
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
