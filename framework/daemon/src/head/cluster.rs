//! What all parts of a head share: its books, and who carries out what follows from them.
//!
//! The books are the engine's: who is alive ([`Judge`]), which job has a worker where ([`Book`]). They belong to the head
//! and not to an actor, so a restarted actor loses nothing. Whoever learns something tells the book under its lock; what
//! follows is cast to the actors concerned before the lock is released, so that all hear it in the order in which it was
//! decided. Locks are taken in one order: judge, book, residents, then who is told.

mod books;
mod rows;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_engine::jobs::{self, Book};
use raytree_engine::membership::{
    Effect, ExitStatus, Fence, Input, JoinAnswer, Judge, Member, Name, Origin, Phase, Place,
    Settings,
};
use raytree_process::Neighbour;
use raytree_process::cluster::{Answered, Offer, Template, Times, ToDriver, ToNode, Worker};
use raytree_supervise::{Addr, SupervisorMsg, clock};
use raytree_types::inspect::DashboardStatus;
use raytree_types::{Cause, JobId, LogLines, ProcessIncarnation, Resources};

use super::driver::DriverMsg;
use super::mirror::MirrorMsg;
use super::neighbours::{Neighbours, NeighboursMsg};
use super::residents::Residents;
use super::windows::Windows;
use crate::names::worker_id;
use crate::programs::{Hold, Programs};

/// The runtimes of workers are numbered from here: those that a driver counts itself begin at 1.
const RUNTIMES_FROM: u64 = 1 << 32;

/// See the [module documentation](self).
pub(crate) struct Cluster {
    pub(crate) settings: Settings,
    pub(crate) programs: Arc<Programs>,
    pub(crate) began: Duration,
    /// Lives of nodes are numbered from here on, and those of no other head are.
    pub(crate) first_life: ProcessIncarnation,
    /// How it is looked at, and looks at others.
    pub(crate) windows: Arc<Windows>,
    /// Where the head listens, once it does.
    pub(crate) address: OnceLock<SocketAddr>,
    /// Where it is shown in a browser, if it is.
    pub(crate) dashboard: OnceLock<DashboardStatus>,
    /// Where its numbers are read.
    pub(crate) metrics: OnceLock<SocketAddr>,
    pub(crate) node_pool: Addr<SupervisorMsg>,
    pub(crate) drivers: Addr<SupervisorMsg>,
    pub(crate) neighbours: Addr<NeighboursMsg>,
    judge: Mutex<Judge>,
    book: Mutex<Book>,
    residents: Mutex<Residents>,
    /// Those that have a session now, by the number of their process.
    sessions: Mutex<HashMap<u64, Session>>,
    /// Who was let in and is not declared down, by the number of its process.
    members: Mutex<HashMap<u64, Insider>>,
    jobs: Mutex<HashMap<JobId, Job>>,
    /// The cluster ends: nobody is let in any more.
    is_ending: AtomicBool,
    next_runtime: AtomicU64,
}

/// A node that was let in.
struct Insider {
    member: Member,
    /// Its process, of one that is judged as [`Place::Local`].
    beside: Option<Arc<Neighbour>>,
}

/// A node that is connected.
struct Session {
    mirror: Addr<MirrorMsg>,
    name: Name,
    /// Once it was let in.
    member: Option<Member>,
    /// Which of its links it is.
    link: u64,
    offer: Option<Offer>,
    /// Its process, if it was found on this host.
    beside: Option<Arc<Neighbour>>,
}

/// A driver that is connected.
struct Job {
    driver: Addr<DriverMsg>,
    template: Template,
    began: Duration,
    _program: Hold,
}

impl Cluster {
    pub(crate) fn new(settings: Settings, programs: Arc<Programs>) -> Arc<Self> {
        let (now, first_life) = (clock::now(), first_life());
        // Nobody of another head's can be taken for one of this one's. There is nobody to be waited for, so no grace.
        let judged = Settings { isolation_grace: Duration::ZERO, ..settings };
        let judge = Judge::restarted(judged, first_life, now);
        Arc::new(Self {
            settings,
            programs,
            began: now,
            windows: Arc::default(),
            address: OnceLock::new(),
            dashboard: OnceLock::new(),
            metrics: OnceLock::new(),
            node_pool: Addr::system::<raytree_supervise::Supervisor>("node_pool"),
            drivers: Addr::system::<raytree_supervise::Supervisor>("drivers"),
            neighbours: Addr::system::<Neighbours>("neighbours"),
            first_life,
            judge: Mutex::new(judge),
            book: Mutex::new(Book::new(jobs::Policy::default())),
            residents: Mutex::default(),
            sessions: Mutex::default(),
            members: Mutex::default(),
            jobs: Mutex::default(),
            is_ending: AtomicBool::new(false),
            next_runtime: AtomicU64::new(RUNTIMES_FROM),
        })
    }

    pub(crate) fn times(&self) -> Times {
        Times::from(&self.settings)
    }

    /// A node has a session; one that the same process had is over.
    pub(crate) fn connected(&self, process: u64, name: Name, mirror: Addr<MirrorMsg>) {
        let session = Session { mirror, name, member: None, link: 0, offer: None, beside: None };
        let before = self.sessions.lock().insert(process, session);
        if let Some(before) = before {
            // Refused when it has ended.
            _ = before.mirror.cast(MirrorMsg::Superseded);
        }
    }

    /// The session of a node is over.
    pub(crate) fn disconnected(&self, process: u64, mirror: &Addr<MirrorMsg>) {
        let mut judge = self.judge.lock();
        let lost = {
            let mut sessions = self.sessions.lock();
            let is_it = |own: &Session| own.mirror.is_same(mirror);
            if sessions.get(&process).is_some_and(is_it) { sessions.remove(&process) } else { None }
        };
        let Some(Session { member: Some(member), link, .. }) = lost else { return };
        self.judged(&mut judge, Input::LinkLost { member, link });
    }

    /// The process of a node has surely ended, as the one says who has started it.
    pub(crate) fn process_ended(&self, process: u64, status: ExitStatus) {
        let mut judge = self.judge.lock();
        let member = self.members.lock().get(&process).map(|own| own.member.clone());
        if let Some(member) = member {
            self.judged(&mut judge, Input::Exited { member, status });
        }
    }

    /// This life is that of this process.
    pub(crate) fn is_life_of(&self, process: u64, member: &Member) -> bool {
        self.members.lock().get(&process).is_some_and(|own| own.member == *member)
    }

    /// The process of a member, if that is on this host and nobody's child here.
    pub(crate) fn beside(&self, process: u64) -> Option<Arc<Neighbour>> {
        self.members.lock().get(&process)?.beside.clone()
    }

    pub(crate) fn processes_beside(&self) -> Vec<u64> {
        let members = self.members.lock();
        let beside = members.iter().filter(|(_, own)| own.beside.is_some());
        beside.map(|(process, _)| *process).collect()
    }

    /// A node asks to join, or to go on; its process, if it was found on this host. Gives who it is, if it was let in.
    pub(crate) fn joins(
        &self,
        process: u64,
        claim: Option<ProcessIncarnation>,
        (link, ticket): (u64, u64),
        offer: Offer,
        beside: Option<Neighbour>,
    ) -> Option<Member> {
        // What is judged as local can be killed: whether it is, the first answer settles for all of its life.
        let place = if beside.is_some() { Place::Local } else { Place::Remote };
        let mut judge = self.judge.lock();
        let name = {
            let mut sessions = self.sessions.lock();
            let session = sessions.get_mut(&process)?;
            if self.is_ending() {
                // Refused when it has ended.
                _ = session.mirror.cast(MirrorMsg::Tell(Box::new(ToNode::End)));
                return None;
            }
            session.link = link;
            let address = offer.address.clone();
            session.offer = Some(offer);
            session.beside = beside.map(Arc::new);
            (Arc::clone(&session.name), address)
        };
        let (name, address) = name;
        let origin = Origin { process, address: address.into() };
        self.judged(&mut judge, Input::Join { name, claim, place, origin, link, ticket });
        self.sessions.lock().get(&process)?.member.clone()
    }

    /// So much time has passed since this was said last. Who waits for a CPU of this host is excused.
    pub(crate) fn passes(&self, since: Duration) {
        let quiet: Vec<_> = self.judge.lock().quiet().collect();
        for member in quiet {
            let beside = {
                let members = self.members.lock();
                let own = members.values().find(|own| own.member == member);
                own.and_then(|own| own.beside.clone())
            };
            if beside.is_some_and(|own| own.is_starved()) {
                self.judge(Input::Starved { member, by: since });
            }
        }
        self.judge(Input::Tick);
        self.book(jobs::Input::Tick);
    }

    /// What follows for the judge, and all that follows from that.
    pub(crate) fn judge(&self, input: Input) -> Vec<Effect> {
        let mut judge = self.judge.lock();
        self.judged(&mut judge, input)
    }

    /// Returns the answers to beats, which are for whoever has the line they came over.
    fn judged(&self, judge: &mut Judge, input: Input) -> Vec<Effect> {
        let (answers, rest): (Vec<_>, Vec<_>) = judge
            .step(input, clock::now())
            .into_iter()
            .partition(|effect| matches!(effect, Effect::Answer { .. } | Effect::TellExit { .. }));
        rest.into_iter().for_each(|effect| self.carry_out(judge, effect));
        answers
    }

    fn carry_out(&self, judge: &Judge, effect: Effect) {
        match effect {
            Effect::AnswerJoin { process, ticket, answer, .. } => {
                self.answered(judge, process, ticket, answer);
            }
            Effect::Mark { member, phase: Phase::Up } => {
                self.book(jobs::Input::NodeResumed { node: member });
            }
            Effect::Mark { member, phase } => {
                match phase {
                    Phase::Suspect => {
                        self.warn_of(&member, "suspect: it is silent, or its link is lost");
                    }
                    Phase::Degraded => {
                        self.warn_of(&member, "degraded: it beats, and its actors do not get on");
                    }
                    _ => {}
                }
                self.book(jobs::Input::NodePaused { node: member });
            }
            // Nothing new is started there, until it is dead or its lease has run out.
            Effect::Convict { member, fence, .. } => {
                self.warn_of(&member, "convicted: nothing new is started there");
                if fence == Fence::Kill {
                    self.kill(&member);
                }
                self.book(jobs::Input::NodePaused { node: member });
            }
            Effect::Down { member, cause, asked } => {
                self.members.lock().retain(|_, own| own.member != member);
                if asked {
                    tracing::info!("{} has ended, as it was to: {cause}", member.name);
                } else {
                    tracing::warn!("{} died: {cause}", member.name);
                }
                let cause = Cause::message(format!("{} died: {cause}", member.name));
                if let Some(mirror) = self.mirror_of(&member) {
                    _ = mirror.cast(MirrorMsg::Down(Box::new(cause.clone())));
                }
                self.book(jobs::Input::NodeDown { node: member, cause });
            }
            Effect::AskToStop { member } => self.tell(&member, ToNode::End),
            // Nodes ask to join; nobody registers one here.
            Effect::Refused { .. } | Effect::Answer { .. } | Effect::TellExit { .. } => {}
        }
    }

    fn mirror_of(&self, member: &Member) -> Option<Addr<MirrorMsg>> {
        let sessions = self.sessions.lock();
        let of = |own: &&Session| own.member.as_ref() == Some(member);
        sessions.values().find(of).map(|own| own.mirror.clone())
    }

    /// The supervision log has it at the place of the node's mirror.
    fn warn_of(&self, member: &Member, what: &str) {
        if let Some(mirror) = self.mirror_of(member) {
            mirror.probe().warn(what);
        }
    }

    /// Its end is seen by the neighbours.
    fn kill(&self, member: &Member) {
        let members = self.members.lock();
        let beside = members.values().find(|own| own.member == *member);
        let Some(beside) = beside.and_then(|own| own.beside.as_ref()) else { return };
        if let Err(error) = beside.kill() {
            tracing::error!(%member, %error, "a node beside the head cannot be killed");
        }
    }

    fn answered(&self, judge: &Judge, process: u64, ticket: u64, answer: JoinAnswer) {
        // Held from here on: nothing is said over the new session before the book has its report.
        let mut book = self.book.lock();
        let (mirror, up) = {
            let mut sessions = self.sessions.lock();
            let Some(session) = sessions.get_mut(&process) else { return };
            let mut up = None;
            if let JoinAnswer::Continue { incarnation, place } = answer {
                let member = Member::new(Arc::clone(&session.name), incarnation);
                session.member = Some(member.clone());
                let beside = session.beside.take().filter(|_| place == Place::Local);
                self.lets_in(process, &member, beside);
                up = session.offer.clone().map(|offer| (member, offer, session.link));
            }
            (session.mirror.clone(), up)
        };
        let answer = Answered::from(answer);
        _ = mirror.cast(MirrorMsg::Tell(Box::new(ToNode::Joined { ticket, answer })));
        if let Some((node, offer, session)) = up {
            for (worker, code) in &offer.ended {
                let inputs = self.hears_of_end(&worker_id(worker), Some(*code));
                inputs.into_iter().for_each(|input| self.booked(&mut book, input));
            }
            let workers = offer.workers.iter().map(|(worker, at)| (worker_id(worker), *at));
            let (workers, total) = (workers.collect(), offer.total);
            let paused = judge.phase(&node.name) != Some(Phase::Up);
            self.booked(&mut book, jobs::Input::NodeUp { node, session, paused, total, workers });
        }
    }

    fn lets_in(&self, process: u64, member: &Member, beside: Option<Arc<Neighbour>>) {
        let mut members = self.members.lock();
        let new = || Insider { member: member.clone(), beside: None };
        let own = members.entry(process).or_insert_with(new);
        own.member = member.clone();
        if own.beside.is_none() && beside.is_some() {
            own.beside = beside;
            // Refused when the head ends.
            _ = self.neighbours.cast(NeighboursMsg::Watch(process));
        }
    }

    /// A driver that is let in, whose program is held: its job's number. It hears of that first, and then of its workers,
    /// which have at most `wants` of each node. None while the cluster ends.
    pub(crate) fn admits(
        &self,
        driver: Addr<DriverMsg>,
        template: Template,
        wants: Option<Resources>,
        program: Hold,
    ) -> Option<JobId> {
        let mut book = self.book.lock();
        let job = book.next_job();
        let mut jobs = self.jobs.lock();
        // With the lock: a job is either refused, or told that the cluster ends.
        if self.is_ending() {
            return None;
        }
        let opened = ToDriver::Opened { job, grace: self.settings.isolation_grace };
        // Refused when it has left meanwhile: then it closes the job.
        _ = driver.cast(DriverMsg::Tell(Box::new(opened)));
        jobs.insert(job, Job { driver, template, began: clock::now(), _program: program });
        drop(jobs);
        self.booked(&mut book, jobs::Input::Open { job, wants, single: false });
        Some(job)
    }

    /// A job is over: its driver has left, or died.
    pub(crate) fn closes(&self, job: JobId) {
        let mut book = self.book.lock();
        // It is deaf: nothing is to be told.
        drop(self.residents.lock().leaves(job));
        self.booked(&mut book, jobs::Input::Close { job, at_once: false });
    }

    /// What a worker of a job has written.
    pub(crate) fn lines(&self, job: JobId, lines: LogLines) {
        if let Some(own) = self.jobs.lock().get(&job) {
            // Refused when it has left, or hears too much: they are in the files.
            _ = own.driver.try_send(DriverMsg::Tell(Box::new(ToDriver::Lines(lines))));
        }
    }

    /// A worker of a driver cannot be reached by it.
    pub(crate) fn replaces(&self, worker: &Worker, why: String) {
        let (worker, cause) = (worker_id(worker), Cause::message(why));
        self.book(jobs::Input::Replace { worker, cause });
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Everybody is told that the cluster ends; who comes now is told at once.
    pub(crate) fn ends(&self) {
        self.is_ending.store(true, Ordering::Release);
        for job in self.jobs.lock().values() {
            let why = "the cluster was stopped".to_owned();
            _ = job.driver.cast(DriverMsg::Tell(Box::new(ToDriver::Ended { why })));
        }
        for session in self.sessions.lock().values() {
            _ = session.mirror.cast(MirrorMsg::Tell(Box::new(ToNode::End)));
        }
    }

    /// How many nodes are connected.
    pub(crate) fn connected_nodes(&self) -> usize {
        self.sessions.lock().len()
    }
}

/// By the clock on the wall, so that every head has others. A life that another head has given is refused here.
fn first_life() -> ProcessIncarnation {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let milliseconds = time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000);
    ProcessIncarnation(u64::try_from(milliseconds).unwrap_or_default())
}

#[cfg(test)]
mod tests;
