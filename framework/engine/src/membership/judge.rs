//! The parent's side: decides which children are alive.

use std::collections::BTreeMap;
use std::time::Duration;

use raytree_types::{ProcessIncarnation, limits};

use super::ends::{End, Ends};
use super::record::{Conviction, Record};
use super::{
    DeathCause, Effect, ExitStatus, Fence, Input, JoinAnswer, Member, Name, Origin, Phase, Place,
    Settings,
};

/// The judge of the children of one process. See the [module](super).
///
/// It keeps two clocks. The *raw* clock is the one it is told; a lease runs out by it whatever the judge does. Its
/// *attention* is the raw clock without the time during which the judge was late; whoever is judged is judged by it.
#[derive(Debug)]
pub struct Judge {
    pub(super) settings: Settings,
    pub(super) living: BTreeMap<Name, Record>,
    pub(super) ends: Ends,
    began: Duration,
    last: Duration,
    late: Duration,
    /// It was late since the last tick: what has arrived meanwhile may not be read yet, so whoever seems guilty gets a
    /// second look at the next tick.
    wary: bool,
    /// Nobody is convicted of silence, a lost link or standing still before this much attention.
    grace: Duration,
}

impl Judge {
    /// A judge without children, at `now` by its clock: any clock that never goes back.
    #[must_use]
    pub fn new(settings: Settings, now: Duration) -> Self {
        let (living, ends) = (BTreeMap::new(), Ends::default());
        let grace = Duration::ZERO;
        let late = Duration::ZERO;
        Self { settings, living, ends, began: now, last: now, late, wary: false, grace }
    }

    /// A judge that takes over from one that has surely ended. Nobody is convicted for one
    /// [`Settings::isolation_grace`]. Tell it its living children with [`Input::Recall`]. `floor` is the newest
    /// incarnation in the journal, of any name, living or dead: what is not newer is never given again.
    #[must_use]
    pub fn restarted(settings: Settings, floor: ProcessIncarnation, now: Duration) -> Self {
        let grace = now + settings.isolation_grace;
        Self { ends: Ends::above(floor), grace, ..Self::new(settings, now) }
    }

    /// What follows from `input` at `now`. Read the clock after the input has arrived, never before: a lease is counted
    /// from `now` (MB-2). A `now` before an earlier one counts as that one.
    pub fn step(&mut self, input: Input, now: Duration) -> Vec<Effect> {
        let noticed = self.attend(now);
        let now = self.last;
        let mut effects = Vec::new();
        match input {
            Input::Register { member, place, origin } => {
                self.register(member, place, origin, &mut effects);
            }
            Input::Recall { member, place, origin } => {
                self.recall(member, place, origin, &mut effects);
            }
            Input::Join { name, claim, place, origin, link, ticket } => {
                let process = origin.process;
                let answer = self.join(&name, claim, place, origin, link);
                self.settle(&name, &mut effects);
                effects.push(Effect::AnswerJoin { name, process, ticket, answer });
            }
            Input::Beat { member, seq, progress } => self.beat(member, seq, progress, &mut effects),
            Input::LinkLost { member, link } => self.link_lost(&member, link, &mut effects),
            Input::Exited { member, status } => self.exited(&member, status, &mut effects),
            Input::Starved { member, by } => self.starved(&member, by),
            Input::Stalled { by } => self.stalled(by.saturating_sub(noticed)),
            Input::Stop { member } => self.stop(member, &mut effects),
            Input::Replace { member } => self.replace(&member, now, &mut effects),
            Input::Fenced { member } => self.fenced(&member, &mut effects),
            Input::Tick => self.tick(now, &mut effects),
        }
        effects
    }

    /// Where the newest life of a name is.
    #[must_use]
    pub fn phase(&self, name: &str) -> Option<Phase> {
        let living = self.living.get(name).map(|record| record.phase);
        living.or_else(|| self.ends.get(name).map(|_| Phase::Gone))
    }

    /// How the newest dead life of a name ended, if it is remembered.
    #[must_use]
    pub fn end(&self, name: &str) -> Option<&End> {
        self.ends.get(name)
    }

    /// The incarnation that the next process of this name gets, once no earlier one lives.
    #[must_use]
    pub fn next_incarnation(&self, name: &str) -> ProcessIncarnation {
        let living = self.living.get(name).map(|record| record.incarnation);
        living.unwrap_or_else(|| self.ends.last(name)).next()
    }

    /// The lives that are not declared down, in the order of their names.
    pub fn members(&self) -> impl Iterator<Item = (Member, Phase)> + '_ {
        let member = |name: &Name, record: &Record| Member::new(name.clone(), record.incarnation);
        self.living.iter().map(move |(name, record)| (member(name, record), record.phase))
    }

    /// Local children that have missed three beats, and are not convicted: of these it is worth asking the operating system
    /// whether they get a CPU ([`Input::Starved`]).
    pub fn quiet(&self) -> impl Iterator<Item = Member> + '_ {
        let (attention, patience) = (self.attention(), 3 * self.settings.beat_every);
        let quiet = move |record: &Record| {
            let is_judged = record.place == Place::Local && record.conviction.is_none();
            is_judged && record.unheard(attention) > patience
        };
        let all = self.living.iter().filter(move |(_, record)| quiet(record));
        all.map(|(name, record)| Member::new(name.clone(), record.incarnation))
    }

    /// How many lives are not declared down, at most [`limits::MEMBERS_MAX`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.living.len()
    }

    /// True without children.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.living.is_empty()
    }

    /// How many ends it remembers, at most [`limits::MEMBER_ENDS_MAX`].
    #[must_use]
    pub fn ends_remembered(&self) -> usize {
        self.ends.len()
    }

    /// Below or at this, and not remembered, an incarnation is refused without its story.
    #[must_use]
    pub fn floor(&self) -> ProcessIncarnation {
        self.ends.floor()
    }

    /// What the judge's clock would show if it had never been late.
    pub(super) fn attention(&self) -> Duration {
        self.last.saturating_sub(self.late)
    }

    /// The judge's raw clock.
    pub(super) fn now(&self) -> Duration {
        self.last
    }

    /// Notices how late the judge is. A judge that is always late is so by the rest of each gap only, and still comes
    /// to its verdicts.
    fn attend(&mut self, now: Duration) -> Duration {
        let (gap, beat) = (now.saturating_sub(self.last), self.settings.beat_every);
        self.last = self.last.max(now);
        let noticed = if gap > 2 * beat { gap - beat } else { Duration::ZERO };
        self.stalled(noticed);
        noticed
    }

    fn stalled(&mut self, by: Duration) {
        self.wary |= !by.is_zero();
        // It cannot have been late for longer than it exists.
        self.late = self.late.saturating_add(by).min(self.last.saturating_sub(self.began));
    }

    fn record(&mut self, member: &Member) -> Option<&mut Record> {
        let record = self.living.get_mut(&member.name)?;
        // MB-6: what is said of another life says nothing of this one.
        (record.incarnation == member.incarnation).then_some(record)
    }

    fn starved(&mut self, member: &Member, by: Duration) {
        if let Some(record) = self.record(member).filter(|record| record.place == Place::Local) {
            record.excuse(by);
        }
    }

    fn register(
        &mut self,
        member: Member,
        place: Place,
        origin: Origin,
        effects: &mut Vec<Effect>,
    ) {
        match self.may_add(&member, &origin) {
            Err(why) => effects.push(Effect::Refused { member, why }),
            Ok(()) => self.add(member, place, origin),
        }
    }

    fn recall(&mut self, member: Member, place: Place, origin: Origin, effects: &mut Vec<Effect>) {
        // The floor covers every life in the journal, this one too.
        let taken = self.living.get(&member.name).map(|first| JoinAnswer::NameTaken {
            holder: first.origin.address.clone(),
            asker: origin.address.clone(),
        });
        let over = self.end(&member.name).is_some_and(|end| end.incarnation >= member.incarnation);
        let over = over.then_some(JoinAnswer::Replaced);
        if let Some(why) = taken.or(over).or_else(|| self.full()) {
            effects.push(Effect::Refused { member, why });
            return;
        }
        effects.push(Effect::Mark { member: member.clone(), phase: Phase::Suspect });
        let name = member.name.clone();
        self.add(member, place, origin);
        self.living.entry(name).and_modify(|record| record.phase = Phase::Suspect);
    }

    pub(super) fn add(&mut self, member: Member, place: Place, origin: Origin) {
        let record = Record::new(member.incarnation, place, origin, self.attention(), self.last);
        self.living.insert(member.name, record);
        debug_assert!(self.living.len() <= limits::MEMBERS_MAX, "MB-8: {}", self.living.len());
    }

    fn beat(&mut self, member: Member, seq: u64, progress: u64, effects: &mut Vec<Effect>) {
        let (attention, now, settings) = (self.attention(), self.last, self.settings);
        match self.record(&member).filter(|record| record.conviction.is_none()) {
            None => effects.push(Effect::TellExit { member, seq }),
            // A repeated or overtaken beat is no sign of life.
            Some(record) if seq <= record.seq => {}
            Some(record) => {
                record.beat(seq, progress, attention, &settings);
                record.answered = now;
                self.settle(&member.name, effects);
                effects.push(Effect::Answer { member, seq });
            }
        }
    }

    fn link_lost(&mut self, member: &Member, link: u64, effects: &mut Vec<Effect>) {
        let attention = self.attention();
        if let Some(record) = self.record(member).filter(|record| record.link == link) {
            record.lose_link(attention);
            self.settle(&member.name, effects);
        }
    }

    fn stop(&mut self, member: Member, effects: &mut Vec<Effect>) {
        if let Some(record) = self.record(&member).filter(|record| !record.asked) {
            record.asked = true;
            self.settle(&member.name, effects);
            effects.push(Effect::AskToStop { member });
        }
    }

    fn replace(&mut self, member: &Member, now: Duration, effects: &mut Vec<Effect>) {
        if self.record(member).is_some_and(|record| record.conviction.is_none()) {
            self.convict(&member.name, DeathCause::Replaced, now, effects);
        }
    }

    fn exited(&mut self, member: &Member, status: ExitStatus, effects: &mut Vec<Effect>) {
        if let Some(record) = self.record(member) {
            let convicted = record.conviction.map(|conviction| conviction.cause);
            let cause = convicted.unwrap_or(DeathCause::Exited { status });
            self.declare(&member.name, cause, effects);
        }
    }

    fn fenced(&mut self, member: &Member, effects: &mut Vec<Effect>) {
        if let Some(conviction) = self.record(member).and_then(|record| record.conviction) {
            self.declare(&member.name, conviction.cause, effects);
        }
    }

    fn tick(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let (attention, wary) = (self.attention(), std::mem::take(&mut self.wary));
        let names: Vec<Name> = self.living.keys().cloned().collect();
        for name in names {
            let Some(record) = self.living.get_mut(&name) else { continue };
            match record.conviction {
                Some(conviction) if now >= conviction.over_at => {
                    self.declare(&name, conviction.cause, effects);
                }
                Some(_) => {}
                None => {
                    let guilt = record.guilt(attention, &self.settings);
                    // MB-4: not in the grace of a restart, nor at the first look after being late.
                    let may = attention >= self.grace && (!wary || record.looked_at);
                    record.looked_at = wary && guilt.is_some();
                    match guilt.filter(|_| may) {
                        Some(cause) => self.convict(&name, cause, now, effects),
                        None => self.settle(&name, effects),
                    }
                }
            }
        }
    }

    /// Tells others when what they should think of a child has changed.
    pub(super) fn settle(&mut self, name: &str, effects: &mut Vec<Effect>) {
        let attention = self.attention();
        let Some((name, _)) = self.living.get_key_value(name) else { return };
        let name = name.clone();
        let Some(record) = self.living.get_mut(&name) else { return };
        let phase = record.opinion(attention, &self.settings);
        if phase != record.phase {
            record.phase = phase;
            let member = Member::new(name, record.incarnation);
            effects.push(Effect::Mark { member, phase });
        }
    }

    /// Passes the verdict (MB-1: only here, and only once) and fences (MB-9). From here on nothing that the child says
    /// is answered in a way that renews its lease.
    fn convict(
        &mut self,
        name: &Name,
        cause: DeathCause,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(record) = self.living.get_mut(name) else { return };
        debug_assert!(record.conviction.is_none(), "MB-1: {name} convicted twice");
        let lease_over = record.answered + self.settings.lease_surely_over(record.place);
        let (fence, over_at) = match record.place {
            Place::Local => (Fence::Kill, lease_over.max(now + self.settings.kill_grace)),
            Place::Remote => (Fence::Lease { until: lease_over.max(now) }, lease_over),
        };
        record.conviction = Some(Conviction { cause, over_at });
        record.phase = Phase::Fenced;
        let member = Member::new(name.clone(), record.incarnation);
        effects.push(Effect::Convict { member, cause, fence });
        if now >= over_at {
            self.declare(name, cause, effects);
        }
    }

    /// Says that a child is surely no longer at work, and forgets all but its end.
    fn declare(&mut self, name: &Name, cause: DeathCause, effects: &mut Vec<Effect>) {
        let Some(record) = self.living.remove(name) else { return };
        let (incarnation, process) = (record.incarnation, record.origin.process);
        self.ends.add(name.clone(), End { incarnation, process, cause, at: self.last });
        let member = Member::new(name.clone(), incarnation);
        effects.push(Effect::Down { member, cause, asked: record.asked });
    }
}
