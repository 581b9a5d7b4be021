//! Workers: they run bodies, die, stand still and are declared dead.

use super::super::super::Event;
use super::{Call, Happens, Outcome, Pid, TaskId, World};
use crate::sim::{MILLI, Time};

impl World {
    pub(super) fn ordered(&mut self, pid: Pid, call: Call) {
        if let Some(delay) = self.frozen(pid) {
            return self.after(delay, Happens::Order(pid, call));
        }
        // One that is not wanted any more is not begun, and a repeated order is none; one that is declared dead takes none.
        let wanted = self.asked.contains_key(&call);
        let worker = &mut self.workers[pid];
        if worker.alive && !worker.fenced && worker.seen.insert(call) && wanted {
            worker.bodies.insert(call);
            let long = self.rng.between(100, 300 * MILLI);
            self.after(long, Happens::BodyEnds(pid, call));
        }
    }

    pub(super) fn frozen(&self, pid: Pid) -> Option<Time> {
        let until = self.workers[pid].frozen_until;
        (until > self.now).then(|| until - self.now)
    }

    pub(super) fn body_ends(&mut self, pid: Pid, call: Call) {
        if let Some(delay) = self.frozen(pid) {
            return self.after(delay, Happens::BodyEnds(pid, call));
        }
        if !self.workers[pid].bodies.remove(&call) {
            return;
        }
        let outcome = match self.rng.between(0, 9) {
            0..6 => Outcome::Value,
            6..9 => Outcome::Error { worth_a_retry: true },
            _ => Outcome::Error { worth_a_retry: false },
        };
        self.calls[call as usize].1 = Some(outcome);
        let times = 1 + u64::from(self.rng.percent(20));
        for _ in 0..times {
            let delay = self.delay();
            self.after(delay, Happens::Answer(call, outcome));
        }
        // The worker may die before anything of it is on its way.
        if self.rng.percent(3) {
            self.kill(pid);
        }
    }

    pub(super) fn crash(&mut self) {
        let living: Vec<Pid> =
            (0..self.workers.len()).filter(|pid| self.workers[*pid].alive).collect();
        if !living.is_empty() {
            let pid = living[self.rng.index(living.len())];
            self.kill(pid);
        }
    }

    pub(super) fn kill(&mut self, pid: Pid) {
        let worker = &mut self.workers[pid];
        if std::mem::take(&mut worker.alive) {
            worker.bodies.clear();
            self.figures.count("crashes");
            let delay = self.rng.between(MILLI, 500 * MILLI);
            self.after(delay, Happens::Verdict(pid));
        }
    }

    /// Everything that was asked of it is lost. Its answers may still be on their way.
    pub(super) fn verdict(&mut self, pid: Pid) {
        if std::mem::replace(&mut self.workers[pid].fenced, true) {
            return;
        }
        let lost: Vec<(Call, TaskId)> = self
            .asked
            .iter()
            .filter(|(_, (_, at))| *at == pid)
            .map(|(call, (id, _))| (*call, *id))
            .collect();
        for (call, id) in lost {
            self.asked.remove(&call);
            self.workers[pid].taken -= 1;
            self.run_over(id, call, Event::WorkerLost);
        }
        let delay = self.rng.between(MILLI, 300 * MILLI);
        self.after(delay, Happens::Start);
    }
}
