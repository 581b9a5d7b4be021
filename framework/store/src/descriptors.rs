//! How the memory of a store comes to another process of the machine: its descriptors, over a Unix socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::memory::{Access, Memory};
use crate::store::ClientMemory;

/// Said with the descriptors, which cannot travel alone: that there are these, in this order.
const WORD: [u8; 8] = *b"rtstore1";

/// Arena, generations, pins.
const COUNT: usize = 3;

impl ClientMemory {
    /// Sends it to the process at the other end, over a socket that blocks.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] when it is memory of the heap; what the socket says otherwise.
    pub fn send(self, to: &UnixStream) -> io::Result<()> {
        let descriptors =
            [&self.arena, &self.generations, &self.pins].map(|memory| memory.descriptor());
        let [Some(arena), Some(generations), Some(pins)] = descriptors else {
            let why = "memory of the heap cannot be shared with another process";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        };
        let descriptors = [arena, generations, pins];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(COUNT))];
        let mut message = SendAncillaryBuffer::new(&mut space);
        if !message.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let sent = sendmsg(to, &[IoSlice::new(&WORD)], &mut message, SendFlags::NOSIGNAL)?;
        if sent == WORD.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Takes what [`ClientMemory::send`] has sent, and maps it. Waits for it, as long as the socket does.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when something else comes; what the system says otherwise.
    pub fn receive(from: &UnixStream) -> io::Result<Self> {
        let mut word = [0; WORD.len()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(COUNT))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(&mut word)];
        let came = recvmsg(from, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        let rights = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => Some(rights),
            _ => None,
        });
        let descriptors: Vec<OwnedFd> = rights.flatten().collect();
        let is_whole = came.bytes == WORD.len() && !came.flags.contains(ReturnFlags::CTRUNC);
        let Some([arena, generations, pins]) =
            descriptors.try_into().ok().filter(|_: &[_; COUNT]| is_whole && word == WORD)
        else {
            let why = "what came is not the memory of a store";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        };
        Ok(Self {
            arena: Memory::of(arena, Access::Write)?,
            generations: Memory::of(generations, Access::Read)?,
            pins: Memory::of(pins, Access::Write)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::{Region, Store};

    #[test]
    fn what_is_no_memory_of_a_store_is_refused() {
        let (mut there, here) = UnixStream::pair().unwrap();
        there.write_all(&WORD).unwrap();
        assert_eq!(ClientMemory::receive(&here).unwrap_err().kind(), io::ErrorKind::InvalidData);
        drop(there);
        assert_eq!(ClientMemory::receive(&here).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let (_, memory) = Store::new(Region::Heap, 1).unwrap().join().unwrap();
        assert_eq!(memory.send(&here).unwrap_err().kind(), io::ErrorKind::Unsupported);
    }
}
