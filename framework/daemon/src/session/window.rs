//! How much was said and not heard yet: the arithmetic of a session's bounds, without its messages.
//!
//! The one who hears tells the one who says how far it is, each time a quarter of either bound has passed; so no side ever
//! waits for a word that will not come.

use raytree_types::limits;

const MESSAGES_MAX: u64 = limits::SESSION_UNHEARD_MAX as u64;
const BYTES_MAX: u64 = limits::SESSION_UNHEARD_BYTES_MAX as u64;

/// Parts of the bounds after which the one who hears tells how far it is.
const PARTS: u64 = 4;

// Whatever one has said up to the bound, the other one has told of enough to go on.
const _: () = assert!(BYTES_MAX / PARTS > limits::SESSION_MESSAGE_BYTES_MAX as u64);

/// Messages, and their bytes, since a session began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl Amount {
    fn and(self, bytes: usize) -> Self {
        Self { messages: self.messages + 1, bytes: self.bytes.saturating_add(bytes as u64) }
    }

    /// What is in this and not in `part`, if that is a part of it.
    fn without(self, part: Self) -> Option<Self> {
        let messages = self.messages.checked_sub(part.messages)?;
        Some(Self { messages, bytes: self.bytes.checked_sub(part.bytes)? })
    }

    fn is_within_bounds(self) -> bool {
        self.messages <= MESSAGES_MAX && self.bytes <= BYTES_MAX
    }
}

/// The side that says.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    said: Amount,
    heard: Amount,
}

impl Unheard {
    /// Counts one more message of so many bytes, if there is room; else says how much is unheard.
    pub(super) fn says(&mut self, bytes: usize) -> Result<(), Amount> {
        let said = self.said.and(bytes);
        let unheard = |said: Amount| said.without(self.heard).unwrap_or_default();
        if !unheard(said).is_within_bounds() {
            return Err(unheard(self.said));
        }
        self.said = said;
        Ok(())
    }

    /// Less than half of either bound is unheard: there is room also for what may as well not be said.
    pub(super) fn has_room(&self) -> bool {
        let unheard = self.said.without(self.heard).unwrap_or_default();
        unheard.messages < MESSAGES_MAX / 2 && unheard.bytes < BYTES_MAX / 2
    }

    /// The other side is so far. False when it cannot be: it was less far before, or that much was never said.
    #[must_use]
    pub(super) fn is_heard(&mut self, heard: Amount) -> bool {
        let is_so = heard.without(self.heard).is_some() && self.said.without(heard).is_some();
        if is_so {
            self.heard = heard;
        }
        is_so
    }
}

/// The side that hears.
#[derive(Debug, Default)]
pub(super) struct Heard {
    heard: Amount,
    told: Amount,
}

impl Heard {
    /// One more message of so many bytes; how far this side is, if that is to be told now. `Err` when the other side could
    /// not have said so much.
    pub(super) fn hears(&mut self, bytes: usize) -> Result<Option<Amount>, Amount> {
        self.heard = self.heard.and(bytes);
        let untold = self.heard.without(self.told).unwrap_or_default();
        if !untold.is_within_bounds() {
            return Err(untold);
        }
        if untold.messages < MESSAGES_MAX / PARTS && untold.bytes < BYTES_MAX / PARTS {
            return Ok(None);
        }
        self.told = self.heard;
        Ok(Some(self.heard))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn se_3_there_is_a_bound_of_messages_and_one_of_bytes() {
        let mut unheard = Unheard::default();
        for _ in 0..MESSAGES_MAX {
            unheard.says(1).unwrap();
        }
        assert_eq!(unheard.says(1), Err(Amount { messages: MESSAGES_MAX, bytes: MESSAGES_MAX }));
        assert!(unheard.is_heard(Amount { messages: 1, bytes: 1 }));
        unheard.says(1).unwrap();

        let mut unheard = Unheard::default();
        for _ in 0..8 {
            unheard.says(limits::SESSION_MESSAGE_BYTES_MAX).unwrap();
        }
        assert_eq!(unheard.says(1), Err(Amount { messages: 8, bytes: BYTES_MAX }));
    }

    #[test]
    fn se_3_nobody_hears_what_was_not_said() {
        let mut unheard = Unheard::default();
        unheard.says(5).unwrap();
        assert!(!unheard.is_heard(Amount { messages: 2, bytes: 5 }));
        assert!(!unheard.is_heard(Amount { messages: 1, bytes: 6 }));
        assert!(unheard.is_heard(Amount { messages: 1, bytes: 5 }));
        assert!(!unheard.is_heard(Amount { messages: 0, bytes: 0 }), "less than before");
    }

    #[test]
    fn se_3_who_says_more_than_it_may_is_found() {
        let mut heard = Heard::default();
        let all = usize::try_from(BYTES_MAX + 1).unwrap();
        assert!(heard.hears(all).is_err());
    }

    proptest! {
        #[test]
        fn se_3_who_may_not_speak_will_be_told_that_it_may(
            sizes in prop::collection::vec(0..=limits::SESSION_MESSAGE_BYTES_MAX, 1..200),
        ) {
            let (mut unheard, mut heard) = (Unheard::default(), Heard::default());
            let mut under_way = VecDeque::new();
            for size in sizes {
                while unheard.says(size).is_err() {
                    // Everything that is under way arrives; one of them brings a word back.
                    let next: Option<usize> = under_way.pop_front();
                    prop_assert!(next.is_some(), "both sides wait");
                    if let Some(amount) = heard.hears(next.unwrap_or_default()).unwrap() {
                        prop_assert!(unheard.is_heard(amount));
                    }
                }
                under_way.push_back(size);
            }
        }
    }
}
