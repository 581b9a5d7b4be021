//! What the book makes of news about single workers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::slice;
use std::time::Duration;

use raytree_types::{Cause, JobId};

use super::node::{Seat, State};
use super::{Book, Effect, News, TOLD_TO_END, WorkerId};
use crate::membership::Member;

/// Why a worker counts as ended that its node does not report.
const UNHEARD_END: &str = "it ended while there was no link to its node";
/// The same of one that was perhaps never started.
const NEVER_UP: &str = "the link to its node was lost before it was up";
/// Why one did not begin to run.
const DECLINED: &str = "its node did not start it";

/// How it is known that a life has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Its node has said why.
    Said,
    /// Its node does not have it any more.
    Unheard,
    /// Its node does not have it, and perhaps never heard of it.
    NeverUp,
    /// Its node has not started it and will not now.
    Declined,
}

impl Book {
    /// Sets the book right by what a node has reported.
    pub(super) fn compare(
        &mut self,
        node: &Member,
        workers: Vec<(WorkerId, Option<SocketAddr>)>,
        effects: &mut Vec<Effect>,
    ) {
        let own = workers.into_iter().filter(|(worker, _)| worker.node == *node);
        let mut reported: BTreeMap<(JobId, u32), Option<SocketAddr>> = BTreeMap::new();
        for (worker, address) in own {
            let known = reported.entry((worker.job, worker.life)).or_default();
            *known = known.or(address);
        }
        let Some(known) = self.node(node) else { return };
        let posts = known.posts().filter(|(_, post)| post.may_run());
        let expected: Vec<(JobId, u32)> = posts.map(|(job, post)| (job, post.life)).collect();
        // What was heard of earlier and is not reported any more has ended.
        known.strangers.clear();
        for (job, life) in expected {
            let worker = WorkerId { job, node: node.clone(), life };
            match reported.remove(&(job, life)) {
                Some(address) => self.still_there(&worker, address, effects),
                None => self.not_there(&worker, effects),
            }
        }
        for (job, life) in reported.into_keys() {
            if let Some(known) = self.node(node) {
                known.strangers.insert((job, life));
            }
            // JB-10.
            let worker = WorkerId { job, node: node.clone(), life };
            effects.push(Effect::Stop { worker, at_once: true });
        }
    }

    fn still_there(
        &mut self,
        worker: &WorkerId,
        address: Option<SocketAddr>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(address) = address {
            self.worker_up(worker, address, effects);
        }
        let Some(post) = self.node(&worker.node).and_then(|node| node.post(worker.job)) else {
            return;
        };
        // What it was told over the last session was perhaps lost.
        if let State::Ending { kill_at, .. } = &post.state {
            let at_once = kill_at.is_none();
            effects.push(Effect::Stop { worker: worker.clone(), at_once });
        }
    }

    fn not_there(&mut self, worker: &WorkerId, effects: &mut Vec<Effect>) {
        let Some(post) = self.node(&worker.node).and_then(|node| node.post(worker.job)) else {
            return;
        };
        let (how, what) = match post.state {
            State::Starting => (How::NeverUp, NEVER_UP),
            _ => (How::Unheard, UNHEARD_END),
        };
        self.ended(worker, how, Cause::message(what), effects);
    }

    pub(super) fn worker_up(
        &mut self,
        worker: &WorkerId,
        address: SocketAddr,
        effects: &mut Vec<Effect>,
    ) {
        let now = self.now;
        let Some(post) = self.node(&worker.node).and_then(|node| node.post(worker.job)) else {
            return;
        };
        if post.life != worker.life || !matches!(post.state, State::Starting) {
            return;
        }
        post.up(address, now);
        let (worker, grant) = (worker.clone(), post.grant.clone());
        self.tell(worker.job, News::Up { worker, address, grant }, effects);
    }

    pub(super) fn worker_gone(
        &mut self,
        worker: &WorkerId,
        cause: Cause,
        effects: &mut Vec<Effect>,
    ) {
        self.gone(worker, How::Said, cause, effects);
    }

    pub(super) fn declined(&mut self, worker: &WorkerId, effects: &mut Vec<Effect>) {
        self.gone(worker, How::Declined, Cause::message(DECLINED), effects);
    }

    fn gone(&mut self, worker: &WorkerId, how: How, cause: Cause, effects: &mut Vec<Effect>) {
        let Some(node) = self.node(&worker.node) else { return };
        let stranger = node.strangers.remove(&(worker.job, worker.life));
        let post = node.post(worker.job);
        let known = post.is_some_and(|post| post.life == worker.life && post.may_run());
        if known {
            self.ended(worker, how, cause, effects);
        }
        if known || stranger {
            self.settle(slice::from_ref(&worker.node.name), effects);
        }
    }

    pub(super) fn replace(&mut self, worker: WorkerId, cause: Cause, effects: &mut Vec<Effect>) {
        let Some(post) = self.node(&worker.node).and_then(|node| node.post(worker.job)) else {
            return;
        };
        let runs = matches!(post.state, State::Starting | State::Up { .. });
        if runs && post.life == worker.life {
            post.state = State::Ending { cause: Some(cause), kill_at: None };
            effects.push(Effect::Stop { worker, at_once: true });
        }
    }

    /// The process of this life of a worker has ended. Only here, and where its node is down, does its job hear so (JB-3) and
    /// what it held become free (JB-2).
    fn ended(&mut self, worker: &WorkerId, how: How, cause: Cause, effects: &mut Vec<Effect>) {
        let (open, policy, now) = (self.is_open(worker.job), self.policy, self.now);
        let single = self.is_single(worker.job);
        let Some(node) = self.node(&worker.node) else { return };
        if !open {
            node.vacate(worker.job, None);
            self.over_if_done(worker.job, effects);
            return;
        }
        let Some(post) = node.post(worker.job) else { return };
        let cause = match &mut post.state {
            State::Ending { cause: Some(reason), .. } => root(how, cause, reason),
            _ => cause,
        };
        let again = match how {
            How::Declined if !post.was_up() => post.rest_declined(&policy, now),
            How::NeverUp => post.rest_uncounted(now),
            _ if single => {
                post.rest_however_often(&policy, now);
                true
            }
            How::Said | How::Unheard | How::Declined => post.rest(&policy, now),
        };
        let again = again || single;
        let due = post.due();
        if !again {
            node.vacate(worker.job, Some(Seat::Broken));
        }
        self.quiet_until = self.quiet_until.min(due.unwrap_or(Duration::MAX));
        self.rests(worker.job);
        let down = News::Down { worker: worker.clone(), cause: cause.clone(), again };
        self.tell(worker.job, down, effects);
        if !again {
            self.tell(worker.job, News::Broken { node: worker.node.clone(), cause }, effects);
        }
    }
}

/// Why a worker ended that was to be replaced for `reason`. One that died first has a cause of its own, of which the reason
/// is only what others saw.
fn root(how: How, said: Cause, reason: &Cause) -> Cause {
    if how != How::Said || said.message == TOLD_TO_END {
        return reason.clone();
    }
    let mut cause = said;
    cause.chain.push(reason.to_string());
    cause
}
