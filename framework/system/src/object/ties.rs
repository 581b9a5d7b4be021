//! What an object has to do with stores and other processes: nothing, for most, and then it is not paid for.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_supervise::clock;

use super::cell::ObjectCell;
use super::kept::Kept;
use super::lineage::Past;

pub(super) struct Ties<T> {
    /// Its value in the store, once it was sent to somebody, or came from there.
    kept: Mutex<Option<Arc<Kept>>>,
    /// It came from there, and is still to be settled.
    has_arrived: AtomicBool,
    /// It came from another process, and will lie in a store when it is sent.
    is_large: AtomicBool,
    /// Since when it is listed, in ticks from 1 on; 0 while it is not.
    since: AtomicU32,
    /// Where it came from, if its value came from a store.
    past: OnceLock<Past<T>>,
}

impl<T> Default for Ties<T> {
    fn default() -> Self {
        let (kept, has_arrived, is_large, since, past) = Default::default();
        Self { kept, has_arrived, is_large, since, past }
    }
}

/// A tenth of a second: what is shown of an age.
const TICK: u64 = 100;

impl<T> ObjectCell<T> {
    fn tied(&self) -> &Ties<T> {
        self.ties.get_or_init(Box::default)
    }

    /// Its value in the store.
    pub(super) fn kept(&self) -> Option<Arc<Kept>> {
        self.ties.get()?.kept.lock().clone()
    }

    /// Whether it is written: it need not be read to be sent.
    pub(crate) fn is_written(&self) -> bool {
        self.ties.get().is_some_and(|ties| ties.kept.lock().is_some())
    }

    /// Its value is in the store; what was there of it before.
    pub(super) fn keeps(&self, kept: Arc<Kept>) -> Option<Arc<Kept>> {
        self.tied().kept.lock().replace(kept)
    }

    /// Its value is in no store any more, as far as this object goes.
    pub(super) fn lets_go(&self) -> Option<Arc<Kept>> {
        self.ties.get()?.kept.lock().take()
    }

    /// The next one who settles it leaves its value where it is.
    pub(crate) fn arrived(&self) {
        self.tied().has_arrived.store(true, Ordering::Release);
    }

    pub(crate) fn has_arrived(&self) -> bool {
        self.ties.get().is_some_and(|ties| ties.has_arrived.load(Ordering::Acquire))
    }

    /// What arrived is lost.
    pub(super) fn arrives_anew(&self) {
        if let Some(ties) = self.ties.get() {
            ties.has_arrived.store(false, Ordering::Release);
        }
    }

    /// It came from another process, and will lie in a store when it is sent.
    pub(super) fn will_be_kept(&self) {
        self.tied().is_large.store(true, Ordering::Release);
    }

    pub(super) fn is_large(&self) -> bool {
        self.ties.get().is_some_and(|ties| ties.is_large.load(Ordering::Acquire))
    }

    /// Where it came from. The first word counts.
    pub(super) fn has_past(&self, past: Past<T>) {
        _ = self.tied().past.set(past);
    }

    pub(super) fn past(&self) -> Option<&Past<T>> {
        self.ties.get()?.past.get()
    }

    /// It is listed from now on, unless it was before.
    pub(super) fn is_listed(&self) {
        let since = &self.tied().since;
        if since.load(Ordering::Relaxed) > 0 {
            return;
        }
        let ticks = clock::roughly_now().as_millis() as u64 / TICK + 1;
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
        // Whoever is first says when.
        _ = since.compare_exchange(0, ticks, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Since when it is listed, by the clock of the process.
    pub(super) fn since(&self) -> Option<Duration> {
        let ticks = self.ties.get()?.since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_millis(u64::from(ticks) * TICK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::life;

    #[test]
    fn what_has_nothing_to_do_with_stores_pays_a_pointer_for_them() {
        let cell = ObjectCell::ready("put", life::nowhere(), 5_u32);
        assert!(!cell.is_written() && !cell.has_arrived() && !cell.is_large());
        assert!(cell.lets_go().is_none() && cell.past().is_none() && cell.since().is_none());
        cell.arrives_anew();
        assert!(cell.ties.get().is_none(), "asking makes none");
        cell.arrived();
        assert!(cell.has_arrived() && !cell.is_large());
        assert_eq!(size_of_val(&cell.ties), size_of::<usize>());
    }

    #[test]
    fn the_first_time_that_it_is_listed_counts() {
        let cell = ObjectCell::ready("put", life::nowhere(), 5_u32);
        cell.tied().since.store(1, Ordering::Relaxed);
        cell.is_listed();
        assert_eq!(cell.since(), Some(Duration::ZERO));
    }
}
