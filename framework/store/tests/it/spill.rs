//! Objects in folders of the file system: what is written is read, and what is not says why.

use std::fs;
use std::path::{Path, PathBuf};

use raytree_store::spill::{Damage, Extent, Key, Rules, Spill, SpillError};

/// The bytes of an object, by which it is known.
pub(crate) fn bytes(key: u128, len: usize) -> Vec<u8> {
    let mut word = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

pub(crate) fn write(spill: &Spill, objects: &[(Key, Vec<u8>)]) -> Result<Vec<Extent>, SpillError> {
    let lent: Vec<_> = objects.iter().map(|(key, bytes)| (*key, &bytes[..])).collect();
    spill.write(&lent)
}

pub(crate) fn read(spill: &Spill, key: Key, at: &Extent) -> Result<Vec<u8>, SpillError> {
    let mut into = vec![0xee; at.len as usize];
    spill.read(key, at, &mut into).map(|()| into)
}

/// The spill files below a place.
pub(crate) fn files(place: &Path) -> Vec<PathBuf> {
    let all = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.collect::<Vec<_>>()
    };
    let folders = all(place).into_iter().filter(|path| path.is_dir());
    let mut found: Vec<_> = folders.flat_map(|folder| all(&folder)).collect();
    found.retain(|path| path.extension().is_some_and(|end| end == "spill"));
    found.sort();
    found
}

fn open(place: &Path, rules: Rules) -> Spill {
    let opened = Spill::open(&[place], rules).unwrap();
    assert!(opened.left_out.is_empty(), "{:?}", opened.left_out);
    opened.spill
}

#[test]
fn objects_of_all_sizes_come_back_from_several_folders() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let places = [one.path().join("not/there/yet"), other.path().to_path_buf()];
    let rules = Rules { fused: 1 << 20, ..Rules::default() };
    let spill = Spill::open(&places, rules).unwrap().spill;
    let sizes = [0, 1, 1000, 0, 300_000, 24 << 20, 700_000, 63, (3 << 20) + 5];
    let objects: Vec<_> = (0..).zip(sizes).map(|(key, len)| (Key(key), bytes(key, len))).collect();
    let at = write(&spill, &objects).unwrap();
    for ((key, object), at) in objects.iter().zip(&at) {
        assert!(read(&spill, *key, at).unwrap() == *object, "{key} of {}", object.len());
    }
    let mut part = vec![0; 5 << 20];
    spill.read_part(Key(5), &at[5], 3_000_001, &mut part).unwrap();
    assert!(part == objects[5].1[3_000_001..][..5 << 20]);
    spill.read_part(Key(0), &at[0], 0, &mut []).unwrap();

    let (first, second) = (files(&places[0]), files(&places[1]));
    let lengths = |files: &[PathBuf]| files.iter().map(|at| at.metadata().unwrap().len()).sum();
    let used = spill.used();
    let on_disk: [u64; 2] = [lengths(&first), lengths(&second)];
    assert_eq!(on_disk, [used.folders[0].bytes, used.folders[1].bytes]);
    assert_eq!((used.live(), used.objects()), (used.bytes(), objects.len()));
    assert!(first.len().abs_diff(second.len()) <= 1, "in turn: {first:?} {second:?}");

    for ((key, _), at) in objects.iter().zip(&at) {
        spill.remove(*key, at).unwrap();
        assert!(matches!(read(&spill, *key, at), Err(SpillError::Gone { .. })));
    }
    assert_eq!((files(&places[0]).len(), files(&places[1]).len(), spill.used().bytes()), (0, 0, 0));
    drop(spill);
    for place in places {
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "its folder is gone");
    }
}

#[test]
fn what_is_asked_for_has_to_be_within_the_object() {
    let place = tempfile::tempdir().unwrap();
    let spill = open(place.path(), Rules::default());
    let at = spill.write(&[(Key(1), b"hello")]).unwrap()[0];
    let outside = |done: Result<(), SpillError>, expected: (u64, u64)| {
        let Err(SpillError::Outside { from, bytes, len: 5 }) = done else { panic!("{done:?}") };
        assert_eq!((from, bytes), expected);
    };
    outside(spill.read(Key(1), &at, &mut [0; 4]), (0, 4));
    outside(spill.read(Key(1), &at, &mut [0; 6]), (0, 6));
    outside(spill.read_part(Key(1), &at, 5, &mut [0; 1]), (5, 1));
    outside(spill.read_part(Key(1), &at, u64::MAX, &mut [0; 2]), (u64::MAX, 2));
    assert!(matches!(spill.read(Key(2), &at, &mut [0; 5]), Err(SpillError::Gone { .. })));
}

#[test]
fn a_damaged_file_is_named_with_what_is_wrong() {
    let place = tempfile::tempdir().unwrap();
    let spill = open(place.path(), Rules::default());
    let objects = [(Key(1), bytes(1, 100)), (Key(2), bytes(2, 100))];
    let at = write(&spill, &objects).unwrap();
    let file = files(place.path()).remove(0);
    let damaged = |key, at| match read(&spill, key, at) {
        Err(SpillError::Corrupt { key: of, file: name, offset, damage }) => {
            assert_eq!((of, offset, Path::new(&name)), (key, at.offset, &*file));
            damage
        }
        other => panic!("{other:?}"),
    };
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[at[1].offset as usize + 64 + 7] ^= 4;
    fs::write(&file, &flipped).unwrap();
    assert_eq!(damaged(Key(2), &at[1]), Damage::Bytes { from: 0, len: 100 });
    assert!(read(&spill, Key(1), &at[0]).unwrap() == objects[0].1, "the other is whole");

    fs::write(&file, &whole[..at[1].offset as usize + 80]).unwrap();
    assert_eq!(damaged(Key(2), &at[1]), Damage::CutOff);
    fs::write(&file, &whole[192..]).unwrap();
    assert_eq!(damaged(Key(1), &at[0]), Damage::Another);
    fs::remove_file(&file).unwrap();
    let lost = read(&spill, Key(1), &at[0]).unwrap_err();
    let expected =
        format!("cannot read {}: No such file or directory (os error 2)", file.display());
    assert_eq!(lost.to_string(), expected);
    // It is not needed any more: that it is gone is as good.
    spill.remove(Key(1), &at[0]).unwrap();
    spill.remove(Key(2), &at[1]).unwrap();
}

#[test]
fn a_full_quota_says_how_much_is_left_and_harms_nothing() {
    let place = tempfile::tempdir().unwrap();
    let spill = open(place.path(), Rules { quota: Some(10_000), ..Rules::default() });
    let kept = [(Key(1), bytes(1, 4000)), (Key(2), bytes(2, 3000))];
    let at = write(&spill, &kept).unwrap();
    let full = write(&spill, &[(Key(3), bytes(3, 2000)), (Key(4), bytes(4, 1000))]).unwrap_err();
    let SpillError::OutOfDisk { folder, needed: 1088, free, quota: Some(10_000) } = &full else {
        panic!("{full:?}")
    };
    // A sixteenth is for what is written anew, and the first of both would have had room.
    assert_eq!(*free, 10_000 - 625 - 2112 - spill.used().bytes());
    assert!(Path::new(folder).starts_with(place.path()));
    let text =
        format!("no room on disk: 1088 bytes are to be written to {folder}, where {free} can be");
    let text = format!("{text} (of a quota of 10000; 5 % of the disk stay free)");
    assert_eq!(full.to_string(), text);
    assert_eq!(files(place.path()).len(), 2);
    for ((key, object), at) in kept.iter().zip(&at) {
        assert!(read(&spill, *key, at).unwrap() == *object);
        spill.remove(*key, at).unwrap();
    }
    write(&spill, &[(Key(3), bytes(3, 2000)), (Key(4), bytes(4, 1000))]).unwrap();
}

#[test]
fn a_place_that_cannot_be_used_is_left_out_and_named() {
    let place = tempfile::tempdir().unwrap();
    let no_folder = place.path().join("a file");
    fs::write(&no_folder, "").unwrap();
    let opened = Spill::open(&[&*no_folder, place.path()], Rules::default()).unwrap();
    let [SpillError::Io { place: named, .. }] = &opened.left_out[..] else { panic!("{opened:?}") };
    assert_eq!(Path::new(named), no_folder);
    assert_eq!(opened.spill.used().folders.len(), 1);
    opened.spill.write(&[(Key(1), b"hello")]).unwrap();
    assert!(matches!(Spill::open(&[no_folder], Rules::default()), Err(SpillError::Io { .. })));
    let none: [&Path; 0] = [];
    let no_place = Spill::open(&none, Rules::default());
    assert!(matches!(no_place, Err(SpillError::NoFolder { folders: 0 })));
}

#[test]
fn a_folder_that_fails_later_is_left_out_and_others_are_used() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let spill = Spill::open(&[one.path(), other.path()], Rules::default()).unwrap().spill;
    let kept = spill.write(&[(Key(1), b"one")]).unwrap()[0];
    spill.write(&[(Key(2), b"other")]).unwrap();
    let lost = PathBuf::from(&spill.used().folders[0].folder);
    fs::remove_dir_all(&lost).unwrap();
    for key in 3..9 {
        let at = spill.write(&[(Key(key), b"more")]).unwrap()[0];
        assert_eq!(read(&spill, Key(key), &at).unwrap(), b"more");
    }
    assert_eq!(files(other.path()).len(), 7);
    let used = spill.used();
    assert_eq!((used.folders[0].is_left_out, used.folders[1].is_left_out), (true, false));
    let failures = spill.failures();
    assert!(matches!(&failures[..], [SpillError::Io { .. }]), "once: {failures:?}");
    assert!(spill.failures().is_empty());
    assert!(matches!(read(&spill, Key(1), &kept), Err(SpillError::Io { .. })));
}

#[test]
fn several_threads_write_read_and_remove_at_once() {
    let place = tempfile::tempdir().unwrap();
    let spill = open(place.path(), Rules { fused: 4096, ..Rules::default() });
    std::thread::scope(|scope| {
        for thread in 0..4_u128 {
            let spill = &spill;
            scope.spawn(move || {
                for round in 0..30_u128 {
                    let sizes = [100, 3000, 0, 50_000, 2000];
                    let key = |at| Key(thread << 32 | round << 8 | at);
                    let objects =
                        (0..).zip(sizes).map(|(at, len)| (key(at), bytes(key(at).0, len)));
                    let objects: Vec<_> = objects.collect();
                    let at = write(spill, &objects).unwrap();
                    for ((key, object), at) in objects.iter().zip(&at) {
                        assert!(read(spill, *key, at).unwrap() == *object);
                        spill.remove(*key, at).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!((spill.used().bytes(), files(place.path()).len()), (0, 0));
}
