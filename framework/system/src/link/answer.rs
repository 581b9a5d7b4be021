//! What became of questions.

use std::sync::Arc;

use raytree_memory::cause_of;
use raytree_types::{Cause, Error};

use super::Link;
use crate::object::part::Part;
use crate::task::failure::Failure;

/// Who asked a question.
pub(crate) trait Landing: Send {
    /// One of many values has come; given back where nobody takes it, since whoever gives it holds a lock, and it may have more than bytes.
    fn item(&self, item: Part) -> Option<Part> {
        Some(item)
    }
    /// The last word.
    fn land(self: Box<Self>, answer: Answer);
}

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Answer {
    Value(Part),
    Failed(Error),
    /// The link has ended.
    Lost(Cause),
}

impl Answer {
    /// As the end of a body that ran over there.
    pub(crate) fn of_body(self) -> std::result::Result<Part, Failure> {
        match self {
            Self::Value(part) => Ok(part),
            Self::Failed(Error::TaskFailed { cause, .. }) => Err(Failure::User(cause)),
            Self::Failed(Error::WorkerDied { cause, .. }) => Err(Failure::Lost(cause)),
            // Ended for memory: as for any other end of a process, it may be run again.
            Self::Failed(error @ Error::OutOfMemory { .. }) => {
                Err(Failure::Lost(Box::new(cause_of(&error))))
            }
            Self::Failed(other) => Err(other.into()),
            Self::Lost(cause) => Err(Failure::Lost(Box::new(cause))),
        }
    }
}

/// Dropped, the answer is not wanted any more.
pub(super) struct Asks {
    pub(super) link: Arc<Link>,
    pub(super) call: u64,
}

impl Drop for Asks {
    fn drop(&mut self) {
        self.link.withdraw(self.call, false);
    }
}
