//! Group work: ordered starts, the recoveries of one-for-all and rest-for-one, ordered shutdown.

use std::collections::VecDeque;
use std::time::Duration;

use raytree_types::{Strategy, limits};

use super::child::{After, Phase};
use super::{ChildKey, Effect, Mode, Supervision, Timer};

/// A group that is first stopped, youngest first, then started, oldest first.
#[derive(Debug)]
pub(super) struct Recovery {
    number: u64,
    /// Still to be stopped, oldest first: taken from the back.
    to_stop: Vec<ChildKey>,
    /// The wait between the last stop and the first start; `None` once it is over.
    wait: Option<Duration>,
    armed: bool,
    pub(super) to_start: VecDeque<ChildKey>,
    /// Started and not up yet.
    starting: Option<ChildKey>,
}

impl Recovery {
    pub(super) fn start_only(key: ChildKey) -> Self {
        Self {
            number: 0,
            to_stop: Vec::new(),
            wait: None,
            armed: false,
            to_start: VecDeque::from([key]),
            starting: None,
        }
    }

    /// The child ended for good, or recovers alone.
    pub(super) fn forget(&mut self, key: ChildKey) {
        self.to_stop.retain(|other| *other != key);
        self.to_start.retain(|other| *other != key);
        if self.starting == Some(key) {
            self.starting = None;
        }
    }

    pub(super) fn waited(&mut self, number: u64) {
        if self.number == number && self.armed {
            self.wait = None;
        }
    }
}

impl Supervision {
    /// Begins, or widens, the recovery of the group that `failed` belongs to.
    pub(super) fn recover(&mut self, failed: ChildKey, after: Duration) {
        let from = match self.policy.strategy {
            Strategy::OneForAll => 0,
            Strategy::RestForOne | Strategy::OneForOne => failed,
        };
        let earlier = match &self.mode {
            Mode::Recovering(old) => {
                old.to_start.iter().chain(&old.starting).chain(&old.to_stop).copied().min()
            }
            Mode::Steady | Mode::Closing { .. } => None,
        };
        let from = earlier.map_or(from, |first| first.min(from));
        let group: Vec<ChildKey> = self.children.range(from..).map(|(key, _)| *key).collect();
        self.recoveries += 1;
        self.mode = Mode::Recovering(Recovery {
            number: self.recoveries,
            to_stop: group.iter().copied().filter(|key| self.children[key].is_live()).collect(),
            wait: (!after.is_zero()).then_some(after),
            armed: false,
            to_start: group.into(),
            starting: None,
        });
    }

    /// Begins the end of all children.
    pub(super) fn close(&mut self, failed: Option<ChildKey>) {
        if !self.is_closing() {
            self.mode = Mode::Closing { failed, done: false };
        }
    }

    /// Carries group work as far as it goes without new input.
    pub(super) fn advance(&mut self, effects: &mut Vec<Effect>) {
        match self.mode {
            Mode::Steady => {}
            Mode::Recovering(_) => while self.recover_one_step(effects) {},
            Mode::Closing { done: true, .. } => {}
            Mode::Closing { failed, .. } => {
                if self.close_one_step(effects) {
                    self.mode = Mode::Closing { failed, done: true };
                    effects.push(Effect::Done { failed });
                }
            }
        }
    }

    /// True when another step may follow at once.
    fn recover_one_step(&mut self, effects: &mut Vec<Effect>) -> bool {
        let Mode::Recovering(recovery) = &mut self.mode else { return false };
        if let Some(&key) = recovery.to_stop.last() {
            return match self.children.get(&key).map(|child| child.phase) {
                Some(Phase::Stopping { after: After::Restart, .. }) => false,
                // It is being removed for good: wait for that end, then it is forgotten.
                Some(Phase::Stopping { after: After::Remove, .. }) => false,
                Some(Phase::Starting | Phase::Running) => {
                    self.stop(key, After::Restart, false, effects);
                    false
                }
                Some(Phase::Idle | Phase::Down | Phase::Waiting) | None => {
                    recovery.to_stop.pop();
                    true
                }
            };
        }
        if let Some(wait) = recovery.wait {
            if !recovery.armed {
                recovery.armed = true;
                effects.push(Effect::Arm(Timer::Group(recovery.number), wait));
            }
            return false;
        }
        if let Some(key) = recovery.starting {
            let up = self.children.get(&key).is_none_or(|child| child.phase == Phase::Running);
            if up {
                recovery.starting = None;
            }
            return up;
        }
        match recovery.to_start.pop_front() {
            Some(key) => {
                if self.children.get(&key).is_some_and(|child| !child.is_live()) {
                    recovery.starting = Some(key);
                    self.start(key, effects);
                }
                true
            }
            None => {
                self.mode = Mode::Steady;
                false
            }
        }
    }

    /// True when nothing is left.
    fn close_one_step(&mut self, effects: &mut Vec<Effect>) -> bool {
        if self.policy.independent {
            self.stop_everyone(effects);
            return self.children.is_empty();
        }
        while let Some((&key, child)) = self.children.last_key_value() {
            match child.phase {
                Phase::Starting | Phase::Running => {
                    self.stop(key, After::Remove, false, effects);
                    return false;
                }
                Phase::Stopping { .. } => {
                    self.for_good(key, effects);
                    return false;
                }
                Phase::Idle | Phase::Down | Phase::Waiting => {
                    self.remove(key, super::EndReason::Stopped, effects);
                }
            }
        }
        true
    }

    /// Asks all children to end, once: each end after that only shortens the list.
    fn stop_everyone(&mut self, effects: &mut Vec<Effect>) {
        if std::mem::replace(&mut self.everyone_told, true) {
            return;
        }
        let keys: Vec<ChildKey> = self.children.keys().rev().copied().collect();
        for key in keys {
            match self.children[&key].phase {
                Phase::Starting | Phase::Running => self.stop(key, After::Remove, false, effects),
                Phase::Stopping { .. } => self.for_good(key, effects),
                Phase::Idle | Phase::Down | Phase::Waiting => {
                    self.remove(key, super::EndReason::Stopped, effects);
                }
            }
        }
    }

    /// A child that was being stopped to live again is now being stopped to end. If it was killed already its grace may
    /// be over unnoticed, so that begins again.
    pub(super) fn for_good(&mut self, key: ChildKey, effects: &mut Vec<Effect>) {
        let Some(child) = self.children.get_mut(&key) else { return };
        if let Phase::Stopping { after: After::Restart, killed } = child.phase {
            child.phase = Phase::Stopping { after: After::Remove, killed };
            if killed {
                effects.push(Effect::Arm(Timer::Grace(key, child.life), limits::KILL_GRACE));
            }
        }
    }
}
