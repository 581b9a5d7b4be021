//! The directory itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use raytree_types::{ActorId, Cause, JobId, limits};

use super::{Effect, Ended, Follower, Input, Key, Refusal, Spec, Told};
use crate::jobs::{News, WorkerId};

/// Who there is. See the [module](super).
#[derive(Debug, Default)]
pub struct Directory {
    residents: BTreeMap<ActorId, Resident>,
    names: BTreeMap<Key, ActorId>,
    jobs: BTreeMap<JobId, ActorId>,
    followers: BTreeMap<Follower, ActorId>,
}

#[derive(Debug)]
struct Resident {
    spec: Spec,
    job: JobId,
    lives: u32,
    /// The life that is up.
    up: Option<(WorkerId, SocketAddr)>,
    /// Its process has said that it is over.
    is_over: bool,
    /// There is no further life: how it ends, once its last process has.
    end: Option<(Cause, bool)>,
    followers: BTreeSet<Follower>,
}

impl Directory {
    /// Whose job it is.
    #[must_use]
    pub fn id_of(&self, job: JobId) -> Option<ActorId> {
        self.jobs.get(&job).copied()
    }

    /// The job of a resident.
    #[must_use]
    pub fn job_of(&self, id: ActorId) -> Option<JobId> {
        self.residents.get(&id).map(|own| own.job)
    }

    /// What follows from `input`.
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Create { by, spec, get_if_exists, job } => {
                self.create(by, spec, get_if_exists, job, &mut effects);
            }
            Input::Find { by, key } => match self.names.get(&key).copied() {
                Some(id) => self.follow(by, id, &mut effects),
                None => effects.push(Effect::Tell { to: by, what: Told::Missing }),
            },
            Input::Unfollow { by } => self.unfollow(by),
            Input::Leave { driver } => {
                let own = |ticket| Follower { driver, ticket };
                let all: Vec<_> =
                    self.followers.range(own(0)..=own(u64::MAX)).map(|(by, _)| *by).collect();
                all.into_iter().for_each(|by| self.unfollow(by));
            }
            Input::End { id, kill } => {
                let why = if kill { "killed by its user" } else { "stopped by its user" };
                self.ends(id, (Cause::message(why), !kill), kill, &mut effects);
            }
            Input::Ended { worker, how } => {
                if let Some(own) = self.of(worker.job)
                    && how == Ended::Over
                {
                    own.is_over = true;
                }
            }
            Input::News { job, news } => self.news(job, news, &mut effects),
            Input::Over { job, refused } => self.over(job, refused, &mut effects),
        }
        effects
    }

    fn of(&mut self, job: JobId) -> Option<&mut Resident> {
        self.residents.get_mut(self.jobs.get(&job)?)
    }

    fn create(
        &mut self,
        by: Follower,
        spec: Spec,
        get_if_exists: bool,
        job: JobId,
        effects: &mut Vec<Effect>,
    ) {
        let refuse = |why| Effect::Tell { to: by, what: Told::Refused(why) };
        if let Some((key, holder)) = spec.key.as_ref().and_then(|key| self.names.get_key_value(key))
        {
            if get_if_exists {
                return self.follow(by, *holder, effects);
            }
            return effects.push(refuse(Refusal::NameTaken { key: key.clone(), holder: *holder }));
        }
        if self.residents.len() >= limits::RESIDENTS_MAX {
            let limit = limits::RESIDENTS_MAX;
            return effects.push(refuse(Refusal::TooManyResidents { limit }));
        }
        let id = spec.id;
        if let Some(key) = &spec.key {
            self.names.insert(key.clone(), id);
        }
        self.jobs.insert(job, id);
        let wants = spec.wants.clone();
        let (up, followers) = (None, BTreeSet::new());
        let own = Resident { spec, job, lives: 0, up, is_over: false, end: None, followers };
        self.residents.insert(id, own);
        self.follow(by, id, effects);
        effects.push(Effect::Open { job, id, wants });
    }

    fn follow(&mut self, by: Follower, id: ActorId, effects: &mut Vec<Effect>) {
        let Some(own) = self.residents.get_mut(&id) else { return };
        if self.followers.len() >= limits::RESIDENT_FOLLOWERS_MAX {
            let limit = limits::RESIDENT_FOLLOWERS_MAX;
            let why = Refusal::TooManyFollowers { limit };
            return effects.push(Effect::Tell { to: by, what: Told::Refused(why) });
        }
        self.followers.insert(by, id);
        own.followers.insert(by);
        effects.push(Effect::Tell { to: by, what: Told::Is { id } });
        if let Some((worker, address)) = own.up.clone() {
            let life = own.lives.saturating_sub(1);
            effects.push(Effect::Tell { to: by, what: Told::Up { worker, life, address } });
        }
    }

    fn unfollow(&mut self, by: Follower) {
        if let Some(id) = self.followers.remove(&by)
            && let Some(own) = self.residents.get_mut(&id)
        {
            own.followers.remove(&by);
        }
    }

    fn ends(&mut self, id: ActorId, end: (Cause, bool), at_once: bool, effects: &mut Vec<Effect>) {
        let Some(own) = self.residents.get_mut(&id) else { return };
        own.end.get_or_insert(end);
        effects.push(Effect::Close { job: own.job, at_once });
    }

    fn tell(own: &Resident, what: &Told, effects: &mut Vec<Effect>) {
        let told = own.followers.iter().map(|to| Effect::Tell { to: *to, what: what.clone() });
        effects.extend(told);
    }

    fn news(&mut self, job: JobId, news: News, effects: &mut Vec<Effect>) {
        let Some(own) = self.of(job) else { return };
        match news {
            News::Up { worker, address, .. } => {
                own.up = Some((worker.clone(), address));
                let life = own.lives;
                own.lives += 1;
                Self::tell(own, &Told::Up { worker, life, address }, effects);
            }
            News::Down { cause, .. } => {
                if own.up.take().is_none() {
                    own.lives += 1;
                }
                let (lives, id) = (own.lives, own.spec.id);
                if own.is_over {
                    return self.ends(id, (Cause::message("it stopped"), true), false, effects);
                }
                if lives > own.spec.restarts {
                    return self.ends(id, (cause, false), true, effects);
                }
                Self::tell(own, &Told::Down { life: lives - 1, cause }, effects);
            }
            News::Granted { .. } | News::Waits { .. } | News::Broken { .. } => {}
        }
    }

    fn over(&mut self, job: JobId, refused: Option<Cause>, effects: &mut Vec<Effect>) {
        let Some(id) = self.jobs.remove(&job) else { return };
        let Some(own) = self.residents.remove(&id) else { return };
        if let Some(key) = &own.spec.key {
            self.names.remove(key);
        }
        let lost = || (Cause::message("its job is over"), false);
        let (cause, in_order) =
            refused.map(|cause| (cause, false)).or_else(|| own.end.clone()).unwrap_or_else(lost);
        Self::tell(&own, &Told::Dead { cause, in_order }, effects);
        own.followers.iter().for_each(|by| _ = self.followers.remove(by));
        effects.push(Effect::Forget { id });
    }
}
