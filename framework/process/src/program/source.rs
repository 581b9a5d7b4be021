//! A file of known length that is read in parts.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use raytree_types::limits;

use super::id::Hash;
use super::{ProgramError, ProgramId};

/// What is hashed at a time: enough for the hash to work on many parts at once, and little beside the processor's caches.
const HASHED_AT_ONCE: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Source {
    pub(super) file: File,
    pub(super) length: u64,
}

impl Source {
    /// As many bytes as are asked for, less only at the end.
    pub(super) fn read_at(&self, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut read = vec![0; self.bytes_at(offset, bytes)];
        self.file.read_exact_at(&mut read, offset)?;
        Ok(read)
    }

    pub(super) fn chunks(&self) -> Chunks<'_> {
        Chunks { source: self, offset: 0 }
    }

    pub(super) fn hash(&self) -> io::Result<ProgramId> {
        let mut hash = Hash::default();
        let mut buffer = vec![0; self.bytes_at(0, HASHED_AT_ONCE)];
        let mut offset = 0;
        while offset < self.length {
            let bytes = self.bytes_at(offset, buffer.len());
            self.file.read_exact_at(&mut buffer[..bytes], offset)?;
            hash.update(&buffer[..bytes]);
            offset += bytes as u64;
        }
        Ok(hash.id())
    }

    fn bytes_at(&self, offset: u64, most: usize) -> usize {
        let left = self.length.saturating_sub(offset);
        usize::try_from(left).map_or(most, |left| left.min(most))
    }
}

/// The bytes of an executable from its start to its end, in chunks of
/// [`PROGRAM_CHUNK_BYTES`](limits::PROGRAM_CHUNK_BYTES), the last one shorter. After an error there are no more.
#[derive(Debug)]
pub struct Chunks<'a> {
    source: &'a Source,
    offset: u64,
}

impl Iterator for Chunks<'_> {
    type Item = Result<Vec<u8>, ProgramError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.source.length {
            return None;
        }
        let read = self.source.read_at(self.offset, limits::PROGRAM_CHUNK_BYTES);
        self.offset = match &read {
            Ok(chunk) => self.offset + chunk.len() as u64,
            Err(_) => self.source.length,
        };
        Some(read.map_err(ProgramError::read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(bytes: &[u8], length: u64) -> (tempfile::NamedTempFile, Source) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        let source = Source { file: File::open(file.path()).expect("a file"), length };
        (file, source)
    }

    #[test]
    fn it_is_read_in_parts() {
        let bytes: Vec<u8> = (0..limits::PROGRAM_CHUNK_BYTES * 2 + 77).map(|at| at as u8).collect();
        let (_file, source) = source(&bytes, bytes.len() as u64);
        let chunks: Vec<_> = source.chunks().map(|chunk| chunk.expect("a chunk")).collect();
        assert_eq!(chunks.iter().map(Vec::len).max(), Some(limits::PROGRAM_CHUNK_BYTES));
        assert_eq!((chunks.len(), chunks.concat() == bytes), (3, true));
        assert_eq!(source.hash().expect("read"), ProgramId::of(&bytes));
        assert_eq!(source.read_at(5, 3).expect("read"), [5, 6, 7]);
        assert_eq!(source.read_at(source.length - 1, 3).expect("read").len(), 1);
        assert_eq!(source.read_at(source.length, 3).expect("read"), b"");
        assert_eq!(source.read_at(u64::MAX, 3).expect("read"), b"");
    }

    #[test]
    fn what_became_shorter_is_an_error_and_the_last_word() {
        let (_file, source) = source(b"half", 8);
        assert_eq!(source.hash().expect_err("short").kind(), io::ErrorKind::UnexpectedEof);
        let mut chunks = source.chunks();
        assert!(matches!(chunks.next(), Some(Err(ProgramError::Changed))));
        assert!(chunks.next().is_none());
    }
}
