//! The directory itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use raytree_types::{ActorId, Cause, JobId, limits};

use super::{Effect, Ended, Follower, Input, Key, Refusal, Spec, Told};
use crate::jobs::{News, TOLD_TO_END, WorkerId};

/// Why one is dead whose actor has ended by itself.
const ENDED_IN_ORDER: &str = "it has ended in order";
/// The same of one whose job was closed by others.
const JOB_OVER: &str = "its job is over";

/// Who is there, under which name, and who follows whom. See the [module](super).
#[derive(Debug, Default)]
pub struct Directory {
    /// Those that are not dead.
    residents: BTreeMap<ActorId, Resident>,
    jobs: BTreeMap<JobId, ActorId>,
    names: BTreeMap<Key, ActorId>,
    followers: BTreeMap<Follower, ActorId>,
}

#[derive(Debug)]
struct Resident {
    job: JobId,
    key: Option<Key>,
    restarts: u32,
    /// Lives that were lost: the number of the one that is there, or comes.
    lost: u32,
    /// The process of that life, once it was granted.
    worker: Option<WorkerId>,
    /// The node has said that it has ended, or could not be started.
    failed: bool,
    stage: Stage,
    followers: BTreeSet<Follower>,
}

#[derive(Debug)]
enum Stage {
    Begins,
    Lives { address: SocketAddr },
    Ends { cause: Cause, in_order: bool, killed: bool },
}

/// A resident, for whoever wants to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// Which.
    pub id: ActorId,
    /// Its name, if it has one.
    pub key: Option<&'a Key>,
    /// The job that its process belongs to.
    pub job: JobId,
    /// Which of its lives is there, or comes next, from 0.
    pub life: u32,
    /// Where it can be called, while it lives.
    pub up: Option<(&'a WorkerId, SocketAddr)>,
    /// There is no further life.
    pub ends: bool,
    /// How many follow it.
    pub followers: usize,
}

impl Directory {
    /// What follows from `input`.
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Create { by, spec, get_if_exists, job } => {
                self.create(by, spec, get_if_exists, job, &mut effects);
            }
            Input::Find { by, key } => self.find(by, &key, &mut effects),
            Input::Unfollow { by } => self.unfollow(by),
            Input::Leave { driver } => self.leave(driver),
            Input::End { id, kill } => self.end(id, kill, &mut effects),
            Input::Ended { worker, how } => self.ended(&worker, how, &mut effects),
            Input::News { job, news } => self.news(job, news, &mut effects),
            Input::Over { job, refused } => self.over(job, refused, &mut effects),
        }
        effects
    }

    /// Whose job this is, until it is over.
    #[must_use]
    pub fn id_of(&self, job: JobId) -> Option<ActorId> {
        self.jobs.get(&job).copied()
    }

    /// The job of a resident that is not dead.
    #[must_use]
    pub fn job_of(&self, id: ActorId) -> Option<JobId> {
        self.residents.get(&id).map(|resident| resident.job)
    }

    /// Whom somebody follows.
    #[must_use]
    pub fn followed_by(&self, by: Follower) -> Option<ActorId> {
        self.followers.get(&by).copied()
    }

    /// Those that are not dead, by id.
    pub fn residents(&self) -> impl Iterator<Item = Listed<'_>> {
        self.residents.iter().map(|(id, resident)| Listed {
            id: *id,
            key: resident.key.as_ref(),
            job: resident.job,
            life: resident.lost,
            up: resident.up(),
            ends: resident.ends(),
            followers: resident.followers.len(),
        })
    }

    fn create(
        &mut self,
        by: Follower,
        spec: Spec,
        get_if_exists: bool,
        job: JobId,
        effects: &mut Vec<Effect>,
    ) {
        if self.followers.contains_key(&by) {
            return;
        }
        let Spec { id, key, wants, restarts } = spec;
        // Asked twice, under two numbers.
        if self.residents.contains_key(&id) {
            return self.follow(by, id, effects);
        }
        if let Some(key) = &key
            && let Some(holder) = self.names.get(key).copied()
        {
            // RS-1. One that ends would not do.
            if get_if_exists && self.residents.get(&holder).is_some_and(|known| !known.ends()) {
                return self.follow(by, holder, effects);
            }
            let why = Refusal::NameTaken { key: key.clone(), holder };
            return effects.push(Effect::Tell { to: by, what: Told::Refused(why) });
        }
        if self.residents.len() >= limits::RESIDENTS_MAX {
            let why = Refusal::TooManyResidents { limit: limits::RESIDENTS_MAX };
            return effects.push(Effect::Tell { to: by, what: Told::Refused(why) });
        }
        if self.refuses_followers(by, effects) {
            return;
        }
        if let Some(key) = &key {
            self.names.insert(key.clone(), id);
        }
        self.jobs.insert(job, id);
        self.residents.insert(id, Resident::new(job, key, restarts));
        self.follow(by, id, effects);
        effects.push(Effect::Open { job, id, wants });
    }

    fn find(&mut self, by: Follower, key: &Key, effects: &mut Vec<Effect>) {
        if self.followers.contains_key(&by) {
            return;
        }
        match self.names.get(key).copied() {
            Some(id) => self.follow(by, id, effects),
            None => effects.push(Effect::Tell { to: by, what: Told::Missing }),
        }
    }

    /// RS-6.
    fn refuses_followers(&self, by: Follower, effects: &mut Vec<Effect>) -> bool {
        let limit = limits::RESIDENT_FOLLOWERS_MAX;
        let full = self.followers.len() >= limit;
        if full {
            let what = Told::Refused(Refusal::TooManyFollowers { limit });
            effects.push(Effect::Tell { to: by, what });
        }
        full
    }

    fn follow(&mut self, by: Follower, id: ActorId, effects: &mut Vec<Effect>) {
        if self.refuses_followers(by, effects) {
            return;
        }
        let Some(resident) = self.residents.get_mut(&id) else { return };
        resident.followers.insert(by);
        self.followers.insert(by, id);
        effects.push(Effect::Tell { to: by, what: Told::Is { id } });
        if let Some(up) = resident.is_up() {
            effects.push(Effect::Tell { to: by, what: up });
        }
    }

    fn unfollow(&mut self, by: Follower) {
        if let Some(id) = self.followers.remove(&by)
            && let Some(resident) = self.residents.get_mut(&id)
        {
            resident.followers.remove(&by);
        }
    }

    fn leave(&mut self, driver: JobId) {
        let [first, last] = [0, u64::MAX].map(|ticket| Follower { driver, ticket });
        let known = self.followers.range(first..=last).map(|(by, _)| *by);
        for by in known.collect::<Vec<Follower>>() {
            self.unfollow(by);
        }
    }

    fn end(&mut self, id: ActorId, kill: bool, effects: &mut Vec<Effect>) {
        let Some(resident) = self.residents.get_mut(&id) else { return };
        if let Stage::Ends { killed, .. } = &mut resident.stage {
            if kill && !std::mem::replace(killed, true) {
                effects.push(Effect::Close { job: resident.job, at_once: true });
            }
            return;
        }
        resident.closes(Cause::message(TOLD_TO_END), true, kill, effects);
    }

    fn ended(&mut self, worker: &WorkerId, how: Ended, effects: &mut Vec<Effect>) {
        let Some(id) = self.jobs.get(&worker.job) else { return };
        let Some(resident) = self.residents.get_mut(id) else { return };
        if resident.ends() || resident.worker.as_ref() != Some(worker) {
            return;
        }
        match how {
            Ended::Over => {
                resident.closes(Cause::message(ENDED_IN_ORDER), true, false, effects);
            }
            Ended::Lost => resident.failed = true,
        }
    }

    fn news(&mut self, job: JobId, news: News, effects: &mut Vec<Effect>) {
        let Some(id) = self.jobs.get(&job) else { return };
        let Some(resident) = self.residents.get_mut(id).filter(|known| !known.ends()) else {
            return;
        };
        match news {
            News::Granted { worker, .. } => {
                (resident.worker, resident.failed) = (Some(worker), false);
            }
            News::Up { worker, address, .. } => {
                let begins = matches!(resident.stage, Stage::Begins);
                if begins && resident.worker.as_ref() == Some(&worker) {
                    resident.stage = Stage::Lives { address };
                    let up = resident.is_up();
                    up.iter().for_each(|up| resident.tell(up, effects));
                }
            }
            News::Down { worker, cause, .. } => {
                if resident.worker.as_ref() == Some(&worker) {
                    resident.down(cause, effects);
                }
            }
            // The book says these of no single job.
            News::Waits { .. } | News::Broken { .. } => {}
        }
    }

    fn over(&mut self, job: JobId, refused: Option<Cause>, effects: &mut Vec<Effect>) {
        let Some(id) = self.jobs.remove(&job) else { return };
        let Some(resident) = self.residents.remove(&id) else { return };
        if let Some(key) = &resident.key {
            self.names.remove(key);
        }
        let (cause, in_order) = match (refused, &resident.stage) {
            (Some(cause), _) => (cause, false),
            (None, Stage::Ends { cause, in_order, .. }) => (cause.clone(), *in_order),
            (None, _) => (Cause::message(JOB_OVER), false),
        };
        resident.tell(&Told::Dead { cause, in_order }, effects);
        for by in &resident.followers {
            self.followers.remove(by);
        }
        effects.push(Effect::Forget { id });
    }
}

impl Resident {
    fn new(job: JobId, key: Option<Key>, restarts: u32) -> Self {
        Self {
            job,
            key,
            restarts,
            lost: 0,
            worker: None,
            failed: false,
            stage: Stage::Begins,
            followers: BTreeSet::new(),
        }
    }

    fn ends(&self) -> bool {
        matches!(self.stage, Stage::Ends { .. })
    }

    fn up(&self) -> Option<(&WorkerId, SocketAddr)> {
        match &self.stage {
            Stage::Lives { address } => Some((self.worker.as_ref()?, *address)),
            Stage::Begins | Stage::Ends { .. } => None,
        }
    }

    fn is_up(&self) -> Option<Told> {
        let (worker, address) = self.up()?;
        Some(Told::Up { worker: worker.clone(), life: self.lost, address })
    }

    fn tell(&self, what: &Told, effects: &mut Vec<Effect>) {
        for to in &self.followers {
            effects.push(Effect::Tell { to: *to, what: what.clone() });
        }
    }

    /// The process of a life has surely ended. One that was not up and of which its node has not said that it failed was
    /// perhaps never started, and is not counted.
    fn down(&mut self, cause: Cause, effects: &mut Vec<Effect>) {
        let lived = matches!(self.stage, Stage::Lives { .. });
        let counts = std::mem::take(&mut self.failed) || lived;
        (self.worker, self.stage) = (None, Stage::Begins);
        if !counts {
            return;
        }
        let life = self.lost;
        self.lost = life.saturating_add(1);
        // RS-3.
        if self.lost > self.restarts {
            // Should the next one run already, it is one too many.
            self.closes(cause, false, true, effects);
        } else if lived {
            self.tell(&Told::Down { life, cause }, effects);
        }
    }

    fn closes(&mut self, cause: Cause, in_order: bool, kill: bool, effects: &mut Vec<Effect>) {
        self.stage = Stage::Ends { cause, in_order, killed: kill };
        effects.push(Effect::Close { job: self.job, at_once: kill });
    }
}
