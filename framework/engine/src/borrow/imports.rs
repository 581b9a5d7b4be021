//! What one side of a link holds of actors of the other, and who wants to hear of their ends.

use std::collections::HashMap;

/// With whom waits `W`, and how one has ended, `E`. Whatever else the other side holds for this one is counted by those who have it.
#[derive(Clone, Debug)]
pub struct Imports<W, E>(pub(super) HashMap<u64, Import<W, E>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Import<W, E> {
    /// Nobody has asked, and nothing was told.
    Quiet,
    Waits(W),
    /// It stays until somebody asks, or lets go of the actor.
    Ended(E),
}

impl<W, E> Default for Imports<W, E> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<W, E> Imports<W, E> {
    /// The other side holds an actor under this number.
    pub fn comes(&mut self, number: u64) {
        self.0.entry(number).or_insert(Import::Quiet);
    }

    /// `waits` is to hear of its end, once, and nobody else: who would have before.
    ///
    /// # Errors
    /// It, with its end if that was told already; alone, if the actor was let go: then nobody will tell.
    pub fn watch(&mut self, number: u64, waits: W) -> Result<Option<W>, (W, Option<E>)> {
        let Some(import) = self.0.get_mut(&number) else { return Err((waits, None)) };
        match std::mem::replace(import, Import::Quiet) {
            Import::Ended(how) => Err((waits, Some(how))),
            Import::Quiet => {
                *import = Import::Waits(waits);
                Ok(None)
            }
            Import::Waits(before) => {
                *import = Import::Waits(waits);
                Ok(Some(before))
            }
        }
    }

    /// Nobody is to hear of its end any more: who would have.
    pub fn unwatch(&mut self, number: u64) -> Option<W> {
        let import = self.0.get_mut(&number)?;
        match std::mem::replace(import, Import::Quiet) {
            Import::Waits(waits) => Some(waits),
            other => {
                *import = other;
                None
            }
        }
    }

    /// The other side tells of its end: who hears it (BW-4).
    pub fn ended(&mut self, number: u64, how: E) -> Option<(W, E)> {
        // It was let go meanwhile if there is none.
        let import = self.0.get_mut(&number)?;
        match std::mem::replace(import, Import::Quiet) {
            Import::Waits(waits) => Some((waits, how)),
            Import::Quiet | Import::Ended(_) => {
                *import = Import::Ended(how);
                None
            }
        }
    }

    /// This side lets go of it: who would have heard of its end.
    pub fn lets_go(&mut self, number: u64) -> Option<W> {
        match self.0.remove(&number)? {
            Import::Waits(waits) => Some(waits),
            Import::Quiet | Import::Ended(_) => None,
        }
    }

    /// All who wait, when the link has ended.
    pub fn into_waiting(self) -> impl Iterator<Item = W> {
        self.0.into_values().filter_map(|import| match import {
            Import::Waits(waits) => Some(waits),
            Import::Quiet | Import::Ended(_) => None,
        })
    }
}
