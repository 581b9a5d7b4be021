//! What has happened, and whether it was allowed to. It knows the truth: which worker really runs.

use std::collections::{BTreeMap, BTreeSet};

use raytree_types::{Cause, JobId, Resources};

use super::world::{World, policy};
use crate::jobs::{Effect, Input, News, Stage, TOLD_TO_END, WorkerId};
use crate::membership::{Member, Phase};
use crate::sim::Figures;

/// How often things happened.
pub(super) type Counted = Figures<27>;

const COUNTED: [&str; 27] = [
    "opened",
    "closed",
    "over",
    "starts",
    "up",
    "down",
    "down for good",
    "next lives",
    "broken",
    "waits",
    "stopped in order",
    "killed late",
    "killed",
    "links lost",
    "stalls",
    "nodes down",
    "reports of workers",
    "repeated",
    "declined",
    "grown",
    "fractions",
    "died before",
    "single",
    "single again",
    "single elsewhere",
    "killed after all",
    "no place at the end",
];

#[derive(Debug, Default)]
struct Life {
    up: bool,
    down: bool,
}

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) figures: Counted,
    lives: BTreeMap<WorkerId, Life>,
    /// Workers in the order in which each job heard of them.
    heard_of: BTreeMap<JobId, Vec<WorkerId>>,
    pub(super) open: BTreeSet<JobId>,
    pub(super) single: BTreeSet<JobId>,
    closed: BTreeSet<JobId>,
    over: BTreeSet<JobId>,
    paused: BTreeMap<Member, bool>,
    pub(super) down: BTreeSet<Member>,
    broken: BTreeSet<(JobId, Member)>,
    waits: BTreeSet<(JobId, Member)>,
    /// A next life that a job was promised.
    promised: BTreeSet<(JobId, Member)>,
    stopped: BTreeSet<WorkerId>,
    grants: BTreeMap<WorkerId, Resources>,
    declined: BTreeSet<WorkerId>,
    /// The first reason for which each was to be replaced.
    replaced: BTreeMap<WorkerId, String>,
    /// Who has heard since the last tick that a worker is down.
    pub(super) just_down: BTreeSet<JobId>,
    /// What a node has just said of the end of a worker.
    said: Option<(WorkerId, String)>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            figures: Figures::new(COUNTED),
            lives: BTreeMap::new(),
            heard_of: BTreeMap::new(),
            open: BTreeSet::new(),
            single: BTreeSet::new(),
            just_down: BTreeSet::new(),
            closed: BTreeSet::new(),
            over: BTreeSet::new(),
            paused: BTreeMap::new(),
            down: BTreeSet::new(),
            broken: BTreeSet::new(),
            waits: BTreeSet::new(),
            promised: BTreeSet::new(),
            stopped: BTreeSet::new(),
            grants: BTreeMap::new(),
            declined: BTreeSet::new(),
            replaced: BTreeMap::new(),
            said: None,
        }
    }

    pub(super) fn workers_of(&self, job: JobId) -> &[WorkerId] {
        self.heard_of.get(&job).map_or(&[], Vec::as_slice)
    }

    pub(super) fn paused(&mut self, node: &Member, paused: bool) {
        self.paused.insert(node.clone(), paused);
    }

    pub(super) fn node_down(&mut self, node: &Member) {
        self.figures.count("nodes down");
        self.down.insert(node.clone());
    }

    pub(super) fn one_that_ends(&self) -> Option<JobId> {
        self.closed.difference(&self.over).next().copied()
    }

    pub(super) fn is_open(&self, job: JobId) -> bool {
        self.open.contains(&job)
    }

    pub(super) fn heard(&mut self, input: &Input) {
        self.said = None;
        match input {
            Input::Tick => self.just_down.clear(),
            Input::WorkerGone { worker, cause } => {
                self.said = Some((worker.clone(), cause.message.clone()));
            }
            Input::Declined { worker } => {
                self.figures.count("declined");
                self.declined.insert(worker.clone());
            }
            Input::Replace { worker, cause } => {
                self.replaced.entry(worker.clone()).or_insert_with(|| cause.message.clone());
            }
            Input::Open { job, single, .. } => {
                self.figures.count("opened");
                self.open.insert(*job);
                if *single {
                    self.single.insert(*job);
                }
            }
            Input::Close { job, .. } => {
                self.figures.count("closed");
                self.open.remove(job);
                self.closed.insert(*job);
                self.promised.retain(|(promised, _)| promised != job);
            }
            Input::NodeUp { workers, .. } if !workers.is_empty() => {
                self.figures.count("reports of workers");
            }
            _ => {}
        }
    }

    fn news(&mut self, job: JobId, news: &News) {
        assert!(self.open.contains(&job), "JB-4: {job} is not open and hears {news:?}");
        match news {
            News::Granted { worker, .. } => {
                let seat = (job, worker.node.clone());
                assert!(!self.broken.contains(&seat), "JB-7: {worker} is granted after all");
                self.promised.remove(&seat);
                let before = self.lives.insert(worker.clone(), Life::default());
                assert!(before.is_none(), "JB-3: {worker} is granted again");
                self.heard_of.entry(job).or_default().push(worker.clone());
                if worker.life > 1 {
                    self.figures.count("next lives");
                }
            }
            News::Up { worker, .. } => {
                self.figures.count("up");
                let life = self.lives.get_mut(worker).expect("JB-3: up before it is granted");
                assert!(!life.up && !life.down, "JB-3: {worker} is up after {life:?}");
                life.up = true;
            }
            News::Down { worker, again, cause } => {
                self.check_cause(worker, cause);
                self.figures.count(if *again { "down" } else { "down for good" });
                let life = self.lives.get_mut(worker).expect("JB-3: down before it is granted");
                assert!(!life.down, "JB-3: {worker} is down twice");
                life.down = true;
                let seat = (job, worker.node.clone());
                assert!(!self.broken.contains(&seat), "JB-7: {worker} is down after that");
                self.just_down.insert(job);
                if self.single.contains(&job) {
                    assert!(again, "JB-7: {worker} is down for good");
                } else if *again {
                    self.promised.insert(seat);
                }
            }
            News::Waits { .. } | News::Broken { .. } if self.single.contains(&job) => {
                panic!("JB-11: the single {job} hears {news:?}");
            }
            News::Waits { node, held_by } => {
                self.figures.count("waits");
                assert!(!held_by.is_empty(), "{job} waits for nobody");
                assert!(held_by.is_sorted() && !held_by.contains(&job), "{held_by:?}");
                assert!(self.waits.insert((job, node.clone())), "{job} waits again on {node}");
            }
            News::Broken { node, .. } => {
                self.figures.count("broken");
                let seat = (job, node.clone());
                self.promised.remove(&seat);
                if !self.down.contains(node) {
                    let lives = self.workers_of(job).iter().filter(|worker| worker.node == *node);
                    let deaths = lives.filter(|worker| !self.declined.contains(*worker)).count();
                    let most = policy().limit.max as usize;
                    assert!(deaths > most, "JB-3: {job} is broken on {node} after {deaths} deaths");
                }
                assert!(self.broken.insert(seat), "JB-7: broken again on {node}");
            }
        }
    }
}

impl Ledger {
    /// The cause is that of the one who knows it: the node of what died by itself, else whoever wanted its end.
    fn check_cause(&mut self, worker: &WorkerId, cause: &Cause) {
        let said = self.said.as_ref().filter(|(known, _)| known == worker);
        let wanted = self.replaced.get(worker);
        match (said, wanted) {
            (Some((_, said)), _) if said != TOLD_TO_END => {
                assert_eq!(&cause.message, said, "{worker} died before anybody ended it");
                if wanted.is_some_and(|wanted| cause.chain.contains(wanted)) {
                    self.figures.count("died before");
                }
            }
            (Some(_), Some(wanted)) => assert_eq!(&cause.message, wanted, "{worker}"),
            _ => {}
        }
    }
}

impl World {
    /// Before an effect is carried out.
    pub(super) fn check_effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Start { worker, grant } => {
                self.check_start(worker);
                self.check_grant(worker, grant);
            }
            Effect::Stop { worker, at_once } => {
                let late = *at_once && self.ledger.stopped.contains(worker);
                self.ledger.figures.count(match (at_once, late) {
                    (false, _) => "stopped in order",
                    (true, true) => "killed late",
                    (true, false) => "killed",
                });
                if !at_once {
                    self.ledger.stopped.insert(worker.clone());
                }
            }
            Effect::Tell { job, news } => {
                if let News::Down { worker, .. } = news {
                    assert!(!self.works(worker), "JB-3: {worker} is down and works");
                }
                self.ledger.news(*job, news);
            }
            Effect::Over { job } => {
                self.ledger.figures.count("over");
                assert!(self.ledger.closed.contains(job), "JB-4: {job} is over and not closed");
                assert!(self.ledger.over.insert(*job), "JB-4: {job} is over twice");
            }
            Effect::RefuseJob { .. } | Effect::RefuseNode { .. } => {}
        }
    }

    fn check_start(&mut self, worker: &WorkerId) {
        self.ledger.figures.count("starts");
        assert!(self.ledger.open.contains(&worker.job), "JB-4: {worker} is started");
        assert_eq!(self.ledger.paused.get(&worker.node), Some(&false), "JB-9: {worker}");
        assert!(!self.ledger.down.contains(&worker.node), "JB-9: {worker} is started");
        let single = self.ledger.single.contains(&worker.job);
        if single {
            self.check_single_start(worker);
        }
        let known = self.ledger.lives.keys().filter(|known| known.job == worker.job);
        let newest = known.filter(|known| single || known.node == worker.node);
        let newest = newest.map(|known| known.life).max().unwrap_or(0);
        assert_eq!(worker.life, newest + 1, "JB-1: {worker}");
    }

    /// JB-6: a next life has no less than the last one, CPUs are whole where they can be, and no older job is passed over.
    fn check_grant(&mut self, worker: &WorkerId, grant: &Resources) {
        let (job, node) = (worker.job, &worker.node);
        let last = WorkerId { life: worker.life - 1, ..worker.clone() };
        let before = self.ledger.grants.insert(worker.clone(), grant.clone());
        assert_eq!(before, None, "JB-1: {worker} is started again");
        let before = self.ledger.grants.get(&last).cloned().unwrap_or_default();
        assert!(grant.covers(&before), "{worker} has {grant} after {before}");
        let more = grant.beyond(&before);
        if worker.life > 1 && !more.is_none() {
            self.ledger.figures.count("grown");
        }
        self.check_singles_served(worker, grant, &more);
        let total = self.slots.iter().find(|slot| slot.name == node.name);
        let wanted = self.wants_of(job).map_or(u64::MAX, |wants| wants.thousandths("CPU"));
        if total.is_some_and(|slot| slot.total.thousandths("CPU") >= 1000) {
            let cpus = grant.thousandths("CPU");
            assert!(cpus.is_multiple_of(1000) || cpus == wanted, "JB-6: {worker} has {grant}");
        }
        if !grant.thousandths("CPU").is_multiple_of(1000) {
            self.ledger.figures.count("fractions");
        }
        if more.thousandths("CPU") < 1000 {
            return;
        }
        for older in self.ledger.open.range(..job).filter(|job| !self.ledger.single.contains(job)) {
            let wants = self.wants_of(*older);
            let wants = wants.is_none_or(|wants| wants.thousandths("CPU") > 0);
            let has = |(other, ..): (WorkerId, _, _)| (other.job, &other.node) == (*older, node);
            let broken = self.ledger.broken.contains(&(*older, node.clone()));
            let served = broken || self.head.book.workers().any(has);
            assert!(!wants || served, "JB-6: {older} is passed over by {worker} with {grant}");
        }
    }

    /// The workers that work: their process runs, and their node has its lease.
    fn working(&self) -> impl Iterator<Item = (&WorkerId, &Resources)> {
        let nodes = self.living.iter().filter(|pid| self.may_work(**pid));
        let workers = nodes.flat_map(|pid| self.nodes[*pid].workers.iter());
        workers.filter(|(_, worker)| worker.alive).map(|(id, worker)| (id, &worker.grant))
    }

    fn works(&self, worker: &WorkerId) -> bool {
        self.working().any(|(working, _)| working == worker)
    }

    /// After every event.
    pub(super) fn check_all(&self) {
        let ledger = &self.ledger;
        let mut held: BTreeMap<&str, Resources> = BTreeMap::new();
        let mut one: BTreeSet<(JobId, &str)> = BTreeSet::new();
        for (worker, grant) in self.working() {
            let name = &*worker.node.name;
            let place = if ledger.single.contains(&worker.job) { "anywhere" } else { name };
            assert!(one.insert((worker.job, place)), "JB-1, JB-11: a second {worker} works");
            held.entry(name).or_default().add(grant);
            let down = ledger.lives.get(worker).is_some_and(|life| life.down);
            assert!(!down, "JB-3: {worker} works after it is down");
            assert!(!ledger.over.contains(&worker.job), "JB-4: {worker} works after it is over");
        }
        for slot in &self.slots {
            let held = held.remove(&*slot.name).unwrap_or_default();
            assert!(slot.total.covers(&held), "JB-2: {held} of {} on {}", slot.total, slot.name);
        }
        assert!(self.head.book.ends_remembered() <= ledger.down.len(), "JB-8");
        let known: BTreeSet<JobId> = self.head.book.jobs().map(|(job, _)| job).collect();
        let ends = ledger.closed.difference(&ledger.over).copied();
        assert_eq!(known, ledger.open.iter().copied().chain(ends).collect(), "JB-8");
    }

    /// When the faults are long over every job has what it may have, and nothing else runs.
    pub(super) fn check_the_end(&mut self) {
        self.check_singles_at_the_end();
        let (book, ledger) = (&self.head.book, &self.ledger);
        assert_eq!(ledger.closed, ledger.over, "JB-4: a closed job is not over");
        assert_eq!(ledger.promised, BTreeSet::new(), "JB-7: a promise is not kept");
        let up: BTreeSet<&WorkerId> = self.working().map(|(worker, _)| worker).collect();
        let mut known = BTreeSet::new();
        for (worker, stage, grant) in book.workers() {
            assert!(matches!(stage, Stage::Up { .. }), "{worker} is {stage:?} at the end");
            let real = self.working().find(|(real, _)| **real == worker);
            assert_eq!(real.map(|(_, grant)| grant), Some(grant), "{worker} does not run");
            known.insert(worker);
        }
        assert_eq!(up, known.iter().collect(), "JB-10: what runs is not what is known");
        assert_eq!(book.nodes().count(), self.slots.len(), "a node is missing");
        for (node, total, free) in book.nodes() {
            assert_eq!(self.head.judge.phase(&node.name), Some(Phase::Up), "{node} is not up");
            let mine = book.workers().filter(|(worker, ..)| worker.node == node);
            let mut sum = free.clone();
            mine.for_each(|(_, _, grant)| sum.add(grant));
            assert_eq!(&sum, total, "JB-2: {node}");
            self.check_nobody_waits(&node, total, free);
        }
    }

    /// JB-6: nothing that a job wants and may have is free, and whoever has nothing knows why.
    fn check_nobody_waits(&self, node: &Member, total: &Resources, free: &Resources) {
        let book = &self.head.book;
        for driver in &self.drivers {
            let Some(job) = driver.job.filter(|_| !driver.single) else { continue };
            let seat = (job, node.clone());
            let has = book.workers().any(|(worker, ..)| (worker.job, &worker.node) == (job, node));
            if has || self.ledger.broken.contains(&seat) {
                continue;
            }
            let wanted = |name: &str| driver.wants().is_none_or(|all| all.thousandths(name) > 0);
            let some = |of: &Resources| of.iter().any(|(name, _)| wanted(name));
            let cpus = driver.wants().map_or(u64::MAX, |all| all.thousandths("CPU"));
            let least = cpus.min(1000).min(total.thousandths("CPU")).max(1);
            let lacks_cpu = total.thousandths("CPU") > 0 && free.thousandths("CPU") < least;
            let nothing = !some(free) || (wanted("CPU") && lacks_cpu);
            assert!(nothing, "JB-6: {job} waits on {node}, and {free} are free");
            let knows = self.ledger.waits.contains(&seat);
            assert_eq!(knows, some(total), "{job} was told that it waits on {node}: {knows}");
        }
    }
}
