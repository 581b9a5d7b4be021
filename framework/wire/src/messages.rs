//! Messages over a [`Stream`], for those who talk little and must never wait: JSON in frames, a thread each way.
//!
//! Invariants:
//! - **WM-1 (last-word):** [`Said::Over`] is heard once, and nothing after it.
//! - **WM-2 (never-waits):** saying something never waits for the other side: what it does not take is bounded, and one
//!   more is refused in type.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use raytree_types::limits;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Closer, FrameError, ReadHalf, Stream, WriteHalf, read_frame, write_frame};

/// What is heard from the other side.
#[derive(Clone, Debug)]
pub enum Said<In> {
    /// A message.
    Message(In),
    /// There will be no more, and why. The last word.
    Over(String),
}

/// Why something could not be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SayError {
    /// The message is too long.
    #[error("a message of {bytes} bytes, where at most {max} are allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The longest.
        max: usize,
    },
    /// It cannot be written.
    #[error("a message that cannot be written: {why}")]
    Unwritable {
        /// What the codec said.
        why: String,
    },
    /// The other side does not read.
    #[error("the other side has not read the last {} messages", limits::WIRE_MESSAGES_WAITING_MAX)]
    Crowded,
    /// The connection is over.
    #[error("the connection is over")]
    Over,
}

/// A connection over which messages `Out` go. Dropped, what was said before still goes out, and then its end.
pub struct Messages<Out> {
    out: SyncSender<Vec<u8>>,
    /// How many of them wait.
    waiting: Arc<AtomicUsize>,
    closer: Closer,
    max: usize,
    says: PhantomData<fn(Out)>,
}

impl<Out: Serialize> Messages<Out> {
    /// Takes a stream up. `heard` is called on a thread of the connection's own, and may hold it up: the other side then
    /// waits. No message is longer than `max` bytes, either way.
    ///
    /// # Errors
    /// What the operating system said: there is no thread.
    pub fn start<In: DeserializeOwned>(
        stream: Stream,
        max: usize,
        heard: impl FnMut(Said<In>) + Send + 'static,
    ) -> io::Result<Self> {
        let closer = stream.closer();
        let (reads, writes) = stream.split();
        let (out, said) = sync_channel(limits::WIRE_MESSAGES_WAITING_MAX);
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        let waiting = Arc::<AtomicUsize>::default();
        let counts = Arc::clone(&waiting);
        thread("raytree-says").spawn(move || write(writes, &said, &counts, max))?;
        let started = thread("raytree-hears").spawn(move || read(reads, max, heard));
        if let Err(error) = started {
            closer.shutdown();
            return Err(error);
        }
        Ok(Self { out, waiting, closer, max, says: PhantomData })
    }

    /// Says something, after all that was said before.
    ///
    /// # Errors
    /// [`SayError`]; after any but `Over` the connection is as it was.
    pub fn say(&self, message: &Out) -> Result<(), SayError> {
        let text = serde_json::to_vec(message)
            .map_err(|error| SayError::Unwritable { why: error.to_string() })?;
        if text.len() > self.max {
            return Err(SayError::TooLarge { bytes: text.len(), max: self.max });
        }
        self.waiting.fetch_add(1, Ordering::AcqRel);
        self.out.try_send(text).map_err(|refused| {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            match refused {
                TrySendError::Full(_) => SayError::Crowded,
                TrySendError::Disconnected(_) => SayError::Over,
            }
        })
    }

    /// Less than half of those that may wait do: there is room also for what may as well not be said.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Acquire) < limits::WIRE_MESSAGES_WAITING_MAX / 2
    }

    /// Ends it at once; what is under way may be lost. Both sides hear [`Said::Over`].
    pub fn close(&self) {
        self.closer.shutdown();
    }
}

impl<Out> fmt::Debug for Messages<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("max", &self.max).finish_non_exhaustive()
    }
}

fn write(mut writes: WriteHalf, said: &Receiver<Vec<u8>>, waiting: &AtomicUsize, max: usize) {
    let closer = writes.closer();
    for text in said {
        waiting.fetch_sub(1, Ordering::AcqRel);
        if write_frame(&mut writes, &text, max).is_err() {
            // The reader sees the end, and says so.
            closer.shutdown();
            return;
        }
    }
    // Refused when it has ended already.
    _ = writes.finish();
}

fn read<In: DeserializeOwned>(mut reads: ReadHalf, max: usize, mut heard: impl FnMut(Said<In>)) {
    let why = loop {
        match read_frame(&mut reads, max) {
            Ok(Some(frame)) => match serde_json::from_slice(&frame) {
                Ok(message) => heard(Said::Message(message)),
                Err(error) => break format!("it speaks nonsense: {error}"),
            },
            Ok(None) => break "it hung up".to_owned(),
            Err(FrameError::Io(error)) => break format!("the connection was cut: {error}"),
            Err(error) => break format!("it speaks nonsense: {error}"),
        }
    };
    reads.closer().shutdown();
    heard(Said::Over(why));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{BindTo, Hello, Listener, Plane, Token, dial};

    const PATIENCE: Duration = Duration::from_secs(30);

    fn pair() -> (Stream, Stream) {
        let token = Token::random().expect("a token");
        let (tell, told) = sync_channel(1);
        let to = BindTo::loopback(token.clone());
        let listener =
            Listener::bind(to, move |_, stream, _| _ = tell.send(stream)).expect("a port");
        let hello = Hello::new(Plane::Control, "test", b"").expect("a hello");
        let dialed = dial(listener.local_addr(), &token, None, &hello, PATIENCE).expect("a stream");
        (dialed, told.recv_timeout(PATIENCE).expect("accepted"))
    }

    #[test]
    fn wm_1_messages_come_in_order_and_the_end_is_the_last_word() {
        let (ours, theirs) = pair();
        let (tell, told) = sync_channel(8);
        let says = Messages::<u64>::start(ours, 64, |_: Said<u64>| {}).expect("threads");
        let _hears = Messages::<u64>::start(theirs, 64, move |said: Said<u64>| {
            _ = tell.send(said);
        });
        let mut number = 0;
        while number < 5000 {
            match says.say(&number) {
                Ok(()) => number += 1,
                Err(SayError::Crowded) => thread::yield_now(),
                Err(other) => panic!("{other}"),
            }
        }
        drop(says);
        for expected in 0..5000 {
            match told.recv_timeout(PATIENCE).expect("a message") {
                Said::Message(number) => assert_eq!(number, expected),
                Said::Over(why) => panic!("over before {expected}: {why}"),
            }
        }
        assert!(matches!(told.recv_timeout(PATIENCE), Ok(Said::Over(_))));
        assert!(told.recv_timeout(PATIENCE).is_err(), "the one who heard is gone");
    }

    #[test]
    fn wm_2_who_does_not_read_is_told_apart_from_who_is_gone() {
        let (ours, theirs) = pair();
        let (tell, told) = sync_channel(8);
        let says = Messages::<String>::start(ours, 1 << 20, move |said: Said<u64>| {
            _ = tell.send(said);
        })
        .expect("threads");
        let long = "x".repeat(1 << 14);
        let refused = (0..10_000).find_map(|_| says.say(&long).err());
        assert_eq!(refused, Some(SayError::Crowded));
        let too_long = says.say(&"x".repeat(1 << 20));
        assert!(matches!(too_long, Err(SayError::TooLarge { .. })), "{too_long:?}");
        drop(theirs);
        assert!(matches!(told.recv_timeout(PATIENCE), Ok(Said::Over(_))));
        // The one who writes has seen it as well, or is about to.
        while says.say(&String::new()) != Err(SayError::Over) {
            thread::yield_now();
        }
    }

    #[test]
    fn nonsense_ends_it_with_a_sentence() {
        let (ours, theirs) = pair();
        let (tell, told) = sync_channel(8);
        let _hears = Messages::<u64>::start(theirs, 64, move |said: Said<u64>| {
            _ = tell.send(said);
        });
        let (_reads, mut writes) = ours.split();
        write_frame(&mut writes, b"{\"no\":\"number\"}", 64).expect("written");
        let Ok(Said::Over(why)) = told.recv_timeout(PATIENCE) else { panic!("it is over") };
        assert!(why.contains("nonsense"), "{why}");
    }
}
