//! Places that fail in the midst of it: nothing is half there, and what was there before stays.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use raytree_store::spill::{
    Damage, Device, Extent, FileId, Key, Room, Rules, Spill, SpillError, read_file,
};

use crate::spill::{bytes, read, write};

/// What is wrong with a place.
#[derive(Debug, Default)]
struct Faults {
    /// After so many more bytes each write fails.
    bytes_left: Option<(u64, io::ErrorKind)>,
    /// A file that was written half cannot be removed at once.
    keeps_halves: bool,
    /// Nothing is removed.
    keeps_all: bool,
    /// Nothing is read.
    keeps_silent: bool,
    /// Nobody knows how much room there is.
    no_room: bool,
    /// Somebody else does this when a file is about to be read.
    meanwhile: Meanwhile,
}

#[derive(Default)]
struct Meanwhile(Option<Box<dyn FnOnce() + Send>>);

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Meanwhile").field(&self.0.is_some()).finish()
    }
}

#[derive(Debug, Default)]
struct Inside {
    files: BTreeMap<FileId, Vec<u8>>,
    faults: Faults,
    /// It is beyond a network.
    is_remote: bool,
}

/// A place in memory. Clones are the same place.
#[derive(Clone, Debug, Default)]
struct Faulty(Arc<Mutex<Inside>>);

impl Faulty {
    fn with<T>(&self, done: impl FnOnce(&mut Inside) -> T) -> T {
        done(&mut self.0.lock().unwrap())
    }

    fn faults(&self, faults: Faults) {
        self.with(|inside| inside.faults = faults);
    }

    fn count(&self) -> usize {
        self.with(|inside| inside.files.len())
    }
}

struct Half<'a>(&'a Faulty, FileId);

impl Write for Half<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.with(|inside| {
            let mut count = bytes.len();
            if let Some((left, kind)) = &mut inside.faults.bytes_left {
                count = count.min(*left as usize);
                *left -= count as u64;
                if count == 0 && !bytes.is_empty() {
                    return Err((*kind).into());
                }
            }
            inside.files.entry(self.1).or_default().extend_from_slice(&bytes[..count]);
            Ok(count)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Device for Faulty {
    fn name(&self, file: Option<FileId>) -> String {
        file.map_or_else(|| "memory".to_owned(), |file| format!("memory/{}", file.0))
    }

    fn is_remote(&self) -> bool {
        self.with(|inside| inside.is_remote)
    }

    fn room(&self) -> io::Result<Room> {
        let no_room = self.with(|inside| inside.faults.no_room);
        if no_room { Err(io::ErrorKind::NotConnected.into()) } else { Ok(Room::ENDLESS) }
    }

    fn put(
        &self,
        file: FileId,
        bytes: u64,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let done = write(&mut Half(self, file));
        self.with(|inside| {
            let len = inside.files.get(&file).map_or(0, Vec::len) as u64;
            assert!(done.is_err() || len == bytes, "{len} of {bytes} bytes");
            if done.is_err() && !inside.faults.keeps_halves {
                inside.files.remove(&file);
            }
        });
        done
    }

    fn get<'d>(&'d self, file: FileId, part: Range<u64>) -> io::Result<Box<dyn Read + 'd>> {
        if let Some(done) = self.with(|inside| inside.faults.meanwhile.0.take()) {
            done();
        }
        self.with(|inside| {
            if inside.faults.keeps_silent {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let whole = inside.files.get(&file).ok_or(io::ErrorKind::NotFound)?;
            let end = whole.len().min(part.end as usize);
            let part = whole[end.min(part.start as usize)..end].to_vec();
            Ok(Box::new(io::Cursor::new(part)) as Box<dyn Read>)
        })
    }

    fn remove(&self, file: FileId) -> io::Result<()> {
        self.with(|inside| {
            if inside.faults.keeps_all {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            inside.files.remove(&file).map(drop).ok_or(io::ErrorKind::NotFound.into())
        })
    }
}

fn over(places: &[&Faulty], rules: Rules) -> Spill {
    Spill::over(places.iter().map(|place| Box::new((*place).clone()) as _).collect(), rules)
}

fn objects(first: u128, sizes: &[usize]) -> Vec<(Key, Vec<u8>)> {
    (first..).zip(sizes).map(|(key, len)| (Key(key), bytes(key, *len))).collect()
}

const FULL: io::ErrorKind = io::ErrorKind::StorageFull;
const BROKEN: io::ErrorKind = io::ErrorKind::Other;

#[test]
fn ss_1_ss_2_a_write_that_fails_after_any_number_of_bytes_leaves_nothing_and_harms_nothing() {
    let place = Faulty::default();
    let spill = over(&[&place], Rules { fused: 2000, ..Rules::default() });
    let kept = objects(1, &[500, 0, 3000]);
    let at = write(&spill, &kept).unwrap();
    let used = spill.used();
    // Three files: two fused ones and a large one.
    let more = objects(10, &[700, 700, 2500, 700]);
    let needed = 2 * 768 + 2624 + 768;
    for left in 0..needed {
        place.faults(Faults { bytes_left: Some((left, FULL)), ..Faults::default() });
        let full = write(&spill, &more);
        assert!(matches!(full, Err(SpillError::OutOfDisk { .. })), "after {left}: {full:?}");
        assert_eq!((spill.used(), place.count()), (used.clone(), 2), "after {left} bytes");
    }
    for ((key, object), at) in kept.iter().zip(&at) {
        assert!(read(&spill, *key, at).unwrap() == *object);
    }
    place.faults(Faults { bytes_left: Some((needed, FULL)), ..Faults::default() });
    let at = write(&spill, &more).unwrap();
    assert!(read(&spill, Key(13), &at[3]).unwrap() == more[3].1);
    assert!(spill.failures().is_empty(), "a full place is not a broken one");
}

#[test]
fn ss_1_what_one_place_cannot_take_others_do() {
    let (one, other) = (Faulty::default(), Faulty::default());
    let spill = over(&[&one, &other], Rules { fused: 0, ..Rules::default() });
    let more = objects(1, &[100, 200, 300]);
    // Full: passed over this time.
    one.faults(Faults { bytes_left: Some((300, FULL)), ..Faults::default() });
    let at = write(&spill, &more).unwrap();
    assert_eq!((one.count(), other.count()), (0, 3));
    assert!(read(&spill, Key(2), &at[1]).unwrap() == more[1].1);
    one.faults(Faults::default());
    write(&spill, &objects(4, &[1, 2])).unwrap();
    assert_eq!((one.count(), other.count()), (1, 4), "it has room again");
    // Broken: left out for good.
    one.faults(Faults { bytes_left: Some((0, BROKEN)), ..Faults::default() });
    write(&spill, &objects(6, &[1, 2])).unwrap();
    one.faults(Faults::default());
    write(&spill, &objects(8, &[1, 2])).unwrap();
    assert_eq!((one.count(), other.count()), (1, 8));
    let failures = spill.failures();
    assert!(matches!(&failures[..], [SpillError::Io { doing: "write", .. }]), "{failures:?}");
    // And the last one.
    other.faults(Faults { no_room: true, ..Faults::default() });
    let none = write(&spill, &objects(10, &[1]));
    assert!(matches!(none, Err(SpillError::NoFolder { folders: 2 })), "{none:?}");
    assert!(read(&spill, Key(2), &at[1]).unwrap() == more[1].1, "it can be read");
}

#[test]
fn ss_2_what_is_beyond_a_network_may_fail_and_come_back() {
    let (near, far) = (Faulty::default(), Faulty::default());
    far.with(|inside| inside.is_remote = true);
    let rules = Rules { fused: 0, quota: Some(400) };
    let spill = over(&[&far, &near], rules);
    let kept = objects(1, &[300, 1000]);
    let at = write(&spill, &kept).unwrap();
    assert_eq!((near.count(), far.count()), (1, 1), "what no folder has room for");

    let silent =
        || Faults { bytes_left: Some((10, BROKEN)), keeps_silent: true, ..Faults::default() };
    far.faults(silent());
    for round in 0..2 {
        let away = write(&spill, &objects(10, &[1000]));
        assert!(matches!(away, Err(SpillError::Away { doing: "write", .. })), "{away:?}");
        let failures = spill.failures();
        assert_eq!(failures.len(), 1 - round, "it is said once: {failures:?}");
    }
    assert!(!spill.used().folders[0].is_left_out);
    let away = read(&spill, Key(2), &at[1]);
    assert!(matches!(away, Err(SpillError::Away { doing: "read", .. })), "{away:?}");
    let away = spill.copy(Key(2), &at[1], &mut Vec::new());
    assert!(matches!(away, Err(SpillError::Away { doing: "read", .. })), "{away:?}");
    assert!(read(&spill, Key(1), &at[0]).unwrap() == kept[0].1, "others can be read");

    far.faults(Faults::default());
    assert!(read(&spill, Key(2), &at[1]).unwrap() == kept[1].1);
    write(&spill, &objects(10, &[1000])).unwrap();
    far.faults(silent());
    assert!(write(&spill, &objects(20, &[1000])).is_err());
    assert_eq!(spill.failures().len(), 1, "it had come back");
    // What is gone there is gone, and not away.
    far.with(|inside| (inside.faults, inside.files) = Default::default());
    let lost = read(&spill, Key(2), &at[1]);
    assert!(matches!(lost, Err(SpillError::Io { doing: "read", .. })), "{lost:?}");
}

#[test]
fn a_copy_of_an_object_is_read_as_any_file_of_one() {
    let place = Faulty::default();
    let spill = over(&[&place], Rules::default());
    let kept = objects(1, &[700, 3000]);
    let at = write(&spill, &kept).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    spill.copy(Key(2), &at[1], &mut file.as_file()).unwrap();
    assert_eq!(file.as_file().metadata().unwrap().len(), Spill::copied_len(&at[1]));
    let copied = Extent { offset: 0, ..at[1] };
    assert_eq!(read_file(file.path(), Key(2), &copied).unwrap(), kept[1].1);
    place.with(|inside| inside.files.values_mut().for_each(|file| file.truncate(2000)));
    let short = spill.copy(Key(2), &at[1], &mut Vec::new());
    assert!(matches!(short, Err(SpillError::Corrupt { damage: Damage::CutOff, .. })), "{short:?}");
}

#[test]
fn what_fails_for_want_of_memory_or_descriptors_is_no_fault_of_the_place() {
    let place = Faulty::default();
    let spill = over(&[&place], Rules::default());
    place
        .faults(Faults { bytes_left: Some((10, io::ErrorKind::OutOfMemory)), ..Faults::default() });
    assert!(matches!(write(&spill, &objects(1, &[100])), Err(SpillError::Io { .. })));
    place.faults(Faults::default());
    write(&spill, &objects(1, &[100])).unwrap();
    assert!(spill.failures().is_empty());
}

#[test]
fn a_file_that_cannot_be_removed_is_counted_until_it_can() {
    let place = Faulty::default();
    let spill = over(&[&place], Rules { quota: Some(400), ..Rules::default() });
    let at = write(&spill, &objects(1, &[200])).unwrap()[0];
    place.faults(Faults { keeps_all: true, ..Faults::default() });
    let stuck = spill.remove(Key(1), &at);
    assert!(matches!(stuck, Err(SpillError::Io { doing: "remove", .. })), "{stuck:?}");
    assert!(matches!(spill.remove(Key(1), &at), Err(SpillError::Gone { .. })), "it is gone");
    assert_eq!((spill.used().bytes(), spill.used().live()), (320, 0));
    assert!(matches!(spill.remove_dead(), Err(SpillError::Io { .. })));
    let full = write(&spill, &objects(2, &[200]));
    assert!(matches!(full, Err(SpillError::OutOfDisk { free: 55, .. })), "{full:?}");
    place.faults(Faults::default());
    write(&spill, &objects(2, &[200])).unwrap();
    assert_eq!((spill.used().bytes(), place.count()), (320, 1));
}

#[test]
fn what_is_removed_while_it_is_read_is_gone_and_its_place_is_not_broken() {
    let place = Faulty::default();
    let spill = Arc::new(over(&[&place], Rules::default()));
    let at = write(&spill, &objects(1, &[200])).unwrap()[0];
    let other = Arc::clone(&spill);
    // Nothing is locked while a file is read, or this would wait for itself.
    let meanwhile = Meanwhile(Some(Box::new(move || other.remove(Key(1), &at).unwrap())));
    place.faults(Faults { meanwhile, ..Faults::default() });
    let gone = read(&spill, Key(1), &at);
    assert!(matches!(gone, Err(SpillError::Gone { offset: 0, .. })), "{gone:?}");
    assert_eq!(place.count(), 0);
}

/// A file of which the last object of three is needed.
fn is_wasted(spill: &Spill) -> (Key, Vec<u8>, Extent) {
    let objects = objects(1, &[700, 700, 700]);
    let at = write(spill, &objects).unwrap();
    (0..2).for_each(|index| spill.remove(objects[index].0, &at[index]).unwrap());
    (objects[2].0, objects[2].1.clone(), at[2])
}

#[test]
fn ss_2_what_cannot_be_written_anew_is_as_it_was() {
    let place = Faulty::default();
    let spill = over(&[&place], Rules::default());
    let (key, object, at) = is_wasted(&spill);
    let used = spill.used();
    for left in 0..768 {
        let kind = if left % 2 == 0 { FULL } else { BROKEN };
        place.faults(Faults { bytes_left: Some((left, kind)), ..Faults::default() });
        let not = spill.write_anew(&|| true);
        assert!(matches!(not, Err(SpillError::Io { doing: "write", .. })), "{left}: {not:?}");
        assert_eq!((spill.used(), place.count()), (used.clone(), 1), "after {left} bytes");
        assert!(read(&spill, key, &at).unwrap() == object);
    }
    place.faults(Faults::default());
    for looks in 0..4_u32 {
        let left = Cell::new(looks);
        let goes_on = || left.replace(left.get().saturating_sub(1)) > 0;
        assert_eq!(spill.write_anew(&goes_on).unwrap().bytes, 0, "it was told to end");
        assert_eq!((spill.used(), place.count()), (used.clone(), 1), "after {looks} looks");
    }
    // The file that is not needed any more cannot be removed: the room is there later.
    place.faults(Faults { keeps_all: true, ..Faults::default() });
    assert_eq!(spill.write_anew(&|| true).unwrap().bytes, 0);
    assert!(read(&spill, key, &at).unwrap() == object && place.count() == 2);
    place.faults(Faults::default());
    spill.remove_dead().unwrap();
    assert_eq!((spill.used().bytes(), place.count()), (768, 1));
}

#[test]
fn ss_2_who_reads_while_it_is_written_anew_reads_it_all_the_same() {
    let place = Faulty::default();
    let spill = Arc::new(over(&[&place], Rules::default()));
    for round in 0..3 {
        let (key, object, at) = is_wasted(&spill);
        let other = Arc::clone(&spill);
        let moves = move || assert!(other.write_anew(&|| true).unwrap().bytes > 0);
        let meanwhile = Meanwhile(Some(Box::new(moves)));
        place.faults(Faults { meanwhile, ..Faults::default() });
        match round {
            0 => assert!(read(&spill, key, &at).unwrap() == object),
            1 => {
                let mut part = [0; 5];
                spill.read_part(key, &at, 100, &mut part).unwrap();
                assert!(part == object[100..105]);
            }
            _ => {
                let mut copy = Vec::new();
                spill.copy(key, &at, &mut copy).unwrap();
                assert!(copy[64..764] == object);
            }
        }
        spill.remove(key, &at).unwrap();
        assert_eq!((place.count(), spill.used().bytes()), (0, 0));
    }
}

#[test]
fn what_is_removed_while_it_is_written_anew_is_gone() {
    let place = Faulty::default();
    let spill = Arc::new(over(&[&place], Rules::default()));
    let (key, _, at) = is_wasted(&spill);
    let other = Arc::clone(&spill);
    let meanwhile = Meanwhile(Some(Box::new(move || other.remove(key, &at).unwrap())));
    place.faults(Faults { meanwhile, ..Faults::default() });
    spill.write_anew(&|| true).unwrap();
    assert!(matches!(read(&spill, key, &at), Err(SpillError::Gone { .. })));
    assert_eq!((place.count(), spill.used().bytes()), (0, 0));
    assert!(!spill.is_any_wasteful());
}

#[test]
fn ss_1_ss_2_hold_over_many_stories_of_faults() {
    for seed in 0..300 {
        story(seed);
    }
}

fn story(seed: u64) {
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move |below: u64| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        (word >> 20) % below
    };
    let places = [Faulty::default(), Faulty::default()];
    let rules = Rules { fused: 1500, quota: Some(20_000) };
    let spill = over(&[&places[0], &places[1]], rules);
    let (mut known, mut next, mut written, mut failed) = (Vec::new(), 0, 0, 0);
    for _ in 0..60 {
        let place = &places[random(2) as usize];
        match random(5) {
            0 => place.faults(Faults {
                bytes_left: (random(3) > 0).then(|| (random(6000), FULL)),
                keeps_halves: random(3) == 0,
                keeps_all: random(4) == 0,
                ..Faults::default()
            }),
            1 | 2 => {
                let sizes: Vec<_> = (0..random(6)).map(|_| random(2500) as usize).collect();
                let more = objects(next, &sizes);
                next += more.len() as u128;
                match write(&spill, &more) {
                    Ok(at) => {
                        known.extend(more.into_iter().zip(at));
                        written += 1;
                    }
                    Err(error) => {
                        assert!(matches!(error, SpillError::OutOfDisk { .. }), "{seed}: {error}");
                        failed += 1;
                    }
                }
            }
            // It may fail as any write, and harms nothing.
            4 => _ = spill.write_anew(&|| true),
            _ if known.is_empty() => {}
            _ => {
                let ((key, _), at) = known.swap_remove(random(known.len() as u64) as usize);
                // Its file may have to stay for a while.
                _ = spill.remove(key, &at);
                assert!(matches!(read(&spill, key, &at), Err(SpillError::Gone { .. })), "{seed}");
            }
        }
        for ((key, object), at) in &known {
            assert!(read(&spill, *key, at).unwrap() == *object, "{seed}: {key}");
        }
    }
    assert!(written > 0 && (failed > 0 || written > 5), "{seed}: {written} {failed}");
    places.iter().for_each(|place| place.faults(Faults::default()));
    known.iter().for_each(|((key, _), at)| spill.remove(*key, at).unwrap());
    spill.remove_dead().unwrap();
    assert_eq!((places[0].count(), places[1].count(), spill.used().bytes()), (0, 0, 0), "{seed}");
}
