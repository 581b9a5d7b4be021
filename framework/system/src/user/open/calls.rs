//! The calls to one actor that have no answer yet, whatever their types.

use std::sync::Arc;

use parking_lot::Mutex;
use raytree_types::Error;
use raytree_types::state::TaskState;

use crate::object;
use crate::task::context::By;

/// A call of any kind, as the actor's cell sees it.
pub(crate) trait Open: Send + Sync {
    /// A life has ended: one that was lost with it is answered, or made again.
    fn life_ended(self: Arc<Self>, error: &Error, dead: bool);

    /// Whoever waits for it is told this error.
    fn fail(&self, error: Error);

    /// How it stands.
    fn seen(&self) -> Seen;

    /// The objects among its arguments, by where they are in memory, as long as it may be begun.
    fn arguments(&self) -> Vec<usize>;

    /// Who waits for it.
    fn awaited(&self) -> Awaited;
}

/// A call, as those see it who wait for its answer.
#[derive(Clone, Debug)]
pub(crate) struct Awaited {
    /// What is called.
    pub(crate) what: &'static str,
    /// Its body runs, or may run.
    pub(crate) has_begun: bool,
    /// The actors and tasks whose code waits for the answer now.
    pub(crate) by: Vec<By>,
}

/// A call, as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The type and the method.
    pub(crate) label: &'static str,
    pub(crate) state: TaskState,
    /// The object that the answer is to be, while it is there.
    pub(crate) out: Option<object::seen::Seen>,
}

/// The calls to one actor that have no answer yet, each in a place of its own.
#[derive(Default)]
pub(crate) struct OpenCalls {
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    /// With the number of its arrival.
    calls: Vec<Option<(u64, Arc<dyn Open>)>>,
    free: Vec<usize>,
    arrived: u64,
}

impl OpenCalls {
    pub(super) fn enter(&self, call: Arc<dyn Open>) -> usize {
        let Places { calls, free, arrived } = &mut *self.places.lock();
        *arrived += 1;
        let entry = Some((*arrived, call));
        match free.pop() {
            Some(place) => {
                calls[place] = entry;
                place
            }
            None => {
                calls.push(entry);
                calls.len() - 1
            }
        }
    }

    pub(super) fn leave(&self, place: usize) {
        let left = {
            let Places { calls, free, .. } = &mut *self.places.lock();
            let left = calls.get_mut(place).and_then(Option::take);
            free.extend(left.is_some().then_some(place));
            left
        };
        // After the lock: it may hold the last count of an argument.
        drop(left);
    }

    /// Every call is answered.
    pub(crate) fn is_empty(&self) -> bool {
        let Places { calls, free, .. } = &*self.places.lock();
        calls.len() == free.len()
    }

    /// All of them, in the order of their arrival.
    pub(crate) fn all(&self) -> Vec<Seen> {
        let mut calls: Vec<_> = self.places.lock().calls.iter().flatten().cloned().collect();
        calls.sort_unstable_by_key(|(number, _)| *number);
        calls.iter().map(|(_, call)| call.seen()).collect()
    }

    /// The objects among their arguments, by where they are in memory.
    pub(crate) fn arguments(&self) -> Vec<usize> {
        let calls: Vec<_> = self.places.lock().calls.iter().flatten().cloned().collect();
        calls.iter().flat_map(|(_, call)| call.arguments()).collect()
    }

    /// Those that are awaited so fail with this error; how many.
    pub(crate) fn fail(&self, is_so: impl Fn(&By) -> bool, error: &Error) -> u64 {
        let calls: Vec<_> = self.places.lock().calls.iter().flatten().cloned().collect();
        let awaited = calls.iter().filter(|(_, call)| call.awaited().by.iter().any(&is_so));
        awaited.map(|(_, call)| call.fail(error.clone())).count() as u64
    }

    /// The number of the one that has waited longest; none when all are answered.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.places.lock().calls.iter().flatten().map(|(number, _)| *number).min()
    }

    /// The calls that code of actors or tasks waits for.
    pub(crate) fn awaited(&self) -> Vec<Awaited> {
        let calls: Vec<_> = self.places.lock().calls.iter().flatten().cloned().collect();
        let awaited = calls.iter().map(|(_, call)| call.awaited());
        awaited.filter(|call| !call.by.is_empty()).collect()
    }

    /// A life of the actor has ended; `dead`: the last one.
    pub(crate) fn life_ended(&self, error: &Error, dead: bool) {
        let mut calls: Vec<_> = self.places.lock().calls.iter().flatten().cloned().collect();
        // Each that is made again goes before all others that wait for the next life: the youngest is put there first.
        calls.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        calls.into_iter().for_each(|(_, call)| call.life_ended(error, dead));
    }
}
