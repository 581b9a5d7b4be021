//! One output of one process in files: `node-1-42.err` is the one that is written; those before it end in the number of their
//! turn, from 1, rising.
//!
//! Invariants:
//! - **LF-1 (bounded):** an output has at most as many files as is said, each at most as large as is said and one line more.
//! - **LF-2 (whole-lines):** a line is not torn apart by a new file, unless it is longer than a file may be.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Rotation;

/// An output that is being written. There is no file before there is something to be written.
#[derive(Debug)]
pub(super) struct Rotating {
    path: PathBuf,
    rotation: Rotation,
    file: Option<File>,
    /// The number that the file gets which is written.
    turn: u64,
    size: u64,
    is_at_end_of_line: bool,
    lost: u64,
}

impl Rotating {
    pub(super) fn new(path: PathBuf, rotation: Rotation) -> Self {
        Self { path, rotation, file: None, turn: 1, size: 0, is_at_end_of_line: true, lost: 0 }
    }

    /// Its files, as far as there are any.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let oldest = (self.turn + 1).saturating_sub(u64::from(self.rotation.files)).max(1);
        let older = (oldest..self.turn).map(|turn| numbered(&self.path, turn));
        older.chain([self.path.clone()]).collect()
    }

    /// Writes these bytes. What cannot be written is lost, counted, and said once.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.try_write(bytes) {
            if self.lost == 0 {
                let path = self.path.display();
                tracing::warn!(%error, %path, "what a process writes cannot be kept");
            }
            self.lost += bytes.len() as u64;
            self.file = None;
        }
    }

    fn try_write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let is_full = self.size >= self.rotation.bytes;
            if is_full && (self.is_at_end_of_line || self.size >= 2 * self.rotation.bytes) {
                self.rotate()?;
            }
            let room = self.rotation.bytes.saturating_sub(self.size);
            // Up to the end of the line that fills it (LF-2); one as long as a file goes on in the next.
            let cut = match usize::try_from(room).ok().filter(|room| *room < bytes.len()) {
                None => bytes.len(),
                Some(room) => {
                    let end = bytes[room..].iter().position(|byte| *byte == b'\n');
                    end.map_or(bytes.len(), |end| room + end + 1)
                }
            };
            let (now, later) = bytes.split_at(cut);
            self.open()?.write_all(now)?;
            self.size += now.len() as u64;
            self.is_at_end_of_line = now.last() == Some(&b'\n');
            bytes = later;
        }
        Ok(())
    }

    fn open(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut options = OpenOptions::new();
                options.append(true).mode(0o600);
                match options.clone().create_new(true).open(&self.path) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                        // Of a process that had the same number, or after a failure.
                        let file = options.open(&self.path)?;
                        self.size = file.metadata()?.len();
                        self.turn = turns(&self.path)?.last().map_or(1, |last| last + 1);
                        file
                    }
                    made => made?,
                }
            }
        };
        Ok(self.file.insert(file))
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        self.size = 0;
        fs::rename(&self.path, numbered(&self.path, self.turn))?;
        self.turn += 1;
        let files = u64::from(self.rotation.files);
        if self.turn > files { remove(&numbered(&self.path, self.turn - files)) } else { Ok(()) }
    }
}

/// The file of this turn, once another one is written.
pub(super) fn numbered(path: &Path, turn: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{turn}"));
    name.into()
}

/// The turns of an output whose files are there, the one that is written not counted; rising.
pub(super) fn turns(path: &Path) -> io::Result<Vec<u64>> {
    let (Some(folder), Some(own)) = (path.parent(), path.file_name()) else {
        return Ok(Vec::new());
    };
    let mut turns = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let rest = name.as_encoded_bytes().strip_prefix(own.as_encoded_bytes());
        let number = rest.and_then(|rest| rest.strip_prefix(b"."));
        turns.extend(number.and_then(|number| str::from_utf8(number).ok()?.parse::<u64>().ok()));
    }
    turns.sort_unstable();
    Ok(turns)
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn lf_1_an_output_has_a_bounded_number_of_files_of_bounded_size() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.out");
        let mut file = Rotating::new(path.clone(), Rotation { bytes: 20, files: 3 });
        assert_eq!(names(folder.path()), [""; 0], "no file before there is something");
        for number in 0..100 {
            file.write(format!("line {number:03}\nand more\n").as_bytes());
        }
        assert_eq!(names(folder.path()).len(), 3);
        for path in file.paths() {
            let size = fs::metadata(path).expect("a file").len();
            assert!(size <= 20 + 9, "{size} bytes");
        }
        let newest = fs::read_to_string(&path).expect("a file");
        assert!(newest.ends_with("line 099\nand more\n"), "{newest}");
        let one = folder.path().join("one.out");
        let mut file = Rotating::new(one.clone(), Rotation { bytes: 4, files: 1 });
        file.write(b"abcdef\n");
        file.write(b"gh\n");
        let only = fs::read_to_string(&one).expect("a file");
        assert_eq!(only, "gh\n", "the one file that there may be begins anew");
    }

    #[test]
    fn lf_2_lines_are_whole_in_each_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.out");
        let mut file = Rotating::new(path.clone(), Rotation { bytes: 64, files: 1000 });
        let text: String = (0..200).map(|number| format!("this is line {number}\n")).collect();
        for piece in text.as_bytes().chunks(13) {
            file.write(piece);
        }
        let paths = file.paths();
        let mut read = Vec::new();
        for own in &paths {
            let part = fs::read_to_string(own).expect("a file");
            assert!(own == &path || part.ends_with('\n'), "{part:?}");
            read.push(part);
        }
        assert!(paths.len() > 10, "{paths:?}");
        assert_eq!(read.concat(), text);
        // One that never ends.
        file.write(&[b'x'; 1000]);
        let size = fs::metadata(&path).map_or(0, |is| is.len());
        assert!(size <= 2 * 64 + 1000, "{size}");
    }
}
