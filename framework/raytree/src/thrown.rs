//! What a remote function may return as its error, and what is said of one that is none.

use raytree_system::BoxError;
use raytree_system::macros::{Failure, Thrown};
use raytree_types::{Cause, Error};

/// An error of a remote function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error that a remote function can return",
    label = "its error is a `{Self}`",
    note = "an error goes into a `Box<dyn Error + Send + Sync>`: implement `std::error::Error` for it (e.g. with `#[derive(Debug, thiserror::Error)]`), or return a `String`"
)]
pub trait Throw: Into<BoxError> + 'static {}

impl<E: Into<BoxError> + 'static> Throw for E {}

/// An error on its way, after the compiler has said what it has to say about it.
pub fn thrown<E: Throw>(error: E) -> Thrown<E> {
    Thrown::new(error)
}

/// For what is no error: [`thrown`] has refused it, and nothing more is to be said.
pub trait KeepsNothing {
    /// Never called.
    fn failure(self) -> Failure;
}

impl<E> KeepsNothing for Thrown<E> {
    fn failure(self) -> Failure {
        let cause = Box::new(Cause::message("its error is not an error"));
        Error::TaskFailed { task: String::new(), cause }.into()
    }
}
