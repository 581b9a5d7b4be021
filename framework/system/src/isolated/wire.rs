//! What goes over the stream between a process and a process of a task's own: one question, one answer.
//!
//! A message is `rts1`, the length of its head (`u32`), the number of its buffers (`u32`), the length of each (`u64`), then
//! the head and the buffers, all little-endian. Head and buffers are those of the codec.

use std::io::{self, Read, Write};

use raytree_types::codec::{self, Codec, Encoded};
use raytree_types::{Bytes, Error, limits};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::part::Part;

const MAGIC: [u8; 4] = *b"rts1";

/// What a process is to run.
#[derive(Serialize, Deserialize)]
pub(super) struct Question {
    /// The function's full name.
    pub(super) function: String,
    /// Its parameter and result types as written: both sides must mean the same.
    pub(super) signature: String,
    pub(super) arguments: Vec<Part>,
}

/// What came of it.
pub(super) type Answer = Result<Part, Error>;

pub(super) fn write<T: Serialize + 'static>(to: &mut impl Write, message: &T) -> io::Result<()> {
    let Encoded { head, buffers, .. } =
        codec::encode(Codec::Compact, message).map_err(|error| bad(error.to_string()))?;
    let bytes = head.len() as u64 + buffers.iter().map(|buffer| buffer.len() as u64).sum::<u64>();
    if bytes > limits::ISOLATED_BYTES_MAX {
        return Err(bad(format!(
            "{bytes} bytes, where {} may go to another process",
            limits::ISOLATED_BYTES_MAX
        )));
    }
    let length = u32::try_from(head.len()).map_err(|_| bad("its head is too long".to_owned()))?;
    let count =
        u32::try_from(buffers.len()).ok().filter(|count| *count <= limits::ISOLATED_BUFFERS_MAX);
    let count = count.ok_or_else(|| bad(format!("{} parts that lie apart", buffers.len())))?;
    let mut header = Vec::with_capacity(12 + 8 * buffers.len());
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&length.to_le_bytes());
    header.extend_from_slice(&count.to_le_bytes());
    for buffer in &buffers {
        header.extend_from_slice(&(buffer.len() as u64).to_le_bytes());
    }
    to.write_all(&header)?;
    to.write_all(&head)?;
    buffers.iter().try_for_each(|buffer| to.write_all(buffer))?;
    to.flush()
}

pub(super) fn read<T: DeserializeOwned + 'static>(from: &mut impl Read) -> io::Result<T> {
    let mut start = [0; 12];
    from.read_exact(&mut start)?;
    let number =
        |at: usize| u32::from_le_bytes([start[at], start[at + 1], start[at + 2], start[at + 3]]);
    if start[..4] != MAGIC {
        return Err(bad("it does not begin as a message does".to_owned()));
    }
    let (length, count) = (number(4), number(8));
    if count > limits::ISOLATED_BUFFERS_MAX {
        return Err(bad(format!("it says that {count} parts lie apart")));
    }
    let mut lengths = vec![u64::from(length)];
    let mut whole = u64::from(length);
    for _ in 0..count {
        let mut one = [0; 8];
        from.read_exact(&mut one)?;
        let one = u64::from_le_bytes(one);
        whole = whole.saturating_add(one);
        lengths.push(one);
    }
    if whole > limits::ISOLATED_BYTES_MAX {
        return Err(bad(format!("it says that it has {whole} bytes")));
    }
    let mut parts = lengths.into_iter().map(|length| exactly(from, length));
    let head = parts.next().transpose()?.unwrap_or_default();
    let buffers: Vec<Bytes> = parts.map(|part| part.map(Bytes::from)).collect::<io::Result<_>>()?;
    codec::decode(Codec::Compact, &Encoded { head, buffers, refs: Vec::new() })
        .map_err(|error| bad(error.to_string()))
}

/// So many bytes. Memory is taken as they come, not as they are announced.
fn exactly(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.by_ref().take(length).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn bad(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        let long = Part::of(Codec::Compact, &vec![7u8; 100_000]).expect("a value");
        let short = Part::of(Codec::Compact, &5u64).expect("a value");
        let (function, signature) = ("app::square".to_owned(), "u64 -> u64".to_owned());
        Question { function, signature, arguments: vec![long, short] }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        write(&mut bytes, &question()).expect("it can be written");
        let read: Question = read(&mut bytes.as_slice()).expect("a question");
        assert_eq!(read.function, "app::square");
        let mut arguments = read.arguments.into_iter();
        let long: Vec<u8> = Part::next(&mut arguments, Codec::Compact).expect("a value");
        assert_eq!(long, vec![7; 100_000]);
        let short: u64 = Part::next(&mut arguments, Codec::Compact).expect("a value");
        assert_eq!(short, 5);
        assert!(Part::next::<u64>(&mut arguments, Codec::Compact).is_err());
    }

    #[test]
    fn every_message_that_is_cut_short_is_refused() {
        let mut bytes = Vec::new();
        write(&mut bytes, &question()).expect("it can be written");
        for end in (0..200).chain(bytes.len() - 200..bytes.len()) {
            assert!(read::<Question>(&mut &bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_is_announced_is_not_believed() {
        let mut bytes = b"rts1".to_vec();
        bytes.extend(u32::MAX.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(u64::MAX.to_le_bytes());
        let told = read::<Question>(&mut bytes.as_slice()).map(drop).unwrap_err();
        assert!(told.to_string().contains("bytes"), "{told}");
        let other = read::<Question>(&mut b"GET / HTTP/1.1\r\n".as_slice()).map(drop).unwrap_err();
        assert!(other.to_string().contains("does not begin"), "{other}");
    }
}
