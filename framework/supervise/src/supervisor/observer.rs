//! Who is told of a child's fate, besides the supervisor that decides it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use raytree_engine::supervision::EndReason;
use raytree_types::ExitKind;

/// Work that must be done before a child may live again.
pub type BeforeRestart = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Hears of every change in a child's life, in order, on the supervisor's thread: implementations only note and send.
pub trait Observer: Send + 'static {
    /// A life is up.
    fn started(&mut self, _life: u32) {}

    /// A life has ended. What is returned is awaited, beside the supervisor, before anything follows.
    fn exited(&mut self, _life: u32, _kind: &ExitKind) -> Option<BeforeRestart> {
        None
    }

    /// Another life follows after `after`; this is restart `restarts`.
    fn restarting(&mut self, _restarts: u32, _after: Duration) {}

    /// The supervisor itself has failed, and the child with it. True when the observer sees to it that the child lives
    /// again behind the same address; with false the child is closed, and [`Observer::ended`] follows.
    fn orphaned(&mut self) -> bool {
        false
    }

    /// There will be no further life. Called exactly once.
    fn ended(&mut self, _reason: EndReason, _last: &ExitKind) {}
}
