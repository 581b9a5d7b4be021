//! Ports that are opened for people and their tools.

use std::io::{self, ErrorKind};
use std::net::{self, SocketAddr};

use tokio::net::TcpListener;

/// The first of so many ports from there on that is free. Wants a tokio runtime to be entered.
///
/// # Errors
/// What the operating system said of the last one.
pub(crate) fn open(wanted: SocketAddr, tried: u16) -> io::Result<TcpListener> {
    let mut address = wanted;
    for at in 1..=tried {
        match net::TcpListener::bind(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && at < tried => {
                let Some(next) = address.port().checked_add(1) else { return Err(error) };
                address.set_port(next);
            }
            bound => {
                let listener = bound?;
                listener.set_nonblocking(true)?;
                return TcpListener::from_std(listener);
            }
        }
    }
    Err(ErrorKind::AddrInUse.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_given_up_for_the_next_one() {
        let tried = 32;
        let first = open(([127, 0, 0, 1], 0).into(), 1).expect("a port");
        let address = first.local_addr().expect("bound");
        let found = open(address, tried).expect("a free one");
        let port = found.local_addr().expect("bound").port();
        assert!(port > address.port() && port - address.port() < tried);
        let only = open(address, 1).map(drop).expect_err("it is taken");
        assert_eq!(only.kind(), ErrorKind::AddrInUse);
    }
}
