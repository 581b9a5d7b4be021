//! What has to be so in every world, and in one in which nothing happens any more; and one number for all worlds that are alike.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::Word;
use super::steps::Step;
use super::world::{Message, OWNER, Object, Ref, Spoken, Who, World};

impl World {
    /// Whatever somebody alive has, or is about to be told of, is there (BW-1, BW-3).
    pub(super) fn is_sound(&self) {
        for (own, process) in self.all.iter().enumerate().filter(|(_, process)| !process.is_dead) {
            process.has.iter().for_each(|what| self.is_reached(own, *what));
            if let Some(writes) = &process.writes
                && let Spoken::Word(word) = writes.says
            {
                self.is_meant(own, writes.to, word, writes.is);
            }
            for (to, side) in &process.sides {
                side.line.iter().for_each(|message| self.is_true(own, *to, message));
            }
        }
    }

    fn is_open(&self, one: Who, other: Who) -> bool {
        let is_over = |own: Who, peer: Who| self.all[own].sides[&peer].is_over;
        !is_over(one, other) && !is_over(other, one)
    }

    /// The object that it stands for is held for it, from process to process, as far as they live.
    fn is_reached(&self, own: Who, what: Ref) {
        let Ref::Import { at, number, is } = what else {
            return assert!(!self.freed.contains(&what.is()), "{what:?} is gone");
        };
        if self.is_open(own, at) {
            let held = self.all[at].sides[&own].exports.of(number);
            let held = held.unwrap_or_else(|| panic!("{own} has {what:?}, and it is not held"));
            assert_eq!(held.is(), is, "{own} has {what:?}, and it is another one");
            assert!(self.all[at].has.contains(held), "what is held is there");
            self.is_reached(at, *held);
        }
    }

    fn is_true(&self, own: Who, to: Who, message: &Message) {
        match message {
            Message::Gives(Spoken::Word(word), is)
            | Message::Pass { what: word, is, .. }
            | Message::Passed { what: word, is, .. }
            | Message::Value { has: Some((word, is)), .. } => self.is_meant(own, to, *word, *is),
            Message::Gives(Spoken::Passed(number), _) if self.is_open(own, to) => {
                let is_pass = |message: &Message| matches!(message, Message::Pass { number: pass, .. } if pass == number);
                let is_passed = |message: &Message| {
                    matches!(message, Message::Passed { from, number: passed, .. }
                        if *from == own && passed == number)
                };
                let has_come = self.all[to].passed.0.contains_key(&(own, *number));
                let is_coming = self.all[OWNER].sides[&to].line.iter().any(is_passed)
                    || self.all[own].sides[&OWNER].line.iter().any(is_pass);
                assert!(has_come || is_coming, "{own} has told {to} of what is not passed");
            }
            _ => {}
        }
    }

    /// A word on its way means what it is to mean.
    fn is_meant(&self, own: Who, to: Who, word: Word, is: Object) {
        if !self.is_open(own, to) {
            return;
        }
        let held = match word {
            Word::Mine(number) => self.all[own].sides[&to].exports.of(number),
            Word::Yours(number) => self.all[to].sides[&own].exports.of(number),
        };
        let held =
            held.unwrap_or_else(|| panic!("{own} says {word:?} to {to}, and it is not held"));
        assert_eq!(held.is(), is, "{own} says {word:?} to {to}, and it is another one");
    }

    /// Nothing has to happen any more.
    pub(super) fn is_quiet(steps: &[Step]) -> bool {
        steps.iter().all(|step| matches!(step, Step::Dies(_) | Step::Ends(_)))
    }

    /// Nothing is left (BW-2, BW-3, BW-4).
    pub(super) fn is_clean(&self) {
        for (own, process) in self.all.iter().enumerate() {
            for (peer, side) in &process.sides {
                let held = side.exports.references().count() + side.exports.loans().count();
                assert_eq!(held, 0, "{own} holds something for {peer}: {side:?}");
                assert!(side.imports.0.is_empty(), "{own} knows actors of {peer}: {side:?}");
            }
            assert!(process.passed.0.is_empty(), "{own} has what was passed: {:?}", process.passed);
            assert!(process.has.is_empty(), "{own} has {:?}", process.has);
            assert!(process.mourners.is_empty() && process.asks.is_empty(), "{own} waits");
        }
    }

    /// Nothing is said any more, and nobody who holds an actor that has ended is not told so (BW-4).
    pub(super) fn all_are_told(&self, steps: &[Step]) {
        let is_silent = |step: &Step| {
            !matches!(step, Step::Hears(..) | Step::Says(_) | Step::Mourns(..) | Step::Settles(_))
        };
        if !steps.iter().all(is_silent) {
            return;
        }
        for (own, process) in self.all.iter().enumerate() {
            for what in &process.has {
                let Ref::Import { at, number, is } = *what else { continue };
                // Where a link on the way has ended that is told instead.
                if self.ended.contains(&is) && self.is_reached_alive(own, *what) {
                    let state = process.sides[&at].imports.0.get(&number);
                    let is_told = self.knows_its_end(process, *what);
                    assert!(is_told, "{own} is not told of the end of {what:?}: {state:?}");
                }
            }
        }
    }

    fn is_reached_alive(&self, own: Who, what: Ref) -> bool {
        match what {
            Ref::Own(_) => true,
            Ref::Import { at, number, .. } => {
                let held = self.all[at].sides[&own].exports.of(number);
                self.is_open(own, at) && held.is_some_and(|held| self.is_reached_alive(at, *held))
            }
        }
    }

    /// Equal for worlds in which the same can happen.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let to = &mut hasher;
        (&self.freed, &self.ended, self.may).hash(to);
        for process in &self.all {
            (process.is_dead, &process.hands, &process.has, process.next).hash(to);
            (&process.asks, &process.mourners, &process.to_settle, &process.told).hash(to);
            process.passed.0.iter().collect::<BTreeMap<_, _>>().hash(to);
            if let Some(writes) = &process.writes {
                (writes.to, writes.says, writes.is, &writes.kept.spoken).hash(to);
            }
            for (peer, side) in &process.sides {
                (peer, &side.line, side.is_over, side.has_ended).hash(to);
                side.exports.references.iter().collect::<BTreeMap<_, _>>().hash(to);
                side.imports.0.iter().collect::<BTreeMap<_, _>>().hash(to);
            }
        }
        hasher.finish()
    }
}
