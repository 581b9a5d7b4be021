//! How messages lie in a stream of bytes.
//!
//! A message is `rts1`, the length of its head (`u32`), the number of its buffers (`u32`), the length of each (`u64`), then
//! the head and the buffers, all little-endian. Head and buffers are those of the codec.

use std::io::{self, Read};

use raytree_types::codec::{self, Codec, Encoded};
use raytree_types::{Bytes, Error, limits};
use serde::Serialize;
use serde::de::DeserializeOwned;

const MAGIC: [u8; 4] = *b"rts1";

/// A message as it is written: what comes first, and what lies apart.
pub(crate) struct Message {
    pub(crate) front: Vec<u8>,
    pub(crate) buffers: Vec<Bytes>,
}

impl Message {
    /// How long it is.
    pub(crate) fn bytes(&self) -> usize {
        self.front.len() + self.buffers.iter().map(|buffer| buffer.len()).sum::<usize>()
    }
}

/// Why a message is not written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    TooLarge { size: u64, unit: &'static str, limit: u64 },
    Unwritable(String),
}

impl Unsent {
    /// As whoever wanted to send it is told.
    pub(crate) fn of(self, what: &str) -> Error {
        let what = what.to_owned();
        match self {
            Self::TooLarge { size, unit, limit } => {
                Error::TooLarge { what, size, unit: unit.to_owned(), limit }
            }
            Self::Unwritable(reason) => {
                Error::CannotTravel { type_name: what, attribute: None, reason }
            }
        }
    }
}

/// Writes a message.
///
/// # Errors
/// [`Unsent`].
pub(crate) fn write<T: Serialize + 'static>(message: &T) -> Result<Message, Unsent> {
    let written = codec::encode(Codec::Compact, message);
    let Encoded { head, buffers, .. } =
        written.map_err(|error| Unsent::Unwritable(error.to_string()))?;
    let bytes = head.len() as u64 + buffers.iter().map(|buffer| buffer.len() as u64).sum::<u64>();
    let within = |size, unit, limit| {
        if size > limit { Err(Unsent::TooLarge { size, unit, limit }) } else { Ok(()) }
    };
    within(bytes, "bytes", limits::MESSAGE_BYTES_MAX)?;
    let most = u64::from(limits::MESSAGE_BUFFERS_MAX);
    within(buffers.len() as u64, "arrays and texts that lie apart", most)?;
    within(head.len() as u64, "bytes of small values", u64::from(u32::MAX))?;
    let mut front = Vec::with_capacity(12 + 8 * buffers.len() + head.len());
    front.extend_from_slice(&MAGIC);
    // They fit: that was looked at.
    front.extend_from_slice(&(head.len() as u32).to_le_bytes());
    front.extend_from_slice(&(buffers.len() as u32).to_le_bytes());
    for buffer in &buffers {
        front.extend_from_slice(&(buffer.len() as u64).to_le_bytes());
    }
    front.extend_from_slice(&head);
    Ok(Message { front, buffers })
}

/// Reads a message.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] says what is wrong with it; else what the stream said.
pub(crate) fn read<T: DeserializeOwned + 'static>(from: &mut impl Read) -> io::Result<T> {
    let mut start = [0; 12];
    from.read_exact(&mut start)?;
    let number =
        |at: usize| u32::from_le_bytes([start[at], start[at + 1], start[at + 2], start[at + 3]]);
    if start[..4] != MAGIC {
        return Err(bad("it does not begin as a message does".to_owned()));
    }
    let (length, count) = (number(4), number(8));
    if count > limits::MESSAGE_BUFFERS_MAX {
        return Err(bad(format!("it says that {count} parts lie apart")));
    }
    let mut lengths = Vec::new();
    let mut whole = u64::from(length);
    for _ in 0..count {
        let mut one = [0; 8];
        from.read_exact(&mut one)?;
        let one = u64::from_le_bytes(one);
        whole = whole.saturating_add(one);
        lengths.push(one);
    }
    if whole > limits::MESSAGE_BYTES_MAX {
        return Err(bad(format!("it says that it has {whole} bytes")));
    }
    let head = exactly(from, u64::from(length))?;
    let parts = lengths.into_iter().map(|length| exactly(from, length));
    let buffers: Vec<Bytes> = parts.map(|part| part.map(Bytes::from)).collect::<io::Result<_>>()?;
    codec::decode(Codec::Compact, &Encoded { head, buffers, refs: Vec::new() })
        .map_err(|error| bad(error.to_string()))
}

/// So many bytes. Memory is taken as they come, not as they are announced.
fn exactly(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    /// What one process believes another one without having seen it. What nobody writes to takes no memory.
    const BELIEVED: u64 = 64 << 20;
    let mut bytes = Vec::with_capacity(length.min(BELIEVED) as usize);
    let read = from.by_ref().take(length).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn bad(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use raytree_types::{Error, TaskOptions};

    use super::super::frame::{Ask, Buffer, Frame, Head, Packed, Terms, WireRef};
    use super::*;

    fn bytes(frame: &Frame) -> Vec<u8> {
        let Message { mut front, buffers } = write(frame).expect("it can be written");
        buffers.iter().for_each(|buffer| front.extend_from_slice(buffer));
        front
    }

    fn ask() -> Frame {
        let long =
            Packed { buffers: vec![Buffer::Here(vec![7u8; 100_000].into())], ..Packed::default() };
        let refs = vec![WireRef::Object { export: 300 }];
        let short = Packed { head: Head(vec![1, 5]), refs, ..Packed::default() };
        let options = Some(Box::new(TaskOptions::new().cpus(2.0)));
        let terms = Terms { options, trace: None, task: None };
        let (function, signature) = ("app::square".to_owned(), "u64 -> u64".to_owned());
        let what = Ask::Run { function, signature, terms };
        Frame::Ask { call: 7, what, arguments: vec![long, short] }
    }

    #[test]
    fn what_is_written_is_read() {
        let read: Frame = read(&mut bytes(&ask()).as_slice()).expect("a frame");
        assert_eq!(format!("{read:?}"), format!("{:?}", ask()));
        let Frame::Ask { arguments, .. } = read else { panic!("another frame") };
        assert!(matches!(&arguments[0].buffers[0], Buffer::Here(bytes) if bytes.len() == 100_000));
        assert_eq!(arguments[1].head, Head(vec![1, 5]));
        let refused = Frame::Answer { call: 1, result: Err(Error::NoRuntime) };
        let read: Frame = super::read(&mut bytes(&refused).as_slice()).expect("a frame");
        assert!(matches!(read, Frame::Answer { call: 1, result: Err(Error::NoRuntime) }));
    }

    #[test]
    fn what_has_too_many_parts_is_refused_with_its_size_and_bound() {
        let most = u64::from(limits::MESSAGE_BUFFERS_MAX);
        let answer = |parts: u64| {
            let buffers = (0..parts).map(|_| Buffer::Here(Bytes::from_static(b"a"))).collect();
            let packed = Packed { buffers, ..Packed::default() };
            write(&Frame::Answer { call: 1, result: Ok(packed) })
        };
        assert!(answer(most).is_ok());
        let told = answer(most + 1).map(drop).unwrap_err().of("app::square");
        assert_eq!(
            told.to_string(),
            "app::square is too large to travel: it has 65537 arrays and texts that lie apart, and 65536 may go to \
             another process at once"
        );
    }

    #[test]
    fn every_message_that_is_cut_short_is_refused() {
        let bytes = bytes(&ask());
        for end in (0..200).chain(bytes.len() - 200..bytes.len()) {
            assert!(read::<Frame>(&mut &bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_is_announced_is_not_believed() {
        let mut bytes = b"rts1".to_vec();
        bytes.extend(u32::MAX.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(u64::MAX.to_le_bytes());
        let told = read::<Frame>(&mut bytes.as_slice()).map(drop).unwrap_err();
        assert!(told.to_string().contains("bytes"), "{told}");
        let other = read::<Frame>(&mut b"GET / HTTP/1.1\r\n".as_slice()).map(drop).unwrap_err();
        assert!(other.to_string().contains("does not begin"), "{other}");
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_an_error_and_no_panic(garbage in proptest::collection::vec(0u8.., 0..300)) {
            let mut message = b"rts1".to_vec();
            message.extend(garbage);
            _ = read::<Frame>(&mut message.as_slice());
        }
    }
}
