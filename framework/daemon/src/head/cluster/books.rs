//! What the book of jobs and the directory of residents want done.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use raytree_engine::jobs::{self, Book, News};
use raytree_engine::membership::Member;
use raytree_process::cluster::{ResidentWish, ToDriver, ToNode};
use raytree_supervise::clock;
use raytree_types::inspect::DetachedStatus;
use raytree_types::{Cause, JobId, Resources};

use super::super::driver::DriverMsg;
use super::super::mirror::MirrorMsg;
use super::super::residents::Follows;
use super::{Cluster, Session};
use crate::names::worker_of;

impl Cluster {
    /// What follows for the book of jobs, and all that follows from that.
    pub(crate) fn book(&self, input: jobs::Input) {
        self.booked(&mut self.book.lock(), input);
    }

    pub(super) fn booked(&self, book: &mut Book, input: jobs::Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in book.step(input, clock::now()) {
                self.settle(effect, &mut inputs);
            }
        }
    }

    /// What the book wants done; what follows for it from that goes to the others that it is told.
    fn settle(&self, effect: jobs::Effect, inputs: &mut VecDeque<jobs::Input>) {
        match effect {
            jobs::Effect::Start { worker, grant } => self.starts(&worker, grant),
            jobs::Effect::Stop { worker, at_once } => {
                let node = worker.node.clone();
                self.tell(&node, ToNode::Stop { worker: worker_of(&worker), at_once });
            }
            jobs::Effect::Tell { job, news } => {
                let mut residents = self.residents.lock();
                if residents.has(job) {
                    let follows = residents.news(job, news);
                    self.follow(follows, inputs);
                } else {
                    self.inform(job, told(news));
                }
            }
            jobs::Effect::RefuseJob { job, why } => {
                let mut residents = self.residents.lock();
                if residents.has(job) {
                    let follows = residents.over(job, Some(why));
                    return self.follow(follows, inputs);
                }
                drop(residents);
                self.inform(job, ToDriver::Refused { reason: why.to_string() });
                self.forget(job);
            }
            jobs::Effect::RefuseNode { node, why } => {
                tracing::warn!(%node, "a node is not taken in: {why}");
                self.tell(&node, ToNode::End);
            }
            jobs::Effect::Over { job } => {
                let mut residents = self.residents.lock();
                if residents.has(job) {
                    let follows = residents.over(job, None);
                    return self.follow(follows, inputs);
                }
                drop(residents);
                self.forget(job);
            }
        }
    }

    fn starts(&self, worker: &jobs::WorkerId, grant: Resources) {
        let resident = self.residents.lock().begins(worker.job);
        let (template, residence) = match resident {
            Some((template, residence)) => (template, Some(Box::new(residence))),
            None => {
                let jobs = self.jobs.lock();
                let Some(job) = jobs.get(&worker.job) else { return };
                (job.template.clone(), None)
            }
        };
        let runtime = self.next_runtime.fetch_add(1, Ordering::Relaxed);
        let (node, worker, template) = (worker.node.clone(), worker_of(worker), Box::new(template));
        self.tell(&node, ToNode::Start { worker, grant, runtime, template, residence });
    }

    /// What follows from what a resident did or suffered. Told with the lock, so that everybody hears it in order.
    fn follow(&self, follows: Follows, inputs: &mut VecDeque<jobs::Input>) {
        inputs.extend(follows.book);
        for (driver, ticket, news) in follows.told {
            self.inform(driver, ToDriver::Resident { ticket, news: Box::new(news) });
        }
    }

    /// A driver wants something of detached actors.
    pub(crate) fn wishes(&self, driver: JobId, wish: ResidentWish) {
        let mut book = self.book.lock();
        let template = self.jobs.lock().get(&driver).map(|job| job.template.clone());
        let Some(template) = template else { return };
        // It is held for the job of the driver: nothing is read here.
        let program = self.programs.look(&template);
        let job = book.next_job();
        let mut inputs = VecDeque::new();
        let mut residents = self.residents.lock();
        let follows = residents.wishes(driver, wish, job, (template, program));
        self.follow(follows, &mut inputs);
        drop(residents);
        inputs.into_iter().for_each(|input| self.booked(&mut book, input));
    }

    /// The detached actors, for whoever asks, and how many there are.
    pub(crate) fn detached(&self) -> (Vec<DetachedStatus>, usize) {
        let book = self.book.lock();
        self.residents.lock().rows(&book)
    }

    /// The process of a worker has ended, as its node says.
    pub(crate) fn worker_gone(&self, worker: jobs::WorkerId, cause: Cause, code: Option<i32>) {
        let mut book = self.book.lock();
        let mut inputs = self.hears_of_end(&worker, code);
        inputs.push_back(jobs::Input::WorkerGone { worker, cause });
        inputs.into_iter().for_each(|input| self.booked(&mut book, input));
    }

    /// What follows for the book from how a process has ended, before it hears that it has.
    pub(super) fn hears_of_end(
        &self,
        worker: &jobs::WorkerId,
        code: Option<i32>,
    ) -> VecDeque<jobs::Input> {
        let mut inputs = VecDeque::new();
        let mut residents = self.residents.lock();
        let follows = residents.ended(worker, code);
        self.follow(follows, &mut inputs);
        inputs
    }

    fn inform(&self, job: JobId, what: ToDriver) {
        if let Some(job) = self.jobs.lock().get(&job) {
            // Refused when it has left meanwhile.
            _ = job.driver.cast(DriverMsg::Tell(Box::new(what)));
        }
    }

    fn forget(&self, job: JobId) {
        let over = self.jobs.lock().remove(&job);
        // After the lock: it lets go of its program.
        drop(over);
    }

    pub(super) fn tell(&self, node: &Member, what: ToNode) {
        let mirror = {
            let sessions = self.sessions.lock();
            let of = |own: &&Session| own.member.as_ref() == Some(node);
            sessions.values().find(of).map(|own| own.mirror.clone())
        };
        // One without a session says what it has when it comes back.
        if let Some(mirror) = mirror {
            _ = mirror.cast(MirrorMsg::Tell(Box::new(what)));
        }
    }
}

fn told(news: News) -> ToDriver {
    match news {
        News::Granted { worker, grant } => ToDriver::Granted { worker: worker_of(&worker), grant },
        News::Up { worker, address, grant } => {
            ToDriver::Up { worker: worker_of(&worker), address, grant }
        }
        News::Down { worker, cause, again } => {
            ToDriver::Down { worker: worker_of(&worker), cause, again }
        }
        News::Waits { node, held_by } => ToDriver::Waits { node: node.name.to_string(), held_by },
        News::Broken { node, cause } => ToDriver::Broken { node: node.name.to_string(), cause },
    }
}
