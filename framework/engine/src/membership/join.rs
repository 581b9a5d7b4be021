//! Who may join: the judge's answers to processes that ask, and to the parent that wants to start one.

use raytree_types::{ProcessIncarnation, limits};

use super::{JoinAnswer, Judge, Member, Name, Origin, Place};

impl Judge {
    /// Answers a process that asks to join or to go on.
    pub(super) fn join(
        &mut self,
        name: &Name,
        claim: Option<ProcessIncarnation>,
        place: Place,
        origin: Origin,
        link: u64,
    ) -> JoinAnswer {
        let (now, attention) = (self.now(), self.attention());
        let Some(record) = self.living.get_mut(name) else {
            return match claim {
                // MB-6: whatever it was, it is not alive here.
                Some(_) => JoinAnswer::Replaced,
                None => self.welcome(name, place, origin, link),
            };
        };
        let same_life = claim.is_none_or(|claim| claim == record.incarnation);
        let same = same_life && record.origin.process == origin.process;
        if let Some(conviction) = record.conviction {
            // MB-1: a verdict stands, also when the convicted asks in time.
            let after = conviction.over_at.saturating_sub(now).max(self.settings.beat_every);
            let stranger = claim.is_none() && !same;
            return if stranger { JoinAnswer::Later { after } } else { JoinAnswer::Replaced };
        }
        if same {
            // A request that was repeated on the way is no sign of life, but its answer renews the lease.
            if link > record.link {
                record.relink(link, attention);
            }
            record.origin = origin;
            record.answered = now;
            let (incarnation, place) = (record.incarnation, record.place);
            return JoinAnswer::Continue { incarnation, place };
        }
        if claim.is_none() && record.is_in_doubt(attention, &self.settings) {
            // Perhaps its successor, started before anybody has noticed the end. A verdict, or a beat, will tell.
            return JoinAnswer::Later { after: self.settings.rejoin_every };
        }
        if same_life {
            let holder = record.origin.address.clone();
            return JoinAnswer::NameTaken { holder, asker: origin.address };
        }
        JoinAnswer::Replaced
    }

    fn welcome(&mut self, name: &Name, place: Place, origin: Origin, link: u64) -> JoinAnswer {
        // A request of a dead process may still be on its way.
        if self.end(name).is_some_and(|end| end.process == origin.process) {
            return JoinAnswer::Replaced;
        }
        let member = Member::new(name.clone(), self.next_incarnation(name));
        if let Err(why) = self.may_add(&member, &origin) {
            return why;
        }
        let incarnation = member.incarnation;
        self.add(member, place, origin);
        let attention = self.attention();
        self.living.entry(name.clone()).and_modify(|record| record.relink(link, attention));
        JoinAnswer::Continue { incarnation, place }
    }

    /// Whether a new life may begin.
    pub(super) fn may_add(&self, member: &Member, origin: &Origin) -> Result<(), JoinAnswer> {
        if let Err(reason) = check_name(&member.name) {
            return Err(JoinAnswer::BadName { reason });
        }
        if let Some(first) = self.living.get(&member.name) {
            let holder = first.origin.address.clone();
            return Err(JoinAnswer::NameTaken { holder, asker: origin.address.clone() });
        }
        if member.incarnation <= self.ends.last(&member.name) {
            return Err(JoinAnswer::Replaced);
        }
        self.full().map_or(Ok(()), Err)
    }

    /// The refusal, if no more fit.
    pub(super) fn full(&self) -> Option<JoinAnswer> {
        let limit = limits::MEMBERS_MAX;
        (self.living.len() >= limit).then_some(JoinAnswer::Full { limit })
    }
}

/// A process's name is a path of names: `node-2/worker-1`.
fn check_name(name: &str) -> Result<(), String> {
    if name.len() > limits::NAME_BYTES_MAX {
        return Err(format!("a name has 1 to {} bytes", limits::NAME_BYTES_MAX));
    }
    name.split('/').try_for_each(limits::check_name)
}
