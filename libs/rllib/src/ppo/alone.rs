//! Makes a value shareable by never sharing it.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A value that is only ever reached through `&mut`: environments and models need not be `Sync`, actors must be.
pub(super) struct Alone<T>(Mutex<T>);

impl<T> Alone<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Locks nothing: whoever has `&mut` is alone.
    pub(super) fn get(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Alone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(std::any::type_name::<T>()).finish_non_exhaustive()
    }
}
