//! What is large lies in the store that both sides of a link use, and is read there by the one who gets it.
//!
//! Who has joined the store of its node says so when the link begins; a side that has joined it, too, or can, agrees. A value's large
//! buffers are written there then, once, and the message says where. They are *lent*: the sender holds them until the other side says
//! that the store holds them for it.
//!
//! A buffer that came from the store goes on as what it is. One for which there is no room travels with its message.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use raytree_objects::{Location, Lost, Unreadable};
use raytree_types::{Bytes, Cause, Error, Result, limits};

use super::export::{Kept, unknown};
use super::frame::{Buffer, Frame};
use super::import::owner_died;
use super::{Answer, Link};
use crate::runtime::Shared;
use crate::stores;

/// The other side lets go of it when this is dropped.
struct Lent {
    link: Arc<Link>,
    export: u64,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.link.tell(&Frame::Release { export: self.export });
    }
}

impl Link {
    /// The other side hears of the store of this one's node.
    pub(super) fn offers_its_store(&self, runtime: &Shared) {
        if let Some(session) = runtime.stores.own() {
            self.tell(&Frame::Store { door: session.door().to_owned() });
        }
    }

    /// It has one: this side uses it, if it does already, or if it uses those of all nodes that it reaches.
    pub(super) fn is_offered(&self, door: &str) {
        let Some(runtime) = self.life.runtime() else { return };
        let is_driver = runtime.driver.get().is_some();
        let session =
            if is_driver { runtime.stores.join(door) } else { runtime.stores.joined(door) };
        if let Some(session) = session {
            // One store for life: both sides are of one node, or this one reaches that one's. What is laid there is not spoken of before
            // the other side has heard that.
            _ = self.store.set(session);
            self.tell(&Frame::Shares { door: door.to_owned() });
            self.may_lend.store(true, Ordering::SeqCst);
        }
    }

    /// It uses this one's, too.
    pub(super) fn shares(&self, door: &str) {
        let session = self.life.runtime().and_then(|runtime| runtime.stores.joined(door));
        if let Some(session) = session {
            _ = self.store.set(session);
            self.may_lend.store(true, Ordering::SeqCst);
        }
    }

    /// A buffer of a value, in the store if it is large.
    ///
    /// # Errors
    /// [`Error::ObjectStoreFull`], [`Error::OutOfDisk`].
    pub(super) fn lays_apart(&self, bytes: Bytes, kept: &mut Kept) -> Result<Buffer> {
        Ok(match self.lend(&bytes)? {
            Some((export, object, from)) => {
                kept.exports.push(export);
                Buffer::Stored { export, object, from: from as u64, len: bytes.len() as u64 }
            }
            None => Buffer::Here(bytes),
        })
    }

    fn lend(&self, bytes: &Bytes) -> Result<Option<(u64, Location, usize)>> {
        if bytes.len() < limits::STORE_INLINE_MAX || !self.may_lend.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let Some(session) = self.store.get() else { return Ok(None) };
        let (stored, from, new) = match session.find(bytes) {
            Some((stored, part)) => (stored, part.start, 0),
            None => match session.write(bytes) {
                Ok(stored) => (stored, 0, bytes.len()),
                Err(why) => {
                    return stores::refused(why, "a value", bytes.len()).map(|()| None);
                }
            },
        };
        // It stays where it is until the other side holds it, and knows where it was.
        let (Ok(view), Some(object)) = (stored.bytes(), stored.location()) else { return Ok(None) };
        if !session.has(&view) {
            // It is a copy from disk.
            return Ok(None);
        }
        let export = self.number();
        let mut tables = self.tables.lock();
        if tables.ended.is_none() {
            tables.lent.insert(export, (view, new));
            drop(tables);
            self.out.lends(new);
        }
        Ok(Some((export, object, from)))
    }

    /// The buffer, read where it lies.
    pub(super) fn laid_apart(self: &Arc<Self>, buffer: Buffer) -> Result<Bytes> {
        let (export, object, from, len) = match buffer {
            Buffer::Here(bytes) => return Ok(bytes),
            Buffer::Stored { export, object, from, len } => (export, object, from, len),
        };
        let lent = Lent { link: Arc::clone(self), export };
        let session = self.store.get().ok_or_else(unknown)?;
        let stored = session.take(object, Box::new(lent));
        let bytes = stored.map_err(Lost::from).and_then(|stored| stored.bytes());
        let bytes = bytes.map_err(|why| match why {
            Lost::Unreadable(Unreadable::Gone) => {
                let why = "an object that it had sent is not there any more";
                owner_died(self, Cause::message(why))
            }
            why => Error::CannotTravel {
                type_name: "a large value".to_owned(),
                attribute: None,
                reason: why.to_string(),
            },
        })?;
        let end = from.checked_add(len).ok_or_else(unknown)?;
        let part = usize::try_from(from).ok().zip(usize::try_from(end).ok());
        let part = part.and_then(|(from, end)| bytes.slice(from..end)).ok_or_else(unknown)?;
        // A place is left for whoever only passes it on.
        Ok(if session.has_many_views() { Bytes::from(part.to_vec()) } else { part })
    }

    /// What an answer refers to is not there: it went with a process that has ended. If that is the one who has sent it, all that it was
    /// asked for is told so when the link ends; if not, the one who asked is told in a while.
    pub(super) fn fails_later(self: &Arc<Self>, call: u64, error: Error) {
        let Some(runtime) = self.life.runtime() else { return };
        let link = Arc::downgrade(self);
        runtime.system.spawn(async move {
            tokio::time::sleep(limits::STORE_ORPHANS_FOR).await;
            if let Some(link) = link.upgrade() {
                link.settle(call, Answer::Failed(error));
            }
        });
    }
}

/// What was sent went with the one who has sent it.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(error, Error::OwnerDied { .. })
}
