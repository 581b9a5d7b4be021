//! What goes to disk, what comes back, and when.
//!
//! From a share of its memory on, a store writes those objects to disk that were wanted least lately and that nobody looks at: a sixteenth
//! of its memory more than it has to, so that many small ones go into one file. It does so, too, for whoever waits for room, and with all that
//! nobody looks at while the node is short of memory. What comes back stays on disk as well, and gives way another time without being written.
//! Files of which little is needed any more are written anew, by one thread, when there is nothing else to do: a disk that was full is not, then.
//!
//! Invariants:
//! - **SG-1 (no-waiting-for-nothing):** where nothing can be written, or all is looked at, nobody waits for long: whoever writes is
//!   refused, and whoever reads has the file.

use std::collections::VecDeque;
use std::time::Duration;

use raytree_store::spill::SpillError;
use raytree_store::{Lease, Location, Place, Spilled, View};
use raytree_types::limits;

use super::desk::Desk;
use super::line::Words;
use super::pulls::Pulls;
use crate::protocol::Found;

/// So much of the store more than it has to is spilled: one part of so many.
const SLACK: u64 = 16;
/// So often something gives way under one lock.
const ROUNDS: u32 = 16;

/// How a store spills.
pub(super) struct Spilling {
    /// From so many bytes on.
    at: u64,
    /// Bytes that are on their way.
    writing: u64,
    /// Since when all that could be spilled is looked at, and when that was looked for last.
    fruitless: Option<(Duration, Duration)>,
    /// Until when nothing is written, because nothing could be, and why.
    failed: Option<(Duration, String)>,
    /// Nor is there anything that is on disk already and could give way.
    is_exhausted: bool,
    anew: Anew,
    /// What was just brought back stays for a moment, so that whoever has asked for it comes in time.
    brought: VecDeque<(Duration, View)>,
    /// Bytes that were written, and read, ever.
    pub(super) written: u64,
    pub(super) read: u64,
}

/// Files of which little is needed.
#[derive(Default)]
struct Anew {
    /// There are some.
    is_any: bool,
    /// They are being written anew.
    is_on: bool,
    /// Until then nothing is won by that.
    not_before: Duration,
}

impl Anew {
    fn is_due(&self, now: Duration) -> bool {
        self.is_any && !self.is_on && self.not_before <= now
    }
}

/// What is to be done by a thread that may wait for a disk.
pub(super) enum Job {
    /// These are needed on disk no more.
    Remove(Vec<Spilled>),
    /// Read this one into this room.
    Bring { object: Location, lease: Lease, spilled: Spilled },
    /// There is no room for this one: say where its file is.
    Point { object: Location, spilled: Spilled },
    /// Write these.
    Write(Vec<(Location, View)>),
    /// Write files anew of which little is needed.
    Anew,
}

/// How far the search for a job has come.
enum Step {
    Job(Job),
    /// Something has given way: there may be room now.
    Again,
    Nothing,
}

impl Spilling {
    pub(super) fn new(at: u64) -> Self {
        let (fruitless, failed, brought, anew) = Default::default();
        let (writing, written, read, is_exhausted) = (0, 0, 0, false);
        Self { at, writing, fruitless, failed, is_exhausted, anew, brought, written, read }
    }

    /// Why nothing can be written, nor given up without that, nor will be soon.
    pub(super) fn fails(&self, now: Duration) -> Option<&str> {
        let may_be_soon = self.anew.is_on || self.anew.is_due(now);
        self.cannot_write(now).filter(|_| self.is_exhausted && !may_be_soon)
    }

    fn cannot_write(&self, now: Duration) -> Option<&str> {
        self.failed.as_ref().filter(|(until, _)| now < *until).map(|(_, why)| &**why)
    }

    /// Whether something is kept for a moment.
    fn keeps_brought(&self) -> bool {
        !self.brought.is_empty()
    }

    /// The moment is over.
    fn lets_go(&mut self, now: Duration) {
        while self.brought.front().is_some_and(|(until, _)| *until <= now) {
            self.brought.pop_front();
        }
    }

    /// Whether all is looked at that could be spilled, for so long.
    pub(super) fn is_stuck(&self, now: Duration, long: Duration) -> bool {
        let is_it = self.fruitless.is_some_and(|(since, _)| since + long <= now);
        self.writing == 0 && is_it
    }

    /// Somebody waits from now on: whatever nobody waited for before is as if it had begun now.
    pub(super) fn is_asked(&mut self, now: Duration) {
        if let Some((since, last)) = &mut self.fruitless
            && now > *last + limits::STORE_SWEEP_EVERY * 2
        {
            *since = now;
        }
    }

    /// How much is to be spilled, of a store that keeps so much and in which so much is waited for, on a node that is short of memory or not.
    fn goal(&self, kept: u64, capacity: u64, (needed, is_short): (u64, bool)) -> u64 {
        let at = if is_short { 0 } else { self.at };
        let over = kept.saturating_sub(self.writing).saturating_sub(at);
        let over = if over > 0 { over + capacity / SLACK } else { 0 };
        over.max(needed.saturating_sub(self.writing)).min(limits::SPILL_FUSED)
    }

    pub(super) fn may_look(&self, now: Duration, is_needed: bool) -> bool {
        let pause = if is_needed { limits::STORE_SWEEP_EVERY } else { limits::SPILL_AGAIN_AFTER };
        self.fails(now).is_none() && self.fruitless.is_none_or(|(_, last)| last + pause <= now)
    }
}

impl Desk {
    /// Whether a thread is to come for a job.
    pub(super) fn has_work(&self, now: Duration) -> bool {
        let Some(spilling) = &self.spilling else { return false };
        let is_needed = !self.asked.is_empty();
        let used = self.store.used();
        let is_over = spilling.goal(used.lent + used.sealed, used.capacity, (0, self.is_due)) > 0;
        self.store.is_any_unneeded()
            || self.sought.is_any_left()
            || spilling.anew.is_due(now)
            || ((is_needed || is_over) && spilling.may_look(now, is_needed))
            || self.pull_needs(now) > 0
    }

    /// Whether there is something that is being written, or will be as far as is known.
    pub(super) fn goes_to_disk(&self, now: Duration) -> bool {
        let Some(spilling) = &self.spilling else { return false };
        let used = self.store.used();
        let goal = spilling.goal(used.lent + used.sealed, used.capacity, (0, self.is_due));
        let may = spilling.fruitless.is_none() && spilling.cannot_write(now).is_none();
        spilling.writing > 0 || (goal > 0 && may)
    }

    /// Whether it has to be looked at again in a while: somebody waits.
    pub(super) fn is_waited_for(&self) -> bool {
        let keeps = self.spilling.as_ref().is_some_and(Spilling::keeps_brought);
        let pulls = self.pulls.as_ref().and_then(Pulls::needs_room).is_some();
        keeps || pulls || !self.asked.is_empty() || !self.sought.is_empty()
    }

    /// What was kept for a moment need not stay.
    pub(super) fn lets_go(&mut self, now: Duration) {
        self.spilling.as_mut().into_iter().for_each(|spilling| spilling.lets_go(now));
    }

    /// What a thread has to do next; and what is to be said for what was done at once.
    pub(super) fn next(&mut self, now: Duration, words: &mut Words) -> Option<Job> {
        for _ in 0..ROUNDS {
            match self.step(now, words) {
                Step::Job(job) => return Some(job),
                Step::Nothing => return self.points(now).or_else(|| self.writes_anew(now)),
                Step::Again => {}
            }
        }
        // Others may have the lock meanwhile.
        Some(Job::Remove(Vec::new()))
    }

    fn step(&mut self, now: Duration, words: &mut Words) -> Step {
        if self.spilling.is_none() {
            return Step::Nothing;
        }
        self.lets_go(now);
        let unneeded = self.store.unneeded();
        if !unneeded.is_empty() {
            return Step::Job(Job::Remove(unneeded));
        }
        let mut needed = 0;
        while let Some(object) = self.sought.first() {
            match self.store.bring(self.heir, &object) {
                Some((Err(_), (_, extent))) => {
                    needed = extent.len;
                    break;
                }
                Some((Ok(lease), spilled)) => {
                    self.sought.takes_first();
                    return Step::Job(Job::Bring { object, lease, spilled });
                }
                // It is back already, or gone; or on its way, and then they are told when it is there.
                None => {
                    self.sought.takes_first();
                    self.are_told(&object, None, words);
                }
            }
        }
        self.serves(now, words);
        needed += self.asked.front().map_or(0, |asked| asked.terms.bytes) + self.pull_needs(now);
        self.makes_room(needed, now, words)
    }

    /// Whoever reads does not wait for room that does not come.
    fn points(&mut self, now: Duration) -> Option<Job> {
        let (object, spilling) = (self.sought.first()?, self.spilling.as_ref()?);
        let is_stuck = spilling.is_stuck(now, limits::STORE_SWEEP_EVERY * 2);
        let spilled = self.store.on_disk(&object)?;
        (is_stuck || spilling.fails(now).is_some()).then(|| {
            self.sought.takes_first();
            Job::Point { object, spilled }
        })
    }

    fn writes_anew(&mut self, now: Duration) -> Option<Job> {
        let anew = &mut self.spilling.as_mut()?.anew;
        let is_due = anew.is_due(now);
        anew.is_on |= is_due;
        is_due.then_some(Job::Anew)
    }

    /// Something on disk is needed no more: by that there may be files of which little is.
    pub(super) fn are_removed(&mut self, is_any_wasteful: bool) {
        if let Some(spilling) = &mut self.spilling {
            spilling.anew.is_any = is_any_wasteful;
        }
    }

    /// Files were written anew, and so many bytes are free by that; none where it could not be done.
    pub(super) fn is_anew(
        &mut self,
        won: u64,
        is_any_wasteful: bool,
        now: Duration,
        words: &mut Words,
    ) {
        if let Some(spilling) = &mut self.spilling {
            let not_before = if won > 0 { now } else { now + limits::SPILL_AGAIN_AFTER };
            spilling.anew = Anew { is_any: is_any_wasteful, is_on: false, not_before };
            if won > 0 {
                (spilling.failed, spilling.is_exhausted) = (None, false);
            }
        }
        self.serves(now, words);
    }

    /// Objects that give way: those that are on disk as well do at once.
    fn makes_room(&mut self, needed: u64, now: Duration, words: &mut Words) -> Step {
        let used = self.store.used();
        let Some(spilling) = &mut self.spilling else { return Step::Nothing };
        let goal = spilling.goal(used.lent + used.sealed, used.capacity, (needed, self.is_due));
        if goal == 0 || !spilling.may_look(now, needed > 0) {
            return Step::Nothing;
        }
        let cannot_write = spilling.cannot_write(now).is_some();
        let oldest = self.store.oldest(goal, self.heir, cannot_write);
        if oldest.is_empty() {
            self.is_due = false;
            if cannot_write {
                spilling.is_exhausted = true;
            } else {
                let since = spilling.fruitless.map_or(now, |(since, _)| since);
                spilling.fruitless = Some((since, now));
            }
            self.serves(now, words);
            return Step::Nothing;
        }
        spilling.fruitless = None;
        let (mut there, mut fresh) = (Vec::new(), Vec::new());
        for object in oldest {
            if let Some(spilled) = self.store.on_disk(&object) {
                there.push((object, spilled));
                continue;
            }
            match self.keeper.view(object) {
                Ok(view) => fresh.push((object, view)),
                Err(_) => self.store.spare(&[object]),
            }
        }
        self.store.put_out(&there);
        self.serves(now, words);
        if fresh.is_empty() {
            return Step::Again;
        }
        let bytes: u64 = fresh.iter().map(|(object, _)| object.len).sum();
        self.spilling.as_mut().into_iter().for_each(|spilling| spilling.writing += bytes);
        Step::Job(Job::Write(fresh))
    }

    /// Objects are written, or could not be.
    pub(super) fn are_written(
        &mut self,
        objects: &[Location],
        written: Result<Vec<Spilled>, SpillError>,
        now: Duration,
        words: &mut Words,
    ) {
        let bytes: u64 = objects.iter().map(|object| object.len).sum();
        match written {
            Ok(spilled) => {
                let both: Vec<_> = objects.iter().copied().zip(spilled).collect();
                self.store.put_out(&both);
                if let Some(spilling) = &mut self.spilling {
                    spilling.written += bytes;
                    spilling.failed = None;
                }
            }
            Err(error) => {
                self.store.spare(objects);
                if let Some(spilling) = &mut self.spilling {
                    if spilling.failed.is_none() {
                        tracing::warn!(%error, "the store cannot spill");
                    }
                    spilling.failed = Some((now + limits::SPILL_AGAIN_AFTER, error.to_string()));
                    spilling.is_exhausted = false;
                }
            }
        }
        if let Some(spilling) = &mut self.spilling {
            spilling.writing -= bytes;
        }
        self.serves(now, words);
    }

    /// An object was read into its room and sealed, or could not be.
    pub(super) fn is_brought(
        &mut self,
        object: &Location,
        read: Result<u64, SpillError>,
        now: Duration,
        words: &mut Words,
    ) {
        // What was freed meanwhile cannot be sealed any more, and its room is handed back.
        _ = self.store.written(self.heir, &self.keeper.written());
        let lost = match read {
            Ok(bytes) => {
                if let Some(spilling) = &mut self.spilling {
                    spilling.read += bytes;
                    spilling.is_exhausted = false;
                    if let Place::Here(at) = self.store.place(object)
                        && let Ok(view) = self.keeper.view(at)
                    {
                        spilling.brought.push_back((now + limits::STORE_SWEEP_EVERY, view));
                    }
                }
                None
            }
            Err(error) => {
                tracing::error!(%error, "an object cannot be brought back");
                Some(Found::of(&error))
            }
        };
        self.has_come(object, lost.as_ref(), words);
        self.serves(now, words);
    }
}
