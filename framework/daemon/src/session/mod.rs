//! Sessions: messages in both directions between two processes of a cluster, in order, over one connection.
//!
//! A session is made of a connection that the handshake of `raytree-wire` has let in. What is spoken on it is
//! `ractor_cluster`: each side runs one of its node sessions, which carries messages to the other side's *gate*, the one
//! actor of a process that can be reached from elsewhere. The star is isolated: nothing is listened to, nobody is told of
//! third parties, and no two sessions know of each other, not even two with the same peer.
//!
//! ```text
//! say ─▶ outgoing ─▶ node session ─▶ socket pair ─▶ thread ─▶ wire stream ═▶ the peer's thread ─▶ .. ─▶ its gate ─▶ heard
//! ```
//!
//! What is said is encoded as JSON: it is small, and can be read by a person. Numbers that JSON lacks (`NaN`) do not
//! survive.
//!
//! Who says a message and at once closes the session, or ends, does not know whether it arrives; who needs to know asks for
//! an answer. Nobody is declared dead here: a peer that hangs stays silent, and is found by its beats.
//!
//! Invariants:
//! - **SE-1 (in-order):** what one side says, the other hears in the order in which it was said, none twice, and none left
//!   out before one that is heard.
//! - **SE-2 (once-and-last):** whoever owns a session hears [`SessionEvent::Opened`] at most once and before every message,
//!   and [`SessionEvent::Lost`] exactly once and after everything, however the session, the peer or [`Sessions`] ends.
//! - **SE-3 (bounded):** what was said and not heard yet is bounded in messages and in bytes, in both processes; so are one
//!   message and the time until a session is open. Reaching a bound is a typed error.
//! - **SE-4 (each-its-own):** the end of one session, whatever the peer has sent, is nobody else's, and nobody can speak in
//!   another's session.

mod ear;
mod error;
mod gate;
mod letter;
mod line;
mod outgoing;
mod pump;
mod sessions;
#[cfg(test)]
mod tests;
mod window;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use raytree_supervise::Addr;
use raytree_types::Cause;
use raytree_wire::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use ear::Ear;
pub use error::{SayError, SessionEnd};
use outgoing::Outgoing;
use sessions::{Opening, Told};
pub use sessions::{Sessions, SessionsMsg};

/// What whoever owns a session hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent<In> {
    /// The peer is there. What was said before is on its way now.
    Opened,
    /// The peer said this.
    Said(In),
    /// The session is over. The cause has a [`SessionEnd`] as its value.
    Lost(Cause),
}

/// Which end of the connection this is. The peer has to be the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This process has dialed.
    Dialed,
    /// This process was dialed.
    Accepted,
}

/// One side of a session. Cheap to clone; all clones are the same session, which is closed when the last one is dropped.
pub struct Session<Out> {
    held: Arc<Held>,
    _says: PhantomData<fn(Out)>,
}

/// Closes the session when nobody has it any more: nobody could.
#[derive(Debug)]
struct Held(Arc<Outgoing>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.end(&SessionEnd::Closed);
    }
}

impl<Out: Serialize> Session<Out> {
    /// Says something to the peer. Never blocks; what is said before the session is open waits for it.
    ///
    /// # Errors
    /// [`SayError`]; the message was not said then.
    pub fn say(&self, message: &Out) -> Result<(), SayError> {
        self.held.0.say(message)
    }
}

impl<Out> Session<Out> {
    /// Less than half of what may be unheard is: there is room also for what may as well not be said.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.held.0.has_room()
    }

    /// Ends the session on both sides: both hear [`SessionEvent::Lost`]. What is under way may be lost.
    pub fn close(&self) {
        self.held.0.end(&SessionEnd::Closed);
    }

    /// Who is on the other side.
    #[must_use]
    pub fn peer(&self) -> &str {
        self.held.0.peer()
    }
}

impl<Out> Clone for Session<Out> {
    fn clone(&self) -> Self {
        Self { held: Arc::clone(&self.held), _says: PhantomData }
    }
}

impl<Out> fmt::Debug for Session<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.peer()).finish()
    }
}

/// Makes a session of a connection that the handshake has let in. `peer` is how it is called in errors and logs.
///
/// `heard` runs on the runtime of `sessions`, for all sessions of the process one after the other: it hands on and returns.
/// One that panics ends its session. When `sessions` takes nothing in, it hears of the loss before this returns.
#[must_use = "the session is closed when this is dropped"]
pub fn open<In, Out>(
    sessions: &Addr<SessionsMsg>,
    peer: &str,
    stream: Stream,
    side: Side,
    heard: impl FnMut(SessionEvent<In>) + Send + 'static,
) -> Session<Out>
where
    In: DeserializeOwned,
    Out: Serialize,
{
    let outgoing = Arc::new(Outgoing::new(peer, stream.closer()));
    let ear = Ear::new(&outgoing, heard);
    let opening = Opening { stream, side, ear, outgoing: Arc::clone(&outgoing) };
    if let Err(refused) = sessions.try_send(Told::Open(Box::new(opening)).into()) {
        outgoing.end(&SessionEnd::NotTaken { why: refused.reason.to_string() });
        // Its ear hears it.
        drop(refused);
    }
    Session { held: Arc::new(Held(outgoing)), _says: PhantomData }
}
