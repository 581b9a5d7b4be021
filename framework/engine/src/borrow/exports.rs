//! What one side of a link holds for the other.

use std::collections::HashMap;

use super::{Kept, Word};

/// References `T`, each perhaps with somebody `M` who waits for the end of what it refers to, and loans `L`: what lies in a store and is
/// held until the other side holds it there.
#[derive(Clone, Debug)]
pub struct Exports<T, L, M> {
    pub(super) references: HashMap<u64, (T, Option<M>)>,
    pub(super) loans: HashMap<u64, L>,
    /// The link has ended: nobody would let go.
    is_over: bool,
}

/// What the other side has let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetGo<T, L, M> {
    /// A reference, and who was to tell of the end of what it refers to.
    Reference(T, Option<M>),
    /// A loan.
    Loan(L),
}

impl<T, L, M> Default for Exports<T, L, M> {
    fn default() -> Self {
        Self { references: HashMap::new(), loans: HashMap::new(), is_over: false }
    }
}

impl<T, L, M> Exports<T, L, M> {
    /// Those of a link that has ended.
    #[must_use]
    pub fn over() -> Self {
        Self { is_over: true, ..Self::default() }
    }

    /// A message speaks of `what`: of something of the other side's own, which that has exported under the number `theirs`, or else
    /// of something that is held for it from now on. `keep` is what has it here, until the message was given.
    pub fn speaks_of<K>(
        &mut self,
        (what, keep): (T, K),
        theirs: Option<u64>,
        number: impl FnOnce() -> u64,
        kept: &mut Kept<K>,
    ) -> Word {
        if let Some(theirs) = theirs {
            kept.spoken.push((keep, None));
            return Word::Yours(theirs);
        }
        let number = number();
        // After the end it is dropped here, and `keep` has it as well.
        _ = self.holds(number, what);
        kept.spoken.push((keep, Some(number)));
        Word::Mine(number)
    }

    /// A reference is held for the other side, which knows the number, or is about to. After the end it is given back.
    #[must_use]
    pub fn holds(&mut self, number: u64, what: T) -> Option<T> {
        if self.is_over {
            return Some(what);
        }
        self.references.insert(number, (what, None)).map(|(before, _)| before)
    }

    /// Something in a store is held for the other side. After the end it is given back.
    #[must_use]
    pub fn lends(&mut self, number: u64, loan: L) -> Option<L> {
        if self.is_over { Some(loan) } else { self.loans.insert(number, loan) }
    }

    /// The other side is to be told of the end of this. Gives back who would, if it has let go already.
    #[must_use]
    pub fn mourns(&mut self, number: u64, mourner: M) -> Option<M> {
        match self.references.get_mut(&number) {
            Some((_, place)) => place.replace(mourner),
            None => Some(mourner),
        }
    }

    /// What the other side means by a number; none for what it does not hold.
    #[must_use]
    pub fn of(&self, number: u64) -> Option<&T> {
        self.references.get(&number).map(|(what, _)| what)
    }

    /// The other side lets go of what it had under this number (BW-1).
    pub fn released(&mut self, number: u64) -> Option<LetGo<T, L, M>> {
        if let Some(loan) = self.loans.remove(&number) {
            return Some(LetGo::Loan(loan));
        }
        let (what, mourner) = self.references.remove(&number)?;
        Some(LetGo::Reference(what, mourner))
    }

    /// The references.
    pub fn references(&self) -> impl Iterator<Item = &T> {
        self.references.values().map(|(what, _)| what)
    }

    /// The loans, by their numbers.
    pub fn loans(&self) -> impl Iterator<Item = (u64, &L)> {
        self.loans.iter().map(|(number, loan)| (*number, loan))
    }

    /// All that was held, when the link has ended.
    pub fn into_held(self) -> impl Iterator<Item = LetGo<T, L, M>> {
        let references = self.references.into_values();
        let references = references.map(|(what, mourner)| LetGo::Reference(what, mourner));
        self.loans.into_values().map(LetGo::Loan).chain(references)
    }
}
