//! One living node as the book remembers it: what is free there, and who sits there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use raytree_types::resources::CPU;
use raytree_types::{Cause, JobId, ProcessIncarnation, Resources, limits};

use super::{Policy, Stage, WorkerId};
use crate::membership::{Member, Name};

/// One CPU, in thousandths.
const ONE: u64 = 1000;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) incarnation: ProcessIncarnation,
    pub(super) session: u64,
    total: Resources,
    free: Resources,
    pub(super) paused: bool,
    /// Lives of workers that run there and have no seat. What they hold is unknown, so nothing is started beside them.
    pub(super) strangers: BTreeSet<(JobId, u32)>,
    pub(super) seats: BTreeMap<JobId, Seat>,
    /// How many of them are those of single jobs.
    singles: usize,
}

/// What a job has on a node.
#[derive(Debug)]
pub(super) enum Seat {
    /// Nothing yet, and it knows.
    Waits,
    /// A worker, or a grant that is kept for the next one.
    Taken(Box<Post>),
    /// Nothing any more.
    Broken,
}

#[derive(Debug)]
pub(super) struct Post {
    /// The one that runs, or ran last.
    pub(super) life: u32,
    pub(super) grant: Resources,
    pub(super) state: State,
    single: bool,
    /// Since when this life is up.
    up_since: Option<Duration>,
    restarts: VecDeque<Duration>,
    in_a_row: u32,
    /// How often its node would not start it, since it was up last.
    declined: u32,
}

#[derive(Debug)]
pub(super) enum State {
    Starting,
    Up {
        address: SocketAddr,
    },
    Ending {
        /// The reason for which it was stopped, where it was not that its job closed.
        cause: Option<Cause>,
        /// When it is killed; `None` when that was said.
        kill_at: Option<Duration>,
    },
    Resting {
        until: Duration,
    },
}

impl Node {
    pub(super) fn new(incarnation: ProcessIncarnation, total: Resources) -> Self {
        Self {
            incarnation,
            session: 0,
            free: total.clone(),
            total,
            paused: false,
            strangers: BTreeSet::new(),
            seats: BTreeMap::new(),
            singles: 0,
        }
    }

    pub(super) fn total(&self) -> &Resources {
        &self.total
    }

    pub(super) fn free(&self) -> &Resources {
        &self.free
    }

    pub(super) fn worker(&self, name: &Name, job: JobId, life: u32) -> WorkerId {
        WorkerId { job, node: Member::new(name.clone(), self.incarnation), life }
    }

    pub(super) fn post(&mut self, job: JobId) -> Option<&mut Post> {
        match self.seats.get_mut(&job) {
            Some(Seat::Taken(post)) => Some(post),
            _ => None,
        }
    }

    pub(super) fn posts(&self) -> impl Iterator<Item = (JobId, &Post)> {
        self.seats.iter().filter_map(|(job, seat)| match seat {
            Seat::Taken(post) => Some((*job, &**post)),
            Seat::Waits | Seat::Broken => None,
        })
    }

    /// Whether a process may be started there now (JB-9).
    pub(super) fn takes_workers(&self) -> bool {
        !self.paused && self.strangers.is_empty()
    }

    /// What there is for a job, by itself and at this moment. A worker without a CPU runs nothing, so where there are CPUs
    /// that it wants it waits for some of them.
    pub(super) fn offers(&self, wants: Option<&Resources>) -> (Resources, Option<Resources>) {
        let ever = self.part(&self.total, wants);
        let now = self.part(&self.free, wants);
        let idle = now.thousandths(CPU) == 0 && ever.thousandths(CPU) > 0;
        let enough = !now.is_none() && !idle;
        (ever, enough.then_some(now))
    }

    /// Whether the worker of a single job can be started there now.
    pub(super) fn has_room_for(&self, wants: &Resources) -> bool {
        self.takes_workers() && self.singles < limits::NODE_SINGLES_MAX && self.free.covers(wants)
    }

    /// Those who were asked to end and have not by now: they are to be killed, and that is noted.
    pub(super) fn too_late(&mut self, now: Duration) -> Vec<(JobId, u32)> {
        let mut late = Vec::new();
        for (job, seat) in &mut self.seats {
            let Seat::Taken(post) = seat else { continue };
            if let State::Ending { kill_at, .. } = &mut post.state
                && kill_at.is_some_and(|at| at <= now)
            {
                *kill_at = None;
                late.push((*job, post.life));
            }
        }
        late
    }

    /// As much of each as there is of `have` and is wanted. A fraction of a CPU would seat no plain task: where the node has
    /// a whole one only whole ones are given out, but to a job that wants less than one itself.
    fn part(&self, have: &Resources, wants: Option<&Resources>) -> Resources {
        let some = common(have, wants);
        let wanted = wants.map_or(u64::MAX, |wants| wants.thousandths(CPU));
        let cpus = some.thousandths(CPU);
        let cpus = if self.total.thousandths(CPU) < ONE || cpus == wanted && wanted < ONE {
            cpus
        } else {
            cpus - cpus % ONE
        };
        some.with_thousandths(CPU, cpus)
    }

    /// Grants the next life what there is for it now, beside what is kept for it.
    pub(super) fn grant_anew(&mut self, job: JobId, wants: Option<&Resources>) {
        let Some(kept) = self.post(job).map(|post| std::mem::take(&mut post.grant)) else { return };
        self.free.add(&kept);
        let (_, now) = self.offers(wants);
        let grant = now.unwrap_or_else(|| kept.clone());
        debug_assert!(grant.covers(&kept), "JB-2: {job} has {kept} and is granted {grant}");
        let whole = self.free.subtract(&grant);
        debug_assert!(whole, "JB-2: {grant} for {job} of {}", self.free);
        if let Some(post) = self.post(job) {
            post.grant = grant;
        }
    }

    /// Reserves for a first life, which is due.
    pub(super) fn seat(&mut self, job: JobId, grant: Resources) {
        self.take_seat(job, grant, 0, false);
    }

    /// The same for the next life of a single job, after `life`.
    pub(super) fn seat_single(&mut self, job: JobId, grant: Resources, life: u32) {
        self.take_seat(job, grant, life, true);
    }

    fn take_seat(&mut self, job: JobId, grant: Resources, life: u32, single: bool) {
        let whole = self.free.subtract(&grant);
        debug_assert!(whole, "JB-2: {grant} for {job} of {}", self.free);
        let post = Post {
            life,
            grant,
            state: State::Resting { until: Duration::ZERO },
            single,
            up_since: None,
            restarts: VecDeque::new(),
            in_a_row: 0,
            declined: 0,
        };
        self.singles += usize::from(single);
        self.seats.insert(job, Seat::Taken(Box::new(post)));
    }

    /// Frees what a job holds, and puts `left` in its place.
    pub(super) fn vacate(&mut self, job: JobId, left: Option<Seat>) {
        if let Some(Seat::Taken(post)) = self.seats.remove(&job) {
            self.free.add(&post.grant);
            self.singles -= usize::from(post.single);
        }
        if let Some(left) = left {
            self.seats.insert(job, left);
        }
        debug_assert!(self.total.covers(&self.free), "JB-2: {} of {}", self.free, self.total);
    }
}

impl Post {
    pub(super) fn stage(&self) -> Stage {
        match self.state {
            State::Starting => Stage::Starting,
            State::Up { address } => Stage::Up { address },
            State::Ending { .. } => Stage::Ending,
            State::Resting { .. } => Stage::Resting,
        }
    }

    /// Whether a process of this life may still run.
    pub(super) fn may_run(&self) -> bool {
        !matches!(self.state, State::Resting { .. })
    }

    /// When it is killed, or begins its next life.
    pub(super) fn due(&self) -> Option<Duration> {
        match self.state {
            State::Resting { until } => Some(until),
            State::Ending { kill_at, .. } => kill_at,
            State::Starting | State::Up { .. } => None,
        }
    }

    pub(super) fn may_begin(&self, now: Duration) -> bool {
        matches!(self.state, State::Resting { until } if until <= now)
    }

    pub(super) fn begin_next(&mut self) {
        self.life = self.life.saturating_add(1);
        self.state = State::Starting;
        self.up_since = None;
    }

    pub(super) fn up(&mut self, address: SocketAddr, now: Duration) {
        self.state = State::Up { address };
        self.up_since = Some(now);
        self.declined = 0;
    }

    pub(super) fn was_up(&self) -> bool {
        self.up_since.is_some()
    }

    /// It has ended and rests until its next life. False when there is none: it died too often, or too often in too short
    /// a time.
    pub(super) fn rest(&mut self, policy: &Policy, now: Duration) -> bool {
        if self.life >= limits::WORKER_LIVES_MAX {
            return false;
        }
        let oldest = now.saturating_sub(policy.limit.within);
        while self.restarts.front().is_some_and(|at| *at < oldest) {
            self.restarts.pop_front();
        }
        if self.restarts.len() >= policy.limit.max as usize {
            return false;
        }
        self.restarts.push_back(now);
        self.rest_however_often(policy, now);
        true
    }

    pub(super) fn rest_however_often(&mut self, policy: &Policy, now: Duration) {
        let up_for = self.up_since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
        let ran_well = up_for >= policy.limit.within;
        self.in_a_row = if ran_well { 1 } else { self.in_a_row.saturating_add(1) };
        let until = now.saturating_add(policy.backoff.delay(self.in_a_row));
        self.state = State::Resting { until };
    }

    /// Its node would not start it, which is not its fault. It waits for longer each time, and is not counted.
    pub(super) fn rest_declined(&mut self, policy: &Policy, now: Duration) -> bool {
        self.declined = self.declined.saturating_add(1);
        let wait = policy.backoff.delay(self.declined.saturating_add(1));
        self.rest_uncounted(now.saturating_add(wait))
    }

    /// It was perhaps never started, which is nobody's fault.
    pub(super) fn rest_uncounted(&mut self, until: Duration) -> bool {
        self.state = State::Resting { until };
        self.life < limits::WORKER_LIVES_MAX
    }
}

/// As much of each as both have.
fn common(have: &Resources, wants: Option<&Resources>) -> Resources {
    let Some(wants) = wants else { return have.clone() };
    have.iter().fold(Resources::none(), |sum, (name, amount)| {
        sum.with_thousandths(name, amount.min(wants.thousandths(name)))
    })
}
