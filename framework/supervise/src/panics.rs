//! Panics of actors, caught with their place and without a backtrace.
//!
//! The default hook resolves symbols on the panicking thread, which was measured to hold up a supervisor for a third
//! of a second. While an actor's code runs, our hook only notes message and place; the supervisor logs them. Panics
//! of everybody else go to whatever hook was there before.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use raytree_types::Cause;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// Installs the hook, once per process. Called by everything that starts a supervision tree.
pub fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if WATCHED.get() {
                let place = info.location().map_or_else(String::new, ToString::to_string);
                let message = message_of(info.payload());
                _ = LAST.try_with(|last| last.replace(Some((message, place))));
            } else {
                before(info);
            }
        }));
    });
}

/// Runs `body`; a panic in it becomes its cause.
///
/// # Errors
/// The cause of the panic, with its place.
pub fn catch<T>(body: impl FnOnce() -> T) -> Result<T, Cause> {
    let outer = WATCHED.replace(true);
    // What a panic left that is under way around this, or that somebody else caught. A thread that is ending has none.
    let before = LAST.try_with(RefCell::take).unwrap_or_default();
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    WATCHED.set(outer);
    let result = result.map_err(|payload| cause_of(payload.as_ref()));
    _ = LAST.try_with(|last| last.replace(before));
    result
}

/// Awaits `body`; a panic in it becomes its cause.
pub fn watch<F: Future>(body: F) -> Watched<F> {
    Watched { body }
}

pin_project! {
    /// A future whose panics are caught. See [`watch`].
    #[derive(Debug)]
    pub struct Watched<F> {
        #[pin]
        body: F,
    }
}

impl<F: Future> Future for Watched<F> {
    type Output = Result<F::Output, Cause>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let body = self.project().body;
        match catch(|| body.poll(cx)) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(cause) => Poll::Ready(Err(cause)),
        }
    }
}

fn cause_of(payload: &(dyn Any + Send)) -> Cause {
    let message = message_of(payload);
    // A panic that was caught and resumed has passed no hook the second time: its place is then unknown.
    let noted = LAST.try_with(RefCell::take).unwrap_or_default();
    let place = noted.filter(|(noted, _)| *noted == message).map(|(_, place)| place);
    Cause { place, type_name: "panic".to_owned(), ..Cause::message(message) }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic whose payload is not text".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_message_and_place() {
        install_hook();
        let cause = catch(|| panic!("shape {} is wrong", 3)).unwrap_err();
        assert_eq!(cause.message, "shape 3 is wrong");
        assert!(cause.place.unwrap().contains("panics.rs:"));
        assert_eq!(catch(|| 4), Ok(4));
    }
}
