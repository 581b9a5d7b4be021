//! What of a process the watch looks after.

use std::any::type_name;

use raytree_engine::memory::{Process, Reading, Shortage};
use raytree_types::{Cause, Error};

use crate::Meter;

/// A process that runs tasks and actors, or has others do so, as the watch sees it.
pub trait Household: Send + Sync + 'static {
    /// All that may be ended, its own children and what they offer, measured now. Blocks.
    fn processes(&self, meter: &dyn Meter) -> Vec<Process>;

    /// Here and below nothing new begins from now on; without a reading it goes on. Said again and again
    /// for as long as memory is short.
    fn holds_back(&self, short: Option<Reading>);

    /// Whether a store writes to disk what nobody looks at, and its memory will be free.
    fn spills(&self) -> bool;

    /// Ends the process of this number, which has `own` bytes; what is lost with it. None when it is not there any more.
    fn end(&self, process: u32, own: u64, shortage: Shortage) -> Option<Lost>;
}

/// What is lost with a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// How the process is called.
    pub name: String,
    /// What was in it, a few words each; empty where that is known below alone.
    pub things: Vec<String>,
}

/// As the end of a process that was ended for memory: the error itself travels in it.
#[must_use]
pub fn cause_of(error: &Error) -> Cause {
    Cause::of_error(error, type_name::<Error>()).with_value(error)
}

/// The error in the cause of an end, if that was memory.
#[must_use]
pub fn out_of_memory(cause: &Cause) -> Option<Error> {
    cause.value::<Error>().filter(|error| matches!(error, Error::OutOfMemory { .. }))
}
