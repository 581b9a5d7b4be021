//! Options of an actor.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::isolation::Isolation;
use super::note::{Bad, Wants};
use crate::error::Result;
use crate::limits;
use crate::resources::Demand;
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
    namespace: Option<String>,
    label: Option<String>,
    wants: Wants,
    restarts: Option<u32>,
    retries: Option<u32>,
    backoff: Option<Backoff>,
    max_concurrency: Option<usize>,
    mailbox: Option<usize>,
    stop_within: Option<Duration>,
    tell_parent: bool,
    detached: bool,
    get_if_exists: bool,
    isolation: Option<Box<Isolation>>,
    #[serde(skip)]
    bad: Option<Box<Bad>>,
}

impl ActorOptions {
    /// All defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// A name by which others find it: of all living actors of a namespace only one has it, in the whole program, on all of its
    /// nodes; if it is detached, in the whole cluster. 1 to 128 bytes, no `/`. Also its label.
    ///
    /// One that belongs to an actor on a node is known by its name in that one's process alone, unless it is detached.
    #[track_caller]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        match limits::check_name(&name) {
            Ok(()) => self.name = Some(name),
            Err(reason) => Bad::note(&mut self.bad, "name", name, &reason),
        }
        self
    }

    /// Where the name is unique. Default: the namespace of the runtime.
    #[track_caller]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        let namespace = namespace.into();
        match limits::check_name(&namespace) {
            Ok(()) => self.namespace = Some(namespace),
            Err(reason) => Bad::note(&mut self.bad, "namespace", namespace, &reason),
        }
        self
    }

    /// With a living actor of this name and type, that one is meant, and nothing is started. Atomic: of many who ask at
    /// once, one starts it.
    pub fn get_if_exists(mut self) -> Self {
        self.get_if_exists = true;
        self
    }

    /// How it is called in the tree and in messages; any number may be called alike. Default: its name, else the name of
    /// its type. 1 to 128 bytes, no `/`.
    #[track_caller]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        let label = label.into();
        match limits::check_name(&label) {
            Ok(()) => self.label = Some(label),
            Err(reason) => Bad::note(&mut self.bad, "label", label, &reason),
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
        if !self.wants.set(name, amount) {
            let reason = "an amount is zero or more, in steps of 0.001";
            Bad::note(&mut self.bad, "resources", format!("{amount} {name}"), reason);
        }
        self
    }

    /// How often a call that was lost with a life of the actor is made again on its next life. Default 0: at most once.
    /// With retries a method may run more than once.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
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
            Bad::note(&mut self.bad, "max_concurrency", calls.to_string(), &reason);
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
            Bad::note(&mut self.bad, "mailbox", calls.to_string(), &reason);
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
    ///
    /// One that a program on a cluster creates, its tasks or its actors, outlives the program, too: it belongs to the cluster, each of its lives has a
    /// process of its own on some node, and whoever runs the same program finds it by its name, which is unique in the whole
    /// cluster. The arguments of its constructor are values, at most 32 KiB of them: no references and no handles. What it
    /// submits itself runs in its process, with the CPUs that it holds. It ends when it is stopped or killed, fails once more
    /// than its `restarts` allow, or with the cluster. That its name is taken its calls say.
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Each of its lives has a process of its own: for native code that may crash, for environment variables, and for
    /// synchronous code that has to be ended at once. A kill ends the process, whatever runs in it; its death is the end of
    /// a life, which `restarts` may follow, each in a new process. Default: it shares the process of its worker, where
    /// it begins and is called ten times quicker or more.
    ///
    /// For actors of types marked `#[remote]`: arguments and results go through the codec. The process is this program,
    /// started again: what it does before its first runtime starts it does there, too, so let `#[raytree::main]` or
    /// `init()` come first. What the actor itself starts and leaves behind is ended with it. Names
    /// are found in it, and in the process that has started it.
    pub fn isolated(mut self) -> Self {
        self.isolation.get_or_insert_default();
        self
    }

    /// An environment variable of a process of its own: says [`Self::isolated`], too.
    #[track_caller]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let variable = (name.into(), value.into());
        Isolation::variable(&mut self.isolation, variable, &mut self.bad);
        self
    }

    /// The working directory of a process of its own: says [`Self::isolated`], too. Default: that of the process which
    /// starts it.
    pub fn working_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.isolation.get_or_insert_default().directory = Some(folder.into());
        self
    }

    /// Bytes of memory that a process of its own may use for itself, looked at every 100 ms: one that uses more is killed.
    /// Says [`Self::isolated`], too. Default: no bound; at least 1 MiB.
    #[track_caller]
    pub fn memory_max(mut self, bytes: u64) -> Self {
        Isolation::memory(&mut self.isolation, bytes, &mut self.bad);
        self
    }

    /// These options, with everything they leave unsaid taken from `base`.
    pub fn over(self, base: &Self) -> Self {
        Self {
            name: self.name.or_else(|| base.name.clone()),
            namespace: self.namespace.or_else(|| base.namespace.clone()),
            label: self.label.or_else(|| base.label.clone()),
            wants: self.wants.over(&base.wants),
            restarts: self.restarts.or(base.restarts),
            retries: self.retries.or(base.retries),
            backoff: self.backoff.or(base.backoff),
            max_concurrency: self.max_concurrency.or(base.max_concurrency),
            mailbox: self.mailbox.or(base.mailbox),
            stop_within: self.stop_within.or(base.stop_within),
            tell_parent: self.tell_parent || base.tell_parent,
            detached: self.detached || base.detached,
            get_if_exists: self.get_if_exists || base.get_if_exists,
            isolation: Isolation::over(self.isolation, base.isolation.as_deref()),
            bad: self.bad.or_else(|| base.bad.clone()),
        }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// [`Error::BadOption`](crate::Error::BadOption) for the first bad value, with the line that gave it.
    pub fn check(&self) -> Result<()> {
        Bad::check(self.bad.as_deref())
    }

    /// The name by which it is found, if one was given.
    #[must_use]
    pub fn given_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where its name is unique, if that was said.
    #[must_use]
    pub fn given_namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// How it is called in the tree, if that was said.
    #[must_use]
    pub fn given_label(&self) -> Option<&str> {
        self.label.as_deref().or(self.name.as_deref())
    }

    /// Whether a living actor of its name will do.
    #[must_use]
    pub fn gets_if_exists(&self) -> bool {
        self.get_if_exists
    }

    /// How often a lost call is made again.
    #[must_use]
    pub fn retries_max(&self) -> u32 {
        self.retries.unwrap_or(0)
    }

    /// What it takes to place and to run it.
    #[must_use]
    pub fn demand(&self) -> Demand {
        if self.wants.is_empty() {
            Demand::default()
        } else {
            Demand::always(self.wants.resources(0))
        }
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
        Shutdown::Drain(self.stops_within())
    }

    /// How long a graceful stop may take.
    #[must_use]
    pub fn stops_within(&self) -> Duration {
        self.stop_within.unwrap_or(limits::ACTOR_STOP_WITHIN)
    }

    /// Whether its parent hears of its ends.
    #[must_use]
    pub fn tells_parent(&self) -> bool {
        self.tell_parent
    }

    /// The options of one of its lives in another process: names, restarts and retries are seen to where it was asked for.
    #[doc(hidden)]
    pub fn elsewhere(self, label: &str) -> Self {
        Self {
            name: None,
            namespace: None,
            label: Some(label.to_owned()),
            restarts: None,
            retries: None,
            tell_parent: false,
            detached: false,
            get_if_exists: false,
            ..self
        }
    }

    /// As [`Self::elsewhere`], in a process of its own: it has all of it, and what it takes is booked by whoever has
    /// started that.
    #[doc(hidden)]
    pub fn inside(self, label: &str) -> Self {
        let wants = Self::new().cpus(0.0).wants;
        Self { wants, isolation: None, ..self.elsewhere(label) }
    }

    /// What the process of each life is to be like, if it has one of its own.
    #[must_use]
    pub fn isolation(&self) -> Option<&Isolation> {
        self.isolation.as_deref()
    }

    /// Whether it outlives parent and handles.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        self.detached
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
            assert!(error.contains("actor.rs:"), "{error}");
        }
    }
}
