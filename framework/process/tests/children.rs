//! Real processes: this program, started again in the role of a child.

#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio, exit};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use raytree_process::{
    Assignment, Event, FromChild, Heard, Keeper, Process, ProcessEnd, ROLE_VARIABLE, SpawnError,
    Spec,
};
use raytree_types::Incarnation;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

const GENEROUS: Duration = Duration::from_secs(60);
const SECOND: Incarnation = Incarnation { placement: 1, restart: 0 };

fn spec(role: &str, details: &str) -> Spec {
    Spec {
        program: std::env::current_exe().expect("a path"),
        arg0: None,
        args: ["--exact", "as_a_child", "--nocapture"].map(Into::into).into(),
        environment: Vec::new(),
        directory: None,
        role: role.to_owned(),
        name: "child-1".to_owned(),
        details: details.to_owned(),
        incarnation: SECOND,
        beat_every: Duration::from_millis(10),
        capture: None,
    }
}

/// A child and what is heard of it.
struct Heir {
    process: Process,
    events: Receiver<Event>,
}

impl Heir {
    fn of(keeper: &Keeper, spec: Spec) -> Self {
        let (tell, events) = sync_channel(100_000);
        let observer = Box::new(move |event| _ = tell.try_send(event));
        let process = keeper.spawn(spec, observer).expect("a process");
        Self { process, events }
    }

    fn next(&self) -> Event {
        self.events.recv_timeout(GENEROUS).expect("an event in time")
    }

    fn await_event(&self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next();
            if wanted(&event) {
                return event;
            }
            assert!(!matches!(event, Event::Exited(_)), "it has ended: {event:?}");
        }
    }

    fn comes_up(&self) {
        self.await_event(|event| *event == Event::Said(FromChild::Up { port: 0 }));
    }

    fn beats(&self) {
        self.await_event(|event| matches!(event, Event::Said(FromChild::Beat { .. })));
    }

    /// How it ended; nothing is heard of it afterwards.
    fn end(&self) -> ProcessEnd {
        let Event::Exited(end) = self.await_event_of_end() else {
            unreachable!("it was asked for")
        };
        assert!(self.events.recv_timeout(GENEROUS).is_err(), "the last word");
        end
    }

    fn await_event_of_end(&self) -> Event {
        loop {
            let event = self.next();
            if matches!(event, Event::Exited(_)) {
                return event;
            }
        }
    }
}

fn keeper() -> Keeper {
    Keeper::start().expect("a thread")
}

/// Does nothing in a run of the tests. Started as a child, it is one.
#[test]
fn as_a_child() {
    let Some(me) = Assignment::of_this_process().expect("an assignment") else { return };
    assert_eq!((me.name.as_str(), me.incarnation), ("child-1", SECOND));
    match me.role.as_str() {
        "good" => good(&me),
        "mute" => forever(),
        "rude" => {
            _ = rustix::net::send(std::io::stdin(), b"hello", rustix::net::SendFlags::empty());
            forever();
        }
        "parent" => parent(&me),
        "patron" => patron(),
        "echo" => echo(&me),
        other => panic!("no role {other}"),
    }
}

fn forever() -> ! {
    loop {
        thread::park();
    }
}

/// Lives until it is told to stop. With `details` a number: until so many of its beats were answered.
#[expect(clippy::exit, reason = "it is a program of its own")]
fn good(me: &Assignment) {
    let link: Arc<Mutex<Option<raytree_process::Link>>> = Arc::default();
    let (own, answers) = (Arc::clone(&link), AtomicU64::new(0));
    let wanted = me.details.parse().unwrap_or(u64::MAX);
    let connected = me.connect(move |heard| match heard {
        Heard::Answered { .. } if answers.fetch_add(1, Ordering::Relaxed) + 1 == wanted => exit(42),
        Heard::Stop { within } => {
            assert_eq!(within, Duration::from_secs(3));
            own.lock().expect("no panic").as_ref().expect("a line").leaving();
            exit(0);
        }
        Heard::Gone => exit(7),
        _ => {}
    });
    let connected = connected.expect("a line");
    connected.progress().tick();
    *link.lock().expect("no panic") = Some(connected.clone());
    connected.up();
    forever();
}

/// Has a child of its own, whose process id it writes into the file of its details.
fn parent(me: &Assignment) {
    let link = me.connect(|_| {}).expect("a line");
    let keeper = keeper();
    let heir = Heir::of(&keeper, spec("good", ""));
    heir.comes_up();
    std::fs::write(&me.details, heir.process.id().to_string()).expect("a file");
    link.up();
    forever();
}

/// Gives back what comes in on each stream, in capitals.
fn echo(me: &Assignment) {
    let connected = me.connect(|heard| {
        if let Heard::Stream(mut stream) = heard {
            thread::spawn(move || {
                let mut said = String::new();
                stream.read_to_string(&mut said).expect("text");
                stream.write_all(said.to_uppercase().as_bytes()).expect("a reader");
            });
        }
    });
    connected.expect("a line").up();
    forever();
}

/// Runs a program that is no child, and inherits everything else.
#[expect(clippy::exit, reason = "it is a program of its own")]
fn patron() {
    let assignment = Assignment::of_this_process().expect("readable").expect("an assignment");
    _ = assignment.connect(|_| {}).expect("a line");
    // Without a line it runs the tests of this name, which do nothing.
    let ran = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "as_a_child"])
        .stdin(Stdio::inherit())
        .stdout(Stdio::null())
        .status();
    assert!(std::env::var_os(ROLE_VARIABLE).is_some());
    exit(if ran.expect("a program").success() { 5 } else { 6 });
}

#[test]
fn a_child_comes_up_beats_and_is_answered() {
    let keeper = keeper();
    let heir = Heir::of(&keeper, spec("good", "5"));
    heir.comes_up();
    let Event::Said(FromChild::Beat { number, .. }) =
        heir.await_event(|event| matches!(event, Event::Said(FromChild::Beat { .. })))
    else {
        unreachable!("it was asked for")
    };
    assert!(number >= 1);
    assert_eq!(heir.end(), ProcessEnd::Exited(42));
}

#[test]
fn what_is_not_answered_is_known_to_the_child() {
    let keeper = keeper();
    let heir = Heir::of(&keeper, spec("good", "1000000"));
    heir.process.abandon();
    heir.comes_up();
    (0..20).for_each(|_| heir.beats());
    heir.process.kill();
    assert_eq!(heir.end(), ProcessEnd::Killed(9));
}

#[test]
fn kp_1_a_killed_child_has_one_end_and_it_is_the_last_word() {
    let keeper = keeper();
    let heirs: Vec<_> = (0..4).map(|_| Heir::of(&keeper, spec("good", ""))).collect();
    for heir in &heirs {
        heir.comes_up();
        heir.process.kill();
        heir.process.kill();
    }
    for heir in &heirs {
        assert_eq!(heir.end(), ProcessEnd::Killed(9));
        // Its number may be another's by now: nobody is hit.
        heir.process.kill();
        heir.process.terminate();
        heir.process.stop(Duration::from_secs(3));
    }
}

#[test]
fn a_child_ends_in_order_when_it_is_told_to() {
    let keeper = keeper();
    let heir = Heir::of(&keeper, spec("good", ""));
    heir.comes_up();
    heir.process.stop(Duration::from_secs(3));
    heir.await_event(|event| *event == Event::Said(FromChild::Leaving));
    assert_eq!(heir.end(), ProcessEnd::Exited(0));
}

#[test]
fn a_child_that_ignores_everything_is_terminated() {
    let keeper = keeper();
    let heir = Heir::of(&keeper, spec("mute", ""));
    heir.process.stop(Duration::from_secs(3));
    heir.process.terminate();
    assert_eq!(heir.end(), ProcessEnd::Killed(15));
}

#[test]
fn a_frozen_child_is_told_from_a_silent_one() {
    let keeper = keeper();
    let heir = Heir::of(&keeper, spec("good", ""));
    heir.comes_up();
    assert!(!heir.process.is_frozen());
    let pid =
        Pid::from_raw(i32::try_from(heir.process.id()).expect("a number")).expect("a process");
    kill_process(pid, Signal::STOP).expect("it is there");
    while !heir.process.is_frozen() {
        thread::yield_now();
    }
    while heir.events.try_recv().is_ok() {}
    kill_process(pid, Signal::CONT).expect("it is there");
    heir.beats();
    assert!(!heir.process.is_frozen());
}

#[test]
fn what_is_no_frame_is_the_last_that_is_heard() {
    let keeper = keeper();
    let heir = Heir::of(&keeper, spec("rude", ""));
    let garbage = heir.next();
    assert_eq!(garbage, Event::Garbage("a packet of 5 bytes, where frames have 32".to_owned()));
    heir.process.kill();
    assert_eq!(heir.end(), ProcessEnd::Killed(9));
}

/// Waits until the process of this handle has ended.
fn has_ended(process: impl std::os::fd::AsFd) {
    let time = Timespec { tv_sec: 60, tv_nsec: 0 };
    let mut one = [PollFd::new(&process, PollFlags::IN)];
    assert_eq!(poll(&mut one, Some(&time)), Ok(1), "it lives");
}

#[test]
fn kp_2_a_grandchild_dies_with_its_parent() {
    let keeper = keeper();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let heir = Heir::of(&keeper, spec("parent", &file.path().display().to_string()));
    heir.comes_up();
    let number = std::fs::read_to_string(file.path()).expect("a file").parse().expect("a number");
    let grandchild = pidfd_open(Pid::from_raw(number).expect("a process"), PidfdFlags::empty());
    let grandchild = grandchild.expect("it lives");
    heir.process.kill();
    has_ended(grandchild.as_fd());
}

#[test]
fn kp_2_children_die_with_their_keeper_and_with_their_handle() {
    for role in ["good", "mute"] {
        let keeper = keeper();
        let heir = Heir::of(&keeper, spec(role, ""));
        if role == "good" {
            heir.comes_up();
        }
        let number = i32::try_from(heir.process.id()).expect("a number");
        let process = pidfd_open(Pid::from_raw(number).expect("a process"), PidfdFlags::empty());
        drop(keeper);
        has_ended(process.expect("it lives"));
    }
    let keeper = keeper();
    let Heir { process, events } = Heir::of(&keeper, spec("mute", ""));
    drop(process);
    let ended = events.iter().find(|event| matches!(event, Event::Exited(_)));
    assert_eq!(ended, Some(Event::Exited(ProcessEnd::Killed(9))));
}

#[test]
fn a_program_that_a_child_runs_is_no_child() {
    let keeper = keeper();
    let heir = Heir::of(&keeper, spec("patron", ""));
    assert_eq!(heir.end(), ProcessEnd::Exited(5));
}

#[test]
fn a_stream_carries_what_is_larger_than_a_frame() {
    let keeper = keeper();
    let heir = Heir::of(&keeper, spec("echo", ""));
    heir.comes_up();
    let streams: Vec<_> = (0..3).map(|_| heir.process.stream().expect("a stream")).collect();
    for (number, mut stream) in streams.into_iter().enumerate() {
        let text = format!("stream {number} ").repeat(100_000);
        stream.write_all(text.as_bytes()).expect("a reader");
        stream.shutdown(Shutdown::Write).expect("an end");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        assert_eq!(answer, text.to_uppercase());
    }
    let mut stream = heir.process.stream().expect("a stream");
    heir.process.kill();
    assert_eq!(heir.end(), ProcessEnd::Killed(9));
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "nobody is there");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let keeper = keeper();
    let missing = Spec { program: PathBuf::from("/no/such/program"), ..spec("good", "") };
    let refused = keeper.spawn(missing, Box::new(|_| {})).map(drop).expect_err("it is not there");
    assert!(matches!(refused, SpawnError::Refused { .. }), "{refused}");
    assert!(
        refused.to_string().starts_with("/no/such/program could not be started: "),
        "{refused}"
    );
    // And the keeper goes on.
    Heir::of(&keeper, spec("good", "")).comes_up();
}

#[test]
fn a_child_has_its_own_environment_and_directory() {
    let keeper = keeper();
    let folder = tempfile::tempdir().expect("a folder");
    let spec = Spec {
        program: PathBuf::from("/bin/sh"),
        args: ["-c", "test \"$COLOUR\" = red && test \"$PWD\" = \"$0\" && exit 9"]
            .map(Into::into)
            .into_iter()
            .chain([folder.path().as_os_str().to_owned()])
            .collect(),
        environment: vec![("COLOUR".into(), "red".into())],
        directory: Some(folder.path().to_owned()),
        ..spec("shell", "")
    };
    assert_eq!(Heir::of(&keeper, spec).end(), ProcessEnd::Exited(9));
}

#[test]
fn a_child_whose_keeper_died_first_does_nothing() {
    // A line whose other end is closed, and a parent that is not the one who wrote.
    let (ours, theirs) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::SEQPACKET,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .expect("a line");
    let assignment = r#"{"version":1,"parent":1,"role":"good","name":"child-1","incarnation":{"placement":1,"restart":0},"beat_every":10,"details":""}"#;
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args(["--exact", "as_a_child"]).env(ROLE_VARIABLE, assignment);
    command
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    drop(ours);
    let output = command.output().expect("a process");
    assert!(!output.status.success(), "it would not connect");
    assert!(String::from_utf8_lossy(&output.stdout).contains("the parent is gone"));
}
