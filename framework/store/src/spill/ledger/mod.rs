//! Which file goes into which folder, when a file is full and when nobody needs it. Touches no disk.
//!
//! A file goes round:
//!
//! ```text
//! plan ──▶ being written ──written──▶ live ──its last object is removed──▶ dead ──removed──▶ not there
//!                        └──────────────── abandoned ────────────────────▶ dead
//! ```
//!
//! What is left in files of which little is needed goes into new ones: see `anew.rs`.
//!
//! Invariants:
//! - **SP-1 (within-bounds):** a folder never has more bytes than its quota, and no file is planned where the disk has no room for it.
//! - **SP-2 (disjoint):** objects of one file do not overlap, and all are inside it.
//! - **SP-3 (dead-when-empty):** a file is dead as soon as its last object is removed, and no sooner.
//! - **SP-4 (nothing-leaks):** when every object is removed and every dead file is, no folder has any bytes.
//! - **SP-5 (bounded-files):** a file of several objects has no more bytes, and no more objects, than it may have.

mod anew;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use raytree_types::limits;

use super::device::FileId;
use super::error::SpillError;
use super::record::span;
use super::{Extent, Key, Rules};

pub(super) use anew::Anew;

#[cfg(test)]
mod tests;

/// What a [`Spill`](super::Spill) uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// In each folder.
    pub folders: Vec<UsedFolder>,
}

impl Used {
    /// How many bytes there are in all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.folders.iter().map(|folder| folder.bytes).sum()
    }

    /// How many of them are of objects that were not removed.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.folders.iter().map(|folder| folder.live).sum()
    }

    /// How many objects there are.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.folders.iter().map(|folder| folder.objects).sum()
    }
}

/// What is used in one folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsedFolder {
    /// Which one.
    pub folder: String,
    /// How many bytes there are in its files: those that are being written count as if they were, and dead ones until they are gone.
    pub bytes: u64,
    /// How many of them are of objects that were not removed: with what stands around each.
    pub live: u64,
    /// How many files.
    pub files: usize,
    /// How many objects.
    pub objects: usize,
    /// How many bytes there may be.
    pub quota: Option<u64>,
    /// Nothing more is written there: it has failed.
    pub is_left_out: bool,
}

/// An object that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) key: Key,
    pub(super) len: u64,
}

/// A file that is to be written, of these objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) file: FileId,
    pub(super) folder: usize,
    pub(super) bytes: u64,
    /// Which of those that are wanted, one after the other.
    pub(super) objects: Vec<usize>,
}

/// Why nothing is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoPlan {
    /// A file does not fit; this folder has the most room.
    NoRoom { folder: usize, needed: u64, free: u64 },
    /// No folder can be used.
    NoFolder,
    /// There would be more objects than there can be.
    TooMany { spilled: usize },
}

/// It is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl Gone {
    pub(super) fn error(self, key: Key, at: &Extent) -> SpillError {
        SpillError::Gone { key, file: at.file.0, offset: at.offset }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Written,
    Live,
    Dead,
}

#[derive(Debug)]
struct File {
    folder: usize,
    bytes: u64,
    state: State,
    live: u64,
    /// By where they begin, with what was said of where they are when they were written first.
    objects: BTreeMap<u64, (Key, Extent)>,
    /// What is in it cannot be read to be written anew.
    stays: bool,
}

/// What is known of one folder.
#[derive(Debug, Default)]
struct Folder {
    bytes: u64,
    /// Of files that are not written yet: the disk may not know of them.
    unwritten: u64,
    is_left_out: bool,
    /// Beyond a network: it has no quota, and is used where no other has room.
    is_remote: bool,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Ledger {
    rules: Rules,
    folders: Vec<Folder>,
    files: BTreeMap<FileId, File>,
    /// The number of the next file.
    next: u64,
    /// The folder whose turn it is.
    turn: usize,
    objects: usize,
    /// How many there can be.
    objects_max: usize,
    /// Where objects are that were moved, file and offset, by where it was said that they are.
    moved: HashMap<(FileId, u64), (FileId, u64)>,
    /// Files of which little is needed.
    wasteful: BTreeSet<FileId>,
    /// Some of them are being written anew.
    is_anew: bool,
}

impl Ledger {
    /// Of places that are beyond a network, or are not.
    pub(super) fn new(remote: &[bool], rules: Rules) -> Self {
        let folder = |is_remote: &bool| Folder { is_remote: *is_remote, ..Folder::default() };
        let folders = remote.iter().map(folder).collect();
        let (files, moved, wasteful) = Default::default();
        let objects_max = limits::SPILL_OBJECTS_MAX;
        Self {
            rules,
            folders,
            files,
            next: 0,
            turn: 0,
            objects: 0,
            objects_max,
            moved,
            wasteful,
            is_anew: false,
        }
    }

    /// Where these objects are to be written: small ones together, each of the others alone. `usable` is how many bytes each disk has for
    /// us now; nothing for those that are not to be used this time.
    pub(super) fn plan(
        &mut self,
        wanted: &[Wanted],
        usable: &[Option<u64>],
    ) -> Result<Vec<Draft>, NoPlan> {
        if wanted.len() > self.objects_max.saturating_sub(self.objects) {
            return Err(NoPlan::TooMany { spilled: self.objects });
        }
        let mut free: Vec<_> = (0..self.folders.len()).map(|at| self.free(at, usable)).collect();
        let mut drafts = Vec::new();
        let mut turn = self.turn;
        for (objects, bytes) in fused(wanted, self.fused_max()) {
            let folder = self.choose(&free, turn, bytes)?;
            free[folder] = free[folder].map(|free| free - bytes);
            turn = (folder + 1) % self.folders.len();
            drafts.push(Draft { file: FileId(self.next), folder, bytes, objects });
            self.next += 1;
        }
        self.turn = turn;
        self.objects += wanted.len();
        for draft in &drafts {
            self.folders[draft.folder].bytes += draft.bytes;
            self.folders[draft.folder].unwritten += draft.bytes;
            self.files.insert(draft.file, File::new(draft.folder, draft.bytes));
        }
        Ok(drafts)
    }

    /// The next folder in turn with room for so many bytes; without any, the next place beyond a network.
    fn choose(&self, free: &[Option<u64>], turn: usize, needed: u64) -> Result<usize, NoPlan> {
        let near = self.folders.iter().zip(free);
        let near: Vec<_> = near.map(|(own, free)| free.filter(|_| !own.is_remote)).collect();
        choose(&near, turn, needed).or_else(|_| choose(free, turn, needed))
    }

    /// How many more bytes may be written to a folder; none if it is not to be used.
    fn free(&self, folder: usize, usable: &[Option<u64>]) -> Option<u64> {
        let known = &self.folders[folder];
        let usable = usable[folder].filter(|_| !known.is_left_out)?;
        let quota = self.quota(known).map(|quota| quota - self.kept_for_anew(quota));
        let of_quota = quota.map_or(u64::MAX, |quota| quota - known.bytes.min(quota));
        Some(usable.saturating_sub(known.unwritten).min(of_quota))
    }

    fn quota(&self, folder: &Folder) -> Option<u64> {
        self.rules.quota.filter(|_| !folder.is_remote)
    }

    /// All files of a plan are written: their objects can be read. `sums` are the checksums of those that were wanted, and so are the
    /// extents.
    pub(super) fn written(
        &mut self,
        drafts: &[Draft],
        wanted: &[Wanted],
        sums: &[u32],
    ) -> Vec<Extent> {
        let nowhere = Extent { file: FileId(0), offset: 0, len: 0, checksum: 0 };
        let mut extents = vec![nowhere; wanted.len()];
        for draft in drafts {
            let Some(file) = self.files.get_mut(&draft.file) else { continue };
            let mut offset = 0;
            for index in &draft.objects {
                let Wanted { key, len } = wanted[*index];
                let at = Extent { file: draft.file, offset, len, checksum: sums[*index] };
                file.objects.insert(offset, (key, at));
                extents[*index] = at;
                offset += span(len);
            }
            debug_assert_eq!(offset, file.bytes, "SP-2");
            (file.live, file.state) = (file.bytes, State::Live);
            self.folders[draft.folder].unwritten -= draft.bytes;
        }
        extents
    }

    /// A plan has failed: its files are dead.
    pub(super) fn abandon(&mut self, drafts: &[Draft]) {
        for draft in drafts {
            if let Some(file) = self.files.get_mut(&draft.file) {
                file.state = State::Dead;
                self.folders[draft.folder].unwritten -= draft.bytes;
                self.objects -= draft.objects.len();
            }
        }
    }

    /// Nothing more is planned for a folder. Says whether that is new.
    pub(super) fn leave_out(&mut self, folder: usize) -> bool {
        !std::mem::replace(&mut self.folders[folder].is_left_out, true)
    }

    /// In which folder an object is, and where there (SP-7).
    pub(super) fn find(&self, key: Key, at: &Extent) -> Result<(usize, Extent), Gone> {
        let said = (at.file, at.offset);
        let (id, offset) = self.moved.get(&said).copied().unwrap_or(said);
        let file = self.files.get(&id).ok_or(Gone)?;
        match file.objects.get(&offset) {
            Some(known) if *known == (key, *at) => {
                Ok((file.folder, Extent { file: id, offset, ..*at }))
            }
            _ => Err(Gone),
        }
    }

    /// An object is not needed any more. Says which file is dead by that.
    pub(super) fn remove(
        &mut self,
        key: Key,
        at: &Extent,
    ) -> Result<Option<(usize, FileId)>, Gone> {
        let (folder, now) = self.find(key, at)?;
        let file = self.files.get_mut(&now.file).ok_or(Gone)?;
        file.objects.remove(&now.offset);
        file.live -= span(at.len);
        self.objects -= 1;
        self.moved.remove(&(at.file, at.offset));
        let is_dead = file.objects.is_empty();
        if is_dead {
            file.state = State::Dead;
        }
        self.weigh(now.file);
        Ok(is_dead.then_some((folder, now.file)))
    }

    /// The files that are dead and still there, with their folders.
    pub(super) fn dead(&self) -> Vec<(usize, FileId)> {
        let dead = self.files.iter().filter(|(_, file)| file.state == State::Dead);
        dead.map(|(id, file)| (file.folder, *id)).collect()
    }

    /// A dead file is there no more.
    pub(super) fn removed(&mut self, file: FileId) {
        if self.files.get(&file).is_some_and(|known| known.state == State::Dead)
            && let Some(known) = self.files.remove(&file)
        {
            self.folders[known.folder].bytes -= known.bytes;
        }
    }

    /// What is used in each folder, in their order, without their names.
    pub(super) fn used(&self) -> Vec<UsedFolder> {
        let mut used: Vec<_> = self
            .folders
            .iter()
            .map(|folder| UsedFolder {
                bytes: folder.bytes,
                quota: self.quota(folder),
                is_left_out: folder.is_left_out,
                ..UsedFolder::default()
            })
            .collect();
        for file in self.files.values() {
            let folder = &mut used[file.folder];
            folder.live += file.live;
            folder.files += 1;
            folder.objects += file.objects.len();
        }
        used
    }
}

impl File {
    /// One that is to be written.
    fn new(folder: usize, bytes: u64) -> Self {
        let (state, objects) = (State::Written, BTreeMap::new());
        Self { folder, bytes, state, live: 0, objects, stays: false }
    }
}

/// Which objects are in one file, and how long that is: small ones together, in their order, until the next would be too much.
fn fused(wanted: &[Wanted], bytes_max: u64) -> Vec<(Vec<usize>, u64)> {
    let mut files = Vec::new();
    let mut open: (Vec<usize>, u64) = Default::default();
    for (index, one) in wanted.iter().enumerate() {
        let bytes = span(one.len);
        if bytes > bytes_max {
            files.push((vec![index], bytes));
            continue;
        }
        let is_full = open.1 + bytes > bytes_max || open.0.len() >= limits::SPILL_FUSED_OBJECTS;
        if is_full && !open.0.is_empty() {
            files.push(std::mem::take(&mut open));
        }
        open.0.push(index);
        open.1 += bytes;
    }
    if !open.0.is_empty() {
        files.push(open);
    }
    files
}

/// The next folder in turn with room for so many bytes.
fn choose(free: &[Option<u64>], turn: usize, needed: u64) -> Result<usize, NoPlan> {
    let usable = |at: &usize| free[*at].is_some_and(|free| free >= needed);
    let in_turn = (turn..free.len()).chain(0..turn.min(free.len()));
    if let Some(folder) = in_turn.into_iter().find(usable) {
        return Ok(folder);
    }
    let known = free.iter().enumerate().filter_map(|(at, free)| Some(((*free)?, at)));
    match known.max() {
        Some((free, folder)) => Err(NoPlan::NoRoom { folder, needed, free }),
        None => Err(NoPlan::NoFolder),
    }
}
