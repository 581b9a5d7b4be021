//! Calls to the parts of a training: how often they are made again, and what one that failed means.

use crate::error::Error;

/// How often a call is made again that was lost with its actor: enough for a passing fault, too few for a hot crash loop.
pub(super) const RETRIES: u32 = 2;
/// Restarts of each part over a whole training. A part that fails all the time is stopped by [`RETRIES`] long before.
pub(super) const RESTARTS_MAX: u32 = 1_000;

/// What a failed call to `part` means.
pub(super) fn failed(part: &'static str, error: raytree::Error) -> Error {
    told_or(error, |attempts, source| Error::PartLost { part, attempts, source })
}

/// What the part itself said; or, if it did not answer, what `lost` makes of the number of attempts and the end of the
/// last one.
pub(super) fn told_or(
    error: raytree::Error,
    lost: impl FnOnce(u32, raytree::Error) -> Error,
) -> Error {
    if let Some(told) = error.downcast() {
        return told;
    }
    // One that will be restarted has been asked to the end. Of one that is gone only the last attempt is known.
    let asked_to_the_end = matches!(error, raytree::Error::ActorDied { will_restart: true, .. });
    lost(if asked_to_the_end { 1 + RETRIES } else { 1 }, error)
}
