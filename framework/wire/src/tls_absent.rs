//! In the place of TLS where this crate is built without its feature `tls`: a type without values.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;

use rustix::net::SendFlags;

use crate::error::HandshakeError;
use crate::handshake::Binding;
use crate::patience::Patient;

/// How links are encrypted. There is no way to make one: this crate was built without its feature `tls`.
#[derive(Clone, Debug)]
pub enum Tls {}

impl Tls {
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
