//! The order in which objects were last wanted: who gives way first.
//!
//! A list through the numbers of slots, so that whatever is done to it takes the same time however many there are.
//!
//! Invariants:
//! - **WO-1 (each-once):** a slot is in the order once or not at all, and those in it are met from the oldest to the newest.

/// In front of the oldest and behind the newest; and, as a link of a slot, that it is not in the order.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Links {
    before: u32,
    after: u32,
    is_in: bool,
}

const OUT: Links = Links { before: NONE, after: NONE, is_in: false };

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Order {
    links: Vec<Links>,
    oldest: u32,
    newest: u32,
}

impl Default for Order {
    fn default() -> Self {
        Self { links: Vec::new(), oldest: NONE, newest: NONE }
    }
}

impl Order {
    /// It is the newest from now on, wherever it was.
    pub(crate) fn push(&mut self, slot: u32) {
        self.remove(slot);
        let at = slot as usize;
        if at >= self.links.len() {
            self.links.resize(at + 1, OUT);
        }
        self.links[at] = Links { before: self.newest, after: NONE, is_in: true };
        match self.newest {
            NONE => self.oldest = slot,
            newest => self.links[newest as usize].after = slot,
        }
        self.newest = slot;
    }

    /// It is not in the order any more, if it was.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(links) = self.links.get_mut(slot as usize) else { return };
        let Links { before, after, is_in } = std::mem::replace(links, OUT);
        if !is_in {
            return;
        }
        match before {
            NONE => self.oldest = after,
            before => self.links[before as usize].after = after,
        }
        match after {
            NONE => self.newest = before,
            after => self.links[after as usize].before = before,
        }
    }

    /// The oldest of all.
    pub(crate) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// The newest of all.
    pub(crate) fn newest(&self) -> Option<u32> {
        (self.newest != NONE).then_some(self.newest)
    }

    /// The one that comes after this one.
    pub(crate) fn after(&self, slot: u32) -> Option<u32> {
        let after = self.links.get(slot as usize).filter(|links| links.is_in)?.after;
        (after != NONE).then_some(after)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn wo_1_the_order_is_that_of_a_plain_list(
            steps in prop::collection::vec((any::<bool>(), 0u32..12), 1..200),
        ) {
            let (mut order, mut plain) = (Order::default(), Vec::new());
            for (comes, slot) in steps {
                plain.retain(|own| *own != slot);
                if comes {
                    order.push(slot);
                    plain.push(slot);
                } else {
                    order.remove(slot);
                }
                let mut met = Vec::new();
                let mut next = order.oldest();
                while let Some(slot) = next {
                    met.push(slot);
                    next = order.after(slot);
                }
                prop_assert_eq!(&met, &plain);
            }
        }
    }
}
