//! Processes below the one that is looked at, as tests have them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use raytree_supervise::{NoWay, Passage, Probe, Sight};
use raytree_types::inspect::{Answer, Refused, Request};

use crate::whole::Seam;

type Says = dyn Fn(&Request) -> Result<Answer, NoWay> + Send + Sync;

/// Says this to everything, and shows nothing.
pub(crate) struct Below(Box<Says>);

impl Below {
    pub(crate) fn says(
        says: impl Fn(&Request) -> Result<Answer, NoWay> + Send + Sync + 'static,
    ) -> Arc<dyn Passage> {
        Arc::new(Self(Box::new(says)))
    }
}

impl Passage for Below {
    fn sees(&self, _owners: bool, _within: Duration) -> Result<Sight, NoWay> {
        Err(silent())
    }

    fn asks(&self, request: &Request, _within: Duration) -> Result<Answer, NoWay> {
        (self.0)(request)
    }
}

impl fmt::Debug for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Below").finish_non_exhaustive()
    }
}

/// One that is frozen.
pub(crate) fn silent() -> NoWay {
    NoWay::because("it did not answer")
}

/// One that has no door.
pub(crate) fn shut() -> NoWay {
    NoWay { is_shut: true, ..silent() }
}

/// A process below, whose mirror is at this path.
pub(crate) fn seam(
    path: &str,
    says: impl Fn(&Request) -> Result<Answer, NoWay> + Send + Sync + 'static,
) -> Seam {
    Seam { mirror: Probe::alone(path), passage: Below::says(says) }
}

/// A root that is a mirror itself: all that is asked is asked of the process behind it.
pub(crate) fn root(
    says: impl Fn(&Request) -> Result<Answer, NoWay> + Send + Sync + 'static,
) -> Arc<Probe> {
    let root = Probe::alone("raytree");
    root.leads_to(Some(Below::says(says)));
    root
}

/// There is no such thing, and these are called nearly so.
pub(crate) fn nobody(near: &[&str]) -> Answer {
    let near = near.iter().map(|name| (*name).to_owned()).collect();
    Answer::Refused(Refused::NoSuchPath { path: "raytree/it".to_owned(), near })
}
