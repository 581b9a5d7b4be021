//! The door of a cluster: how one process dials another over TCP, and both are sure that the other knows the cluster's
//! [`Token`].
//!
//! A [`Listener`] takes connections, and hands on those whose dialer has proven that it knows the token; [`dial`] gives
//! one back only when the listener has proven it too. What both get is a [`Stream`]: bytes in both directions, at once,
//! on blocking threads. With a [`Tls`] the bytes are encrypted, and the proofs hold for that encrypted connection alone.
//!
//! ```
//! use std::sync::mpsc::sync_channel;
//! use std::time::Duration;
//!
//! use raytree_wire::{BindTo, Hello, Listener, Plane, Tls, Token, dial, read_frame, write_frame};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("raytree").join("token");
//! // Every process of the cluster loads the same file; whoever comes first makes it.
//! let token = Token::load_or_create(&path)?;
//! # #[cfg(feature = "tls")]
//! let tls = Some(Tls::of_token(&token)?);
//! # #[cfg(not(feature = "tls"))]
//! # let tls: Option<Tls> = None;
//!
//! let (tell, arrivals) = sync_channel(8);
//! let to = BindTo { tls: tls.clone(), ..BindTo::loopback(token.clone()) };
//! let listener = Listener::bind(to, move |hello, stream, from| _ = tell.send((hello, stream, from)))?;
//!
//! let hello = Hello::new(Plane::Calls, "worker-1", b"")?;
//! let within = Duration::from_secs(5);
//! let stream = dial(listener.local_addr(), &token, tls.as_ref(), &hello, within)?;
//! let (_reads, mut writes) = stream.split();
//! write_frame(&mut writes, b"a call", 1024)?;
//!
//! let (hello, stream, _from) = arrivals.recv()?;
//! assert_eq!((hello.plane(), hello.name()), (Plane::Calls, "worker-1"));
//! let (mut reads, _writes) = stream.split();
//! assert_eq!(read_frame(&mut reads, 1024)?.as_deref(), Some(&b"a call"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! # What a handshake says
//!
//! The dialer begins. Every message has 16 bytes of head (`src/message.rs`), and each proof is an HMAC with
//! the token over who proves, the encrypted connection, and every byte that either side has said so far:
//!
//! | from | message | content |
//! |---|---|---|
//! | dialer | opening | 32 random bytes |
//! | listener | challenge | 32 random bytes; its proof |
//! | dialer | introduction | its [`Hello`]; its proof |
//! | listener | welcome | its proof that it has heard just this introduction |
//!
//! Either side may say *refused* instead, with a [`Refusal`] that tells no more than which step failed. The dialer names
//! itself only to a listener that has proven itself.
//!
//! # What it does not do
//!
//! Without TLS nothing is encrypted, and who can change packets on the way can take over a connection after its handshake:
//! that is why only loopback addresses are listened to without it, unless `insecure` is said.

#[cfg(not(target_os = "linux"))]
compile_error!("deadlines are the timers of Linux");

mod dial;
mod error;
mod frame;
mod handshake;
mod hello;
mod listener;
mod message;
mod messages;
mod patience;
mod random;
mod secret;
mod socket;
mod stream;
mod token;

#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_absent.rs"]
mod tls;

pub use dial::{DialError, dial};
pub use error::{HandshakeError, Refusal};
pub use frame::{FrameError, read_frame, write_frame};
pub use hello::{BadHello, Hello, Plane};
pub use listener::{BindError, BindTo, Counts, Listener};
pub use message::VERSION;
pub use messages::{Messages, Said, SayError};
pub use secret::SecretError;
pub use stream::{Closer, GivesUp, ReadHalf, Stream, WriteHalf};
pub use tls::{Tls, TlsError};
pub use token::Token;
