//! What a value refers to, on its way out: objects and actors of this process that the other side holds.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use raytree_engine::borrow::{self, Exports, LetGo, Word};
use raytree_types::codec::RefToken;
use raytree_types::{ActorId, Error, Result};
use tokio::task::AbortHandle;

use super::adopt::Adopting;
use super::frame::{Buffer, CallTerms, Frame, Packed, WireRef};
use super::import::{Home, Imported, ImportedActor};
use super::serve::Served;
use super::stored::Loan;
use super::{Link, import, relay};
use crate::object::any::AnyObject;
use crate::object::cell::Standing;
use crate::object::part::{Far, Part};
use crate::object::seen::Seen;
use crate::object::waiter::Waiter;
use crate::user::remote::Ending;
use crate::user::status::Cell;

/// An object of any type.
pub(crate) trait Object: Send + Sync {
    /// Asks to be told when it is settled.
    fn ask(&self, waiter: Waiter) -> Standing;
    /// Its value in its written form, once it is settled.
    fn part(&self) -> Result<Part>;
    /// The same with all of it in this process. Waits until that is here.
    fn fetched(&self) -> Result<Part> {
        self.part()?.fetched()
    }
    /// Somebody could not fetch it from where it is.
    fn is_lost(&self) {}
    /// It is no longer wanted; nor, if `recursive`, is what its maker started.
    fn cancel(&self, recursive: bool);
    /// How it stands.
    fn seen(&self) -> Seen;
    /// Where it is an import that has not come yet: whose, and under which number.
    fn home(&self) -> Option<Home>;
}

/// An actor of any type.
pub(crate) trait Callee: Send + Sync {
    /// Its id, or why it could not be created.
    fn id(&self) -> Result<ActorId>;
    fn label(&self) -> String;
    /// As many calls may wait or run at once.
    fn mailbox(&self) -> usize;
    /// So often its calls are made again that were lost with a life.
    fn retries(&self) -> u32;
    fn ready(&self) -> Pin<Box<dyn Future<Output = Result<()>> + Send>>;
    /// Calls a method with arguments that have come as bytes.
    fn call(&self, to: &Called, arguments: Vec<Part>) -> Result<Served>;
    /// The process in which it lives now has the object from now on: a reference to that.
    fn adopts(&self, object: AnyObject) -> Adopting;
    fn end(&self, kill: bool);
    fn exited(&self) -> Ending;
    /// Where it is an import: whose, and under which number.
    fn home(&self) -> Option<Home>;
    /// What its handles share; none for one that could not be created.
    fn cell(&self) -> Option<Arc<Cell>>;
}

/// Which method is meant.
pub(crate) struct Called {
    pub(crate) method: String,
    pub(crate) signature: String,
    pub(crate) terms: CallTerms,
}

/// A reference inside a value, of this process.
pub(crate) struct Token {
    /// The `ObjectRef<T>` or `ActorRef<T>` itself.
    pub(crate) typed: Arc<dyn Any + Send + Sync>,
    pub(crate) held: Held,
}

/// What is held for the other side.
#[derive(Clone)]
pub(crate) enum Held {
    Object(Arc<dyn Object>),
    Actor(Arc<dyn Callee>),
}

/// What a message speaks of, while it is on its way to the stream.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) words: borrow::Kept<Spoken>,
    /// What of it is large may stay in the store of another node: whoever gets it waits for it where that is needed.
    pub(super) may_stay: bool,
}

/// What has something that a message speaks of.
pub(super) struct Spoken {
    token: Arc<Token>,
    #[expect(dead_code, reason = "held for its drop")]
    home: Option<Home>,
}

impl Kept {
    /// Of a value that may stay in the store of another node.
    pub(super) fn of_value(may_stay: bool) -> Self {
        Self { may_stay, ..Self::default() }
    }
}

impl Link {
    /// A value's references in words that the other side understands. What they speak of is kept until the words are
    /// given: a release must not overtake them.
    ///
    /// # Errors
    /// [`Error::CannotTravel`] for a reference that is none of this system's; [`Error::ObjectStoreFull`], [`Error::OutOfDisk`].
    pub(super) fn pack(self: &Arc<Self>, part: Part, kept: &mut Kept) -> Result<Packed> {
        let Part { mut written, far, object } = part;
        let refs = std::mem::take(&mut written.refs);
        let refs = refs.into_iter().map(|token| self.refer(token, kept)).collect::<Result<_>>()?;
        let mut there = far.into_iter().flat_map(|far| far.buffers).peekable();
        let mut buffers = Vec::with_capacity(written.buffers.len());
        for (at, bytes) in written.buffers.into_iter().enumerate() {
            buffers.push(match there.next_if(|far| far.at == at) {
                Some(far) => self.passes_on(far, kept)?,
                None => self.lays_apart(bytes, kept)?,
            });
        }
        let is_far = buffers.iter().any(|buffer| matches!(buffer, Buffer::Far { .. }));
        let object =
            object.filter(|_| is_far).map(|object| self.refer(object, kept)).transpose()?;
        Ok(Packed { object, ..Packed::of(written.head, buffers, refs) })
    }

    /// The value, with its references as tokens of this side.
    pub(super) fn unpack(self: &Arc<Self>, packed: Packed) -> Result<Part> {
        let Packed { head, buffers, refs, object } = packed;
        // All of them, also if one is none: what is not taken over here is held there for ever.
        // Buffers first: who speaks of a reference may have to be waited for.
        let mut far = Vec::new();
        let buffers = buffers.into_iter().enumerate();
        let buffers: Vec<_> =
            buffers.map(|(at, buffer)| self.laid_apart(at, buffer, &mut far)).collect();
        let refs: Vec<_> = refs.into_iter().map(|wire| self.referred(wire)).collect();
        let object = object.map(|wire| self.referred(wire)).transpose();
        let refs = refs.into_iter().collect::<Result<_>>()?;
        let buffers = buffers.into_iter().collect::<Result<_>>()?;
        let far = (!far.is_empty()).then(|| Box::new(Far { life: self.life, buffers: far }));
        let written = raytree_types::codec::Encoded { head: head.0, buffers, refs };
        Ok(Part { written, far, object: object? })
    }

    pub(super) fn refer(self: &Arc<Self>, token: RefToken, kept: &mut Kept) -> Result<WireRef> {
        if let Some(between) = &self.between {
            return between.pass(token, kept);
        }
        let token = token.downcast::<Token>().or_else(relay::token)?;
        let home = match &token.held {
            Held::Object(object) => object.home(),
            Held::Actor(actor) => actor.home(),
        };
        let theirs = home.as_ref().and_then(|home| home.over(self));
        // Before anything is held.
        let id = match &token.held {
            Held::Actor(actor) if theirs.is_none() => Some(actor.id()?),
            _ => None,
        };
        let (held, keep) = (Arc::clone(&token), Spoken { token: Arc::clone(&token), home });
        let speaks = (held, keep);
        let number = || self.number();
        let word = self.tables.lock().exports.speaks_of(speaks, theirs, number, &mut kept.words);
        Ok(match (word, &token.held, id) {
            (Word::Yours(export), Held::Object(_), _) => WireRef::YourObject { export },
            (Word::Yours(export), Held::Actor(_), _) => WireRef::YourActor { export },
            (Word::Mine(export), Held::Actor(actor), Some(id)) => {
                let (label, mailbox) = (actor.label(), actor.mailbox() as u64);
                WireRef::Actor { export, id, label, mailbox, retries: actor.retries() }
            }
            (Word::Mine(export), ..) => WireRef::Object { export },
        })
    }

    /// The message was given: whoever gets actors with it hears of their ends from now on, and not before (BW-4).
    pub(super) fn said(self: &Arc<Self>, kept: &Kept) {
        for (spoken, export) in kept.words.exported() {
            if let Held::Actor(actor) = &spoken.token.held {
                self.tell_of_end(export, &**actor);
            }
        }
    }

    pub(super) fn referred(self: &Arc<Self>, wire: WireRef) -> Result<RefToken> {
        Ok(match wire {
            WireRef::Object { export } => Arc::new(Imported::new(self, export)),
            WireRef::Born { export } => Arc::new(Imported::actor(self, export)),
            WireRef::Actor { export, id, label, mailbox, retries } => {
                let mailbox = usize::try_from(mailbox).unwrap_or(usize::MAX);
                let known = (label, mailbox, retries);
                let imported = ImportedActor::new(self, export, id, known);
                match import::own_actor(self, id) {
                    Some(own) => own,
                    None => Arc::new(imported),
                }
            }
            WireRef::YourObject { export } | WireRef::YourActor { export } => {
                let own = self.tables.lock().exports.of(export).cloned();
                relay::came_back(own.ok_or_else(unknown)?)
            }
            WireRef::Passed { number } => {
                let between = self.between.as_ref().ok_or_else(unknown)?;
                between.take(number).ok_or_else(unknown)?
            }
        })
    }

    /// Holds something for the other side until it lets go.
    pub(super) fn hold(&self, token: Arc<Token>) -> u64 {
        let export = self.number();
        self.hold_as(export, token);
        export
    }

    pub(super) fn hold_as(&self, export: u64, token: Arc<Token>) {
        let refused = self.tables.lock().exports.holds(export, token);
        drop(refused);
    }

    /// The message was not given after all: the other side will never let go of what is in it.
    pub(super) fn unsaid(&self, kept: &Kept) {
        kept.words.unsaid().for_each(|export| drop(self.take_export(export)));
        let numbers = kept.words.unpassed();
        if !numbers.is_empty() {
            self.tell(&Frame::Unpassed { numbers: numbers.to_vec() });
        }
    }

    pub(super) fn export(&self, export: u64) -> Option<Held> {
        self.tables.lock().exports.of(export).map(|token| token.held.clone())
    }

    /// The objects of this process that the other side holds.
    pub(crate) fn held_objects(&self) -> Vec<Seen> {
        let tokens: Vec<_> = self.tables.lock().exports.references().cloned().collect();
        let objects = tokens.iter().filter_map(|token| match &token.held {
            // Another process has it, and lists it, with this one as a holder.
            Held::Object(object) => object.home().is_none().then(|| object.seen()),
            Held::Actor(_) => None,
        });
        objects.collect()
    }

    /// The store that both sides use, by its door.
    pub(crate) fn store_door(&self) -> Option<&str> {
        self.stores.both.get().map(raytree_objects::Session::door)
    }

    /// The other side lets go. The last count may be here: it is dropped outside of the lock.
    pub(super) fn take_export(&self, export: u64) -> Option<Arc<Token>> {
        let let_go = self.tables.lock().exports.released(export);
        match let_go? {
            LetGo::Reference(token, mourner) => {
                mourner.into_iter().for_each(|waits| waits.abort());
                Some(token)
            }
            LetGo::Loan(loan) => {
                self.out.is_given_back(loan.waits());
                None
            }
        }
    }

    /// When the actor ends for good the other side hears of it.
    pub(super) fn tell_of_end(self: &Arc<Self>, export: u64, actor: &dyn Callee) {
        let (link, ended) = (Arc::downgrade(self), actor.exited());
        let Some(runtime) = self.life.runtime() else { return };
        let waits = runtime.system.spawn(async move {
            // An error is the end of the runtime, which the other side sees by itself.
            let Ok(exit) = ended.await else { return };
            let held = link.upgrade().filter(|link| link.export(export).is_some());
            if let Some(link) = held {
                link.tell(&Frame::Exited { export, exit: Box::new(exit) });
            }
        });
        let let_go = self.tables.lock().exports.mourns(export, waits.abort_handle());
        let_go.into_iter().for_each(|waits| waits.abort());
    }
}

/// What a link had for the other side when it ended: nobody is told of ends any more, and loans are over.
pub(super) fn tokens_of(exports: Exports<Arc<Token>, Loan, AbortHandle>) -> Vec<Arc<Token>> {
    let tokens = exports.into_held().filter_map(|held| match held {
        LetGo::Loan(_) => None,
        LetGo::Reference(token, mourner) => {
            mourner.into_iter().for_each(|waits| waits.abort());
            Some(token)
        }
    });
    tokens.collect()
}

pub(super) fn unknown() -> Error {
    Error::CannotTravel {
        type_name: "a reference".to_owned(),
        attribute: None,
        reason: "it is none that this process has given away".to_owned(),
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.held {
            Held::Object(_) => "Token(object)",
            Held::Actor(_) => "Token(actor)",
        })
    }
}
