use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::spill::device::Room;

pub(super) const FUSED: u64 = 1024;

pub(super) fn wanted(first: u128, lens: &[u64]) -> Vec<Wanted> {
    (first..).zip(lens).map(|(key, len)| Wanted { key: Key(key), len: *len }).collect()
}

pub(super) fn ledger(folders: usize, quota: Option<u64>) -> Ledger {
    Ledger::new(&vec![false; folders], Rules { quota, fused: FUSED })
}

#[test]
fn sp_5_small_objects_are_fused_and_large_ones_are_alone() {
    let mut ledger = ledger(1, None);
    // Records of 128, 128, 4096, 832, 128 bytes.
    let drafts = ledger.plan(&wanted(0, &[60, 0, 4000, 700, 60]), &[Some(u64::MAX)]).unwrap();
    let files: Vec<_> = drafts.iter().map(|one| (one.objects.clone(), one.bytes)).collect();
    assert_eq!(span(0), 64, "an object of no bytes is its header");
    let expected = [(vec![2], span(4000)), (vec![0, 1, 3], 128 + 64 + 768), (vec![4], 128)];
    assert_eq!(files, expected);
    let many = vec![0; limits::SPILL_FUSED_OBJECTS + 1];
    let mut large = Ledger::new(&[false], Rules::default());
    let drafts = large.plan(&wanted(0, &many), &[Some(u64::MAX)]).unwrap();
    let counts: Vec<_> = drafts.iter().map(|one| one.objects.len()).collect();
    assert_eq!(counts, [limits::SPILL_FUSED_OBJECTS, 1]);
}

#[test]
fn folders_are_used_in_turn_and_full_ones_are_passed_over() {
    let mut ledger = ledger(3, None);
    let mut next = |usable: [Option<u64>; 3]| {
        ledger.plan(&wanted(0, &[10]), &usable).map(|drafts| drafts[0].folder)
    };
    let endless = Some(u64::MAX);
    assert_eq!(next([endless; 3]), Ok(0));
    assert_eq!(next([endless; 3]), Ok(1));
    assert_eq!(next([endless, endless, Some(127)]), Ok(0));
    assert_eq!(next([endless, None, Some(128)]), Ok(2));
    let no_room = NoPlan::NoRoom { folder: 1, needed: 128, free: 100 };
    assert_eq!(next([None, Some(128 + 100), Some(128 + 9)]), Err(no_room), "others are written");
    assert_eq!(next([None; 3]), Err(NoPlan::NoFolder));
}

#[test]
fn what_is_beyond_a_network_has_no_quota_and_is_used_where_no_folder_has_room() {
    let rules = Rules { quota: Some(300), fused: FUSED };
    let mut ledger = Ledger::new(&[true, false, true, false], rules);
    let mut next = |usable: [Option<u64>; 4], len| {
        ledger.plan(&wanted(0, &[len]), &usable).map(|drafts| drafts[0].folder)
    };
    let endless = Some(u64::MAX);
    assert_eq!([next([endless; 4], 60), next([endless; 4], 60)], [Ok(1), Ok(3)]);
    assert_eq!(next([endless; 4], 1000), Ok(0), "it is more than the quota of a folder");
    assert_eq!([next([endless; 4], 1000), next([endless; 4], 1000)], [Ok(2), Ok(0)], "in turn");
    assert_eq!(next([endless; 4], 60), Ok(1));
    let no_room = NoPlan::NoRoom { folder: 3, needed: span(1000), free: 282 - 128 };
    assert_eq!(next([None, endless, None, endless], 1000), Err(no_room));
    let quotas: Vec<_> = ledger.used().iter().map(|folder| folder.quota).collect();
    assert_eq!(quotas, [None, Some(300), None, Some(300)]);
}

/// A sixteenth of the quota is for what is written anew.
#[test]
fn sp_1_what_a_plan_uses_is_not_there_for_the_rest_of_it() {
    let mut ledger = ledger(1, Some(300));
    let all = [Some(u64::MAX)];
    let two = wanted(0, &[FUSED, FUSED]);
    let needed = span(FUSED);
    let no_room = NoPlan::NoRoom { folder: 0, needed, free: 300 - 18 };
    assert_eq!(ledger.plan(&two, &all), Err(no_room));
    assert_eq!(ledger.used()[0].bytes, 0, "nothing is planned by half");
    let drafts = ledger.plan(&wanted(0, &[60, 60]), &all).unwrap();
    let no_room = NoPlan::NoRoom { folder: 0, needed: 128, free: 300 - 18 - 256 };
    assert_eq!(ledger.plan(&wanted(2, &[60]), &all), Err(no_room));
    ledger.abandon(&drafts);
    assert!(ledger.plan(&wanted(2, &[60]), &all).is_err(), "its file is still there");
    ledger.removed(drafts[0].file);
    assert!(ledger.plan(&wanted(2, &[60]), &all).is_ok());
}

#[test]
fn what_is_not_there_is_neither_found_nor_removed_twice() {
    let mut ledger = ledger(1, None);
    let objects = wanted(7, &[60, 60]);
    let drafts = ledger.plan(&objects, &[Some(u64::MAX)]).unwrap();
    let file = drafts[0].file;
    let early = Extent { file, offset: 0, len: 60, checksum: 1 };
    assert_eq!(ledger.find(Key(7), &early), Err(Gone), "it is not written");
    let at = ledger.written(&drafts, &objects, &[1, 2]);
    assert_eq!((at[0], ledger.find(Key(7), &at[0])), (early, Ok((0, early))));
    assert_eq!(ledger.find(Key(8), &at[0]), Err(Gone));
    assert_eq!(ledger.find(Key(7), &Extent { checksum: 2, ..at[0] }), Err(Gone));
    assert_eq!(ledger.find(Key(7), &Extent { offset: 64, ..at[0] }), Err(Gone));
    assert_eq!(ledger.remove(Key(7), &at[0]), Ok(None));
    assert_eq!(ledger.remove(Key(7), &at[0]), Err(Gone));
    assert_eq!(ledger.remove(Key(8), &at[1]), Ok(Some((0, file))));
    assert_eq!((ledger.find(Key(8), &at[1]), ledger.dead()), (Err(Gone), vec![(0, file)]));
    ledger.removed(file);
    ledger.removed(file);
    assert_eq!(ledger.used(), [UsedFolder::default()]);
}

#[test]
fn there_are_no_more_objects_than_there_can_be() {
    let mut ledger = ledger(1, None);
    ledger.objects_max = 3;
    let drafts = ledger.plan(&wanted(0, &[1, 2]), &[Some(u64::MAX)]).unwrap();
    let too_many = Err(NoPlan::TooMany { spilled: 2 });
    assert_eq!(ledger.plan(&wanted(2, &[1, 2]), &[Some(u64::MAX)]), too_many);
    ledger.abandon(&drafts);
    assert!(ledger.plan(&wanted(2, &[1, 2, 3]), &[Some(u64::MAX)]).is_ok());
}

/// What happens to a ledger. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Begin(Vec<u64>),
    Finish(usize),
    /// One of its files is not written, and the folder is left out or not.
    Fail(usize, bool),
    Remove(usize),
    /// What is left of files goes into a new one.
    Move,
    /// That is done, or not: for the fault of the file of one of the objects, or of nobody.
    Moved,
    NotMoved(Option<usize>),
    /// The disk removes nothing from now on, or again.
    Stuck(bool),
    /// Others write to the disk.
    Others(usize, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![0..300_u64, Just(0), 900..1100_u64, 0..5000_u64];
    prop_oneof![
        4 => prop::collection::vec(len, 0..8).prop_map(Step::Begin),
        4 => any::<usize>().prop_map(Step::Finish),
        2 => (any::<usize>(), prop::bool::weighted(0.1)).prop_map(|(at, out)| Step::Fail(at, out)),
        6 => any::<usize>().prop_map(Step::Remove),
        3 => Just(Step::Move),
        2 => Just(Step::Moved),
        1 => prop::option::weighted(0.2, any::<usize>()).prop_map(Step::NotMoved),
        1 => any::<bool>().prop_map(Step::Stuck),
        1 => (any::<usize>(), 0..20_000_u64).prop_map(|(at, bytes)| Step::Others(at, bytes)),
    ]
}

const DISK: u64 = 20_000;
const QUOTA: u64 = 15_000;
const FOLDERS: usize = 3;

/// Disks and what is on them, beside the ledger.
struct World {
    ledger: Ledger,
    /// How long, in which folder.
    files: BTreeMap<FileId, (usize, u64)>,
    others: [u64; FOLDERS],
    writes: Vec<(Vec<Draft>, Vec<Wanted>)>,
    objects: Vec<(Key, Extent)>,
    /// What is where on the disk.
    records: BTreeMap<(FileId, u64), Key>,
    anew: Option<Anew>,
    keys: u128,
    is_stuck: bool,
}

impl World {
    fn new() -> Self {
        let (files, writes, objects, records, anew) = Default::default();
        let (ledger, others) = (ledger(FOLDERS, Some(QUOTA)), [0; 3]);
        let (keys, is_stuck) = (0, false);
        Self { ledger, files, others, writes, objects, records, anew, keys, is_stuck }
    }

    fn on_disk(&self, folder: usize) -> u64 {
        self.files.values().filter(|(at, _)| *at == folder).map(|(_, bytes)| bytes).sum()
    }

    fn usable(&self) -> Vec<Option<u64>> {
        let free = |at: usize| (DISK - self.others[at]).saturating_sub(self.on_disk(at));
        (0..FOLDERS).map(|at| Some(free(at))).collect()
    }

    fn put(&mut self, file: FileId, folder: usize, bytes: u64) {
        assert!(bytes <= self.usable()[folder].unwrap(), "SP-1: no room on the disk");
        let before = self.files.insert(file, (folder, bytes));
        assert_eq!(before, None, "a number is given once");
    }

    fn rooms(&self) -> Vec<Option<Room>> {
        let room = |free: Option<u64>| free.map(|free| Room { total: DISK, free });
        self.usable().into_iter().map(room).collect()
    }

    fn moves(&mut self) {
        let anew = self.ledger.begin_anew(&self.rooms());
        if let Some(anew) = &anew {
            assert!(self.anew.is_none(), "one at once");
            assert!(anew.bytes <= FUSED, "SP-5: {anew:?}");
        }
        self.anew = self.anew.take().or(anew);
    }

    fn are_moved(&mut self, anew: &Anew) {
        self.put(anew.file, anew.folder, anew.bytes);
        let mut offset = 0;
        for (key, at) in &anew.objects {
            self.records.insert((anew.file, offset), *key);
            offset += span(at.len);
        }
        let dead = self.ledger.are_moved(anew);
        assert!(dead.iter().all(|one| self.ledger.dead().contains(one)), "SP-3: {dead:?}");
    }

    fn clean(&mut self) {
        for (folder, file) in self.ledger.dead() {
            if !self.is_stuck {
                let on_disk = self.files.remove(&file);
                assert!(on_disk.is_none_or(|(at, _)| at == folder));
                self.ledger.removed(file);
            }
        }
    }

    fn begin(&mut self, lens: &[u64]) {
        let objects = wanted(self.keys, lens);
        self.keys += lens.len() as u128;
        let usable = self.usable();
        if let Ok(drafts) = self.ledger.plan(&objects, &usable) {
            for draft in &drafts {
                let is_one = draft.objects.len() == 1 && draft.bytes > FUSED;
                assert!(is_one || draft.bytes <= FUSED, "SP-5: {draft:?}");
                let bytes = draft.objects.iter().map(|at| span(objects[*at].len)).sum::<u64>();
                assert_eq!(draft.bytes, bytes, "SP-2");
            }
            self.writes.push((drafts, objects));
        }
    }

    fn finish(&mut self, at: usize) {
        let (drafts, objects) = self.writes.swap_remove(at);
        drafts.iter().for_each(|draft| self.put(draft.file, draft.folder, draft.bytes));
        let sums: Vec<_> = (0..objects.len() as u32).collect();
        let extents = self.ledger.written(&drafts, &objects, &sums);
        for ((one, at), sum) in objects.iter().zip(extents).zip(sums) {
            assert_eq!((at.len, at.checksum), (one.len, sum));
            self.records.insert((at.file, at.offset), one.key);
            self.objects.push((one.key, at));
        }
    }

    fn fail(&mut self, at: usize, is_left_out: bool) {
        let (drafts, _) = self.writes.swap_remove(at);
        let failed = at.checked_rem(drafts.len()).unwrap_or(0);
        for draft in &drafts[..failed] {
            self.put(draft.file, draft.folder, draft.bytes);
        }
        self.ledger.abandon(&drafts);
        if let Some(draft) = drafts.get(failed).filter(|_| is_left_out) {
            self.ledger.leave_out(draft.folder);
        }
    }

    fn remove(&mut self, at: usize) {
        let (key, extent) = self.objects.swap_remove(at);
        let file = self.file(key, &extent);
        let dead = self.ledger.remove(key, &extent).unwrap();
        let is_empty = !self.objects.iter().any(|(key, other)| self.file(*key, other) == file);
        assert_eq!(dead.map(|(_, file)| file), is_empty.then_some(file), "SP-3");
    }

    fn file(&self, key: Key, at: &Extent) -> FileId {
        self.ledger.find(key, at).unwrap().1.file
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Move => self.moves(),
            Step::Moved => {
                let anew = self.anew.take();
                anew.iter().for_each(|anew| self.are_moved(anew));
            }
            Step::NotMoved(unread) => {
                if let Some(anew) = self.anew.take() {
                    let unread = unread.map(|at| anew.objects[at % anew.objects.len()].1.file);
                    self.ledger.are_not_moved(&anew, unread);
                }
            }
            Step::Begin(lens) => self.begin(lens),
            Step::Finish(_) | Step::Fail(..) if self.writes.is_empty() => {}
            Step::Finish(at) => self.finish(at % self.writes.len()),
            Step::Fail(at, out) => self.fail(at % self.writes.len(), *out),
            Step::Remove(_) if self.objects.is_empty() => {}
            Step::Remove(at) => self.remove(at % self.objects.len()),
            Step::Stuck(is_stuck) => self.is_stuck = *is_stuck,
            Step::Others(at, bytes) => {
                // Not what is promised: they would have to be quick between a look and a write.
                let promised = self.ledger.used()[at % FOLDERS].bytes;
                self.others[at % FOLDERS] = *bytes.min(&DISK.saturating_sub(promised));
            }
        }
        self.clean();
        self.check();
    }

    fn check(&self) {
        let used = self.ledger.used();
        let mut files: BTreeMap<FileId, Vec<Extent>> = BTreeMap::new();
        for (key, at) in &self.objects {
            let (folder, now) = self.ledger.find(*key, at).expect("SP-7");
            assert_eq!(
                (folder, now.len, now.checksum),
                (self.files[&now.file].0, at.len, at.checksum)
            );
            assert_eq!(self.records[&(now.file, now.offset)], *key, "SP-7");
            files.entry(now.file).or_default().push(now);
        }
        for (folder, used) in used.iter().enumerate() {
            let on_disk = self.on_disk(folder);
            let here = || files.iter().filter(|(file, _)| self.files[file].0 == folder);
            let live = here().flat_map(|(_, objects)| objects).map(|at| span(at.len)).sum::<u64>();
            assert!(on_disk <= used.bytes && used.bytes <= QUOTA, "SP-1: {used:?}");
            assert_eq!((live, here().map(|(_, all)| all.len()).sum()), (used.live, used.objects));
        }
        let is_at_rest = self.anew.is_none() && self.ledger.dead().is_empty();
        for file in self.ledger.wasteful.iter().filter(|_| is_at_rest) {
            let File { folder, live, .. } = &self.ledger.files[file];
            let free = self.ledger.free_for_anew(*folder, &[Some(Room::ENDLESS); FOLDERS]);
            assert!(used[*folder].is_left_out || *live <= free, "SP-6: {live} and {free}");
        }
        for (file, mut objects) in files {
            objects.sort_by_key(|at| at.offset);
            let ends = objects.iter().map(|at| at.offset + span(at.len));
            let begins = objects.iter().map(|at| at.offset).skip(1).chain([self.files[&file].1]);
            assert!(ends.zip(begins).all(|(end, next)| end <= next), "SP-2: {objects:?}");
        }
    }

    fn end(mut self) {
        self.is_stuck = false;
        while !self.writes.is_empty() {
            self.fail(0, false);
        }
        self.step(&Step::NotMoved(None));
        // Until nothing is wasted any more, where there is room.
        self.others = [0; FOLDERS];
        self.clean();
        while let Some(anew) = self.ledger.begin_anew(&self.rooms()) {
            self.are_moved(&anew);
            self.clean();
            self.check();
        }
        assert!(!self.ledger.is_any_wasteful(), "SP-6");
        while !self.objects.is_empty() {
            self.remove(0);
        }
        self.clean();
        self.check();
        assert!(self.files.is_empty(), "SP-3: {:?}", self.files);
        let is_nothing = |one: &UsedFolder| one.bytes + one.live == 0 && one.files == 0;
        assert!(self.ledger.used().iter().all(is_nothing), "SP-4: {:?}", self.ledger.used());
        assert!(self.ledger.folders.iter().all(|folder| folder.unwritten == 0), "SP-4");
        assert_eq!(self.ledger.objects, 0, "SP-4");
        assert!(self.ledger.moved.is_empty() && self.ledger.wasteful.is_empty(), "SP-4");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn sp_1_sp_2_sp_3_sp_4_sp_5_sp_6_sp_7_hold_whatever_fails(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        let numbers: BTreeSet<_> = world.objects.iter().map(|(key, _)| *key).collect();
        prop_assert_eq!(numbers.len(), world.objects.len());
        world.end();
    }
}
