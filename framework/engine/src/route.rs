//! Which way the calls of one stand-in go: through the owner of the actor, who knows where it lives, or directly to the
//! process that has its present life.
//!
//! ```text
//! through the owner ──a few calls──▶ a way is sought ──there is one──▶ fenced ──reached──▶ direct
//!        ▲                                │ none                          │                  │ it has fallen
//!        ├────────────────────────────────┴───────────────────────────────┘                  ▼
//!        └──settled── the owner has said that the life is over ◀──────────────── calls without an answer wait
//! ```
//!
//! The *fence* is a call of no effect that goes through the owner behind all others. Once the actor has begun it, it has
//! begun whatever went before it, and what goes directly from then on cannot overtake anything; so nobody has to wait until
//! the others are answered, which may be never. What is made meanwhile is held for that one way to and fro.
//!
//! A direct way that falls says nothing about the actor: only its owner knows when a life is over, and only then it is
//! clear what became of the calls that went over it. Until then nothing goes any way.
//!
//! Invariants:
//! - **RO-1 (in-order):** one life of the actor begins the calls of one stand-in in the order in which they were made,
//!   whichever way each has gone.
//! - **RO-2 (one-way):** a call goes a second way only after it was lost on the first one and the owner has said that the
//!   life that may have begun it is over.
//! - **RO-3 (no-loss-without-a-word):** every call that was sent directly is answered, or settled once its life is over; and
//!   a call is held only while a fence is on its way or the owner has not said whether the life is over.

use std::collections::BTreeSet;

use raytree_types::limits;

#[cfg(test)]
mod tests;

/// The number of a call, rising in the order in which they are made.
pub type Call = u64;

/// How a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through the owner.
    Owner,
    /// To the life itself.
    Direct,
}

/// What happens. What is said of an earlier way than the present one is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A call wants to go; the same again after it was held.
    Call(Call),
    /// A direct way was sought.
    Sought {
        /// Which.
        way: u64,
        /// It is there.
        found: bool,
    },
    /// The fence has come back.
    Fenced {
        /// Of which way.
        way: u64,
        /// The life at the end of the way has begun it; else nobody knows.
        reached: bool,
    },
    /// A call that went directly has its answer, or nobody wants that any more.
    Answered(Call),
    /// A call that went directly will get no answer.
    Lost(Call),
    /// A way has ended: the life at its end has, or it is cut.
    Fell {
        /// Which.
        way: u64,
        /// The life may go on.
        cut: bool,
    },
    /// The owner has said that the life at the end of a way is over.
    Over {
        /// Which way.
        way: u64,
    },
    /// The lost calls were dealt with.
    Settled,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a call.
    Send(Call, Way),
    /// A call is to ask again after [`Effect::Resume`].
    Hold(Call),
    /// Ask the owner where the actor lives, and look for a way there; [`Input::Sought`] follows.
    Seek {
        /// Its number.
        way: u64,
    },
    /// Send a fence through the owner, before anything else; [`Input::Fenced`] follows.
    Fence {
        /// For which way.
        way: u64,
    },
    /// Let go of the way.
    Leave {
        /// Which.
        way: u64,
    },
    /// Tell the owner that the way is cut while calls over it have no answer: it has to find out.
    Accuse {
        /// Which.
        way: u64,
    },
    /// These are lost with their life: each is sent through the owner again, if it may be, or told; in this order.
    /// [`Input::Settled`] follows.
    Settle(Vec<Call>),
    /// Whoever was held may ask again.
    Resume,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Owner,
    /// `fell`: it has ended already.
    Seeking {
        fell: bool,
    },
    Fenced,
    Direct,
    /// `over`: the owner has said so.
    Fallen {
        over: bool,
        accused: bool,
    },
    Settling,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub struct Route {
    phase: Phase,
    /// The number of the present way.
    way: u64,
    /// Calls through the owner since a way was sought last.
    calls: u32,
    /// With so many of them one is sought: first, and now.
    first_after: u32,
    seek_after: u32,
    /// Sent directly, without an answer.
    open: BTreeSet<Call>,
    /// Sent directly, and none will come.
    lost: BTreeSet<Call>,
}

impl Default for Route {
    fn default() -> Self {
        Self::after(limits::DIRECT_AFTER_CALLS)
    }
}

impl Route {
    /// A way is sought after so many calls.
    fn after(calls: u32) -> Self {
        Self {
            phase: Phase::Owner,
            way: 0,
            calls: 0,
            first_after: calls,
            seek_after: calls,
            open: BTreeSet::new(),
            lost: BTreeSet::new(),
        }
    }

    /// Some call that went directly has neither an answer nor the word that none will come.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.open.is_empty()
    }

    /// One step.
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Call(call) => self.call(call),
            Input::Answered(call) => {
                _ = self.open.remove(&call);
                self.look()
            }
            Input::Lost(call) => {
                if self.open.remove(&call) {
                    self.lost.insert(call);
                }
                self.falls(false, false)
            }
            Input::Settled => {
                debug_assert_eq!(self.phase, Phase::Settling);
                self.back(self.first_after)
            }
            Input::Sought { way, .. }
            | Input::Fenced { way, .. }
            | Input::Fell { way, .. }
            | Input::Over { way }
                if way != self.way =>
            {
                Vec::new()
            }
            Input::Sought { found, .. } => self.sought(found),
            Input::Fenced { reached, .. } => self.fenced(reached),
            Input::Fell { cut, .. } => self.falls(cut, false),
            Input::Over { .. } => self.falls(false, true),
        }
    }

    fn call(&mut self, call: Call) -> Vec<Effect> {
        match self.phase {
            Phase::Owner => {
                self.calls += 1;
                let mut effects = vec![Effect::Send(call, Way::Owner)];
                if self.calls >= self.seek_after {
                    self.way += 1;
                    self.phase = Phase::Seeking { fell: false };
                    effects.push(Effect::Seek { way: self.way });
                }
                effects
            }
            Phase::Seeking { .. } => vec![Effect::Send(call, Way::Owner)],
            Phase::Direct => {
                self.open.insert(call);
                vec![Effect::Send(call, Way::Direct)]
            }
            Phase::Fenced | Phase::Fallen { .. } | Phase::Settling => vec![Effect::Hold(call)],
        }
    }

    fn sought(&mut self, found: bool) -> Vec<Effect> {
        let Phase::Seeking { fell } = self.phase else { return Vec::new() };
        if found && !fell {
            self.phase = Phase::Fenced;
            return vec![Effect::Fence { way: self.way }];
        }
        self.gives_up()
    }

    fn fenced(&mut self, reached: bool) -> Vec<Effect> {
        if self.phase != Phase::Fenced {
            return Vec::new();
        }
        if !reached {
            return self.gives_up();
        }
        self.phase = Phase::Direct;
        vec![Effect::Resume]
    }

    /// Less often each time.
    fn gives_up(&mut self) -> Vec<Effect> {
        let later = self.seek_after.saturating_mul(2).min(limits::DIRECT_AGAIN_CALLS_MAX);
        self.back(later)
    }

    /// Calls go through the owner again.
    fn back(&mut self, seek_after: u32) -> Vec<Effect> {
        debug_assert!(self.open.is_empty() && self.lost.is_empty());
        (self.phase, self.calls, self.seek_after) = (Phase::Owner, 0, seek_after);
        vec![Effect::Leave { way: self.way }, Effect::Resume]
    }

    /// The way is of no use any more.
    fn falls(&mut self, cut: bool, over: bool) -> Vec<Effect> {
        match self.phase {
            Phase::Owner | Phase::Settling => return Vec::new(),
            Phase::Seeking { .. } => {
                self.phase = Phase::Seeking { fell: true };
                return Vec::new();
            }
            Phase::Fenced => return self.gives_up(),
            Phase::Direct => self.phase = Phase::Fallen { over, accused: false },
            Phase::Fallen { over: was, accused } => {
                self.phase = Phase::Fallen { over: was || over, accused };
            }
        }
        let mut effects = Vec::new();
        let is_unclear = !self.open.is_empty() || !self.lost.is_empty();
        if let Phase::Fallen { over: false, accused: false } = self.phase
            && cut
            && is_unclear
        {
            self.phase = Phase::Fallen { over: false, accused: true };
            effects.push(Effect::Accuse { way: self.way });
        }
        effects.extend(self.look());
        effects
    }

    /// Whether it is clear what became of all calls of a way that has fallen.
    fn look(&mut self) -> Vec<Effect> {
        let Phase::Fallen { over, .. } = self.phase else { return Vec::new() };
        if !self.open.is_empty() {
            return Vec::new();
        }
        if self.lost.is_empty() {
            return self.back(self.first_after);
        }
        if !over {
            return Vec::new();
        }
        self.phase = Phase::Settling;
        vec![Effect::Settle(std::mem::take(&mut self.lost).into_iter().collect())]
    }
}
