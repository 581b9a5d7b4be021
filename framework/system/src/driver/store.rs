//! The program of a driver on its way to a head that lacks it.

use std::io;
use std::thread::park_timeout;
use std::time::Duration;

use raytree_process::cluster::{Greeting, Transfer};
use raytree_process::program::{Program, ProgramError};
use raytree_supervise::clock;
use raytree_types::limits;
use raytree_wire::{FrameError, Plane, Stream, read_frame, write_frame};

use super::Driver;

/// Why the head does not have the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// It has too many transfers under way, or hung up before it promised anything.
    #[error("the head is busy: {why}")]
    Busy {
        /// How it said so.
        why: String,
    },
    /// It was busy for too long.
    #[error("the head had no time for it within {within:?}: {last}")]
    Late {
        /// [`limits::PROGRAM_STORE_WITHIN`].
        within: Duration,
        /// What it said last.
        last: String,
    },
    /// It would not have it.
    #[error("{0}")]
    Refused(String),
    /// It hung up in the middle of it.
    #[error("the head hung up while it was sent the program")]
    HungUp,
    /// There is no connection with it.
    #[error("{0}")]
    Unreachable(String),
    /// The program itself cannot be read.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The line is broken.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The operating system would not.
    #[error(transparent)]
    System(#[from] io::Error),
    /// The runtime has ended meanwhile.
    #[error("nobody wants it any more")]
    GivenUp,
}

impl Driver {
    /// Sends this program's bytes to the head; one that is busy is asked again. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn store(&self) -> Result<(), StoreError> {
        let program = Program::of_this_process()?;
        let manifest = program.manifest()?;
        let once = || {
            self.moves();
            let greeting = Greeting::Store { manifest: manifest.clone() };
            let stream = self.connect(Plane::Bytes, self.address, &greeting);
            bring(program, stream.map_err(StoreError::Unreachable)?, || self.moves())
        };
        let is_wanted = || self.runtime.upgrade().is_some_and(|own| !own.is_closing());
        again(once, is_wanted, clock::now() + limits::PROGRAM_STORE_WITHIN)
    }
}

/// Until it has worked, or failed for another reason than that the head is busy, or nobody wants it, or it is too late.
fn again(
    mut once: impl FnMut() -> Result<(), StoreError>,
    is_wanted: impl Fn() -> bool,
    by: Duration,
) -> Result<(), StoreError> {
    loop {
        let last = match once() {
            Err(StoreError::Busy { why }) => why,
            other => return other,
        };
        if !is_wanted() {
            return Err(StoreError::GivenUp);
        }
        if clock::now() >= by {
            return Err(StoreError::Late { within: limits::PROGRAM_STORE_WITHIN, last });
        }
        // Nobody wakes it, and earlier is no harm.
        park_timeout(limits::TRANSFER_AGAIN);
    }
}

/// The head says that it takes the bytes, gets them, and says what came of it.
fn bring(program: &Program, stream: Stream, moves: impl Fn()) -> Result<(), StoreError> {
    stream.give_up_after(limits::TRANSFER_STALLS_MAX)?;
    let (mut reads, mut writes) = stream.split();
    let busy = |why: String| StoreError::Busy { why };
    // Before its first word it has promised nothing.
    let told = read_frame(&mut reads, limits::PROGRAM_CHUNK_BYTES);
    let told = told.map_err(|error| busy(error.to_string()))?;
    let told = told.ok_or_else(|| busy("it hung up".to_owned()))?;
    match serde_json::from_slice(&told).map_err(|error| StoreError::Refused(error.to_string()))? {
        Transfer::Begins { .. } => {}
        Transfer::Busy => return Err(busy("it has too many transfers under way".to_owned())),
        Transfer::Refused { reason } => return Err(StoreError::Refused(reason)),
    }
    for chunk in program.chunks() {
        let chunk = chunk?;
        moves();
        if write_frame(&mut writes, &chunk, limits::PROGRAM_CHUNK_BYTES).is_err() {
            // It says why.
            break;
        }
    }
    let answer = read_frame(&mut reads, limits::PROGRAM_CHUNK_BYTES)?.unwrap_or_default();
    let answer = serde_json::from_slice::<Result<(), String>>(&answer);
    answer.map_err(|_| StoreError::HungUp)?.map_err(StoreError::Refused)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::mpsc::sync_channel;

    use raytree_wire::{BindTo, Hello, Listener, Token, dial};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// What comes of it when the head says this first, and takes the bytes if it has said so.
    fn comes_of(says: Option<&Transfer>) -> Result<(), StoreError> {
        let token = Token::random().expect("a token");
        let (tell, told) = sync_channel(1);
        let to = BindTo::loopback(token.clone());
        let listener = Listener::bind(to, move |_, stream, _| _ = tell.send(stream));
        let listener = listener.expect("a port");
        let hello = Hello::new(Plane::Bytes, "p", Vec::new()).expect("a hello");
        let stream = dial(listener.local_addr(), &token, None, &hello, PATIENCE).expect("a line");
        let head = told.recv_timeout(PATIENCE).expect("it came");
        let program = Program::of_this_process().expect("this program");
        let length = program.length();
        let says = says.map(|says| serde_json::to_vec(says).expect("text"));
        let head = std::thread::spawn(move || {
            let Some(says) = says else { return drop(head) };
            let (mut reads, mut writes) = head.split();
            write_frame(&mut writes, &says, limits::PROGRAM_CHUNK_BYTES).expect("it waits");
            let mut left = length;
            while left > 0 {
                let Ok(Some(chunk)) = read_frame(&mut reads, limits::PROGRAM_CHUNK_BYTES) else {
                    return;
                };
                left -= chunk.len() as u64;
            }
            let done = serde_json::to_vec(&Ok::<(), String>(())).expect("text");
            write_frame(&mut writes, &done, limits::PROGRAM_CHUNK_BYTES).expect("it waits");
        });
        let parts = Cell::new(0);
        let came = bring(program, stream, || parts.set(parts.get() + 1));
        assert_eq!(parts.get() > 0, came.is_ok(), "bytes are sent to one who takes them");
        head.join().expect("no panic");
        came
    }

    #[test]
    fn a_head_that_is_busy_or_hangs_up_at_once_is_to_be_asked_again_and_gets_no_bytes() {
        for says in [Some(&Transfer::Busy), None] {
            let came = comes_of(says);
            assert!(matches!(came, Err(StoreError::Busy { .. })), "{came:?}");
        }
        let reason = "no room".to_owned();
        let refused = comes_of(Some(&Transfer::Refused { reason }));
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        comes_of(Some(&Transfer::Begins { length: 1 })).expect("it takes it");
    }

    #[test]
    fn a_busy_head_is_asked_again_until_it_is_too_late_or_nobody_wants_it() {
        let far = clock::now() + PATIENCE;
        let busy = || Err(StoreError::Busy { why: "so it is".to_owned() });
        let mut asked = 0;
        let third = || {
            asked += 1;
            if asked < 3 { busy() } else { Ok(()) }
        };
        again(third, || true, far).expect("the third time");
        assert_eq!(asked, 3);
        let late = again(busy, || true, clock::now());
        assert!(matches!(late, Err(StoreError::Late { .. })), "{late:?}");
        let given_up = again(busy, || false, far);
        assert!(matches!(given_up, Err(StoreError::GivenUp)), "{given_up:?}");
        let hung_up = again(|| Err(StoreError::HungUp), || true, far);
        assert!(matches!(hung_up, Err(StoreError::HungUp)), "{hung_up:?}");
    }
}
