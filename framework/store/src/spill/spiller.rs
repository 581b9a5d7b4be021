//! Carries out what the ledger has decided: files are written, read and removed.
//!
//! Invariants:
//! - **SS-1 (all-or-nothing):** of objects that are written together all are there afterwards, or none, and no file of them.
//! - **SS-2 (others-untouched):** whatever fails, what was written before can be read.

use std::io::{self, BufWriter, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use raytree_types::limits;

use super::device::{Device, FileId, Room};
use super::error::{Blame, Damage, SpillError, blame};
use super::folder::Swept;
use super::ledger::{Draft, Ledger, NoPlan, Used, Wanted};
use super::local::Local;
use super::record::{self, Chunks, Unread};
use super::{Extent, Key, Rules};

/// What became of opening folders.
#[derive(Debug)]
pub struct Opened {
    /// To write to those that can be used.
    pub spill: Spill,
    /// Why each of the others cannot.
    pub left_out: Vec<SpillError>,
    /// What was found of stores that have crashed.
    pub swept: Swept,
    /// Those that are memory themselves: what is written there frees none.
    pub in_memory: Vec<PathBuf>,
}

/// See the [module documentation](super). Used by several threads at once. What it has written is removed when it is dropped.
#[derive(Debug)]
pub struct Spill {
    pub(super) devices: Vec<Box<dyn Device>>,
    rules: Rules,
    pub(super) ledger: Mutex<Ledger>,
    /// Why folders were left out, until somebody asks.
    failures: Mutex<Vec<SpillError>>,
    /// Which of them did not do the last time what they were asked for.
    away: Vec<AtomicBool>,
}

impl Spill {
    /// With a folder of its own in each of these places, which are made where there are none. What crashed stores have left there is removed,
    /// and what others use is not touched. A place that cannot be used is left out. Places are of one machine: on a file system that several
    /// machines use, each needs one of its own, because not every such file system has locks that others see.
    ///
    /// # Errors
    /// [`SpillError::NoFolder`] when there is no place; why the last one cannot be used when none can.
    pub fn open(places: &[impl AsRef<Path>], rules: Rules) -> Result<Opened, SpillError> {
        Self::open_with(places, Vec::new(), rules)
    }

    /// The same with further places that are no folders.
    ///
    /// # Errors
    /// As of [`open`](Self::open).
    pub fn open_with(
        places: &[impl AsRef<Path>],
        others: Vec<Box<dyn Device>>,
        rules: Rules,
    ) -> Result<Opened, SpillError> {
        let mut devices: Vec<Box<dyn Device>> = Vec::new();
        let (mut left_out, mut in_memory, mut swept) = (Vec::new(), Vec::new(), Swept::default());
        for place in places {
            match Local::open(place.as_ref()) {
                Ok((local, Swept { folders, bytes, failed })) => {
                    if local.is_in_memory() {
                        in_memory.push(place.as_ref().to_path_buf());
                    }
                    devices.push(Box::new(local));
                    swept.folders += folders;
                    swept.bytes += bytes;
                    swept.failed.extend(failed);
                }
                Err(error) => left_out.push(error),
            }
        }
        devices.extend(others);
        if devices.is_empty() {
            return Err(left_out.pop().unwrap_or(SpillError::NoFolder { folders: 0 }));
        }
        Ok(Opened { spill: Self::over(devices, rules), left_out, swept, in_memory })
    }

    /// Over other places than folders.
    #[must_use]
    pub fn over(devices: Vec<Box<dyn Device>>, rules: Rules) -> Self {
        let remote: Vec<_> = devices.iter().map(|device| device.is_remote()).collect();
        let ledger = Mutex::new(Ledger::new(&remote, rules));
        let away = remote.iter().map(|_| AtomicBool::new(false)).collect();
        Self { devices, rules, ledger, failures: Mutex::default(), away }
    }

    /// Writes objects, and says where each is: all of them, or none. Takes as long as the disk does. A folder that fails is left out from
    /// then on and the others are tried; see [`failures`](Self::failures). A place beyond a network is passed over this time.
    ///
    /// # Errors
    /// [`SpillError::OutOfDisk`], [`SpillError::Io`], [`SpillError::Away`], [`SpillError::TooMany`], [`SpillError::NoFolder`]. What was written before is not touched.
    pub fn write(&self, objects: &[(Key, &[u8])]) -> Result<Vec<Extent>, SpillError> {
        let wanted =
            objects.iter().map(|(key, bytes)| Wanted { key: *key, len: bytes.len() as u64 });
        let wanted: Vec<_> = wanted.collect();
        let mut passed_over = vec![false; self.devices.len()];
        let mut last = None;
        // What could not be removed before is room, too.
        _ = self.remove_dead();
        loop {
            let usable = self.usable(&passed_over);
            let planned = self.ledger.lock().plan(&wanted, &usable);
            let drafts = match planned {
                Ok(drafts) => drafts,
                Err(NoPlan::NoFolder) if last.is_some() => {
                    return Err(last.unwrap_or(SpillError::NoFolder { folders: passed_over.len() }));
                }
                // That folders are full is as it should be where there is another place for the rest.
                Err(why) => match last {
                    Some(away @ SpillError::Away { .. }) => return Err(away),
                    _ => return Err(self.no_plan(&why, wanted.len())),
                },
            };
            let (draft, source) = match self.put_all(&drafts, objects) {
                Ok(sums) => return Ok(self.ledger.lock().written(&drafts, &wanted, &sums)),
                Err(failed) => failed,
            };
            self.ledger.lock().abandon(&drafts);
            _ = self.remove_dead();
            let &Draft { folder, file, bytes: needed, .. } = draft;
            let place = self.devices[folder].name(Some(file));
            if self.devices[folder].is_remote() {
                passed_over[folder] = true;
                last = Some(self.is_away(folder, place, source));
                continue;
            }
            match blame(&source) {
                Blame::Nobody => return Err(SpillError::Io { doing: "write", place, source }),
                Blame::Full => {
                    passed_over[folder] = true;
                    let free = self.devices[folder].room().map_or(0, Room::usable);
                    last = Some(self.out_of_disk(folder, needed, free));
                }
                Blame::Folder => {
                    passed_over[folder] = true;
                    let again = again(&source);
                    last = Some(SpillError::Io { doing: "write", place: place.clone(), source });
                    self.leave_out(folder, SpillError::Io { doing: "write", place, source: again });
                }
            }
        }
    }

    /// How many bytes each device has for us; none for those that are passed over, or cannot say.
    fn usable(&self, passed_over: &[bool]) -> Vec<Option<u64>> {
        let asked = self.devices.iter().zip(passed_over).enumerate();
        asked
            .map(|(folder, (device, passed_over))| match device.room() {
                _ if *passed_over => None,
                Ok(room) => Some(room.usable()),
                Err(source) => {
                    let (doing, place) = ("ask for the room of", device.name(None));
                    self.leave_out(folder, SpillError::Io { doing, place, source });
                    None
                }
            })
            .collect()
    }

    fn leave_out(&self, folder: usize, why: SpillError) {
        if self.ledger.lock().leave_out(folder) {
            self.failures.lock().push(why);
        }
    }

    /// A place beyond a network fails: that is said once, until it works again.
    fn is_away(&self, folder: usize, place: String, source: io::Error) -> SpillError {
        if !self.away[folder].swap(true, Ordering::Relaxed) {
            let (place, source) = (place.clone(), again(&source));
            self.failures.lock().push(SpillError::Away { doing: "write", place, source });
        }
        SpillError::Away { doing: "write", place, source }
    }

    fn no_plan(&self, why: &NoPlan, more: usize) -> SpillError {
        match *why {
            NoPlan::NoRoom { folder, needed, free } => self.out_of_disk(folder, needed, free),
            NoPlan::NoFolder => SpillError::NoFolder { folders: self.devices.len() },
            NoPlan::TooMany { spilled } => {
                SpillError::TooMany { spilled, more, limit: limits::SPILL_OBJECTS_MAX }
            }
        }
    }

    fn out_of_disk(&self, folder: usize, needed: u64, free: u64) -> SpillError {
        let (folder, quota) = (self.devices[folder].name(None), self.rules.quota);
        SpillError::OutOfDisk { folder, needed, free, quota }
    }

    /// Writes files, and says the checksums of the objects; or which has failed.
    fn put_all<'d>(
        &self,
        drafts: &'d [Draft],
        objects: &[(Key, &[u8])],
    ) -> Result<Vec<u32>, (&'d Draft, io::Error)> {
        let mut sums = vec![0; objects.len()];
        for draft in drafts {
            let device = &self.devices[draft.folder];
            let done = device.put(draft.file, draft.bytes, &mut |to| {
                let mut to = BufWriter::with_capacity(limits::SPILL_BUFFER, to);
                for index in &draft.objects {
                    let (key, bytes) = objects[*index];
                    sums[*index] = record::write(&mut to, key, bytes)?;
                }
                to.flush()
            });
            done.map_err(|error| (draft, error))?;
            self.away[draft.folder].store(false, Ordering::Relaxed);
        }
        Ok(sums)
    }

    /// Reads an object into as many bytes as it has. What is there after an error means nothing.
    ///
    /// # Errors
    /// [`SpillError::Gone`], [`SpillError::Outside`], [`SpillError::Corrupt`], [`SpillError::Io`].
    pub fn read(&self, key: Key, at: &Extent, into: &mut [u8]) -> Result<(), SpillError> {
        let len = into.len() as u64;
        if len != at.len {
            return Err(SpillError::Outside { from: 0, bytes: len, len: at.len });
        }
        self.at_its_place(key, at, |device, now| {
            record::read(&mut open(device, now, 0..record::span(now.len))?, key, now, into)
        })
    }

    /// Reads the bytes of an object from `from` on. What is checked are chunks of [`SPILL_CHUNK`](limits::SPILL_CHUNK) bytes, so parts that
    /// begin and end with one cost no more than their own bytes.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub fn read_part(
        &self,
        key: Key,
        at: &Extent,
        from: u64,
        into: &mut [u8],
    ) -> Result<(), SpillError> {
        let bytes = into.len() as u64;
        let outside = SpillError::Outside { from, bytes, len: at.len };
        let Some(end) = from.checked_add(bytes).filter(|end| *end <= at.len) else {
            return Err(outside);
        };
        if into.is_empty() {
            return self.find(key, at).map(drop);
        }
        let chunks = Chunks::of(at.len, &(from..end));
        self.at_its_place(key, at, |device, now| {
            let sums = chunks.read_sums(&mut open(device, now, chunks.sums())?)?;
            chunks.read(&mut open(device, now, chunks.bytes())?, key, &sums, from, into)
        })
    }

    /// Copies an object as it is written, without a look at it: whoever reads the copy, by [`read_file`](super::read_file) and with an extent
    /// that begins at 0, looks whether it is whole.
    ///
    /// # Errors
    /// As of [`read`](Self::read), and what `to` says.
    pub fn copy(&self, key: Key, at: &Extent, to: &mut dyn Write) -> Result<(), SpillError> {
        let span = record::span(at.len);
        let (mut from, now) =
            self.at_its_place(key, at, |device, now| Ok((open(device, now, 0..span)?, *now)))?;
        let (folder, _) = self.find(key, at)?;
        let copied = io::copy(&mut from, to);
        let copied = copied.map_err(|error| self.unread(Unread::Io(error), folder, key, &now))?;
        if copied == span {
            return Ok(());
        }
        Err(self.unread(Unread::Damaged(Damage::CutOff), folder, key, &now))
    }

    /// How many bytes [`copy`](Self::copy) writes.
    #[must_use]
    pub fn copied_len(at: &Extent) -> u64 {
        record::span(at.len)
    }

    /// The file in which an object is now, and where in it, if other processes of this machine can read it there: by
    /// [`read_file`](super::read_file). Who comes too late finds no file, and asks again: it is in another one then.
    #[must_use]
    pub fn file(&self, key: Key, at: &Extent) -> Option<(PathBuf, Extent)> {
        let (folder, now) = self.find(key, at).ok()?;
        Some((self.devices[folder].path(now.file)?, now))
    }

    fn find(&self, key: Key, at: &Extent) -> Result<(usize, Extent), SpillError> {
        self.ledger.lock().find(key, at).map_err(|gone| gone.error(key, at))
    }

    /// Reads an object where it is; where it was moved meanwhile, once more. Nothing is locked while it is read.
    fn at_its_place<'s, T>(
        &'s self,
        key: Key,
        at: &Extent,
        mut read: impl FnMut(&'s dyn Device, &Extent) -> Result<T, Unread>,
    ) -> Result<T, SpillError> {
        let mut found = self.find(key, at)?;
        loop {
            let (folder, now) = found;
            let why = match read(&*self.devices[folder], &now) {
                Ok(done) => return Ok(done),
                Err(why) => why,
            };
            // It was removed while it was read, or moved.
            found = self.find(key, at)?;
            if found.1 == now {
                return Err(self.unread(why, folder, key, &now));
            }
        }
    }

    /// Why an object is not read that is `at` this place.
    pub(super) fn unread(&self, why: Unread, folder: usize, key: Key, at: &Extent) -> SpillError {
        let file = self.devices[folder].name(Some(at.file));
        match why {
            Unread::Damaged(damage) => SpillError::Corrupt { key, file, offset: at.offset, damage },
            // What is not there is lost, wherever it was.
            Unread::Io(source)
                if self.devices[folder].is_remote() && source.kind() != io::ErrorKind::NotFound =>
            {
                SpillError::Away { doing: "read", place: file, source }
            }
            Unread::Io(source) => SpillError::Io { doing: "read", place: file, source },
        }
    }

    /// An object is not needed any more. Its file goes with the last object in it.
    ///
    /// # Errors
    /// [`SpillError::Gone`]. [`SpillError::Io`] when its file cannot be removed: the object is gone all the same, and the file is tried again with
    /// the next write.
    pub fn remove(&self, key: Key, at: &Extent) -> Result<(), SpillError> {
        let removed = self.ledger.lock().remove(key, at);
        match removed.map_err(|gone| gone.error(key, at))? {
            Some((folder, file)) => self.remove_file(folder, file),
            None => Ok(()),
        }
    }

    pub(super) fn remove_file(&self, folder: usize, file: FileId) -> Result<(), SpillError> {
        let device = &self.devices[folder];
        match device.remove(file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                let place = device.name(Some(file));
                Err(SpillError::Io { doing: "remove", place, source })
            }
            _ => {
                self.ledger.lock().removed(file);
                Ok(())
            }
        }
    }

    /// Removes the files that nobody needs and that could not be removed before; each write does so.
    ///
    /// # Errors
    /// [`SpillError::Io`] of the last that cannot.
    pub fn remove_dead(&self) -> Result<(), SpillError> {
        let dead = self.ledger.lock().dead();
        let mut all = Ok(());
        for (folder, file) in dead {
            all = self.remove_file(folder, file).and(all);
        }
        all
    }

    /// What is used, in each folder.
    #[must_use]
    pub fn used(&self) -> Used {
        let mut folders = self.ledger.lock().used();
        for (folder, device) in folders.iter_mut().zip(&self.devices) {
            folder.folder = device.name(None);
        }
        Used { folders }
    }

    /// Why folders were left out since this was asked last: one error each.
    #[must_use]
    pub fn failures(&self) -> Vec<SpillError> {
        std::mem::take(&mut *self.failures.lock())
    }
}

/// A part of a record.
pub(super) fn open<'d>(
    device: &'d dyn Device,
    at: &Extent,
    part: Range<u64>,
) -> Result<Box<dyn Read + 'd>, Unread> {
    device.get(at.file, at.offset + part.start..at.offset + part.end).map_err(Unread::Io)
}

/// The same error: it is told to two.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
