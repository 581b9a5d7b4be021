//! Files that grow record by record, and never keep part of one.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file that holds whole records only: what a failed write left is cut off again.
#[derive(Debug)]
pub(super) struct AppendOnly<F> {
    file: F,
    path: PathBuf,
    /// Bytes of whole records.
    good_len: u64,
    /// Whether more than that may be in the file.
    torn: bool,
}

/// What can be written at its end and shortened.
pub(super) trait Shorten: Write {
    /// Cuts off what follows the first `len` bytes, and goes on writing there.
    fn shorten(&mut self, len: u64) -> io::Result<()>;
}

impl Shorten for File {
    fn shorten(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)?;
        self.seek(SeekFrom::Start(len)).map(drop)
    }
}

impl<F: Shorten> AppendOnly<F> {
    /// Begins with an empty file.
    pub(super) fn new(file: F, path: &Path) -> Self {
        Self { file, path: path.to_owned(), good_len: 0, torn: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a record, whole or not at all. What cannot be cut off now is cut off before the next record.
    pub(super) fn append(&mut self, record: &[u8]) -> Result<()> {
        let written = self.mend().and_then(|()| {
            self.torn = true;
            self.file.write_all(record)
        });
        if let Err(error) = written {
            // The first error is the one to tell, and the next record tries again.
            _ = self.mend();
            return Err(Error::io("write", &self.path)(error));
        }
        self.torn = false;
        self.good_len += record.len() as u64;
        Ok(())
    }

    fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.shorten(self.good_len)?;
            self.torn = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file on a disk with little room.
    struct Small {
        bytes: Vec<u8>,
        room: usize,
        shortens: bool,
    }

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room - self.bytes.len());
            if taken == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.bytes.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shorten for Small {
        fn shorten(&mut self, len: u64) -> io::Result<()> {
            if !self.shortens {
                return Err(io::ErrorKind::Other.into());
            }
            self.bytes.truncate(len as usize);
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_tears_no_record() {
        let small = Small { bytes: Vec::new(), room: 8, shortens: true };
        let mut file = AppendOnly::new(small, Path::new("metrics.csv"));
        file.append(b"one,1\n").unwrap();
        let error = file.append(b"two,2\n").unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        assert_eq!(file.file.bytes, b"one,1\n", "nothing of it stays");
        file.file.shortens = false;
        file.append(b"two,2\n").unwrap_err();
        assert_eq!(file.file.bytes, b"one,1\ntw", "it could not be cut off yet");
        file.file.room = 100;
        file.append(b"two,2\n").unwrap_err();
        file.file.shortens = true;
        file.append(b"two,2\n").unwrap();
        assert_eq!(file.file.bytes, b"one,1\ntwo,2\n");
    }

    #[test]
    fn a_shortened_file_goes_on_where_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one,two").unwrap();
        file.shorten(3).unwrap();
        file.write_all(b"!").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one!");
    }
}
