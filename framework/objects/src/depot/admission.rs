//! In which order objects of other nodes are fetched: by need, and by what there is room for now.
//!
//! Decides and touches nothing.
//!
//! Invariants:
//! - **PU-3 (by-need):** of those for which there is room the one is fetched first that is needed most, and of these the one that was asked for
//!   first. What waits for room takes no place from others.
//! - **PU-4 (not-passed-for-ever):** what waits for room is passed by so many that are needed no more than it; then these wait, too, for a while, so
//!   that what is freed is left to it. Not for ever: whoever has what it waits for may wait for one of them.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::SocketAddr;
use std::ops::Bound;
use std::time::Duration;

use raytree_types::limits;
use serde::{Deserialize, Serialize};

/// For what an object of another node is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Need {
    /// Something that is in line will read it.
    Ahead,
    /// Somebody waits for it.
    Wait,
    /// It will not be there for long.
    Rescue,
}

/// Who is before whom.
type Order = (Reverse<Need>, u64);

/// See the [module documentation](self). `K`: what is fetched.
pub(super) struct Admission<K> {
    lanes: HashMap<SocketAddr, Lane<K>>,
    orders: HashMap<K, (SocketAddr, Order)>,
    /// How many have come, ever.
    come: u64,
    /// The first one for which there was no room when that was tried last.
    without_room: Option<(K, u64)>,
}

/// What comes from one place: however many wait for its turn, they are not looked at.
struct Lane<K> {
    waits: BTreeMap<Order, Waits<K>>,
    /// How many there are of each size.
    sizes: BTreeMap<u64, usize>,
    /// How many of it are being fetched.
    under_way: usize,
}

struct Waits<K> {
    what: K,
    bytes: u64,
    /// How many have passed it because there was no room for it.
    passed: u32,
    /// Until when nobody else does.
    holds_until: Duration,
}

impl<K> Default for Admission<K> {
    fn default() -> Self {
        let (lanes, orders, come, without_room) = Default::default();
        Self { lanes, orders, come, without_room }
    }
}

impl<K> Default for Lane<K> {
    fn default() -> Self {
        Self { waits: BTreeMap::new(), sizes: BTreeMap::new(), under_way: 0 }
    }
}

impl<K: Clone + Eq + Hash> Admission<K> {
    /// This is to be fetched. What is in line already is needed so much at least.
    pub(super) fn wants(&mut self, what: &K, (from, bytes): (SocketAddr, u64), need: Need) {
        let Some((own, order)) = self.orders.get(what).copied() else {
            self.come += 1;
            let waits = Waits { what: what.clone(), bytes, passed: 0, holds_until: Duration::ZERO };
            let order = (Reverse(need), self.come);
            self.orders.insert(what.clone(), (from, order));
            self.lanes.entry(from).or_default().put(order, waits);
            return;
        };
        let more = (order.0.min(Reverse(need)), order.1);
        let lane = self.lanes.entry(own).or_default();
        if let Some(waits) = lane.take(&order) {
            lane.put(more, waits);
            self.orders.insert(what.clone(), (own, more));
        }
    }

    /// How many are in line.
    pub(super) fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether it is in line.
    pub(super) fn has(&self, what: &K) -> bool {
        self.orders.contains_key(what)
    }

    /// Nobody wants it any more. False when it is not in line.
    pub(super) fn drops(&mut self, what: &K) -> bool {
        if self.without_room.as_ref().is_some_and(|(own, _)| own == what) {
            self.without_room = None;
        }
        let Some((from, order)) = self.orders.remove(what) else { return false };
        self.change(from, |lane| _ = lane.take(&order));
        true
    }

    /// What is fetched next, with the room that `room` gave for so many bytes, unless enough is being fetched.
    pub(super) fn next<L>(
        &mut self,
        now: Duration,
        mut room: impl FnMut(u64) -> Option<L>,
    ) -> Option<(K, L)> {
        self.without_room = None;
        let under_way: usize = self.lanes.values().map(|lane| lane.under_way).sum();
        if under_way >= limits::PULLS_AT_ONCE {
            return None;
        }
        let open = |lane: &&Lane<K>| lane.under_way < limits::PULLS_OF_ONE;
        let smallest = self.lanes.values().filter(open).filter_map(Lane::smallest).min()?;
        let (mut passes, mut least, mut found) = (Vec::new(), u64::MAX, None);
        let mut after = None;
        // Where there is no room for one, there is none for a larger one: once that is true of all, the rest is not looked at.
        while smallest < least {
            let firsts = self.lanes.iter().filter(|(_, lane)| open(lane));
            let firsts = firsts.filter_map(|(from, lane)| Some((lane.first_after(after)?, *from)));
            let Some(((order, waits), from)) = firsts.min_by_key(|((order, _), _)| *order) else {
                break;
            };
            let lent = if waits.bytes < least { room(waits.bytes) } else { None };
            if let Some(lent) = lent {
                found = Some((from, order, lent));
                break;
            }
            least = least.min(waits.bytes);
            self.without_room.get_or_insert_with(|| (waits.what.clone(), waits.bytes));
            if now < waits.holds_until {
                break;
            }
            passes.push((from, order));
            after = Some(order);
        }
        let (from, order, lent) = found?;
        for (from, passed) in passes {
            let waits = self.lanes.get_mut(&from).and_then(|lane| lane.waits.get_mut(&passed));
            waits.into_iter().for_each(|waits| waits.is_passed(now));
        }
        let lane = self.lanes.get_mut(&from)?;
        let waits = lane.take(&order)?;
        lane.under_way += 1;
        self.orders.remove(&waits.what);
        Some((waits.what, lent))
    }

    /// One from there is fetched, or is not.
    pub(super) fn done(&mut self, from: SocketAddr) {
        self.change(from, |lane| lane.under_way = lane.under_way.saturating_sub(1));
    }

    /// The first one that could be fetched if there were room for so many bytes.
    pub(super) fn without_room(&self) -> Option<(&K, u64)> {
        self.without_room.as_ref().map(|(what, bytes)| (what, *bytes))
    }

    /// A place is known for as long as something of it waits or is fetched.
    fn change(&mut self, from: SocketAddr, change: impl FnOnce(&mut Lane<K>)) {
        let Some(lane) = self.lanes.get_mut(&from) else { return };
        change(lane);
        if lane.waits.is_empty() && lane.under_way == 0 {
            self.lanes.remove(&from);
        }
    }
}

impl<K> Lane<K> {
    fn put(&mut self, order: Order, waits: Waits<K>) {
        *self.sizes.entry(waits.bytes).or_default() += 1;
        self.waits.insert(order, waits);
    }

    fn take(&mut self, order: &Order) -> Option<Waits<K>> {
        let waits = self.waits.remove(order)?;
        if let Entry::Occupied(mut size) = self.sizes.entry(waits.bytes) {
            *size.get_mut() -= 1;
            if *size.get() == 0 {
                size.remove();
            }
        }
        Some(waits)
    }

    fn smallest(&self) -> Option<u64> {
        self.sizes.first_key_value().map(|(bytes, _)| *bytes)
    }

    fn first_after(&self, after: Option<Order>) -> Option<(Order, &Waits<K>)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.waits.range((from, Bound::Unbounded));
        rest.next().map(|(order, waits)| (*order, waits))
    }
}

impl<K> Waits<K> {
    fn is_passed(&mut self, now: Duration) {
        self.passed += 1;
        if self.passed >= limits::PULL_PASSED_MAX {
            self.passed = 0;
            self.holds_until = now + limits::PULL_HOLDS_FOR;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::from_secs(9);

    fn node(node: u16) -> SocketAddr {
        ([127, 0, 0, 1], node).into()
    }

    fn fits(free: u64) -> impl FnMut(u64) -> Option<u64> {
        move |bytes| (bytes <= free).then_some(bytes)
    }

    fn next(line: &mut Admission<u32>, free: u64) -> Option<u32> {
        line.next(NOW, fits(free)).map(|(what, _)| what)
    }

    #[test]
    fn pu_3_what_is_needed_most_is_first_whenever_it_came() {
        let mut line = Admission::default();
        let needs = [Need::Ahead, Need::Wait, Need::Rescue, Need::Ahead, Need::Wait];
        for (what, need) in (0_u32..).zip(needs) {
            line.wants(&what, (node(what as u16), 10), need);
        }
        // Somebody waits for it now, and nobody needs it less for being asked for once more.
        line.wants(&3, (node(3), 10), Need::Wait);
        line.wants(&2, (node(2), 10), Need::Ahead);
        let all: Vec<_> = (0..4).filter_map(|_| next(&mut line, 10)).collect();
        assert_eq!(all, [2, 1, 3, 4]);
        assert_eq!(next(&mut line, 10), None, "enough is being fetched");
        line.done(node(2));
        assert_eq!(next(&mut line, 10), Some(0));
    }

    #[test]
    fn pu_3_what_waits_for_room_takes_no_place() {
        let mut line = Admission::default();
        let large = limits::PULLS_AT_ONCE as u32 * 2;
        (0..large).for_each(|what| line.wants(&what, (node(1), 100), Need::Rescue));
        line.wants(&large, (node(1), 10), Need::Ahead);
        assert_eq!(next(&mut line, 50), Some(large));
        assert_eq!(line.without_room(), Some((&0, 100)), "it could go if there were room");
        assert_eq!(next(&mut line, 100), Some(0));
        assert_eq!((next(&mut line, 100), line.without_room()), (None, None), "two of one node");
        line.done(node(1));
        assert!(line.drops(&1) && !line.drops(&1));
        assert_eq!(next(&mut line, 100), Some(2));
    }

    #[test]
    fn pu_3_who_waits_behind_others_is_not_looked_at() {
        let mut line = Admission::default();
        (0..1000).for_each(|what| line.wants(&what, (node(1), 10), Need::Wait));
        (1000..2000).for_each(|what| line.wants(&what, (node(2), 20), Need::Wait));
        let mut asked = 0;
        assert!(
            line.next(NOW, |_| -> Option<()> {
                asked += 1;
                None
            })
            .is_none()
        );
        assert_eq!(
            (asked, line.without_room()),
            (1, Some((&0, 10))),
            "what is larger has none either"
        );
        let of_one = limits::PULLS_OF_ONE as u32;
        let (own, other): (Vec<_>, Vec<_>) =
            (0..2 * of_one).filter_map(|_| next(&mut line, 20)).partition(|what| *what < 1000);
        assert_eq!(
            (own.len(), other),
            (of_one as usize, (1000..1000 + of_one).collect::<Vec<_>>())
        );
        (0..2000).for_each(|what| _ = line.drops(&what));
        (0..of_one).for_each(|_| [1, 2].into_iter().for_each(|from| line.done(node(from))));
        assert!(line.lanes.is_empty() && line.len() == 0, "nothing is left of it");
    }

    #[test]
    fn pu_4_who_holds_others_up_does_so_for_a_while() {
        let mut line = Admission::default();
        line.wants(&0, (node(0), 100), Need::Wait);
        let passes = |line: &mut Admission<u32>, now| {
            line.wants(&1, (node(1), 10), Need::Wait);
            let passed = line.next(now, fits(50)).is_some();
            line.done(node(1));
            passed
        };
        let many = limits::PULL_PASSED_MAX;
        assert_eq!((0..2 * many).filter(|_| passes(&mut line, NOW)).count(), many as usize);
        line.wants(&2, (node(2), 10), Need::Rescue);
        assert_eq!(next(&mut line, 50), Some(2), "what is needed more is not held up");
        assert!(passes(&mut line, NOW + limits::PULL_HOLDS_FOR), "who has the room may need it");
    }

    proptest! {
        #[test]
        fn pu_3_nobody_goes_before_one_who_is_needed_more_and_has_room(
            steps in prop::collection::vec((0u8..4, 0u16..4, 1u64..100, 0u8..3), 1..200),
        ) {
            let (mut line, mut waits, mut away) = (Admission::default(), Vec::new(), Vec::new());
            for (what, (step, from, bytes, need)) in (0_u32..).zip(steps) {
                let need = [Need::Ahead, Need::Wait, Need::Rescue][usize::from(need)];
                match step {
                    0 | 1 => {
                        line.wants(&what, (node(from), bytes), need);
                        waits.push((Reverse(need), what, from, bytes));
                        waits.sort_unstable();
                    }
                    2 => _ = away.pop().map(|from| line.done(node(from))),
                    _ => {
                        let of = |from| away.iter().filter(|own| **own == from).count();
                        let may = |one: &(_, u32, u16, u64)| {
                            of(one.2) < limits::PULLS_OF_ONE && one.3 <= bytes
                        };
                        let is_place = away.len() < limits::PULLS_AT_ONCE;
                        let first = waits.iter().position(may).filter(|_| is_place);
                        let found = line.next(NOW, fits(bytes)).map(|(what, _)| what);
                        let expected = first.map(|at| waits[at].1);
                        // Nobody is held up who has not been passed by so many.
                        let is_held = found.is_none() && what >= limits::PULL_PASSED_MAX;
                        prop_assert!(found == expected || is_held, "{found:?} {expected:?}");
                        if let (Some(at), true) = (first, found.is_some()) {
                            away.push(waits.remove(at).2);
                        }
                    }
                }
            }
        }

        #[test]
        fn pu_4_a_large_one_has_its_turn_however_many_small_ones_come(
            sizes in prop::collection::vec((1u64..40, 1u64..5), 1000),
        ) {
            let mut line = Admission::default();
            line.wants(&u32::MAX, (node(0), 90), Need::Wait);
            let (mut used, mut ends) = (0, Vec::new());
            // Each has its room for a few steps of a tenth of a second.
            for (step, (bytes, long)) in (0_u64..).zip(sizes) {
                let now = NOW + Duration::from_millis(100) * step as u32;
                ends.retain(|(end, bytes)| {
                    if *end <= step { used -= bytes; }
                    *end > step
                });
                line.wants(&(step as u32), (node(1 + step as u16 % 8), bytes), Need::Wait);
                while let Some((what, bytes)) = line.next(now, fits(100 - used)) {
                    if what == u32::MAX { return Ok(()); }
                    used += bytes;
                    ends.push((step + long, bytes));
                    line.done(node(1 + what as u16 % 8));
                }
            }
            prop_assert!(false, "it was passed for ever");
        }
    }
}
