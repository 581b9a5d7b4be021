//! The written form of a value that lies in a store: written there once, however often it is sent.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use raytree_objects::{Lost, Session, Stored};
use raytree_types::codec::{Codec, Encoded};
use raytree_types::{Bytes, limits};

use super::part::{Far, FarBuffer, Part};
use crate::runtime::life::Life;
use crate::stores::Stores;

/// A value as it was written, with all that is large in the store. It holds it there, and keeps no place of it pinned.
pub(crate) struct Kept {
    pub(super) codec: Codec,
    head: Vec<u8>,
    buffers: Vec<Buffer>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.seen()).finish()
    }
}

/// What is in a store of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InStore {
    /// As long as all of it is.
    pub(crate) bytes: u64,
    /// All of it is in memory.
    pub(crate) is_here: bool,
    /// How many look at it: at the part that most look at.
    pub(crate) looks: usize,
    /// Which store.
    pub(crate) door: String,
    /// Some of it is in the store of another node, which gives it to others there; that is the one that `door` is of.
    pub(crate) far: Option<SocketAddr>,
}

/// From where what is in a store comes into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coming {
    Disk,
    Node,
}

impl Coming {
    /// In words.
    pub(crate) fn said(self) -> &'static str {
        match self {
            Self::Disk => "comes back from disk",
            Self::Node => "comes from another node",
        }
    }
}

enum Buffer {
    Here(Bytes),
    Stored(Arc<Stored>, Range<usize>),
}

pub(super) fn is_large(bytes: &Bytes) -> bool {
    bytes.len() >= limits::STORE_INLINE_MAX
}

/// What refers to what only its messages hold is not kept, nor is what has nothing large.
fn can_be(written: &Encoded) -> bool {
    written.refs.is_empty() && written.buffers.iter().any(is_large)
}

impl Kept {
    /// Lays what is large of a value into a store; none where nothing is, or there is no room.
    pub(crate) fn of(session: &Session, codec: Codec, written: &Encoded) -> Option<Self> {
        if !can_be(written) {
            return None;
        }
        let mut buffers = Vec::new();
        for bytes in &written.buffers {
            buffers.push(if is_large(bytes) {
                let (stored, part) = session.keep(bytes).ok()?;
                Buffer::Stored(stored, part)
            } else {
                Buffer::Here(bytes.clone())
            });
        }
        Some(Self { codec, head: written.head.clone(), buffers })
    }

    /// What is in stores already, all that is large of it; none otherwise.
    pub(crate) fn found(stores: &Stores, codec: Codec, written: &Encoded) -> Option<Self> {
        if !can_be(written) {
            return None;
        }
        let find = |bytes: &Bytes| {
            Some(if is_large(bytes) {
                let (stored, part) = stores.find(bytes)?;
                Buffer::Stored(stored, part)
            } else {
                Buffer::Here(bytes.clone())
            })
        };
        let buffers = written.buffers.iter().map(find).collect::<Option<_>>()?;
        Some(Self { codec, head: written.head.clone(), buffers })
    }

    /// A value of which some is in the store of another node.
    pub(crate) fn far(stores: &Stores, codec: Codec, part: Part) -> Self {
        let Part { written: Encoded { head, buffers, .. }, far, .. } = part;
        let far = far.map(|far| far.buffers).unwrap_or_default();
        let buffer = |(at, bytes): (usize, Bytes)| {
            let there = far.iter().find(|far| far.at == at);
            let here = || is_large(&bytes).then(|| stores.find(&bytes)).flatten();
            let there = there.map(|far| (Arc::clone(&far.stored), far.part.clone()));
            match there.or_else(here) {
                Some((stored, part)) => Buffer::Stored(stored, part),
                None => Buffer::Here(bytes),
            }
        };
        Self { codec, head, buffers: buffers.into_iter().enumerate().map(buffer).collect() }
    }

    /// Whether some of it is in the store of another node.
    pub(crate) fn is_far(&self) -> bool {
        let is_far =
            |buffer: &Buffer| matches!(buffer, Buffer::Stored(stored, _) if stored.is_far());
        self.buffers.iter().any(is_far)
    }

    /// Whether some of it was to come from the store of another node, and did not, for another reason than that there was no room.
    pub(crate) fn did_not_come(&self) -> bool {
        let failed =
            |buffer: &Buffer| matches!(buffer, Buffer::Stored(stored, _) if stored.did_not_come());
        self.buffers.iter().any(failed)
    }

    /// The value as it was written, without what is in the stores of other nodes. Waits for what is on disk here.
    ///
    /// # Errors
    /// [`Lost`].
    pub(crate) fn part(&self, life: &'static Life) -> Result<Part, Lost> {
        let (mut buffers, mut far) = (Vec::new(), Vec::new());
        for (at, buffer) in self.buffers.iter().enumerate() {
            match buffer {
                Buffer::Stored(stored, part) if stored.is_far() => {
                    buffers.push(Bytes::from_static(&[]));
                    far.push(FarBuffer { at, stored: Arc::clone(stored), part: part.clone() });
                }
                here => buffers.push(here.read()?),
            }
        }
        let far = (!far.is_empty()).then(|| Box::new(Far { life, buffers: far }));
        let written = Encoded { head: self.head.clone(), buffers, refs: Vec::new() };
        Ok(Part { far, ..Part::here(written) })
    }

    /// Whether this process looks at any of it.
    pub(crate) fn is_looked_at(&self) -> bool {
        self.buffers.iter().any(|buffer| match buffer {
            Buffer::Stored(stored, _) => stored.is_looked_at(),
            Buffer::Here(_) => false,
        })
    }

    /// Where it is, for those who look.
    pub(crate) fn seen(&self) -> InStore {
        // Two buffers may be parts of one.
        let (mut all, mut known) = (Vec::new(), HashSet::new());
        for buffer in &self.buffers {
            if let Buffer::Stored(stored, _) = buffer
                && known.insert(Arc::as_ptr(stored))
            {
                all.push(stored);
            }
        }
        let far = all.iter().find_map(|stored| stored.origin()).map(|(place, _)| &place.origin);
        let door = far.map(|far| &*far.door).or(all.first().map(|stored| stored.door()));
        InStore {
            bytes: all.iter().map(|stored| stored.byte_count()).sum(),
            is_here: all.iter().all(|stored| stored.is_here()),
            looks: all.iter().map(|stored| stored.looks()).max().unwrap_or(0),
            door: door.unwrap_or_default().to_owned(),
            far: far.map(|far| far.at),
        }
    }

    /// What of it is on disk, or in the store of another node.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &Arc<Stored>> {
        self.buffers.iter().filter_map(|buffer| match buffer {
            Buffer::Stored(stored, _) if !stored.is_here() => Some(stored),
            Buffer::Stored(..) | Buffer::Here(_) => None,
        })
    }

    /// From where it comes into memory; none where it is there.
    pub(super) fn comes_from(&self) -> Option<Coming> {
        let is_far =
            self.missing().map(|stored| stored.is_far()).reduce(|one, other| one || other)?;
        Some(if is_far { Coming::Node } else { Coming::Disk })
    }

    /// Whether it can be sent at once: nothing of it is on disk, as far as can be seen. What is in the store of another node stays there.
    pub(crate) fn can_be_sent(&self) -> bool {
        self.missing().all(|stored| stored.is_far())
    }

    /// Whether all of it is in memory, as far as can be seen.
    pub(crate) fn is_here(&self) -> bool {
        self.missing().next().is_none()
    }

    /// The value as it was written. Waits until it is back, if it is on disk or in the store of another node.
    ///
    /// # Errors
    /// [`Lost`].
    pub(crate) fn read(&self) -> Result<Encoded, Lost> {
        let buffers = self.buffers.iter().map(Buffer::read).collect::<Result<_, _>>()?;
        Ok(Encoded { head: self.head.clone(), buffers, refs: Vec::new() })
    }
}

impl Buffer {
    fn read(&self) -> Result<Bytes, Lost> {
        match self {
            Self::Here(bytes) => Ok(bytes.clone()),
            Self::Stored(stored, part) => {
                let bytes = stored.bytes()?.slice(part.clone());
                bytes.ok_or_else(|| Lost::NotBrought("it is shorter than it was".to_owned()))
            }
        }
    }
}
