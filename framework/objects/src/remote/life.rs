//! The life of a store in an object store, and what those have left there that are gone.
//!
//! An object store has no locks that end with a process. So whoever is there says so, by writing the object `owner` anew every
//! [`SPILL_BEAT_EVERY`](limits::SPILL_BEAT_EVERY), and there is a [`Mark`] of him on his machine. What somebody has left is removed:
//!
//! - by the next store of the same machine, at once, if its mark says that its process is gone;
//! - by any other, as soon as `owner` is older than [`SPILL_SILENT_MAX`](limits::SPILL_SILENT_MAX), by the clock of the object store alone:
//!   it is compared with an `owner` that was written just now.
//!
//! Invariants:
//! - **RL-1 (owner-first-and-last):** nothing is written before `owner` is, and that is removed after all else, so that what is left of
//!   a life always says how old it is.
//! - **RL-2 (ours-alone):** only what is called like ours is looked at, and removed.
//!
//! A store that could not write for all of that time, and comes back, finds its objects gone: they are lost then, and none is read for another.
//! Parts of an upload that a crash has cut off are not listed: a bucket has a rule of its own for those.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parking_lot::Mutex;
use raytree_store::spill::{FileId, Mark};
use raytree_supervise::clock;
use raytree_types::limits;
use tokio::sync::{Notify, OnceCell};

use super::pieces::within;

const PREFIX: &str = "raytree-spill-";
const OWNER: &str = "owner";
const SUFFIX: &str = ".spill";

/// See the [module documentation](self).
pub(super) struct Life {
    store: Arc<dyn ObjectStore>,
    /// Where lives are.
    base: Path,
    /// As somebody has written it.
    base_url: String,
    own: Path,
    own_url: String,
    marks: PathBuf,
    /// Until it has ended in order.
    mark: Mutex<Option<Mark>>,
    /// It has said that it lives.
    begun: OnceCell<()>,
    unneeded: Mutex<HashSet<FileId>>,
    is_any_unneeded: Notify,
}

impl Life {
    /// One that nobody else has.
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        base: Path,
        base_url: &str,
        marks: &std::path::Path,
    ) -> io::Result<Self> {
        let base_url = base_url.trim_end_matches('/').to_owned();
        let (mark, id) = loop {
            let id = new_id()?;
            match Mark::new(marks, &id, &base_url) {
                Ok(mark) => break (mark, id),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let (own, own_url) = (base.clone().join(&*id), format!("{base_url}/{id}"));
        let (begun, unneeded, is_any_unneeded) = Default::default();
        let (mark, marks) = (Mutex::new(Some(mark)), marks.to_owned());
        Ok(Self {
            store,
            base,
            base_url,
            own,
            own_url,
            marks,
            mark,
            begun,
            unneeded,
            is_any_unneeded,
        })
    }

    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    pub(super) fn url(&self) -> &str {
        &self.own_url
    }

    pub(super) fn url_of(&self, file: FileId) -> String {
        format!("{}/{}{SUFFIX}", self.own_url, file.0)
    }

    pub(super) fn path(&self, file: FileId) -> Path {
        self.own.clone().join(format!("{}{SUFFIX}", file.0))
    }

    /// RL-1: what is written comes after this.
    pub(super) async fn begins(&self) -> io::Result<()> {
        self.begun.get_or_try_init(|| self.beats()).await.copied()
    }

    async fn beats(&self) -> io::Result<()> {
        // For people.
        let text = format!("process {}", std::process::id());
        let owner = self.own.clone().join(OWNER);
        within(self.store.put(&owner, text.into_bytes().into())).await.map(drop)
    }

    pub(super) fn wants_no_more(&self, file: FileId) {
        self.unneeded.lock().insert(file);
        self.is_any_unneeded.notify_one();
    }

    /// Until it is aborted: says that it lives, removes what is not needed, and what others have left.
    pub(super) async fn lives(self: Arc<Self>) {
        let (mut next_beat, mut next_sweep) = (clock::now(), clock::now());
        let mut is_away = false;
        loop {
            if next_beat <= clock::now() {
                next_beat = clock::now() + limits::SPILL_BEAT_EVERY;
                let beaten =
                    if self.begun.initialized() { self.beats().await } else { self.begins().await };
                if let Some(error) = beaten.as_ref().err().filter(|_| !is_away) {
                    tracing::warn!(url = self.url(), %error, "an object store to spill to does not answer");
                }
                is_away = beaten.is_err();
            }
            if next_sweep <= clock::now() && !is_away {
                next_sweep = clock::now() + limits::SPILL_SWEPT_EVERY;
                if let Err(error) = self.sweeps().await {
                    tracing::warn!(url = self.base_url, %error, "what others have spilled there is not looked through");
                }
            }
            self.removes().await;
            let wanted = self.is_any_unneeded.notified();
            _ = tokio::time::timeout(next_beat.saturating_sub(clock::now()), wanted).await;
        }
    }

    /// Removes what is not needed; what cannot be removed is tried again.
    async fn removes(&self) {
        let unneeded = std::mem::take(&mut *self.unneeded.lock());
        let removed = stream::iter(unneeded).map(|file| async move {
            (file, gone(within(self.store.delete(&self.path(file))).await))
        });
        let mut removed = removed.buffer_unordered(limits::SPILL_PARTS_AT_ONCE);
        while let Some((file, removed)) = removed.next().await {
            if let Err(error) = removed {
                let url = self.url_of(file);
                tracing::debug!(url, %error, "a spilled object is not removed yet");
                self.unneeded.lock().insert(file);
            }
        }
    }

    /// Removes what is its own, in order.
    pub(super) async fn ends(&self) -> io::Result<()> {
        if self.begun.initialized() {
            self.empties(&self.own).await?;
        }
        self.mark.lock().take().map_or(Ok(()), Mark::remove)
    }

    /// Removes what others have left.
    async fn sweeps(&self) -> io::Result<()> {
        let mut swept = (0_usize, 0_u64);
        for mark in Mark::left(&self.marks) {
            // It has died before it said what it was to be the mark of; or that is in another place.
            let is_empty = mark.text().is_empty();
            if !is_empty && mark.text() != self.base_url {
                continue;
            }
            let is_needed = !is_empty && is_ours(&mark.name());
            // What cannot be removed now is known for another time.
            if !is_needed || self.sweep(self.base.clone().join(mark.name()), &mut swept).await {
                mark.remove()?;
            }
        }
        let owner = self.own.clone().join(OWNER);
        let now = within(self.store.head(&owner)).await?.last_modified;
        let base = Some(&self.base).filter(|base| !base.as_ref().is_empty());
        let found = within(self.store.list_with_delimiter(base)).await?.common_prefixes;
        let others = found.into_iter().filter(|path| *path != self.own);
        let others = others.filter(|path| path.filename().is_some_and(is_ours));
        for life in others {
            if swept.0 >= limits::SPILL_SWEPT_MAX {
                break;
            }
            let known = within(self.store.head(&life.clone().join(OWNER))).await;
            // Without: it was removed meanwhile.
            let Ok(known) = known else { continue };
            let silent = now.signed_duration_since(known.last_modified).to_std();
            if silent.is_ok_and(|silent| silent > limits::SPILL_SILENT_MAX) {
                self.sweep(life, &mut swept).await;
            }
        }
        if swept.0 > 0 {
            let (lives, bytes, url) = (swept.0, swept.1, &self.base_url);
            tracing::info!(lives, bytes, url, "what crashed stores had spilled is removed");
        }
        Ok(())
    }

    /// Whether nothing is left of it.
    async fn sweep(&self, life: Path, swept: &mut (usize, u64)) -> bool {
        match self.empties(&life).await {
            Ok(bytes) => {
                *swept = (swept.0 + 1, swept.1 + bytes);
                true
            }
            Err(error) => {
                let (url, life) = (&self.base_url, life.as_ref());
                tracing::warn!(url, life, %error, "what a store has left cannot be removed");
                false
            }
        }
    }

    /// RL-1, RL-2: removes a life, its owner last, and says how many bytes it had.
    async fn empties(&self, life: &Path) -> io::Result<u64> {
        let mut bytes = 0;
        let mut strange = None;
        let listed = self.store.list(Some(life)).try_filter_map(|known| {
            let name = known.location.filename().unwrap_or_default();
            let is_file =
                is_file_name(name) && known.location.parts_count() == life.parts_count() + 1;
            if is_file {
                bytes += known.size;
            } else if name != OWNER {
                strange = Some(known.location.clone());
            }
            std::future::ready(Ok(is_file.then_some(known.location)))
        });
        let files: Vec<Path> = within(listed.try_collect()).await?;
        let files = stream::iter(files.into_iter().map(Ok)).boxed();
        let mut removed = self.store.delete_stream(files);
        while let Some(one) = within(async { removed.next().await.transpose() }).await.transpose() {
            gone(one.map(drop))?;
        }
        if let Some(strange) = strange {
            let what = format!("{strange} is not a spill file");
            return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, what));
        }
        let owner = life.clone().join(OWNER);
        gone(within(self.store.delete(&owner)).await)?;
        Ok(bytes)
    }
}

/// What is not there need not be removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX)
}

fn is_file_name(name: &str) -> bool {
    let number = name.strip_suffix(SUFFIX);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Machine and process are for people; nobody has the rest.
fn new_id() -> io::Result<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-.".contains(*c);
    let host: String = host.trim().chars().filter(plain).take(64).collect();
    let mut random = [0; 8];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    let mut id = format!("{PREFIX}{host}-{}-", std::process::id());
    // To a string it does not fail.
    _ = write!(id, "{:016x}", u64::from_le_bytes(random));
    Ok(id)
}
