//! The ends of actors of the other side, for who wants to hear of them.

use raytree_types::{Cause, Exit};

use super::Link;

/// Hears how an actor of the other side has ended, or that the link has.
pub(crate) type Watcher = Box<dyn FnOnce(std::result::Result<Exit, Cause>) + Send>;

impl Link {
    /// This side holds an actor that the other one has exported under this number.
    pub(super) fn holds_actor(&self, export: u64) {
        let mut tables = self.tables.lock();
        if tables.ended.is_none() {
            tables.imports.comes(export);
        }
    }

    /// And lets go of it.
    pub(super) fn lets_actor_go(&self, export: u64) {
        let told = self.tables.lock().imports.lets_go(export);
        drop(told);
    }

    /// `told` hears of the end of an actor that this side holds; at once, if it is over.
    pub(crate) fn watch(&self, export: u64, told: Watcher) {
        let mut tables = self.tables.lock();
        let (told, end) = match (tables.ended.clone(), tables.imports.watch(export, told)) {
            (_, Ok(before)) => {
                drop(tables);
                return drop(before);
            }
            (_, Err((told, Some(exit)))) => (told, Ok(*exit)),
            (Some(cause), Err((told, None))) => (told, Err(cause)),
            // It was let go meanwhile, and who wanted to hear of it as well.
            (None, Err((told, None))) => {
                drop(tables);
                return drop(told);
            }
        };
        drop(tables);
        told(end);
    }

    /// Nobody is to hear of the end of an actor any more.
    pub(crate) fn unwatch(&self, export: u64) {
        let told = self.tables.lock().imports.unwatch(export);
        drop(told);
    }

    /// An actor that this side holds has ended for good.
    pub(super) fn exited(&self, export: u64, exit: Box<Exit>) {
        let told = self.tables.lock().imports.ended(export, exit);
        if let Some((told, exit)) = told {
            told(Ok(*exit));
        }
    }
}
