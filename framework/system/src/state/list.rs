//! A list that is about to be asked for.

use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;

use raytree_types::Result;
use raytree_types::state::{
    ActorRecord, Filter, Listing, ObjectRecord, Record, Rows, StateQuery, Summary, TaskRecord, What,
};

use super::look;
use crate::runtime::ambient::current;
use crate::task::block;

/// A kind of record that can be listed.
pub trait Kind: Record {
    /// Which.
    const WHAT: What;

    /// The list, if it is one of these.
    fn of(rows: Rows) -> Option<Listing<Self>>;
}

impl Kind for TaskRecord {
    const WHAT: What = What::Tasks;

    fn of(rows: Rows) -> Option<Listing<Self>> {
        if let Rows::Tasks(list) = rows { Some(list) } else { None }
    }
}

impl Kind for ActorRecord {
    const WHAT: What = What::Actors;

    fn of(rows: Rows) -> Option<Listing<Self>> {
        if let Rows::Actors(list) = rows { Some(list) } else { None }
    }
}

impl Kind for ObjectRecord {
    const WHAT: What = What::Objects;

    fn of(rows: Rows) -> Option<Listing<Self>> {
        if let Rows::Objects(list) = rows { Some(list) } else { None }
    }
}

/// Which records are wanted. Awaited it asks for them; in synchronous code [`List::get`] does.
#[derive(Clone, Debug)]
#[must_use = "nothing is asked before it is awaited"]
pub struct List<R> {
    query: StateQuery,
    _of: PhantomData<fn() -> R>,
}

/// A list on its way.
pub type Get<R> = Pin<Box<dyn Future<Output = Result<Listing<R>>> + Send>>;

impl<R: Kind> List<R> {
    pub(super) fn new() -> Self {
        Self { query: StateQuery::all(R::WHAT), _of: PhantomData }
    }

    /// Those alone that have this value in this column: see [`Record::COLUMNS`] of the record. Case does not count.
    pub fn is(self, column: &str, value: impl ToString) -> Self {
        self.filter(Filter::is(column, value.to_string()))
    }

    /// Those alone that have another value there.
    pub fn is_not(self, column: &str, value: impl ToString) -> Self {
        self.filter(Filter::is_not(column, value.to_string()))
    }

    /// Those alone that meet this condition, too.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.query.filters.push(filter);
        self
    }

    /// At most so many rows, 1 to 10,000; 100 by default. Those that matter most are kept: what has trouble, and what is under way.
    pub fn limit(mut self, rows: usize) -> Self {
        self.query.limit = rows;
        self
    }

    /// How many there are of each name and state, however many, and which processes gave no answer.
    ///
    /// # Errors
    /// As for awaiting the list.
    pub async fn summary(mut self) -> Result<Summary> {
        self.query.summary = true;
        Ok(self.await?.into())
    }

    /// The list, in synchronous code.
    ///
    /// # Errors
    /// [`Error::BadOption`](raytree_types::Error::BadOption) for a column or a limit that there is not,
    /// [`Error::CannotLook`](raytree_types::Error::CannotLook), [`Error::NoRuntime`](raytree_types::Error::NoRuntime);
    /// [`Error::BlockingInAsync`](raytree_types::Error::BlockingInAsync) in async code.
    pub fn get(self) -> Result<Listing<R>> {
        block::on("List::get()", ".await", &mut self.into_future())?
    }
}

impl<R: Kind> IntoFuture for List<R> {
    type Output = Result<Listing<R>>;
    type IntoFuture = Get<R>;

    fn into_future(self) -> Get<R> {
        Box::pin(async move {
            let runtime = current()?;
            let query = self.query;
            let rows =
                look::apart(runtime.shared(), move |runtime| look::rows(runtime, query)).await?;
            R::of(rows).ok_or_else(|| look::cannot("the answer is a list of something else"))
        })
    }
}
