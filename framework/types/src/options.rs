//! How an actor is to be placed, restarted, bounded and ended: one reusable value.

use std::panic::Location;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits;
use crate::resources::{Demand, Resources};
use crate::supervision::{Backoff, Shutdown};

/// Options of an actor. Everything has a default; set only what differs.
///
/// ```
/// use raytree_types::ActorOptions;
/// let options = ActorOptions::new().name("scores").cpus(0.5).restarts(3).max_concurrency(16);
/// assert!(options.check().is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct ActorOptions {
    name: Option<String>,
    resources: Option<Resources>,
    restarts: Option<u32>,
    backoff: Option<Backoff>,
    max_concurrency: Option<usize>,
    mailbox: Option<usize>,
    stop_within: Option<Duration>,
    tell_parent: bool,
    detached: bool,
    #[serde(skip)]
    bad: Option<Box<Bad>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Bad {
    option: &'static str,
    value: String,
    reason: String,
}

impl ActorOptions {
    /// All defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How it is called in the tree and in messages; default: the name of its type. 1 to 128 bytes, no `/`.
    #[track_caller]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        if name.is_empty() || name.len() > limits::NAME_BYTES_MAX || name.contains('/') {
            let reason = format!("a name has 1 to {} bytes and no slash", limits::NAME_BYTES_MAX);
            self.note("name", name, reason);
        } else {
            self.name = Some(name);
        }
        self
    }

    /// CPUs it holds for its whole life. Default: 1 while it is placed, then 0.
    #[track_caller]
    pub fn cpus(self, amount: f64) -> Self {
        self.resource(crate::resources::CPU, amount)
    }

    /// GPUs it holds for its whole life; fractions share one. Default 0.
    #[track_caller]
    pub fn gpus(self, amount: f64) -> Self {
        self.resource(crate::resources::GPU, amount)
    }

    /// So much of a named resource, for its whole life.
    #[track_caller]
    pub fn resource(mut self, name: &str, amount: f64) -> Self {
        let place = Location::caller();
        let resources = self.resources.take().unwrap_or_default().custom(name, amount);
        if resources.checked().is_err() {
            let reason = format!("an amount is zero or more, in steps of 0.001 ({place})");
            self.note("resources", format!("{amount} {name}"), reason);
        }
        self.resources = Some(resources);
        self
    }

    /// How often it is started again after a panic, a failure or the loss of its host, over its whole life. Default 0.
    pub fn restarts(mut self, restarts: u32) -> Self {
        self.restarts = Some(restarts);
        self
    }

    /// The waits between restarts.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// How many `&self` handlers may overlap. Default 1; 1 to 10,000. `&mut self` handlers always run alone.
    #[track_caller]
    pub fn max_concurrency(mut self, calls: usize) -> Self {
        if (1..=limits::MAX_CONCURRENCY_MAX).contains(&calls) {
            self.max_concurrency = Some(calls);
        } else {
            let reason = format!("it is 1 to {}", limits::MAX_CONCURRENCY_MAX);
            self.note("max_concurrency", calls.to_string(), reason);
        }
        self
    }

    /// How many calls may wait or run before callers are refused with `Overloaded`. Default 10,000; 1 to 2^20.
    #[track_caller]
    pub fn mailbox(mut self, calls: usize) -> Self {
        if (1..=limits::ACTOR_MAILBOX_MAX).contains(&calls) {
            self.mailbox = Some(calls);
        } else {
            let reason = format!("it is 1 to {}", limits::ACTOR_MAILBOX_MAX);
            self.note("mailbox", calls.to_string(), reason);
        }
        self
    }

    /// How long a graceful stop may take, queued calls included, before the actor is killed. Default 30 s.
    pub fn stop_within(mut self, deadline: Duration) -> Self {
        self.stop_within = Some(deadline);
        self
    }

    /// Its parent's `child_exited` hears of every end of it. Default: only its callers do.
    pub fn tell_parent(mut self) -> Self {
        self.tell_parent = true;
        self
    }

    /// It outlives its parent and its handles. Default: it ends before its parent does, or with its last handle.
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Checks every number.
    ///
    /// # Errors
    /// [`Error::BadOption`] for the first bad value, with the line that gave it.
    pub fn check(&self) -> Result<()> {
        match &self.bad {
            None => Ok(()),
            Some(bad) => Err(Error::BadOption {
                option: bad.option.to_owned(),
                value: bad.value.clone(),
                reason: bad.reason.clone(),
            }),
        }
    }

    /// The name, if one was given.
    #[must_use]
    pub fn given_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What it takes to place and to run it.
    #[must_use]
    pub fn demand(&self) -> Demand {
        self.resources.clone().map_or_else(Demand::default, Demand::always)
    }

    /// Restarts allowed over its life.
    #[must_use]
    pub fn restarts_max(&self) -> u32 {
        self.restarts.unwrap_or(0)
    }

    /// The waits between restarts.
    #[must_use]
    pub fn restart_backoff(&self) -> Backoff {
        self.backoff.unwrap_or_default()
    }

    /// `&self` handlers that may overlap.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.max_concurrency.unwrap_or(1)
    }

    /// The bound of its mailbox, in calls.
    #[must_use]
    pub fn mailbox_bound(&self) -> usize {
        self.mailbox.unwrap_or(limits::ACTOR_MAILBOX_DEFAULT)
    }

    /// How a graceful stop ends it.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        Shutdown::Drain(self.stop_within.unwrap_or(limits::ACTOR_STOP_WITHIN))
    }

    /// Whether its parent hears of its ends.
    #[must_use]
    pub fn tells_parent(&self) -> bool {
        self.tell_parent
    }

    /// Whether it outlives parent and handles.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        self.detached
    }

    #[track_caller]
    fn note(&mut self, option: &'static str, value: String, reason: String) {
        let place = Location::caller();
        let reason = if reason.contains(".rs:") { reason } else { format!("{reason} ({place})") };
        self.bad.get_or_insert_with(|| Box::new(Bad { option, value, reason }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_rays_but_for_the_bounded_mailbox() {
        let options = ActorOptions::new();
        assert_eq!(options.demand(), Demand::default());
        assert_eq!(options.restarts_max(), 0);
        assert_eq!(options.concurrency(), 1);
        assert_eq!(options.mailbox_bound(), limits::ACTOR_MAILBOX_DEFAULT);
    }

    #[test]
    fn named_resources_are_held_for_life() {
        let demand = ActorOptions::new().cpus(0.0).gpus(0.5).demand();
        assert_eq!(demand.placing, demand.running);
        assert_eq!(demand.running.to_string(), "0.5 GPU");
    }

    #[test]
    fn bad_values_point_at_the_callers_line() {
        for options in [
            ActorOptions::new().cpus(-1.0),
            ActorOptions::new().max_concurrency(0),
            ActorOptions::new().mailbox(0),
            ActorOptions::new().name("a/b"),
        ] {
            let error = options.check().unwrap_err().to_string();
            assert!(error.contains("options.rs:"), "{error}");
        }
    }
}
