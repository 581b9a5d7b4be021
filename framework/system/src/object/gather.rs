//! Waiting for all of many.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use raytree_types::Result;

use super::Value;
use super::cell::Standing;
use super::countdown::Countdown;
use super::lineage::unless_again;
use super::reference::ObjectRef;
use super::waiter::{Needs, Waiter};
use crate::task::block;

/// A reference, kept or only lent.
pub trait IntoRef<T> {
    /// A reference of one's own.
    fn into_ref(self) -> ObjectRef<T>;
}

impl<T> IntoRef<T> for ObjectRef<T> {
    fn into_ref(self) -> ObjectRef<T> {
        self
    }
}

impl<T> IntoRef<T> for &ObjectRef<T> {
    fn into_ref(self) -> ObjectRef<T> {
        self.clone()
    }
}

/// All values, in the order of the references: `get_all(refs).await?`, or `.get()?` in synchronous code. References that
/// are only lent (`get_all(&refs)`) give clones.
///
/// # Errors
/// As soon as one has failed: the error of the first in order that has.
pub fn get_all<T: Value, R: IntoRef<T>>(refs: impl IntoIterator<Item = R>) -> GetAll<T> {
    let refs = refs.into_iter().map(IntoRef::into_ref).collect();
    GetAll { refs, values: Vec::new(), over: None }
}

/// All values of many references: a future. See [`get_all`].
#[must_use = "nothing is waited for before it is awaited"]
pub struct GetAll<T> {
    refs: Vec<ObjectRef<T>>,
    /// Those that came before one that is made again.
    values: Vec<T>,
    over: Option<Arc<Countdown>>,
}

impl<T> GetAll<T> {
    /// Nobody need tell it any more.
    fn leave(&mut self) {
        if let Some(over) = self.over.take() {
            self.refs.iter().for_each(|reference| reference.cell.unsubscribe(&over));
        }
    }
}

impl<T: Value> GetAll<T> {
    /// Waits, blocking this thread.
    ///
    /// # Errors
    /// As for [`get_all`] and [`ObjectRef::get`].
    pub fn get(mut self) -> Result<Vec<T>> {
        let waits = self.refs.iter().any(|reference| !reference.is_ready());
        if waits {
            // Tasks that are still in line are run here, in order; the rest is waited for together.
            self.refs.iter().for_each(|reference| block::run_here(&reference.cell));
        }
        block::on("get_all(..).get()", "get_all(..).await", &mut self)?
    }

    /// All of them; none while one is made again, which is waited for with those behind it.
    fn read(&mut self) -> Option<Result<Vec<T>>> {
        for reference in &self.refs {
            if reference.cell.standing() == Standing::Failed
                // It has failed, so this is its error.
                && let Err(error) = reference.cell.share()
            {
                return Some(Err(error));
            }
        }
        let mut rest = std::mem::take(&mut self.refs).into_iter();
        self.values.reserve(rest.len());
        while let Some(reference) = rest.next() {
            match unless_again(reference.cell.take()) {
                Some(Ok(value)) => self.values.push(value),
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    self.refs = std::iter::once(reference).chain(rest).collect();
                    return None;
                }
            }
        }
        Some(Ok(std::mem::take(&mut self.values)))
    }
}

// Nothing in it is pinned in place.
impl<T> Unpin for GetAll<T> {}

impl<T: Value> Future for GetAll<T> {
    type Output = Result<Vec<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let Self { refs, over, .. } = &mut *self;
            let begin = || subscribe(refs, refs.len(), true, Needs::Memory);
            ready!(over.get_or_insert_with(begin).poll(cx));
            if let Some(read) = self.read() {
                return Poll::Ready(read);
            }
            self.over = None;
        }
    }
}

impl<T> Drop for GetAll<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A countdown over `refs`, over when `enough` of them are settled.
pub(super) fn subscribe<T>(
    refs: &[ObjectRef<T>],
    enough: usize,
    hasty: bool,
    needs: Needs,
) -> Arc<Countdown> {
    let over = Countdown::new(enough, hasty);
    for reference in refs {
        let waiter = |needs| Waiter::Countdown(Arc::clone(&over), needs);
        match reference.cell.subscribe(needs, waiter) {
            Standing::Pending => {}
            Standing::Ready => over.tell(true),
            Standing::Failed => over.tell(false),
        }
    }
    over
}

impl<T> fmt::Debug for GetAll<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetAll").field("refs", &self.refs.len()).finish_non_exhaustive()
    }
}
