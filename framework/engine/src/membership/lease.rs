//! The child's side: whether this process may work.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use raytree_types::{ProcessIncarnation, limits};

use super::{JoinAnswer, Place, Settings};

/// Where a child is, as it sees itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has asked and was not answered yet. It does no work.
    Joining,
    /// It holds a lease.
    Member,
    /// Its lease is over: it grants no leases, accepts and makes no new calls, holds results. Running calls finish.
    Isolated,
    /// It is to exit.
    Exited,
}

/// Why a child exits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// Its parent said that it was replaced.
    Replaced,
    /// Another living process has its name.
    NameTaken {
        /// Where the one that has it is.
        holder: Arc<str>,
        /// Where this one is, as the parent sees it.
        asker: Arc<str>,
    },
    /// It was isolated for a whole grace.
    IsolatedTooLong {
        /// [`Settings::isolation_grace`].
        grace: Duration,
    },
    /// Nobody answered its request to join for a whole grace.
    NeverJoined {
        /// [`Settings::isolation_grace`].
        grace: Duration,
    },
    /// The parent has too many children.
    Full {
        /// The bound.
        limit: usize,
    },
    /// Its name is not one.
    BadName {
        /// The rule.
        reason: String,
    },
}

/// What a child is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildInput {
    /// A beat was answered.
    Answered {
        /// To whom the answer is.
        incarnation: ProcessIncarnation,
        /// Which beat.
        seq: u64,
    },
    /// The parent answered a beat with: exit.
    ToldToExit {
        /// To whom the answer is.
        incarnation: ProcessIncarnation,
    },
    /// A request to join was answered.
    Joined {
        /// Which request.
        ticket: u64,
        /// The answer.
        answer: JoinAnswer,
    },
    /// The link to the parent is lost; it asks to join again over a new one.
    LinkLost,
    /// Time has passed: a quarter of [`Settings::beat_every`] at most.
    Tick,
}

/// What a child is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildEffect {
    /// Send a beat, with the progress counter of the system runtime.
    Beat {
        /// As whom.
        incarnation: ProcessIncarnation,
        /// Its number.
        seq: u64,
    },
    /// Open a link, if there is none, and ask to join.
    Join {
        /// As whom; `None` as a new one.
        claim: Option<ProcessIncarnation>,
        /// Which link it is, from 1; a request that is repeated over one link has the same. After a [`ChildInput::LinkLost`]
        /// that follows a request it is another one, whether that was answered or not.
        link: u64,
        /// The number of the request.
        ticket: u64,
    },
    /// It may work from now on, as this incarnation.
    Work {
        /// Who it is.
        incarnation: ProcessIncarnation,
    },
    /// It may not work from now on.
    Isolate,
    /// End the process.
    Exit(ExitReason),
}

/// The lease of one child process. See the [module](super).
///
/// Whoever is about to take on work asks [`Lease::may_work`] with the clock read just before: a process that was frozen
/// finds out by that, not by a tick that it has slept through.
#[derive(Debug)]
pub struct Lease {
    settings: Settings,
    place: Place,
    standing: Standing,
    incarnation: Option<ProcessIncarnation>,
    /// When the lease is over, or was.
    until: Duration,
    /// Numbers of beats and requests under way and when they were sent, oldest first.
    under_way: VecDeque<(u64, Duration)>,
    number: u64,
    link: u64,
    /// The first request that was sent over this link, if one was.
    asked: Option<u64>,
    /// The parent has answered one of them: it knows this link.
    linked: bool,
    next_beat: Duration,
    next_join: Duration,
    began: Duration,
    last: Duration,
}

impl Lease {
    /// A child without a lease, at `now` by its clock: one that never goes back, and runs also while the machine
    /// sleeps. `incarnation` is the one that its parent gave it at its start, if it did. `place` is what it is taken for
    /// until the judge has said as what it is judged.
    #[must_use]
    pub fn new(
        settings: Settings,
        place: Place,
        incarnation: Option<ProcessIncarnation>,
        now: Duration,
    ) -> Self {
        Self {
            settings,
            place,
            standing: Standing::Joining,
            incarnation,
            until: now,
            under_way: VecDeque::new(),
            number: 0,
            link: 1,
            asked: None,
            linked: false,
            next_beat: now,
            next_join: now,
            began: now,
            last: now,
        }
    }

    /// What follows from `input` at `now`. Read the clock before, and send what is to be sent after: the lease is counted
    /// from `now` (MB-2).
    pub fn step(&mut self, input: ChildInput, now: Duration) -> Vec<ChildEffect> {
        self.last = self.last.max(now);
        let mut effects = Vec::new();
        self.expire(&mut effects);
        if self.standing == Standing::Exited {
            return effects;
        }
        match input {
            ChildInput::Answered { incarnation, seq } if self.incarnation == Some(incarnation) => {
                self.renew(seq, &mut effects);
            }
            ChildInput::ToldToExit { incarnation } if self.incarnation == Some(incarnation) => {
                self.exit(ExitReason::Replaced, &mut effects);
            }
            // Answers to another life are not for this one (MB-6).
            ChildInput::Answered { .. } | ChildInput::ToldToExit { .. } => {}
            ChildInput::Joined { ticket, answer } => self.joined(ticket, answer, &mut effects),
            ChildInput::LinkLost => self.link_lost(),
            ChildInput::Tick => self.tick(&mut effects),
        }
        effects
    }

    /// Whether it may take on work at `now`: grant leases, accept or make calls, hand results on.
    #[must_use]
    pub fn may_work(&self, now: Duration) -> bool {
        self.standing == Standing::Member && now < self.until
    }

    /// Where it is.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Who it is, once it knows.
    #[must_use]
    pub fn incarnation(&self) -> Option<ProcessIncarnation> {
        self.incarnation
    }

    /// How many beats and requests are under way, at most [`limits::BEATS_IN_FLIGHT_MAX`].
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// What time alone brings about. It comes before every input: a process that was frozen is isolated before it does
    /// anything else (MB-2).
    fn expire(&mut self, effects: &mut Vec<ChildEffect>) {
        let grace = self.settings.isolation_grace;
        if self.standing == Standing::Member && self.last >= self.until {
            self.standing = Standing::Isolated;
            self.next_join = self.last;
            effects.push(ChildEffect::Isolate);
        }
        if self.standing == Standing::Isolated && self.last >= self.until + grace {
            self.exit(ExitReason::IsolatedTooLong { grace }, effects);
        }
        if self.standing == Standing::Joining && self.last >= self.began + grace {
            self.exit(ExitReason::NeverJoined { grace }, effects);
        }
    }

    fn exit(&mut self, reason: ExitReason, effects: &mut Vec<ChildEffect>) {
        self.standing = Standing::Exited;
        effects.push(ChildEffect::Exit(reason));
    }

    /// The lease runs from when what is answered now was sent: the parent answered later than that, and counts from
    /// then (MB-2).
    fn renew(&mut self, number: u64, effects: &mut Vec<ChildEffect>) {
        let Some((_, sent)) = self.under_way.iter().find(|(sent, _)| *sent == number) else {
            return;
        };
        self.until = self.until.max(*sent + self.settings.lease(self.place));
        // Answers to earlier ones could only renew it for less.
        self.under_way.retain(|(sent, _)| *sent > number);
        let works = self.standing == Standing::Member;
        if let Some(incarnation) = self.incarnation.filter(|_| !works && self.last < self.until) {
            self.standing = Standing::Member;
            effects.push(ChildEffect::Work { incarnation });
        }
    }

    fn joined(&mut self, ticket: u64, answer: JoinAnswer, effects: &mut Vec<ChildEffect>) {
        if let JoinAnswer::Continue { incarnation, .. } = answer
            && self.incarnation == Some(incarnation)
        {
            // Also one that a later beat's answer has overtaken. Over an earlier link it says nothing of this one.
            self.linked |= self.asked.is_some_and(|first| ticket >= first);
        }
        // An answer of long ago: what it says may no longer be so, and this one has asked again since.
        if !self.under_way.iter().any(|(number, _)| *number == ticket) {
            return;
        }
        match answer {
            JoinAnswer::Continue { incarnation, place } => {
                if *self.incarnation.get_or_insert(incarnation) == incarnation {
                    // Before the first lease: the judge waits for the end of this one, and of no longer one (MB-2).
                    self.place = place;
                    self.linked |= self.asked.is_some_and(|first| ticket >= first);
                    self.renew(ticket, effects);
                }
            }
            JoinAnswer::Replaced => self.exit(ExitReason::Replaced, effects),
            JoinAnswer::NameTaken { holder, asker } => {
                self.exit(ExitReason::NameTaken { holder, asker }, effects);
            }
            JoinAnswer::Later { after } => {
                let after = after.clamp(self.settings.rejoin_every, self.settings.isolation_grace);
                self.next_join = self.last + after;
            }
            JoinAnswer::Full { limit } => self.exit(ExitReason::Full { limit }, effects),
            JoinAnswer::BadName { reason } => self.exit(ExitReason::BadName { reason }, effects),
        }
    }

    /// Whether the parent has heard of the lost link is unknown: once it was asked over it, the next is another one.
    fn link_lost(&mut self) {
        if self.asked.take().is_some() {
            self.link += 1;
        }
        if std::mem::take(&mut self.linked) {
            self.next_join = self.last;
        }
    }

    fn tick(&mut self, effects: &mut Vec<ChildEffect>) {
        let asks = !self.linked || self.standing != Standing::Member;
        if asks && self.last >= self.next_join {
            self.next_join = self.last + self.settings.rejoin_every;
            let ticket = self.send();
            self.asked.get_or_insert(ticket);
            effects.push(ChildEffect::Join { claim: self.incarnation, link: self.link, ticket });
        }
        let Some(incarnation) = self.incarnation else { return };
        if self.last >= self.next_beat {
            // After a pause one beat is sent, not all that were missed.
            let next = self.next_beat + self.settings.beat_every;
            self.next_beat =
                if next > self.last { next } else { self.last + self.settings.beat_every };
            let seq = self.send();
            effects.push(ChildEffect::Beat { incarnation, seq });
        }
    }

    /// Numbers something that is sent now. What could no longer renew the lease is forgotten.
    fn send(&mut self) -> u64 {
        let lease = self.settings.lease(self.place);
        while self.under_way.front().is_some_and(|(_, sent)| self.last >= *sent + lease)
            || self.under_way.len() >= limits::BEATS_IN_FLIGHT_MAX
        {
            self.under_way.pop_front();
        }
        self.number += 1;
        self.under_way.push_back((self.number, self.last));
        self.number
    }
}
