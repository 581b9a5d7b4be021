//! What a supervisor decides: which children start when, who is restarted with whom, and when to give up.
//!
//! [`Supervision`] is told what happens ([`Input`]) and when, and answers what to do ([`Effect`]). It owns no actor.
//!
//! Invariants, each with a test that cites it:
//! - **SD-1 (one-life):** a child is never started while an earlier life of it has not ended.
//! - **SD-2 (reverse-stop):** unless children are independent, at most one is being stopped, the youngest first.
//! - **SD-3 (start-order):** a group is started one by one, each after the one before is up.
//! - **SD-4 (intensity):** more than `max` counted restarts within the window stop everything and report the child.
//! - **SD-5 (no-lost-end):** every child that was adopted is reported ended exactly once, or is abandoned once.

mod child;
mod group;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use raytree_types::{Backoff, Restart, RestartLimit, Shutdown, Strategy, limits};

use child::{After, Child, Phase};
use group::Recovery;

/// A child, numbered by its supervisor in start order.
pub type ChildKey = u64;

/// A life of a child: 0 is the first, each restart adds one.
pub type Life = u32;

/// How one child is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChildPolicy {
    /// Which ends lead to a restart.
    pub restart: Restart,
    /// How it is ended.
    pub shutdown: Shutdown,
    /// Waits between its restarts.
    pub backoff: Backoff,
    /// Against what its restarts count.
    pub budget: Budget,
}

/// Against what the restarts of a child count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Budget {
    /// Against the supervisor's intensity: a crash loop takes the supervisor down.
    #[default]
    Shared,
    /// Against the child's own total: when it is used up the child ends, and nobody else notices.
    Own(u32),
}

/// How a supervisor treats its children together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupPolicy {
    /// Who is restarted with a failed child.
    pub strategy: Strategy,
    /// When to give up.
    pub limit: RestartLimit,
    /// Children know nothing of each other: a shutdown ends them all at once instead of one by one.
    pub independent: bool,
}

/// What a supervisor is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A new child; started at once, or in its turn when a group start is under way.
    Adopt(ChildKey, ChildPolicy),
    /// A life of a child is up: its constructor has returned.
    Started(ChildKey, Life),
    /// A life of a child has ended, and everything below it too.
    Exited {
        /// Which child.
        key: ChildKey,
        /// Which life.
        life: Life,
        /// It ended in order.
        normal: bool,
    },
    /// End one child for good; with `true` at once.
    End(ChildKey, bool),
    /// End all children in order.
    Shutdown,
    /// A timer armed with [`Effect::Arm`] fired.
    Timer(Timer),
}

/// What a timer was armed for. A timer that has lost its meaning is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Backoff before a single child's next life.
    Restart(ChildKey, Life),
    /// Backoff before a group start; the number tells recoveries apart.
    Group(u64),
    /// A child had this long to stop.
    Deadline(ChildKey, Life),
    /// A killed child had this long to end.
    Grace(ChildKey, Life),
}

/// What a supervisor is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start a life of a child.
    Start(ChildKey, Life),
    /// Ask a child to end.
    Stop(ChildKey, Shutdown),
    /// End a child at its next await point.
    Kill(ChildKey),
    /// Tell me [`Input::Timer`] after this long.
    Arm(Timer, Duration),
    /// The child ended and will live again after `after`; this is restart `restarts` of it.
    Restarting {
        /// Which child.
        key: ChildKey,
        /// Restarts over its whole existence, this one included.
        restarts: u32,
        /// The wait before it.
        after: Duration,
    },
    /// The child has ended for good.
    Ended(ChildKey, EndReason),
    /// Everything has been stopped. `failed` names the child whose crash loop was the reason.
    Done {
        /// The child that exceeded the intensity, if that is why.
        failed: Option<ChildKey>,
    },
}

/// Why a child will not live again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Its restart policy does not ask for another life.
    Finished,
    /// It used up its own restarts.
    Exhausted,
    /// Its crash loop exceeded the supervisor's intensity.
    GaveUp,
    /// It was told to end.
    Stopped,
    /// It was killed and did not end in time; its body may still run.
    Abandoned,
}

/// The state of one supervisor.
#[derive(Debug)]
pub struct Supervision {
    policy: GroupPolicy,
    children: BTreeMap<ChildKey, Child>,
    /// Times of the restarts that count against the intensity, oldest first.
    window: VecDeque<Duration>,
    mode: Mode,
    recoveries: u64,
    /// In the shutdown of independent children: all have been asked.
    everyone_told: bool,
}

#[derive(Debug)]
enum Mode {
    Steady,
    Recovering(Recovery),
    Closing { failed: Option<ChildKey>, done: bool },
}

impl Supervision {
    /// A supervisor without children.
    #[must_use]
    pub fn new(policy: GroupPolicy) -> Self {
        Self {
            policy,
            children: BTreeMap::new(),
            window: VecDeque::new(),
            mode: Mode::Steady,
            recoveries: 0,
            everyone_told: false,
        }
    }

    /// The state after `input` at `now` (any clock that never goes back), and what is to be done.
    pub fn step(&mut self, input: Input, now: Duration) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Adopt(key, policy) => self.adopt(key, policy, &mut effects),
            Input::Started(key, life) => self.started(key, life, now),
            Input::Exited { key, life, normal } => {
                self.exited(key, life, normal, now, &mut effects);
            }
            Input::End(key, kill) => self.end(key, kill, &mut effects),
            Input::Shutdown => self.close(None),
            Input::Timer(timer) => self.fired(timer, &mut effects),
        }
        self.advance(&mut effects);
        effects
    }

    /// True once a shutdown has begun.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        matches!(self.mode, Mode::Closing { .. })
    }

    /// Children not ended yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// True without children.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    fn adopt(&mut self, key: ChildKey, policy: ChildPolicy, effects: &mut Vec<Effect>) {
        debug_assert!(!self.children.contains_key(&key), "child {key} adopted twice");
        if self.is_closing() {
            effects.push(Effect::Ended(key, EndReason::Stopped));
            return;
        }
        self.children.insert(key, Child::new(policy));
        match &mut self.mode {
            // Children in steady state start at once; group starts keep their order (SD-3).
            Mode::Steady if self.policy.strategy == Strategy::OneForOne => {
                self.start(key, effects);
            }
            Mode::Steady => {
                self.mode = Mode::Recovering(Recovery::start_only(key));
            }
            Mode::Recovering(recovery) => recovery.to_start.push_back(key),
            Mode::Closing { .. } => {}
        }
    }

    fn started(&mut self, key: ChildKey, life: Life, now: Duration) {
        let Some(child) = self.children.get_mut(&key) else { return };
        if child.phase == Phase::Starting && child.life == life {
            child.phase = Phase::Running;
            child.up_since = now;
        }
    }

    fn exited(
        &mut self,
        key: ChildKey,
        life: Life,
        normal: bool,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(child) = self.children.get_mut(&key) else { return };
        if child.life != life || !child.is_live() {
            return;
        }
        if let Phase::Stopping { after, .. } = child.phase {
            match after {
                After::Remove => self.remove(key, EndReason::Stopped, effects),
                After::Restart => child.phase = Phase::Down,
            }
            return;
        }
        let ran_well =
            child.phase == Phase::Running && now - child.up_since >= self.policy.limit.within;
        child.phase = Phase::Down;
        let again = match child.policy.restart {
            Restart::Permanent => true,
            Restart::Transient => !normal,
            Restart::Temporary => false,
        };
        if self.is_closing() {
            self.remove(key, EndReason::Stopped, effects);
        } else if !again {
            self.remove(key, EndReason::Finished, effects);
        } else {
            self.restart(key, ran_well, now, effects);
        }
    }

    fn restart(&mut self, key: ChildKey, ran_well: bool, now: Duration, effects: &mut Vec<Effect>) {
        let Some(child) = self.children.get_mut(&key) else { return };
        match child.policy.budget {
            Budget::Own(total) if child.restarts >= total => {
                self.remove(key, EndReason::Exhausted, effects);
                return;
            }
            Budget::Own(_) => {}
            Budget::Shared => {
                let oldest = now.saturating_sub(self.policy.limit.within);
                while self.window.front().is_some_and(|at| *at < oldest) {
                    self.window.pop_front();
                }
                self.window.push_back(now);
                if self.window.len() > self.policy.limit.max as usize {
                    self.remove(key, EndReason::GaveUp, effects);
                    self.close(Some(key));
                    return;
                }
            }
        }
        let after = child.next_try(ran_well);
        effects.push(Effect::Restarting { key, restarts: child.restarts, after });
        if self.policy.strategy == Strategy::OneForOne {
            if let Mode::Recovering(recovery) = &mut self.mode {
                recovery.forget(key);
            }
            self.children.entry(key).and_modify(|child| child.phase = Phase::Waiting);
            self.wait_or_start(key, after, effects);
        } else {
            self.recover(key, after);
        }
    }

    fn wait_or_start(&mut self, key: ChildKey, after: Duration, effects: &mut Vec<Effect>) {
        let Some(child) = self.children.get(&key) else { return };
        if after.is_zero() {
            self.start(key, effects);
        } else {
            effects.push(Effect::Arm(Timer::Restart(key, child.life), after));
        }
    }

    fn start(&mut self, key: ChildKey, effects: &mut Vec<Effect>) {
        let Some(child) = self.children.get_mut(&key) else { return };
        debug_assert!(!child.is_live(), "SD-1: child {key} started while it lives");
        child.begin();
        effects.push(Effect::Start(key, child.life));
    }

    fn end(&mut self, key: ChildKey, kill: bool, effects: &mut Vec<Effect>) {
        let Some(child) = self.children.get_mut(&key) else { return };
        match child.phase {
            Phase::Starting | Phase::Running => self.stop(key, After::Remove, kill, effects),
            Phase::Stopping { killed, .. } => {
                self.for_good(key, effects);
                if kill && !killed {
                    self.kill(key, effects);
                }
            }
            Phase::Idle | Phase::Waiting | Phase::Down => {
                self.remove(key, EndReason::Stopped, effects);
            }
        }
    }

    fn stop(&mut self, key: ChildKey, after: After, kill: bool, effects: &mut Vec<Effect>) {
        let Some(child) = self.children.get_mut(&key) else { return };
        child.phase = Phase::Stopping { after, killed: false };
        match child.policy.shutdown {
            Shutdown::Stop(deadline) | Shutdown::Drain(deadline) if !kill => {
                effects.push(Effect::Stop(key, child.policy.shutdown));
                effects.push(Effect::Arm(Timer::Deadline(key, child.life), deadline));
            }
            Shutdown::Wait if !kill => effects.push(Effect::Stop(key, Shutdown::Wait)),
            Shutdown::Stop(_) | Shutdown::Drain(_) | Shutdown::Wait | Shutdown::Kill => {
                self.kill(key, effects);
            }
        }
    }

    fn kill(&mut self, key: ChildKey, effects: &mut Vec<Effect>) {
        let Some(child) = self.children.get_mut(&key) else { return };
        if let Phase::Stopping { after, .. } = child.phase {
            child.phase = Phase::Stopping { after, killed: true };
            effects.push(Effect::Kill(key));
            effects.push(Effect::Arm(Timer::Grace(key, child.life), limits::KILL_GRACE));
        }
    }

    fn fired(&mut self, timer: Timer, effects: &mut Vec<Effect>) {
        match timer {
            Timer::Restart(key, life) => {
                let due = self
                    .children
                    .get(&key)
                    .is_some_and(|child| child.phase == Phase::Waiting && child.life == life);
                if due && !self.is_closing() {
                    self.start(key, effects);
                }
            }
            Timer::Group(number) => {
                if let Mode::Recovering(recovery) = &mut self.mode {
                    recovery.waited(number);
                }
            }
            Timer::Deadline(key, life) => {
                let late = self.children.get(&key).is_some_and(|child| {
                    child.life == life
                        && matches!(child.phase, Phase::Stopping { killed: false, .. })
                });
                if late {
                    self.kill(key, effects);
                }
            }
            Timer::Grace(key, life) => self.grace_over(key, life, effects),
        }
    }

    /// A killed child has not ended. One that is to be removed is left behind; one that is to live again is waited
    /// for (SD-1): two lives of one actor are worse than none.
    fn grace_over(&mut self, key: ChildKey, life: Life, effects: &mut Vec<Effect>) {
        let Some(child) = self.children.get(&key) else { return };
        let stuck = child.life == life && matches!(child.phase, Phase::Stopping { .. });
        let waited_for = matches!(child.phase, Phase::Stopping { after: After::Restart, .. });
        if stuck && (!waited_for || self.is_closing()) {
            self.remove(key, EndReason::Abandoned, effects);
        }
    }

    fn remove(&mut self, key: ChildKey, reason: EndReason, effects: &mut Vec<Effect>) {
        if self.children.remove(&key).is_some() {
            effects.push(Effect::Ended(key, reason));
        }
        if let Mode::Recovering(recovery) = &mut self.mode {
            recovery.forget(key);
        }
    }
}
