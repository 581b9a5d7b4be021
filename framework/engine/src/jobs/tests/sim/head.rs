//! The head: a judge and a book, and a shell between them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use raytree_types::{Cause, ProcessIncarnation};

use super::node::Down;
use super::world::{Event, SessionId, Slot, World};
use crate::jobs::{Book, Effect, Input, Policy, WorkerId};
use crate::membership::{
    self, Effect as Verdict, JoinAnswer, Judge, Member, Origin, Phase, Place, Settings,
};
use crate::sim::{MILLI, Time};

/// What a head hears from a node.
#[derive(Clone, Debug)]
pub(super) enum Up {
    Join { claim: Option<ProcessIncarnation>, link: u64, ticket: u64 },
    Beat { incarnation: ProcessIncarnation, seq: u64 },
    Report { workers: Vec<(WorkerId, Option<SocketAddr>)> },
    Ready { worker: WorkerId, address: SocketAddr },
    Gone { worker: WorkerId, why: &'static str },
    Declined { worker: WorkerId },
}

#[derive(Debug)]
pub(super) struct Head {
    pub(super) judge: Judge,
    pub(super) book: Book,
    /// The session with each name, and with which life of it.
    sessions: Vec<Option<(SessionId, Member)>>,
    /// The sessions over which the node has reported.
    reported: BTreeSet<SessionId>,
    frozen_until: Option<Time>,
    waiting: Vec<Event>,
    /// What the book was told that may be told again and must change nothing.
    told: Vec<Input>,
}

impl Head {
    pub(super) fn new(settings: Settings, policy: Policy, slots: usize) -> Self {
        Self {
            judge: Judge::new(settings, Duration::ZERO),
            book: Book::new(policy),
            sessions: vec![None; slots],
            reported: BTreeSet::new(),
            frozen_until: None,
            waiting: Vec::new(),
            told: Vec::new(),
        }
    }
}

impl World {
    fn head_is_frozen(&self) -> bool {
        self.head.frozen_until.is_some()
    }

    /// True when the head stands still: then it looks later.
    pub(super) fn head_later(&mut self, event: impl FnOnce() -> Event) -> bool {
        let frozen = self.head_is_frozen();
        if frozen {
            self.head.waiting.push(event());
        }
        frozen
    }

    pub(super) fn freeze_head(&mut self, span: Time) {
        if !self.head_is_frozen() {
            self.head.frozen_until = Some(self.now + span);
            self.ledger.figures.count("stalls");
            self.after(span, Event::HeadThaws);
        }
    }

    pub(super) fn head_thaws(&mut self) {
        self.head.frozen_until = None;
        for event in std::mem::take(&mut self.head.waiting) {
            self.happen(event);
        }
    }

    pub(super) fn judge_tick(&mut self) {
        if !self.head_is_frozen() {
            self.judge(membership::Input::Tick, None);
        }
        self.after(200 * MILLI, Event::JudgeTick);
    }

    pub(super) fn head_tick(&mut self) {
        if !self.head_is_frozen() {
            self.book(Input::Tick);
            if !self.head.told.is_empty() && self.rng.percent(15) {
                self.tell_again();
            }
        }
        // A late tick is as good as one in time.
        let most = if self.calm() { 60 } else { 200 };
        let pause = self.rng.between(20, most);
        self.after(pause * MILLI, Event::HeadTick);
    }

    /// JB-5: what was told before changes nothing.
    fn tell_again(&mut self) {
        let again = self.rng.index(self.head.told.len());
        let again = self.head.told[again].clone();
        let effects = self.head.book.step(again.clone(), Duration::from_micros(self.now));
        assert!(effects.is_empty(), "JB-5: {again:?} again: {effects:?}");
        self.ledger.figures.count("repeated");
    }

    pub(super) fn head_hears_loss(&mut self, session: SessionId) {
        if self.head_later(|| Event::HeadHearsLoss(session)) {
            return;
        }
        let (slot, link) = (self.slot_of_session(session), self.sessions[session].link);
        if let Some((known, member)) = self.head.sessions[slot].clone()
            && known == session
        {
            self.head.sessions[slot] = None;
            self.judge(membership::Input::LinkLost { member, link }, None);
        }
    }

    fn slot_of_session(&self, session: SessionId) -> Slot {
        self.nodes[self.sessions[session].pid].slot
    }

    fn slot_of(&self, name: &str) -> Slot {
        self.slots.iter().position(|slot| &*slot.name == name).expect("a known name")
    }

    pub(super) fn reaches_head(&mut self, session: SessionId, mail: Up) {
        let kept = mail.clone();
        if self.head_later(|| Event::ToHead(session, kept)) {
            return;
        }
        let slot = self.slot_of_session(session);
        let name = self.slots[slot].name.clone();
        match mail {
            Up::Join { claim, link, ticket } => {
                let process = self.sessions[session].pid as u64;
                let origin = Origin { process, address: Arc::from(format!("pid {process}")) };
                let place = Place::Remote;
                let join = membership::Input::Join { name, claim, place, origin, link, ticket };
                self.judge(join, Some(session));
            }
            Up::Beat { incarnation, seq } => {
                let member = Member::new(name, incarnation);
                let beat = membership::Input::Beat { member, seq, progress: seq };
                self.judge(beat, Some(session));
            }
            Up::Report { workers } => self.reported(session, workers),
            Up::Ready { worker, address } => {
                if self.is_newest(session) {
                    self.book(Input::WorkerUp { worker, address });
                }
            }
            Up::Gone { worker, why } => {
                if self.is_newest(session) {
                    self.book(Input::WorkerGone { worker, cause: Cause::message(why) });
                }
            }
            Up::Declined { worker } => {
                if self.is_newest(session) {
                    self.book(Input::Declined { worker });
                }
            }
        }
    }

    fn is_newest(&self, session: SessionId) -> bool {
        let known = self.head.sessions[self.slot_of_session(session)].as_ref();
        known.is_some_and(|(known, _)| *known == session)
    }

    fn reported(&mut self, session: SessionId, workers: Vec<(WorkerId, Option<SocketAddr>)>) {
        let slot = self.slot_of_session(session);
        let Some((known, node)) = self.head.sessions[slot].clone() else { return };
        if known == session {
            self.head.reported.insert(session);
            let paused = self.head.judge.phase(&node.name) != Some(Phase::Up);
            let total = self.slots[slot].total.clone();
            let session = self.sessions[session].link;
            self.ledger.paused(&node, paused);
            self.book(Input::NodeUp { node, session, paused, total, workers });
        }
    }

    /// Tells the judge, and does what it wants; answers go over the session that the question came over.
    fn judge(&mut self, input: membership::Input, over: Option<SessionId>) {
        let verdicts = self.head.judge.step(input, Duration::from_micros(self.now));
        for verdict in verdicts {
            self.note(|| format!("    {verdict:?}"));
            match verdict {
                Verdict::Answer { member, seq } => {
                    let incarnation = member.incarnation;
                    self.reply(over, Down::Answered { incarnation, seq });
                }
                Verdict::TellExit { member, .. } => {
                    let incarnation = member.incarnation;
                    self.reply(over, Down::ToldToExit { incarnation });
                }
                Verdict::AnswerJoin { name, ticket, answer, .. } => {
                    if let JoinAnswer::Continue { incarnation, .. } = answer {
                        let slot = self.slot_of(&name);
                        let member = Member::new(name, incarnation);
                        self.head.sessions[slot] = over.map(|session| (session, member));
                    }
                    self.reply(over, Down::Joined { ticket, answer });
                }
                Verdict::Mark { member, phase } => self.pause(member, phase != Phase::Up),
                Verdict::Convict { member, .. } => self.pause(member, true),
                Verdict::Down { member, cause, .. } => {
                    let slot = self.slot_of(&member.name);
                    self.head.sessions[slot] = None;
                    self.ledger.node_down(&member);
                    let cause = Cause::message(cause.to_string());
                    self.book(Input::NodeDown { node: member, cause });
                }
                Verdict::AskToStop { .. } => {}
                Verdict::Refused { member, why } => panic!("{member} was refused: {why:?}"),
            }
        }
    }

    fn pause(&mut self, node: Member, paused: bool) {
        self.ledger.paused(&node, paused);
        self.book(match paused {
            true => Input::NodePaused { node },
            false => Input::NodeResumed { node },
        });
    }

    fn reply(&mut self, over: Option<SessionId>, mail: Down) {
        self.send_down(over.expect("an answer has a question"), mail);
    }

    /// Tells the book, and does what it wants.
    pub(super) fn book(&mut self, input: Input) {
        if input != Input::Tick {
            self.note(|| format!("  > {input:?}"));
        }
        let paused = matches!(input, Input::NodePaused { .. } | Input::NodeResumed { .. });
        if input != Input::Tick && !paused {
            self.head.told.push(input.clone());
        }
        self.ledger.heard(&input);
        let effects = self.head.book.step(input, Duration::from_micros(self.now));
        for effect in effects {
            self.note(|| format!("    {effect:?}"));
            self.check_effect(&effect);
            match effect {
                Effect::Start { worker, grant } => {
                    self.tell_node(&worker.node.clone(), Down::Start { worker, grant });
                }
                Effect::Stop { worker, at_once } => {
                    self.tell_node(&worker.node.clone(), Down::Stop { worker, at_once });
                }
                Effect::Tell { .. } | Effect::Over { .. } => {}
                Effect::RefuseJob { .. } | Effect::RefuseNode { .. } => {
                    panic!("JB-8: {effect:?}")
                }
            }
        }
    }

    /// Without a session it is dropped, and before the node has reported over it: the report would not know of it.
    fn tell_node(&mut self, node: &Member, mail: Down) {
        let slot = self.slot_of(&node.name);
        if let Some((session, member)) = self.head.sessions[slot].clone()
            && member == *node
            && self.head.reported.contains(&session)
        {
            self.send_down(session, mail);
        }
    }
}
