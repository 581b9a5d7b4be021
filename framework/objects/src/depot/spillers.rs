//! The threads of a store that wait for disks.
//!
//! There are none until there is something for them to do. What they do is decided at the desk; nothing is locked while a disk works.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use raytree_store::spill::{Device, Key, Opened, Rules, Spill, SpillError};
use raytree_store::{Lease, Location, Spilled, View};
use raytree_supervise::{Addr, Moved, clock};
use raytree_types::limits;
use raytree_types::state::SpanKind;

use super::copies::Copies;
use super::desk::Desk;
use super::line::Words;
use super::pulls::Pulls;
use super::spilling::Job;
use crate::ObjectStoreMsg;
use crate::protocol::Found;
use crate::remote::{self, SpillUrl, UrlError};

/// Where and when a store spills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpillTerms {
    /// From so many thousandths of its memory on.
    pub at: u32,
    /// The folders in which it makes folders of its own, used in turn.
    pub folders: Vec<PathBuf>,
    /// Places in object stores, used in turn where no folder has room.
    pub urls: Vec<SpillUrl>,
    /// How it uses them.
    pub rules: Rules,
    /// A folder of this machine for what it takes to use object stores: marks of who lives, and copies of objects for which there is no room in
    /// memory and that have no file.
    pub aside: PathBuf,
}

impl SpillTerms {
    /// From so many thousandths of the memory on, into these folders and object stores, or without any into one in the folder for temporary
    /// files; `most` bytes in each folder, or as many as there is room for at 0.
    #[must_use]
    pub fn new(at: u32, mut folders: Vec<PathBuf>, urls: &[String], most: u64) -> Self {
        let own = format!("raytree-{}", rustix::process::geteuid().as_raw());
        let aside = std::env::temp_dir().join(own).join("spill");
        if folders.is_empty() && urls.is_empty() {
            folders.push(aside.clone());
        }
        let urls = urls.iter().map(SpillUrl::new).collect();
        let quota = (most > 0).then_some(most);
        Self { at, folders, urls, rules: Rules { quota, ..Rules::default() }, aside }
    }

    /// Whether there is any place.
    pub(super) fn is_any(&self) -> bool {
        !self.folders.is_empty() || !self.urls.is_empty()
    }

    /// Clients of the object stores.
    pub(super) fn remotes(&self) -> Result<Vec<Box<dyn Device>>, UrlError> {
        remote::open(&self.urls, &self.aside.join("lives"))
    }
}

/// The desk, with those who work for it.
pub(super) struct Office {
    pub(super) desk: Mutex<Desk>,
    /// There is a job, or no more will come.
    work: Condvar,
    is_over: AtomicBool,
    threads: Arc<Threads>,
    last_key: AtomicU64,
    /// Where objects are written to, once that is needed; made by one at a time.
    spill: OnceLock<Spill>,
    opening: Mutex<()>,
    /// All places for that are memory themselves.
    is_in_memory: AtomicBool,
    /// Until that is made.
    remotes: Mutex<Vec<Box<dyn Device>>>,
    copies: Copies,
    terms: Option<SpillTerms>,
    /// Whose work it is that is done here.
    works_for: Addr<ObjectStoreMsg>,
}

impl Office {
    pub(super) fn new(
        desk: Desk,
        terms: Option<SpillTerms>,
        remotes: Vec<Box<dyn Device>>,
        works_for: Addr<ObjectStoreMsg>,
    ) -> Arc<Self> {
        let (work, is_over, threads, last_key, spill, opening) = Default::default();
        let is_in_memory = AtomicBool::new(false);
        let (desk, remotes) = (Mutex::new(desk), Mutex::new(remotes));
        let aside = terms.as_ref().map(|terms| terms.aside.clone()).unwrap_or_default();
        let copies = Copies::new(aside);
        let office = Self {
            desk,
            work,
            is_over,
            threads,
            last_key,
            spill,
            opening,
            is_in_memory,
            remotes,
            copies,
            terms,
            works_for,
        };
        let office = Arc::new(office);
        let left = |terms: &SpillTerms| {
            !terms.urls.is_empty() || terms.folders.iter().any(|folder| folder.exists())
        };
        if office.terms.as_ref().is_some_and(left) {
            // A store that has crashed may have left something there.
            office.has_work();
        }
        office
    }

    /// There may be a job: a thread comes for it.
    pub(super) fn has_work(self: &Arc<Self>) {
        let mut threads = self.threads.count.lock();
        if *threads < limits::SPILL_THREADS && !self.is_over.load(Ordering::SeqCst) {
            let thread = OfOffice(Some(Arc::clone(self)), Arc::clone(&self.threads));
            let name = "raytree-spills".to_owned();
            // One that does not begin is not counted: it is dropped.
            *threads += 1;
            drop(threads);
            if let Err(error) = thread::Builder::new().name(name).spawn(move || thread.serves()) {
                tracing::error!(%error, "no thread for what is to be spilled");
            }
        } else {
            drop(threads);
        }
        self.work.notify_one();
    }

    /// No more jobs come. Waits a while for those that are being done, so that no files are left.
    pub(super) fn is_over(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Whoever is about to wait has looked before, or hears this.
        drop(self.desk.lock());
        self.work.notify_all();
        let Threads { count, ended } = &*self.threads;
        let mut threads = count.lock();
        while *threads > 0 && !ended.wait_for(&mut threads, limits::SPILL_END_WITHIN).timed_out() {}
    }

    fn serves(self: &Arc<Self>) {
        // What was left is looked after once, whether or not there is a job.
        _ = self.spill();
        let mut desk = self.desk.lock();
        while !self.is_over.load(Ordering::SeqCst) {
            let (now, mut words) = (clock::now(), Words::new());
            let job = desk.next(now, &mut words);
            let is_more = job.is_some() && desk.has_work(now);
            if desk.pulls.as_ref().is_some_and(Pulls::is_any_new) {
                // Who looks after it says so. Refused when it has ended for good, and all with it.
                _ = self.works_for.cast(ObjectStoreMsg::Changed);
            }
            if job.is_none() && words.is_empty() {
                self.work.wait(&mut desk);
                continue;
            }
            drop(desk);
            if is_more {
                self.has_work();
            }
            say(words);
            if let Some(job) = job {
                say(self.does(job));
            }
            desk = self.desk.lock();
        }
    }

    fn does(&self, job: Job) -> Words {
        let (mut words, began) = (Words::new(), clock::now());
        match job {
            Job::Remove(unneeded) => {
                for (key, extent) in unneeded {
                    let removed = self.spill.get().map(|spill| spill.remove(key, &extent));
                    if let Some(Err(error)) = removed {
                        tracing::warn!(%error, "a spilled object is not removed yet");
                    }
                    self.copies.forget(key);
                }
                let mut desk = self.desk.lock();
                desk.are_removed(self.is_any_wasteful());
            }
            Job::Anew => {
                let won = self.writes_anew();
                let mut desk = self.desk.lock();
                desk.is_anew(won, self.is_any_wasteful(), clock::now(), &mut words);
            }
            Job::Bring { object, lease, spilled } => {
                let read = self.brings(lease, &spilled);
                let (kind, bytes) = (SpanKind::Restore, read.as_ref().ok().copied());
                self.has_moved("restore", Moved { kind, bytes, from: None }, began);
                self.desk.lock().is_brought(&object, read, clock::now(), &mut words);
            }
            Job::Point { object, spilled: (key, extent) } => {
                let found = match self.spill() {
                    Ok(spill) => self.copies.find(spill, key, &extent),
                    Err(error) => Found::of(&error),
                };
                self.desk.lock().has_come(&object, Some(&found), &mut words);
            }
            Job::Write(objects) => {
                let (places, written) = self.writes(objects);
                let sum = |all: &Vec<Spilled>| all.iter().map(|(_, own)| own.len).sum::<u64>();
                let (kind, bytes) = (SpanKind::Spill, written.as_ref().ok().map(sum));
                self.has_moved("spill", Moved { kind, bytes, from: None }, began);
                self.desk.lock().are_written(&places, written, clock::now(), &mut words);
            }
        }
        words
    }

    fn has_moved(&self, label: &'static str, moved: Moved, began: Duration) {
        self.works_for.probe().has_moved(label, moved, began);
    }

    fn writes(
        &self,
        objects: Vec<(Location, View)>,
    ) -> (Vec<Location>, Result<Vec<Spilled>, SpillError>) {
        let first = self.last_key.fetch_add(objects.len() as u64, Ordering::Relaxed);
        let keys = (first..).map(|key| Key(key.into()));
        let all: Vec<(Key, &[u8])> =
            keys.zip(&objects).map(|(key, (_, view))| (key, &**view)).collect();
        let written = self.spill().and_then(|spill| {
            let extents = spill.write(&all);
            spill.failures().iter().for_each(|error| {
                tracing::warn!(%error, "a place for what is spilled is left out, or for now");
            });
            extents
        });
        let spilled = written.map(|extents| all.iter().map(|(key, _)| *key).zip(extents).collect());
        // Nobody looks at them any more for this.
        (objects.into_iter().map(|(place, _)| place).collect(), spilled)
    }

    fn is_any_wasteful(&self) -> bool {
        self.spill.get().is_some_and(Spill::is_any_wasteful)
    }

    /// Says how many bytes are free that were not. The end of the store does not wait for it.
    fn writes_anew(&self) -> u64 {
        let goes_on = || !self.is_over.load(Ordering::SeqCst);
        let won = self.spill().and_then(|spill| spill.write_anew(&goes_on));
        let why = |error: &SpillError| {
            tracing::warn!(%error, "what is left of a file of spilled objects is not as it was written");
        };
        match won {
            Ok(won) => {
                won.damaged.iter().for_each(why);
                won.bytes
            }
            Err(error) => {
                tracing::warn!(%error, "what is left of files of spilled objects is not written anew");
                0
            }
        }
    }

    fn brings(&self, lease: Lease, (key, extent): &Spilled) -> Result<u64, SpillError> {
        let keeper = self.desk.lock().keeper.clone();
        let spill = match self.spill() {
            Ok(spill) => spill,
            Err(error) => {
                keeper.give_back(lease);
                return Err(error);
            }
        };
        let outside = SpillError::Outside { from: 0, bytes: 0, len: extent.len };
        let mut space = keeper.lend_one(lease, extent.len).ok_or(outside)?;
        spill.read(*key, extent, &mut space)?;
        _ = space.seal();
        Ok(extent.len)
    }

    /// Where objects are written to, which is made when it is needed first.
    fn spill(&self) -> Result<&Spill, SpillError> {
        let _one = self.opening.lock();
        if let Some(spill) = self.spill.get() {
            return Ok(spill);
        }
        let terms = self.terms.as_ref().ok_or(SpillError::NoFolder { folders: 0 })?;
        let Opened { spill, left_out, swept, in_memory } = {
            let remotes = std::mem::take(&mut *self.remotes.lock());
            Spill::open_with(&terms.folders, remotes, terms.rules)?
        };
        if !terms.urls.is_empty() {
            self.copies.sweeps();
        }
        for error in left_out.iter().chain(&swept.failed) {
            tracing::warn!(%error, "a folder for what is spilled");
        }
        let is_any_disk = in_memory.len() + left_out.len() < terms.folders.len();
        self.is_in_memory.store(!is_any_disk && terms.urls.is_empty(), Ordering::Relaxed);
        for folder in in_memory {
            tracing::warn!(
                folder = %folder.display(),
                "what is spilled there stays in memory: the folder is of a file system that is memory (node.spill_folders)"
            );
        }
        if swept.folders > 0 {
            let (folders, bytes) = (swept.folders, swept.bytes);
            tracing::info!(folders, bytes, "what crashed stores had spilled is removed");
        }
        Ok(self.spill.get_or_init(|| spill))
    }

    /// Whether memory is won by writing, as far as is known.
    pub(super) fn wins_memory(&self) -> bool {
        !self.is_in_memory.load(Ordering::Relaxed)
    }

    /// How many bytes the files have.
    pub(super) fn on_disk(&self) -> u64 {
        self.spill.get().map_or(0, |spill| spill.used().bytes())
    }
}

/// How many threads there are.
#[derive(Default)]
struct Threads {
    count: Mutex<usize>,
    /// One has ended.
    ended: Condvar,
}

/// One of its threads.
struct OfOffice(Option<Arc<Office>>, Arc<Threads>);

impl OfOffice {
    fn serves(&self) {
        self.0.iter().for_each(Office::serves);
    }
}

impl Drop for OfOffice {
    fn drop(&mut self) {
        // First: whoever waits for the last one has the office then, and it is he who removes what is left of it.
        self.0 = None;
        *self.1.count.lock() -= 1;
        self.1.ended.notify_all();
    }
}

/// With nothing locked: who does not listen holds up nobody but the one who speaks to him.
pub(super) fn say(words: Words) {
    words.into_iter().for_each(|(to, told)| to.tell(&told));
}
