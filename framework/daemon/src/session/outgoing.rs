//! What one side of a session says, and the one place in which it is written why the session ended.

use std::collections::VecDeque;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use ractor::ActorRef;
use raytree_types::{Cause, limits};
use raytree_wire::Closer;
use serde::Serialize;

use super::error::{SayError, SessionEnd};
use super::gate::GateMsg;
use super::letter::{Address, Letter, Unwritten};
use super::window::{Amount, Unheard};

/// One side of a session, as all that have to do with it share it.
#[derive(Debug)]
pub(super) struct Outgoing {
    peer: String,
    closer: Closer,
    is_shut: AtomicBool,
    why: OnceLock<Cause>,
    saying: Mutex<Saying>,
}

#[derive(Debug)]
struct Saying {
    way: Way,
    unheard: Unheard,
}

#[derive(Debug)]
enum Way {
    /// The peer is not there yet: what is said waits, within the same bounds.
    Opening(VecDeque<Letter>),
    /// To the peer's gate. Of this reference nothing is ever asked but to carry messages: to stop it, say, would end more.
    Open(ActorRef<GateMsg>, Address),
    Over,
}

impl Outgoing {
    pub(super) fn new(peer: &str, closer: Closer) -> Self {
        let saying = Saying { way: Way::Opening(VecDeque::new()), unheard: Unheard::default() };
        Self {
            peer: peer.to_owned(),
            closer,
            is_shut: AtomicBool::new(false),
            why: OnceLock::new(),
            saying: Mutex::new(saying),
        }
    }

    pub(super) fn peer(&self) -> &str {
        &self.peer
    }

    pub(super) fn say(&self, message: &impl Serialize) -> Result<(), SayError> {
        let peer = || self.peer.clone();
        let letter = Letter::said(message).map_err(|error| match error {
            Unwritten::TooLarge(bytes) => {
                SayError::TooLarge { peer: peer(), bytes, max: limits::SESSION_MESSAGE_BYTES_MAX }
            }
            Unwritten::Json(source) => SayError::Encoding { peer: peer(), source },
        })?;
        let bytes = letter.message_bytes();
        if bytes > limits::SESSION_MESSAGE_BYTES_LARGE {
            tracing::debug!(peer = self.peer, bytes, "a large message on the control plane");
        }
        let mut saying = self.saying.lock();
        if matches!(saying.way, Way::Over) {
            return Err(SayError::Lost { peer: peer() });
        }
        saying.unheard.says(bytes).map_err(|Amount { messages, bytes }| SayError::Crowded {
            peer: peer(),
            messages: usize::try_from(messages).unwrap_or(usize::MAX),
            bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
        })?;
        if saying.send(letter) { Ok(()) } else { Err(SayError::Lost { peer: peer() }) }
    }

    /// There is room also for what may as well not be said.
    pub(super) fn has_room(&self) -> bool {
        self.saying.lock().unheard.has_room()
    }

    /// Tells the peer how far this side is. Their number is bounded by what the peer may say.
    pub(super) fn tell_heard(&self, amount: Amount) {
        // One that cannot be told any more interests nobody.
        _ = self.saying.lock().send(Letter::heard(amount));
    }

    /// The peer tells how far it is. False when that cannot be.
    #[must_use]
    pub(super) fn is_heard(&self, amount: Amount) -> bool {
        self.saying.lock().unheard.is_heard(amount)
    }

    /// The peer is there: what was said meanwhile goes first.
    pub(super) fn open(&self, gate: ActorRef<GateMsg>, to: Address) {
        let mut saying = self.saying.lock();
        if !matches!(saying.way, Way::Opening(_)) {
            return;
        }
        let way = std::mem::replace(&mut saying.way, Way::Open(gate, to));
        if let Way::Opening(waiting) = way {
            for letter in waiting {
                _ = saying.send(letter);
            }
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.saying.lock().way, Way::Open(..))
    }

    /// The session is over, and this is why unless it was over already. Everything else follows from the end of the stream.
    pub(super) fn end(&self, why: &SessionEnd) {
        // The first cause is the cause.
        _ = self.why.set(why.cause(&self.peer));
        self.shut();
    }

    /// Ends the stream; why, somebody else will say.
    pub(super) fn shut(&self) {
        let way = std::mem::replace(&mut self.saying.lock().way, Way::Over);
        drop(way);
        self.is_shut.store(true, Ordering::Release);
        self.closer.shutdown();
    }

    /// Whether this side has ended the stream.
    pub(super) fn is_shut(&self) -> bool {
        self.is_shut.load(Ordering::Acquire)
    }

    /// Why it ended.
    pub(super) fn why(&self) -> Cause {
        self.why.get().cloned().unwrap_or_else(|| SessionEnd::SessionsEnded.cause(&self.peer))
    }
}

impl Saying {
    /// False when the session is over, or its peer's gate is gone.
    fn send(&mut self, letter: Letter) -> bool {
        match &mut self.way {
            Way::Opening(waiting) => {
                waiting.push_back(letter);
                true
            }
            Way::Open(gate, to) => gate.cast(GateMsg::Letter(letter.to(to))).is_ok(),
            Way::Over => false,
        }
    }
}
