//! What an object looks like in a file of spilled objects.
//!
//! ```text
//! header 64 B                                    bytes            a checksum for each chunk of 1 MiB   zeros
//! magic | version | chunk | key | len | .. | crc   ..               crc | crc | ..                       to a multiple of 64
//! ```
//!
//! The checksums stand behind the bytes, so that each chunk is read from memory once: it is in the caches when it is written, and when it
//! is checked after it was read. The checksum of a chunk begins with object and place, so that a chunk in the wrong place is found without
//! the rest of the record. All numbers are little-endian; checksums are CRC-32, as in Ethernet. Over 100 MB in such chunks it was 12 to
//! 24 GB/s, XXH3 11 to 21, CRC-32C 7.5 and BLAKE3 1.8, where a plain write was 4 and a plain read 10.
//!
//! Invariants:
//! - **SR-1 (as-written):** what is read is what was written, or it is an error that says what is wrong.

use std::io::{self, Read, Write};
use std::ops::Range;

use crc32fast::Hasher;
use raytree_types::limits;

use super::error::Damage;
use super::{Extent, Key};

const MAGIC: [u8; 8] = *b"rtspill\n";
const VERSION: u32 = 1;
const HEADER: usize = 64;
const CHUNK: u64 = limits::SPILL_CHUNK;
const SUM: u64 = size_of::<u32>() as u64;

/// Why a record is not read.
#[derive(Debug)]
pub(super) enum Unread {
    Damaged(Damage),
    Io(io::Error),
}

/// How long the record of an object of so many bytes is.
pub(super) fn span(len: u64) -> u64 {
    const UNIT: u64 = HEADER as u64;
    let bytes = UNIT.saturating_add(len).saturating_add(len.div_ceil(CHUNK) * SUM);
    bytes.checked_next_multiple_of(UNIT).unwrap_or(u64::MAX / UNIT * UNIT)
}

fn header(key: Key, len: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&(CHUNK as u32).to_le_bytes());
    header[16..32].copy_from_slice(&key.0.to_le_bytes());
    header[32..40].copy_from_slice(&len.to_le_bytes());
    let sum = crc32fast::hash(&header[..60]);
    header[60..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// The checksum of a chunk, in its place.
fn sum_of(key: Key, len: u64, index: u64, chunk: &[u8]) -> u32 {
    let mut place = Hasher::new();
    place.update(&key.0.to_le_bytes());
    place.update(&len.to_le_bytes());
    place.update(&index.to_le_bytes());
    let mut hasher = Hasher::new_with_initial(place.finalize());
    hasher.update(chunk);
    hasher.finalize()
}

/// The checksum of an extent.
fn sum_of_all(header: &[u8; HEADER], sums: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(header);
    hasher.update(sums);
    hasher.finalize()
}

/// Writes a record, and says the checksum for its extent.
pub(super) fn write(to: &mut dyn Write, key: Key, bytes: &[u8]) -> io::Result<u32> {
    let len = bytes.len() as u64;
    let header = header(key, len);
    to.write_all(&header)?;
    let mut sums = Vec::with_capacity((len.div_ceil(CHUNK) * SUM) as usize);
    for (index, chunk) in (0..).zip(bytes.chunks(CHUNK as usize)) {
        sums.extend_from_slice(&sum_of(key, len, index, chunk).to_le_bytes());
        to.write_all(chunk)?;
    }
    to.write_all(&sums)?;
    let written = HEADER + bytes.len() + sums.len();
    to.write_all(&[0; HEADER][..written.next_multiple_of(HEADER) - written])?;
    Ok(sum_of_all(&header, &sums))
}

/// Reads the object of a record that begins where `from` does, into as many bytes as it has.
pub(super) fn read(
    from: &mut dyn Read,
    key: Key,
    at: &Extent,
    into: &mut [u8],
) -> Result<(), Unread> {
    let mut header = [0; HEADER];
    fill(from, &mut header)?;
    check_header(&header, key, at)?;
    let mut sums = Vec::new();
    for (index, chunk) in (0..).zip(into.chunks_mut(CHUNK as usize)) {
        fill(from, chunk)?;
        sums.extend_from_slice(&sum_of(key, at.len, index, chunk).to_le_bytes());
    }
    let mut table = vec![0; sums.len()];
    fill(from, &mut table)?;
    check(&sums, &table, &header, at)
}

/// Why a record is not carried to another file.
#[derive(Debug)]
pub(super) enum Uncarried {
    /// There is no record to carry.
    Unread(Unread),
    /// It cannot be written, or is not to be any more.
    Unwritten(io::Error),
}

/// Copies a record byte by byte, so that what is damaged stays so, and says what is. Looks after each chunk whether it is to go on.
pub(super) fn carry(
    from: &mut dyn Read,
    to: &mut dyn Write,
    key: Key,
    at: &Extent,
    goes_on: &dyn Fn() -> bool,
) -> Result<Option<Damage>, Uncarried> {
    let mut chunk = vec![0; at.len.min(CHUNK) as usize];
    let mut sums = Vec::new();
    let mut pass = |bytes: &mut [u8]| {
        fill(from, bytes).map_err(Uncarried::Unread)?;
        if !goes_on() {
            return Err(Uncarried::Unwritten(io::ErrorKind::TimedOut.into()));
        }
        to.write_all(bytes).map_err(Uncarried::Unwritten)
    };
    let mut header = [0; HEADER];
    pass(&mut header)?;
    let mut left = at.len;
    for index in 0..at.len.div_ceil(CHUNK) {
        let bytes = &mut chunk[..left.min(CHUNK) as usize];
        pass(bytes)?;
        sums.extend_from_slice(&sum_of(key, at.len, index, bytes).to_le_bytes());
        left -= bytes.len() as u64;
    }
    let mut table = vec![0; sums.len()];
    pass(&mut table)?;
    let rest = span(at.len) - HEADER as u64 - at.len - table.len() as u64;
    pass(&mut [0; HEADER][..rest as usize])?;
    let whole = check_header(&header, key, at).and_then(|()| check(&sums, &table, &header, at));
    match whole {
        Ok(()) => Ok(None),
        Err(Unread::Damaged(damage)) => Ok(Some(damage)),
        Err(why) => Err(Uncarried::Unread(why)),
    }
}

/// Whether the checksums of what was read are those that were written.
fn check(sums: &[u8], table: &[u8], header: &[u8; HEADER], at: &Extent) -> Result<(), Unread> {
    if sum_of_all(header, table) != at.checksum {
        return Err(Unread::Damaged(Damage::Table));
    }
    let (words, _) = sums.as_chunks::<4>();
    let (told, _) = table.as_chunks::<4>();
    match words.iter().zip(told).position(|(own, told)| own != told) {
        Some(index) => Err(changed(index as u64, at.len)),
        None => Ok(()),
    }
}

/// The chunks in which a part of an object lies.
pub(super) struct Chunks {
    indices: Range<u64>,
    len: u64,
}

impl Chunks {
    /// Of an object of `len` bytes those with these, of which there are some.
    pub(super) fn of(len: u64, part: &Range<u64>) -> Self {
        Self { indices: part.start / CHUNK..part.end.div_ceil(CHUNK), len }
    }

    /// Where their bytes are in the record.
    pub(super) fn bytes(&self) -> Range<u64> {
        let start = HEADER as u64 + self.indices.start * CHUNK;
        start..HEADER as u64 + self.len.min(self.indices.end * CHUNK)
    }

    /// Where their checksums are.
    pub(super) fn sums(&self) -> Range<u64> {
        let table = HEADER as u64 + self.len;
        table + self.indices.start * SUM..table + self.indices.end * SUM
    }

    /// The checksums themselves.
    pub(super) fn read_sums(&self, from: &mut dyn Read) -> Result<Vec<u32>, Unread> {
        let mut sums = vec![0; ((self.indices.end - self.indices.start) * SUM) as usize];
        fill(from, &mut sums)?;
        let (words, _) = sums.as_chunks::<4>();
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// Reads the part that begins at `start`: whole chunks where they shall be, the others elsewhere first.
    pub(super) fn read(
        &self,
        from: &mut dyn Read,
        key: Key,
        sums: &[u32],
        start: u64,
        mut into: &mut [u8],
    ) -> Result<(), Unread> {
        let mut elsewhere = Vec::new();
        for (index, sum) in self.indices.clone().zip(sums) {
            let begin = index * CHUNK;
            let chunk_len = (self.len - begin).min(CHUNK);
            let skipped = start.saturating_sub(begin);
            let wanted = (chunk_len - skipped).min(into.len() as u64);
            let (here, rest) = into.split_at_mut(wanted as usize);
            into = rest;
            let is_whole = wanted == chunk_len;
            if !is_whole {
                elsewhere.resize(chunk_len as usize, 0);
            }
            let chunk = if is_whole { &mut *here } else { &mut elsewhere[..] };
            fill(from, chunk)?;
            if sum_of(key, self.len, index, chunk) != *sum {
                return Err(changed(index, self.len));
            }
            if !is_whole {
                here.copy_from_slice(&elsewhere[skipped as usize..][..wanted as usize]);
            }
        }
        Ok(())
    }
}

fn changed(index: u64, len: u64) -> Unread {
    let from = index * CHUNK;
    Unread::Damaged(Damage::Bytes { from, len: (len - from).min(CHUNK) })
}

fn check_header(found: &[u8; HEADER], key: Key, at: &Extent) -> Result<(), Unread> {
    if *found == header(key, at.len) {
        return Ok(());
    }
    let is_one = found[60..] == crc32fast::hash(&found[..60]).to_le_bytes();
    Err(Unread::Damaged(if is_one { Damage::Another } else { Damage::Header }))
}

fn fill(from: &mut dyn Read, into: &mut [u8]) -> Result<(), Unread> {
    from.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Unread::Damaged(Damage::CutOff),
        _ => Unread::Io(error),
    })
}

#[cfg(test)]
mod tests;
