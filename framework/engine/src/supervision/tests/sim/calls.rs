//! Calls: one caller, and what must become of what it asks.

use raytree_types::ProcessIncarnation;

use super::actors::ActorId;
use super::world::{Event, World};
use crate::delivery::{Call, CallError, CallInput, Caller, Delivered, Post, Refusal};
use crate::sim::{MILLI, Time};

/// What is on its way between the caller and an actor.
#[derive(Clone, Debug)]
pub(super) enum Letter {
    Call(Call<u64>),
    Ack { to: ProcessIncarnation, acked: u64 },
    Reply { from: ProcessIncarnation, seq: u64, reply: u64 },
    Refused { to: ProcessIncarnation, seq: u64, why: Refusal },
}

#[derive(Debug)]
pub(super) struct CallStory {
    retries: u32,
    /// The lives in which it ran.
    runs: Vec<u64>,
    pub(super) resolved: bool,
}

fn caller() -> Caller<()> {
    Caller { name: (), incarnation: ProcessIncarnation(1) }
}

impl World {
    pub(super) fn makes_a_call(&mut self, id: ActorId) {
        if self.calm() {
            return;
        }
        let (number, retries) = (self.calls.len() as u64, self.rng.between(0, 2) as u32);
        self.calls.push(CallStory { retries, runs: Vec::new(), resolved: false });
        self.figures.count("calls");
        self.posts(id, CallInput::Call { id: number, payload: number, retries });
        if !self.actors[id].ended {
            let pause = self.rng.between(MILLI, 300 * MILLI);
            self.after(pause, Event::Calls(id));
        }
    }

    pub(super) fn resends(&mut self, id: ActorId) {
        self.posts(id, CallInput::Tick);
        if !self.actors[id].ended {
            self.after(50 * MILLI, Event::Resend(id));
        }
    }

    /// Tells the caller's side, and does what it wants.
    pub(super) fn posts(&mut self, id: ActorId, input: CallInput<u64, u64>) {
        let now = self.clock();
        for post in self.actors[id].outbox.step(input, now) {
            match post {
                Post::Send(call) => self.send(id, &Letter::Call(call)),
                Post::Ack { to, acked } => self.send(id, &Letter::Ack { to, acked }),
                Post::Resolved { id: number, outcome } => self.resolved(number, outcome),
            }
        }
    }

    fn send(&mut self, id: ActorId, letter: &Letter) {
        let copies = if self.bad_luck(10) { 0 } else { 1 + u64::from(self.rng.percent(10)) };
        for _ in 0..copies {
            let slow: Time = if self.bad_luck(10) { 300 } else { 3 };
            let delay = self.rng.between(0, slow * MILLI);
            self.after(delay, Event::Arrives(id, letter.clone()));
        }
    }

    pub(super) fn arrives(&mut self, id: ActorId, letter: Letter) {
        let now = self.clock();
        let body = self.actors[id].body.as_mut().filter(|body| body.is_up);
        match letter {
            Letter::Call(call) => {
                let Some(body) = body else { return };
                let effects = body.inbox.call(caller(), call, now);
                self.deliver(id, effects);
            }
            Letter::Ack { to, acked } => {
                if let Some(body) = body {
                    body.inbox.acknowledged(&caller(), to, acked);
                }
            }
            Letter::Reply { from, seq, reply } => {
                self.posts(id, CallInput::Reply { from, seq, reply });
            }
            Letter::Refused { to, seq, why } => {
                self.posts(id, CallInput::Refused { to, seq, why });
            }
        }
    }

    fn deliver(&mut self, id: ActorId, effects: Vec<Delivered<(), u64, u64>>) {
        let Some(life) = self.actors[id].body.as_ref().map(|body| body.life) else { return };
        for effect in effects {
            match effect {
                Delivered::Run { seq, payload, .. } => {
                    self.runs(payload, life);
                    let delay = self.rng.between(0, 40 * MILLI);
                    self.after(delay, Event::Ran(id, life, seq, payload));
                }
                Delivered::Reply { seq, reply, .. } => {
                    let from = ProcessIncarnation(life);
                    self.send(id, &Letter::Reply { from, seq, reply });
                }
                Delivered::Refuse { to, seq, why, .. } => {
                    self.send(id, &Letter::Refused { to, seq, why });
                }
            }
        }
    }

    /// The body of a call has run, if its actor has not died meanwhile.
    pub(super) fn ran(&mut self, id: ActorId, life: u64, seq: u64, reply: u64) {
        let body = self.actors[id].body.as_mut().filter(|body| body.life == life);
        let Some(body) = body else { return };
        let effects = body.inbox.finished(caller(), seq, reply);
        self.deliver(id, effects);
    }

    fn runs(&mut self, number: u64, life: u64) {
        let call = &mut self.calls[number as usize];
        assert!(!call.runs.contains(&life), "DL-1: call {number} runs twice in life {life}");
        assert!(call.runs.len() <= call.retries as usize, "DL-1: call {number} runs too often");
        if !call.runs.is_empty() {
            self.figures.count("run again");
        }
        call.runs.push(life);
    }

    fn resolved(&mut self, number: u64, outcome: Result<u64, CallError>) {
        let call = &mut self.calls[number as usize];
        let before = std::mem::replace(&mut call.resolved, true);
        assert!(!before, "DL-3: call {number} is answered twice");
        let ran = !call.runs.is_empty();
        self.figures.count(match outcome {
            Ok(reply) => {
                assert!(ran && reply == number, "DL-3: a reply to {number} from nowhere");
                "replies"
            }
            Err(CallError::Lost { .. }) => "lost",
            Err(_) => {
                assert!(!ran, "DL-4: call {number} was refused and ran");
                "refused"
            }
        });
    }
}
