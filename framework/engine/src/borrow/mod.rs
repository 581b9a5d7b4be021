//! What two processes hold for each other, and how a third one comes to it: the tables at the ends of a link.
//!
//! A value that goes to another process speaks of what it refers to by a [`Word`]. What the speaker has is *exported*: it is held for the
//! other side under a number ([`Exports`]). Each word has a number of its own, and the other side lets go of it once, when the last
//! who has it there is gone: so no count is ever told, and none can be told wrong. What came over the same link goes back
//! under the number that it came by. What came over another one is exported anew, so that each process is held for by the one next to it.
//!
//! Two that have an owner in common and no reference to lend have him *pass* it: he is told to hold it for the other one, and that one
//! waits for what he hands on ([`Passed`]).
//!
//! Nothing here is told twice, or late, if two rules are kept by whoever has these tables: words go over one link in the order
//! in which they were given, and what a message speaks of is [`Kept`] until it was given.
//!
//! Invariants:
//! - **BW-1 (there-while-borrowed):** what is held for the other side is there until that has let go of it, or the link has ended:
//!   whatever is said at the same time, in whatever order it is heard.
//! - **BW-2 (nothing-is-left):** once nobody has a reference, and all that was said was heard, no table has anything, and the object is gone.
//! - **BW-3 (passed-by-the-owner):** what one passes to another is there for that one whatever becomes of the one who passed it,
//!   and what he spoke of in vain is kept by nobody.
//! - **BW-4 (told-of-the-end):** who holds an actor of the other side is told of its end once, also if he asks later; who has let
//!   go of it is not, and nothing of that stays.

mod exports;
mod imports;
mod passed;
#[cfg(test)]
mod tests;

pub use exports::{Exports, LetGo};
pub use imports::Imports;
pub use passed::{Passed, Taken};

/// How one side of a link speaks of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// It is held for the hearer, under this number of the speaker's.
    Mine(u64),
    /// The hearer holds it for the speaker, under this number of the hearer's.
    Yours(u64),
}

/// What a message speaks of, until it was given: a release must not overtake it.
#[derive(Clone, Debug)]
pub struct Kept<K> {
    /// Under which number each is exported, if it is.
    spoken: Vec<(K, Option<u64>)>,
    lent: Vec<u64>,
    passed: Vec<u64>,
}

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self { spoken: Vec::new(), lent: Vec::new(), passed: Vec::new() }
    }
}

impl<K> Kept<K> {
    /// It speaks of something that is lent under this number.
    pub fn lends(&mut self, number: u64) {
        self.lent.push(number);
    }

    /// It speaks of something that the owner of both is to hand on under this number.
    pub fn passes(&mut self, number: u64) {
        self.passed.push(number);
    }

    /// What is held for the other side from now on, by which number: it may be told more about that once the message was given.
    pub fn exported(&self) -> impl Iterator<Item = (&K, u64)> {
        self.spoken.iter().filter_map(|(keep, export)| Some((keep, (*export)?)))
    }

    /// The message was not given after all. The other side will never let go of what has these numbers: this one does.
    pub fn unsaid(&self) -> impl Iterator<Item = u64> {
        self.exported().map(|(_, export)| export).chain(self.lent.iter().copied())
    }

    /// Nor will it speak of what was passed under these.
    #[must_use]
    pub fn unpassed(&self) -> &[u64] {
        &self.passed
    }
}
