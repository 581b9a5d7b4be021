//! References whose values are needed in this process.

use super::{Asked, Awaited, Lies, Settled, Subscriber};
use crate::object::waiter::Needs;

/// A reference whose value is needed in this process.
pub(super) struct InMemory<'a>(pub(super) &'a dyn Settled);

impl Settled for InMemory<'_> {
    fn can_be_sent(&self) -> bool {
        self.0.is_at_hand()
    }

    fn is_at_hand(&self) -> bool {
        self.0.is_at_hand()
    }

    fn subscribe(&self, Subscriber(dependent, _): Subscriber) -> Asked {
        self.0.subscribe(Subscriber(dependent, Needs::Memory))
    }

    fn error(&self) -> Option<raytree_types::Error> {
        self.0.error()
    }

    fn lies(&self, _also_far: bool) -> Option<Lies> {
        self.0.lies(true)
    }

    fn awaits(&self) -> Option<Awaited> {
        self.0.awaits()
    }

    fn comes(&self) -> Option<(&'static str, &'static str)> {
        self.0.comes()
    }

    fn at(&self) -> usize {
        self.0.at()
    }
}
