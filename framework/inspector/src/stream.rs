//! The same conversation over a connection between machines: who is looked at dials, who looks asks.

use std::io::{self, ErrorKind, Read};
use std::sync::Weak;
use std::time::Duration;

use raytree_supervise::clock;
use raytree_types::limits;
use raytree_wire::{FrameError, GivesUp, ReadHalf, Stream, WriteHalf, read_frame, write_frame};

use crate::Inspected;
use crate::answer::Talk;
use crate::client::{AskError, Line};

/// A question waits for its answer on it, one at a time.
#[derive(Debug)]
pub struct StreamLine {
    /// Kept together, and given up together.
    halves: (ReadHalf, WriteHalf),
    gives_up: GivesUp,
}

impl StreamLine {
    /// Asks over this connection.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        let gives_up = stream.gives_up();
        Self { halves: stream.split(), gives_up }
    }
}

impl Line for StreamLine {
    fn exchange(&mut self, line: &[u8], within: Duration) -> Result<Vec<u8>, AskError> {
        let by = clock::now() + within;
        let (reads, writes) = &mut self.halves;
        let broke = |error| broke(error, within);
        self.gives_up.after(within.max(Duration::from_millis(1)))?;
        write_frame(writes, line, limits::INSPECT_REQUEST_BYTES_MAX).map_err(broke)?;
        let mut reads = Until { reads, gives_up: &self.gives_up, by };
        let answer = read_frame(&mut reads, limits::INSPECT_REPLY_BYTES_MAX).map_err(broke)?;
        answer.ok_or(AskError::HungUp)
    }
}

/// Reads until then, however many pieces come.
struct Until<'a> {
    reads: &'a mut ReadHalf,
    gives_up: &'a GivesUp,
    by: Duration,
}

impl Read for Until<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.by.saturating_sub(clock::now());
        if left.is_zero() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.gives_up.after(left.max(Duration::from_millis(1)))?;
        self.reads.read(bytes)
    }
}

fn broke(error: FrameError, within: Duration) -> AskError {
    match error {
        FrameError::Io(error) if error.kind() == ErrorKind::WouldBlock => {
            AskError::Silent { within }
        }
        FrameError::Io(error) => AskError::Io(error),
        error => AskError::Nonsense(error.to_string()),
    }
}

/// Answers over this connection until the other side has nothing more to ask, or asks nothing for
/// [`INSPECT_STREAM_IDLE`](limits::INSPECT_STREAM_IDLE). Blocks: it is given a thread of its own. What goes wrong is the other
/// side's loss alone.
pub fn answer_over(stream: Stream, inspected: &Weak<dyn Inspected>) {
    if stream.give_up_after(limits::INSPECT_STREAM_IDLE).is_err() {
        return;
    }
    let (mut reads, mut writes) = stream.split();
    let mut talk = Talk::default();
    while let Ok(Some(line)) = read_frame(&mut reads, limits::INSPECT_REQUEST_BYTES_MAX) {
        let Ok(Some(said)) = talk.answer(inspected, &line) else { return };
        if write_frame(&mut writes, &said.line, limits::INSPECT_REPLY_BYTES_MAX).is_err() {
            return;
        }
        said.was_sent();
    }
}
