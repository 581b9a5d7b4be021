//! What the owner of several processes hands on to one of them for another.

use std::collections::HashMap;
use std::hash::Hash;

/// References `T` that peers `P` have passed, until their messages that speak of them have come.
#[derive(Clone, Debug)]
pub struct Passed<P, T>(pub(super) HashMap<(P, u64), Option<T>>);

/// What there is under a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken<T> {
    /// It was handed on; none for what could not be.
    Come(Option<T>),
    /// The owner has not said it yet: whoever asks waits.
    NotYet,
    /// He will not.
    Never,
}

impl<P, T> Default for Passed<P, T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<P: Eq + Hash, T> Passed<P, T> {
    /// The owner hands on what a peer has passed; none for what cannot be.
    pub fn comes(&mut self, from: P, number: u64, what: Option<T>) {
        self.0.insert((from, number), what);
    }

    /// A message of a peer speaks of what it has passed, or takes that back. `has_ended`: the owner has said that the peer has.
    pub fn take(&mut self, from: P, number: u64, has_ended: bool) -> Taken<T> {
        match self.0.remove(&(from, number)) {
            Some(what) => Taken::Come(what),
            None if has_ended => Taken::Never,
            None => Taken::NotYet,
        }
    }

    /// A peer has surely ended, and the owner has handed on all that it passed: what no message of it has spoken of is let go (BW-3).
    #[must_use]
    pub fn ended(&mut self, from: &P) -> Vec<Option<T>> {
        self.0.extract_if(|(own, _), _| own == from).map(|(_, what)| what).collect()
    }
}
