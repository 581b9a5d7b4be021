//! Caches on real files; processes that die in the middle.

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use proptest::prelude::*;
use tempfile::TempDir;

use super::crash;
use super::*;

/// Where a child of these tests is to work.
const FOLDER: &str = "RAYTREE_TEST_FOLDER";

pub(super) fn cache(bytes_max: u64) -> (TempDir, Cache) {
    let temp = tempfile::tempdir().expect("a folder");
    let cache = Cache::open(temp.path().join("programs"), bytes_max).expect("a cache");
    (temp, cache)
}

/// The header of this program, and then something else.
pub(super) fn executable(seed: u64, length: usize) -> Vec<u8> {
    let program = Program::of_this_process().expect("this program");
    let mut bytes = program.read_at(0, 20).expect("a header");
    let mut state = seed;
    bytes.extend(
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(length - 20),
    );
    bytes
}

fn architecture() -> Architecture {
    Architecture::of_this_process().expect("this program")
}

fn begin(cache: &Cache, bytes: &[u8]) -> Result<Incoming, CacheError> {
    cache.begin(ProgramId::of(bytes), bytes.len() as u64, &architecture())
}

fn fetch(cache: &Cache, bytes: &[u8]) -> Result<Entry, CacheError> {
    let mut incoming = begin(cache, bytes)?;
    incoming.write(bytes)?;
    incoming.finish()
}

/// The names of what lies there, in order.
fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = files
        .map(|file| file.expect("a file").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

fn names_of(programs: &[&[u8]]) -> Vec<String> {
    let mut names: Vec<_> =
        programs.iter().map(|bytes| format!("{:#}", ProgramId::of(bytes))).collect();
    names.sort();
    names
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pc_1_a_program_is_whole_in_whatever_parts_it_comes(
        length in 20_usize..5000,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let (_temp, cache) = cache(1 << 20);
        let bytes = executable(length as u64, length);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(length + 1)).collect();
        cuts.extend([0, length]);
        cuts.sort_unstable();
        let mut incoming = begin(&cache, &bytes).expect("room");
        for part in cuts.windows(2) {
            prop_assert!(cache.get(ProgramId::of(&bytes)).expect("an answer").is_none());
            incoming.write(&bytes[part[0]..part[1]]).expect("written");
        }
        let entry = incoming.finish().expect("whole");
        prop_assert_eq!(fs::read(entry.path()).expect("a file"), bytes.clone());
        prop_assert_eq!(fs::metadata(entry.path()).expect("a file").mode() & 0o7777, 0o700);
        prop_assert_eq!(names(cache.path()), names_of(&[&bytes]));
    }

    #[test]
    fn pc_1_what_is_not_the_program_never_gets_its_name(
        length in 21_usize..3000,
        at in any::<prop::sample::Index>(),
        kind in 0..3,
    ) {
        let (_temp, cache) = cache(1 << 20);
        let bytes = executable(length as u64, length);
        let mut incoming = begin(&cache, &bytes).expect("room");
        let refused = match kind {
            0 => {
                let mut wrong = bytes.clone();
                wrong[20 + at.index(length - 20)] ^= 1;
                incoming.write(&wrong).expect("as long as it should be");
                let id = ProgramId::of(&wrong);
                let refused = incoming.finish().expect_err("another program");
                let is = matches!(refused, CacheError::WrongHash { received, .. } if received == id);
                prop_assert!(is);
                refused
            }
            1 => {
                let received = at.index(length);
                incoming.write(&bytes[..received]).expect("not too long");
                let refused = incoming.finish().expect_err("too short");
                let is = matches!(refused, CacheError::WrongLength { received: is, .. } if is == received as u64);
                prop_assert!(is);
                refused
            }
            _ => {
                incoming.write(&bytes).expect("not too long");
                let refused = incoming.write(&bytes[at.index(length)..]).expect_err("too long");
                let is = matches!(refused, CacheError::TooLong { .. });
                prop_assert!(is);
                // And it does not become right by this.
                prop_assert!(incoming.finish().is_err());
                refused
            }
        };
        let program = ProgramId::of(&bytes);
        prop_assert!(refused.to_string().contains(&program.to_string()), "{refused}");
        prop_assert_eq!(names(cache.path()), Vec::<String>::new());
        prop_assert!(cache.get(program).expect("an answer").is_none());
    }
}

#[test]
fn what_cannot_run_here_is_refused_before_it_comes() {
    let (_temp, cache) = cache(1 << 20);
    let text = [b'#'; 100];
    let mut incoming = begin(&cache, &text).expect("room");
    let refused = incoming.write(&text).expect_err("no program");
    assert!(matches!(refused, CacheError::NotElf { .. }), "{refused}");
    drop(incoming);
    assert!(matches!(begin(&cache, b"short"), Err(CacheError::NotElf { .. })));

    let mut foreign = executable(1, 100);
    foreign[18] ^= 0x55;
    let mut incoming = begin(&cache, &foreign).expect("it says that it is for this machine");
    let refused = incoming.write(&foreign).expect_err("it is not");
    assert!(matches!(refused, CacheError::Architecture(_)), "{refused}");
    drop(incoming);

    let mut header = [0; 20];
    header.copy_from_slice(&foreign[..20]);
    let machine = requirement::Machine::of_header(&header).expect("a machine");
    let other = Architecture::unknown_on(machine);
    let refused = cache.begin(ProgramId::of(&foreign), 100, &other).expect_err("another machine");
    assert!(refused.to_string().contains(&architecture().to_string()), "{refused}");
    assert_eq!(names(cache.path()), Vec::<String>::new());
}

#[test]
fn pc_4_what_was_used_least_recently_leaves_first() {
    let (_temp, cache) = cache(400);
    let programs: Vec<_> = (0..4).map(|seed| executable(seed, 100)).collect();
    for bytes in &programs {
        fetch(&cache, bytes).expect("room");
    }
    // Used again, by another cache on the same folder.
    let other = Cache::open(cache.path(), 400).expect("a cache");
    assert!(other.get(ProgramId::of(&programs[0])).expect("an answer").is_some());
    let large = executable(4, 150);
    fetch(&cache, &large).expect("room");
    assert_eq!(names(cache.path()), names_of(&[&programs[0], &programs[3], &large]));
    // One that was only announced counts.
    let half = begin(&cache, &executable(5, 200)).expect("room");
    assert_eq!(names(cache.path()).len(), 2);
    let refused = begin(&other, &executable(6, 201)).expect_err("no room");
    assert!(matches!(refused, CacheError::Full { in_use: 200, .. }), "{refused}");
    drop(half);
    begin(&other, &executable(6, 201)).expect("room again");
    // A smaller bound holds from the next time it is opened.
    assert_eq!(names(cache.path()), names_of(&[&large]));
    Cache::open(cache.path(), 149).expect("a cache");
    assert_eq!(names(cache.path()), Vec::<String>::new());
}

#[test]
fn pc_2_and_pc_5_what_is_held_stays_and_nothing_leaves_in_vain() {
    let (_temp, cache) = cache(300);
    let programs: Vec<_> = (0..3).map(|seed| executable(seed, 100)).collect();
    let oldest = fetch(&cache, &programs[0]).expect("room");
    let clone = oldest.clone();
    drop(oldest);
    for bytes in &programs[1..] {
        fetch(&cache, bytes).expect("room");
    }
    let other = Cache::open(cache.path(), 300).expect("a cache");
    let refused = begin(&other, &executable(4, 201)).expect_err("one of them is held");
    assert!(matches!(refused, CacheError::Full { in_use: 100, length: 201, .. }), "{refused}");
    assert_eq!(names(cache.path()).len(), 3);
    let entry = fetch(&other, &executable(4, 200)).expect("room beside the one that is held");
    assert_eq!(names(cache.path()), names_of(&[&programs[0], &executable(4, 200)]));
    let refused = begin(&cache, &executable(5, 101)).expect_err("all are held");
    assert!(matches!(refused, CacheError::Full { in_use: 300, .. }), "{refused}");
    drop((clone, entry));
    let refused = begin(&cache, &executable(6, 301)).expect_err("it never fits");
    assert!(matches!(refused, CacheError::TooLarge { bound: 300, .. }), "{refused}");
    begin(&cache, &executable(6, 300)).expect("room for it alone");
    assert_eq!(names(cache.path()), Vec::<String>::new());
}

#[test]
fn pc_2_and_pc_4_hold_whoever_fetches_uses_and_evicts_at_once() {
    const BOUND: u64 = 1000;
    let (_temp, first) = cache(BOUND);
    let programs: Vec<_> = (1..7).map(|size| executable(size, 100 * size as usize)).collect();
    let turns = |thread: usize| {
        // A cache of its own, as in another process.
        let cache = Cache::open(first.path(), BOUND).expect("a cache");
        let (mut found, mut fetched, mut refused) = (0, 0, 0);
        for turn in 0..150 {
            let bytes = &programs[(thread * 31 + turn * 7 + turn / 5) % programs.len()];
            let entry = match cache.get(ProgramId::of(bytes)).expect("an answer") {
                Some(entry) => {
                    found += 1;
                    entry
                }
                None => match fetch(&cache, bytes) {
                    Ok(entry) => {
                        fetched += 1;
                        entry
                    }
                    Err(CacheError::Full { .. }) => {
                        refused += 1;
                        continue;
                    }
                    Err(error) => panic!("{error}"),
                },
            };
            let guard = cache.folder().lock().expect("free soon");
            let files = cache.folder().list().expect("a folder");
            assert!(files.iter().map(|file| file.is.len()).sum::<u64>() <= BOUND, "{files:?}");
            drop(guard);
            assert!(fs::read(entry.path()).expect("it is held") == *bytes);
        }
        assert_eq!(found + fetched + refused, 150);
        (found, fetched)
    };
    let turns = &turns;
    let all = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || turns(thread))).collect();
        threads.into_iter().map(|one| one.join().expect("no panic")).collect::<Vec<_>>()
    });
    // Who comes first finds room; one of the others may be out of luck for a long time.
    assert!(all.iter().any(|(_, fetched)| *fetched > 0), "{all:?}");
}

#[test]
fn pc_1_what_was_damaged_is_absent_and_can_be_fetched_again() {
    let (_temp, cache) = cache(1 << 20);
    let bytes = executable(1, 1000);
    let program = ProgramId::of(&bytes);
    let damages: [&dyn Fn(&Path); 5] = [
        &|path| {
            File::options().write(true).open(path).and_then(|file| file.set_len(999)).expect("cut")
        },
        &|path| fs::write(path, executable(2, 1000)).expect("written over"),
        &|path| fs::set_permissions(path, Permissions::from_mode(0o600)).expect("ours"),
        &|path| {
            fs::remove_file(path).expect("it is there");
            symlink("/bin/sh", path).expect("a link");
        },
        &|path| {
            fs::remove_file(path).expect("it is there");
            fs::create_dir(path).expect("a folder");
        },
    ];
    for damage in damages {
        let path = fetch(&cache, &bytes).expect("whole").path().to_owned();
        damage(&path);
        assert!(cache.get(program).expect("an answer").is_none());
        assert_eq!(names(cache.path()), Vec::<String>::new());
        fetch(&cache, &bytes).expect("whole");
        damage(&path);
        // It is not fetched for it, and makes way for it.
        assert_eq!(fs::read(fetch(&cache, &bytes).expect("whole").path()).expect("a file"), bytes);
    }
}

#[test]
fn the_hash_is_checked_once_for_each_cache_that_is_opened() {
    let (_temp, cache) = cache(1 << 20);
    let bytes = executable(1, 1000);
    let path = fetch(&cache, &bytes).expect("whole").path().to_owned();
    let modified = fs::metadata(&path).and_then(|is| is.modified()).expect("a time");
    let other = Cache::open(cache.path(), 1 << 20).expect("a cache");
    assert!(other.get(ProgramId::of(&bytes)).expect("an answer").is_some());
    // The disk gives other bytes than it was given, which nobody is told.
    fs::write(&path, executable(2, 1000)).expect("written over");
    let file = File::options().write(true).open(&path).expect("a file");
    file.set_times(FileTimes::new().set_modified(modified)).expect("ours");
    drop(file);
    assert!(cache.get(ProgramId::of(&bytes)).expect("an answer").is_some());
    assert!(other.get(ProgramId::of(&bytes)).expect("an answer").is_some());
    let next = Cache::open(cache.path(), 1 << 20).expect("a cache");
    assert!(next.get(ProgramId::of(&bytes)).expect("an answer").is_none());
    assert!(cache.get(ProgramId::of(&bytes)).expect("an answer").is_none());
}

#[test]
fn the_folder_is_ours_alone() {
    let temp = tempfile::tempdir().expect("a folder");
    let open = |path: &Path| Cache::open(path, 1 << 20);
    let made = temp.path().join("new/programs");
    open(&made).expect("a cache");
    for folder in [&*made, made.parent().expect("a parent")] {
        assert_eq!(fs::metadata(folder).expect("a folder").mode() & 0o7777, 0o700);
    }
    for mode in [0o755, 0o710, 0o701] {
        fs::set_permissions(&made, Permissions::from_mode(mode)).expect("ours");
        let refused = open(&made).expect_err("others may enter");
        assert!(refused.to_string().contains("say `chmod 700 "), "{refused}");
    }
    fs::set_permissions(&made, Permissions::from_mode(0o700)).expect("ours");
    let link = temp.path().join("link");
    symlink(&made, &link).expect("a link");
    assert!(matches!(open(&link), Err(CacheError::Unsafe { .. })));
    let file = temp.path().join("file");
    fs::write(&file, "").expect("a file");
    assert!(matches!(open(&file), Err(CacheError::Io { .. })));
    // Only the superuser can give it away.
    if chown(&made, Some(65534), None).is_ok() {
        let refused = open(&made).expect_err("it is another's");
        assert!(refused.to_string().contains("it belongs to user 65534"), "{refused}");
    }
}

#[test]
fn what_is_not_a_program_in_the_folder_is_left_alone() {
    let (_temp, cache) = cache(100);
    fs::write(cache.path().join("notes.txt"), [0; 1000]).expect("a file");
    let bytes = executable(1, 100);
    fetch(&cache, &bytes).expect("room");
    Cache::open(cache.path(), 100).expect("a cache");
    assert_eq!(names(cache.path()), [&names_of(&[&bytes])[..], &["notes.txt".to_owned()]].concat());
}

/// Does nothing in a run of the tests. As a child it fetches a program, in parts of a thousand bytes.
#[test]
fn as_a_child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let cache = Cache::open(folder, 1 << 20).expect("a cache");
    let bytes = executable(7, 10_000);
    let fetched = begin(&cache, &bytes).and_then(|mut incoming| {
        bytes.chunks(1000).try_for_each(|part| incoming.write(part))?;
        incoming.finish()
    });
    match fetched {
        Ok(entry) => assert_eq!(fs::read(entry.path()).expect("a file"), bytes),
        Err(CacheError::DiskFull { length: 10_000, .. }) => {
            assert_eq!(names(cache.path()), Vec::<String>::new());
            println!("the disk is full");
        }
        Err(error) => panic!("{error}"),
    }
}

fn child(mut command: Command, folder: &Path, crash: &str) -> Output {
    command.args(["--exact", "program::tests::as_a_child", "--nocapture"]).env(FOLDER, folder);
    if !crash.is_empty() {
        command.env(crash::VARIABLE, crash);
    }
    command.output().expect("a process")
}

fn own_program() -> Command {
    Command::new(std::env::current_exe().expect("a path"))
}

#[test]
fn pc_1_a_process_that_is_killed_anywhere_leaves_nothing_half_written() {
    let (_temp, cache) = cache(1 << 20);
    let (old, new) = (executable(1, 5000), executable(7, 10_000));
    let before = ["created", "reserved", "synced", "closed", "handed-over"];
    let before = before.map(|place| format!("{place}:0"));
    let parts = (0..10).map(|part| format!("chunk:{part}"));
    let places = before.into_iter().chain(parts).map(|place| (place, false));
    let after = ["named:0", "done:0"].map(|place| (place.to_owned(), true));
    for (place, is_there) in places.chain(after) {
        fetch(&cache, &old).expect("room");
        let output = child(own_program(), cache.path(), &place);
        assert_eq!(output.status.signal(), Some(9), "{place}: {output:?}");
        // One more file: unfinished, or whole.
        assert_eq!(names(cache.path()).len(), 2, "{place}");
        let reopened = Cache::open(cache.path(), 1 << 20).expect("a cache");
        let whole: &[&[u8]] = if is_there { &[&old, &new] } else { &[&old] };
        assert_eq!(names(cache.path()), names_of(whole), "{place}");
        for bytes in whole {
            let entry = reopened.get(ProgramId::of(bytes)).expect("an answer").expect("whole");
            assert_eq!(fs::read(entry.path()).expect("a file"), *bytes, "{place}");
        }
        assert_eq!(reopened.get(ProgramId::of(&new)).expect("an answer").is_some(), is_there);
        assert!(child(own_program(), cache.path(), "").status.success());
        fs::remove_file(cache.folder().path_of(ProgramId::of(&new))).expect("it was fetched");
    }
}

#[test]
fn what_a_dead_process_left_makes_room_without_being_opened_again() {
    let (_temp, cache) = cache(15_000);
    let output = child(own_program(), cache.path(), "synced:0");
    assert_eq!(output.status.signal(), Some(9), "{output:?}");
    let bytes = executable(8, 10_000);
    fetch(&cache, &bytes).expect("room");
    assert_eq!(names(cache.path()), names_of(&[&bytes]));
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let (_temp, cache) = cache(1 << 20);
    let mut shell = Command::new("/bin/sh");
    // No file of this process may have more than a few thousand bytes.
    shell.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""]);
    shell.arg(std::env::current_exe().expect("a path"));
    let output = child(shell, cache.path(), "");
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("the disk is full"), "{output:?}");
    assert_eq!(names(cache.path()), Vec::<String>::new());
}
