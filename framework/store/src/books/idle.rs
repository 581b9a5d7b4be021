//! What of the arena nothing is in.

use std::ops::Range;

use super::Books;

impl Books {
    /// Whether any memory is free that was used since [`Books::idle`] has found all there was.
    pub(crate) fn is_any_idle(&self) -> bool {
        self.allocator.is_any_idle()
    }

    /// Memory in which nothing is: see [`Allocator::idle`].
    pub(crate) fn idle(&mut self, page: u64, most: u64) -> Vec<Range<u64>> {
        self.allocator.idle(page, most)
    }
}
