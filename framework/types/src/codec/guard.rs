//! The bounds on memory and stack while a value is written or read.

use std::hint::black_box;
use std::io;

use bincode::enc::write::Writer;
use bincode::error::EncodeError;

use super::error::Fault;
use crate::limits::{CODEC_ENCODE_STACK_BYTES_MAX, CODEC_HEAD_BYTES_MAX};

/// Where the stack stood when work began. Nesting is bounded by the stack it takes, since that is what runs out: how
/// much a level takes differs by type and by build.
pub(super) struct Stack {
    start: usize,
    bytes_max: usize,
}

impl Stack {
    /// Allows `bytes_max` bytes from here on.
    pub(super) fn here(bytes_max: usize) -> Self {
        Self { start: address(), bytes_max }
    }

    /// [`Fault::TooDeep`] if more is in use.
    #[inline]
    pub(super) fn check(&self) -> Result<(), Fault> {
        if address().abs_diff(self.start) > self.bytes_max { Err(Fault::TooDeep) } else { Ok(()) }
    }
}

/// An address in the current frame of the stack.
#[inline(always)]
fn address() -> usize {
    let mark = 0u8;
    std::ptr::from_ref(black_box(&mark)).addr()
}

/// Takes the bytes of a head, up to the bounds.
pub(super) struct Sink {
    head: Vec<u8>,
    bytes_max: usize,
    stack: Stack,
    /// Which bound was reached: the serializers above can only be told that something failed.
    fault: Option<Fault>,
}

impl Sink {
    /// Appends to `head`.
    pub(super) fn new(head: Vec<u8>) -> Self {
        let stack = Stack::here(CODEC_ENCODE_STACK_BYTES_MAX);
        Self { head, bytes_max: CODEC_HEAD_BYTES_MAX, stack, fault: None }
    }

    /// What was written; the bound that was reached, or else what `fault_of` makes of the error.
    pub(super) fn finish<E>(
        self,
        written: Result<(), E>,
        fault_of: impl FnOnce(E) -> Fault,
    ) -> Result<Vec<u8>, Fault> {
        match (self.fault, written) {
            (Some(fault), _) => Err(fault),
            (None, Err(error)) => Err(fault_of(error)),
            (None, Ok(())) => Ok(self.head),
        }
    }

    #[inline]
    fn put<E>(&mut self, bytes: &[u8], refused: impl FnOnce() -> E) -> Result<(), E> {
        let fault = if bytes.len() > self.bytes_max - self.head.len() {
            Fault::TooLarge(self.head.len().saturating_add(bytes.len()))
        } else if let Err(fault) = self.stack.check() {
            fault
        } else {
            self.head.extend_from_slice(bytes);
            return Ok(());
        };
        self.fault.get_or_insert(fault);
        Err(refused())
    }
}

impl Writer for Sink {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.put(bytes, || EncodeError::UnexpectedEnd)
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes, || io::ErrorKind::StorageFull.into()).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put(bytes, || io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives the bytes of a head, up to the bound on the stack.
pub(super) struct Source<'a> {
    rest: &'a [u8],
    stack: Stack,
    fault: Option<Fault>,
}

impl<'a> Source<'a> {
    /// Gives `rest`, with this much stack.
    pub(super) fn new(rest: &'a [u8], stack: Stack) -> Self {
        Self { rest, stack, fault: None }
    }

    /// The bytes not read yet.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The bound that was reached, if one was.
    pub(super) fn fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }
}

impl Source<'_> {
    #[inline]
    fn check(&mut self) -> io::Result<()> {
        self.stack.check().map_err(|fault| {
            self.fault.get_or_insert(fault);
            io::ErrorKind::OutOfMemory.into()
        })
    }
}

impl io::Read for Source<'_> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.rest.read(into)
    }

    #[inline]
    fn read_exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.check()?;
        self.rest.read_exact(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_stops_at_its_bound() {
        let mut sink = Sink { bytes_max: 4, ..Sink::new(vec![1]) };
        assert!(Writer::write(&mut sink, &[1, 2, 3]).is_ok());
        assert!(Writer::write(&mut sink, &[4]).is_err());
        let written = sink.finish(Err("refused"), Fault::said);
        assert!(matches!(written, Err(Fault::TooLarge(5))), "{written:?}");
    }

    #[test]
    fn a_stack_is_measured_from_where_it_began() {
        fn deep(stack: &Stack, levels: usize) -> Result<usize, Fault> {
            let room = black_box([levels; 128]);
            stack.check()?;
            if levels == 0 { Ok(room[0]) } else { deep(stack, levels - 1).map(|sum| sum + room[1]) }
        }
        let stack = Stack::here(64 << 10);
        assert!(deep(&stack, 8).is_ok());
        assert!(matches!(deep(&stack, 1000), Err(Fault::TooDeep)));
    }
}
