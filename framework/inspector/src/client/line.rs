//! One connection: a line goes there, a line comes back.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

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
        let stream = self.stream.get_mut();
        // A time of nothing is refused by the system.
        let within = within.max(Duration::from_millis(1));
        stream.set_read_timeout(Some(within))?;
        stream.set_write_timeout(Some(within))?;
        let waited = |error| waited(error, within);
        stream.write_all(line).map_err(waited)?;
        let mut answer = Vec::new();
        // One byte more tells an answer that is whole from one that was cut.
        let bound = limits::INSPECT_REPLY_BYTES_MAX as u64 + 1;
        (&mut self.stream).take(bound).read_until(b'\n', &mut answer).map_err(waited)?;
        Ok(answer)
    }
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
