//! Who holds which objects: an object is there for as long as a process of its node does.
//!
//! Whoever seals an object holds it from then on; one who is told where it is asks the store to hold it as well, while the one who has told
//! him still does. So there is no moment at which nobody holds what somebody is about to use, and a process that ends, however it ends,
//! takes nothing with it that another one holds.
//!
//! Decides and touches nothing; knows slots alone, of which one generation at a time has holders.
//!
//! Invariants:
//! - **HO-1 (there-while-held):** an object has ended when the last of those who held it has let go of it as often as he took it, or has
//!   ended; and not before.
//! - **HO-2 (the-dead-hold-nothing):** a process that has ended holds nothing.

use std::collections::{HashMap, HashSet};

use crate::books::ClientId;

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub(crate) struct Holders {
    /// How often each of them has it.
    objects: HashMap<u32, Vec<(ClientId, u32)>>,
    of: HashMap<ClientId, HashSet<u32>>,
}

impl Holders {
    /// A process takes an object once more.
    pub(crate) fn hold(&mut self, client: ClientId, slot: u32) {
        let all = self.objects.entry(slot).or_default();
        match all.iter_mut().find(|(own, _)| *own == client) {
            Some((_, times)) => *times += 1,
            None => {
                all.push((client, 1));
                self.of.entry(client).or_default().insert(slot);
            }
        }
    }

    /// A process lets go of an object once. True when that was the last of all (HO-1). Who does not hold it changes nothing.
    pub(crate) fn release(&mut self, client: ClientId, slot: u32) -> bool {
        let Some(all) = self.objects.get_mut(&slot) else { return false };
        let Some(at) = all.iter().position(|(own, _)| *own == client) else { return false };
        all[at].1 -= 1;
        if all[at].1 > 0 {
            return false;
        }
        all.swap_remove(at);
        let is_last = all.is_empty();
        if is_last {
            self.objects.remove(&slot);
        }
        self.lets_go(client, slot);
        is_last
    }

    /// A process has ended (HO-2): the objects that nobody holds any more.
    pub(crate) fn leave(&mut self, client: ClientId) -> Vec<u32> {
        let held = self.of.remove(&client).unwrap_or_default();
        let mut ended = Vec::new();
        for slot in held {
            let Some(all) = self.objects.get_mut(&slot) else { continue };
            all.retain(|(own, _)| *own != client);
            if all.is_empty() {
                self.objects.remove(&slot);
                ended.push(slot);
            }
        }
        ended
    }

    /// The object is gone, whoever holds it.
    pub(crate) fn forget(&mut self, slot: u32) {
        for (client, _) in self.objects.remove(&slot).unwrap_or_default() {
            self.lets_go(client, slot);
        }
    }

    /// What a process holds, and nobody else.
    pub(crate) fn alone(&self, client: ClientId) -> Vec<u32> {
        let held = self.of.get(&client).into_iter().flatten();
        held.copied().filter(|slot| self.of(*slot).len() == 1).collect()
    }

    /// Who holds it, and how often.
    pub(crate) fn of(&self, slot: u32) -> &[(ClientId, u32)] {
        self.objects.get(&slot).map_or(&[], Vec::as_slice)
    }

    fn lets_go(&mut self, client: ClientId, slot: u32) {
        if let Some(held) = self.of.get_mut(&client) {
            held.remove(&slot);
            if held.is_empty() {
                self.of.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ho_1_ho_2_an_object_is_there_for_as_long_as_somebody_has_it(
            steps in prop::collection::vec((0u8..12, 0u32..4, 0u32..6), 1..200),
        ) {
            let mut holders = Holders::default();
            // What a plain list of holds says.
            let mut plain: Vec<(u32, u32)> = Vec::new();
            for (what, who, slot) in steps {
                let client = ClientId(who);
                let is_held = plain.iter().any(|(_, own)| *own == slot);
                match what {
                    0..=4 => {
                        holders.hold(client, slot);
                        plain.push((who, slot));
                    }
                    5..=9 => {
                        let at = plain.iter().position(|hold| *hold == (who, slot));
                        at.map(|at| plain.swap_remove(at));
                        let is_left = plain.iter().any(|(_, own)| *own == slot);
                        prop_assert_eq!(holders.release(client, slot), is_held && !is_left);
                    }
                    10 => {
                        let mut ended = holders.leave(client);
                        ended.sort_unstable();
                        let own: HashSet<_> = plain.extract_if(.., |(own, _)| *own == who).collect();
                        let is_over = |slot: &u32| plain.iter().all(|(_, other)| other != slot);
                        let mut expected: Vec<_> = own.into_iter().map(|(_, slot)| slot).filter(is_over).collect();
                        expected.sort_unstable();
                        prop_assert_eq!(ended, expected);
                        prop_assert!(!holders.of.contains_key(&client));
                    }
                    _ => {
                        holders.forget(slot);
                        plain.retain(|(_, own)| *own != slot);
                    }
                }
                let times: u32 = holders.of(slot).iter().map(|(_, times)| times).sum();
                prop_assert_eq!(times as usize, plain.iter().filter(|(_, own)| *own == slot).count());
            }
        }
    }
}
