//! One connection: a line goes there, a line comes back.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use raytree_supervise::clock;
use raytree_types::limits;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::geteuid;

use super::AskError;

/// A connection with somebody who can be asked.
pub trait Line: Send {
    /// Sends a line and reads the next one, each with its line break.
    ///
    /// # Errors
    /// [`AskError`]; the connection is of no further use then.
    fn exchange(&mut self, line: &[u8], within: Duration) -> Result<Vec<u8>, AskError>;
}

/// The one through a socket of this machine.
#[derive(Debug)]
pub struct SocketLine {
    stream: BufReader<UnixStream>,
}

impl SocketLine {
    /// Connects, and does not wait. The file of one that is gone is removed.
    ///
    /// # Errors
    /// [`AskError`].
    pub fn open(path: &Path) -> Result<Self, AskError> {
        open(path).map(|stream| Self { stream: BufReader::new(stream) })
    }
}

impl Line for SocketLine {
    fn exchange(&mut self, line: &[u8], within: Duration) -> Result<Vec<u8>, AskError> {
        let waited = |error| waited(error, within);
        let by = clock::now() + within;
        let stream = self.stream.get_mut();
        stream.set_write_timeout(Some(at_least(within)))?;
        stream.write_all(line).map_err(waited)?;
        let mut answer = Vec::new();
        loop {
            let left = by.saturating_sub(clock::now());
            // Of the whole answer, and not of each piece of it.
            if left.is_zero() {
                return Err(AskError::Silent { within });
            }
            self.stream.get_ref().set_read_timeout(Some(at_least(left)))?;
            let some = match self.stream.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                some => some.map_err(waited)?,
            };
            let end = some.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
            let taken = end.unwrap_or(some.len());
            answer.extend_from_slice(&some[..taken]);
            self.stream.consume(taken);
            // One that is cut there is read as what it is: no answer.
            if end.is_some() || taken == 0 || answer.len() > limits::INSPECT_REPLY_BYTES_MAX {
                return Ok(answer);
            }
        }
    }
}

/// A time of nothing is refused by the system.
fn at_least(time: Duration) -> Duration {
    time.max(Duration::from_millis(1))
}

fn waited(error: io::Error, within: Duration) -> AskError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskError::Silent { within },
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
        Err(Errno::AGAIN) => return Err(AskError::Silent { within: Duration::ZERO }),
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
