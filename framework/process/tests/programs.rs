//! Real programs that travel: this one, as a file in a cache, executed from there by several threads and processes.

#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use raytree_process::program::{Architecture, Cache, CacheError, Entry, Program, ProgramId};
use raytree_process::{Assignment, Event, Keeper, ProcessEnd, Spec};
use raytree_types::Incarnation;
use tempfile::TempDir;

const GENEROUS: Duration = Duration::from_secs(60);

/// What a child of these tests is to do.
const TASK: &str = "RAYTREE_TEST_TASK";

/// Where.
const FOLDER: &str = "RAYTREE_TEST_FOLDER";

/// What a child tells of, a byte each, on its standard error: the harness writes on the other one.
const MARK: u8 = b'.';

fn folder() -> (TempDir, PathBuf) {
    let temp = tempfile::tempdir().expect("a folder");
    let folder = temp.path().join("programs");
    (temp, folder)
}

fn own() -> &'static Program {
    Program::of_this_process().expect("this program")
}

fn own_id() -> ProgramId {
    own().id().expect("this program")
}

fn open(folder: &Path) -> Cache {
    Cache::open(folder, 4 << 30).expect("a cache")
}

/// This very program, fetched. `progress` is called after each part.
fn fetch(cache: &Cache, mut progress: impl FnMut()) -> Result<Entry, CacheError> {
    let mut incoming = cache.begin(own_id(), own().length(), own().architecture())?;
    for chunk in own().chunks() {
        for part in chunk.expect("this program").chunks(64 << 10) {
            incoming.write(part)?;
            progress();
        }
    }
    incoming.finish()
}

/// A small program with an end of its own, so that each number gives another one: a shell.
fn shell(number: u64) -> Vec<u8> {
    let mut bytes = fs::read("/bin/sh").expect("a shell");
    bytes.extend(number.to_le_bytes());
    bytes
}

fn take_in(cache: &Cache, bytes: &[u8]) -> Entry {
    let architecture = Architecture::of_this_process().expect("this program");
    let mut incoming =
        cache.begin(ProgramId::of(bytes), bytes.len() as u64, &architecture).expect("room");
    bytes.chunks(16 << 10).for_each(|part| incoming.write(part).expect("written"));
    incoming.finish().expect("whole")
}

fn child(program: &Path, task: &str, folder: &Path) -> Child {
    let mut command = Command::new(program);
    command.args(["--exact", "as_a_child", "--nocapture"]).env(TASK, task).env(FOLDER, folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("a process")
}

fn this_file() -> PathBuf {
    std::env::current_exe().expect("a path")
}

/// Waits until a child has told so many bytes.
fn told(child: &mut Child, bytes: usize) -> Vec<u8> {
    let mut told = vec![0; bytes];
    child.stderr.as_mut().expect("a pipe").read_exact(&mut told).expect("it tells");
    told
}

fn ends_well(mut child: Child) {
    let mut errors = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut errors).expect("text");
    assert!(child.wait().expect("a child").success(), "{errors}");
}

fn mark() {
    std::io::stderr().write_all(&[MARK]).expect("somebody hears");
}

/// Waits until the parent closes the line.
fn go() {
    std::io::stdin().read_to_end(&mut Vec::new()).expect("a line");
}

/// Waits until the parent lets it do the next part.
fn permit() {
    std::io::stdin().read_exact(&mut [0]).expect("a line");
}

/// Does nothing in a run of the tests. Started with a task, it does that.
#[test]
fn as_a_child() {
    if Assignment::of_this_process().is_ok_and(|assignment| assignment.is_some()) {
        return as_a_worker();
    }
    let Ok(task) = std::env::var(TASK) else { return };
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("a folder"));
    match task.as_str() {
        "fetch" => {
            let cache = open(&folder);
            mark();
            go();
            let entry = fetch(&cache, || {}).expect("whole");
            assert_eq!(entry.id(), own_id());
        }
        "crawl" => {
            let part = || {
                mark();
                permit();
            };
            _ = fetch(&open(&folder), part).expect("whole");
        }
        "hold" => {
            let _entry = open(&folder).get(own_id()).expect("an answer").expect("whole");
            mark();
            go();
        }
        "tell" => {
            mark();
            go();
            eprint!("{:#} {}", own_id(), own().name());
        }
        other => panic!("no task {other}"),
    }
}

#[expect(clippy::exit, reason = "it is a program of its own")]
fn as_a_worker() {
    let assignment = Assignment::of_this_process().expect("readable").expect("an assignment");
    let link = assignment.connect(|_| {}).expect("a line");
    assert_eq!((own().name(), format!("{:#}", own_id())), ("trainer", assignment.details));
    link.up();
    std::process::exit(5);
}

#[test]
fn a_fetched_program_is_started_as_a_worker() {
    let (_temp, folder) = folder();
    let entry = fetch(&open(&folder), || {}).expect("whole");
    let spec = Spec {
        program: entry.path().to_owned(),
        arg0: Some("trainer".into()),
        args: ["--exact", "as_a_child", "--nocapture"].map(Into::into).into(),
        environment: Vec::new(),
        directory: None,
        role: "worker".to_owned(),
        name: "worker-1".to_owned(),
        details: format!("{:#}", entry.id()),
        incarnation: Incarnation { placement: 1, restart: 0 },
        beat_every: Duration::from_millis(10),
        capture: None,
    };
    let keeper = Keeper::start().expect("a thread");
    let (tell, events) = sync_channel(100_000);
    let process = keeper.spawn(spec, Box::new(move |event| _ = tell.try_send(event)));
    let process = process.expect("a process");
    loop {
        match events.recv_timeout(GENEROUS).expect("an event in time") {
            Event::Exited(end) => break assert_eq!(end, ProcessEnd::Exited(5)),
            event => assert!(!matches!(event, Event::Garbage(_)), "{event:?}"),
        }
    }
    drop(process);
}

#[test]
fn pc_3_a_program_can_be_executed_as_soon_as_it_is_there() {
    const THREADS: u64 = 4;
    let (_temp, folder) = folder();
    let cache = open(&folder);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let cache = cache.clone();
            scope.spawn(move || {
                for turn in 0..40 {
                    let entry = take_in(&cache, &shell(turn * THREADS + thread));
                    let mut command = Command::new(entry.path());
                    // The others are writing at this moment: the child has their descriptors until it executes.
                    let ran = command.arg0("sh").args(["-c", "exit 7"]).status();
                    assert_eq!(ran.expect("it is executed").code(), Some(7));
                }
            });
        }
    });
}

#[test]
fn several_processes_that_fetch_one_program_at_once_all_end_well() {
    let (_temp, folder) = folder();
    for _ in 0..3 {
        let mut children: Vec<_> = (0..4).map(|_| child(&this_file(), "fetch", &folder)).collect();
        children.iter_mut().for_each(|child| _ = told(child, 1));
        children.iter_mut().for_each(|child| drop(child.stdin.take()));
        children.into_iter().for_each(ends_well);
        let names: Vec<_> = fs::read_dir(&folder).expect("a folder").flatten().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        let entry = open(&folder).get(own_id()).expect("an answer").expect("whole");
        fs::remove_file(entry.path()).expect("it is there");
    }
}

#[test]
fn pc_1_a_fetch_that_is_killed_is_as_if_it_had_never_been() {
    let parts = usize::try_from(own().length().div_ceil(64 << 10)).expect("a number");
    let (_temp, folder) = folder();
    // Seeded: the same points in every run.
    let mut state = 20_260_726_u64;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).expect("a number") % parts + 1
    });
    for point in [1, parts, parts, parts].into_iter().chain(random.take(10)) {
        let mut fetching = child(&this_file(), "crawl", &folder);
        // It stops after that many parts; after all of them it is hit while it finishes.
        let permits = vec![MARK; if point == parts { parts } else { point - 1 }];
        fetching.stdin.as_mut().expect("a pipe").write_all(&permits).expect("it listens");
        assert_eq!(told(&mut fetching, point), vec![MARK; point]);
        fetching.kill().expect("it is there");
        let ended = fetching.wait().expect("a child");
        assert!(point == parts || ended.signal() == Some(9), "{ended}");
        let cache = open(&folder);
        let found = cache.get(own_id()).expect("an answer");
        assert!(found.is_none() || point == parts, "after {point} of {parts}");
        let files = fs::read_dir(&folder).expect("a folder").count();
        assert_eq!(files, usize::from(found.is_some()), "after {point} of {parts}");
        if let Some(entry) = found {
            assert_eq!(fs::read(entry.path()).expect("a file").len() as u64, own().length());
            fs::remove_file(entry.path()).expect("it is there");
        }
    }
    fetch(&open(&folder), || {}).expect("whole");
}

#[test]
fn pc_2_what_another_process_holds_stays() {
    let (_temp, folder) = folder();
    drop(fetch(&open(&folder), || {}).expect("whole"));
    let cache = Cache::open(&folder, own().length() + 100).expect("a cache");
    let mut holder = child(&this_file(), "hold", &folder);
    told(&mut holder, 1);
    let begin = || {
        let architecture = Architecture::of_this_process().expect("this program");
        cache.begin(ProgramId::of(b"another"), 101, &architecture)
    };
    let refused = begin().expect_err("it is held");
    assert!(matches!(refused, CacheError::Full { length: 101, .. }), "{refused}");
    // However it ends.
    holder.kill().expect("it is there");
    holder.wait().expect("a child");
    begin().expect("room");
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0);
}

#[test]
fn a_process_knows_its_program_when_its_file_was_replaced_or_deleted() {
    let (temp, folder) = folder();
    let expected = format!("{:#} tool", own_id());
    for is_replaced in [false, true] {
        let file = temp.path().join("tool");
        // By a process of its own: a child of another test might have the descriptor that writes.
        let copied = Command::new("cp").arg(this_file()).arg(&file).status().expect("cp");
        assert!(copied.success());
        let mut running = child(&file, "tell", &folder);
        told(&mut running, 1);
        if is_replaced {
            let new = temp.path().join("new");
            fs::write(&new, "another program").expect("a file");
            fs::rename(new, &file).expect("replaced");
        } else {
            fs::remove_file(&file).expect("it is there");
        }
        drop(running.stdin.take());
        assert_eq!(String::from_utf8(told(&mut running, expected.len())), Ok(expected.clone()));
        ends_well(running);
    }
}
