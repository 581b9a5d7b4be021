//! To ask for a reference of any type.

use std::sync::Arc;

use crate::object::cell::Standing;
use crate::object::waiter::{Dependent, Needs};
use crate::object::wanted::Wants;

/// Who asks to be told.
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "it is made and used up in one expression")]
pub struct Subscriber(pub(crate) Arc<dyn Dependent>, pub(crate) Needs);

/// What he is told at once, and who is to be told that the value is wanted: after every lock, for that may settle it on the spot.
#[doc(hidden)]
#[must_use = "nobody makes what nobody wants"]
#[expect(missing_debug_implementations, reason = "it is made and used up in one expression")]
pub struct Asked(pub(super) Standing, pub(super) Option<Box<dyn Wants>>);

impl Asked {
    /// For one who holds no lock.
    pub(crate) fn wanted(self) -> Standing {
        let Self(standing, wanted) = self;
        wanted.into_iter().for_each(Wants::want);
        standing
    }

    /// For one who holds a lock: he keeps the second until he does not.
    pub(crate) fn apart(self) -> (Standing, Option<Box<dyn Wants>>) {
        (self.0, self.1)
    }
}
