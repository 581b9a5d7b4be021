//! The residents of a cluster: detached actors, which belong to the head and to no driver. Who there is, and who hears of whom,
//! is the engine's [`Directory`]; here is what it takes to begin a life of each.
//!
//! Belongs to the head and not to an actor, as the book of jobs does, and is told under that one's lock.

use std::collections::HashMap;
use std::sync::Arc;

use raytree_engine::jobs::{self, Book, News};
use raytree_engine::residents::{
    Directory, Effect, Ended, Follower, Input, Key, Refusal, Spec, Told,
};
use raytree_process::ENDED;
use raytree_process::cluster::{Residence, Resident, ResidentNews, ResidentWish, Template};
use raytree_types::inspect::DetachedStatus;
use raytree_types::{ActorId, JobId, limits};

use crate::names::worker_of;
use crate::programs::Hold;

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub(super) struct Residents {
    directory: Directory,
    kept: HashMap<ActorId, Kept>,
}

/// What it takes to begin a life.
#[derive(Debug)]
struct Kept {
    resident: Resident,
    template: Template,
    /// Processes that were started for it.
    starts: u32,
    _program: Hold,
}

/// What follows for others.
#[derive(Debug, Default)]
pub(super) struct Follows {
    /// For the book of jobs, in this order.
    pub(super) book: Vec<jobs::Input>,
    /// For drivers.
    pub(super) told: Vec<(JobId, u64, ResidentNews)>,
    /// To be dropped when no lock is held: files are closed.
    over: Vec<Kept>,
}

impl Residents {
    /// It is the job of one.
    pub(super) fn has(&self, job: JobId) -> bool {
        self.directory.id_of(job).is_some()
    }

    /// How the next process of a resident is started.
    pub(super) fn begins(&mut self, job: JobId) -> Option<(Template, Residence)> {
        let kept = self.kept.get_mut(&self.directory.id_of(job)?)?;
        let life = kept.starts;
        kept.starts = kept.starts.saturating_add(1);
        Some((kept.template.clone(), Residence { resident: kept.resident.clone(), life }))
    }

    /// The process of a worker has ended: said before the book of jobs hears of it.
    pub(super) fn ended(&mut self, worker: &jobs::WorkerId, code: Option<i32>) -> Follows {
        let how = if code == Some(ENDED) { Ended::Over } else { Ended::Lost };
        self.step(Input::Ended { worker: worker.clone(), how })
    }

    pub(super) fn news(&mut self, job: JobId, news: News) -> Follows {
        self.step(Input::News { job, news })
    }

    /// Its job is over, or was refused.
    pub(super) fn over(&mut self, job: JobId, refused: Option<jobs::Refusal>) -> Follows {
        let refused = refused.map(|why| raytree_types::Cause::message(why.to_string()));
        self.step(Input::Over { job, refused })
    }

    /// A driver is gone.
    pub(super) fn leaves(&mut self, driver: JobId) -> Follows {
        self.step(Input::Leave { driver })
    }

    /// A driver wants something. `job` is what the book of jobs gives next.
    pub(super) fn wishes(
        &mut self,
        driver: JobId,
        wish: ResidentWish,
        job: JobId,
        (template, program): (Template, Hold),
    ) -> Follows {
        let by = |ticket| Follower { driver, ticket };
        match wish {
            ResidentWish::Create { ticket, resident, get_if_exists } => {
                if let Err(reason) = self.check(&resident) {
                    let told = vec![(driver, ticket, ResidentNews::Refused { reason })];
                    return Follows { told, ..Follows::default() };
                }
                let name = resident.name.as_deref();
                let spec = Spec {
                    id: resident.id,
                    key: name.map(|name| key(&resident.namespace, name)),
                    wants: resident.wants.clone(),
                    restarts: resident.restarts,
                };
                let id = resident.id;
                let kept = Kept { resident: *resident, template, starts: 0, _program: program };
                self.kept.insert(id, kept);
                let by = by(ticket);
                let mut follows = self.step(Input::Create { by, spec, get_if_exists, job });
                if self.directory.job_of(id).is_none() {
                    follows.over.extend(self.kept.remove(&id));
                }
                follows
            }
            ResidentWish::Find { ticket, namespace, name } => {
                self.step(Input::Find { by: by(ticket), key: key(&namespace, &name) })
            }
            ResidentWish::Unfollow { ticket } => self.step(Input::Unfollow { by: by(ticket) }),
            // Who follows nobody any more has heard the last word.
            ResidentWish::End { ticket, kill } => match self.directory.followed_by(by(ticket)) {
                Some(id) => self.step(Input::End { id, kill }),
                None => Follows::default(),
            },
        }
    }

    /// For whoever asks; and how many there are.
    pub(super) fn rows(&self, book: &Book) -> (Vec<DetachedStatus>, usize) {
        let homes: HashMap<JobId, String> = book
            .workers()
            .filter(|(_, stage, _)| matches!(stage, jobs::Stage::Up { .. }))
            .map(|(worker, ..)| (worker.job, worker.node.name.to_string()))
            .collect();
        let known = self.directory.residents();
        let known = known.filter_map(|own| Some((own, &self.kept.get(&own.id)?.resident)));
        let mut rows: Vec<_> = known.collect();
        rows.sort_by_key(|(_, own)| (own.name.is_none(), &own.namespace, &own.name, own.id));
        let rows = rows.into_iter().take(limits::STATUS_DETACHED_MAX).map(|(listed, own)| {
            DetachedStatus {
                id: own.id,
                namespace: own.namespace.clone(),
                name: own.name.clone(),
                label: own.about.label.clone(),
                node: homes.get(&listed.job).cloned(),
                restarts: listed.life,
                wants: own.wants.clone(),
            }
        });
        (rows.collect(), self.kept.len())
    }

    fn check(&self, resident: &Resident) -> Result<(), String> {
        let Resident { id, namespace, name, arguments, .. } = resident;
        if self.kept.contains_key(id) {
            return Err(format!("{id} is there already"));
        }
        limits::check_name(namespace)?;
        limits::check_name(&resident.about.label)?;
        name.as_deref().map_or(Ok(()), limits::check_name)?;
        let bytes = |(head, buffers): &(raytree_process::cluster::Hex, Vec<_>)| {
            let buffers = buffers.iter().map(|own: &raytree_process::cluster::Hex| own.0.len());
            head.0.len() + buffers.sum::<usize>()
        };
        let bytes: usize = arguments.iter().map(bytes).sum();
        let max = limits::RESIDENT_ARGUMENT_BYTES_MAX;
        if bytes > max {
            return Err(format!(
                "its arguments have {bytes} bytes, where at most {max} are allowed"
            ));
        }
        Ok(())
    }

    fn step(&mut self, input: Input) -> Follows {
        let mut follows = Follows::default();
        for effect in self.directory.step(input) {
            match effect {
                Effect::Open { job, wants, .. } => {
                    let wants = Some(wants);
                    follows.book.push(jobs::Input::Open { job, wants, single: true });
                }
                Effect::Close { job, at_once } => {
                    follows.book.push(jobs::Input::Close { job, at_once });
                }
                Effect::Tell { to, what } => {
                    if let Some(news) = self.said(what) {
                        follows.told.push((to.driver, to.ticket, news));
                    }
                }
                Effect::Forget { id } => follows.over.extend(self.kept.remove(&id)),
            }
        }
        follows
    }

    fn said(&self, what: Told) -> Option<ResidentNews> {
        Some(match what {
            Told::Missing => ResidentNews::Missing,
            Told::Refused(Refusal::NameTaken { .. }) => ResidentNews::NameTaken,
            Told::Refused(why) => ResidentNews::Refused { reason: why.to_string() },
            Told::Is { id } => {
                let kept = self.kept.get(&id)?;
                let program = Box::new(kept.template.manifest.clone());
                ResidentNews::Is { id, program, about: kept.resident.about.clone() }
            }
            Told::Up { worker, life, address } => {
                ResidentNews::Up { worker: worker_of(&worker), life, address }
            }
            Told::Down { life, cause } => ResidentNews::Down { life, cause },
            Told::Dead { cause, in_order } => ResidentNews::Dead { cause, in_order },
        })
    }
}

fn key(namespace: &str, name: &str) -> Key {
    Key { namespace: Arc::from(namespace), name: Arc::from(name) }
}
