//! Arguments that stay where they lie until a run has them.

use std::sync::Arc;

use raytree_types::codec::Encoded;

use super::Settled;
use crate::object::lineage::unless_again;
use crate::object::lying::Pins;
use crate::object::waiter::Needs;

/// What keeps a value where it lies in a store.
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "it is made and used up in one expression")]
pub struct Lies(pub(crate) Arc<dyn Pins>);

/// Arguments of a run that begins, where they lie.
pub(crate) type Pinned = Vec<Encoded>;

/// Keeps those arguments where they are that lie in a store, so that a run that begins has them without fail. None where one of them is lost
/// and made again. Waits where they are on disk. Those in the stores of other nodes are fetched where they are needed in memory; else they are
/// lost when they could not be fetched before.
pub(crate) fn pinned(
    needs: Needs,
    each: impl FnOnce(&mut dyn FnMut(&dyn Settled)),
) -> Option<Pinned> {
    let (mut lying, mut are_there) = (Vec::new(), true);
    each(&mut |settled| {
        lying.extend(settled.lies(needs == Needs::Memory));
        // After that: somebody else may have found it lost, and it is pending again.
        are_there &= settled.awaits().is_none();
    });
    let mut pinned = Vec::new();
    for lies in lying {
        match unless_again(lies.0.pin()) {
            // Whoever takes the argument hears why there is none.
            Some(read) => pinned.extend(read.ok()),
            // So that all that are lost are made again at once.
            None => are_there = false,
        }
    }
    are_there.then_some(pinned)
}
