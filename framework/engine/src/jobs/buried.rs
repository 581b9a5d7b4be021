//! The lives of nodes that are surely over, as long as news of them may still come.

use std::collections::{BTreeMap, VecDeque};

use raytree_types::{ProcessIncarnation, limits};

use crate::membership::{Member, Name};

/// The newest dead life of each name. It forgets no sooner than the judge does who declares them down, and the judge gives
/// a name that it has forgotten a life above everything forgotten: the floor refuses nobody who is alive.
#[derive(Debug, Default)]
pub(super) struct Buried {
    newest: BTreeMap<Name, ProcessIncarnation>,
    /// In the order of their ends; an entry whose life is not the newest is void.
    order: VecDeque<Member>,
    /// No forgotten life is newer.
    floor: ProcessIncarnation,
}

impl Buried {
    pub(super) fn holds(&self, node: &Member) -> bool {
        node.incarnation <= self.newest.get(&node.name).copied().unwrap_or(self.floor)
    }

    pub(super) fn add(&mut self, node: Member) {
        if self.holds(&node) {
            return;
        }
        self.newest.insert(node.name.clone(), node.incarnation);
        self.order.push_back(node);
        while self.newest.len() > limits::MEMBER_ENDS_MAX
            || self.order.len() > 2 * limits::MEMBER_ENDS_MAX
        {
            let Some(oldest) = self.order.pop_front() else { break };
            if self.newest.get(&oldest.name) == Some(&oldest.incarnation) {
                self.newest.remove(&oldest.name);
                self.floor = self.floor.max(oldest.incarnation);
            }
        }
    }

    /// All that it keeps, voids included.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}
