//! What every socket of a link is set to.

use std::io::{self, IoSlice};
use std::net::TcpStream;

use raytree_types::limits;
use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl,
    set_tcp_user_timeout,
};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

/// Silence is asked about three times, the first time after a quarter of what it may last.
const QUESTIONS: u32 = 3;

/// Linux refuses more pieces in one call.
const PIECES_MAX: usize = 1024;

/// Small messages leave at once, and a machine that is gone is noticed.
pub(crate) fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let every = limits::WIRE_SILENT_MAX / (QUESTIONS + 1);
    set_tcp_keepidle(socket, every)?;
    set_tcp_keepintvl(socket, every)?;
    set_tcp_keepcnt(socket, QUESTIONS)?;
    set_socket_keepalive(socket, true)?;
    let longest = u32::try_from(limits::WIRE_SILENT_MAX.as_millis()).unwrap_or(u32::MAX);
    Ok(set_tcp_user_timeout(socket, longest)?)
}

/// Sends what the operating system takes of it. A broken connection is an error, and no signal.
pub(crate) fn transmit(
    socket: &TcpStream,
    parts: &[IoSlice<'_>],
    flags: SendFlags,
) -> io::Result<usize> {
    let parts = &parts[..parts.len().min(PIECES_MAX)];
    let mut nothing = SendAncillaryBuffer::default();
    Ok(sendmsg(socket, parts, &mut nothing, flags | SendFlags::NOSIGNAL)?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use rustix::net::sockopt::{socket_keepalive, tcp_keepidle, tcp_user_timeout};

    use super::*;

    #[test]
    fn a_socket_hurries_and_does_not_wait_for_ever() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        prepare(&socket).unwrap();
        assert!(socket.nodelay().unwrap());
        assert!(socket_keepalive(&socket).unwrap());
        assert_eq!(tcp_keepidle(&socket).unwrap(), Duration::from_secs(15));
        assert_eq!(tcp_user_timeout(&socket).unwrap(), 60_000);
    }
}
