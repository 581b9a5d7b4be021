//! The conversation by which two processes come to know each other.
//!
//! Invariants:
//! - **WH-1 (both-prove):** neither side hands a connection on before the other has proven that it knows the token.
//! - **WH-2 (listener-first):** the dialer says nothing of itself before the listener has proven itself.
//! - **WH-3 (this-conversation):** a proof holds for one role, in one conversation, over one encrypted connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use raytree_types::limits;

use crate::error::{HandshakeError, Refusal};
use crate::hello::{BadHello, Hello};
use crate::message::{HEAD_BYTES, Head, Kind, NONCE_BYTES};
use crate::patience::{Patience, Patient};
use crate::random::random;
use crate::tls::{Session, Tls};
use crate::token::{PROOF_BYTES, Token};

/// Ties the proofs to an encrypted connection: both ends of it know these bytes, and nobody between two of them can make
/// them the same.
pub(crate) type Binding = [u8; 32];

/// Who proves, and when.
#[derive(Clone, Copy, Debug)]
enum Role {
    Challenger = 1,
    Dialer = 2,
    Welcomer = 3,
}

/// The dialer's part, on a socket that has just been connected.
pub(crate) fn dial(
    socket: &TcpStream,
    token: &Token,
    tls: Option<&Tls>,
    hello: &Hello,
    patience: &Patience,
) -> Result<Option<Session>, HandshakeError> {
    let mut patient = Patient { socket, patience };
    let Some(tls) = tls else {
        Conversation::new(&mut patient, token, None).dial(hello)?;
        return Ok(None);
    };
    let mut session = tls.dial(&mut patient)?;
    let binding = session.binding()?;
    Conversation::new(&mut session.over(&mut patient), token, Some(binding)).dial(hello)?;
    Ok(Some(session))
}

/// The listener's part, on a socket that has just been accepted.
pub(crate) fn accept(
    socket: &TcpStream,
    token: &Token,
    tls: Option<&Tls>,
    patience: &Patience,
) -> Result<(Hello, Option<Session>), HandshakeError> {
    let mut patient = Patient { socket, patience };
    let met = match tls {
        None => {
            let hello = Conversation::new(&mut patient, token, None).accept();
            hello.map(|hello| (hello, None))
        }
        Some(tls) => accept_encrypted(&mut patient, token, tls),
    };
    met.inspect_err(|error| {
        use HandshakeError::{Closed, Io, Stopped, TimedOut};
        if !matches!(error, Closed | Io { .. } | Stopped | TimedOut { .. }) {
            see_off(&mut patient);
        }
    })
}

fn accept_encrypted(
    patient: &mut Patient<'_>,
    token: &Token,
    tls: &Tls,
) -> Result<(Hello, Option<Session>), HandshakeError> {
    let mut session = match tls.accept(patient) {
        Ok(session) => session,
        Err(error) => {
            // It is of raytree, and only lacks TLS: told in words that it understands.
            if matches!(error, HandshakeError::NoTls) {
                _ = patient.write_all(&Head::of_refusal(Refusal::OnlyTls).bytes());
            }
            return Err(error);
        }
    };
    let binding = session.binding()?;
    let hello = Conversation::new(&mut session.over(patient), token, Some(binding)).accept()?;
    Ok((hello, Some(session)))
}

/// A socket that is closed before all was read of it throws away what was sent last: the refusal.
fn see_off(patient: &mut Patient<'_>) {
    _ = patient.socket.shutdown(Shutdown::Write);
    let mut rest = [0; 1024];
    let mut left = limits::WIRE_REFUSED_BYTES_MAX;
    while let Ok(read @ 1..) = patient.read(&mut rest) {
        left = left.saturating_sub(read);
        if left == 0 {
            return;
        }
    }
}

struct Conversation<'a, T> {
    with: &'a mut T,
    token: &'a Token,
    binding: Option<Binding>,
    /// All that either has said, proofs included. A hello is the longest of it.
    said: Vec<u8>,
}

impl<'a, T: Read + Write> Conversation<'a, T> {
    fn new(with: &'a mut T, token: &'a Token, binding: Option<Binding>) -> Self {
        Self { with, token, binding, said: Vec::new() }
    }

    fn dial(mut self, hello: &Hello) -> Result<(), HandshakeError> {
        let met = self.try_dial(hello);
        met.inspect_err(|error| self.refuse(error))
    }

    fn try_dial(&mut self, hello: &Hello) -> Result<(), HandshakeError> {
        self.say(Head::of(Kind::Opening), &[&nonce()?], None)?;
        self.hear_head(Kind::Challenge)?;
        self.hear(NONCE_BYTES)?;
        self.hear_proof(Role::Challenger)?;
        let parts = [hello.name().as_bytes(), hello.details()];
        self.say(Head::of_introduction(hello), &parts, Some(Role::Dialer))?;
        self.hear_head(Kind::Welcome)?;
        self.hear_proof(Role::Welcomer)
    }

    fn accept(mut self) -> Result<Hello, HandshakeError> {
        let met = self.try_accept();
        met.inspect_err(|error| self.refuse(error))
    }

    fn try_accept(&mut self) -> Result<Hello, HandshakeError> {
        self.hear_head(Kind::Opening)?;
        self.hear(NONCE_BYTES)?;
        self.say(Head::of(Kind::Challenge), &[&nonce()?], Some(Role::Challenger))?;
        let (plane, name, details) = self.hear_head(Kind::Introduction)?.introduces()?;
        let name = self.hear(name)?.to_vec();
        let details = self.hear(details)?.to_vec();
        // Nothing of it is looked at before this.
        self.hear_proof(Role::Dialer)?;
        let name = String::from_utf8(name).map_err(|_| BadHello::NameText)?;
        let hello = Hello::new(plane, name, details)?;
        self.say(Head::of(Kind::Welcome), &[], Some(Role::Welcomer))?;
        Ok(hello)
    }

    /// Says a message, with a proof at its end when there is a role to prove.
    fn say(
        &mut self,
        head: Head,
        parts: &[&[u8]],
        proves: Option<Role>,
    ) -> Result<(), HandshakeError> {
        let begin = self.said.len();
        self.said.extend(head.bytes());
        parts.iter().for_each(|part| self.said.extend(*part));
        if let Some(role) = proves {
            let proof = self.with_parts(role, |parts| self.token.proof(parts));
            self.said.extend(proof);
        }
        self.with.write_all(&self.said[begin..])?;
        Ok(self.with.flush()?)
    }

    fn hear_head(&mut self, expected: Kind) -> Result<Head, HandshakeError> {
        let head = Head::read(self.with, expected)?;
        self.said.extend::<[u8; HEAD_BYTES]>(head.bytes());
        Ok(head)
    }

    /// `bytes` is within the bounds of a hello.
    fn hear(&mut self, bytes: usize) -> Result<&[u8], HandshakeError> {
        let begin = self.said.len();
        self.said.resize(begin + bytes, 0);
        self.with.read_exact(&mut self.said[begin..])?;
        Ok(&self.said[begin..])
    }

    fn hear_proof(&mut self, of: Role) -> Result<(), HandshakeError> {
        let mut proof = [0; PROOF_BYTES];
        self.with.read_exact(&mut proof)?;
        if !self.with_parts(of, |parts| self.token.is_proof(parts, &proof)) {
            return Err(HandshakeError::Token);
        }
        self.said.extend(proof);
        Ok(())
    }

    /// What a proof is of. All but the last part have a fixed length, so no two conversations look the same.
    fn with_parts<R>(&self, role: Role, prove: impl FnOnce(&[&[u8]]) -> R) -> R {
        let kind = [role as u8, u8::from(self.binding.is_some())];
        let binding = self.binding.unwrap_or_default();
        prove(&[b"raytree handshake", &kind, &binding, &self.said])
    }

    fn refuse(&mut self, error: &HandshakeError) {
        if let Some(reason) = error.refusal() {
            // It may have hung up; then it needs no telling.
            _ = self.with.write_all(&Head::of_refusal(reason).bytes());
            _ = self.with.flush();
        }
    }
}

fn nonce() -> Result<[u8; NONCE_BYTES], HandshakeError> {
    random().map_err(|source| HandshakeError::Io { source })
}

#[cfg(test)]
mod tests;
