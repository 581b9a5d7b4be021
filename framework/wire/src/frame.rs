//! Messages over a stream: four bytes of length (unsigned, little-endian), then as many bytes.
//!
//! Invariants:
//! - **WF-1 (pay-as-it-comes):** a length is checked before anything is read, and memory is taken for what has arrived, at
//!   most as much again, and never for what was only announced.

use std::io::{self, IoSlice, Read, Write};

use raytree_types::limits;

/// Bytes of the length.
const LENGTH_BYTES: usize = 4;

/// A message could not be read or written. The stream is of no use any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// It is longer than allowed. Nothing of it was read or written.
    #[error("a frame of {bytes} bytes, where at most {max} are allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The longest.
        max: usize,
    },
    /// The stream ended within it.
    #[error("the stream ended within a frame, after {read} bytes of {bytes}")]
    Truncated {
        /// What had arrived, without the length.
        read: usize,
        /// The length that was announced; 4 when it ended within that length itself.
        bytes: usize,
    },
    /// The stream failed.
    #[error("the stream failed")]
    Io(#[from] io::Error),
}

/// Reads one message of at most `max` bytes; nothing when the stream has ended before it.
///
/// # Errors
/// [`FrameError`].
pub fn read_frame(from: &mut impl Read, max: usize) -> Result<Option<Vec<u8>>, FrameError> {
    let mut length = [0; LENGTH_BYTES];
    match fill(from, &mut length)? {
        0 => return Ok(None),
        LENGTH_BYTES => {}
        read => return Err(FrameError::Truncated { read, bytes: LENGTH_BYTES }),
    }
    let bytes = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if bytes > max {
        return Err(FrameError::TooLarge { bytes, max });
    }
    let mut frame = Vec::new();
    while frame.len() < bytes {
        let read = frame.len();
        let more = (bytes - read).min(read.max(limits::WIRE_FRAME_FIRST_BYTES));
        frame.reserve_exact(more);
        // It ends where the memory ends, so this takes no more.
        let bound = u64::try_from(more).unwrap_or(u64::MAX);
        if from.take(bound).read_to_end(&mut frame)? < more {
            return Err(FrameError::Truncated { read: frame.len(), bytes });
        }
    }
    Ok(Some(frame))
}

/// How much could be filled before the end.
fn fill(from: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match from.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes one message of at most `max` bytes (and 4 GiB). Length and content leave together if `to` can write both at once.
///
/// # Errors
/// [`FrameError::TooLarge`] and [`FrameError::Io`].
pub fn write_frame(to: &mut impl Write, frame: &[u8], max: usize) -> Result<(), FrameError> {
    let too_large = FrameError::TooLarge { bytes: frame.len(), max };
    let Ok(length) = u32::try_from(frame.len()) else { return Err(too_large) };
    if frame.len() > max {
        return Err(too_large);
    }
    let length = length.to_le_bytes();
    let mut written = 0;
    while written < LENGTH_BYTES {
        match to.write_vectored(&[IoSlice::new(&length[written..]), IoSlice::new(frame)]) {
            Ok(0) => return Err(FrameError::Io(io::ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(to.write_all(&frame[written - LENGTH_BYTES..])?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(frame: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, frame, frame.len()).unwrap();
        bytes
    }

    /// Gives `step` bytes at a time, and takes them so.
    struct Slow<'a>(&'a [u8], usize, Vec<u8>);

    impl Read for Slow<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(bytes.len());
            self.0.read(&mut bytes[..step])
        }
    }

    impl Write for Slow<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let now = &bytes[..bytes.len().min(self.1)];
            self.2.extend(now);
            Ok(now.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_bytes_of_a_frame() {
        assert_eq!(framed(b"abc"), *b"\x03\x00\x00\x00abc");
        assert_eq!(framed(b""), [0; 4]);
    }

    #[test]
    fn a_frame_has_a_bound_on_both_sides() {
        let error = write_frame(&mut Vec::new(), b"abcd", 3).unwrap_err();
        assert!(matches!(error, FrameError::TooLarge { bytes: 4, max: 3 }));
        let error = read_frame(&mut &framed(b"abcd")[..], 3).unwrap_err();
        assert!(matches!(error, FrameError::TooLarge { bytes: 4, max: 3 }));
        assert_eq!(read_frame(&mut &framed(b"abcd")[..], 4).unwrap().unwrap(), b"abcd");
        assert!(read_frame(&mut io::empty(), 0).unwrap().is_none());
    }

    #[test]
    fn a_stream_that_ends_within_a_frame_is_told() {
        let bytes = framed(b"abcd");
        for end in 1..bytes.len() {
            let error = read_frame(&mut &bytes[..end], 4).unwrap_err();
            let expected = if end < 4 { end } else { end - 4 };
            assert!(matches!(error, FrameError::Truncated { read, bytes: 4 } if read == expected));
        }
    }

    #[test]
    fn wf_1_memory_is_taken_for_what_arrives() {
        // Says that 4 GiB come, and sends 100 kB.
        let mut asked = Vec::new();
        struct Watched<'a>(&'a [u8], &'a mut Vec<usize>);
        impl Read for Watched<'_> {
            fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
                self.1.push(bytes.len());
                self.0.read(bytes)
            }
        }
        let mut bytes = u32::MAX.to_le_bytes().to_vec();
        bytes.extend(vec![7; 100_000]);
        let error = read_frame(&mut Watched(&bytes, &mut asked), usize::MAX).unwrap_err();
        assert!(matches!(error, FrameError::Truncated { read: 100_000, bytes: 4_294_967_295 }));
        assert!(asked.iter().all(|room| *room <= 100_000), "{asked:?}");
        // What is exactly there has exactly its room.
        let frame = read_frame(&mut &framed(&vec![1; 300_001])[..], 300_001).unwrap().unwrap();
        assert_eq!((frame.len(), frame.capacity()), (300_001, 300_001));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..4),
            step in 1usize..20,
        ) {
            let mut slow = Slow(&[], step, Vec::new());
            for frame in &frames {
                write_frame(&mut slow, frame, 200).unwrap();
            }
            let written = slow.2;
            let mut slow = Slow(&written, step, Vec::new());
            for frame in &frames {
                prop_assert_eq!(&read_frame(&mut slow, 200).unwrap().unwrap(), frame);
            }
            prop_assert!(read_frame(&mut slow, 200).unwrap().is_none());
        }

        #[test]
        fn any_bytes_are_a_frame_or_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            max in 0usize..64,
        ) {
            if let Ok(Some(frame)) = read_frame(&mut &bytes[..], max) {
                prop_assert!(frame.len() <= max && frame.capacity() <= max.max(8));
                prop_assert_eq!(&bytes[4..4 + frame.len()], &frame[..]);
            }
        }
    }
}
