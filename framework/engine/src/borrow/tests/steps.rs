//! What can happen next in a world.

use super::super::Taken;
use super::world::{Message, OWNER, Object, Process, Ref, Spoken, Who, World};

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Packs(Who, Who, Ref),
    Says(Who),
    Unsays(Who),
    Drops(Who, Ref),
    Fetches(Who, Ref),
    /// The first hears the second.
    Hears(Who, Who),
    Settles(Who),
    Ends(Object),
    Mourns(Who, Who, u64),
    Watches(Who, Who, u64),
    Unwatches(Who, Who, u64),
    Dies(Who),
}

impl World {
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (own, process) in self.all.iter().enumerate().filter(|(_, process)| !process.is_dead) {
            self.steps_of_program(own, process, &mut steps);
            steps.extend(process.to_settle.iter().map(|who| Step::Settles(*who)));
            for (peer, side) in process.sides.iter().filter(|(_, side)| !side.is_over) {
                if self.can_hear(own, *peer) {
                    steps.push(Step::Hears(own, *peer));
                }
                let numbers = || side.imports.0.keys().copied();
                if self.may.watch > 0 {
                    steps.extend(numbers().map(|number| Step::Watches(own, *peer, number)));
                    steps.extend(numbers().map(|number| Step::Unwatches(own, *peer, number)));
                }
            }
            let over = process.mourners.iter().filter(|(peer, number)| {
                let what = process.sides[peer].exports.of(*number);
                what.is_some_and(|what| self.knows_its_end(process, *what))
            });
            steps.extend(over.map(|(peer, number)| Step::Mourns(own, *peer, *number)));
            if self.may.die > 0 && self.mortal.contains(&own) {
                steps.push(Step::Dies(own));
            }
            if self.may.end > 0 {
                let own = process.has.iter().filter(|what| matches!(what, Ref::Own(_)));
                let living = own.map(|own| own.is()).filter(|own| !self.ended.contains(own));
                steps.extend(living.map(Step::Ends));
            }
        }
        steps
    }

    fn steps_of_program(&self, own: Who, process: &Process, steps: &mut Vec<Step>) {
        for what in process.hands.keys() {
            steps.push(Step::Drops(own, *what));
            let peers = process.sides.iter().filter(|(peer, side)| {
                let reaches = own == OWNER || **peer == OWNER || !process.sides[&OWNER].is_over;
                !side.is_over && reaches && self.may.send > 0 && process.writes.is_none()
            });
            steps.extend(peers.map(|(peer, _)| Step::Packs(own, *peer, *what)));
            if let Ref::Import { at, .. } = what
                && self.may.fetch > 0
                && !process.sides[at].is_over
            {
                steps.push(Step::Fetches(own, *what));
            }
        }
        if process.writes.is_some() {
            steps.push(Step::Says(own));
            steps.extend((self.may.unsay > 0).then_some(Step::Unsays(own)));
        }
    }

    /// Whether there is something to hear, and it need not be waited for what it speaks of.
    fn can_hear(&self, own: Who, peer: Who) -> bool {
        let (process, from) = (&self.all[own], &self.all[peer]);
        let number = match from.sides[&own].line.front() {
            // That there will be nothing more.
            None => return from.is_dead,
            Some(Message::Gives(Spoken::Passed(number), _)) => *number,
            Some(Message::Unpassed(numbers)) => numbers[0],
            Some(_) => return true,
        };
        let has_ended = process.sides[&peer].has_ended;
        process.passed.clone().take(peer, number, has_ended) != Taken::NotYet
    }

    pub(super) fn knows_its_end(&self, process: &Process, what: Ref) -> bool {
        match what {
            Ref::Own(object) => self.ended.contains(&object),
            Ref::Import { at, number, .. } => {
                let mut imports = process.sides[&at].imports.clone();
                let is_known = matches!(imports.watch(number, ()), Err((_, Some(()))));
                is_known || process.told.contains(&(at, number))
            }
        }
    }
}
