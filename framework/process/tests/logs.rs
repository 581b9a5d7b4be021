//! What real processes write: kept, told, bounded.

#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_process::logs::{Capture, Rotation, Session, tail};
use raytree_process::{Event, Keeper, Process, ProcessEnd, Spec};
use raytree_types::{Incarnation, LogLines, Output};

const GENEROUS: Duration = Duration::from_secs(60);

struct Shell {
    _process: Process,
    pid: u32,
    events: Receiver<Event>,
    told: Arc<Mutex<Vec<LogLines>>>,
    session: Arc<Session>,
}

impl Shell {
    fn runs(keeper: &Keeper, below: &Path, rotation: Rotation, script: &str) -> Self {
        let session = Arc::new(Session::begin(below, rotation, true).expect("a session"));
        let told = Arc::<Mutex<Vec<LogLines>>>::default();
        let hears = Arc::clone(&told);
        let tell = Arc::new(move |lines| hears.lock().push(lines));
        let capture = Capture { session: Arc::clone(&session), tell: Some(tell), is_echoed: false };
        let spec = Spec {
            program: PathBuf::from("/bin/sh"),
            arg0: None,
            args: ["-c", script].map(Into::into).into(),
            environment: Vec::new(),
            directory: None,
            role: "shell".to_owned(),
            name: "shell#1".to_owned(),
            details: String::new(),
            incarnation: Incarnation::default(),
            beat_every: Duration::from_secs(1),
            capture: Some(capture),
        };
        let (tell, events) = sync_channel(1000);
        let observer = Box::new(move |event| _ = tell.try_send(event));
        let process = keeper.spawn(spec, observer).expect("a process");
        Self { pid: process.id(), _process: process, events, told, session }
    }

    fn ends(&self) -> ProcessEnd {
        loop {
            if let Event::Exited(end) = self.events.recv_timeout(GENEROUS).expect("an event") {
                return end;
            }
        }
    }

    fn read(&self, output: Output, lines: usize) -> Vec<String> {
        let path = self.session.file(&Session::stem("shell#1", self.pid), output);
        let read = tail(&path, lines, 1 << 20);
        read.expect("readable").lines
    }

    fn told(&self, output: Output) -> Vec<String> {
        let told = self.told.lock();
        let of_it = told.iter().flat_map(|lines| &lines.lines);
        of_it.filter(|line| line.output == output).map(|line| line.text.clone()).collect()
    }
}

const ROTATION: Rotation = Rotation { bytes: 1 << 20, files: 3 };

#[test]
fn lu_1_what_a_child_wrote_is_kept_and_told_whatever_it_died_of() {
    let below = tempfile::tempdir().expect("a folder");
    let keeper = Keeper::start().expect("a thread");
    let script = "echo one; echo two >&2; printf three; kill -9 $$";
    let shell = Shell::runs(&keeper, below.path(), ROTATION, script);
    assert_eq!(shell.ends(), ProcessEnd::Killed(ExitStatus::from_raw(9).signal().expect("one")));
    keeper.settle_logs(GENEROUS);
    assert_eq!(shell.read(Output::Out, 10), ["one", "three"]);
    assert_eq!(shell.read(Output::Err, 10), ["two"]);
    assert_eq!(shell.told(Output::Out), ["one", "three"]);
    assert_eq!(shell.told(Output::Err), ["two"]);
    let told = shell.told.lock();
    assert!(
        told.iter().all(|lines| lines.source.to_string() == format!("shell#1 pid={}", shell.pid))
    );
}

#[test]
fn lu_1_the_children_of_a_keeper_that_is_dropped_have_written_what_they_have() {
    let below = tempfile::tempdir().expect("a folder");
    let keeper = Keeper::start().expect("a thread");
    let shell = Shell::runs(&keeper, below.path(), ROTATION, "echo here; exec sleep 600");
    while shell.told(Output::Out).is_empty() {
        keeper.settle_logs(GENEROUS);
    }
    drop(keeper);
    assert!(matches!(shell.ends(), ProcessEnd::Killed(_)));
    assert_eq!(shell.read(Output::Out, 10), ["here"]);
}

#[test]
fn lf_1_a_flood_is_taken_and_takes_no_more_room_than_is_said() {
    let below = tempfile::tempdir().expect("a folder");
    let keeper = Keeper::start().expect("a thread");
    let rotation = Rotation { bytes: 64 << 10, files: 3 };
    let script =
        "i=0; while [ $i -lt 20000 ]; do echo \"this is line number $i\"; i=$((i+1)); done";
    let shell = Shell::runs(&keeper, below.path(), rotation, script);
    assert_eq!(shell.ends(), ProcessEnd::Exited(0), "it was never stuck");
    keeper.settle_logs(GENEROUS);
    let kept = std::fs::read_dir(shell.session.folder()).expect("a folder").flatten();
    let bytes: Vec<u64> = kept.map(|file| file.metadata().expect("a file").len()).collect();
    assert!(bytes.len() == 3 && bytes.iter().all(|bytes| *bytes < (64 << 10) + 100), "{bytes:?}");
    assert_eq!(shell.read(Output::Out, 1), ["this is line number 19999"]);
    assert_eq!(shell.told(Output::Out).len(), 20_000);
}
