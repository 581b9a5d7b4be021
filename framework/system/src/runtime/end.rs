//! How a runtime ends: in order, or because something it cannot do without is gone; and that everybody who waits is told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use raytree_supervise::{Root, clock};
use raytree_types::{Cause, Error, ExitKind, limits};

use super::Shared;
use crate::gcs::directory::DirectoryMsg;

impl Shared {
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Why nothing works any more.
    pub(crate) fn gone(&self) -> Error {
        let closing = || Error::RuntimeGone { reason: "it is shutting down".to_owned() };
        self.end.get().cloned().unwrap_or_else(closing)
    }

    /// The ordered end. Whoever asks second waits for the first.
    pub(super) async fn end(&self) {
        self.ordered_end
            .get_or_init(|| async {
                self.closing.store(true, Ordering::Release);
                let began = clock::now();
                // Most of the time is for the user's actors. An error means that the directory is gone or too slow; the
                // tree's own shutdown then ends the actors.
                let share = limits::SHUTDOWN_DEADLINE * 3 / 4;
                _ = self.addrs.directory.call(DirectoryMsg::EndAll, share).await;
                if let Some(driver) = self.driver.get() {
                    driver.leaves();
                }
                if let Some(root) = self.root.get() {
                    let left = limits::SHUTDOWN_DEADLINE.saturating_sub(clock::now() - began);
                    root.shutdown(left).await;
                }
                if let Some(driver) = self.driver.get().cloned() {
                    let cause = Cause::message("the program was shut down");
                    // An error is that dropping a value has panicked.
                    _ = self.user.spawn_blocking(move || driver.end_lines(&cause)).await;
                }
                let logs = Arc::clone(&self.logs);
                // An error means that the thread was torn down.
                _ = self.system.spawn_blocking(move || logs.settle()).await;
                self.ended("it was shut down");
            })
            .await;
    }

    /// If it is the tree that has failed, whoever is to know first is told.
    pub(crate) fn has_failed(&self) {
        let cause = self.root.get().and_then(Root::failure);
        if let (Some(cause), Some(tell)) = (cause, self.gives_up.get()) {
            tell(cause);
        }
    }

    /// Tells everybody who still waits that it is over.
    pub(crate) fn ended(&self, reason: &str) {
        self.ended_with(reason, Error::RuntimeGone { reason: reason.to_owned() });
    }

    /// Nobody knows any more which workers there are: everybody who waits is told.
    pub(crate) fn lost_head(&self, reason: &str) {
        self.ended_with(reason, Error::HeadLost { reason: reason.to_owned() });
    }

    fn ended_with(&self, reason: &str, error: Error) {
        self.closing.store(true, Ordering::Release);
        // The first reason stays.
        _ = self.end.set(error);
        self.life.end();
        self.end_tasks();
        self.door.shut();
        for (cell, launch) in self.table.close() {
            let text = format!("its runtime ended: {reason}");
            let kind = ExitKind::HostDied(Cause::message(text));
            cell.exited(kind.clone(), 0, false);
            launch.close(kind);
        }
    }

    /// Lets go of the tokio runtimes without waiting: a blocked thread must not block us.
    pub(super) fn release(&self) {
        if let Some((system, user)) = self.tokio.lock().take() {
            system.shutdown_background();
            user.shutdown_background();
        }
    }
}
