//! Actors in processes of their own: what they are to their callers, and every way in which such a process may end.

mod calls;
mod ends;
mod lives;
mod places;

use std::path::{Path, PathBuf};

use raytree::prelude::*;
use raytree::{Error, Result, Runtime};
use tempfile::TempDir;

use crate::support::until;
use crate::tasks::gate::within;

/// Does as it is told, and writes down its lives.
struct Hermit {
    book: Book,
    value: u64,
}

#[remote(isolated)]
impl Hermit {
    fn new(folder: PathBuf) -> Result<Self, String> {
        let book = Book(folder);
        if let Some(before) = book.lives().last()
            && may_run(*before)
        {
            return Err(format!("process {before} of the life before is still there"));
        }
        book.begins();
        Ok(Self { book, value: 0 })
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    pub(crate) fn add(&mut self, more: u64) -> u64 {
        self.value += more;
        self.value
    }

    pub(crate) fn counts(&self, to: u64) -> impl Iterator<Item = u64> {
        self.value..to
    }

    pub(crate) async fn never(&self) {
        std::future::pending::<()>().await;
    }

    pub(crate) fn ends(&mut self, how: String) -> u64 {
        self.book.write("doing", &how);
        match how.as_str() {
            "abort" => std::process::abort(),
            "exit" => std::process::exit(3),
            "panic" => panic!("of a hermit"),
            "hang" => loop {
                std::thread::park();
            },
            "spin" => loop {
                std::hint::spin_loop();
            },
            "eat" => {
                let mut eaten = Vec::new();
                loop {
                    eaten.push(vec![1u8; 1 << 20]);
                }
            }
            _ => self.value,
        }
    }

    pub(crate) fn surroundings(&self, name: String) -> (Option<String>, PathBuf) {
        (std::env::var(name).ok(), std::env::current_dir().expect("a folder"))
    }

    pub(crate) fn life(&self, ctx: &ActorContext<Self>) -> (u32, u32) {
        (ctx.incarnation().placement, ctx.incarnation().restart)
    }

    #[remote(on_stop)]
    fn says_goodbye(&mut self) {
        self.book.write("stopped", &self.value.to_string());
    }
}

/// A folder in which processes write what they do.
struct Book(PathBuf);

impl Book {
    fn begins(&self) {
        let lives = std::fs::read_to_string(self.0.join("lives")).unwrap_or_default();
        self.write("lives", &format!("{lives}{}\n", std::process::id()));
    }

    fn write(&self, name: &str, text: &str) {
        // In one step: others look at any time.
        let half = self.0.join(format!("{name}.half"));
        std::fs::write(&half, text).expect("a file");
        std::fs::rename(&half, self.0.join(name)).expect("a file");
    }

    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.0.join(name)).ok()
    }

    /// The processes of all lives so far.
    fn lives(&self) -> Vec<u32> {
        let text = self.read("lives").unwrap_or_default();
        text.lines().map(|line| line.parse().expect("a number")).collect()
    }

    /// Waits until it does this.
    async fn does(&self, what: &str) {
        until(|| self.read("doing").as_deref() == Some(what)).await;
    }
}

/// A hermit with its book.
fn hermit(options: ActorOptions) -> (HermitHandle, Book, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let hermit = Hermit::with(options).remote(folder.path().to_owned());
    (hermit, Book(folder.path().to_owned()), folder)
}

fn is_there(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

/// It may still do something: one that is killed is there for a moment, and does nothing any more.
fn may_run(process: u32) -> bool {
    /// In the hexadecimal mask of pending signals.
    const KILL: u64 = 1 << 8;
    /// In the flags of a process.
    const EXITING: u64 = 1 << 2;
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}"));
    // In this order: what is pending is on its way to the flag.
    let (Ok(status), Ok(stat)) = (read("status"), read("stat")) else { return false };
    let pending = status.lines().find_map(|line| line.strip_prefix("SigPnd:")).unwrap_or_default();
    let is_killed = u64::from_str_radix(pending.trim(), 16).is_ok_and(|mask| mask & KILL != 0);
    let mut rest = stat.rsplit_once(") ").expect("a name").1.split(' ');
    let is_dead = matches!(rest.next(), Some("Z" | "X"));
    let flags: u64 = rest.nth(5).and_then(|flags| flags.parse().ok()).expect("its flags");
    !(is_killed || is_dead || flags & EXITING != 0)
}

/// The process that has started this one.
fn parent(process: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it lives");
    let rest = stat.rsplit_once(") ").expect("a name").1;
    rest.split(' ').nth(1).and_then(|id| id.parse().ok()).expect("a number")
}

/// What stands below `path` in the tree.
fn below(runtime: &Runtime, path: &str) -> Vec<String> {
    let found = runtime.tree().root.find(path).cloned().expect("a place");
    found.children.into_iter().map(|child| child.name).collect()
}

/// How the life ended that a call was lost with, and whether another one follows.
fn lost<T: std::fmt::Debug>(answer: Result<T>) -> (String, bool) {
    match answer {
        Err(Error::ActorDied { kind, will_restart, .. }) => (kind.to_string(), will_restart),
        other => panic!("no death: {other:?}"),
    }
}
