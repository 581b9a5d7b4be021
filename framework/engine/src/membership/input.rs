//! What a judge is told, and what it wants done.

use std::time::Duration;

use raytree_types::ProcessIncarnation;

use super::{DeathCause, ExitStatus, JoinAnswer, Member, Name, Origin, Phase, Place};

/// What a judge is told. What has arrived is told before a [`Input::Tick`]: a judge decides on time at ticks only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The parent starts a child of its own, and gives it this incarnation ([`super::Judge::next_incarnation`]).
    Register {
        /// Who.
        member: Member,
        /// Where it runs.
        place: Place,
        /// Which process it is.
        origin: Origin,
    },
    /// A restarted judge finds a living child in its journal.
    Recall {
        /// Who.
        member: Member,
        /// Where it runs.
        place: Place,
        /// Which process it is.
        origin: Origin,
    },
    /// A process asks to join, or to go on.
    Join {
        /// The name it has.
        name: Name,
        /// Which life it has; `None` for a process that was never answered.
        claim: Option<ProcessIncarnation>,
        /// Where it runs; only the first answer notes it, and each repeats what was noted.
        place: Place,
        /// Which process it is.
        origin: Origin,
        /// The link that it asks over, numbered by that process from 1, rising.
        link: u64,
        /// The number of the request, given back with the answer.
        ticket: u64,
    },
    /// A beat.
    Beat {
        /// From whom.
        member: Member,
        /// Its number, rising within a life.
        seq: u64,
        /// The progress counter of the child's system runtime, when it was sent.
        progress: u64,
    },
    /// A link ended. Old news of an earlier link changes nothing.
    LinkLost {
        /// Whose.
        member: Member,
        /// Which, as in [`Input::Join`]; 0 for that of a registered child which has not joined.
        link: u64,
    },
    /// Its process has ended: the operating system said so, or the process itself as its last word.
    Exited {
        /// Who.
        member: Member,
        /// How.
        status: ExitStatus,
    },
    /// The operating system says that a local child waited for a CPU; of another child it changes nothing. Its deadline is
    /// extended, up to [`raytree_types::limits::MEMBER_EXCUSED_MAX`] between two beats.
    Starved {
        /// Who.
        member: Member,
        /// How long it waited since this was told last.
        by: Duration,
    },
    /// The judge itself was late by this much: every deadline is extended by as much. A judge also notices by itself
    /// when nothing was told to it for more than two periods of [`super::Settings::beat_every`].
    Stalled {
        /// How late.
        by: Duration,
    },
    /// Somebody wants it to end in order.
    Stop {
        /// Who.
        member: Member,
    },
    /// Somebody wants another process in its place, at once.
    Replace {
        /// Who.
        member: Member,
    },
    /// It is certain that it no longer runs, though nobody has its exit status.
    Fenced {
        /// Who.
        member: Member,
    },
    /// A [`super::Settings::beat_every`] has passed.
    Tick,
}

/// What a judge wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answer a beat: the sender's lease begins anew.
    Answer {
        /// Whom.
        member: Member,
        /// Which beat.
        seq: u64,
    },
    /// Answer a beat of one that must exit: it is convicted, dead, or unknown.
    TellExit {
        /// Whom.
        member: Member,
        /// Which beat.
        seq: u64,
    },
    /// Answer a process that asked to join. A new incarnation is in the journal before it is told.
    AnswerJoin {
        /// The name it asked for.
        name: Name,
        /// [`Origin::process`] of the one that asked.
        process: u64,
        /// [`Input::Join::ticket`].
        ticket: u64,
        /// The answer.
        answer: JoinAnswer,
    },
    /// A registration was refused; nothing may be started.
    Refused {
        /// Who.
        member: Member,
        /// Why; never [`JoinAnswer::Continue`].
        why: JoinAnswer,
    },
    /// What others should think of it has changed. New work goes to [`Phase::Up`] only.
    Mark {
        /// Whom.
        member: Member,
        /// Up, degraded, suspect or stopping.
        phase: Phase,
    },
    /// Ask it to end in order.
    AskToStop {
        /// Whom.
        member: Member,
    },
    /// It is convicted. Make sure that it does not run, then say [`Input::Fenced`] or [`Input::Exited`].
    Convict {
        /// Whom.
        member: Member,
        /// Why.
        cause: DeathCause,
        /// How it is fenced.
        fence: Fence,
    },
    /// It is surely no longer at work. A replacement with a later incarnation may be started. It is out of the journal
    /// before anybody is told.
    Down {
        /// Who.
        member: Member,
        /// Why: the cause of its conviction, if there was one.
        cause: DeathCause,
        /// It had been asked to stop: nobody expects a replacement.
        asked: bool,
    },
}

/// How a convicted child is kept from doing harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// Kill its process (SIGKILL) and wait for its end.
    Kill,
    /// Wait until its lease is over by any clock.
    Lease {
        /// When that is, by the judge's clock.
        until: Duration,
    },
}
