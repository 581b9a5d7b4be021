//! How the body of a task or method fails.

use std::any::type_name;
use std::error::Error as StdError;

use raytree_memory::out_of_memory;
use raytree_types::{Cause, Error};
use serde::Serialize;

use crate::link::ITS_RESULT;
use crate::user::actor::BoxError;

/// Why a body has no result.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The user's code said so.
    User(Box<Cause>),
    /// The system did: an argument was lost, the value cannot travel.
    System(Box<Error>),
    /// The process that ran it died.
    Lost(Box<Cause>),
}

impl Failure {
    /// The error that callers of `task` see.
    pub(crate) fn into_error(self, task: &str) -> Error {
        match self {
            Self::User(cause) => Error::TaskFailed { task: task.to_owned(), cause },
            Self::System(error) => match *error {
                Error::TooLarge { what, size, unit, limit } if what == ITS_RESULT => {
                    Error::TooLarge { what: format!("the result of {task}"), size, unit, limit }
                }
                error => error,
            },
            // With all sizes, where its process was ended for memory.
            Self::Lost(cause) => out_of_memory(&cause)
                .unwrap_or_else(|| Error::WorkerDied { task: task.to_owned(), cause }),
        }
    }

    /// The name of the user's error type; none for the system's.
    pub(crate) fn type_name(&self) -> Option<&str> {
        match self {
            Self::User(cause) => Some(&cause.type_name),
            Self::System(_) | Self::Lost(_) => None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::System(Box::new(error))
    }
}

/// An `Err` on its way to becoming a [`Failure`]. Generated code calls `(&&Thrown::new(error)).failure()`: of the two
/// traits below the one whose bounds hold for the error's type is found, the one that keeps the value first.
#[derive(Debug)]
pub struct Thrown<E>(parking_lot::Mutex<Option<E>>);

impl<E> Thrown<E> {
    /// An error as the user's function returned it.
    pub fn new(error: E) -> Self {
        Self(parking_lot::Mutex::new(Some(error)))
    }
}

/// For errors that are values: [`Error::downcast`] gives them back.
pub trait KeepsValue {
    /// The failure, with the error itself.
    fn failure(&self) -> Failure;
}

/// For all others: type name, message and chain are kept.
pub trait KeepsText {
    /// The failure, as text.
    fn failure(&self) -> Failure;
}

impl<E> KeepsValue for &Thrown<E>
where
    E: Serialize + Into<BoxError> + 'static,
{
    fn failure(&self) -> Failure {
        let Some(error) = self.0.lock().take() else { return again() };
        let value = Cause::message("").with_value(&error).value;
        let (cause, is_root) = cause(error);
        // The value of the root belongs to the root.
        let value = if is_root { value } else { cause.value.clone() };
        Failure::User(Box::new(Cause { value, ..cause }))
    }
}

impl<E: Into<BoxError> + 'static> KeepsText for Thrown<E> {
    fn failure(&self) -> Failure {
        let error = self.0.lock().take();
        error.map_or_else(again, |error| Failure::User(Box::new(cause(error).0)))
    }
}

/// Generated code asks once.
fn again() -> Failure {
    Failure::User(Box::new(Cause::message("the error was read twice")))
}

/// Why a constructor made no actor, with all that is known of it. Only the [`Failure`] of generated code becomes one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unmade(Box<Cause>);

/// The `Err` of a constructor, as the actor trait hands it on.
pub fn unmade(failure: Failure) -> BoxError {
    match failure {
        Failure::User(cause) | Failure::Lost(cause) => Box::new(Unmade(cause)),
        Failure::System(error) => error,
    }
}

/// What the `Err` of a constructor says.
pub(crate) fn cause_of(error: BoxError) -> Cause {
    match error.downcast::<Unmade>() {
        Ok(unmade) => *unmade.0,
        // Of a boxed error the type is not known.
        Err(error) => match cause(error) {
            (cause, true) => Cause { type_name: String::new(), ..cause },
            (cause, false) => cause,
        },
    }
}

/// The cause, and whether the error is its root.
pub(crate) fn cause<E: Into<BoxError>>(error: E) -> (Cause, bool) {
    let error: BoxError = error.into();
    let whole: &(dyn StdError + 'static) = error.as_ref();
    // A task that hands on what another one said: the root stays the root.
    if let Some(root) = whole.downcast_ref::<Error>().and_then(Error::cause) {
        let mut chain = vec![root.message.clone()];
        chain.extend(root.chain.iter().cloned());
        return (Cause { chain, message: outer(whole), ..root.clone() }, false);
    }
    (Cause::of_error(whole, type_name::<E>()), true)
}

/// What an error of the system says without its cause, which follows in the chain.
fn outer(error: &(dyn StdError + 'static)) -> String {
    match error.downcast_ref::<Error>() {
        Some(Error::TaskFailed { task, .. }) => format!("{task} failed"),
        Some(Error::ActorDied { name, .. }) => format!("{name} died before it answered"),
        _ => error.to_string(),
    }
}
