//! Files of which little is needed are written anew: their room is free, and what was needed of them is as it was.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use raytree_store::spill::{Damage, Extent, Key, Rules, Spill, SpillError, read_file};
use tempfile::TempDir;

use crate::spill::{bytes, files, read, write};

/// A hundred objects in five files, of which every tenth is needed.
fn wasted(place: &Path, rules: Rules) -> (Spill, Vec<(Key, Vec<u8>, Extent)>) {
    let spill = Spill::open(&[place], rules).unwrap().spill;
    let objects: Vec<_> = (0..100).map(|key| (Key(key), bytes(key, 5000))).collect();
    let at = write(&spill, &objects).unwrap();
    let all = objects.into_iter().zip(at).map(|((key, object), at)| (key, object, at));
    let (kept, dropped): (Vec<_>, Vec<_>) = all.partition(|(key, ..)| key.0 % 10 == 3);
    dropped.iter().for_each(|(key, _, at)| spill.remove(*key, at).unwrap());
    (spill, kept)
}

const FUSED: Rules = Rules { quota: None, fused: 105_000 };

fn place() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn lengths(place: &Path) -> u64 {
    files(place).iter().map(|file| file.metadata().unwrap().len()).sum()
}

#[test]
fn ss_3_what_is_left_of_several_files_is_written_into_one_and_read_as_it_was() {
    let place = place();
    let (spill, kept) = wasted(place.path(), FUSED);
    assert_eq!(files(place.path()).len(), 5);
    let before = lengths(place.path());
    let (told, said) = spill.file(kept[0].0, &kept[0].2).unwrap();
    // Who reads already, and who was told of the file and comes too late.
    let mut reads = File::open(&told).unwrap();
    let won = spill.write_anew(&|| true).unwrap();
    assert_eq!((won.bytes, won.damaged.len()), (before / 10 * 9, 0));
    assert_eq!((files(place.path()).len(), lengths(place.path())), (1, before / 10));
    assert_eq!((spill.used().bytes(), spill.used().live()), (before / 10, before / 10));
    let mut old = vec![0; 5000];
    reads.seek(SeekFrom::Start(said.offset + 64)).unwrap();
    reads.read_exact(&mut old).unwrap();
    assert!(old == kept[0].1);
    assert!(read_file(&told, kept[0].0, &said).unwrap_err().is_not_there());
    for (key, object, at) in &kept {
        assert!(read(&spill, *key, at).unwrap() == *object);
        let (path, now) = spill.file(*key, at).unwrap();
        assert!(read_file(&path, *key, &now).unwrap() == *object);
    }
    assert_eq!(spill.write_anew(&|| true).unwrap().bytes, 0, "all of it is needed");
    // Once more, of what was moved.
    kept[1..].iter().for_each(|(key, _, at)| spill.remove(*key, at).unwrap());
    assert!(spill.write_anew(&|| true).unwrap().bytes > 0);
    assert!(read(&spill, kept[0].0, &kept[0].2).unwrap() == kept[0].1);
    spill.remove(kept[0].0, &kept[0].2).unwrap();
    assert_eq!((files(place.path()).len(), spill.used().bytes()), (0, 0));
}

#[test]
fn ss_3_what_is_damaged_stays_so_and_all_else_is_whole() {
    let place = place();
    let (spill, kept) = wasted(place.path(), FUSED);
    let at = |index: usize| {
        let (path, now) = spill.file(kept[index].0, &kept[index].2).unwrap();
        (path, now.offset as usize)
    };
    let flip = |index: usize, place: usize| {
        let (path, offset) = at(index);
        let mut text = fs::read(&path).unwrap();
        text[offset + place] ^= 8;
        fs::write(path, text).unwrap();
    };
    // In a header, in the bytes, and in a checksum.
    flip(1, 9);
    flip(4, 64 + 4000);
    flip(7, 64 + 5000);
    let damage = |index: usize| match read(&spill, kept[index].0, &kept[index].2) {
        Err(SpillError::Corrupt { damage, file, .. }) => {
            assert_eq!(Path::new(&file), at(index).0, "the file is named in which it is");
            Some(damage)
        }
        Ok(bytes) => {
            assert!(bytes == kept[index].1);
            None
        }
        Err(other) => panic!("{other}"),
    };
    let before: Vec<_> = (0..10).map(damage).collect();
    assert_eq!(before[4], Some(Damage::Bytes { from: 0, len: 5000 }));
    assert_eq!(before.iter().flatten().count(), 3);
    let won = spill.write_anew(&|| true).unwrap();
    assert!(won.bytes > 0 && files(place.path()).len() == 1);
    let said: Vec<_> =
        won.damaged.iter().map(|error| matches!(error, SpillError::Corrupt { .. })).collect();
    assert_eq!(said, [true; 3]);
    assert_eq!((0..10).map(damage).collect::<Vec<_>>(), before);
}

#[test]
fn a_file_that_cannot_be_read_stays_where_it_is_and_others_are_written_anew() {
    let place = place();
    let (spill, kept) = wasted(place.path(), FUSED);
    let (path, now) = spill.file(kept[0].0, &kept[0].2).unwrap();
    fs::write(&path, &fs::read(&path).unwrap()[..now.offset as usize + 100]).unwrap();
    let cut_off = spill.write_anew(&|| true).unwrap_err();
    let is_it = matches!(&cut_off, SpillError::Corrupt { damage: Damage::CutOff, .. });
    assert!(is_it, "{cut_off}");
    assert_eq!(files(place.path()).len(), 5, "nothing is left of what was begun");
    assert!(spill.write_anew(&|| true).unwrap().bytes > 0);
    assert!(!spill.is_any_wasteful() && path.exists() && files(place.path()).len() == 2);
    for (key, object, at) in &kept[2..] {
        assert!(read(&spill, *key, at).unwrap() == *object);
    }
}

#[test]
fn sp_6_a_quota_that_is_full_of_what_nobody_needs_is_free_again() {
    let place = place();
    let spill = Spill::open(&[place.path()], Rules { quota: Some(1 << 20), ..Rules::default() });
    let spill = spill.unwrap().spill;
    let (mut kept, mut next) = (Vec::new(), 0);
    let full = loop {
        let objects: Vec<_> = (next..next + 10).map(|key| (Key(key), bytes(key, 5000))).collect();
        match write(&spill, &objects) {
            Ok(at) => kept.extend(objects.into_iter().zip(at)),
            Err(full) => break full,
        }
        next += 10;
    };
    assert!(matches!(full, SpillError::OutOfDisk { .. }), "{full}");
    let dropped = kept.extract_if(.., |((key, _), _)| key.0 % 5 != 0).collect::<Vec<_>>();
    dropped.iter().for_each(|((key, _), at)| spill.remove(*key, at).unwrap());
    assert!(write(&spill, &[(Key(next), bytes(next, 300_000))]).is_err(), "no file is empty");
    while spill.write_anew(&|| true).unwrap().bytes > 0 {}
    write(&spill, &[(Key(next), bytes(next, 300_000))]).unwrap();
    for ((key, object), at) in &kept {
        assert!(read(&spill, *key, at).unwrap() == *object);
    }
}

#[test]
fn many_write_read_remove_and_write_anew_at_once() {
    let place = place();
    let spill = Spill::open(&[place.path()], Rules { fused: 20_000, quota: None }).unwrap().spill;
    std::thread::scope(|scope| {
        for thread in 0..4_u128 {
            let spill = &spill;
            scope.spawn(move || {
                let mut known: Vec<((Key, Vec<u8>), Extent)> = Vec::new();
                for round in 0..40_u128 {
                    let key = |at| Key(thread << 32 | round << 8 | at);
                    let objects: Vec<_> =
                        (0..6).map(|at| (key(at), bytes(key(at).0, 2500))).collect();
                    let at = write(spill, &objects).unwrap();
                    known.extend(objects.into_iter().zip(at));
                    for step in 0..5 {
                        let ((key, _), at) =
                            known.swap_remove((round as usize * 7 + step) % known.len());
                        spill.remove(key, &at).unwrap();
                    }
                    spill.write_anew(&|| true).unwrap();
                    for ((key, object), at) in &known {
                        assert!(read(spill, *key, at).unwrap() == *object);
                    }
                }
                known.iter().for_each(|((key, _), at)| spill.remove(*key, at).unwrap());
            });
        }
    });
    spill.remove_dead().unwrap();
    assert_eq!((spill.used().bytes(), files(place.path()).len()), (0, 0));
}
