//! The book itself.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;
use std::time::Duration;

use raytree_types::{Cause, JobId, Resources, limits};

use super::buried::Buried;
use super::node::{Node, Seat, State};
use super::single::Single;
use super::{Effect, Input, News, Policy, Refusal, Stage, WorkerId};
use crate::membership::{Member, Name};

/// Which job has which worker. See the [module](super).
#[derive(Debug)]
pub struct Book {
    pub(super) policy: Policy,
    pub(super) nodes: BTreeMap<Name, Node>,
    /// Those that are not over; they opened in the order of their numbers.
    pub(super) jobs: BTreeMap<JobId, Job>,
    newest: JobId,
    buried: Buried,
    pub(super) now: Duration,
    /// Nothing is due before: no kill, and no next life on a node that takes workers.
    pub(super) quiet_until: Duration,
    /// Single jobs that have heard since the last tick that a life is down: the next one does not begin before the next.
    pub(super) just_down: BTreeSet<JobId>,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) wants: Option<Resources>,
    closed: bool,
    pub(super) single: Option<Single>,
}

impl Default for Book {
    fn default() -> Self {
        Self::new(Policy::default())
    }
}

impl Book {
    /// A book without nodes and jobs.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            nodes: BTreeMap::new(),
            jobs: BTreeMap::new(),
            newest: JobId::NONE,
            buried: Buried::default(),
            now: Duration::ZERO,
            quiet_until: Duration::MAX,
            just_down: BTreeSet::new(),
        }
    }

    /// What follows from `input` at `now`, by any clock that never goes back; a `now` before an earlier one counts as that
    /// one.
    pub fn step(&mut self, input: Input, now: Duration) -> Vec<Effect> {
        self.now = self.now.max(now);
        let mut effects = Vec::new();
        match input {
            Input::NodeUp { node, session, paused, total, workers } => {
                if self.admits(&node, session, workers.len(), &mut effects) {
                    self.node_up(&node, session, paused, total, &mut effects);
                    self.compare(&node, workers, &mut effects);
                    self.settle(slice::from_ref(&node.name), &mut effects);
                }
            }
            Input::NodePaused { node } => self.pause(&node, true, &mut effects),
            Input::NodeResumed { node } => self.pause(&node, false, &mut effects),
            Input::NodeDown { node, cause } => self.node_down(node, &cause, &mut effects),
            Input::Open { job, wants, single } => self.open(job, wants, single, &mut effects),
            Input::Close { job, at_once } => self.close(job, at_once, &mut effects),
            Input::WorkerUp { worker, address } => self.worker_up(&worker, address, &mut effects),
            Input::WorkerGone { worker, cause } => self.worker_gone(&worker, cause, &mut effects),
            Input::Declined { worker } => self.declined(&worker, &mut effects),
            Input::Replace { worker, cause } => self.replace(worker, cause, &mut effects),
            Input::Tick => self.tick(&mut effects),
        }
        effects
    }

    /// The number of the job that opens next.
    #[must_use]
    pub fn next_job(&self) -> JobId {
        self.newest.next()
    }

    /// The jobs that are not over, in the order in which they opened; with `true` those that still end.
    pub fn jobs(&self) -> impl Iterator<Item = (JobId, bool)> + '_ {
        self.jobs.iter().map(|(job, known)| (*job, known.closed))
    }

    /// The living nodes, by name: what each has, and what of it is free.
    pub fn nodes(&self) -> impl Iterator<Item = (Member, &Resources, &Resources)> + '_ {
        self.nodes.iter().map(|(name, node)| {
            (Member::new(name.clone(), node.incarnation), node.total(), node.free())
        })
    }

    /// The workers that hold a seat, by node and job: where each is, and what it holds. One that rests is named by the life
    /// that has ended, wherever that was.
    pub fn workers(&self) -> impl Iterator<Item = (WorkerId, Stage, &Resources)> + '_ {
        self.nodes.iter().flat_map(|(name, node)| {
            node.posts()
                .map(|(job, post)| (node.worker(name, job, post.life), post.stage(), &post.grant))
        })
    }

    /// How many ended lives of nodes it remembers, at most twice [`limits::MEMBER_ENDS_MAX`].
    #[must_use]
    pub fn ends_remembered(&self) -> usize {
        self.buried.len()
    }

    /// This life of a node, if it is the one that is up (JB-5).
    pub(super) fn node(&mut self, node: &Member) -> Option<&mut Node> {
        let known = self.nodes.get_mut(&node.name)?;
        (known.incarnation == node.incarnation).then_some(known)
    }

    pub(super) fn is_open(&self, job: JobId) -> bool {
        self.jobs.get(&job).is_some_and(|known| !known.closed)
    }

    /// A job that was closed hears nothing (JB-4).
    pub(super) fn tell(&self, job: JobId, news: News, effects: &mut Vec<Effect>) {
        if self.is_open(job) {
            effects.push(Effect::Tell { job, news });
        }
    }

    /// Whether a report is to be taken in.
    fn admits(
        &self,
        node: &Member,
        session: u64,
        workers: usize,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let known = self.nodes.get(&node.name);
        let older = known
            .is_some_and(|known| (node.incarnation, session) <= (known.incarnation, known.session));
        if older || self.buried.holds(node) {
            return false;
        }
        let why = if known.is_none() && self.nodes.len() >= limits::MEMBERS_MAX {
            Refusal::TooManyNodes { limit: limits::MEMBERS_MAX }
        } else if workers > limits::NODE_WORKERS_MAX {
            Refusal::TooManyWorkers { limit: limits::NODE_WORKERS_MAX }
        } else {
            return true;
        };
        effects.push(Effect::RefuseNode { node: node.clone(), why });
        false
    }

    fn node_up(
        &mut self,
        node: &Member,
        session: u64,
        paused: bool,
        total: Resources,
        effects: &mut Vec<Effect>,
    ) {
        let known = self.nodes.get(&node.name);
        if known.is_some_and(|known| known.incarnation < node.incarnation) {
            let cause = Cause::message(format!("{node} took its place"));
            self.lose_node(&node.name, &cause, effects);
        }
        let fresh = || Node::new(node.incarnation, total);
        let known = self.nodes.entry(node.name.clone()).or_insert_with(fresh);
        (known.session, known.paused) = (session, paused);
    }

    fn pause(&mut self, node: &Member, paused: bool, effects: &mut Vec<Effect>) {
        if let Some(known) = self.node(node) {
            known.paused = paused;
            self.settle(slice::from_ref(&node.name), effects);
        }
    }

    fn node_down(&mut self, node: Member, cause: &Cause, effects: &mut Vec<Effect>) {
        let known = self.nodes.get(&node.name).map(|known| known.incarnation);
        if known.is_some_and(|known| known <= node.incarnation) {
            self.lose_node(&node.name, cause, effects);
            self.settle(&[], effects);
        }
        // Also one that was not heard of: its report may come late.
        self.buried.add(node);
    }

    /// Nothing of what ran there is heard any more.
    fn lose_node(&mut self, name: &Name, cause: &Cause, effects: &mut Vec<Effect>) {
        let Some(node) = self.nodes.remove(name) else { return };
        for (job, post) in node.posts() {
            let single = self.is_single(job);
            if post.may_run() {
                self.rests(job);
                let worker = node.worker(name, job, post.life);
                let down = News::Down { worker, cause: cause.clone(), again: single };
                self.tell(job, down, effects);
            } else if !single {
                let node = Member::new(name.clone(), node.incarnation);
                self.tell(job, News::Broken { node, cause: cause.clone() }, effects);
            }
            self.is_homeless(job);
        }
        self.buried.add(Member::new(name.clone(), node.incarnation));
        for (job, _) in node.posts() {
            self.over_if_done(job, effects);
        }
    }

    fn open(
        &mut self,
        job: JobId,
        wants: Option<Resources>,
        single: bool,
        effects: &mut Vec<Effect>,
    ) {
        if job <= self.newest {
            return;
        }
        self.newest = job;
        let like = self.jobs.values().filter(|known| known.single.is_some() == single).count();
        let limit = if single { limits::SINGLE_JOBS_MAX } else { limits::JOBS_MAX };
        if like >= limit {
            let why = Refusal::TooManyJobs { limit };
            effects.push(Effect::RefuseJob { job, why });
            return;
        }
        let kind = single.then(Single::default);
        self.jobs.insert(job, Job { wants, closed: false, single: kind });
        if single {
            return self.seek(job, &[], effects);
        }
        let names: Vec<Name> = self.nodes.keys().cloned().collect();
        names.iter().for_each(|name| self.offer(name, job, effects));
    }

    fn close(&mut self, job: JobId, at_once: bool, effects: &mut Vec<Effect>) {
        let Some(known) = self.jobs.get_mut(&job) else { return };
        if std::mem::replace(&mut known.closed, true) {
            if at_once {
                self.kill_all_of(job, effects);
            }
            return;
        }
        let kill_at = (!at_once).then(|| self.now.saturating_add(self.policy.end_within));
        self.quiet_until = self.quiet_until.min(kill_at.unwrap_or(Duration::MAX));
        let mut freed = Vec::new();
        for (name, node) in &mut self.nodes {
            let Some(post) = node.post(job) else {
                node.vacate(job, None);
                continue;
            };
            match post.state {
                State::Starting | State::Up { .. } => {
                    post.state = State::Ending { cause: None, kill_at };
                    let life = post.life;
                    let worker = node.worker(name, job, life);
                    effects.push(Effect::Stop { worker, at_once });
                }
                // It is to be replaced, and was killed.
                State::Ending { .. } => {}
                State::Resting { .. } => {
                    node.vacate(job, None);
                    freed.push(name.clone());
                }
            }
        }
        self.over_if_done(job, effects);
        self.settle(&freed, effects);
    }

    /// Those who were asked to end in order.
    fn kill_all_of(&mut self, job: JobId, effects: &mut Vec<Effect>) {
        for (name, node) in &mut self.nodes {
            let Some(post) = node.post(job) else { continue };
            if let State::Ending { kill_at, .. } = &mut post.state
                && kill_at.take().is_some()
            {
                let life = post.life;
                let worker = node.worker(name, job, life);
                effects.push(Effect::Stop { worker, at_once: true });
            }
        }
    }

    pub(super) fn over_if_done(&mut self, job: JobId, effects: &mut Vec<Effect>) {
        let closed = self.jobs.get(&job).is_some_and(|known| known.closed);
        let seated = || self.nodes.values().any(|node| node.seats.contains_key(&job));
        if closed && !seated() {
            self.jobs.remove(&job);
            effects.push(Effect::Over { job });
        }
    }

    fn tick(&mut self, effects: &mut Vec<Effect>) {
        self.just_down.clear();
        let now = self.now;
        if now < self.quiet_until {
            return;
        }
        self.quiet_until = Duration::MAX;
        let mut due = Vec::new();
        for (name, node) in &mut self.nodes {
            for (job, life) in node.too_late(now) {
                let worker = node.worker(name, job, life);
                effects.push(Effect::Stop { worker, at_once: true });
            }
            let next = node.posts().filter_map(|(_, post)| post.due()).min();
            // One that is due where nothing is started is looked at as soon as something is, unless it may move.
            if next.is_some_and(|next| next <= now) {
                due.push(name.clone());
            }
            let later = node.posts().filter_map(|(_, post)| post.due()).filter(|at| *at > now);
            self.quiet_until = self.quiet_until.min(later.min().unwrap_or(Duration::MAX));
        }
        if !due.is_empty() {
            self.settle(&due, effects);
        }
    }

    /// Offers what is free on these nodes to those whose next life is due there, and to those who have nothing of it; single
    /// jobs that have lost their place get another one, if there is one anywhere.
    pub(super) fn settle(&mut self, names: &[Name], effects: &mut Vec<Effect>) {
        let takes = |name: &&Name| self.nodes.get(*name).is_some_and(Node::takes_workers);
        let names: Vec<Name> = names.iter().filter(takes).cloned().collect();
        // JB-6: in the order in which they opened.
        let open = self.jobs.iter().filter(|(_, known)| !known.closed);
        let may_begin =
            |known: &Job| known.single.as_ref().map_or(!names.is_empty(), Single::rests);
        let open = open.filter(|(_, known)| may_begin(known)).map(|(job, _)| *job);
        for job in open.collect::<Vec<JobId>>() {
            if self.is_single(job) {
                self.seek(job, &names, effects);
            } else {
                names.iter().for_each(|name| self.offer(name, job, effects));
            }
        }
    }

    /// Offers what is free on a node to a job that has nothing there or begins its next life, if the node takes workers
    /// (JB-9).
    fn offer(&mut self, name: &Name, job: JobId, effects: &mut Vec<Effect>) {
        let now = self.now;
        let Some(known) = self.jobs.get(&job) else { return };
        let Some(node) = self.nodes.get_mut(name).filter(|node| node.takes_workers()) else {
            return;
        };
        let waits = match node.seats.get(&job) {
            None => false,
            Some(Seat::Waits) => true,
            Some(Seat::Taken(post)) if post.may_begin(now) => {
                node.grant_anew(job, known.wants.as_ref());
                return self.start(name, job, effects);
            }
            Some(Seat::Taken(_) | Seat::Broken) => return,
        };
        let (ever, now) = node.offers(known.wants.as_ref());
        if let Some(grant) = now {
            node.seat(job, grant);
            self.start(name, job, effects);
        } else if !ever.is_none() && !waits {
            node.seats.insert(job, Seat::Waits);
            let holds = node.posts().filter(|(_, post)| !post.grant.is_none());
            let held_by = holds.map(|(job, _)| job).collect();
            let node = Member::new(name.clone(), node.incarnation);
            self.tell(job, News::Waits { node, held_by }, effects);
        }
    }

    /// The next life of a worker.
    pub(super) fn start(&mut self, name: &Name, job: JobId, effects: &mut Vec<Effect>) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        let incarnation = node.incarnation;
        let Some(post) = node.post(job) else { return };
        post.begin_next();
        let (life, grant) = (post.life, post.grant.clone());
        if let Some(single) = self.single(job) {
            single.begins(life);
        }
        let worker = WorkerId { job, node: Member::new(name.clone(), incarnation), life };
        effects.push(Effect::Start { worker: worker.clone(), grant: grant.clone() });
        self.tell(job, News::Granted { worker, grant }, effects);
    }
}
