//! Lives of stores: what a crash leaves is removed, and what lives is not; and a disk that is really full.

use std::cell::Cell;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use raytree_store::spill::{Device, FileId, Key, Local, Room, Rules, Spill, SpillError};
use rustix::process::{Signal, getpid, kill_process};

use crate::spill::{bytes, files, read, write};

const PLACE: &str = "RAYTREE_SPILL_TEST_PLACE";
const SEED: &str = "RAYTREE_SPILL_TEST_SEED";

/// This very test again, as a process of its own.
fn again(test: &str, place: &Path, seed: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(PLACE, place).env(SEED, seed.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// The place and the seed, in such a process.
fn role() -> Option<(String, u64)> {
    Some((std::env::var(PLACE).ok()?, std::env::var(SEED).ok()?.parse().unwrap()))
}

fn says(word: &str) {
    let line = format!("{word}\n");
    io::stdout().write_all(line.as_bytes()).unwrap();
}

fn folders(place: &Path) -> usize {
    fs::read_dir(place).unwrap().count()
}

#[test]
fn sl_1_the_folder_of_a_crashed_store_is_removed_and_that_of_a_living_one_is_not() {
    if let Some((place, _)) = role() {
        return lives(Path::new(&place));
    }
    let place = tempfile::tempdir().unwrap();
    let test = "spill_lives::sl_1_the_folder_of_a_crashed_store_is_removed_and_that_of_a_living_one_is_not";
    let mut child = again(test, place.path(), 0).spawn().unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut hears = |word: &str| assert!(told.any(|line| line.unwrap().ends_with(word)), "{word}");
    hears("written");
    assert_eq!((folders(place.path()), files(place.path()).len()), (1, 1));

    let opened = Spill::open(&[place.path()], Rules::default()).unwrap();
    assert_eq!((opened.swept.folders, opened.swept.failed.len()), (0, 0));
    assert_eq!((folders(place.path()), files(place.path()).len()), (2, 1));
    writeln!(child.stdin.as_mut().unwrap(), "is it there?").unwrap();
    hears("it is");

    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(folders(place.path()), 2, "it could not remove it");
    let third = Spill::open(&[place.path()], Rules::default()).unwrap();
    assert_eq!((third.swept.folders, third.swept.bytes), (1, 5120 + 128));
    assert_eq!((folders(place.path()), files(place.path()).len()), (2, 0));
    drop((opened, third));
    assert_eq!(folders(place.path()), 0);
}

/// Until it is killed.
fn lives(place: &Path) {
    let spill = Spill::open(&[place], Rules::default()).unwrap().spill;
    let objects = [(Key(1), bytes(1, 5000)), (Key(2), bytes(2, 50))];
    let at = write(&spill, &objects).unwrap();
    says("written");
    for line in io::stdin().lines() {
        line.unwrap();
        assert!(read(&spill, Key(1), &at[0]).unwrap() == objects[0].1);
        says("it is");
    }
}

/// Processes that open, write and are killed somewhere, several at once, while others do the same.
#[test]
fn sl_1_many_that_are_killed_leave_nothing_for_long_and_take_nothing_from_each_other() {
    if let Some((place, seed)) = role() {
        return dies(Path::new(&place), seed);
    }
    let place = tempfile::tempdir().unwrap();
    let test = "spill_lives::sl_1_many_that_are_killed_leave_nothing_for_long_and_take_nothing_from_each_other";
    let start = |seed| again(test, place.path(), seed).stdout(Stdio::null()).spawn().unwrap();
    let mut killed = 0;
    for round in 0..20 {
        let children: Vec<Child> = (0..4).map(|at| start(round * 4 + at)).collect();
        for mut child in children {
            // Half of them at whatever they are doing after a while: making their folder, too.
            let mut patience = (round % 2 == 1).then_some(round % 7);
            let end = loop {
                match &mut patience {
                    Some(0) => child.kill().unwrap(),
                    Some(left) => *left -= 1,
                    None => {}
                }
                if let Some(end) = child.try_wait().unwrap() {
                    break end;
                }
                // One more that comes and goes meanwhile.
                let opened = Spill::open(&[place.path()], Rules::default()).unwrap();
                let at = opened.spill.write(&[(Key(1), b"hello")]).unwrap()[0];
                assert_eq!(read(&opened.spill, Key(1), &at).unwrap(), b"hello");
            };
            assert!(end.success() || end.code().is_none(), "it has lost something: {end}");
            killed += usize::from(!end.success());
        }
    }
    assert!(killed > 20, "only {killed} were killed");
    let last = Spill::open(&[place.path()], Rules::default()).unwrap();
    assert!(last.swept.failed.is_empty(), "{:?}", last.swept.failed);
    drop(last);
    assert_eq!(folders(place.path()), 0);
}

/// Opens, writes and writes anew, and is killed by itself at some step, in the midst of writing anew, too, or by none.
fn dies(place: &Path, seed: u64) {
    let word = Cell::new((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let dies = || {
        let next = word.get().wrapping_mul(6_364_136_223_846_793_005);
        word.set(next.wrapping_add(1_442_695_040_888_963_407));
        if (word.get() >> 33).is_multiple_of(150) {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    };
    for life in 0..5 {
        let spill = Spill::open(&[place], Rules { fused: 5000, quota: None }).unwrap().spill;
        let (mut known, mut won) = (Vec::new(), 0);
        for step in 0..6_u128 {
            dies();
            let objects: Vec<_> = (0..4).map(|at| Key(step << 8 | at)).collect();
            let objects: Vec<_> = objects.iter().map(|key| (*key, bytes(key.0, 1000))).collect();
            let at = write(&spill, &objects).unwrap();
            known.extend(objects.into_iter().zip(at));
            for _ in 0..3 {
                dies();
                let ((key, _), at) = known.swap_remove(known.len() / 2);
                spill.remove(key, &at).unwrap();
            }
            let goes_on = || {
                dies();
                true
            };
            won += spill.write_anew(&goes_on).unwrap().bytes;
            for ((key, object), at) in &known {
                assert!(read(&spill, *key, at).unwrap() == *object, "{key} of life {life}");
            }
        }
        assert!(won > 0, "nothing was written anew in life {life}");
    }
}

#[test]
fn sl_2_what_is_not_ours_is_not_touched() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    // Of others: a folder, a file that is called like ours, a link to a folder that is.
    fs::create_dir(at("data")).unwrap();
    fs::write(at("data/1.spill"), "mine").unwrap();
    fs::write(at("raytree-spill-file"), "mine").unwrap();
    std::os::unix::fs::symlink(at("data"), at("raytree-spill-link")).unwrap();
    // Left before it had an owner; left with an owner; left, and somebody has put something there.
    fs::create_dir(at("raytree-spill-1-0")).unwrap();
    for (folder, file) in [("raytree-spill-2-0", "7.spill"), ("raytree-spill-3-0", "notes")] {
        fs::create_dir(at(folder)).unwrap();
        fs::write(at(folder).join("owner"), "").unwrap();
        fs::write(at(folder).join(file), "12345").unwrap();
    }
    let opened = Spill::open(&[place.path()], Rules::default()).unwrap();
    let swept = &opened.swept;
    assert_eq!((swept.folders, swept.bytes), (2, 5));
    let [SpillError::Io { place: named, .. }] = &swept.failed[..] else { panic!("{swept:?}") };
    assert_eq!(Path::new(named), at("raytree-spill-3-0"));
    for kept in ["data/1.spill", "raytree-spill-file", "raytree-spill-3-0/notes"] {
        assert!(at(kept).exists(), "{kept}");
    }
    assert!(!at("raytree-spill-1-0").exists() && !at("raytree-spill-2-0").exists());
}

#[test]
fn only_their_user_may_read_what_is_spilled() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    let spill = Spill::open(&[place.path().join("new")], Rules::default()).unwrap().spill;
    spill.write(&[(Key(1), b"secret")]).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let file = files(&place.path().join("new")).remove(0);
    let folder = file.parent().unwrap();
    assert_eq!([mode(&file), mode(folder), mode(&place.path().join("new"))], [0o600, 0o700, 0o700]);
}

/// A folder that does not know that its disk is full.
#[derive(Debug)]
struct Unaware(Local);

impl Device for Unaware {
    fn name(&self, file: Option<FileId>) -> String {
        self.0.name(file)
    }

    fn room(&self) -> io::Result<Room> {
        Ok(Room::ENDLESS)
    }

    fn put(
        &self,
        file: FileId,
        bytes: u64,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        self.0.put(file, bytes, write)
    }

    fn get<'d>(&'d self, file: FileId, part: Range<u64>) -> io::Result<Box<dyn Read + 'd>> {
        self.0.get(file, part)
    }

    fn remove(&self, file: FileId) -> io::Result<()> {
        self.0.remove(file)
    }
}

/// On a file system of 2 MiB, in a mount namespace that ends with the process. Where the system allows none, the places of
/// `spill_faults.rs` are all there is.
#[test]
fn ss_2_a_disk_that_is_really_full_harms_nothing() {
    if let Some((place, _)) = role() {
        return fills(Path::new(&place));
    }
    let place = tempfile::tempdir().unwrap();
    let mount = |then: &[&str]| {
        let mut command = Command::new("unshare");
        let script = "mount -t tmpfs -o size=2m none \"$1\" && shift && exec \"$@\"";
        command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command.arg(place.path()).args(then).env(PLACE, place.path()).env(SEED, "0");
        command.output()
    };
    if !mount(&["true"]).is_ok_and(|done| done.status.success()) {
        says("no mount namespaces here: not tried");
        return;
    }
    let exe = std::env::current_exe().unwrap();
    let test = "spill_lives::ss_2_a_disk_that_is_really_full_harms_nothing";
    let done = mount(&[exe.to_str().unwrap(), "--exact", test, "--nocapture"]).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("was full"), "it has not run");
}

fn fills(place: &Path) {
    let aware = Spill::open(&[place], Rules::default()).unwrap().spill;
    let unaware = Box::new(Unaware(Local::open(place).unwrap().0));
    let unaware = Spill::over(vec![unaware], Rules::default());
    let kept: Vec<_> = (0..3).map(|key| (Key(key), bytes(key, 300_000))).collect();
    let at = write(&aware, &kept).unwrap();
    let more = [(Key(10), bytes(10, 1_150_000))];
    // It fits, but not with what is to stay free.
    let full = write(&aware, &more).unwrap_err();
    let is_full = matches!(full, SpillError::OutOfDisk { needed, free, .. }
        if needed > free && free > 1_000_000 && needed < free + (2 << 20) / 20);
    assert!(is_full, "{full}");
    let fits = write(&unaware, &more).unwrap();
    assert!(read(&unaware, Key(10), &fits[0]).unwrap() == more[0].1);
    // The system says no.
    let full = write(&unaware, &[(Key(11), bytes(11, 100_000))]).unwrap_err();
    assert!(matches!(full, SpillError::OutOfDisk { needed: 100_096, .. }), "{full}");
    assert_eq!(files(place).len(), 2, "nothing is left of what was begun");
    for ((key, object), at) in kept.iter().zip(&at) {
        assert!(read(&aware, *key, at).unwrap() == *object);
    }
    unaware.remove(Key(10), &fits[0]).unwrap();
    write(&unaware, &[(Key(11), bytes(11, 100_000))]).unwrap();
    assert!(unaware.failures().is_empty(), "a full disk is not a broken one");
    says("was full");
}
