//! A headless Chromium, spoken to over its own pipes: the DevTools protocol, without a port that others could reach.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, panicking, park_timeout};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What is asked is answered in milliseconds; a machine on which others work may take seconds.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// So many messages may wait to be read before the browser has to wait, too.
const UNREAD_MAX: usize = 1024;

/// How often it is looked whether it has ended, and how often before it is killed: ten seconds.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOKS: usize = 1000;

/// Where it is looked for, unless `RAYTREE_CHROMIUM` says where it is.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// It listens on descriptor 3 and answers on 4. A shell puts our pipes there, since that needs no unsafe code.
const WITH_PIPES: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

/// Nothing is asked of anybody but the page's own server.
const FLAGS: [&str; 11] = [
    "--remote-debugging-pipe",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--hide-scrollbars",
];

/// A browser of this test alone. It ends with this, and with the process that has started it, however that ends: then its
/// pipe has no other end.
pub(crate) struct Chromium {
    child: Child,
    to: Option<ChildStdin>,
    heard: Receiver<Value>,
    /// What was said without being asked.
    pub(crate) events: Vec<Value>,
    last: u64,
    home: TempDir,
}

/// The program; this test fails without one.
fn binary() -> PathBuf {
    if let Some(named) = env::var_os("RAYTREE_CHROMIUM") {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "RAYTREE_CHROMIUM names {}, which is no file", named.display());
        return named;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let mut all = env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    all.find(|file| file.is_file()).unwrap_or_else(|| {
        let names = NAMES.join(", ");
        panic!("this test needs Chromium: none of {names} is on the path; RAYTREE_CHROMIUM names another program")
    })
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let binary = binary();
        let home = tempfile::tempdir().expect("a folder");
        let err = File::create(home.path().join("said")).expect("a file");
        let mut command = Command::new("sh");
        command.args(["-c", WITH_PIPES]).arg(&binary).args(FLAGS);
        command.arg(format!("--user-data-dir={}", home.path().join("profile").display()));
        command.env("HOME", home.path()).env("TMPDIR", home.path()).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(err);
        let mut child = command.spawn().expect("a shell");
        let to = child.stdin.take();
        let from = child.stdout.take().expect("a pipe");
        let (tell, heard) = sync_channel(UNREAD_MAX);
        thread::spawn(move || hear(from, &tell));
        Self { child, to, heard, events: Vec::new(), last: 0, home }
    }

    /// Asks, of a page or of the whole browser; an error is what it says why not.
    pub(crate) fn ask(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let to = self.to.as_mut().expect("it was not let go");
        let written = to.write_all(format!("{message}\0").as_bytes());
        written.unwrap_or_else(|why| panic!("the browser has ended ({why}): {}", self.said()));
        loop {
            let heard = self.heard.recv_timeout(ANSWERS_WITHIN);
            let mut heard = heard.unwrap_or_else(|why| {
                panic!("no answer to {method} ({why}): {}", self.said());
            });
            if heard["id"] != self.last {
                self.events.push(heard);
            } else if let Some(error) = heard.get("error") {
                return Err(error.to_string());
            } else {
                return Ok(heard["result"].take());
            }
        }
    }

    /// Closes the pipe, as the end of this process would.
    pub(crate) fn lets_go(&mut self) {
        self.to = None;
    }

    /// Its processes that live.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let all = fs::read_dir("/proc").expect("processes").flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| is_of(*pid, self.child.id(), self.home.path())).collect()
    }

    fn said(&self) -> String {
        fs::read_to_string(self.home.path().join("said")).unwrap_or_default()
    }
}

/// Tells each message; they end with a zero.
fn hear(from: ChildStdout, tell: &SyncSender<Value>) {
    let mut from = BufReader::new(from);
    let mut message = Vec::new();
    while from.read_until(0, &mut message).is_ok_and(|read| read > 0) {
        message.pop();
        let Ok(said) = serde_json::from_slice(&message) else { return };
        if tell.send(said).is_err() {
            return;
        }
        message.clear();
    }
}

/// Whether a process lives that is in this group, or has this folder for its home: some have a group of their own.
fn is_of(pid: u32, group: u32, home: &Path) -> bool {
    let read = |what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    let stat = String::from_utf8_lossy(&read("stat")).into_owned();
    let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
    let mut rest = rest.split(' ');
    let (state, own) = (rest.next(), rest.nth(1));
    let home = format!("HOME={}", home.display()).into_bytes();
    let lives = state.is_some_and(|state| state != "Z");
    lives
        && (own == Some(&group.to_string())
            || read("environ").split(|byte| *byte == 0).any(|one| one == home))
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.lets_go();
        let mut looks = 0..LOOKS;
        // Its own end is waited for at each look, so that it does not count as one that lives.
        while {
            _ = self.child.try_wait();
            !self.processes().is_empty()
        } && looks.next().is_some()
        {
            park_timeout(LOOK_EVERY);
        }
        for left in self.processes() {
            let left = i32::try_from(left).ok().and_then(Pid::from_raw);
            _ = left.map(|left| kill_process(left, Signal::KILL));
        }
        _ = self.child.wait();
        if panicking() {
            eprintln!("---- the browser ----\n{}", self.said());
        }
    }
}
