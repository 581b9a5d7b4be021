//! When it is worth looking for deadlocks: nobody looks while all calls are answered soon, and seldom while the same ones take long.
//!
//! Invariants:
//! - **DW-1 (only-old-waits):** there is a look only when a call that was there at the last tick has no answer yet.
//! - **DW-2 (seldom):** as long as calls take long, the time between two looks grows, up to [`Looks::new`]'s bound.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::Duration;

/// See the [module documentation](self). `M` marks a call.
#[derive(Debug)]
pub struct Looks<M> {
    /// Without an answer at the last tick.
    before: HashSet<M>,
    every: Duration,
    at_most: Duration,
    /// The time to the next look, and when that is; none while nothing takes long.
    next: Option<(Duration, Duration)>,
}

impl<M: Eq + Hash> Looks<M> {
    /// Ticks come `every` so often; looks are `at_most` so far apart.
    #[must_use]
    pub fn new(every: Duration, at_most: Duration) -> Self {
        Self { before: HashSet::new(), every, at_most, next: None }
    }

    /// At `now` these calls have no answer: whether somebody is to look.
    pub fn tick(&mut self, now: Duration, open: HashSet<M>) -> bool {
        let is_old = open.iter().any(|mark| self.before.contains(mark));
        self.before = open;
        if !is_old {
            self.next = None;
            return false;
        }
        let (pause, at) = self.next.unwrap_or((self.every, now));
        if now < at {
            return false;
        }
        let pause = (pause * 2).min(self.at_most);
        self.next = Some((pause, now + pause));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When there is a look, if these are open at each second.
    fn looks(seconds: impl Iterator<Item = Vec<u32>>) -> Vec<usize> {
        let mut looks = Looks::new(Duration::from_secs(1), Duration::from_secs(8));
        let tick = |(second, open): (usize, Vec<u32>)| {
            let now = Duration::from_secs(second as u64);
            looks.tick(now, open.into_iter().collect()).then_some(second)
        };
        seconds.enumerate().filter_map(tick).collect()
    }

    #[test]
    fn dw_1_calls_that_come_and_go_are_not_looked_at() {
        assert!(looks((0..100).map(|second| vec![second, second + 1000])).is_empty());
        assert!(looks((0..100).map(|_| Vec::new())).is_empty());
    }

    #[test]
    fn dw_2_a_call_that_stays_is_looked_at_at_once_and_then_seldom() {
        assert_eq!(looks((0..40).map(|_| vec![7])), [1, 3, 7, 15, 23, 31, 39]);
    }

    #[test]
    fn dw_2_when_all_were_answered_it_begins_anew() {
        let calls = (0..20).map(|second| if second == 10 { Vec::new() } else { vec![7] });
        assert_eq!(looks(calls), [1, 3, 7, 12, 14, 18]);
    }
}
