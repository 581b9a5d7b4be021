use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use raytree_store::spill::{Extent, FileId, Key, SpillError};
use raytree_store::{Client, ClientId, Location, Place, Refused, Region, Store, Terms};

use raytree_types::limits;

use super::admission::Need;
use super::desk::Desk;
use super::line::{Line, Words};
use super::pulls::Pulls;
use super::spilling::{Job, Spilling};
use crate::protocol::{Found, Says, Told};

const ROOM: u64 = 1 << 20;
const LONG: u64 = ROOM / 4;
const NOW: Duration = Duration::from_secs(9);

/// A desk with one process, which is told things that nobody reads.
struct Scene {
    desk: Desk,
    user: (ClientId, Client),
    line: Arc<Line>,
    _theirs: UnixStream,
}

impl Scene {
    fn new() -> Self {
        let mut store = Store::new(Region::Heap, ROOM).unwrap();
        let [keeper, user] = [0; 2].map(|_| {
            let (id, memory) = store.join().unwrap();
            (id, Client::new(memory))
        });
        let (ours, theirs) = UnixStream::pair().unwrap();
        let desk = Desk::new(store, keeper, Some(Spilling::new(ROOM)));
        Self { desk, user, line: Arc::new(Line::new(ours)), _theirs: theirs }
    }

    /// An object that is on disk alone.
    fn on_disk(&mut self, key: u128) -> Location {
        let object = self.in_memory();
        let extent = Extent { file: FileId(0), offset: 0, len: LONG, checksum: 0 };
        assert_eq!(self.desk.store.put_out(&[(object, (Key(key), extent))]), LONG);
        object
    }

    /// One that is in memory.
    fn in_memory(&mut self) -> Location {
        let (id, client) = &self.user;
        let mut space =
            client.lend_one(self.desk.store.lease(*id, Terms::one(LONG)).unwrap(), LONG).unwrap();
        space.fill(&[7; LONG as usize]);
        let object = space.seal();
        self.desk.store.written(*id, &client.written()).unwrap();
        object
    }

    fn seeks(&mut self, number: u64, object: Location) {
        let mut words = Words::new();
        self.desk.seeks(self.user.0, &self.line, (number, object), NOW, &mut words);
        assert!(words.is_empty(), "it is on disk");
    }

    fn lets_go(&mut self, object: Location) {
        self.desk.store.release(self.user.0, &[object]);
        self.desk.store.sweep();
    }

    /// Which object is to be brought; what is to be removed before is passed over.
    fn brings(&mut self) -> Option<Key> {
        let mut words = Words::new();
        loop {
            match self.desk.next(NOW, &mut words)? {
                Job::Remove(_) => {}
                Job::Bring { lease, spilled: (key, _), .. } => {
                    self.desk.keeper.give_back(lease);
                    return Some(key);
                }
                Job::Point { .. } | Job::Write(_) | Job::Anew => panic!("there is room"),
            }
        }
    }

    /// What is said when an object was not read.
    fn fails(&mut self, object: &Location) -> Vec<(u64, Found)> {
        let mut words = Words::new();
        let why = SpillError::NoFolder { folders: 0 };
        self.desk.is_brought(object, Err(why), NOW, &mut words);
        found(words)
    }
}

fn found(words: Words) -> Vec<(u64, Found)> {
    let found = words.into_iter().map(|(_, told)| match told {
        Told::Found { number, found } => (number, found),
        told => panic!("{told:?}"),
    });
    found.collect()
}

#[test]
fn dk_2_all_who_wait_for_an_object_that_does_not_come_are_told() {
    let mut scene = Scene::new();
    let object = scene.on_disk(1);
    scene.seeks(1, object);
    assert_eq!((scene.brings(), scene.brings()), (Some(Key(1)), None));
    // On its way, it is not brought a second time.
    scene.seeks(2, object);
    assert_eq!(scene.brings(), None);
    let told = scene.fails(&object);
    let numbers: Vec<_> = told.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2]);
    assert!(told.iter().all(|(_, found)| matches!(found, Found::Lost(_))), "{told:?}");
    assert!(!scene.desk.is_waited_for());
    assert_eq!(scene.desk.store.place(&object), Place::OnDisk, "it may come another time");
}

#[test]
fn dk_2_what_is_said_of_an_object_is_not_said_of_the_next_one_in_its_slot() {
    for points in [false, true] {
        let mut scene = Scene::new();
        let before = scene.on_disk(1);
        scene.seeks(1, before);
        assert_eq!(scene.brings(), Some(Key(1)));
        // Its room is handed back, and all let go of it, while the disk is still at work.
        let (heir, written) = (scene.desk.heir, scene.desk.keeper.written());
        scene.desk.store.written(heir, &written).unwrap();
        scene.lets_go(before);
        let next = scene.on_disk(2);
        assert_eq!(next.slot, before.slot);
        scene.seeks(2, next);
        let told = if points {
            let extent = Extent { file: FileId(0), offset: 0, len: LONG, checksum: 0 };
            let file = Found::InFile { path: "there".to_owned(), key: Key(1), extent };
            let mut words = Words::new();
            scene.desk.has_come(&before, Some(&file), &mut words);
            found(words)
        } else {
            scene.fails(&before)
        };
        assert!(matches!(told[..], [(1, Found::Lost(_))]), "{told:?}");
        assert!(scene.desk.is_waited_for());
        assert_eq!(scene.brings(), Some(Key(2)));
    }
}

#[test]
fn mw_7_a_node_that_is_short_of_memory_knows_whether_anything_goes_to_disk() {
    let mut scene = Scene::new();
    let (object, mut words) = (scene.in_memory(), Words::new());
    assert!(!scene.desk.spills(NOW), "nobody is short of memory");
    scene.desk.hears_of_shortage(true);
    assert!(scene.desk.spills(NOW), "it will be written");
    let Some(Job::Write(written)) = scene.desk.next(NOW, &mut words) else { panic!("no job") };
    assert!(scene.desk.spills(NOW), "it is being written");
    let extent = Extent { file: FileId(0), offset: 0, len: LONG, checksum: 0 };
    drop(written);
    scene.desk.are_written(&[object], Ok(vec![(Key(1), extent)]), NOW, &mut words);
    assert!(scene.desk.next(NOW, &mut words).is_none());
    // As it is said again and again.
    scene.desk.hears_of_shortage(true);
    assert!(!scene.desk.spills(NOW), "there is no more");
}

#[test]
fn mw_7_a_node_that_is_short_of_memory_waits_for_no_disk_that_takes_nothing() {
    let mut scene = Scene::new();
    let (object, mut words) = (scene.in_memory(), Words::new());
    scene.desk.hears_of_shortage(true);
    assert!(matches!(scene.desk.next(NOW, &mut words), Some(Job::Write(_))));
    let why = SpillError::NoFolder { folders: 0 };
    scene.desk.are_written(&[object], Err(why), NOW, &mut words);
    scene.desk.hears_of_shortage(true);
    assert!(!scene.desk.spills(NOW));
    assert!(scene.desk.spills(NOW + limits::SPILL_AGAIN_AFTER), "it is tried again");
}

#[test]
fn files_are_written_anew_by_one_and_not_again_at_once_where_nothing_is_won_by_it() {
    let (mut scene, mut words) = (Scene::new(), Words::new());
    assert!(scene.desk.next(NOW, &mut words).is_none());
    scene.desk.are_removed(true);
    assert!(scene.desk.has_work(NOW));
    assert!(matches!(scene.desk.next(NOW, &mut words), Some(Job::Anew)));
    assert!(scene.desk.next(NOW, &mut words).is_none() && !scene.desk.has_work(NOW), "one does");
    // There are more of them.
    scene.desk.is_anew(1, true, NOW, &mut words);
    assert!(matches!(scene.desk.next(NOW, &mut words), Some(Job::Anew)));
    scene.desk.is_anew(0, true, NOW, &mut words);
    assert!(scene.desk.next(NOW, &mut words).is_none(), "there was no room even for that");
    let later = NOW + limits::SPILL_AGAIN_AFTER;
    assert!(scene.desk.has_work(later));
    assert!(matches!(scene.desk.next(later, &mut words), Some(Job::Anew)));
    scene.desk.is_anew(1, false, later, &mut words);
    assert!(scene.desk.next(later, &mut words).is_none() && !scene.desk.has_work(later));
}

#[test]
fn sg_1_whoever_waits_for_a_disk_that_is_full_is_refused_when_nothing_is_won_by_writing_anew() {
    for won in [0, 1] {
        let mut scene = Scene::new();
        let held: Vec<_> = (0..4).map(|_| scene.in_memory()).collect();
        let (client, line, mut words) = (scene.user.0, Arc::clone(&scene.line), Words::new());
        let leases = vec![(1, Terms::one(LONG), true)];
        scene.desk.hears(client, &line, Says { leases, ..Says::default() }, NOW);
        scene.desk.are_removed(true);
        let full = || SpillError::NoFolder { folders: 0 };
        let mut writes = |scene: &mut Scene| match scene.desk.next(NOW, &mut Words::new()) {
            Some(Job::Write(written)) => {
                let places: Vec<_> = written.into_iter().map(|(place, _)| place).collect();
                scene.desk.are_written(&places, Err(full()), NOW, &mut words);
                true
            }
            Some(Job::Anew) => false,
            _ => panic!("there is something to do"),
        };
        while writes(&mut scene) {}
        assert!(scene.desk.is_waited_for() && words.is_empty(), "it may help");
        scene.desk.is_anew(won, false, NOW, &mut words);
        let is_refused = matches!(words[..], [(_, Told::Room { number: 1, lease: Err(_) })]);
        assert_eq!(is_refused, won == 0, "{} are told something", words.len());
        let job = scene.desk.next(NOW, &mut words);
        assert_eq!(matches!(job, Some(Job::Write(_))), won > 0, "it is tried again");
        drop(held);
    }
}

/// An object of another node.
fn elsewhere(slot: u32, len: u64) -> crate::Place {
    let origin = crate::Origin { door: "another".to_owned(), at: ([127, 0, 0, 1], 0).into() };
    let object = Location { slot, generation: 1, offset: 0, len };
    crate::Place { origin, object }
}

#[test]
fn dk_1_pu_3_who_writes_and_what_is_fetched_have_room_by_turns() {
    let mut scene = Scene::new();
    scene.desk.pulls = Some(Pulls::default());
    let taken: Vec<_> = (0..4).map(|_| scene.in_memory()).collect();
    let (user, line) = (scene.user.0, Arc::clone(&scene.line));
    let leases = (0..2).map(|number| (number, Terms::one(LONG), true)).collect();
    let pulls = (0..2).map(|slot| (10, elsewhere(slot, LONG), Need::Rescue)).collect();
    let says = Says { leases, pulls, ..Says::default() };
    let told = scene.desk.hears(user, &line, says, NOW);
    assert!(told.iter().all(|(_, told)| matches!(told, Told::Waits { .. })), "{}", told.len());
    assert_eq!((scene.desk.waiting(), scene.desk.is_waited_for()), (4, true));
    let mut had = Vec::new();
    for object in taken {
        scene.lets_go(object);
        let mut words = Words::new();
        scene.desk.serves(NOW, &mut words);
        had.push(words.len());
        assert_eq!(words.len() == 1, !scene.desk.says_what_to_fetch(), "one of both");
    }
    assert_eq!(had.iter().sum::<usize>(), 2);
    assert!(had != [1, 1, 0, 0] && had != [0, 0, 1, 1], "{had:?}");
}

#[test]
fn pu_2_what_there_never_is_room_for_is_refused_at_once_and_what_no_disk_makes_room_for_as_well() {
    let mut scene = Scene::new();
    scene.desk.pulls = Some(Pulls::default());
    let (user, line) = (scene.user.0, Arc::clone(&scene.line));
    let wants = |scene: &mut Scene, len| {
        let pulls = vec![(1, elsewhere(len as u32, len), Need::Wait)];
        found(scene.desk.hears(user, &line, Says { pulls, ..Says::default() }, NOW))
    };
    let told = wants(&mut scene, ROOM + 1);
    assert!(matches!(told[..], [(1, Found::NoRoom(Refused::TooLarge { .. }))]), "{told:?}");
    let _taken: Vec<_> = (0..4).map(|_| scene.in_memory()).collect();
    assert!(wants(&mut scene, LONG).is_empty(), "there may be room soon");
    let mut words = Words::new();
    let Some(Job::Write(written)) = scene.desk.next(NOW, &mut words) else { panic!("no job") };
    let written: Vec<_> = written.into_iter().map(|(object, _)| object).collect();
    let why = SpillError::NoFolder { folders: 0 };
    scene.desk.are_written(&written, Err(why), NOW, &mut words);
    assert!(scene.desk.next(NOW, &mut words).is_none());
    let told = found(words);
    assert!(matches!(told[..], [(1, Found::NoRoom(Refused::OutOfDisk { .. }))]), "{told:?}");
}

#[test]
fn pu_2_what_finds_no_room_for_long_is_refused_with_and_without_disks() {
    for has_disks in [true, false] {
        let mut scene = Scene::new();
        scene.desk.pulls = Some(Pulls::default());
        if !has_disks {
            scene.desk.spilling = None;
        }
        let (user, line) = (scene.user.0, Arc::clone(&scene.line));
        let _taken: Vec<_> = (0..4).map(|_| scene.in_memory()).collect();
        let pulls = vec![(1, elsewhere(1, LONG), Need::Wait)];
        let words = scene.desk.hears(user, &line, Says { pulls, ..Says::default() }, NOW);
        assert!(found(words).is_empty(), "there may be room soon");
        let (mut soon, mut late) = (Words::new(), Words::new());
        scene.desk.serves(NOW + limits::STORE_BACK_WITHIN / 2, &mut soon);
        assert!(found(soon).is_empty());
        scene.desk.serves(NOW + limits::STORE_BACK_WITHIN, &mut late);
        let told = found(late);
        assert!(matches!(told[..], [(1, Found::NoRoom(Refused::Full { .. }))]), "{told:?}");
    }
}
