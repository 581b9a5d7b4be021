//! Who can never get on: deadlocks among those who wait for each other's answers.
//!
//! One who waits for answers and does nothing else until then is *stuck* when all whom it waits for are stuck. The largest such
//! set is taken away from those who are not: whoever handles something without waiting, may take up other work meanwhile, or
//! waits for one that gets on, gets on too, some day. So one who waits for the first of several answers is not called stuck as
//! long as any of them may come; and one who waits for all of them is, as soon as only the stuck are left.
//!
//! Invariants:
//! - **WA-1 (never-wrongly):** as long as one of those it waits for gets on, nobody is called stuck. What it awaits besides (a
//!   timer, a channel) is not known here: it may still give up.
//! - **WA-2 (named):** every circle that is named consists of stuck ones, each waiting for the next.

use std::collections::{BTreeMap, BTreeSet};

/// One waits for an answer of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge<P> {
    /// Who waits.
    pub waiter: P,
    /// For whom.
    pub target: P,
    /// The waiter does nothing else meanwhile.
    pub is_alone: bool,
}

/// Those who can never get on.
#[must_use]
pub fn stuck<P: Copy + Ord>(edges: &[Edge<P>]) -> BTreeSet<P> {
    let mut waits: BTreeMap<P, Vec<P>> = BTreeMap::new();
    let mut waited: BTreeMap<P, Vec<P>> = BTreeMap::new();
    let mut get_on: BTreeSet<P> = BTreeSet::new();
    for edge in edges {
        waits.entry(edge.waiter).or_default().push(edge.target);
        waited.entry(edge.target).or_default().push(edge.waiter);
        if !edge.is_alone {
            get_on.insert(edge.waiter);
        }
    }
    // Who waits for nobody gets on.
    get_on
        .extend(edges.iter().map(|edge| edge.target).filter(|target| !waits.contains_key(target)));
    let mut open: Vec<P> = get_on.iter().copied().collect();
    while let Some(one) = open.pop() {
        for waiter in waited.get(&one).into_iter().flatten() {
            if get_on.insert(*waiter) {
                open.push(*waiter);
            }
        }
    }
    waits.into_keys().filter(|waiter| !get_on.contains(waiter)).collect()
}

/// The circles among the stuck, no two of which have anybody in common: each waits for the next, and the last for the first. A
/// circle begins with its smallest member.
#[must_use]
pub fn circles<P: Copy + Ord>(edges: &[Edge<P>], stuck: &BTreeSet<P>) -> Vec<Vec<P>> {
    // All of them wait for stuck ones alone, so whoever is followed comes back to where it was.
    let mut next: BTreeMap<P, P> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| stuck.contains(&edge.waiter)) {
        let first = next.entry(edge.waiter).or_insert(edge.target);
        *first = edge.target.min(*first);
    }
    let (mut circles, mut seen) = (Vec::new(), BTreeSet::new());
    for start in stuck {
        let mut path: Vec<P> = Vec::new();
        let mut one = *start;
        while seen.insert(one) {
            path.push(one);
            match next.get(&one) {
                Some(target) => one = *target,
                None => break,
            }
        }
        if let Some(begins) = path.iter().position(|member| *member == one) {
            let mut circle = path.split_off(begins);
            let smallest = circle.iter().enumerate().min_by_key(|(_, member)| **member);
            let smallest = smallest.map_or(0, |(place, _)| place);
            circle.rotate_left(smallest);
            circles.push(circle);
        }
    }
    circles
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edge(waiter: u8, target: u8) -> Edge<u8> {
        Edge { waiter, target, is_alone: true }
    }

    fn named(edges: &[Edge<u8>]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let stuck = stuck(edges);
        let circles = circles(edges, &stuck);
        (stuck.into_iter().collect(), circles)
    }

    #[test]
    fn a_circle_and_those_who_wait_for_it_are_stuck() {
        let edges = [edge(3, 1), edge(1, 2), edge(2, 3), edge(9, 1), edge(8, 9), edge(5, 6)];
        assert_eq!(named(&edges), (vec![1, 2, 3, 8, 9], vec![vec![1, 2, 3]]));
    }

    #[test]
    fn one_who_calls_itself_waits_for_ever() {
        assert_eq!(named(&[edge(4, 4)]), (vec![4], vec![vec![4]]));
    }

    #[test]
    fn wa_1_one_who_has_another_way_gets_on_and_all_who_wait_for_it() {
        let other_way = [edge(1, 2), edge(2, 3), edge(3, 1), edge(3, 7)];
        assert_eq!(named(&other_way), (vec![], vec![]));
        let takes_up_more = [edge(1, 2), Edge { is_alone: false, ..edge(2, 3) }, edge(3, 1)];
        assert_eq!(named(&takes_up_more), (vec![], vec![]));
    }

    fn graphs() -> impl Strategy<Value = Vec<Edge<u8>>> {
        let one = (0..7_u8, 0..7_u8, prop::bool::weighted(0.9));
        let edge = one.prop_map(|(waiter, target, is_alone)| Edge { waiter, target, is_alone });
        prop::collection::vec(edge, 0..14)
    }

    proptest! {
        /// Somebody gets on, and then answers those who wait for it, until nobody does: the rest is stuck.
        #[test]
        fn wa_1_the_stuck_are_those_who_are_left_when_all_others_have_got_on(edges in graphs()) {
            let mut all: BTreeSet<u8> =
                edges.iter().flat_map(|edge| [edge.waiter, edge.target]).collect();
            loop {
                let gets_on = |one: &u8| {
                    let mut own = edges.iter().filter(|edge| edge.waiter == *one).peekable();
                    own.peek().is_none()
                        || own.any(|edge| !edge.is_alone || !all.contains(&edge.target))
                };
                let Some(one) = all.iter().copied().find(gets_on) else { break };
                all.remove(&one);
            }
            prop_assert_eq!(stuck(&edges), all);
        }

        #[test]
        fn wa_2_circles_are_of_stuck_ones_who_wait_for_the_next(edges in graphs()) {
            let stuck = stuck(&edges);
            let circles = circles(&edges, &stuck);
            prop_assert_eq!(circles.is_empty(), stuck.is_empty(), "where somebody is stuck there is a circle");
            let mut seen = BTreeSet::new();
            for circle in circles {
                for (at, member) in circle.iter().enumerate() {
                    let next = circle[(at + 1) % circle.len()];
                    prop_assert!(stuck.contains(member) && seen.insert(*member));
                    let waits = |edge: &Edge<u8>| edge.waiter == *member && edge.target == next;
                    prop_assert!(edges.iter().any(waits));
                }
            }
        }
    }
}
