//! A world of processes with the tables, and what can happen in it. The process 0 has a link with each other one, and is the owner of
//! all; those have links with each other, over which they pass things by him.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::{Exports, Imports, Kept, LetGo, Passed, Taken, Word};
use super::steps::Step;

pub(super) type Who = usize;
pub(super) type Object = u8;

pub(super) const OWNER: Who = 0;

/// What a process has, as it knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Ref {
    Own(Object),
    /// Of the one at the other end of a link. Which object that is in truth nobody looks at but the checks.
    Import {
        at: Who,
        number: u64,
        is: Object,
    },
}

impl Ref {
    pub(super) fn is(self) -> Object {
        match self {
            Self::Own(is) | Self::Import { is, .. } => is,
        }
    }
}

/// How a message speaks of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Spoken {
    Word(Word),
    Passed(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Message {
    Gives(Spoken, Object),
    Release(u64),
    Exited(u64),
    Pass { to: Who, number: u64, what: Word, is: Object },
    Passed { from: Who, number: u64, what: Word, is: Object },
    Unpassed(Vec<u64>),
    Ended(Who),
    Fetch { call: u64, export: u64 },
    Value { call: u64, has: Option<(Word, Object)> },
}

/// One end of a link.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    pub(super) exports: Exports<Ref, (), ()>,
    pub(super) imports: Imports<(), ()>,
    /// What was said and not heard.
    pub(super) line: VecDeque<Message>,
    pub(super) is_over: bool,
    pub(super) has_ended: bool,
}

/// A message that is being written.
#[derive(Clone, Debug)]
pub(super) struct Writes {
    pub(super) to: Who,
    pub(super) says: Spoken,
    pub(super) is: Object,
    pub(super) kept: Kept<Ref>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    pub(super) is_dead: bool,
    /// What its program has, and how often.
    pub(super) hands: BTreeMap<Ref, u32>,
    /// All that there is here, whoever has it.
    pub(super) has: BTreeSet<Ref>,
    pub(super) sides: BTreeMap<Who, Side>,
    pub(super) passed: Passed<Who, Ref>,
    pub(super) writes: Option<Writes>,
    /// What was asked for, by whom it is asked, and what is kept until the answer.
    pub(super) asks: BTreeMap<u64, Ref>,
    /// Who waits for the end of what is held for another process.
    pub(super) mourners: BTreeSet<(Who, u64)>,
    /// Of which ends those who waited were told.
    pub(super) told: BTreeSet<(Who, u64)>,
    /// Peers that have ended, of which the others are to hear.
    pub(super) to_settle: BTreeSet<Who>,
    pub(super) next: u64,
}

/// How often what nobody has to do may be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct May {
    pub(super) send: u32,
    pub(super) unsay: u32,
    pub(super) fetch: u32,
    pub(super) end: u32,
    pub(super) watch: u32,
    pub(super) die: u32,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) all: Vec<Process>,
    /// Whose object has a reference to which other one of his.
    pub(super) inside: BTreeMap<Object, Object>,
    pub(super) freed: BTreeSet<Object>,
    pub(super) ended: BTreeSet<Object>,
    pub(super) may: May,
    /// Which may die.
    pub(super) mortal: BTreeSet<Who>,
}

impl World {
    /// So many processes; who has which object.
    pub(super) fn new(processes: usize, objects: &[Who], may: May) -> Self {
        let mut all = vec![Process::default(); processes];
        for (own, process) in all.iter_mut().enumerate() {
            let others = (0..processes).filter(|other| *other != own);
            process.sides = others.map(|other| (other, Side::default())).collect();
        }
        let (inside, freed, ended) = Default::default();
        let mut world = Self { all, inside, freed, ended, may, mortal: (1..processes).collect() };
        for (object, owner) in (0..).zip(objects) {
            world.has(*owner, Ref::Own(object));
        }
        world
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Packs(own, to, what) => self.packs(own, to, what),
            Step::Says(own) => {
                let Some(Writes { to, says, is, kept }) = self.all[own].writes.take() else {
                    return;
                };
                self.say(own, to, Message::Gives(says, is));
                self.said(own, to, &kept);
                self.sweep(own);
            }
            Step::Unsays(own) => {
                self.may.unsay -= 1;
                let Some(Writes { to, kept, .. }) = self.all[own].writes.take() else { return };
                kept.unsaid().for_each(|number| _ = self.let_go(own, to, number));
                if !kept.unpassed().is_empty() {
                    self.say(own, to, Message::Unpassed(kept.unpassed().to_vec()));
                }
                self.sweep(own);
            }
            Step::Drops(own, what) => {
                let Some(times) = self.all[own].hands.get_mut(&what) else { return };
                *times -= 1;
                if *times == 0 {
                    self.all[own].hands.remove(&what);
                }
                self.sweep(own);
            }
            Step::Fetches(own, what) => {
                self.may.fetch -= 1;
                let Ref::Import { at, number: export, .. } = what else { return };
                let call = self.number(own);
                self.all[own].asks.insert(call, what);
                self.say(own, at, Message::Fetch { call, export });
            }
            Step::Hears(own, peer) => {
                match self.all[peer].sides.get_mut(&own).and_then(|side| side.line.pop_front()) {
                    Some(message) => self.hears(own, peer, message),
                    None => {
                        self.ends(own, peer);
                        self.all[own].to_settle.extend((own == OWNER).then_some(peer));
                    }
                }
                self.sweep(own);
            }
            Step::Settles(peer) => {
                self.all[OWNER].to_settle.remove(&peer);
                for other in 1..self.all.len() {
                    self.say(OWNER, other, Message::Ended(peer));
                }
            }
            Step::Ends(object) => {
                self.may.end -= 1;
                self.ended.insert(object);
            }
            Step::Mourns(own, peer, number) => {
                self.all[own].mourners.remove(&(peer, number));
                self.say(own, peer, Message::Exited(number));
            }
            Step::Watches(own, peer, number) => self.watches(own, peer, number),
            Step::Unwatches(own, peer, number) => {
                self.may.watch -= 1;
                self.side(own, peer).imports.unwatch(number);
            }
            Step::Dies(own) => self.dies(own),
        }
    }

    fn watches(&mut self, own: Who, peer: Who, number: u64) {
        self.may.watch -= 1;
        if let Err(((), how)) = self.side(own, peer).imports.watch(number, ()) {
            how.expect("it is held");
            self.all[own].told.insert((peer, number));
        }
    }

    fn side(&mut self, own: Who, peer: Who) -> &mut Side {
        self.all[own].sides.get_mut(&peer).expect("each has a link with each")
    }

    fn number(&mut self, own: Who) -> u64 {
        self.all[own].next += 1;
        self.all[own].next
    }

    /// The program gets a reference.
    fn has(&mut self, own: Who, what: Ref) {
        self.is_there(own, what);
        *self.all[own].hands.entry(what).or_default() += 1;
    }

    fn is_there(&mut self, own: Who, what: Ref) {
        assert!(!self.freed.contains(&what.is()) || !matches!(what, Ref::Own(_)), "it is gone");
        self.all[own].has.insert(what);
    }

    fn say(&mut self, own: Who, to: Who, message: Message) {
        if self.all[to].is_dead || own == to {
            return;
        }
        let side = self.side(own, to);
        if !side.is_over {
            side.line.push_back(message);
        }
    }

    fn packs(&mut self, own: Who, to: Who, what: Ref) {
        self.may.send -= 1;
        let (mut kept, is) = (Kept::default(), what.is());
        let says = if own == OWNER || to == OWNER {
            Spoken::Word(self.refers(own, to, what, &mut kept))
        } else {
            let mut passing = Kept::default();
            let what = self.refers(own, OWNER, what, &mut passing);
            let number = self.number(own);
            self.say(own, OWNER, Message::Pass { to, number, what, is });
            self.said(own, OWNER, &passing);
            kept.passes(number);
            Spoken::Passed(number)
        };
        self.all[own].writes = Some(Writes { to, says, is, kept });
    }

    fn refers(&mut self, own: Who, to: Who, what: Ref, kept: &mut Kept<Ref>) -> Word {
        let theirs = match what {
            Ref::Import { at, number, .. } if at == to => Some(number),
            _ => None,
        };
        let mut next = self.all[own].next;
        let number = || {
            next += 1;
            next
        };
        let word = self.side(own, to).exports.speaks_of((what, what), theirs, number, kept);
        self.all[own].next = next;
        word
    }

    /// Whoever holds what was spoken of is told more from now on.
    fn said(&mut self, own: Who, to: Who, kept: &Kept<Ref>) {
        for (_, number) in kept.exported() {
            if self.side(own, to).exports.mourns(number, ()).is_none() {
                self.all[own].mourners.insert((to, number));
            }
        }
    }

    /// What a word means here.
    fn referred(&mut self, own: Who, from: Who, word: Word, is: Object) -> Ref {
        match word {
            Word::Mine(number) => {
                self.side(own, from).imports.comes(number);
                let import = Ref::Import { at: from, number, is };
                self.is_there(own, import);
                import
            }
            Word::Yours(number) => {
                let what = self.side(own, from).exports.of(number).copied();
                let what = what.expect("it is held until it is released");
                assert_eq!(what.is(), is, "it is another one");
                what
            }
        }
    }

    fn hears(&mut self, own: Who, from: Who, message: Message) {
        match message {
            Message::Gives(Spoken::Word(word), is) => {
                let what = self.referred(own, from, word, is);
                self.has(own, what);
            }
            Message::Gives(Spoken::Passed(number), is) => {
                let what = self.takes_passed(own, from, number);
                assert!(what.is_none_or(|what| what.is() == is), "it is another one");
                assert!(what.is_some() || self.all[from].is_dead, "it was not handed on");
                what.into_iter().for_each(|what| self.has(own, what));
            }
            Message::Release(number) => {
                assert!(self.let_go(own, from, number).is_some(), "it is let go of twice");
            }
            Message::Exited(number) => {
                if self.side(own, from).imports.ended(number, ()).is_some() {
                    self.all[own].told.insert((from, number));
                }
            }
            Message::Pass { to, number, what, is } => {
                let what = self.referred(own, from, what, is);
                if self.all[own].sides[&to].is_over {
                    return;
                }
                let mut kept = Kept::default();
                let what = self.refers(own, to, what, &mut kept);
                self.say(own, to, Message::Passed { from, number, what, is });
                self.said(own, to, &kept);
            }
            Message::Passed { from: who, number, what, is } => {
                let what = self.referred(own, from, what, is);
                self.all[own].passed.comes(who, number, Some(what));
            }
            Message::Unpassed(numbers) => {
                numbers.iter().for_each(|number| _ = self.takes_passed(own, from, *number));
            }
            Message::Ended(who) if who != own => {
                self.side(own, who).has_ended = true;
                _ = self.all[own].passed.ended(&who);
                self.ends(own, who);
            }
            Message::Ended(_) => {}
            Message::Fetch { call, export } => {
                let what = self.side(own, from).exports.of(export).copied();
                let what = what.expect("it is kept until it has come");
                let inside =
                    self.inside.get(&what.is()).copied().filter(|_| what == Ref::Own(what.is()));
                let mut kept = Kept::default();
                let has = inside
                    .map(|inside| (self.refers(own, from, Ref::Own(inside), &mut kept), inside));
                self.say(own, from, Message::Value { call, has });
                self.said(own, from, &kept);
            }
            Message::Value { call, has } => {
                if let Some((word, is)) = has {
                    let what = self.referred(own, from, word, is);
                    self.has(own, what);
                }
                self.all[own].asks.remove(&call);
            }
        }
    }

    fn takes_passed(&mut self, own: Who, from: Who, number: u64) -> Option<Ref> {
        let has_ended = self.all[own].sides[&from].has_ended;
        match self.all[own].passed.take(from, number, has_ended) {
            Taken::Come(what) => what,
            Taken::Never => None,
            Taken::NotYet => panic!("it is waited for"),
        }
    }

    fn let_go(&mut self, own: Who, to: Who, number: u64) -> Option<()> {
        match self.side(own, to).exports.released(number)? {
            LetGo::Reference(_, mourner) => {
                mourner.into_iter().for_each(|()| _ = self.all[own].mourners.remove(&(to, number)));
            }
            LetGo::Loan(()) => {}
        }
        Some(())
    }

    /// A link ends here.
    fn ends(&mut self, own: Who, peer: Who) {
        let side = self.side(own, peer);
        side.is_over = true;
        (side.imports, side.line) = Default::default();
        let held = std::mem::replace(&mut side.exports, Exports::over());
        held.into_held().for_each(drop);
        let process = &mut self.all[own];
        process.mourners.retain(|(to, _)| *to != peer);
        process.asks.retain(|_, what| !matches!(what, Ref::Import { at, .. } if *at == peer));
    }

    fn dies(&mut self, own: Who) {
        self.may.die -= 1;
        let process = std::mem::take(&mut self.all[own]);
        let words =
            |(peer, Side { line, .. })| (peer, Side { line, is_over: true, ..Side::default() });
        let sides = process.sides.into_iter().map(words).collect();
        self.all[own] = Process { is_dead: true, sides, ..Process::default() };
        for peer in (0..self.all.len()).filter(|peer| *peer != own) {
            self.side(peer, own).line.clear();
        }
    }

    /// What nobody here has any more is dropped.
    fn sweep(&mut self, own: Who) {
        loop {
            let process = &self.all[own];
            let Some(gone) = process.has.iter().copied().find(|what| !self.is_had(process, *what))
            else {
                return;
            };
            self.all[own].has.remove(&gone);
            match gone {
                Ref::Own(object) => _ = self.freed.insert(object),
                Ref::Import { at, number, .. } => {
                    self.side(own, at).imports.lets_go(number);
                    self.all[own].told.remove(&(at, number));
                    self.say(own, at, Message::Release(number));
                }
            }
        }
    }

    fn is_had(&self, process: &Process, what: Ref) -> bool {
        let mut exported = process.sides.values().flat_map(|side| side.exports.references());
        let is_inside = |(outer, inner): (&Object, &Object)| {
            Ref::Own(*inner) == what && process.has.contains(&Ref::Own(*outer))
        };
        process.hands.contains_key(&what)
            || exported.any(|own| *own == what)
            || process.passed.0.values().flatten().any(|own| *own == what)
            || process
                .writes
                .iter()
                .any(|writes| writes.kept.spoken.iter().any(|(own, _)| *own == what))
            || process.asks.values().any(|own| *own == what)
            || self.inside.iter().any(is_inside)
    }
}
