//! The flight recorder: the last few things that happened to an actor. Nothing is allocated before the first.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use raytree_types::inspect::FlightEvent;

use crate::clock;

type Ring = VecDeque<(Duration, String)>;

#[derive(Debug)]
pub(crate) struct Recorder {
    limit: usize,
    events: Mutex<Option<Box<Ring>>>,
}

impl Recorder {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, events: Mutex::new(None) }
    }

    pub(crate) fn note(&self, what: String) {
        let at = clock::now();
        let mut events = self.events.lock();
        let events = events.get_or_insert_with(|| Box::new(VecDeque::with_capacity(self.limit)));
        if events.len() == self.limit {
            events.pop_front();
        }
        events.push_back((at, what));
    }

    pub(crate) fn read(&self) -> Vec<FlightEvent> {
        let events = self.events.lock();
        let events = events.iter().flat_map(|events| events.iter());
        events.map(|(at, what)| FlightEvent { at: *at, what: what.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_events_in_order() {
        let recorder = Recorder::new(3);
        assert!(recorder.read().is_empty());
        for number in 0..5 {
            recorder.note(number.to_string());
        }
        let what: Vec<String> = recorder.read().into_iter().map(|event| event.what).collect();
        assert_eq!(what, ["2", "3", "4"]);
    }
}
