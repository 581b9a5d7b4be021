//! Tasks as a program meets them: submission, options, retries, time, cancellation, waiting, errors, accounting.

mod accounting;
mod basics;
mod bounds;
mod cancelling;
mod endings;
mod errors;
pub(crate) mod gate;
mod isolated;
mod machine;
mod options;
mod retries;
mod timeouts;
mod waiting;
