//! A place in an object store, as a store has it that spills there.

use std::fmt;
use std::fs::DirBuilder;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use object_store::ObjectStoreExt as _;
use raytree_store::spill::{Device, FileId, Room};
use raytree_types::limits;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use super::client::client;
use super::life::Life;
use super::pieces::{Parts, Pieces, within};
use super::{Kind, SpillUrl, UrlError};

/// The threads of all places of one store. They are not waited for at the end.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Threads {
    fn new() -> io::Result<Self> {
        let mut threads = Builder::new_multi_thread();
        let threads = threads.worker_threads(1).thread_name("raytree-urls").enable_all().build()?;
        Ok(Self(Some(threads)))
    }

    fn handle(&self) -> Option<&Handle> {
        self.0.as_ref().map(Runtime::handle)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // It may be dropped on a thread that must not wait.
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// See the [module documentation](super). All that is in it is removed when this is dropped.
struct Remote {
    life: Arc<Life>,
    handle: Handle,
    /// Says that it lives, and removes what is not needed.
    looks_after: JoinHandle<()>,
    _threads: Arc<Threads>,
}

pub(super) fn open<'u>(
    urls: impl Iterator<Item = (&'u SpillUrl, Kind)>,
    marks: &Path,
) -> Result<Vec<Box<dyn Device>>, UrlError> {
    let mut threads: Option<Arc<Threads>> = None;
    let mut devices: Vec<Box<dyn Device>> = Vec::new();
    for (url, kind) in urls {
        let wrong =
            |why: io::Error| UrlError::Client { url: url.url.clone(), why: why.to_string() };
        let threads = match &threads {
            Some(threads) => Arc::clone(threads),
            None => Arc::clone(threads.insert(Arc::new(Threads::new().map_err(wrong)?))),
        };
        let Some(handle) = threads.handle().cloned() else { continue };
        let (store, base) = client(url, kind)?;
        let life = Life::new(store, base, &url.url, marks).map_err(wrong)?;
        if kind == Kind::File {
            // The client makes folders that others may read.
            let path = life.url().trim_start_matches("file://");
            DirBuilder::new().mode(0o700).create(path).map_err(wrong)?;
        }
        let life = Arc::new(life);
        let looks_after = handle.spawn(Arc::clone(&life).lives());
        devices.push(Box::new(Remote { life, handle, looks_after, _threads: threads }));
    }
    Ok(devices)
}

impl Remote {
    fn waits<T>(&self, said: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        self.handle.block_on(said)
    }
}

impl Device for Remote {
    fn name(&self, file: Option<FileId>) -> String {
        file.map_or_else(|| self.life.url().to_owned(), |file| self.life.url_of(file))
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn room(&self) -> io::Result<Room> {
        Ok(Room::ENDLESS)
    }

    fn put(
        &self,
        file: FileId,
        bytes: u64,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        // Nobody would find what is left of a life that has not said that it has begun.
        self.waits(self.life.begins())?;
        let (store, path) = (self.life.store(), self.life.path(file));
        if bytes <= limits::SPILL_PART {
            let mut all = Vec::with_capacity(bytes as usize);
            write(&mut all)?;
            return self.waits(within(store.put(&path, all.into()))).map(drop);
        }
        let mut parts = Parts::begin(&**store, &path, bytes, self.handle.clone())?;
        match write(&mut parts) {
            Ok(()) => parts.finish(),
            Err(why) => {
                parts.abort();
                Err(why)
            }
        }
    }

    fn get<'d>(&'d self, file: FileId, part: Range<u64>) -> io::Result<Box<dyn Read + 'd>> {
        let (store, path) = (Arc::clone(self.life.store()), self.life.path(file));
        Ok(Box::new(Pieces::new(store, path, part, self.handle.clone())))
    }

    fn remove(&self, file: FileId) -> io::Result<()> {
        // Whoever removes something does not wait until it is gone there.
        self.life.wants_no_more(file);
        Ok(())
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.looks_after.abort();
        let (tell, told) = sync_channel(1);
        let life = Arc::clone(&self.life);
        self.handle.spawn(async move { tell.send(life.ends().await) });
        let why = match told.recv_timeout(limits::SPILL_REMOTE_END_WITHIN) {
            Ok(Ok(())) => return,
            Ok(Err(why)) => why.to_string(),
            Err(why) => why.to_string(),
        };
        tracing::warn!(
            url = self.life.url(),
            why,
            "what was spilled there is left to be removed by others"
        );
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.life.url()).finish()
    }
}
