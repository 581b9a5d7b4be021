//! Reading the files of an output again: its last lines, and what came after them.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use raytree_types::limits;

use super::file::{numbered, turns};

/// How far an output was read: in the file of which turn, and where in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPlace {
    /// The turn, from 1; 0 where nothing was read.
    pub turn: u64,
    /// Bytes before it.
    pub offset: u64,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRead {
    /// The lines, without their ends.
    pub lines: Vec<String>,
    /// Where to go on.
    pub next: LogPlace,
    /// There are older lines that are not here, or there were.
    pub is_cut: bool,
}

/// A file as it was when it was looked at.
struct Part {
    turn: u64,
    file: File,
    size: u64,
}

impl Part {
    fn read(&mut self, from: u64, most: u64) -> io::Result<Vec<u8>> {
        let mut part = Vec::new();
        self.file.seek(SeekFrom::Start(from))?;
        (&self.file).take(self.size.saturating_sub(from).min(most)).read_to_end(&mut part)?;
        Ok(part)
    }
}

/// The files of an output from this turn on, the oldest first.
fn parts(path: &Path, from: u64) -> io::Result<Vec<Part>> {
    loop {
        let known = turns(path)?;
        let newest = known.last().map_or(1, |last| last + 1);
        let older = known.iter().filter(|turn| **turn >= from).map(|turn| (*turn, Some(*turn)));
        let mut parts = Vec::new();
        for (turn, number) in older.chain([(newest, None)]) {
            let path = number.map_or_else(|| path.to_owned(), |turn| numbered(path, turn));
            match File::open(path) {
                Ok(file) => parts.push(Part { turn, size: file.metadata()?.len(), file }),
                // It has just made room, or is not there yet.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        // Else another turn has begun meanwhile.
        if turns(path)?.last() == known.last() {
            return Ok(parts);
        }
    }
}

/// The last lines of an output, over all its files; the one that has not ended among them. At most `bytes` are read.
///
/// # Errors
/// A file cannot be read. That there is none is no error.
pub fn tail(path: &Path, lines: usize, bytes: usize) -> io::Result<LogRead> {
    let lines = lines.min(limits::LOG_TAIL_LINES_MAX);
    let mut parts = parts(path, 0)?;
    let newest = parts.last();
    let next = newest.map(|part| LogPlace { turn: part.turn, offset: part.size });
    let (mut read, mut left, mut ends) = (Vec::new(), bytes as u64, 0);
    let mut is_cut = parts.first().is_some_and(|part| part.turn > 1);
    for part in parts.iter_mut().rev() {
        if ends > lines || left == 0 {
            is_cut = true;
            break;
        }
        let from = part.size.saturating_sub(left);
        let text = part.read(from, left)?;
        left -= text.len() as u64;
        is_cut |= from > 0;
        ends += text.iter().filter(|byte| **byte == b'\n').count();
        read.push(text);
    }
    read.reverse();
    let mut all: Vec<String> = split(&read.concat()).collect();
    let older = all.len().saturating_sub(lines);
    let is_cut = is_cut || older > 0;
    Ok(LogRead { lines: all.split_off(older), next: next.unwrap_or_default(), is_cut })
}

/// The lines that have ended since `place`. At most `bytes` are read; the rest comes the next time.
///
/// # Errors
/// A file cannot be read.
pub fn after(path: &Path, place: LogPlace, bytes: usize) -> io::Result<LogRead> {
    let mut parts = parts(path, place.turn)?;
    let oldest = parts.first().map_or(place.turn, |part| part.turn);
    let is_cut = oldest > place.turn.max(1);
    let mut read = LogRead { lines: Vec::new(), next: place, is_cut };
    let (mut left, count) = (bytes as u64, parts.len());
    for (at, part) in parts.iter_mut().enumerate() {
        let from = if part.turn == place.turn { place.offset } else { 0 };
        let mut text = part.read(from, left)?;
        left -= text.len() as u64;
        let is_all = from + text.len() as u64 >= part.size;
        // Only the newest file goes on: elsewhere what has no end is all there is.
        if at + 1 == count || !is_all {
            let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            // A line that is longer than an answer goes in pieces.
            let is_too_long = whole == 0 && !is_all && read.lines.is_empty();
            text.truncate(if is_too_long { text.len() } else { whole });
        }
        read.next = LogPlace { turn: part.turn, offset: from + text.len() as u64 };
        read.lines.extend(split(&text));
        if !is_all {
            break;
        }
    }
    Ok(read)
}

fn split(text: &[u8]) -> impl Iterator<Item = String> {
    let whole = text.strip_suffix(b"\n").unwrap_or(text);
    let lines = whole.split(|byte| *byte == b'\n').filter(|_| !text.is_empty());
    lines.map(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::Rotation;
    use super::super::file::Rotating;
    use super::*;

    const FILES: u32 = 4;
    const BYTES: usize = 1 << 20;

    fn log() -> (tempfile::TempDir, PathBuf, Rotating) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.out");
        let file = Rotating::new(path.clone(), Rotation { bytes: 30, files: FILES });
        (folder, path, file)
    }

    #[test]
    fn the_last_lines_are_read_over_all_files() {
        let (_folder, path, mut file) = log();
        assert_eq!(tail(&path, 10, BYTES).expect("nothing yet"), LogRead::default());
        for number in 0..12 {
            file.write(format!("line {number}\n").as_bytes());
        }
        file.write(b"and th");
        let read = |lines, bytes| {
            let read = tail(&path, lines, bytes).expect("readable");
            (read.lines, read.is_cut)
        };
        assert_eq!(read(2, BYTES), (vec!["line 11".to_owned(), "and th".to_owned()], true));
        let (lines, is_cut) = read(7, BYTES);
        assert_eq!((lines.len(), &*lines[0], is_cut), (7, "line 6", true));
        let (lines, is_cut) = read(1000, BYTES);
        assert_eq!((lines.len(), is_cut), (13, false));
        let (lines, is_cut) = read(1000, 10);
        assert_eq!((lines.last().map(|line| &**line), is_cut), (Some("and th"), true));
        assert_eq!(read(0, BYTES), (Vec::new(), true));
    }

    #[test]
    fn what_came_since_is_read_once_over_new_files() {
        let (_folder, path, mut file) = log();
        let (mut place, mut all, mut said) = (LogPlace::default(), Vec::new(), Vec::new());
        for number in 0..40 {
            let line = format!("line {number}");
            file.write(line.as_bytes());
            let early = after(&path, place, BYTES).expect("readable");
            assert!(early.lines.iter().all(|line| said.contains(line)), "no half of a line");
            all.extend(early.lines);
            place = early.next;
            file.write(b"\n");
            said.push(line);
            if number % 3 == 0 {
                let read = after(&path, place, BYTES).expect("readable");
                assert!(!read.is_cut);
                place = read.next;
                all.extend(read.lines);
            }
        }
        all.extend(after(&path, place, BYTES).expect("readable").lines);
        assert_eq!(all, said);
    }

    #[test]
    fn who_comes_too_late_is_told_and_a_long_answer_goes_on() {
        let (_folder, path, mut file) = log();
        file.write(b"first\n");
        let place = after(&path, LogPlace::default(), BYTES).expect("readable").next;
        for number in 0..100 {
            file.write(format!("line {number}\n").as_bytes());
        }
        let mut read = after(&path, place, 16).expect("readable");
        assert!(read.is_cut, "what it had read is gone");
        let mut lines = read.lines.clone();
        while !read.lines.is_empty() {
            read = after(&path, read.next, 16).expect("readable");
            assert!(!read.is_cut);
            lines.extend(read.lines.clone());
        }
        assert_eq!(lines.last().map(|line| &**line), Some("line 99"));
        assert!(lines.len() > 8 && lines.is_sorted_by_key(|line| line.len()), "{lines:?}");
    }
}
