//! The written form of a value that lies in a store: written there once, however often it is sent.

use raytree_objects::Session;
use raytree_types::codec::{Codec, Encoded};
use raytree_types::{Bytes, limits};

use std::ops::Range;
use std::sync::Arc;

/// A value as it was written, with all that is large in the store. It holds it there, and keeps no place of it pinned.
pub(crate) struct Kept {
    codec: Codec,
    head: Vec<u8>,
    buffers: Vec<Buffer>,
}

enum Buffer {
    Here(Bytes),
    Stored(Arc<raytree_objects::Stored>, Range<usize>),
}

impl Kept {
    /// Lays what is large into a store; none where nothing is, there is no room, or the value refers to what only its messages hold.
    pub(crate) fn of(session: &Session, codec: Codec, written: &Encoded) -> Option<Self> {
        let is_large = |bytes: &Bytes| bytes.len() >= limits::STORE_INLINE_MAX;
        if !written.refs.is_empty() || !written.buffers.iter().any(is_large) {
            return None;
        }
        let lay = |bytes: &Bytes| {
            Some(if is_large(bytes) {
                let (stored, part) = session.keep(bytes).ok()?;
                Buffer::Stored(stored, part)
            } else {
                Buffer::Here(bytes.clone())
            })
        };
        let buffers = written.buffers.iter().map(lay).collect::<Option<_>>()?;
        Some(Self { codec, head: written.head.clone(), buffers })
    }

    /// The value as it was written in this codec; none if it was written in another one, or is not there any more.
    pub(crate) fn written(&self, codec: Codec) -> Option<Encoded> {
        if codec != self.codec {
            return None;
        }
        let view = |buffer: &Buffer| match buffer {
            Buffer::Here(bytes) => Some(bytes.clone()),
            Buffer::Stored(stored, part) => stored.bytes().ok()?.slice(part.clone()),
        };
        let buffers = self.buffers.iter().map(view).collect::<Option<_>>()?;
        Some(Encoded { head: self.head.clone(), buffers, refs: Vec::new() })
    }
}
