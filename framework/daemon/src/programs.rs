//! The executables of jobs: where a process of the cluster finds them, and how they come to it.
//!
//! A node on the driver's host runs what the driver runs, in place. Any other fetches the bytes from the head, once, into
//! its cache; the head has them in its own, where the driver has stored them. Whatever comes is held against its hash
//! before it is run.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_process::cluster::{Greeting, Host, Template};
use raytree_process::program::{
    Cache, CacheError, Entry, Manifest, Mismatch, Program, ProgramError, ProgramId, Requirement,
};
use raytree_types::limits;
use raytree_wire::{
    DialError, FrameError, Hello, Plane, Stream, Tls, Token, dial, read_frame, write_frame,
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
    /// What is in use, by how many jobs.
    held: Mutex<HashMap<ProgramId, (Executable, usize)>>,
}

impl Programs {
    /// The cache is opened when it is needed first.
    pub(crate) fn new(folder: &Path, bytes_max: u64) -> Self {
        let folder = folder.join("programs");
        Self { folder, bytes_max, host: Host::of_this_process(), held: Mutex::default() }
    }

    fn cache(&self) -> Result<Cache, CacheError> {
        if let Some(above) = self.folder.parent() {
            // What is wrong with it is said when the folder itself is opened.
            _ = std::fs::create_dir_all(above);
        }
        Cache::open(&self.folder, self.bytes_max)
    }

    /// Whether the program of a driver has to be stored first. Where it has not, it is held for the job.
    pub(crate) fn lacks(&self, template: &Template) -> bool {
        match self.here(template) {
            Some(executable) => {
                self.hold(template.manifest.id, executable);
                false
            }
            None => true,
        }
    }

    /// It is held by one job less.
    pub(crate) fn forget(&self, program: ProgramId) {
        let mut held = self.held.lock();
        let Some((_, jobs)) = held.get_mut(&program) else { return };
        *jobs = jobs.saturating_sub(1);
        if *jobs == 0 {
            held.remove(&program);
        }
    }

    fn hold(&self, program: ProgramId, executable: Executable) {
        self.held.lock().entry(program).or_insert((executable, 0)).1 += 1;
    }

    /// What is there without any transfer.
    fn here(&self, template: &Template) -> Option<Executable> {
        let id = template.manifest.id;
        if let Some((executable, _)) = self.held.lock().get(&id) {
            return Some(executable.clone());
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

    /// The program of a job, fetched from the head if need be. Blocks for as long as that takes.
    pub(crate) fn get(
        &self,
        template: &Template,
        from: &From<'_>,
    ) -> Result<Executable, ProgramMissing> {
        let manifest = &template.manifest;
        Requirement::of_this_process()?.check(manifest)?;
        if let Some(executable) = self.here(template) {
            self.hold(manifest.id, executable.clone());
            return Ok(executable);
        }
        let details = Greeting::Fetch { program: manifest.id };
        let details = serde_json::to_vec(&details).map_err(|error| said(&error))?;
        let hello = Hello::new(Plane::Bytes, from.name, details).map_err(|error| said(&error))?;
        let within = limits::WIRE_HANDSHAKE_WITHIN;
        let stream = dial(from.head, from.token, from.tls, &hello, within)?;
        let (mut reads, _writes) = stream.split();
        let told = read_frame(&mut reads, limits::PROGRAM_CHUNK_BYTES)?.unwrap_or_default();
        let told: Result<u64, String> = serde_json::from_slice(&told).map_err(|_| hung_up())?;
        told.map_err(ProgramMissing::Said)?;
        let entry = take(&self.cache()?, manifest, &mut reads)?;
        let executable = Executable::Cached(entry);
        self.hold(manifest.id, executable.clone());
        Ok(executable)
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
        left = left.saturating_sub(chunk.len() as u64);
        incoming.write(&chunk)?;
    }
    Ok(incoming.finish()?)
}

/// The head's side of a fetch.
pub(crate) fn send(programs: &Programs, program: ProgramId, stream: Stream) {
    let executable = programs.held.lock().get(&program).map(|(executable, _)| executable.clone());
    let (_reads, mut writes) = stream.split();
    let mut sent = || -> Result<(), ProgramMissing> {
        let told = match &executable {
            Some(executable) => Ok(executable.length()),
            None => Err(format!("no job has program {program}")),
        };
        let told = serde_json::to_vec(&told).map_err(|error| said(&error))?;
        write_frame(&mut writes, &told, limits::PROGRAM_CHUNK_BYTES)?;
        let Some(executable) = &executable else { return Ok(()) };
        let mut offset = 0;
        while offset < executable.length() {
            let chunk = executable.read_at(offset)?;
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

/// The head's side of a storing: takes it, and says what came of it.
pub(crate) fn receive(programs: &Programs, manifest: &Manifest, stream: Stream) {
    let (mut reads, mut writes) = stream.split();
    let stored = programs.cache().map_err(ProgramMissing::Cache);
    let stored = stored.and_then(|cache| take(&cache, manifest, &mut reads));
    let told = match stored {
        // The driver says so, and then it is held for its job.
        Ok(_) => Ok(()),
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
