//! Asking again when the one who was asked has died and is being restarted.

use raytree::{Error, Pending};

/// How often one call is made before its failure is told: enough for a passing fault, too few for a hot crash loop.
pub(super) const ATTEMPTS_MAX: u32 = 3;
/// Restarts of each part over a whole training. A part that fails all the time is stopped by [`ATTEMPTS_MAX`] long before.
pub(super) const RESTARTS_MAX: u32 = 1_000;

/// Why a call had no answer.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) attempts: u32,
    pub(super) source: Error,
}

/// The answer to `call`, which is made again while its callee is being restarted.
///
/// `first` is a call made already, so that several callees can work at once.
pub(super) async fn ask_again<R>(
    first: Pending<R>,
    call: impl Fn() -> Pending<R>,
) -> Result<R, Lost> {
    let mut attempts = 1;
    let mut answer = first.await;
    loop {
        match answer {
            Ok(reply) => return Ok(reply),
            Err(Error::ActorDied { will_restart: true, .. } | Error::CallDropped { .. })
                if attempts < ATTEMPTS_MAX =>
            {
                attempts += 1;
                answer = call().await;
            }
            Err(source) => return Err(Lost { attempts, source }),
        }
    }
}
