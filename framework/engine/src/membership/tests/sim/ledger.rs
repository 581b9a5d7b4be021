//! What has happened, and whether it was allowed to. It knows the truth: real time, who is alive, what arrived when.

use std::collections::BTreeMap;

use raytree_types::{ProcessIncarnation, limits};

use super::super::super::{DeathCause, ExitReason, Input, JoinAnswer, Phase, Place, Settings};
use super::world::{Pid, Slot, World};
use super::{SECOND, Time};
use crate::delivery::CallError;

/// How often things happened, so that nobody believes in a test in which they did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) faults: u64,
    pub(super) leases: u64,
    pub(super) isolations: u64,
    continued: u64,
    silent: u64,
    stuck: u64,
    link_lost: u64,
    replaced: u64,
    downs: u64,
    told_to_exit: u64,
    names_taken: u64,
    told_later: u64,
    isolated_too_long: u64,
    calls: u64,
    replies: u64,
    lost: u64,
    runs_again: u64,
}

impl Figures {
    fn all(&mut self) -> [&mut u64; 17] {
        [
            &mut self.faults,
            &mut self.leases,
            &mut self.isolations,
            &mut self.continued,
            &mut self.silent,
            &mut self.stuck,
            &mut self.link_lost,
            &mut self.replaced,
            &mut self.downs,
            &mut self.told_to_exit,
            &mut self.names_taken,
            &mut self.told_later,
            &mut self.isolated_too_long,
            &mut self.calls,
            &mut self.replies,
            &mut self.lost,
            &mut self.runs_again,
        ]
    }

    pub(super) fn add(&mut self, other: &Self) {
        let mut other = *other;
        for (mine, theirs) in self.all().into_iter().zip(other.all()) {
            *mine += *theirs;
        }
    }

    /// Every kind of thing that may happen did.
    pub(super) fn everything_happened(mut self) {
        let told = format!("{self:?}");
        assert!(self.all().into_iter().all(|count| *count > 0), "{told}");
    }
}

/// One incarnation of one name.
#[derive(Debug)]
struct Life {
    convicted: Option<DeathCause>,
    down: bool,
    /// The newest beat that reached the head, also while the head was frozen.
    newest_beat: u64,
    /// The head's attention then.
    heard: Time,
    /// The head's attention when anything reached it that may be a sign of life.
    perhaps_heard: Time,
    /// How much of the silence since then the operating system excused.
    excused: Time,
}

#[derive(Debug)]
struct CallStory {
    caller: Pid,
    slot: Slot,
    retries: u32,
    runs: Vec<ProcessIncarnation>,
    resolved: bool,
}

#[derive(Debug)]
pub(super) struct Ledger {
    settings: Settings,
    pub(super) figures: Figures,
    lives: BTreeMap<(Slot, ProcessIncarnation), Life>,
    newest: Vec<ProcessIncarnation>,
    places: Vec<Place>,
    calls: Vec<CallStory>,
    last_run: BTreeMap<(Pid, Slot, ProcessIncarnation), u64>,
    /// How long the head was frozen and must have noticed, and since when it is frozen now.
    frozen: Time,
    frozen_since: Option<Time>,
    /// The newest connection over which the head was asked, and the newest of whose loss it has heard, by process.
    asked: BTreeMap<Pid, u64>,
    lost: BTreeMap<Pid, u64>,
    /// When the head was last started again.
    restarted: Option<Time>,
}

fn slot_of(name: &str) -> Slot {
    name.trim_start_matches("node-").parse().expect("a slot")
}

impl Ledger {
    pub(super) fn new(settings: Settings, places: Vec<Place>) -> Self {
        Self {
            settings,
            figures: Figures::default(),
            lives: BTreeMap::new(),
            newest: vec![ProcessIncarnation::NONE; places.len()],
            places,
            calls: Vec::new(),
            last_run: BTreeMap::new(),
            frozen: 0,
            frozen_since: None,
            asked: BTreeMap::new(),
            lost: BTreeMap::new(),
            restarted: None,
        }
    }

    pub(super) fn head_freezes(&mut self, now: Time) {
        self.frozen_since = Some(now);
    }

    /// A judge does not notice when it was late by less than two beats, and the first beat of a gap is not late.
    pub(super) fn head_thaws(&mut self, now: Time) {
        let late = self.frozen_since.take().map_or(0, |since| now - since);
        let beat = self.settings.beat_every.as_micros() as Time * 102 / 100;
        self.frozen += if late > 2 * beat { late - beat } else { 0 };
    }

    pub(super) fn head_starts(&mut self, now: Time) {
        self.frozen_since = None;
        self.asked.clear();
        self.restarted = Some(now);
    }

    pub(super) fn asked_over(&mut self, pid: Pid, session: u64) {
        let asked = self.asked.entry(pid).or_default();
        *asked = session.max(*asked);
    }

    pub(super) fn lost_over(&mut self, pid: Pid, session: u64) {
        let lost = self.lost.entry(pid).or_default();
        *lost = session.max(*lost);
    }

    /// Nobody has asked over a connection of whose loss the head has not heard.
    pub(super) fn check_unlinked(&self, pid: Pid) {
        let (asked, lost) = (self.asked.get(&pid), self.lost.get(&pid));
        assert!(asked <= lost, "MB-5: pid {pid} has asked over {asked:?}, and {lost:?} is lost");
    }

    /// Real time without that during which the head was frozen.
    fn attention(&self, now: Time) -> Time {
        self.frozen_since.map_or(now, |since| since.min(now)) - self.frozen
    }

    fn life(&mut self, slot: Slot, incarnation: ProcessIncarnation) -> &mut Life {
        self.lives.get_mut(&(slot, incarnation)).expect("a life that began")
    }

    /// The journal has a new life.
    pub(super) fn begins(&mut self, slot: Slot, incarnation: ProcessIncarnation, now: Time) {
        assert!(incarnation > self.newest[slot], "MB-6: {incarnation} of {slot} again");
        let before = self.lives.get(&(slot, self.newest[slot]));
        assert!(before.is_none_or(|life| life.down), "MB-3: two lives of {slot}");
        self.newest[slot] = incarnation;
        self.known(slot, incarnation, now);
    }

    /// A judge knows this life from now on.
    pub(super) fn known(&mut self, slot: Slot, incarnation: ProcessIncarnation, now: Time) {
        let heard = self.attention(now);
        let life = Life {
            convicted: None,
            down: false,
            newest_beat: 0,
            heard,
            perhaps_heard: heard,
            excused: 0,
        };
        self.lives.insert((slot, incarnation), life);
    }

    /// Something reached the head, whether it looks or not.
    pub(super) fn arrived(&mut self, input: &Input, now: Time) {
        let attention = self.attention(now);
        let (name, incarnation, beat) = match input {
            Input::Beat { member, seq, .. } => (&member.name, Some(member.incarnation), Some(*seq)),
            Input::Join { name, claim, .. } => (name, *claim, None),
            Input::Starved { member, by } => {
                if let Some(life) = self.lives.get_mut(&(slot_of(&member.name), member.incarnation))
                {
                    life.excused += by.as_micros() as Time;
                }
                return;
            }
            _ => return,
        };
        let slot = slot_of(name);
        let incarnation = incarnation.unwrap_or(self.newest[slot]);
        let Some(life) = self.lives.get_mut(&(slot, incarnation)) else { return };
        if beat.is_some_and(|seq| seq > life.newest_beat) {
            life.newest_beat = beat.unwrap_or_default();
            life.heard = attention;
        }
        if beat.is_none() || life.heard == attention {
            life.perhaps_heard = attention;
            life.excused = 0;
        }
    }

    pub(super) fn answered(&mut self, slot: Slot, incarnation: ProcessIncarnation) {
        assert_eq!(incarnation, self.newest[slot], "MB-6: an old life of {slot} is answered");
        let life = self.life(slot, incarnation);
        assert!(!life.down && life.convicted.is_none(), "MB-1: a dead life of {slot} is answered");
    }

    pub(super) fn marked(&mut self, slot: Slot, incarnation: ProcessIncarnation, phase: Phase) {
        let life = self.life(slot, incarnation);
        assert!(!life.down && life.convicted.is_none(), "MB-1: {slot} is {phase:?} after its end");
        assert!(!matches!(phase, Phase::Fenced | Phase::Gone | Phase::Starting));
    }

    pub(super) fn convicted(
        &mut self,
        slot: Slot,
        incarnation: ProcessIncarnation,
        cause: DeathCause,
        stuck: Option<Time>,
        now: Time,
    ) {
        // A clock that is 1 % too fast shows this much in 985 thousandths of it.
        let least = |deadline: std::time::Duration| deadline.as_micros() as Time * 985 / 1000;
        let (settings, attention) = (self.settings, self.attention(now));
        let restarted = self.restarted;
        let count = match cause {
            DeathCause::Silent { .. } => &mut self.figures.silent,
            DeathCause::Stuck { .. } => &mut self.figures.stuck,
            DeathCause::LinkLost { .. } => &mut self.figures.link_lost,
            DeathCause::Replaced | DeathCause::Exited { .. } => &mut self.figures.replaced,
        };
        *count += 1;
        let dead_after = settings.dead_after(self.places[slot]);
        let life = self.life(slot, incarnation);
        assert!(life.convicted.is_none() && !life.down, "MB-1: {slot} is convicted again");
        life.convicted = Some(cause);
        let silent = attention.saturating_sub(life.heard);
        match cause {
            DeathCause::Silent { .. } => {
                assert!(
                    silent >= least(dead_after),
                    "MB-4, MB-5: {slot} was heard {silent} us ago"
                );
                // Nobody is overlooked either. A restarted judge waits for longer.
                let silent = attention.saturating_sub(life.perhaps_heard);
                let most = settings.start_within + settings.isolation_grace;
                let most = if restarted.is_some() { most } else { settings.start_within };
                let most = most.as_micros() as Time * 102 / 100 + life.excused + 2 * SECOND;
                assert!(silent <= most, "{slot} was heard {silent} us ago, and nobody noticed");
            }
            DeathCause::Stuck { .. } => {
                // The last beat may have been on its way for longer than the first one.
                let span = settings.stuck_after - settings.suspect_after;
                let enough = stuck.is_none_or(|stuck| stuck >= least(span));
                assert!(enough, "MB-5: {slot} moved {stuck:?} us ago");
            }
            DeathCause::LinkLost { .. } => {}
            DeathCause::Replaced => return,
            DeathCause::Exited { .. } => panic!("MB-7: an exit needs no verdict"),
        }
        let early = restarted.is_some_and(|at| now - at < least(settings.isolation_grace));
        assert!(!early, "MB-4: {slot} is convicted by a judge that has just been restarted");
    }

    pub(super) fn down(&mut self, slot: Slot, incarnation: ProcessIncarnation, cause: DeathCause) {
        self.figures.downs += 1;
        let life = self.life(slot, incarnation);
        assert!(!life.down, "MB-1: {slot} is declared down twice");
        life.down = true;
        let exited = matches!(cause, DeathCause::Exited { .. });
        assert!(life.convicted.map_or(exited, |verdict| verdict == cause), "MB-7: {cause:?}");
    }

    pub(super) fn join_answer(&mut self, answer: &JoinAnswer) {
        match answer {
            JoinAnswer::Continue { .. } => self.figures.continued += 1,
            JoinAnswer::Later { .. } => self.figures.told_later += 1,
            _ => {}
        }
    }

    pub(super) fn exits(&mut self, reason: &ExitReason) {
        match reason {
            ExitReason::Replaced => self.figures.told_to_exit += 1,
            ExitReason::NameTaken { .. } => self.figures.names_taken += 1,
            ExitReason::IsolatedTooLong { .. } => self.figures.isolated_too_long += 1,
            _ => {}
        }
    }

    pub(super) fn calls_begin(&mut self, caller: Pid, slot: Slot, retries: u32) -> u64 {
        self.figures.calls += 1;
        let runs = Vec::new();
        self.calls.push(CallStory { caller, slot, retries, runs, resolved: false });
        self.calls.len() as u64 - 1
    }

    pub(super) fn call_runs(&mut self, id: u64, slot: Slot, me: ProcessIncarnation, pid: Pid) {
        let call = &mut self.calls[id as usize];
        assert_eq!(call.slot, slot, "call {id} runs where it should not");
        assert!(!call.runs.contains(&me), "DL-1: call {id} runs twice in {me} (pid {pid})");
        assert!(!call.resolved, "DL-1: call {id} runs after it was resolved");
        assert!(call.runs.len() <= call.retries as usize, "DL-1: call {id} runs too often");
        self.figures.runs_again += u64::from(!call.runs.is_empty());
        call.runs.push(me);
        let last = self.last_run.insert((call.caller, slot, me), id);
        assert!(last.is_none_or(|last| last < id), "DL-2: call {id} runs after {last:?}");
    }

    pub(super) fn call_resolved(&mut self, id: u64, outcome: Result<u64, CallError>) {
        let call = &mut self.calls[id as usize];
        assert!(!call.resolved, "DL-3: call {id} is resolved twice");
        call.resolved = true;
        match outcome {
            Ok(reply) => {
                self.figures.replies += 1;
                assert!(reply == id && !call.runs.is_empty(), "DL-3: a reply to {id} from nowhere");
            }
            Err(CallError::Lost { .. }) => self.figures.lost += 1,
            Err(_) => assert!(call.runs.is_empty(), "DL-4: call {id} was refused and ran"),
        }
    }
}

impl World {
    /// After every event.
    pub(super) fn check_all(&mut self) {
        let mut working = 0u64;
        for pid in &self.living {
            let process = &self.processes[*pid];
            assert!(process.lease.under_way() <= limits::BEATS_IN_FLIGHT_MAX, "MB-8");
            if !process.may_work(self.now) {
                continue;
            }
            let (slot, bit) = (process.slot, 1 << process.slot);
            let incarnation = process.lease.incarnation().expect("a member knows who it is");
            let down = self.ledger.lives.get(&(slot, incarnation)).is_none_or(|life| life.down);
            assert!(!down, "MB-2: {incarnation} of {slot} is declared down and works (pid {pid})");
            assert_eq!(working & bit, 0, "MB-3: two processes of {slot} work");
            working |= bit;
        }
        if let Some(judge) = &self.head.judge {
            assert!(judge.len() <= self.slots.len(), "MB-8");
            assert!(judge.ends_remembered() <= self.slots.len(), "MB-8");
        }
    }

    /// When the faults are long over everything is well, and every call of those who live is resolved.
    pub(super) fn check_the_end(&self) {
        let judge = self.head.judge.as_ref().expect("the head was started again");
        for (slot, named) in self.slots.iter().enumerate() {
            assert_eq!(judge.phase(&named.name), Some(Phase::Up), "{slot} is not up again");
            let mut mine = self.living.iter().filter(|pid| self.processes[**pid].slot == slot);
            let (one, other) = (mine.next(), mine.next());
            assert!(one.is_some_and(|pid| self.is_well(*pid)), "{slot} is not well again");
            assert_eq!(other, None, "a second process of {slot} is still there");
        }
        for pid in &self.living {
            assert_eq!(self.processes[*pid].unresolved(), 0, "DL-3: calls of pid {pid} hang");
        }
        for (id, call) in self.ledger.calls.iter().enumerate() {
            let waits = !call.resolved && self.living.contains(&call.caller);
            assert!(!waits, "DL-3: call {id} was forgotten");
        }
    }
}
