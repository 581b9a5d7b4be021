//! What must be so, by the words of RS-1 to RS-6: a model of each resident, and what each follower has heard.

use std::collections::BTreeMap;

use raytree_types::{ActorId, JobId, Resources};

use crate::jobs::{News, TOLD_TO_END, WorkerId};
use crate::residents::{Ended, Follower, Input, Key, Refusal, Told};
use crate::sim::Figures;

/// How often things happened.
pub(super) type Counted = Figures<20>;

const COUNTED: [&str; 20] = [
    "created",
    "gotten",
    "name taken",
    "found",
    "missing",
    "left",
    "cut off",
    "starts",
    "up",
    "up elsewhere",
    "down",
    "failed to come up",
    "perhaps never started",
    "asked to end",
    "killed after all",
    "over",
    "lost too often",
    "dead in order",
    "dead",
    "no place at the end",
];

/// A resident.
#[derive(Debug)]
pub(super) struct Kin {
    pub(super) key: Option<Key>,
    pub(super) job: JobId,
    pub(super) wants: Resources,
    pub(super) restarts: u32,
    /// Lives that were lost.
    pub(super) lost: u32,
    /// The process of the newest life, until it is down.
    pub(super) worker: Option<WorkerId>,
    pub(super) failed: bool,
    /// The life that followers have heard of and that is not down.
    pub(super) up: Option<u32>,
    /// Why there is no further life, and whether that is in order.
    pub(super) ends: Option<(String, bool)>,
    pub(super) dead: bool,
    killed: bool,
    /// The newest process that was to be started.
    started: Option<WorkerId>,
    last_node: Option<String>,
}

/// What a follower has heard.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) of: Option<ActorId>,
    pub(super) up: Option<u32>,
    newest: Option<u32>,
    /// It has heard the last word.
    pub(super) done: bool,
    pub(super) left: bool,
}

/// What the first answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Is(ActorId),
    Taken(ActorId),
    Missing,
}

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) figures: Counted,
    pub(super) kins: BTreeMap<ActorId, Kin>,
    pub(super) jobs: BTreeMap<JobId, ActorId>,
    pub(super) views: BTreeMap<Follower, View>,
    answers: BTreeMap<Follower, Answer>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            figures: Figures::new(COUNTED),
            kins: BTreeMap::new(),
            jobs: BTreeMap::new(),
            views: BTreeMap::new(),
            answers: BTreeMap::new(),
        }
    }

    /// The newest residents first.
    pub(super) fn newest(&self) -> Vec<ActorId> {
        self.kins.keys().rev().copied().collect()
    }

    fn holder(&self, key: &Key) -> Option<(ActorId, &Kin)> {
        let known = self.kins.iter().map(|(id, kin)| (*id, kin));
        known.filter(|(_, kin)| !kin.dead).find(|(_, kin)| kin.key.as_ref() == Some(key))
    }

    fn kin_of(&mut self, job: JobId) -> Option<&mut Kin> {
        self.kins.get_mut(self.jobs.get(&job)?)
    }

    /// Before the directory hears it.
    pub(super) fn heard(&mut self, input: &Input) {
        match input {
            Input::Create { by, spec, get_if_exists, job } => {
                let holder = spec.key.as_ref().and_then(|key| self.holder(key));
                let answer = match holder {
                    Some((id, kin)) if *get_if_exists && kin.ends.is_none() => Answer::Is(id),
                    Some((id, _)) => Answer::Taken(id),
                    None => Answer::Is(spec.id),
                };
                self.figures.count(match answer {
                    Answer::Is(id) if id == spec.id => "created",
                    Answer::Is(_) => "gotten",
                    _ => "name taken",
                });
                self.answers.insert(*by, answer);
                if answer == Answer::Is(spec.id) {
                    let (key, wants, restarts) =
                        (spec.key.clone(), spec.wants.clone(), spec.restarts);
                    self.kins.insert(spec.id, Kin::new(key, *job, wants, restarts));
                    self.jobs.insert(*job, spec.id);
                }
            }
            Input::Find { by, key } => {
                let answer = self.holder(key).map_or(Answer::Missing, |(id, _)| Answer::Is(id));
                let what = if answer == Answer::Missing { "missing" } else { "found" };
                self.figures.count(what);
                self.answers.insert(*by, answer);
            }
            Input::Unfollow { by } => {
                if let Some(view) = self.views.get_mut(by) {
                    self.figures.count("left");
                    view.left = true;
                }
            }
            Input::Leave { driver } => {
                let views = self.views.iter_mut().filter(|(by, _)| by.driver == *driver);
                views.for_each(|(_, view)| view.left = true);
            }
            Input::End { id, kill } => self.asked_to_end(*id, *kill),
            Input::Ended { worker, how } => self.ended(worker, *how),
            Input::News { job, news } => self.news(*job, news),
            Input::Over { job, .. } => {
                if let Some(kin) = self.kin_of(*job) {
                    assert!(!kin.dead, "RS-4: {job} is over twice");
                    kin.dead = true;
                }
            }
        }
    }

    fn asked_to_end(&mut self, id: ActorId, kill: bool) {
        let Some(kin) = self.kins.get_mut(&id).filter(|kin| !kin.dead) else { return };
        if kin.ends.is_none() {
            kin.ends = Some((TOLD_TO_END.to_owned(), true));
            self.figures.count("asked to end");
        } else if kill && !kin.killed {
            self.figures.count("killed after all");
        }
        kin.killed |= kill;
    }

    fn ended(&mut self, worker: &WorkerId, how: Ended) {
        let Some(kin) = self.kin_of(worker.job) else { return };
        if kin.ends.is_some() || kin.worker.as_ref() != Some(worker) {
            return;
        }
        match how {
            Ended::Lost => kin.failed = true,
            Ended::Over => {
                kin.ends = Some(("it has ended in order".to_owned(), true));
                self.figures.count("over");
            }
        }
    }

    fn news(&mut self, job: JobId, news: &News) {
        let Some(kin) = self.kin_of(job).filter(|kin| kin.ends.is_none()) else { return };
        match news {
            News::Granted { worker, .. } => {
                assert_eq!(kin.worker, None, "{worker} is granted");
                (kin.worker, kin.failed) = (Some(worker.clone()), false);
            }
            News::Up { worker, .. } => {
                assert_eq!(kin.worker.as_ref(), Some(worker), "{worker} is up");
                kin.up = Some(kin.lost);
                let node = worker.node.name.to_string();
                let before = kin.last_node.replace(node.clone());
                if before.is_some_and(|before| before != node) {
                    self.figures.count("up elsewhere");
                }
            }
            News::Down { worker, cause, .. } => {
                assert_eq!(kin.worker.take().as_ref(), Some(worker), "{worker} is down");
                let what = match (kin.up, std::mem::take(&mut kin.failed)) {
                    (None, false) => "perhaps never started",
                    (None, true) => "failed to come up",
                    (Some(_), _) => "down",
                };
                kin.lost += u32::from(what != "perhaps never started");
                if kin.lost > kin.restarts {
                    assert_eq!(kin.started.as_ref(), Some(worker), "RS-3: one too many is started");
                    kin.ends = Some((cause.message.clone(), false));
                } else {
                    kin.up = None;
                }
                let ends = kin.ends.is_some();
                self.figures.count(what);
                if ends {
                    self.figures.count("lost too often");
                }
            }
            News::Waits { .. } | News::Broken { .. } => panic!("{job} hears {news:?}"),
        }
    }

    pub(super) fn opened(&mut self, job: JobId, id: ActorId) {
        assert_eq!(self.jobs.get(&job), Some(&id), "RS-1: {job} is opened for {id}");
    }

    pub(super) fn forgotten(&mut self, id: ActorId) {
        assert!(self.kins[&id].dead, "RS-4: {id} is forgotten");
        let mut views = self.views.values().filter(|view| view.of == Some(id));
        assert!(views.all(|view| view.done || view.left), "RS-4: {id} is forgotten too soon");
    }

    /// RS-3.
    pub(super) fn check_start(&mut self, worker: &WorkerId) {
        let Some(kin) = self.kin_of(worker.job) else { return };
        assert!(kin.ends.is_none(), "RS-3: {worker} is started, {:?}", kin.ends);
        assert!(kin.lost <= kin.restarts, "RS-3: {worker} is started after {}", kin.lost);
        kin.started = Some(worker.clone());
        self.figures.count("starts");
    }

    /// A follower hears something; the truth of it is checked elsewhere.
    pub(super) fn told(&mut self, to: Follower, what: &Told) {
        let answer = self.answers.remove(&to);
        let view = self.views.entry(to).or_default();
        assert!(!view.left, "RS-5: {to:?} has left and hears {what:?}");
        assert!(!view.done, "RS-4: {to:?} has heard the last word and {what:?}");
        let first = match what {
            Told::Is { id } => Some(Answer::Is(*id)),
            Told::Missing => Some(Answer::Missing),
            Told::Refused(Refusal::NameTaken { holder, .. }) => Some(Answer::Taken(*holder)),
            Told::Refused(why) => panic!("RS-6: {why:?}"),
            _ => None,
        };
        assert_eq!(answer, first, "RS-1: {to:?} hears {what:?}");
        view.done = matches!(what, Told::Missing | Told::Refused(_) | Told::Dead { .. });
        if let Told::Is { id } = what {
            view.of = Some(*id);
        }
        let Some(kin) = view.of.and_then(|id| self.kins.get(&id)) else { return };
        match what {
            Told::Up { worker, life, address } => {
                assert_eq!(view.up, None, "RS-2: {to:?} hears {what:?}");
                assert!(view.newest < Some(*life), "RS-2: {what:?} after {:?}", view.newest);
                assert_eq!((kin.up, kin.worker.as_ref()), (Some(*life), Some(worker)), "RS-2");
                assert!(*life <= kin.restarts, "RS-3: {what:?} of {}", kin.restarts);
                assert_eq!(u32::from(address.port()), 1000 + worker.life);
                (view.up, view.newest) = (Some(*life), Some(*life));
            }
            Told::Down { life, .. } => {
                assert_eq!(view.up.take(), Some(*life), "RS-2: {to:?} hears {what:?}");
                assert!(kin.ends.is_none(), "RS-2: {what:?}, and no other one follows");
            }
            Told::Dead { cause, in_order } => {
                assert!(kin.dead, "RS-4: {to:?} hears {what:?}");
                let ends = kin.ends.as_ref().expect("RS-4: dead without an end");
                assert_eq!((&cause.message, *in_order), (&ends.0, ends.1), "RS-4");
                self.figures.count(if *in_order { "dead in order" } else { "dead" });
            }
            Told::Is { .. } | Told::Missing | Told::Refused(_) => {}
        }
        if matches!(what, Told::Up { .. }) {
            self.figures.count("up");
        }
    }
}

impl Kin {
    fn new(key: Option<Key>, job: JobId, wants: Resources, restarts: u32) -> Self {
        Self {
            key,
            job,
            wants,
            restarts,
            lost: 0,
            worker: None,
            failed: false,
            up: None,
            ends: None,
            dead: false,
            killed: false,
            started: None,
            last_node: None,
        }
    }
}
