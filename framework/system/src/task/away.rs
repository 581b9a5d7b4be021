//! A call on its way to another process.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use raytree_supervise::panics;
use raytree_types::codec::Codec;
use tokio::sync::mpsc;

use super::definition::{BodyFuture, Info};
use super::failure::Failure;
use crate::link::{Answer, Ask, Landing, Link};
use crate::object::Value;
use crate::object::part::Part;
use crate::object::stream::Sink;

/// A call in its written form.
pub(crate) struct Order<R> {
    pub(crate) info: &'static Info,
    pub(crate) arguments: Vec<Part>,
    pub(crate) results: Results<R>,
}

/// What comes back.
pub(crate) enum Results<R> {
    /// One value, read like this.
    One(fn(Part, Codec) -> Result<R, Failure>),
    /// Many, so many of them on their way at once; then the end of the body.
    Many { window: u32, put: Put, end: fn() -> R },
}

/// Where an item goes.
pub(crate) type Put = Box<dyn Fn(Part) -> BodyFuture<'static, ()> + Send + Sync>;

/// Reads the one value that came back.
pub(crate) fn read<R: Value>(part: Part, codec: Codec) -> Result<R, Failure> {
    // It is the type's own code.
    let read = panics::catch(|| part.value::<R>(codec));
    read.unwrap_or_else(|cause| return_error(cause)).map_err(Failure::from)
}

fn return_error<R>(cause: raytree_types::Cause) -> raytree_types::Result<R> {
    let task = "reading its result".to_owned();
    Err(raytree_types::Error::TaskFailed { task, cause: Box::new(cause) })
}

/// Items go into this sink.
pub(crate) fn into_sink<T: Value>(sink: Sink<T>, codec: Codec) -> Put {
    Box::new(move |part| {
        let sink = sink.clone();
        Box::pin(async move {
            let item = read::<T>(part, codec)?;
            sink.put(item).await
        })
    })
}

/// Hands what comes over the link to the future that waits for it.
struct Pours {
    came: mpsc::Sender<Came>,
    /// Hears of the last word when that comes, however slowly the items before it are read.
    ends: OnEnd,
    /// More came than there was room for.
    overran: Arc<AtomicBool>,
}

/// Hears of the end of a stream; dropped, there is none that anybody waits for.
pub(crate) type OnEnd = Box<dyn FnOnce(&Answer) + Send>;

enum Came {
    Item(Part),
    End(Answer),
}

impl Landing for Pours {
    fn item(&self, item: Part) -> Option<Part> {
        // There is a place for each item that room was given for. One who reads no more has said so over the link.
        let refused = self.came.try_send(Came::Item(item)).err()?;
        if let mpsc::error::TrySendError::Full(_) = refused {
            self.overran.store(true, Ordering::Release);
        }
        match refused.into_inner() {
            Came::Item(item) => Some(item),
            Came::End(_) => None,
        }
    }

    fn land(self: Box<Self>, answer: Answer) {
        (self.ends)(&answer);
        if let Err(mpsc::error::TrySendError::Full(_)) = self.came.try_send(Came::End(answer)) {
            self.overran.store(true, Ordering::Release);
        }
    }
}

/// Tells the other side when nobody reads any more.
struct Withdraws {
    link: Arc<Link>,
    call: u64,
}

impl Drop for Withdraws {
    fn drop(&mut self) {
        // Nothing when it has ended.
        self.link.withdraw(self.call, true);
    }
}

/// Asks for many values, and puts them one after the other where they belong.
pub(crate) fn pour(
    link: Arc<Link>,
    what: Ask,
    arguments: Vec<Part>,
    (window, put, ends): (u32, Put, OnEnd),
) -> impl Future<Output = Result<(), Failure>> + Send {
    // The end has a place of its own.
    let (came, comes) = mpsc::channel(window.max(1) as usize + 1);
    let overran = Arc::new(AtomicBool::new(false));
    let pours = Pours { came, ends, overran: Arc::clone(&overran) };
    // Now, and not when somebody polls: what is asked later comes after it.
    let call = link.ask(what, arguments, Box::new(pours));
    poured(Withdraws { link, call }, comes, (put, overran))
}

async fn poured(
    call: Withdraws,
    mut comes: mpsc::Receiver<Came>,
    (put, overran): (Put, Arc<AtomicBool>),
) -> Result<(), Failure> {
    while let Some(came) = comes.recv().await {
        if overran.load(Ordering::Acquire) {
            let what = "more items came than there was room for";
            return Err(Failure::Lost(Box::new(raytree_types::Cause::message(what))));
        }
        match came {
            Came::Item(part) => {
                put(part).await?;
                call.link.give_room(call.call, 1);
            }
            Came::End(answer) => return answer.of_body().map(drop),
        }
    }
    // A landing is told the end before it goes.
    Err(Failure::User(Box::new(raytree_types::Cause::message("the call was withdrawn"))))
}
