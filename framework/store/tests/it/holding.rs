//! How processes hand an object on, in every order in which their words can be heard, whoever dies when: with the store itself, and the
//! rules by which a session of `raytree-objects` holds, lends and lets go.
//!
//! One process writes an object and tells the next where it is; each that is told pins it at once, has the store hold it, lets go of its
//! pin and of the one who told it when that is done, and may tell the next. Words over one line are heard in order; those of two lines in any.
//! What a process had said before its end is heard before that.

use std::collections::VecDeque;

use raytree_store::{Client, ClientId, Location, Region, Standing, Store, Terms, View, Written};

const BYTES: &[u8] = b"what is held";

/// What is said to the store.
enum Says {
    Written(Written),
    Take(Location),
    LetGo(Location),
    /// The operating system says so.
    Ended,
}

/// What one process says to the next, or back.
enum Word {
    /// Here it is: held until that is said.
    Lent(Location),
    Release,
    Ended,
}

/// What keeps the object for a process.
enum Holding {
    Nothing,
    Store(Location),
    Taking(Location, View),
    Alone(View),
}

struct Process {
    id: ClientId,
    client: Option<Client>,
    holding: Holding,
    /// A loan to the next one, which keeps the object as a holding of its own does.
    loan: Option<Location>,
    /// The one before is to hear that it is held.
    owes: bool,
    has_lent: bool,
    has_dropped: bool,
    to_store: VecDeque<Says>,
    from_store: VecDeque<bool>,
    to_next: VecDeque<Word>,
    to_before: VecDeque<Word>,
}

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Writes,
    Lends(usize),
    Drops(usize),
    StoreHears(usize),
    HearsStore(usize),
    HearsBefore(usize),
    HearsNext(usize),
    Dies(usize),
    Buries,
}

struct World {
    store: Store,
    heir: ClientId,
    estates: VecDeque<Vec<Location>>,
    all: Vec<Process>,
    awaited: Vec<(usize, Location)>,
    dies: Option<usize>,
    has_written: bool,
}

impl World {
    fn new(processes: usize, dies: Option<usize>) -> Self {
        let mut store = Store::new(Region::Heap, 4096).unwrap();
        let (heir, _) = store.join().unwrap();
        let process = |_| {
            let (id, memory) = store.join().unwrap();
            Process {
                id,
                client: Some(Client::new(memory)),
                holding: Holding::Nothing,
                loan: None,
                owes: false,
                has_lent: false,
                has_dropped: false,
                to_store: VecDeque::new(),
                from_store: VecDeque::new(),
                to_next: VecDeque::new(),
                to_before: VecDeque::new(),
            }
        };
        let all = (0..processes).map(process).collect();
        let (estates, awaited) = Default::default();
        Self { store, heir, estates, all, awaited, dies, has_written: false }
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if !self.has_written && self.all[0].client.is_some() {
            steps.push(Step::Writes);
        }
        for (at, own) in self.all.iter().enumerate() {
            if !own.to_store.is_empty() {
                steps.push(Step::StoreHears(at));
            }
            if own.client.is_none() {
                continue;
            }
            let is_place = matches!(own.holding, Holding::Store(_) | Holding::Taking(..));
            if is_place && !own.has_lent && at + 1 < self.all.len() {
                steps.push(Step::Lends(at));
            }
            if !matches!(own.holding, Holding::Nothing) && !own.has_dropped {
                steps.push(Step::Drops(at));
            }
            if !own.from_store.is_empty() {
                steps.push(Step::HearsStore(at));
            }
            if at > 0 && !self.all[at - 1].to_next.is_empty() {
                steps.push(Step::HearsBefore(at));
            }
            if self.all.get(at + 1).is_some_and(|next| !next.to_before.is_empty()) {
                steps.push(Step::HearsNext(at));
            }
            if self.dies == Some(at) {
                steps.push(Step::Dies(at));
            }
        }
        if !self.estates.is_empty() {
            steps.push(Step::Buries);
        }
        steps
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Writes => self.writes(),
            Step::Lends(at) => {
                let own = &mut self.all[at];
                let (Holding::Store(place) | Holding::Taking(place, _)) = own.holding else {
                    return;
                };
                (own.loan, own.has_lent) = (Some(place), true);
                own.to_next.push_back(Word::Lent(place));
            }
            Step::Drops(at) => {
                self.all[at].has_dropped = true;
                self.lets_go(at);
            }
            Step::StoreHears(at) => self.store_hears(at),
            Step::HearsStore(at) => {
                let own = &mut self.all[at];
                let is_there = own.from_store.pop_front().unwrap();
                own.holding = match std::mem::replace(&mut own.holding, Holding::Nothing) {
                    Holding::Taking(place, _) if is_there => Holding::Store(place),
                    Holding::Taking(_, view) => Holding::Alone(view),
                    other => other,
                };
                if std::mem::take(&mut own.owes) {
                    own.to_before.push_back(Word::Release);
                }
            }
            Step::HearsBefore(at) => self.hears_before(at),
            Step::HearsNext(at) => {
                let word = self.all[at + 1].to_before.pop_front();
                // To one that has ended nothing is lent.
                self.all[at].has_lent |= matches!(word, Some(Word::Ended));
                self.all[at].loan = None;
                self.lets_go(at);
            }
            Step::Dies(at) => {
                self.dies = None;
                let own = &mut self.all[at];
                (own.client, own.holding, own.loan) = (None, Holding::Nothing, None);
                own.from_store.clear();
                own.to_store.push_back(Says::Ended);
                own.to_next.push_back(Word::Ended);
                own.to_before.push_back(Word::Ended);
            }
            Step::Buries => {
                let left = self.estates.pop_front().unwrap();
                self.store.release(self.heir, &left);
            }
        }
        self.store.sweep();
    }

    fn writes(&mut self) {
        self.has_written = true;
        let own = &mut self.all[0];
        let lease = self.store.lease(own.id, Terms::one(BYTES.len() as u64)).unwrap();
        let client = own.client.as_ref().unwrap();
        let mut space = client.lend_one(lease, BYTES.len() as u64).unwrap();
        space.fill(BYTES);
        own.holding = Holding::Store(space.seal());
        own.to_store.push_back(Says::Written(client.written()));
    }

    /// What the process held is held by nothing in it any more, neither by itself nor by its loan.
    fn lets_go(&mut self, at: usize) {
        let own = &mut self.all[at];
        if !own.has_dropped || own.loan.is_some() {
            return;
        }
        if let Holding::Store(place) | Holding::Taking(place, _) =
            std::mem::replace(&mut own.holding, Holding::Nothing)
        {
            own.to_store.push_back(Says::LetGo(place));
        }
    }

    fn store_hears(&mut self, at: usize) {
        let own = &mut self.all[at];
        match own.to_store.pop_front().unwrap() {
            Says::Written(written) => self.store.written(own.id, &written).unwrap(),
            Says::Take(place) => {
                self.store.hold(own.id, &place);
                self.awaited.push((at, place));
            }
            Says::LetGo(place) => self.store.release(own.id, &[place]),
            Says::Ended => {
                self.awaited.retain(|(who, _)| *who != at);
                let left = self.store.leave_to(own.id, self.heir);
                if !left.is_empty() {
                    self.estates.push_back(left);
                }
            }
        }
        // Told once it is known: a writer may be heard later than the one whom he has told.
        for (who, place) in
            self.awaited.extract_if(.., |(_, place)| self.store.standing(place) != Standing::Lent)
        {
            let is_there = self.store.standing(&place) == Standing::Sealed;
            self.all[who].from_store.push_back(is_there);
        }
    }

    fn hears_before(&mut self, at: usize) {
        let (before, rest) = self.all.split_at_mut(at);
        let own = &mut rest[0];
        let Some(Word::Lent(place)) = before[at - 1].to_next.pop_front() else { return };
        match own.client.as_ref().unwrap().view(place) {
            Ok(view) => {
                own.holding = Holding::Taking(place, view);
                own.owes = true;
                own.to_store.push_back(Says::Take(place));
            }
            Err(_) => {
                let has_ended = before.iter().any(|process| process.client.is_none());
                assert!(has_ended, "who lent it lives, and it is not there");
                own.to_before.push_back(Word::Release);
            }
        }
    }

    /// Whoever holds it can read it, at every moment.
    fn is_read(&self) {
        for own in &self.all {
            match (&own.holding, &own.client) {
                (Holding::Store(place), Some(client)) => {
                    assert_eq!(&*client.view(*place).unwrap(), BYTES);
                }
                (Holding::Taking(_, view) | Holding::Alone(view), _) => assert_eq!(&**view, BYTES),
                _ => {}
            }
        }
    }
}

/// One story: at each fork the way that `chooses` says, of so many.
fn story(processes: usize, dies: Option<usize>, mut chooses: impl FnMut(usize) -> usize) {
    let (mut world, mut told) = (World::new(processes, dies), Vec::new());
    loop {
        let steps = world.steps();
        // It may as well never die.
        if steps.iter().all(|step| matches!(step, Step::Dies(_))) {
            break;
        }
        let step = steps[chooses(steps.len())];
        told.push(step);
        world.take(step);
        world.is_read();
    }
    world.store.sweep();
    let used = world.store.used();
    assert_eq!((used.objects, used.sealed, used.dying), (0, 0, 0), "{told:?}");
}

/// All stories there are.
fn stories(processes: usize, dies: Option<usize>) -> u64 {
    let (mut path, mut count) = (Vec::<(usize, usize)>::new(), 0);
    loop {
        let mut at = 0;
        story(processes, dies, |ways| {
            if at == path.len() {
                path.push((0, ways));
            }
            at += 1;
            path[at - 1].0
        });
        count += 1;
        while path.last().is_some_and(|(way, ways)| way + 1 == *ways) {
            path.pop();
        }
        match path.last_mut() {
            Some((way, _)) => *way += 1,
            None => return count,
        }
    }
}

#[test]
fn ho_1_ho_2_an_object_is_there_for_whoever_was_told_of_it_in_every_order_there_is() {
    let told = [None, Some(0), Some(1)].map(|dies| stories(2, dies));
    assert!(told.iter().all(|stories| *stories > 20), "{told:?}");
}

#[test]
fn ho_1_ho_2_hold_for_a_chain_of_three_in_many_orders() {
    for seed in 0..3000u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let dies = [None, Some(0), Some(1), Some(2)][(seed % 4) as usize];
        story(3, dies, |ways| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % ways as u64) as usize
        });
    }
}
