//! Which files are written anew: those of which little is needed any more.
//!
//! ```text
//! live ──little of it is needed──▶ wasteful ──its objects are copied──▶ they are in a new file, and it is dead
//!                                      └───── they could not be ─────▶ it is as it was
//! ```
//!
//! An object keeps the extent that was said when it was written first, so that whoever has that one finds it wherever it is.
//!
//! Invariants:
//! - **SP-6 (room-for-anew):** a wasteful file fits into what is kept of a quota for that, so that a folder that is full of what nobody
//!   needs does not stay so.
//! - **SP-7 (found-as-said):** an object is found by the extent that was said when it was written, until it is removed, and in one file alone.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use raytree_types::limits;

use super::{File, Ledger, State};
use crate::spill::device::{FileId, Room};
use crate::spill::record::span;
use crate::spill::{Extent, Key};

#[cfg(test)]
mod tests;

/// A file that is to be written, of objects that are in other ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::spill) struct Anew {
    pub(in crate::spill) file: FileId,
    pub(in crate::spill) folder: usize,
    pub(in crate::spill) bytes: u64,
    /// What goes into it, one after the other, and where each is.
    pub(in crate::spill) objects: Vec<(Key, Extent)>,
}

impl Ledger {
    /// How long a file of several objects may be: what is needed of a wasteful one fits into what is kept of the quota (SP-6).
    pub(super) fn fused_max(&self) -> u64 {
        let fits = |quota| self.kept_for_anew(quota) * 100 / limits::SPILL_LIVE_MIN_PERCENT;
        self.rules.quota.map_or(self.rules.fused, |quota| self.rules.fused.min(fits(quota)))
    }

    /// So much of a quota is for what is written anew: no more than is needed of the longest file (SP-6).
    pub(super) fn kept_for_anew(&self, quota: u64) -> u64 {
        let needed = self.rules.fused.saturating_mul(limits::SPILL_LIVE_MIN_PERCENT) / 100;
        needed.min(quota / limits::SPILL_ANEW_PART)
    }

    /// Something of a file was removed: whether it is worth writing anew may have changed. Not beyond a network, where there is room, nor where
    /// nothing is written any more.
    pub(super) fn weigh(&mut self, id: FileId) {
        let is_it = self.files.get(&id).is_some_and(|file| {
            let needed = u128::from(file.bytes) * u128::from(limits::SPILL_LIVE_MIN_PERCENT);
            let may = file.state == State::Live && !file.stays;
            may && !self.folders[file.folder].is_remote && u128::from(file.live) * 100 < needed
        });
        if is_it {
            self.wasteful.insert(id);
        } else {
            self.wasteful.remove(&id);
        }
    }

    /// Whether there is a file that is worth writing anew, and nobody does so.
    pub(in crate::spill) fn is_any_wasteful(&self) -> bool {
        let may = |id| {
            self.files.get(id).is_some_and(|file: &File| !self.folders[file.folder].is_left_out)
        };
        !self.is_anew && self.wasteful.iter().any(may)
    }

    /// What is to be written anew: files of one folder, those with the most to gain first, as many as fit into one; none while that is done
    /// already, or where there is no room even for that. It may use what is kept of a quota, and of the disk: it takes less than it gives
    /// back. `rooms` is what each disk has now.
    pub(in crate::spill) fn begin_anew(&mut self, rooms: &[Option<Room>]) -> Option<Anew> {
        if self.is_anew {
            return None;
        }
        let known = self.wasteful.iter().filter_map(|id| self.files.get_key_value(id));
        let mut found: Vec<_> = known.collect();
        found.sort_by_key(|(_, file)| Reverse(file.bytes - file.live));
        let free: Vec<_> =
            (0..self.folders.len()).map(|at| self.free_for_anew(at, rooms)).collect();
        let fits = |(_, file): &&(&FileId, &File)| file.live <= free[file.folder];
        let folder = found.iter().find(fits)?.1.folder;
        let bytes_max = free[folder].min(self.fused_max());
        let (mut bytes, mut objects) = (0, Vec::new());
        let here = found.into_iter().filter(|(_, file)| file.folder == folder);
        for (id, file) in here.take(limits::SPILL_WASTEFUL_MAX) {
            let count = objects.len() + file.objects.len();
            if bytes + file.live <= bytes_max && count <= limits::SPILL_FUSED_OBJECTS {
                bytes += file.live;
                let now = |(offset, (key, at)): (&u64, &(Key, Extent))| {
                    (*key, Extent { file: *id, offset: *offset, ..*at })
                };
                objects.extend(file.objects.iter().map(now));
            }
        }
        if objects.is_empty() {
            return None;
        }
        let file = FileId(self.next);
        self.next += 1;
        self.is_anew = true;
        self.folders[folder].bytes += bytes;
        self.folders[folder].unwritten += bytes;
        self.files.insert(file, File::new(folder, bytes));
        Some(Anew { file, folder, bytes, objects })
    }

    /// How many bytes may be written to a folder for a moment, because more come free by that.
    pub(super) fn free_for_anew(&self, folder: usize, rooms: &[Option<Room>]) -> u64 {
        let known = &self.folders[folder];
        let Some(room) = rooms[folder].filter(|_| !known.is_left_out) else { return 0 };
        let of_quota = self.quota(known).map_or(u64::MAX, |quota| quota - known.bytes.min(quota));
        room.free.saturating_sub(known.unwritten).min(of_quota)
    }

    /// It is written: its objects are there from now on, but for those that were removed meanwhile. Says which files are dead by that.
    pub(in crate::spill) fn are_moved(&mut self, anew: &Anew) -> Vec<(usize, FileId)> {
        let (mut offset, mut live, mut objects) = (0, 0, BTreeMap::new());
        let mut left = Vec::new();
        for (_, at) in &anew.objects {
            let source = self.files.get_mut(&at.file);
            if let Some(source) = source
                && let Some((key, said)) = source.objects.remove(&at.offset)
            {
                source.live -= span(at.len);
                live += span(at.len);
                objects.insert(offset, (key, said));
                self.moved.insert((said.file, said.offset), (anew.file, offset));
                if source.objects.is_empty() {
                    source.state = State::Dead;
                    left.push(at.file);
                }
            }
            offset += span(at.len);
        }
        debug_assert_eq!(offset, anew.bytes, "SP-2");
        let mut dead: Vec<_> = left.iter().map(|file| (anew.folder, *file)).collect();
        if let Some(file) = self.files.get_mut(&anew.file) {
            (file.live, file.objects) = (live, objects);
            file.state = if live > 0 { State::Live } else { State::Dead };
            dead.extend((live == 0).then_some((anew.folder, anew.file)));
        }
        self.folders[anew.folder].unwritten -= anew.bytes;
        self.is_anew = false;
        left.into_iter().chain([anew.file]).for_each(|file| self.weigh(file));
        dead
    }

    /// Whether there is an object at this very place.
    pub(in crate::spill) fn has(&self, now: &Extent) -> bool {
        self.files.get(&now.file).is_some_and(|file| file.objects.contains_key(&now.offset))
    }

    /// It could not be written: all is as it was, and what was begun is dead. A file that cannot be read is not tried again.
    pub(in crate::spill) fn are_not_moved(&mut self, anew: &Anew, unread: Option<FileId>) {
        if let Some(file) = self.files.get_mut(&anew.file) {
            file.state = State::Dead;
        }
        self.folders[anew.folder].unwritten -= anew.bytes;
        self.is_anew = false;
        if let Some(id) = unread {
            self.files.get_mut(&id).into_iter().for_each(|file| file.stays = true);
            self.weigh(id);
        }
    }
}
