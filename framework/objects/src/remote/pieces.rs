//! Objects of object stores, read and written in pieces, of which several are under way at once.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, WriteMultipart};
use raytree_types::limits;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// What was said within the time that a request may take.
///
/// # Errors
/// [`NotFound`](io::ErrorKind::NotFound) where there is no such object; [`TimedOut`](io::ErrorKind::TimedOut).
pub(super) async fn within<T>(asked: impl Future<Output = Result<T, Error>>) -> io::Result<T> {
    const LONG: Duration = limits::SPILL_REQUEST_WITHIN;
    match tokio::time::timeout(LONG, asked).await {
        Ok(said) => Ok(said?),
        Err(_) => {
            let why = format!("no answer within {} s", LONG.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        }
    }
}

/// A part of an object, which is read on threads that may wait.
pub(super) struct Pieces {
    store: Arc<dyn ObjectStore>,
    path: Path,
    threads: Handle,
    /// What was not asked for yet.
    rest: Range<u64>,
    /// What is under way: how long each is, if the object is.
    coming: VecDeque<(u64, JoinHandle<io::Result<Bytes>>)>,
    /// What has come and was not read yet.
    come: Bytes,
}

impl Pieces {
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        path: Path,
        part: Range<u64>,
        threads: Handle,
    ) -> Self {
        Self { store, path, threads, rest: part, coming: VecDeque::new(), come: Bytes::new() }
    }

    fn asks(&mut self) {
        while self.coming.len() < limits::SPILL_PARTS_AT_ONCE && !self.rest.is_empty() {
            let end = self.rest.end.min(self.rest.start + limits::SPILL_PART);
            let piece = self.rest.start..end;
            self.rest.start = end;
            let (store, path) = (Arc::clone(&self.store), self.path.clone());
            let len = piece.end - piece.start;
            let asked = self.threads.spawn(async move { read(&*store, &path, piece).await });
            self.coming.push_back((len, asked));
        }
    }

    fn lets_go(&mut self) {
        self.rest = 0..0;
        self.coming.drain(..).for_each(|(_, asked)| asked.abort());
    }
}

/// These bytes of an object, or fewer if it is shorter.
async fn read(store: &dyn ObjectStore, path: &Path, piece: Range<u64>) -> io::Result<Bytes> {
    let why = match within(store.get_range(path, piece.clone())).await {
        Err(why) if why.kind() != io::ErrorKind::NotFound => why,
        done => return done,
    };
    // Not every store says what is wrong with what begins behind the end of an object.
    match within(store.head(path)).await {
        Ok(known) if known.size <= piece.start => Ok(Bytes::new()),
        Ok(known) if known.size < piece.end => {
            within(store.get_range(path, piece.start..known.size)).await
        }
        _ => Err(why),
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.come.is_empty() {
            self.asks();
            let Some((len, asked)) = self.coming.pop_front() else { return Ok(0) };
            self.come = self.threads.block_on(asked).map_err(io::Error::other)??;
            if (self.come.len() as u64) < len {
                // It ends here.
                self.lets_go();
            }
        }
        let count = into.len().min(self.come.len());
        self.come.split_to(count).copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.lets_go();
    }
}

/// An object that is written in parts.
pub(super) struct Parts {
    upload: WriteMultipart,
    threads: Handle,
}

impl Parts {
    /// Of an object of so many bytes.
    pub(super) fn begin(
        store: &dyn ObjectStore,
        path: &Path,
        bytes: u64,
        threads: Handle,
    ) -> io::Result<Self> {
        let upload = threads.block_on(within(store.put_multipart(path)))?;
        let part = bytes.div_ceil(limits::SPILL_PARTS_MAX).max(limits::SPILL_PART);
        let upload = WriteMultipart::new_with_chunk_size(upload, part as usize);
        Ok(Self { upload, threads })
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.threads.block_on(within(self.upload.finish())).map(drop)
    }

    /// What was written is removed, as far as that can be done now.
    pub(super) fn abort(self) {
        if let Err(error) = self.threads.block_on(within(self.upload.abort())) {
            tracing::debug!(%error, "parts of what could not be spilled are left in an object store");
        }
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self { upload, threads } = self;
        threads.block_on(async {
            within(upload.wait_for_capacity(limits::SPILL_PARTS_AT_ONCE)).await?;
            // A part that is full by this is sent.
            upload.write(bytes);
            Ok(bytes.len())
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
