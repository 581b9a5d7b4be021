//! Who gets an object from this node, and who from one of those that have got it: a broadcast as a tree.
//!
//! At most [`PUSHES_OF_ONE`](limits::PUSHES_OF_ONE) others fetch an object here at once. Who comes then is sent to a copy, or waits until
//! there is one: each that ends makes room for one more where it was, and for so many at its copy, of which also the one hears who was asked
//! first. So the number of copies grows many times over with each round, whoever asks, and nobody has to know all of them beforehand.
//!
//! Decides and touches nothing.
//!
//! Invariants:
//! - **TS-1 (few-at-once):** no more than so many get one object from this node at a time, but those who may not be sent on.
//! - **TS-2 (turn-comes):** who waits is told something in the end, if all who are served close or leave.
//! - **TS-3 (bounded):** no more objects, and copies of each, are known than the limits say; and none that nobody is served of is kept for a
//!   waiter.

use std::collections::{HashMap, VecDeque};

use raytree_store::Location;
use raytree_types::limits;

use super::origin::Place;

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub(super) struct Spread {
    objects: HashMap<Location, Spreading>,
    /// In the order in which they were asked for last.
    recent: VecDeque<Location>,
}

#[derive(Debug, Default)]
struct Spreading {
    /// How many are served.
    served: usize,
    copies: VecDeque<Place>,
    waiting: VecDeque<u64>,
}

/// What somebody who asks is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// He gets it here, until he closes. These copies have it as well.
    Here(Vec<Place>),
    /// There is a copy.
    At(Place),
    /// His turn comes.
    Waits,
}

impl Spread {
    /// Somebody of this number wants an object. These copies were named to him, and are none.
    pub(super) fn asks(
        &mut self,
        object: Location,
        who: u64,
        but: &[Place],
        is_last: bool,
    ) -> Turn {
        self.recent.retain(|known| *known != object);
        self.recent.push_back(object);
        let spreading = self.objects.entry(object).or_default();
        spreading.copies.retain(|copy| !but.contains(copy));
        let turn = if is_last || spreading.served < limits::PUSHES_OF_ONE {
            spreading.serves()
        } else if let Some(copy) = spreading.next_copy() {
            Turn::At(copy)
        } else {
            spreading.waiting.push_back(who);
            Turn::Waits
        };
        self.forgets();
        turn
    }

    /// One who was served needs no more of it. Who has his turn now.
    pub(super) fn closes(&mut self, object: &Location) -> Vec<(u64, Turn)> {
        let Some(spreading) = self.objects.get_mut(object) else { return Vec::new() };
        spreading.served = spreading.served.saturating_sub(1);
        let mut turns = Vec::new();
        while spreading.served < limits::PUSHES_OF_ONE
            && let Some(who) = spreading.waiting.pop_front()
        {
            turns.push((who, spreading.serves()));
        }
        self.forgets();
        turns
    }

    /// There is a copy. Who is sent there.
    pub(super) fn has(&mut self, object: &Location, copy: Place) -> Vec<(u64, Turn)> {
        let Some(spreading) = self.objects.get_mut(object) else { return Vec::new() };
        if spreading.copies.contains(&copy) {
            return Vec::new();
        }
        let many = spreading.waiting.len().min(limits::PUSHES_OF_ONE);
        let turns = spreading.waiting.drain(..many).map(|who| (who, Turn::At(copy.clone())));
        let turns = turns.collect();
        spreading.copies.push_back(copy);
        if spreading.copies.len() > limits::PUSH_COPIES_MAX {
            spreading.copies.pop_front();
        }
        turns
    }

    /// A copy is none, or gives nothing: it is not named any more.
    pub(super) fn lacks(&mut self, object: &Location, copy: &Place) {
        if let Some(spreading) = self.objects.get_mut(object) {
            spreading.copies.retain(|own| own != copy);
        }
    }

    /// One who waits has left. False when he had his turn already.
    pub(super) fn leaves(&mut self, object: &Location, who: u64) -> bool {
        let Some(spreading) = self.objects.get_mut(object) else { return false };
        let before = spreading.waiting.len();
        spreading.waiting.retain(|waiting| *waiting != who);
        before != spreading.waiting.len()
    }

    /// What was asked for longest ago, and nobody is served of, is not known any more (TS-3).
    fn forgets(&mut self) {
        let mut over = self.objects.len().saturating_sub(limits::PUSH_KNOWN_MAX);
        let objects = &mut self.objects;
        self.recent.retain(|object| {
            let is_idle = objects.get(object).is_none_or(|own| own.served == 0);
            let goes = over > 0 && is_idle;
            if goes {
                objects.remove(object);
                over -= 1;
            }
            !goes
        });
    }
}

impl Spreading {
    fn serves(&mut self) -> Turn {
        self.served += 1;
        Turn::Here(self.copies.iter().rev().take(limits::PULL_SOURCES_MAX - 1).cloned().collect())
    }

    /// They are named in turn.
    fn next_copy(&mut self) -> Option<Place> {
        let copy = self.copies.pop_front()?;
        self.copies.push_back(copy.clone());
        Some(copy)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::super::origin::Origin;
    use super::*;

    fn object(slot: u32) -> Location {
        Location { slot, generation: 1, offset: 0, len: 1 << 30 }
    }

    fn copy(of: u32, node: u16) -> Place {
        let origin = Origin { door: format!("node-{node}"), at: ([127, 0, 0, 1], node).into() };
        Place { origin, object: object(of) }
    }

    /// Nodes with books of their own, each of which gives on what it has.
    struct World {
        nodes: Vec<Spread>,
        /// Who is served in this round, and by whom.
        served: Vec<(usize, u64)>,
    }

    impl World {
        /// Somebody is told something by one of them: he does so.
        fn follows(&mut self, mut at: usize, who: u64, mut turn: Turn) {
            loop {
                match turn {
                    Turn::Here(_) => return self.served.push((at, who)),
                    Turn::Waits => return,
                    Turn::At(copy) => {
                        at = copy.origin.at.port() as usize;
                        turn = self.nodes[at].asks(object(0), who, &[], false);
                    }
                }
            }
        }

        fn asks(&mut self, who: u64) {
            let turn = self.nodes[0].asks(object(0), who, &[], false);
            self.follows(0, who, turn);
        }

        /// All who are served have the object, and give it on.
        fn round(&mut self) {
            for (at, _) in std::mem::take(&mut self.served) {
                let own = self.nodes.len() as u16;
                self.nodes.push(Spread::default());
                let closed = self.nodes[at].closes(&object(0));
                closed.into_iter().for_each(|(who, turn)| self.follows(at, who, turn));
                // The one who gave it hears of the copy, and the one who is asked by all.
                for at in [at, 0].into_iter().take(if at == 0 { 1 } else { 2 }) {
                    let told = self.nodes[at].has(&object(0), copy(0, own));
                    told.into_iter().for_each(|(who, turn)| self.follows(at, who, turn));
                }
            }
        }
    }

    #[test]
    fn copies_become_many_times_more_with_each_round() {
        let mut world = World { nodes: vec![Spread::default()], served: Vec::new() };
        (1..=100).for_each(|who| world.asks(who));
        let mut has = Vec::new();
        while world.nodes.len() <= 100 {
            world.round();
            has.push(world.nodes.len() - 1);
            assert!(has.len() < 10, "{has:?}");
        }
        // Three times as many, but for those who wait where the second copy is.
        assert!(has[..2] == [2, 8] && has[2] > 20 && has.len() <= 5, "{has:?}");
    }

    proptest! {
        #[test]
        fn ts_1_ts_2_ts_3_whoever_asks_has_his_turn_and_few_are_served_at_once(
            steps in prop::collection::vec((0u8..4, 0u32..3, any::<prop::sample::Index>()), 1..200),
        ) {
            let mut spread = Spread::default();
            let mut served: Vec<(u32, u64)> = Vec::new();
            let mut waiting: HashSet<(u32, u64)> = HashSet::new();
            let mut next = 0;
            for (step, of, index) in steps {
                let mut turns = Vec::new();
                match step {
                    0 | 1 => {
                        next += 1;
                        let turn = spread.asks(object(of), next, &[], false);
                        if turn == Turn::Waits { waiting.insert((of, next)); }
                        turns.push((of, next, turn));
                    }
                    2 if !served.is_empty() => {
                        let (of, who) = served.swap_remove(index.index(served.len()));
                        let mut told = spread.closes(&object(of));
                        if who % 2 == 0 { told.extend(spread.has(&object(of), copy(of, who as u16))); }
                        for (who, turn) in told {
                            prop_assert!(waiting.remove(&(of, who)));
                            turns.push((of, who, turn));
                        }
                    }
                    3 if !waiting.is_empty() => {
                        let gone = *waiting.iter().nth(index.index(waiting.len())).unwrap();
                        waiting.remove(&gone);
                        prop_assert!(spread.leaves(&object(gone.0), gone.1));
                    }
                    _ => {}
                }
                for (of, who, turn) in turns {
                    if matches!(turn, Turn::Here(_)) { served.push((of, who)); }
                }
                for of in 0..3 {
                    let here = served.iter().filter(|(own, _)| *own == of).count();
                    prop_assert!(here <= limits::PUSHES_OF_ONE);
                    let waits = waiting.iter().any(|(own, _)| *own == of);
                    prop_assert!(!waits || here == limits::PUSHES_OF_ONE, "he waits for nobody");
                }
            }
            while let Some((of, _)) = served.pop() {
                for (who, turn) in spread.closes(&object(of)) {
                    waiting.remove(&(of, who));
                    if matches!(turn, Turn::Here(_)) { served.push((of, who)); }
                }
            }
            prop_assert!(waiting.is_empty());
        }
    }

    #[test]
    fn ts_3_what_nobody_asks_for_is_forgotten() {
        let mut spread = Spread::default();
        for slot in 0..limits::PUSH_KNOWN_MAX as u32 + 10 {
            assert!(matches!(spread.asks(object(slot), 1, &[], false), Turn::Here(_)));
            if slot > 0 {
                assert_eq!(spread.closes(&object(slot)), []);
                assert_eq!(spread.has(&object(slot), copy(slot, 1)), []);
            }
        }
        assert_eq!(spread.objects.len(), limits::PUSH_KNOWN_MAX);
        assert_eq!(spread.objects[&object(0)].served, 1, "somebody is served of it");
    }

    #[test]
    fn a_copy_that_is_none_is_not_named_again() {
        let mut spread = Spread::default();
        for who in 0..2 {
            assert_eq!(spread.asks(object(0), who, &[], false), Turn::Here(Vec::new()));
        }
        assert_eq!(spread.closes(&object(0)), []);
        assert_eq!(spread.has(&object(0), copy(0, 1)), []);
        assert_eq!(spread.asks(object(0), 3, &[], false), Turn::Here(vec![copy(0, 1)]));
        assert_eq!(spread.asks(object(0), 4, &[], false), Turn::At(copy(0, 1)));
        assert_eq!(spread.asks(object(0), 4, &[copy(0, 1)], false), Turn::Waits);
        assert_eq!(
            spread.asks(object(0), 5, &[], true),
            Turn::Here(Vec::new()),
            "he is not sent on"
        );
        assert_eq!(spread.has(&object(0), copy(0, 2)), [(4, Turn::At(copy(0, 2)))]);
        spread.lacks(&object(0), &copy(0, 2));
        assert_eq!(spread.asks(object(0), 6, &[], false), Turn::Waits);
    }
}
