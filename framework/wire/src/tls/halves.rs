//! An encrypted connection in two halves, for two threads.
//!
//! The library keeps both directions in one value, which both threads need for a moment at a time: to encrypt what is in
//! memory, to decrypt what is in memory.
//!
//! Invariants:
//! - **WS-1 (no-lock-over-io):** nobody waits for the network while it holds the connection. Otherwise two processes that
//!   both write and do not get rid of it would both keep their readers from reading, for ever.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::mem;
use std::net::TcpStream;
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_types::limits;
use rustix::net::SendFlags;
use rustls::Connection;

use crate::socket::transmit;

/// What arrives. Owned by the one who reads.
#[derive(Debug)]
pub(crate) struct Incoming {
    connection: Arc<Mutex<Connection>>,
    /// Encrypted bytes; those in `unread` have not been given to the connection yet.
    encrypted: Box<[u8]>,
    unread: std::ops::Range<usize>,
}

/// What is sent. Owned by the one who writes.
#[derive(Debug)]
pub(crate) struct Outgoing {
    connection: Arc<Mutex<Connection>>,
    /// Encrypted bytes that are being sent.
    encrypted: Vec<u8>,
    /// So many of them have been.
    sent: usize,
    /// So many plain bytes they are, while not all of them have been sent: nobody was told that these are written.
    untold: usize,
}

pub(super) fn split(mut connection: Connection) -> (Incoming, Outgoing) {
    connection.set_buffer_limit(Some(2 * limits::WIRE_ENCRYPTED_AT_ONCE_BYTES));
    let connection = Arc::new(Mutex::new(connection));
    let incoming = Incoming {
        connection: Arc::clone(&connection),
        encrypted: vec![0; limits::WIRE_ENCRYPTED_AT_ONCE_BYTES].into_boxed_slice(),
        unread: 0..0,
    };
    (incoming, Outgoing { connection, encrypted: Vec::new(), sent: 0, untold: 0 })
}

impl Incoming {
    /// As [`io::Read::read`]. An end that the other side has not announced is [`io::ErrorKind::UnexpectedEof`]: somebody
    /// may have cut off the rest.
    pub(crate) fn read(&mut self, mut socket: &TcpStream, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(read) = self.decrypt(bytes)? {
                return Ok(read);
            }
            match socket.read(&mut self.encrypted)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.unread = 0..read,
            }
        }
    }

    /// Nothing when more has to arrive first.
    fn decrypt(&mut self, bytes: &mut [u8]) -> io::Result<Option<usize>> {
        let mut connection = self.connection.lock();
        let mut done = 0;
        loop {
            match connection.reader().read(&mut bytes[done..]) {
                // It is full, or the other side has said that this is the end.
                Ok(0) => return Ok(Some(done)),
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.unread.is_empty() {
                        return Ok((done > 0).then_some(done));
                    }
                    let mut encrypted = &self.encrypted[self.unread.clone()];
                    self.unread.start += connection.read_tls(&mut encrypted)?;
                    connection
                        .process_new_packets()
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Outgoing {
    /// As [`io::Write::write_vectored`]: takes at most [`limits::WIRE_ENCRYPTED_AT_ONCE_BYTES`]. Where not all of them can
    /// be sent, none is written; whoever tries again gives the same ones first, and they go on from where they are.
    pub(crate) fn write(
        &mut self,
        socket: &TcpStream,
        parts: &[IoSlice<'_>],
        flags: SendFlags,
    ) -> io::Result<usize> {
        let given: usize = parts.iter().map(|part| part.len()).sum();
        if given < self.untold {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if self.untold == 0 {
            self.untold = self.encrypt(parts)?;
        }
        while self.sent < self.encrypted.len() {
            let rest = IoSlice::new(&self.encrypted[self.sent..]);
            self.sent += transmit(socket, &[rest], flags)?;
        }
        self.encrypted.clear();
        self.sent = 0;
        Ok(mem::take(&mut self.untold))
    }

    fn encrypt(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut left = limits::WIRE_ENCRYPTED_AT_ONCE_BYTES;
        let mut connection = self.connection.lock();
        for part in parts {
            let now = &part[..part.len().min(left)];
            // The connection is empty, and has room for more than is left.
            connection.writer().write_all(now)?;
            left -= now.len();
        }
        while connection.wants_write() {
            connection.write_tls(&mut self.encrypted)?;
        }
        Ok(limits::WIRE_ENCRYPTED_AT_ONCE_BYTES - left)
    }

    /// The bytes that announce the end, after what has not been sent yet.
    pub(crate) fn close(&mut self) -> io::Result<&[u8]> {
        let mut connection = self.connection.lock();
        connection.send_close_notify();
        while connection.wants_write() {
            connection.write_tls(&mut self.encrypted)?;
        }
        Ok(&self.encrypted[self.sent..])
    }
}
