//! What the tests share.

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use raytree_wire::{BindTo, DialError, Hello, Listener, Plane, Stream, Tls, Token, dial};

/// Far beyond what anything here takes.
pub(crate) const GENEROUS: Duration = Duration::from_secs(60);

/// A listener and those whom it let in.
pub(crate) struct House {
    pub(crate) token: Token,
    pub(crate) tls: Option<Tls>,
    pub(crate) listener: Listener,
    pub(crate) arrivals: Receiver<(Hello, Stream, SocketAddr)>,
}

impl House {
    pub(crate) fn of(to: BindTo) -> Self {
        let (tell, arrivals) = sync_channel(64);
        let (token, tls) = (to.token.clone(), to.tls.clone());
        let accepted = move |hello, stream, from| _ = tell.send((hello, stream, from));
        let listener = Listener::bind(to, accepted).expect("a port");
        Self { token, tls, listener, arrivals }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    pub(crate) fn dial(&self) -> Result<Stream, DialError> {
        dial(self.address(), &self.token, self.tls.as_ref(), &hello(), GENEROUS)
    }

    /// Both ends of a new connection.
    pub(crate) fn meet(&self) -> (Stream, Stream) {
        let dialed = self.dial().expect("a connection");
        let (said, accepted, from) = self.arrivals.recv_timeout(GENEROUS).expect("in time");
        assert_eq!(said, hello());
        assert!(from.ip().is_loopback());
        (dialed, accepted)
    }

    /// Somebody who is no process of raytree.
    pub(crate) fn stranger(&self) -> TcpStream {
        let stranger = TcpStream::connect(self.address()).expect("somebody listens");
        stranger.set_read_timeout(Some(GENEROUS)).expect("a bound");
        stranger
    }
}

/// Every way in which links are made.
pub(crate) fn ways() -> Vec<BindTo> {
    let plain = BindTo::loopback(token());
    #[cfg(feature = "tls")]
    let encrypted = {
        let token = token();
        let tls = Some(Tls::of_token(&token).expect("a key"));
        BindTo { tls, ..BindTo::loopback(token) }
    };
    vec![
        plain,
        #[cfg(feature = "tls")]
        encrypted,
    ]
}

pub(crate) fn token() -> Token {
    Token::random().expect("random bytes")
}

pub(crate) fn hello() -> Hello {
    Hello::new(Plane::Calls, "worker-1", b"details".to_vec()).expect("within its bounds")
}

/// Waits for what no event tells of.
pub(crate) fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}
