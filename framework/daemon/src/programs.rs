//! The executables of jobs: where a process of the cluster finds them, and how they come to it.
//!
//! A node on the driver's host runs what the driver runs, in place. Any other fetches the bytes from the head, once, into
//! its cache; the head has them in its own, where the driver has stored them. Whatever comes is held against its hash
//! before it is run.
//!
//! Invariants:
//! - **PR-1 (held-while-used):** a program that somebody has, or waits for, is held by a [`Hold`]; whichever way that one ends,
//!   it is let go of.
//! - **PR-2 (one-transfer):** a process fetches a program once, however many of its jobs want it at the same time.
//! - **PR-3 (bounded-wait):** a fetch ends within a time of its own, whatever the head does, and whenever who wanted it gives up;
//!   a transfer that does not move is cut.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use raytree_process::cluster::{Greeting, Host, Template, Transfer};
use raytree_process::program::{
    Cache, CacheError, Entry, Manifest, Mismatch, Program, ProgramError, ProgramId, Requirement,
};
use raytree_supervise::clock;
use raytree_types::limits;
use raytree_wire::{
    Closer, DialError, FrameError, Hello, Plane, Stream, Tls, Token, dial, read_frame, write_frame,
};

/// Why a program is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ProgramMissing {
    /// It cannot run on this machine, or with this version.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// It cannot be read.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// It cannot be kept.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The head cannot be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The transfer broke off.
    #[error("the transfer broke off: {0}")]
    Transfer(#[from] FrameError),
    /// A part of it has no bytes: it would never be there.
    #[error("a part of it came empty")]
    Empty,
    /// The head has too many transfers under way, or cannot be reached yet.
    #[error("the head does not send it now: {why}")]
    Busy {
        /// What happened.
        why: String,
    },
    /// It did not come in time.
    #[error("it did not come within {within:?}; the last that was heard: {last}")]
    Late {
        /// The bound.
        within: Duration,
        /// Why it was not there before.
        last: String,
    },
    /// Who wanted it does not any more.
    #[error("nobody wants it any more")]
    GivenUp,
    /// The connection could not be prepared.
    #[error("the operating system refused it: {0}")]
    System(#[from] std::io::Error),
    /// The other side has said so.
    #[error("{0}")]
    Said(String),
}

/// An executable that can be run as long as this is held.
#[derive(Clone, Debug)]
pub(crate) enum Executable {
    /// What a process of this host runs.
    InPlace(Arc<Program>),
    /// One of the cache.
    Cached(Entry),
}

impl Executable {
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::InPlace(program) => program.executable(),
            Self::Cached(entry) => entry.path().to_owned(),
        }
    }

    fn length(&self) -> u64 {
        match self {
            Self::InPlace(program) => program.length(),
            Self::Cached(entry) => entry.length(),
        }
    }

    fn read_at(&self, offset: u64) -> Result<Vec<u8>, ProgramError> {
        match self {
            Self::InPlace(program) => program.read_at(offset, limits::PROGRAM_CHUNK_BYTES),
            Self::Cached(entry) => entry.read_at(offset, limits::PROGRAM_CHUNK_BYTES),
        }
    }
}

/// The programs that this process knows.
#[derive(Debug)]
pub(crate) struct Programs {
    folder: PathBuf,
    bytes_max: u64,
    host: Host,
    /// Opened when it is needed first, and kept: it knows what it has hashed already.
    cache: OnceLock<Cache>,
    held: Mutex<HashMap<ProgramId, Slot>>,
    /// What is being fetched (PR-2).
    fetched: Mutex<HashSet<ProgramId>>,
    /// Rung when that has changed, or somebody has given up.
    bell: Condvar,
}

/// What is in use, or waited for.
#[derive(Debug, Default)]
struct Slot {
    executable: Option<Executable>,
    by: usize,
}

/// Somebody uses a program, or waits until it is stored: it stays meanwhile (PR-1).
#[derive(Debug)]
pub(crate) struct Hold {
    programs: Arc<Programs>,
    program: ProgramId,
}

impl Hold {
    /// Where it is, once it is there.
    pub(crate) fn executable(&self) -> Option<Executable> {
        self.programs.held.lock().get(&self.program)?.executable.clone()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.programs.held.lock();
        let Some(slot) = held.get_mut(&self.program) else { return };
        slot.by = slot.by.saturating_sub(1);
        let gone = if slot.by == 0 { held.remove(&self.program) } else { None };
        // After the lock: files are closed.
        drop(held);
        drop(gone);
    }
}

/// A fetch, for whoever may give it up.
#[derive(Debug, Default)]
pub(crate) struct Fetch(Mutex<Fetching>);

#[derive(Debug, Default)]
struct Fetching {
    is_given_up: bool,
    under_way: Option<Closer>,
}

impl Fetch {
    /// What is under way of it ends at once.
    pub(crate) fn give_up(&self, programs: &Programs) {
        let mut own = self.0.lock();
        own.is_given_up = true;
        if let Some(closer) = own.under_way.take() {
            closer.shutdown();
        }
        drop(own);
        // With the lock, so that nobody is between its look and its sleep.
        let waits = programs.fetched.lock();
        programs.bell.notify_all();
        drop(waits);
    }

    fn check(&self) -> Result<(), ProgramMissing> {
        if self.0.lock().is_given_up { Err(ProgramMissing::GivenUp) } else { Ok(()) }
    }

    fn goes_over(&self, closer: Closer) -> Result<(), ProgramMissing> {
        let mut own = self.0.lock();
        if own.is_given_up {
            return Err(ProgramMissing::GivenUp);
        }
        own.under_way = Some(closer);
        Ok(())
    }
}

/// The one who fetches a program. Dropped, the next one may.
struct Turn<'a>(&'a Programs, ProgramId);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetched.lock().remove(&self.1);
        self.0.bell.notify_all();
    }
}

impl Programs {
    pub(crate) fn new(folder: &Path, bytes_max: u64) -> Arc<Self> {
        Arc::new(Self {
            folder: folder.join("programs"),
            bytes_max,
            host: Host::of_this_process(),
            cache: OnceLock::new(),
            held: Mutex::default(),
            fetched: Mutex::default(),
            bell: Condvar::new(),
        })
    }

    fn cache(&self) -> Result<Cache, CacheError> {
        if let Some(cache) = self.cache.get() {
            return Ok(cache.clone());
        }
        if let Some(above) = self.folder.parent() {
            // What is wrong with it is said when the folder itself is opened.
            _ = std::fs::create_dir_all(above);
        }
        let cache = Cache::open(&self.folder, self.bytes_max)?;
        Ok(self.cache.get_or_init(|| cache).clone())
    }

    /// The program of a driver, held for its job; one that is not there is waited for by what this returns. Reads and hashes
    /// files.
    pub(crate) fn look(self: &Arc<Self>, template: &Template) -> Hold {
        self.hold(template.manifest.id, self.here(template))
    }

    fn hold(self: &Arc<Self>, program: ProgramId, executable: Option<Executable>) -> Hold {
        let mut held = self.held.lock();
        let slot = held.entry(program).or_default();
        slot.by += 1;
        if slot.executable.is_none() {
            slot.executable = executable;
        }
        drop(held);
        Hold { programs: Arc::clone(self), program }
    }

    /// A program is there now: whoever waits for it holds it.
    fn comes(&self, program: ProgramId, executable: Executable) {
        if let Some(slot) = self.held.lock().get_mut(&program) {
            slot.executable.get_or_insert(executable);
        }
    }

    /// What is there without any transfer.
    fn here(&self, template: &Template) -> Option<Executable> {
        let id = template.manifest.id;
        let held = self.held.lock().get(&id).and_then(|slot| slot.executable.clone());
        if held.is_some() {
            return held;
        }
        if template.host == self.host
            && let Ok(program) = Program::of_process(template.pid)
            && program.id().is_ok_and(|own| own == id)
        {
            return Some(Executable::InPlace(Arc::new(program)));
        }
        let cached = self.cache().and_then(|cache| cache.get(id));
        match cached {
            Ok(entry) => entry.map(Executable::Cached),
            Err(error) => {
                tracing::warn!(%error, "the cache of programs cannot be read");
                None
            }
        }
    }

    /// The program of a job, fetched from the head if need be. Blocks for as long as that takes (PR-3).
    pub(crate) fn get(
        self: &Arc<Self>,
        template: &Template,
        from: &From<'_>,
        fetch: &Fetch,
    ) -> Result<(Hold, Executable), ProgramMissing> {
        let manifest = &template.manifest;
        Requirement::of_this_process()?.check(manifest)?;
        let by = clock::now() + limits::PROGRAM_FETCH_WITHIN;
        let executable = loop {
            let turn = self.turn(manifest.id, by, fetch)?;
            if let Some(executable) = self.here(template) {
                break executable;
            }
            let error = match self.fetch(manifest, from, fetch) {
                Ok(entry) => break Executable::Cached(entry),
                Err(error) => error,
            };
            // What was cut because nobody wants it any more looks like a broken line.
            fetch.check()?;
            if !matches!(error, ProgramMissing::Busy { .. } | ProgramMissing::Dial(_)) {
                return Err(error);
            }
            if clock::now() > by {
                let last = error.to_string();
                return Err(ProgramMissing::Late { within: limits::PROGRAM_FETCH_WITHIN, last });
            }
            drop(turn);
            self.rest(fetch)?;
        };
        Ok(self.keep(manifest.id, executable))
    }

    /// Holds what was found. Somebody else may have found it at the same time: then theirs is the one that stays.
    fn keep(self: &Arc<Self>, program: ProgramId, found: Executable) -> (Hold, Executable) {
        let hold = self.hold(program, Some(found.clone()));
        let executable = hold.executable().unwrap_or(found);
        (hold, executable)
    }

    /// Waits until nobody else fetches this program.
    fn turn(
        &self,
        program: ProgramId,
        by: Duration,
        fetch: &Fetch,
    ) -> Result<Turn<'_>, ProgramMissing> {
        let mut fetched = self.fetched.lock();
        loop {
            fetch.check()?;
            if fetched.insert(program) {
                return Ok(Turn(self, program));
            }
            let left = by.saturating_sub(clock::now());
            if left.is_zero() {
                let last = "another job of this node fetches it".to_owned();
                return Err(ProgramMissing::Late { within: limits::PROGRAM_FETCH_WITHIN, last });
            }
            _ = self.bell.wait_for(&mut fetched, left);
        }
    }

    /// Waits a moment before the head is asked again.
    fn rest(&self, fetch: &Fetch) -> Result<(), ProgramMissing> {
        let until = clock::now() + limits::TRANSFER_AGAIN;
        let mut fetched = self.fetched.lock();
        loop {
            fetch.check()?;
            let left = until.saturating_sub(clock::now());
            if left.is_zero() {
                return Ok(());
            }
            _ = self.bell.wait_for(&mut fetched, left);
        }
    }

    fn fetch(
        &self,
        manifest: &Manifest,
        from: &From<'_>,
        fetch: &Fetch,
    ) -> Result<Entry, ProgramMissing> {
        let details = Greeting::Fetch { program: manifest.id };
        let details = serde_json::to_vec(&details).map_err(|error| said(&error))?;
        let hello = Hello::new(Plane::Bytes, from.name, details).map_err(|error| said(&error))?;
        let within = limits::WIRE_HANDSHAKE_WITHIN;
        let stream = dial(from.head, from.token, from.tls, &hello, within)?;
        fetch.goes_over(stream.closer())?;
        stream.give_up_after(limits::TRANSFER_STALLS_MAX)?;
        let (mut reads, _writes) = stream.split();
        let busy = |why: &dyn std::fmt::Display| ProgramMissing::Busy { why: why.to_string() };
        // Before its first word it has promised nothing.
        let told = read_frame(&mut reads, limits::PROGRAM_CHUNK_BYTES).map_err(|why| busy(&why))?;
        let told = told.ok_or_else(|| busy(&"it hung up"))?;
        match serde_json::from_slice(&told).map_err(|error| said(&error))? {
            Transfer::Begins { .. } => take(&self.cache()?, manifest, &mut reads),
            Transfer::Busy => Err(busy(&"it has too many transfers under way")),
            Transfer::Refused { reason } => Err(ProgramMissing::Said(reason)),
        }
    }
}

/// From whom programs are fetched.
pub(crate) struct From<'a> {
    pub(crate) head: SocketAddr,
    pub(crate) token: &'a Token,
    pub(crate) tls: Option<&'a Tls>,
    /// Who fetches.
    pub(crate) name: &'a str,
}

fn said(error: &dyn std::error::Error) -> ProgramMissing {
    ProgramMissing::Said(error.to_string())
}

fn hung_up() -> ProgramMissing {
    ProgramMissing::Said("the other side hung up".to_owned())
}

/// Reads a program into the cache.
fn take(
    cache: &Cache,
    manifest: &Manifest,
    reads: &mut impl std::io::Read,
) -> Result<Entry, ProgramMissing> {
    let mut incoming = cache.begin(manifest.id, manifest.length, &manifest.architecture)?;
    let mut left = manifest.length;
    while left > 0 {
        let chunk = read_frame(reads, limits::PROGRAM_CHUNK_BYTES)?.ok_or_else(hung_up)?;
        if chunk.is_empty() {
            return Err(ProgramMissing::Empty);
        }
        left = left.saturating_sub(chunk.len() as u64);
        incoming.write(&chunk)?;
    }
    Ok(incoming.finish()?)
}

/// The head's side of a fetch.
pub(crate) fn send(programs: &Programs, program: ProgramId, stream: Stream) {
    let executable = programs.held.lock().get(&program).and_then(|slot| slot.executable.clone());
    let patience = stream.give_up_after(limits::TRANSFER_STALLS_MAX);
    let (_reads, mut writes) = stream.split();
    let sent = || -> Result<(), ProgramMissing> {
        patience?;
        let told = match &executable {
            Some(executable) => Transfer::Begins { length: executable.length() },
            None => Transfer::Refused { reason: format!("no job has program {program}") },
        };
        says(&mut writes, &told)?;
        let Some(executable) = &executable else { return Ok(()) };
        let mut offset = 0;
        while offset < executable.length() {
            let chunk = executable.read_at(offset)?;
            if chunk.is_empty() {
                return Err(ProgramMissing::Empty);
            }
            offset += chunk.len() as u64;
            write_frame(&mut writes, &chunk, limits::PROGRAM_CHUNK_BYTES)?;
        }
        Ok(())
    };
    if let Err(error) = sent() {
        tracing::warn!(%program, %error, "a program could not be sent");
    }
    // Broken when the other side has left.
    _ = writes.finish();
}

/// The head's side of a storing: says that it takes it, does, and says what came of it.
pub(crate) fn receive(programs: &Programs, manifest: &Manifest, stream: Stream) {
    let patience = stream.give_up_after(limits::TRANSFER_STALLS_MAX);
    let (mut reads, mut writes) = stream.split();
    let stored = patience.map_err(ProgramMissing::System).and_then(|()| {
        says(&mut writes, &Transfer::Begins { length: manifest.length })?;
        take(&programs.cache()?, manifest, &mut reads)
    });
    let told = match stored {
        Ok(entry) => {
            programs.comes(manifest.id, Executable::Cached(entry));
            Ok(())
        }
        Err(error) => {
            tracing::warn!(program = %manifest, %error, "a program could not be stored");
            Err(error.to_string())
        }
    };
    if let Ok(told) = serde_json::to_vec::<Result<(), String>>(&told) {
        // Broken when the other side has left.
        _ = write_frame(&mut writes, &told, limits::PROGRAM_CHUNK_BYTES);
    }
    _ = writes.finish();
}

/// There are too many transfers already: one that wants or brings a program is told so, and comes again.
pub(crate) fn is_busy(stream: Stream) {
    if stream.give_up_after(limits::TRANSFER_STALLS_MAX).is_err() {
        return;
    }
    let (_reads, mut writes) = stream.split();
    // Broken when the other side has left.
    _ = says(&mut writes, &Transfer::Busy);
    _ = writes.finish();
}

/// The first word of a transfer.
fn says(writes: &mut impl std::io::Write, what: &Transfer) -> Result<(), ProgramMissing> {
    let told = serde_json::to_vec(what).map_err(|error| said(&error))?;
    Ok(write_frame(writes, &told, limits::PROGRAM_CHUNK_BYTES)?)
}

#[cfg(test)]
mod tests;
