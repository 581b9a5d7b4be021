//! One living child as its judge remembers it.

use std::time::Duration;

use raytree_types::{ProcessIncarnation, limits};

use super::{DeathCause, Origin, Phase, Place, Settings};

/// The verdict on a child that may still run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conviction {
    pub(super) cause: DeathCause,
    /// When it counts as fenced without a word from anybody, by the judge's raw clock.
    pub(super) over_at: Duration,
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) incarnation: ProcessIncarnation,
    pub(super) place: Place,
    pub(super) origin: Origin,
    /// The newest link it came over.
    pub(super) link: u64,
    pub(super) phase: Phase,
    /// The newest beat.
    pub(super) seq: u64,
    progress: u64,
    /// It has beaten or joined since this judge knows it.
    known: bool,
    /// When it was last heard, on the clock of the judge's attention.
    heard: Duration,
    /// How much of the silence since then the operating system excused.
    excused: Duration,
    /// How long beats have come without progress.
    unmoved: Duration,
    /// When its link was lost, on the clock of attention.
    link_lost: Option<Duration>,
    /// When the last thing was answered that renews its lease, by the raw clock.
    pub(super) answered: Duration,
    /// It seemed guilty at the last tick, which came late, and was not heard since.
    pub(super) looked_at: bool,
    pub(super) asked: bool,
    pub(super) conviction: Option<Conviction>,
}

impl Record {
    /// A child that was just heard of. A lease that somebody else granted it is older than `now`.
    pub(super) fn new(
        incarnation: ProcessIncarnation,
        place: Place,
        origin: Origin,
        attention: Duration,
        now: Duration,
    ) -> Self {
        Self {
            incarnation,
            place,
            origin,
            link: 0,
            phase: Phase::Starting,
            seq: 0,
            progress: 0,
            known: false,
            heard: attention,
            excused: Duration::ZERO,
            unmoved: Duration::ZERO,
            link_lost: None,
            answered: now,
            looked_at: false,
            asked: false,
            conviction: None,
        }
    }

    /// A sign of life.
    fn hear(&mut self, attention: Duration) {
        self.heard = attention;
        self.excused = Duration::ZERO;
        self.looked_at = false;
    }

    /// It came over a new link.
    pub(super) fn relink(&mut self, link: u64, attention: Duration) {
        self.hear(attention);
        self.link = link;
        self.link_lost = None;
    }

    pub(super) fn lose_link(&mut self, attention: Duration) {
        self.link_lost.get_or_insert(attention);
    }

    /// A beat that is newer than all before. Silence between beats is no sign of being stuck.
    pub(super) fn beat(
        &mut self,
        seq: u64,
        progress: u64,
        attention: Duration,
        settings: &Settings,
    ) {
        let gap = attention.saturating_sub(self.heard);
        if !self.known || progress != self.progress {
            self.unmoved = Duration::ZERO;
        } else if gap < settings.suspect_after {
            self.unmoved += gap.saturating_sub(self.excused);
        }
        self.known = true;
        self.seq = seq;
        self.progress = progress;
        self.hear(attention);
    }

    pub(super) fn excuse(&mut self, by: Duration) {
        self.excused = self.excused.saturating_add(by).min(limits::MEMBER_EXCUSED_MAX);
    }

    /// For how long it was not heard, whatever excuses it.
    pub(super) fn unheard(&self, attention: Duration) -> Duration {
        attention.saturating_sub(self.heard)
    }

    fn silence(&self, attention: Duration) -> Duration {
        self.unheard(attention).saturating_sub(self.excused)
    }

    /// Whether it may be dead already: it is silent, its link is lost, or a restarted judge has not heard it yet.
    pub(super) fn is_in_doubt(&self, attention: Duration, settings: &Settings) -> bool {
        let unheard = !self.known && self.phase != Phase::Starting;
        let silent = self.silence(attention) >= settings.suspect_after;
        unheard || silent || self.link_lost.is_some()
    }

    /// What others should think of it now.
    pub(super) fn opinion(&self, attention: Duration, settings: &Settings) -> Phase {
        if self.conviction.is_some() {
            Phase::Fenced
        } else if self.asked {
            Phase::Stopping
        } else if self.phase == Phase::Starting && !self.known {
            Phase::Starting
        } else if self.is_in_doubt(attention, settings) {
            Phase::Suspect
        } else if self.unmoved >= settings.suspect_after {
            Phase::Degraded
        } else {
            Phase::Up
        }
    }

    /// What it is guilty of now, if anything.
    pub(super) fn guilt(&self, attention: Duration, settings: &Settings) -> Option<DeathCause> {
        let silence = self.silence(attention);
        let dead_after = settings.dead_after(self.place);
        let patience = if self.known { dead_after } else { settings.start_within.max(dead_after) };
        let unlinked = self.link_lost.map(|lost| attention.saturating_sub(lost));
        if silence >= patience {
            return Some(DeathCause::Silent { after: silence });
        }
        if let Some(after) = unlinked.filter(|after| *after >= dead_after) {
            return Some(DeathCause::LinkLost { after });
        }
        let stuck = self.unmoved >= settings.stuck_after;
        stuck.then_some(DeathCause::Stuck { after: self.unmoved })
    }
}
