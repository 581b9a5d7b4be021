//! Finds the programs, heads and nodes of this user and asks them. Blocking, with a bound on every wait.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use raytree_types::inspect::place::{self, SocketName, UnsafeFolder};
use raytree_types::inspect::{Answer, Asked, INSPECT_VERSION, Refused, Reply, Request, Versioned};
use raytree_types::limits;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::geteuid;

/// Why one of them gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// Nobody listens: what is left of a runtime that is gone.
    #[error("it is gone")]
    Gone,
    /// It is stopped, or stuck.
    #[error("it did not answer within {:?}", limits::INSPECT_ANSWER_WITHIN)]
    Silent,
    /// The socket is somebody else's.
    #[error("it belongs to user {owner}")]
    Stranger {
        /// Whose it is.
        owner: u32,
    },
    /// Another version.
    #[error(
        "it speaks version {runtime} of the inspector's protocol, this `raytree` version {INSPECT_VERSION}"
    )]
    Version {
        /// The runtime's.
        runtime: u32,
    },
    /// It has no answer to this.
    #[error("{0}")]
    Refused(Refused),
    /// The answer cannot be read.
    #[error("its answer makes no sense: {0}")]
    Nonsense(String),
    /// Anything else.
    #[error("it cannot be asked: {0}")]
    Io(#[from] io::Error),
}

/// Why no runtime can be looked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// The folder is not this user's alone.
    #[error("the folder {} is not looked at: {source}", folder.display())]
    Unsafe {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        source: UnsafeFolder,
    },
    /// The folder cannot be read.
    #[error("the folder {} cannot be read: {source}", folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The sockets in `folder`, by process and runtime. A folder that does not exist has none.
///
/// # Errors
/// A folder that others may enter is not looked at: what lies there may be anybody's.
pub fn find(folder: &Path) -> Result<Vec<(SocketName, PathBuf)>, FindError> {
    let unreadable = |source| FindError::Unreadable { folder: folder.to_owned(), source };
    let is = match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        is => is.map_err(unreadable)?,
    };
    place::check_folder(is.is_dir(), is.uid(), is.mode(), geteuid().as_raw())
        .map_err(|source| FindError::Unsafe { folder: folder.to_owned(), source })?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)?.flatten() {
        if let Some(name) = entry.file_name().to_str().and_then(SocketName::parse) {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Asks the runtime behind a socket. The file of one that is gone is removed.
///
/// # Errors
/// See [`AskError`]; a refusal is an error too.
pub fn ask(path: &Path, request: Request) -> Result<Reply, AskError> {
    let stream = open(path)?;
    stream.set_read_timeout(Some(limits::INSPECT_ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(limits::INSPECT_ANSWER_WITHIN))?;
    let mut line = serde_json::to_vec(&Asked::new(request)).map_err(io::Error::from)?;
    line.push(b'\n');
    (&stream).write_all(&line).map_err(waited)?;
    let mut answer = Vec::new();
    // One byte more tells an answer that is whole from one that was cut.
    let bound = limits::INSPECT_REPLY_BYTES_MAX as u64 + 1;
    BufReader::new(stream).take(bound).read_until(b'\n', &mut answer).map_err(waited)?;
    understand(&answer)
}

/// For tests: lets the actor at `path` of the physical tree panic. This returns when that is about to happen.
///
/// # Errors
/// As for [`ask`].
pub fn panic_now(socket: &Path, path: &str) -> Result<(), AskError> {
    ask(socket, Request::Panic { path: path.to_owned() }).map(drop)
}

/// Reads an answer.
///
/// # Errors
/// [`AskError::Nonsense`], [`AskError::Version`], [`AskError::Refused`].
pub fn understand(line: &[u8]) -> Result<Reply, AskError> {
    if line.is_empty() {
        return Err(AskError::Nonsense("it hung up".to_owned()));
    }
    let nonsense = |error: serde_json::Error| AskError::Nonsense(error.to_string());
    let Versioned { version } = serde_json::from_slice(line).map_err(nonsense)?;
    if version != INSPECT_VERSION {
        return Err(AskError::Version { runtime: version });
    }
    let reply: Reply = serde_json::from_slice(line).map_err(nonsense)?;
    match reply.answer {
        Answer::Refused(refused) => Err(AskError::Refused(refused)),
        Answer::Hello | Answer::Tree(_) | Answer::Panics => Ok(reply),
    }
}

fn waited(error: io::Error) -> AskError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskError::Silent,
        _ => AskError::Io(error),
    }
}

/// Connects without waiting: the line of a runtime that is stopped may be full.
fn open(path: &Path) -> Result<UnixStream, AskError> {
    let which = || fs::symlink_metadata(path).ok().map(|is| (is.dev(), is.ino()));
    let before = which();
    let address = SocketAddrUnix::new(path).map_err(io::Error::from)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(io::Error::from)?;
    match connect(&socket, &address) {
        Ok(()) => {}
        Err(Errno::CONNREFUSED) => {
            // Unless its owner has just replaced it. Somebody else may have been faster.
            if which() == before {
                _ = fs::remove_file(path);
            }
            return Err(AskError::Gone);
        }
        Err(Errno::NOENT) => return Err(AskError::Gone),
        Err(Errno::AGAIN) => return Err(AskError::Silent),
        Err(error) => return Err(AskError::Io(error.into())),
    }
    #[cfg(target_os = "linux")]
    {
        let peer = rustix::net::sockopt::socket_peercred(&socket).map_err(io::Error::from)?;
        if peer.uid != geteuid() {
            return Err(AskError::Stranger { owner: peer.uid.as_raw() });
        }
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_only_in_our_version() {
        let said = |line: &str| match understand(line.as_bytes()) {
            Ok(reply) => reply.program,
            Err(error) => error.to_string(),
        };
        let head = r#""pid":1,"runtime":2,"program":"a","uptime":{"secs":1,"nanos":0}"#;
        assert_eq!(said(&format!(r#"{{"version":1,{head},"answer":"hello"}}"#)), "a");
        assert_eq!(
            said(r#"{"version":2,"who":"knows"}"#),
            "it speaks version 2 of the inspector's protocol, this `raytree` version 1"
        );
        let refused = r#""answer":{"refused":{"no_such_path":{"path":"a/b"}}}"#;
        assert_eq!(
            said(&format!(r#"{{"version":1,{head},{refused}}}"#)),
            "there is no `a/b` in the tree"
        );
        assert_eq!(said(""), "its answer makes no sense: it hung up");
        assert!(said(r#"{"version":1,"answer":"hel"#).starts_with("its answer makes no sense"));
    }
}
