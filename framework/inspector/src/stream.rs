//! The same conversation over a connection between machines: who is looked at dials, who looks asks.

use std::io::ErrorKind;
use std::sync::Weak;
use std::time::Duration;

use raytree_types::limits;
use raytree_wire::{FrameError, ReadHalf, Stream, WriteHalf, read_frame, write_frame};

use crate::Inspected;
use crate::answer::Talk;
use crate::client::{AskError, Line};

/// A question waits for its answer on it, one at a time.
#[derive(Debug)]
pub struct StreamLine {
    /// Kept together, and given up together.
    halves: (ReadHalf, WriteHalf),
    gives_up: raytree_wire::GivesUp,
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
        self.gives_up.after(within.max(Duration::from_millis(1)))?;
        let (reads, writes) = &mut self.halves;
        let broke = |error| broke(error, within);
        write_frame(writes, line, limits::INSPECT_REQUEST_BYTES_MAX).map_err(broke)?;
        let answer = read_frame(reads, limits::INSPECT_REPLY_BYTES_MAX).map_err(broke)?;
        answer.ok_or(AskError::Gone)
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
