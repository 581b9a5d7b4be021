//! The ends of actors of the other side, for who wants to hear of them.

use raytree_types::{Cause, Exit};

use super::Link;

/// The end of an actor of the other side: who waits for it, or what was told before anybody did.
pub(super) enum Watch {
    Waits(Watcher),
    Told(Box<Exit>),
}

/// Hears how an actor of the other side has ended, or that the link has.
pub(crate) type Watcher = Box<dyn FnOnce(std::result::Result<Exit, Cause>) + Send>;

impl Link {
    /// `told` hears of the end of an actor that this side holds; at once, if it is over.
    pub(crate) fn watch(&self, export: u64, told: Watcher) {
        let mut tables = self.tables.lock();
        let end = match (tables.ended.clone(), tables.watched.remove(&export)) {
            (_, Some(Watch::Told(exit))) => Ok(*exit),
            (Some(cause), _) => Err(cause),
            (None, _) => {
                tables.watched.insert(export, Watch::Waits(told));
                return;
            }
        };
        drop(tables);
        told(end);
    }

    /// Nobody is to hear of the end of an actor any more.
    pub(crate) fn unwatch(&self, export: u64) {
        let told = self.tables.lock().watched.remove(&export);
        drop(told);
    }

    /// An actor that this side holds has ended for good.
    pub(super) fn exited(&self, export: u64, exit: Box<Exit>) {
        let mut tables = self.tables.lock();
        match tables.watched.remove(&export) {
            Some(Watch::Waits(told)) => {
                drop(tables);
                told(Ok(*exit));
            }
            // It stays until somebody asks, or lets go of the actor.
            _ => _ = tables.watched.insert(export, Watch::Told(exit)),
        }
    }
}
