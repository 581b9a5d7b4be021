//! Placement on one node: who may start now, who waits for resources, who can never start.
//!
//! Invariants:
//! - **PL-1 (no-overcommit):** what is granted never exceeds what exists.
//! - **PL-3 (loans-to-the-short-lived):** CPUs that a waiting task has lent are granted only to those who may borrow.
//! - **PL-2 (first-come):** among waiting demands the oldest is granted first; one that does not fit keeps all it names
//!   for itself (CPUs once nothing else is missing), so that nothing younger starves it, and holds up nobody who asks
//!   for none of that.
//! - **PL-4 (paused-not-stopped):** while the node is paused nothing is granted, but one at a time where nobody holds anything,
//!   and what is let through: whoever waits for one that waits here must not wait for ever.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::hash::Hash;

use raytree_types::resources::CPU;
use raytree_types::{Demand, Resources};

/// The books of one node.
///
/// Those who wait stand in one line per distinct demand: programs have few of those, however many actors they start.
#[derive(Debug)]
pub struct Placement<K> {
    total: Resources,
    free: Resources,
    /// Thousandths of free CPU that are only lent.
    lent: u64,
    lines: BTreeMap<(Resources, Loan), VecDeque<(u64, K)>>,
    waiting: HashSet<K>,
    arrivals: u64,
    is_paused: bool,
    /// The next one is granted whatever is held (PL-4).
    lets_one_through: bool,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may start; its placing and running resources are taken.
    Granted,
    /// It waits in line.
    Waiting,
    /// It can never start here.
    Infeasible,
}

/// Whether a demand may be met with CPUs that a waiting task has lent, and takes back without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loan {
    /// It holds them for a short while: a task, a constructor.
    May,
    /// It holds them for its whole life.
    Never,
}

impl<K: Copy + Eq + Hash> Placement<K> {
    /// A node with so much of everything.
    #[must_use]
    pub fn new(total: Resources) -> Self {
        Self {
            free: total.clone(),
            total,
            lent: 0,
            lines: BTreeMap::new(),
            waiting: HashSet::new(),
            arrivals: 0,
            is_paused: false,
            lets_one_through: false,
        }
    }

    /// All there is, used or not.
    #[must_use]
    pub fn total(&self) -> &Resources {
        &self.total
    }

    /// What is free now.
    #[must_use]
    pub fn free(&self) -> &Resources {
        &self.free
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Nothing is granted until it goes on (PL-4).
    pub fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
        self.lets_one_through = false;
    }

    /// It grants nothing for now.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// One is granted all the same, if it fits (PL-4).
    pub fn let_one_through(&mut self) {
        self.lets_one_through = self.is_paused;
    }

    fn may_grant(&self) -> bool {
        !self.is_paused || self.lets_one_through || self.free == self.total
    }

    /// How many thousandths of the free CPUs are only lent.
    pub fn set_lent(&mut self, thousandths: u64) {
        self.lent = thousandths;
    }

    /// Adds so many thousandths of CPU to what is free.
    pub fn pour_cpu(&mut self, thousandths: u64) {
        let free = self.free.thousandths(CPU) + thousandths;
        self.free = std::mem::take(&mut self.free).with_thousandths(CPU, free);
    }

    /// Takes all free CPU out, in thousandths.
    pub fn drain_cpu(&mut self) -> u64 {
        let free = self.free.thousandths(CPU);
        self.free = std::mem::take(&mut self.free).with_thousandths(CPU, 0);
        free
    }

    fn fits(&self, need: &Resources, loan: Loan) -> bool {
        let own = || self.free.thousandths(CPU).saturating_sub(self.lent) >= need.thousandths(CPU);
        self.free.covers(need) && (loan == Loan::May || need.thousandths(CPU) == 0 || own())
    }

    /// Asks for `demand`.
    pub fn request(&mut self, key: K, demand: &Demand, loan: Loan) -> Verdict {
        let need = demand.needed();
        if !self.total.covers(&need) {
            return Verdict::Infeasible;
        }
        if need.is_none() {
            return Verdict::Granted;
        }
        // With others waiting the newcomer goes behind them: `grant_next` decides.
        if self.waiting.is_empty() && self.may_grant() && self.fits(&need, loan) {
            self.free.subtract(&need);
            self.lets_one_through = false;
            return Verdict::Granted;
        }
        self.arrivals += 1;
        self.lines.entry((need, loan)).or_default().push_back((self.arrivals, key));
        self.waiting.insert(key);
        Verdict::Waiting
    }

    /// The next one that may start now, with the resources that were taken for it.
    pub fn grant_next(&mut self) -> Option<(K, Resources)> {
        if !self.may_grant() {
            return None;
        }
        // What an older demand waits for is spoken for: a stream of small ones must not starve it.
        let mut spoken_for: BTreeSet<&str> = BTreeSet::new();
        let mut own_cpu_spoken_for = false;
        let mut granted = None;
        self.forget_withdrawn();
        let mut fronts: Vec<(u64, &(Resources, Loan))> = self
            .lines
            .iter()
            .filter_map(|(need, line)| line.front().map(|(arrival, _)| (*arrival, need)))
            .collect();
        fronts.sort_unstable_by_key(|(arrival, _)| *arrival);
        for (_, line) in fronts {
            let (need, loan) = line;
            let free = need.iter().all(|(name, _)| !spoken_for.contains(name));
            let loan_only = own_cpu_spoken_for && need.thousandths(CPU) > 0;
            let lent_is_enough = *loan == Loan::May && need.thousandths(CPU) <= self.lent;
            if free && self.fits(need, *loan) && (!loan_only || lent_is_enough) {
                granted = Some(line.clone());
                break;
            }
            // What an older demand waits for is kept for it, CPUs only once they are all it lacks: whoever has what it
            // lacks besides may need a CPU to give it back.
            let lacks_more = need
                .iter()
                .any(|(name, amount)| name != CPU && self.free.thousandths(name) < amount);
            // One who may not borrow does not hold up those who do: a lender may be waiting for just them.
            let keeps_cpu = !lacks_more && *loan == Loan::May;
            let names = need.iter().map(|(name, _)| name);
            spoken_for.extend(names.filter(|name| keeps_cpu || *name != CPU));
            own_cpu_spoken_for |= *loan == Loan::Never && !lacks_more && need.thousandths(CPU) > 0;
        }
        let line = granted?;
        let (_, key) = self.lines.get_mut(&line)?.pop_front()?;
        self.waiting.remove(&key);
        self.free.subtract(&line.0);
        self.lets_one_through = false;
        Some((key, line.0))
    }

    /// Drops those at the head of a line who no longer wait, and empty lines.
    fn forget_withdrawn(&mut self) {
        let waiting = &self.waiting;
        self.lines.retain(|_, line| {
            while line.front().is_some_and(|(_, key)| !waiting.contains(key)) {
                line.pop_front();
            }
            !line.is_empty()
        });
    }

    /// The constructor of a granted one has returned: what it took only to be placed is free again.
    pub fn placed(&mut self, demand: &Demand) {
        self.free.add(&demand.needed().beyond(&demand.running));
    }

    /// One that was up has ended.
    pub fn ended(&mut self, demand: &Demand) {
        self.free.add(&demand.running);
    }

    /// A granted one ended before its constructor returned.
    pub fn failed(&mut self, demand: &Demand) {
        self.free.add(&demand.needed());
    }

    /// Takes one out of the line; false when it was not waiting.
    pub fn withdraw(&mut self, key: K) -> bool {
        let waited = self.waiting.remove(&key);
        let standing: usize = self.lines.values().map(VecDeque::len).sum();
        // The lines are swept when most of those in them have left.
        if waited && standing > 2 * self.waiting.len() + 16 {
            let waiting = &self.waiting;
            self.lines.retain(|_, line| {
                line.retain(|(_, key)| waiting.contains(key));
                !line.is_empty()
            });
        }
        waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn next<K: Copy + Eq + Hash>(node: &mut Placement<K>) -> Option<K> {
        node.grant_next().map(|(key, _)| key)
    }

    #[test]
    fn a_plain_actor_takes_one_cpu_to_be_placed_and_none_to_run() {
        let mut node = Placement::new(Resources::cpus(1.0));
        let plain = Demand::default();
        for key in 0..100 {
            assert_eq!(node.request(key, &plain, Loan::May), Verdict::Granted);
            assert_eq!(node.request(1000 + key, &plain, Loan::May), Verdict::Waiting);
            assert!(node.withdraw(1000 + key));
            node.placed(&plain);
        }
        assert_eq!(node.free(), &Resources::cpus(1.0));
    }

    #[test]
    fn what_can_never_fit_is_said_at_once() {
        let mut node = Placement::new(Resources::cpus(2.0));
        let big = Demand::always(Resources::cpus(2.001));
        assert_eq!(node.request(1, &big, Loan::May), Verdict::Infeasible);
        let odd = Demand::always(Resources::none().custom("special_hardware", 1.0));
        assert_eq!(node.request(2, &odd, Loan::May), Verdict::Infeasible);
    }

    #[test]
    fn pl_2_an_old_large_demand_is_not_starved_and_does_not_block_others() {
        let mut node = Placement::new(Resources::cpus(2.0).gpus(1.0));
        let one = Demand::always(Resources::cpus(1.0));
        let two = Demand::always(Resources::cpus(2.0));
        let gpu = Demand::always(Resources::none().gpus(1.0));
        assert_eq!(node.request(1, &one, Loan::May), Verdict::Granted);
        assert_eq!(node.request(2, &two, Loan::May), Verdict::Waiting);
        assert_eq!(node.request(3, &one, Loan::May), Verdict::Waiting);
        assert_eq!(node.request(4, &gpu, Loan::May), Verdict::Waiting);
        assert_eq!(next(&mut node), Some(4), "a GPU is not what the large one waits for");
        assert_eq!(next(&mut node), None, "the small one stays behind the large one");
        node.ended(&one);
        assert_eq!(next(&mut node), Some(2));
        node.ended(&two);
        assert_eq!(next(&mut node), Some(3));
    }

    #[test]
    fn pl_2_who_waits_for_a_gpu_holds_up_nobody_who_needs_a_cpu() {
        let mut node = Placement::new(Resources::cpus(2.0).gpus(1.0));
        let both = Demand::always(Resources::cpus(1.0).gpus(1.0));
        let one = Demand::always(Resources::cpus(1.0));
        for loan in [Loan::May, Loan::Never] {
            assert_eq!(node.request(1, &both, loan), Verdict::Granted);
            assert_eq!(node.request(2, &both, loan), Verdict::Waiting);
            assert_eq!(node.request(3, &one, Loan::May), Verdict::Waiting);
            assert_eq!(next(&mut node), Some(3), "the first may wait for just this one");
            assert_eq!(node.request(4, &one, Loan::May), Verdict::Waiting);
            assert_eq!(next(&mut node), None);
            // Once only the CPU is missing it is kept.
            node.ended(&both);
            node.ended(&one);
            assert_eq!(next(&mut node), Some(2));
            assert_eq!(next(&mut node), Some(4));
            node.ended(&both);
            node.ended(&one);
        }
    }

    #[test]
    fn pl_3_what_is_lent_goes_only_to_those_who_give_it_back() {
        let mut node = Placement::new(Resources::cpus(1.0));
        let one = Demand::always(Resources::cpus(1.0));
        node.set_lent(1000);
        assert_eq!(node.request(1, &one, Loan::Never), Verdict::Waiting);
        assert_eq!(next(&mut node), None);
        // Those who may borrow do not wait behind it.
        assert_eq!(node.request(9, &one, Loan::May), Verdict::Waiting);
        assert_eq!(next(&mut node), Some(9));
        node.ended(&one);
        node.set_lent(0);
        assert_eq!(next(&mut node), Some(1));
        node.ended(&one);
        node.set_lent(1000);
        assert_eq!(node.request(2, &one, Loan::May), Verdict::Granted);
        assert_eq!(node.drain_cpu(), 0);
    }

    #[test]
    fn pl_4_a_paused_node_lets_one_at_a_time_through_and_goes_on() {
        let mut node = Placement::new(Resources::cpus(2.0));
        let one = Demand::always(Resources::cpus(1.0));
        node.pause(true);
        // Nobody holds anything: the first is not held up.
        assert_eq!(node.request(1, &one, Loan::May), Verdict::Granted);
        for key in 2..=5 {
            assert_eq!(node.request(key, &one, Loan::May), Verdict::Waiting);
        }
        assert_eq!(next(&mut node), None);
        node.let_one_through();
        assert_eq!((next(&mut node), next(&mut node)), (Some(2), None));
        node.ended(&one);
        assert_eq!(next(&mut node), None, "another one holds a CPU");
        node.ended(&one);
        assert_eq!((next(&mut node), next(&mut node)), (Some(3), None));
        node.pause(false);
        assert_eq!((next(&mut node), next(&mut node)), (Some(4), None));
        node.ended(&one);
        assert_eq!(next(&mut node), Some(5));
        // What was let through before the node went on is no debt.
        node.let_one_through();
        node.pause(true);
        assert_eq!(node.request(6, &one, Loan::May), Verdict::Waiting);
        assert_eq!(next(&mut node), None);
    }

    proptest! {
        #[test]
        fn pl_1_never_overcommits_and_gives_everything_back(
            steps in prop::collection::vec((0u8..5, 0u32..3000, 0u32..3000), 1..200),
        ) {
            let total = Resources::cpus(2.0).gpus(1.0);
            let mut node = Placement::new(total.clone());
            let mut demands: Vec<Demand> = Vec::new();
            let (mut placing, mut running): (Vec<usize>, Vec<usize>) = (vec![], vec![]);
            let mut waiting: Vec<usize> = vec![];
            for (what, a, b) in steps {
                match what {
                    0 => {
                        let demand = Demand {
                            placing: Resources::cpus(f64::from(a) / 1000.0),
                            running: Resources::cpus(f64::from(b % 1000) / 1000.0),
                        };
                        demands.push(demand);
                        let key = demands.len() - 1;
                        match node.request(key, &demands[key], Loan::May) {
                            Verdict::Granted => placing.push(key),
                            Verdict::Waiting => waiting.push(key),
                            Verdict::Infeasible => {}
                        }
                    }
                    1 => if let Some(key) = placing.pop() { node.placed(&demands[key]); running.push(key) },
                    2 => if let Some(key) = running.pop() { node.ended(&demands[key]) },
                    3 => if let Some(key) = placing.pop() { node.failed(&demands[key]) },
                    _ => if let Some(key) = waiting.pop() { prop_assert!(node.withdraw(key)) },
                }
                while let Some((key, _)) = node.grant_next() {
                    prop_assert!(waiting.contains(&key), "granted one that does not wait");
                    waiting.retain(|other| *other != key);
                    placing.push(key);
                }
                prop_assert_eq!(node.waiting(), waiting.len());
                let mut used = node.free().clone();
                placing.iter().for_each(|key| used.add(&demands[*key].needed()));
                running.iter().for_each(|key| used.add(&demands[*key].running));
                prop_assert_eq!(&used, &total);
            }
        }
    }
}
