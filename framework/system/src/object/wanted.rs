//! A value is made, or brought back, when somebody wants it.

use std::sync::Arc;

use raytree_objects::Need;

use super::cell::{Away, ObjectCell, Producer, Standing};
use super::lying::Lies;
use super::waiter::{Needs, Waiter};

/// Who is to be told that somebody wants the value: after every lock, for that may settle the object on the spot, and whoever waits for it is told
/// on this thread then.
pub(super) enum Wanted<T> {
    Nothing,
    Made(Arc<dyn Producer>),
    Back(Arc<dyn Lies<T>>, Need),
}

impl<T> Wanted<T> {
    pub(super) fn of(producer: &Option<Arc<dyn Producer>>) -> Self {
        let lazy = producer.as_ref().filter(|producer| producer.is_lazy());
        lazy.map_or(Self::Nothing, |producer| Self::Made(Arc::clone(producer)))
    }

    /// The first one who waits has it brought, and so has the first who needs it more.
    pub(super) fn back(away: &Away<T>) -> Self {
        let needs = away
            .waiters
            .split_last()
            .map(|(last, before)| (last.need(), before.iter().map(Waiter::need).max()));
        match needs {
            Some((need, before)) if Some(need) > before => Self::Back(Arc::clone(&away.lies), need),
            _ => Self::Nothing,
        }
    }

    pub(super) fn want(self) {
        match self {
            Self::Nothing => {}
            Self::Made(producer) => producer.wanted(),
            Self::Back(lies, need) => lies.brings(need),
        }
    }
}

/// The same of an object of any type.
pub(crate) trait Wants: Send {
    /// Somebody wants it.
    fn want(self: Box<Self>);
}

impl<T: Send + Sync> Wants for Wanted<T> {
    fn want(self: Box<Self>) {
        (*self).want();
    }
}

impl<T: Send + Sync + 'static> ObjectCell<T> {
    /// As [`ObjectCell::subscribe`], for one who holds a lock: what he does when he does not, if there is anything.
    pub(crate) fn subscribe_apart(
        &self,
        needs: Needs,
        waiter: impl FnOnce(Needs) -> Waiter,
    ) -> (Standing, Option<Box<dyn Wants>>) {
        let (standing, wanted) = self.enlist(needs, waiter);
        let wanted = match wanted {
            Wanted::Nothing => None,
            wanted => Some(Box::new(wanted) as Box<dyn Wants>),
        };
        (standing, wanted)
    }
}
