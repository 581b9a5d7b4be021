//! The isolated processes of a runtime, as the memory watch sees them.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use raytree_engine::memory::{Kind, Process, Shortage};
use raytree_memory::{Lost, Meter};
use raytree_supervise::{Addr, clock};

use crate::isolated::mirror::MirrorMsg;

/// See the [module documentation](self).
#[derive(Default)]
pub(crate) struct Book(Mutex<HashMap<u32, Entry>>);

/// Whether nothing runs in it that anybody waits for.
pub(crate) type IsIdle = Box<dyn Fn() -> bool + Send + Sync>;

/// What is known of one of them.
pub(crate) struct Entry {
    /// Of its task or actor.
    pub(crate) name: String,
    pub(crate) mirror: Addr<MirrorMsg>,
    /// What it does may be done again.
    pub(crate) is_retriable: bool,
    pub(crate) is_idle: IsIdle,
    pub(crate) since: Duration,
}

impl Book {
    /// A process is there.
    pub(crate) fn begins(&self, process: u32, entry: Entry) {
        self.0.lock().insert(process, entry);
    }

    /// What it was for is done: it is about to end by itself.
    pub(crate) fn is_done(&self, process: u32) {
        if let Some(entry) = self.0.lock().get_mut(&process) {
            entry.is_idle = Box::new(|| true);
        }
    }

    /// It is there no more.
    pub(crate) fn ends(&self, process: u32) {
        let entry = self.0.lock().remove(&process);
        // After the lock: it may hold the last of something.
        drop(entry);
    }

    /// All of them, measured now. What ends meanwhile is left out.
    pub(super) fn processes(&self, meter: &dyn Meter) -> Vec<Process> {
        let now = clock::now();
        let known: Vec<Process> = {
            let book = self.0.lock();
            let known = book.iter().map(|(process, entry)| Process {
                id: *process,
                kind: Kind::Isolated,
                is_idle: (entry.is_idle)(),
                is_retriable: entry.is_retriable,
                age: now.saturating_sub(entry.since),
                own: 0,
            });
            known.collect()
        };
        let measured = known.into_iter().filter_map(|one| {
            let own = meter.process(one.id)?;
            Some(Process { own, ..one })
        });
        measured.collect()
    }

    /// Has one of them ended by its mirror.
    pub(super) fn end(&self, process: u32, own: u64, shortage: Shortage) -> Option<Lost> {
        let book = self.0.lock();
        let Entry { name, mirror, .. } = book.get(&process)?;
        let error = shortage.error(format!("{name} (process {process})"), own);
        // Refused when it is ending anyway.
        _ = mirror.cast(MirrorMsg::Sacrificed(Box::new(error)));
        Some(Lost { name: name.clone(), things: Vec::new() })
    }
}
