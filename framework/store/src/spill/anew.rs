//! What is left in files of which little is needed is written into new ones.
//!
//! The new file is written and then the old ones go: an object can be read from one of both at any time, and a crash leaves what any crash
//! does. Who reads an old file meanwhile reads it to its end, and who opens it too late looks once more where the object is.
//!
//! Invariants:
//! - **SS-3 (as-it-was):** what is written anew is what was there, byte by byte: what was damaged stays so, and is said when it is read.

use std::io::{self, BufWriter, Write};

use raytree_types::limits;

use super::device::Room;
use super::error::{Blame, SpillError, blame};
use super::ledger::Anew;
use super::record::{self, Uncarried, Unread};
use super::spiller::{Spill, open};
use super::{Extent, Key};

/// What has come of writing files anew.
#[derive(Debug, Default)]
pub struct Won {
    /// How many bytes are free that were not.
    pub bytes: u64,
    /// What was found damaged: it is as it was.
    pub damaged: Vec<SpillError>,
}

/// Why it has not come to that.
struct Not {
    why: Option<SpillError>,
    /// It is the fault of the file of this object.
    unread: Option<Extent>,
}

impl Spill {
    /// Whether there is a file in a folder of which less than [`SPILL_LIVE_MIN_PERCENT`](limits::SPILL_LIVE_MIN_PERCENT) is needed, and that
    /// nobody writes anew.
    #[must_use]
    pub fn is_any_wasteful(&self) -> bool {
        self.ledger.lock().is_any_wasteful()
    }

    /// Writes what is needed of such files into a new one, and removes them: as many as fit into one, those with the most to gain first. One
    /// does so at once. Takes as long as the disk does; ends, with all as it was, when it does not go on. Nothing is won where there is no
    /// room even for that.
    ///
    /// # Errors
    /// [`SpillError::Io`], [`SpillError::Corrupt`]: it cannot be read or written. All is as it was, and what cannot be read is not tried
    /// again.
    pub fn write_anew(&self, goes_on: &dyn Fn() -> bool) -> Result<Won, SpillError> {
        // What could not be removed before is room, too.
        _ = self.remove_dead();
        let room = |at: usize| self.devices[at].room().ok();
        let rooms: Vec<Option<Room>> = (0..self.devices.len()).map(room).collect();
        let before = self.bytes();
        let Some(anew) = self.ledger.lock().begin_anew(&rooms) else { return Ok(Won::default()) };
        match self.carry_all(&anew, goes_on) {
            Ok(damaged) => {
                let dead = self.ledger.lock().are_moved(&anew);
                for (folder, file) in dead {
                    // It is tried again with the next write.
                    _ = self.remove_file(folder, file);
                }
                Ok(Won { bytes: before.saturating_sub(self.bytes()), damaged })
            }
            Err(Not { why, unread }) => {
                self.ledger.lock().are_not_moved(&anew, unread.map(|at| at.file));
                _ = self.remove_dead();
                why.map_or_else(|| Ok(Won::default()), Err)
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.ledger.lock().used().iter().map(|folder| folder.bytes).sum()
    }

    /// Writes the file, and says what was damaged before.
    fn carry_all(&self, anew: &Anew, goes_on: &dyn Fn() -> bool) -> Result<Vec<SpillError>, Not> {
        let device = &*self.devices[anew.folder];
        let (mut damaged, mut unread, mut is_cut_off) = (Vec::new(), None, false);
        let put = device.put(anew.file, anew.bytes, &mut |to| {
            let mut to = BufWriter::with_capacity(limits::SPILL_BUFFER, to);
            for (key, at) in &anew.objects {
                let from = open(device, at, 0..record::span(at.len)).map_err(Uncarried::Unread);
                let carried =
                    from.and_then(|mut from| record::carry(&mut from, &mut to, *key, at, goes_on));
                match carried {
                    Ok(None) => {}
                    Ok(Some(damage)) => {
                        let why = Unread::Damaged(damage);
                        damaged.push(self.unread(why, anew.folder, *key, at));
                    }
                    Err(Uncarried::Unread(why)) => {
                        unread = Some((*key, *at, why));
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                    Err(Uncarried::Unwritten(why)) => {
                        is_cut_off = !goes_on();
                        return Err(why);
                    }
                }
            }
            to.flush()
        });
        let Err(source) = put else { return Ok(damaged) };
        if is_cut_off {
            return Err(Not { why: None, unread: None });
        }
        let Some((key, at, why)) = unread else {
            let place = device.name(Some(anew.file));
            return Err(Not {
                why: Some(SpillError::Io { doing: "write", place, source }),
                unread: None,
            });
        };
        Err(self.is_unread(anew.folder, key, at, why))
    }

    /// An object cannot be read, unless nobody needs it any more.
    fn is_unread(&self, folder: usize, key: Key, at: Extent, why: Unread) -> Not {
        if !self.ledger.lock().has(&at) {
            return Not { why: None, unread: None };
        }
        // This process or machine has run out of something: that is not the fault of the file.
        let may_be_read = matches!(&why, Unread::Io(error) if blame(error) == Blame::Nobody);
        let unread = (!may_be_read).then_some(at);
        Not { why: Some(self.unread(why, folder, key, &at)), unread }
    }
}
