//! Options of a task.

use std::any::type_name;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::isolation::Isolation;
use super::note::{Bad, Wants};
use crate::error::Result;
use crate::limits;
use crate::resources::Resources;

/// Options of a task: one reusable value. Everything has a default; `with` overrides only what is set here, the
/// attribute of the function keeps the rest.
///
/// ```
/// use std::time::Duration;
/// use raytree_types::TaskOptions;
/// let heavy = TaskOptions::new().cpus(4.0).timeout(Duration::from_secs(30));
/// assert_eq!(heavy.demand().to_string(), "4 CPU");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct TaskOptions {
    name: Option<String>,
    wants: Wants,
    retries: Option<u32>,
    retry_errors: Option<u32>,
    retry_on: Vec<String>,
    timeout: Option<Duration>,
    queue_timeout: Option<Duration>,
    window: Option<usize>,
    isolation: Option<Box<Isolation>>,
    #[serde(skip)]
    bad: Option<Box<Bad>>,
}

impl TaskOptions {
    /// All defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How it is called in messages and tables; default: the path of its function. 1 to 128 bytes, no `/`.
    #[track_caller]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        match limits::check_name(&name) {
            Ok(()) => self.name = Some(name),
            Err(reason) => Bad::note(&mut self.bad, "name", name, &reason),
        }
        self
    }

    /// CPUs it holds while it runs. Default 1; steps of 0.001.
    #[track_caller]
    pub fn cpus(self, amount: f64) -> Self {
        self.resource(crate::resources::CPU, amount)
    }

    /// GPUs it holds while it runs; fractions share one. Default 0.
    #[track_caller]
    pub fn gpus(self, amount: f64) -> Self {
        self.resource(crate::resources::GPU, amount)
    }

    /// So much of a named resource while it runs.
    #[track_caller]
    pub fn resource(mut self, name: &str, amount: f64) -> Self {
        if !self.wants.set(name, amount) {
            let reason = "an amount is zero or more, in steps of 0.001";
            Bad::note(&mut self.bad, "resources", format!("{amount} {name}"), reason);
        }
        self
    }

    /// How often it is run again after its worker was lost. Default 3; `u32::MAX` is for ever.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// How often it is run again after an `Err` or a panic of its own. Default 0, or 3 once [`Self::retry_on`] names a
    /// type; `u32::MAX` is for ever.
    pub fn retry_errors(mut self, retries: u32) -> Self {
        self.retry_errors = Some(retries);
        self
    }

    /// Only an `Err` of type `E` is worth another run. May be said of several types.
    pub fn retry_on<E: 'static>(mut self) -> Self {
        self.retry_on.push(type_name::<E>().to_owned());
        self
    }

    /// How long one run may take; time in line does not count. Default: for ever.
    ///
    /// An async function is dropped at its next await. Synchronous code cannot be ended: its result is discarded, and
    /// its thread and its resources stay taken until it returns.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// How long it may wait for its arguments and resources. Default: for ever.
    pub fn queue_timeout(mut self, limit: Duration) -> Self {
        self.queue_timeout = Some(limit);
        self
    }

    /// Runs it in a process of its own, which is started for this run and ends with it: for native code that may crash, and
    /// for what has to be ended at once. A timeout or a cancel kills the process; its death costs one of the `retries`.
    /// Default: in this process, which costs some ten thousand times less.
    ///
    /// Arguments and the result go through the codec; a reference to an object or an actor inside them cannot go along. The
    /// process is this program, started again: what it does before its first runtime starts it does there, too, so let
    /// `#[raytree::main]` or `init()` come first. What the task itself starts and leaves behind is ended with it.
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

    /// The working directory of a process of its own: says [`Self::isolated`], too. Default: this process's.
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

    /// For functions that return a stream: items it may be ahead of its reader. Default 64; 1 to 2^20.
    #[track_caller]
    pub fn window(mut self, items: usize) -> Self {
        if (1..=limits::STREAM_WINDOW_MAX).contains(&items) {
            self.window = Some(items);
        } else {
            let reason = format!("it is 1 to {}", limits::STREAM_WINDOW_MAX);
            Bad::note(&mut self.bad, "window", items.to_string(), &reason);
        }
        self
    }

    /// These options, with everything they leave unsaid taken from `base`.
    pub fn over(self, base: &Self) -> Self {
        let retry_on = if self.retry_on.is_empty() { &base.retry_on } else { &self.retry_on };
        Self {
            retry_on: retry_on.clone(),
            name: self.name.or_else(|| base.name.clone()),
            wants: self.wants.over(&base.wants),
            retries: self.retries.or(base.retries),
            retry_errors: self.retry_errors.or(base.retry_errors),
            timeout: self.timeout.or(base.timeout),
            queue_timeout: self.queue_timeout.or(base.queue_timeout),
            window: self.window.or(base.window),
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

    /// The name, if one was given.
    #[must_use]
    pub fn given_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What it holds while it runs.
    #[must_use]
    pub fn demand(&self) -> Resources {
        self.wants.resources(1000)
    }

    /// Runs after the first that the loss of a worker may cost.
    #[must_use]
    pub fn retries_max(&self) -> u32 {
        self.retries.unwrap_or(limits::TASK_RETRIES)
    }

    /// Runs after the first that its own errors and panics may cost.
    #[must_use]
    pub fn retry_errors_max(&self) -> u32 {
        let default = if self.retry_on.is_empty() { 0 } else { limits::TASK_RETRIES };
        self.retry_errors.unwrap_or(default)
    }

    /// Whether an error of the type called `error` (a panic: `panic`) is worth another run.
    #[must_use]
    pub fn is_worth_a_retry(&self, error: &str) -> bool {
        self.retry_on.is_empty() || self.retry_on.iter().any(|known| known == error)
    }

    /// How long one run may take.
    #[must_use]
    pub fn run_limit(&self) -> Option<Duration> {
        self.timeout
    }

    /// How long it may wait to begin.
    #[must_use]
    pub fn queue_limit(&self) -> Option<Duration> {
        self.queue_timeout
    }

    /// What its own process is to be like, if it has one.
    #[must_use]
    pub fn isolation(&self) -> Option<&Isolation> {
        self.isolation.as_deref()
    }

    /// Items a stream may be ahead of its reader.
    #[must_use]
    pub fn stream_window(&self) -> usize {
        self.window.unwrap_or(limits::STREAM_WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_override_only_what_they_set() {
        let base = TaskOptions::new().cpus(1.0).gpus(0.5).retries(7);
        let over = TaskOptions::new().cpus(0.0).timeout(Duration::from_secs(1)).over(&base);
        assert_eq!(over.demand().to_string(), "0.5 GPU");
        assert_eq!((over.retries_max(), over.run_limit()), (7, Some(Duration::from_secs(1))));
        assert_eq!(TaskOptions::new().demand().to_string(), "1 CPU");
    }

    #[test]
    fn bad_values_point_at_the_callers_line() {
        for bad in [
            TaskOptions::new().cpus(f64::NAN),
            TaskOptions::new().gpus(-1.0),
            TaskOptions::new().name(""),
            TaskOptions::new().window(0),
        ] {
            let error = TaskOptions::new().over(&bad).check().unwrap_err().to_string();
            assert!(error.contains("task.rs:"), "{error}");
        }
    }

    #[test]
    fn naming_an_error_type_asks_for_retries_of_it_alone() {
        let options = TaskOptions::new().retry_on::<std::fmt::Error>();
        assert_eq!(options.retry_errors_max(), limits::TASK_RETRIES);
        assert!(options.is_worth_a_retry(type_name::<std::fmt::Error>()));
        assert!(!options.is_worth_a_retry("panic"));
        assert_eq!(TaskOptions::new().retry_errors_max(), 0);
    }
}
