//! When a life is really over.
//!
//! ractor reports an end before the actor's value and the work it had piped are gone. Whoever must not meet the old life
//! (its next life, its parent's) waits for this instead: every part of a life holds a [`Part`], and the life is over
//! when the last one is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// A part of a life. Cloned for each piece of work.
#[derive(Clone, Debug)]
pub struct Part(#[expect(dead_code, reason = "held for its drop")] Arc<Over>);

#[derive(Debug)]
struct Over(Arc<LifeEnd>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

/// The end of one life, to be waited for by any number.
#[derive(Debug)]
pub(crate) struct LifeEnd {
    over: AtomicBool,
    changed: Notify,
}

/// A new life: its first part, and its end.
pub(crate) fn begin() -> (Part, Arc<LifeEnd>) {
    let end = Arc::new(LifeEnd { over: AtomicBool::new(false), changed: Notify::new() });
    (Part(Arc::new(Over(Arc::clone(&end)))), end)
}

impl LifeEnd {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    pub(crate) async fn wait(&self) {
        let changed = self.changed.notified();
        tokio::pin!(changed);
        // Registered before the flag is read, so that no end is missed.
        changed.as_mut().enable();
        if !self.is_over() {
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_life_is_over_when_its_last_part_is_gone() {
        let (part, end) = begin();
        let work = part.clone();
        drop(part);
        assert!(!end.is_over());
        let other = Arc::clone(&end);
        let waiting = tokio::join!(async move { other.wait().await }, async move { drop(work) });
        assert_eq!(waiting, ((), ()));
        end.wait().await;
    }
}
