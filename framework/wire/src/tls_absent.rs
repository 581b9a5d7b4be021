//! In the place of TLS where this crate is built without its feature `tls`: a type without values.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use rustix::net::SendFlags;

use crate::error::HandshakeError;
use crate::handshake::Binding;
use crate::patience::Patient;
use crate::token::Token;

/// How links are encrypted. There is no way to make one: this crate was built without its feature `tls`.
#[derive(Clone, Debug)]
pub enum Tls {}

/// Something was to be encrypted, and this crate was built without its feature `tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("something is to be encrypted, and this program was built without the feature `tls`")]
pub struct TlsError;

impl Tls {
    /// What a process of a cluster encrypts with, here never anything.
    ///
    /// # Errors
    /// [`TlsError`] when something is to be encrypted.
    pub fn chosen(
        _token: &Token,
        pem: Option<(&Path, &Path)>,
        is_exposed: bool,
    ) -> Result<Option<Self>, TlsError> {
        if pem.is_some() || is_exposed { Err(TlsError) } else { Ok(None) }
    }

    pub(crate) fn dial(&self, _patient: &mut Patient<'_>) -> Result<Session, HandshakeError> {
        match *self {}
    }

    pub(crate) fn accept(&self, _patient: &mut Patient<'_>) -> Result<Session, HandshakeError> {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) enum Session {}

impl Session {
    pub(crate) fn binding(&self) -> Result<Binding, HandshakeError> {
        match *self {}
    }

    pub(crate) fn over<'a, T: Read + Write>(&'a mut self, _io: &'a mut T) -> &'a mut T {
        match *self {}
    }

    pub(crate) fn split(self) -> (Incoming, Outgoing) {
        match self {}
    }
}

#[derive(Debug)]
pub(crate) enum Incoming {}

impl Incoming {
    pub(crate) fn read(&mut self, _socket: &TcpStream, _bytes: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) enum Outgoing {}

impl Outgoing {
    pub(crate) fn write(
        &mut self,
        _socket: &TcpStream,
        _parts: &[IoSlice<'_>],
        _flags: SendFlags,
    ) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn close(&mut self) -> io::Result<&[u8]> {
        match *self {}
    }
}

pub(crate) fn error_of(source: io::Error) -> HandshakeError {
    HandshakeError::Io { source }
}
