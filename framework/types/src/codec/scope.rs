//! What a value carries besides its head: how implementations of `Serialize` and `Deserialize` put buffers and
//! references out of band.
//!
//! A scope surrounds one [`encode`](super::encode) or [`decode`](super::decode), on one thread. An implementation
//! that wants something to travel beside the head puts it in and writes the number it got, as a `u32`; when read, it
//! reads the number and takes the thing out. A scope does not know which serializer asks: what an implementation
//! writes within it with another one, as JSON in a string, say, is in the scope too.
//!
//! Scopes nest, and the innermost one counts: a value that is encoded while another one is has its own buffers. After
//! a panic the outer scope is back.

use std::cell::RefCell;
use std::marker::PhantomData;

use super::RefToken;
use super::error::Fault;
use crate::bytes::Bytes;
use crate::limits::CODEC_PARTS_MAX;

/// Why a scope gave or took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// No value is being encoded, or decoded, here.
    #[error(
        "an ObjectRef or actor handle can only be serialised as a part of a task argument, a result or \
         an object; elsewhere nothing would keep alive what it refers to"
    )]
    Outside,
    /// More buffers or references than a value may carry.
    #[error("a value carries at most {limit} buffers and {limit} references")]
    TooMany {
        /// The bound.
        limit: usize,
    },
    /// The frame names a buffer that it does not have.
    #[error("the frame names buffer {index} and has {count}")]
    NoSuchBuffer {
        /// The number in the head.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// The frame names a reference that it does not have.
    #[error("the frame names reference {index} and has {count}")]
    NoSuchRef {
        /// The number in the head.
        index: u32,
        /// How many there are.
        count: usize,
    },
}

/// Puts a reference beside the value that is being encoded, and gives its number.
///
/// # Errors
/// [`ScopeError::Outside`] if none is being encoded here, [`ScopeError::TooMany`].
pub fn put_ref(token: RefToken) -> Result<u32, ScopeError> {
    let mut token = Some(token);
    innermost(Direction::Encode, |frame| push(&mut frame.refs, &mut token)).inspect_err(strayed)
}

/// The reference with this number beside the value that is being decoded.
///
/// The same number gives the same token each time, since a reader may try several shapes (`untagged`) and a frame
/// may lie: what owns something must own it through the token, not through having taken it.
///
/// # Errors
/// [`ScopeError::Outside`] if none is being decoded here, [`ScopeError::NoSuchRef`].
pub fn take_ref(index: u32) -> Result<RefToken, ScopeError> {
    innermost(Direction::Decode, |frame| {
        let count = frame.refs.len();
        frame.refs.get(index as usize).cloned().ok_or(ScopeError::NoSuchRef { index, count })
    })
    .inspect_err(strayed)
}

/// Puts a buffer beside the value that is being encoded, and gives its number.
///
/// # Errors
/// [`ScopeError::Outside`] if none is being encoded here, [`ScopeError::TooMany`].
pub fn put_buffer(buffer: Bytes) -> Result<u32, ScopeError> {
    let mut buffer = Some(buffer);
    innermost(Direction::Encode, |frame| push(&mut frame.buffers, &mut buffer))
}

/// The buffer with this number beside the value that is being decoded, shared.
///
/// # Errors
/// [`ScopeError::Outside`] if none is being decoded here, [`ScopeError::NoSuchBuffer`].
pub fn take_buffer(index: u32) -> Result<Bytes, ScopeError> {
    innermost(Direction::Decode, |frame| {
        let count = frame.buffers.len();
        frame.buffers.get(index as usize).cloned().ok_or(ScopeError::NoSuchBuffer { index, count })
    })
}

/// Whether a value is being decoded here: whether [`take_buffer`] and [`take_ref`] can succeed.
#[must_use]
pub fn is_decoding() -> bool {
    innermost(Direction::Decode, |_| Ok(())).is_ok()
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Encode,
    Decode,
}

struct Frame {
    direction: Direction,
    buffers: Vec<Bytes>,
    refs: Vec<RefToken>,
    /// A reference went the wrong way.
    strayed: bool,
}

thread_local! {
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` on the innermost frame. `f` runs no foreign code, so that the borrow is never asked for twice.
fn innermost<R>(
    direction: Direction,
    f: impl FnOnce(&mut Frame) -> Result<R, ScopeError>,
) -> Result<R, ScopeError> {
    let on_frame = |frames: &RefCell<Vec<Frame>>| match frames.borrow_mut().last_mut() {
        Some(frame) if frame.direction == direction => f(frame),
        _ => Err(ScopeError::Outside),
    };
    FRAMES.try_with(on_frame).unwrap_or(Err(ScopeError::Outside))
}

/// Moves `part` in, or leaves it to the caller to be dropped outside the borrow.
fn push<P>(parts: &mut Vec<P>, part: &mut Option<P>) -> Result<u32, ScopeError> {
    if parts.len() >= CODEC_PARTS_MAX {
        return Err(ScopeError::TooMany { limit: CODEC_PARTS_MAX });
    }
    parts.extend(part.take());
    Ok((parts.len() - 1) as u32)
}

/// Notes in the innermost frame, whichever way it goes, that a reference could not.
fn strayed(error: &ScopeError) {
    if *error == ScopeError::Outside {
        _ = FRAMES.try_with(|frames| {
            if let Some(frame) = frames.borrow_mut().last_mut() {
                frame.strayed = true;
            }
        });
    }
}

/// An open scope. Dropped without [`Guard::finish`], it drops what was put in.
pub(super) struct Guard {
    /// Scopes around this one.
    outer: usize,
    /// It belongs to the thread that opened it.
    not_send: PhantomData<*const ()>,
}

impl Guard {
    pub(super) fn encoding() -> Self {
        Self::open(Direction::Encode, Vec::new(), Vec::new())
    }

    pub(super) fn decoding(buffers: &[Bytes], refs: &[RefToken]) -> Self {
        Self::open(Direction::Decode, buffers.to_vec(), refs.to_vec())
    }

    fn open(direction: Direction, buffers: Vec<Bytes>, refs: Vec<RefToken>) -> Self {
        let frame = Frame { direction, buffers, refs, strayed: false };
        let outer = FRAMES.try_with(|frames| {
            let mut frames = frames.borrow_mut();
            frames.push(frame);
            frames.len() - 1
        });
        // While the thread ends there are no scopes any more, and nothing to close.
        Self { outer: outer.unwrap_or(usize::MAX), not_send: PhantomData }
    }

    /// The fault, or that a reference was put in or taken out where it could not be.
    pub(super) fn explain(&self, fault: Fault) -> Fault {
        let strayed = FRAMES
            .try_with(|frames| frames.borrow().get(self.outer).is_some_and(|frame| frame.strayed));
        if strayed.unwrap_or(false) { Fault::OutsideScope } else { fault }
    }

    /// Closes the scope and gives what was put in.
    pub(super) fn finish(self) -> (Vec<Bytes>, Vec<RefToken>) {
        self.close().map(|frame| (frame.buffers, frame.refs)).unwrap_or_default()
    }

    /// Takes its frame off. What the frame holds is dropped by the caller, outside the borrow.
    fn close(&self) -> Option<Frame> {
        let pop = |frames: &RefCell<Vec<Frame>>| {
            let mut frames = frames.borrow_mut();
            if frames.len() > self.outer { frames.pop() } else { None }
        };
        FRAMES.try_with(pop).ok().flatten()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // More than one only if an inner guard was leaked.
        while self.close().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::sync::Arc;

    use super::*;

    fn token() -> RefToken {
        Arc::new("token")
    }

    #[test]
    fn outside_a_scope_there_is_a_sentence() {
        assert_eq!(put_ref(token()), Err(ScopeError::Outside));
        assert!(take_ref(0).is_err() && put_buffer(Bytes::default()).is_err());
        assert!(!is_decoding());
        assert!(ScopeError::Outside.to_string().contains("a task argument, a result or an object"));
    }

    #[test]
    fn scopes_nest_and_the_innermost_counts() {
        let outer = Guard::encoding();
        assert_eq!(put_ref(token()), Ok(0));
        let inner = Guard::encoding();
        assert_eq!(put_ref(token()), Ok(0));
        assert_eq!(put_ref(token()), Ok(1));
        assert_eq!(inner.finish().1.len(), 2);
        assert_eq!(put_buffer(vec![1].into()), Ok(0));
        let (buffers, refs) = outer.finish();
        assert_eq!((buffers.len(), refs.len()), (1, 1));
        assert!(put_ref(token()).is_err());
    }

    #[test]
    fn a_panic_leaves_the_outer_scope() {
        let outer = Guard::encoding();
        let panicked = catch_unwind(|| {
            let _inner = Guard::decoding(&[], &[token()]);
            assert!(is_decoding());
            panic!("boom");
        });
        assert!(panicked.is_err() && !is_decoding());
        assert_eq!(put_ref(token()), Ok(0));
        assert_eq!(outer.finish().1.len(), 1);
    }

    #[test]
    fn references_go_one_way() {
        let encoding = Guard::encoding();
        assert_eq!(take_ref(0).err(), Some(ScopeError::Outside));
        assert!(matches!(encoding.explain(Fault::TooDeep), Fault::OutsideScope));
        drop(encoding);
        let decoding = Guard::decoding(&[], &[]);
        assert_eq!(take_ref(3).err(), Some(ScopeError::NoSuchRef { index: 3, count: 0 }));
        assert!(matches!(decoding.explain(Fault::TooDeep), Fault::TooDeep));
    }

    #[test]
    fn a_dropped_scope_releases_its_tokens() {
        let held = token();
        let guard = Guard::encoding();
        assert_eq!(put_ref(Arc::clone(&held)), Ok(0));
        drop(guard);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
