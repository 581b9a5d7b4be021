//! This very executable, whatever became of its file.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use parking_lot::Mutex;
use raytree_types::limits;
use serde::{Deserialize, Serialize};

use super::requirement::{Architecture, HEADER_BYTES, Machine};
use super::source::{Chunks, Source};
use super::{ProgramError, ProgramId};

/// The running executable, also when its file was replaced or deleted meanwhile.
const OWN: &str = "/proc/self/exe";

/// What is told of a program before its bytes: all that is needed to decide whether to fetch it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The hash of its bytes.
    pub id: ProgramId,
    /// Its length in bytes.
    pub length: u64,
    /// What it was compiled for.
    pub architecture: Architecture,
    /// The raytree version it was built with.
    pub version: String,
    /// What people call it, at most [`NAME_BYTES_MAX`](limits::NAME_BYTES_MAX) bytes.
    pub name: String,
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.id)
    }
}

/// The executable that this process runs.
///
/// ```
/// # use raytree_process::program::{Program, ProgramId};
/// let program = Program::of_this_process()?;
/// let mut bytes = Vec::new();
/// for chunk in program.chunks() {
///     bytes.extend(chunk?);
/// }
/// assert_eq!(bytes.len() as u64, program.length());
/// assert_eq!(ProgramId::of(&bytes), program.id()?);
/// # Ok::<(), raytree_process::program::ProgramError>(())
/// ```
#[derive(Debug)]
pub struct Program {
    source: Source,
    architecture: Architecture,
    name: String,
    id: OnceLock<ProgramId>,
    hashing: Mutex<()>,
}

impl Program {
    /// The one of this process. The first call opens the file and reads its header; nothing is hashed.
    ///
    /// # Errors
    /// [`ProgramError::Unreadable`] when there is no `/proc`, or no descriptor left; [`ProgramError::NotElf`].
    pub fn of_this_process() -> Result<&'static Self, ProgramError> {
        static PROGRAM: OnceLock<Program> = OnceLock::new();
        if let Some(program) = PROGRAM.get() {
            return Ok(program);
        }
        let own = Self::open(Path::new(OWN), std::env::args_os().next())?;
        Ok(PROGRAM.get_or_init(|| own))
    }

    /// The one of another process of this host and user, as it runs there now.
    ///
    /// # Errors
    /// [`ProgramError::Unreadable`] when there is no such process, or it is another user's; [`ProgramError::NotElf`].
    pub fn of_process(pid: u32) -> Result<Self, ProgramError> {
        Self::open(Path::new(&format!("/proc/{pid}/exe")), None)
    }

    /// A path by which any process of this host and user can execute it, for as long as this value exists: also when its
    /// file was replaced or deleted, and its process has ended.
    #[must_use]
    pub fn executable(&self) -> PathBuf {
        let (process, file) = (std::process::id(), self.source.file.as_raw_fd());
        PathBuf::from(format!("/proc/{process}/fd/{file}"))
    }

    fn open(path: &Path, started_as: Option<OsString>) -> Result<Self, ProgramError> {
        let file = File::open(path).map_err(ProgramError::read)?;
        let length = file.metadata().map_err(ProgramError::read)?.len();
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, 0).map_err(ProgramError::read)?;
        let machine = Machine::of_header(&header).ok_or(ProgramError::NotElf)?;
        let link = std::fs::read_link(path).unwrap_or_default();
        Ok(Self {
            source: Source { file, length },
            architecture: Architecture::compiled_for(machine),
            name: name(started_as, &link),
            id: OnceLock::new(),
            hashing: Mutex::new(()),
        })
    }

    /// The hash of its bytes. The first call reads and hashes them all, some milliseconds for each 10 MB; whoever asks
    /// meanwhile waits for it.
    ///
    /// # Errors
    /// [`ProgramError`] when it cannot be read.
    pub fn id(&self) -> Result<ProgramId, ProgramError> {
        if let Some(id) = self.id.get() {
            return Ok(*id);
        }
        let _one_at_a_time = self.hashing.lock();
        if let Some(id) = self.id.get() {
            return Ok(*id);
        }
        let id = self.source.hash().map_err(ProgramError::read)?;
        Ok(*self.id.get_or_init(|| id))
    }

    /// All that is told of it before its bytes. Hashes them, if nobody has.
    ///
    /// # Errors
    /// Those of [`Self::id`].
    pub fn manifest(&self) -> Result<Manifest, ProgramError> {
        Ok(Manifest {
            id: self.id()?,
            length: self.length(),
            architecture: self.architecture.clone(),
            version: self.version().to_owned(),
            name: self.name.clone(),
        })
    }

    /// Its length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.source.length
    }

    /// What it was compiled for.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The raytree version it was built with.
    #[must_use]
    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// What people call it: the last part of the name it was started by, else of its file's path. A program that runs from
    /// a [`Cache`](super::Cache) lies under its hash, so whoever starts it gives the name
    /// ([`Spec::arg0`](crate::Spec::arg0)).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `bytes` of it from `offset` on, at most [`PROGRAM_CHUNK_BYTES`](limits::PROGRAM_CHUNK_BYTES) of them; fewer at its
    /// end, none behind it.
    ///
    /// # Errors
    /// [`ProgramError`] when it cannot be read.
    pub fn read_at(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, ProgramError> {
        let bytes = bytes.min(limits::PROGRAM_CHUNK_BYTES);
        self.source.read_at(offset, bytes).map_err(ProgramError::read)
    }

    /// All of it, in order.
    #[must_use]
    pub fn chunks(&self) -> Chunks<'_> {
        self.source.chunks()
    }
}

impl ProgramError {
    pub(super) fn read(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Changed,
            _ => Self::Unreadable(error),
        }
    }
}

/// By what it was started, if that is a name, else by its file.
fn name(started_as: Option<OsString>, link: &Path) -> String {
    let last =
        |path: &OsStr| Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
    let of_file = || {
        let name = last(link.as_os_str())?;
        // What the system adds when the file is gone.
        Some(name.strip_suffix(" (deleted)").filter(|_| !link.exists()).unwrap_or(&name).to_owned())
    };
    let mut name = started_as
        .as_deref()
        .and_then(last)
        .or_else(of_file)
        .unwrap_or_else(|| "program".to_owned());
    name.truncate(name.floor_char_boundary(limits::NAME_BYTES_MAX));
    name
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn it_is_hashed_when_it_is_asked_for_and_all_hear_the_same() {
        let program = Program::open(Path::new(OWN), None).expect("this program");
        assert_eq!((program.id.get(), program.length() > 0), (None, true));
        let hashed = thread::scope(|scope| {
            let asked: Vec<_> =
                (0..4).map(|_| scope.spawn(|| program.id().expect("read"))).collect();
            asked.into_iter().map(|one| one.join().expect("an id")).collect::<Vec<_>>()
        });
        let bytes = std::fs::read(OWN).expect("this program");
        assert_eq!(hashed, [ProgramId::of(&bytes); 4]);
        assert_eq!(program.id.get(), Some(&hashed[0]));
    }

    #[test]
    fn the_one_of_another_process_is_executed_after_that_has_ended() {
        let mut sleeps = std::process::Command::new("sleep").arg("600").spawn().expect("a process");
        // It may not have executed anything yet.
        let program = loop {
            let program = Program::of_process(sleeps.id()).expect("its program");
            if program.name() != Program::of_this_process().expect("this one").name() {
                break program;
            }
            std::thread::yield_now();
        };
        sleeps.kill().and_then(|()| sleeps.wait()).expect("it ends");
        assert!(Program::of_process(sleeps.id()).is_err());
        let mut command = std::process::Command::new(program.executable());
        std::os::unix::process::CommandExt::arg0(&mut command, "sleep");
        assert!(command.arg("0").status().expect("it starts").success());
    }

    #[test]
    fn a_read_is_bounded() {
        let program = Program::of_this_process().expect("this program");
        let most = program.read_at(0, usize::MAX).expect("read").len() as u64;
        assert_eq!(most, program.length().min(limits::PROGRAM_CHUNK_BYTES as u64));
        assert_eq!(program.read_at(1, 3).expect("read"), *b"ELF");
    }

    #[test]
    fn the_manifest_tells_who_it_is() {
        let manifest = Program::of_this_process().and_then(Program::manifest).expect("read");
        assert!(manifest.name.starts_with("raytree_process"), "{manifest}");
        assert!(manifest.architecture.triple().contains("linux"), "{}", manifest.architecture);
        assert_eq!(manifest.version, env!("CARGO_PKG_VERSION"));
        let text = serde_json::to_string(&manifest).expect("text");
        assert_eq!(serde_json::from_str::<Manifest>(&text).expect("a manifest"), manifest);
    }

    #[test]
    fn people_know_it_by_the_name_it_was_started_by() {
        let link = Path::new("/no/such/folder/tool (deleted)");
        let called = |started_as: &str| name(Some(started_as.into()), link);
        assert_eq!(called("./target/debug/train"), "train");
        assert_eq!(called(""), "tool");
        assert_eq!(name(None, link), "tool");
        assert_eq!(name(None, Path::new("")), "program");
        assert_eq!(called(&"é".repeat(100)).len(), limits::NAME_BYTES_MAX);
    }
}
