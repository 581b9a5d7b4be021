//! What a process's children write to their standard output and error: taken from them as they write it, kept in files of
//! bounded size, and handed on line by line.
//!
//! ```text
//! child ──pipe──▶ pump ──▶ files of the session: node-1-4242.out, node-1-4242.err, node-1-4242.err.1 ...
//!                      └─▶ whoever the lines are told
//! ```
//!
//! The files of a program and of all processes below it lie in the folder of one [`Session`]. The pump is a thread of its own:
//! a disk that is slow must not delay the keeper, whose thread answers beats.

mod file;
mod pump;
mod read;
mod session;
mod show;

use std::fmt;
use std::sync::Arc;

use raytree_types::LogLines;

pub(crate) use pump::{Ends, Pump, Written};
pub use read::{LogPlace, LogRead, after, tail};
pub use session::{Rotation, SESSION_VARIABLE, Session};
pub use show::{Whose, answer};

/// Hears the lines of a child. Called on the pump's thread: it must hand them on, or drop them, and return.
pub type Tell = Arc<dyn Fn(LogLines) + Send + Sync>;

/// What becomes of what a child writes.
#[derive(Clone)]
pub struct Capture {
    /// Where it is kept.
    pub session: Arc<Session>,
    /// Who is told of its lines.
    pub tell: Option<Tell>,
    /// It is also written to this process's own standard error, as it is.
    pub is_echoed: bool,
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("folder", &self.session.folder())
            .field("is_echoed", &self.is_echoed)
            .finish_non_exhaustive()
    }
}
