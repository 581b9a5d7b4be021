//! The flight recorder: the last few things that happened to an actor. Nothing is allocated before the first.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use raytree_types::inspect::FlightEvent;
use raytree_types::shortened;

use crate::clock;

#[derive(Debug)]
struct Ring {
    events: VecDeque<(Duration, String)>,
    /// Older ones, which have made room.
    dropped: u64,
}

#[derive(Debug)]
pub(crate) struct Recorder {
    limit: usize,
    ring: Mutex<Option<Box<Ring>>>,
}

impl Recorder {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, ring: Mutex::new(None) }
    }

    pub(crate) fn note(&self, what: &str) {
        let at = clock::now();
        let mut ring = self.ring.lock();
        let ring = ring.get_or_insert_with(|| {
            Box::new(Ring { events: VecDeque::with_capacity(self.limit), dropped: 0 })
        });
        if ring.events.len() == self.limit {
            ring.events.pop_front();
            ring.dropped += 1;
        }
        ring.events.push_back((at, shortened(what).to_owned()));
    }

    /// The last events, the oldest first, and how many there were before them.
    pub(crate) fn read(&self) -> (Vec<FlightEvent>, u64) {
        let ring = self.ring.lock();
        let Some(ring) = &*ring else { return (Vec::new(), 0) };
        let events = ring.events.iter();
        let events = events.map(|(at, what)| FlightEvent { at: *at, what: what.clone() });
        (events.collect(), ring.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_events_in_order_and_counts_the_others() {
        let recorder = Recorder::new(3);
        assert_eq!(recorder.read(), (Vec::new(), 0));
        for number in 0..5 {
            recorder.note(&number.to_string());
        }
        let (events, dropped) = recorder.read();
        let what: Vec<String> = events.into_iter().map(|event| event.what).collect();
        assert_eq!((&what[..], dropped), (&["2", "3", "4"].map(str::to_owned)[..], 2));
    }

    #[test]
    fn what_nobody_could_read_is_cut() {
        let recorder = Recorder::new(1);
        recorder.note(&"x".repeat(1 << 20));
        let (events, _) = recorder.read();
        assert_eq!(events[0].what.len(), raytree_types::limits::INSPECT_CAUSE_CHARS_MAX);
    }
}
