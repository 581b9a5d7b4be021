//! Who spawned whom, over several processes: what each of them knows, made one.
//!
//! An actor is known to the process that spawned it and to the one in which it lives; by its id it is the same one. What it has
//! spawned where it lives stands below it.

use std::collections::HashMap;

use raytree_types::ActorId;
use raytree_types::inspect::TreeRow;

/// A forest in which rows know their children.
#[derive(Default)]
pub(crate) struct Forest {
    nodes: Vec<Node>,
    tops: Vec<usize>,
    places: HashMap<ActorId, usize>,
}

struct Node {
    row: TreeRow,
    children: Vec<usize>,
}

impl Forest {
    /// Adds what another process knows: those who are here already stay as they are.
    pub(crate) fn add(&mut self, rows: &[TreeRow]) {
        // The nodes of the rows above the present one.
        let mut above: Vec<usize> = Vec::new();
        for row in rows {
            above.truncate(row.depth as usize);
            let known = row.id.and_then(|id| self.places.get(&id)).copied();
            let place = known.unwrap_or_else(|| self.push(row, above.last().copied()));
            above.push(place);
        }
    }

    fn push(&mut self, row: &TreeRow, parent: Option<usize>) -> usize {
        let place = self.nodes.len();
        self.nodes.push(Node { row: row.clone(), children: Vec::new() });
        match parent {
            Some(parent) => self.nodes[parent].children.push(place),
            None => self.tops.push(place),
        }
        if let Some(id) = row.id {
            self.places.insert(id, place);
        }
        place
    }

    /// All of them, parents first.
    pub(crate) fn rows(self) -> Vec<TreeRow> {
        let mut rows = Vec::with_capacity(self.nodes.len());
        let mut open: Vec<(u32, usize)> = self.tops.iter().rev().map(|top| (0, *top)).collect();
        while let Some((depth, place)) = open.pop() {
            let node = &self.nodes[place];
            rows.push(TreeRow { depth, ..node.row.clone() });
            open.extend(node.children.iter().rev().map(|child| (depth + 1, *child)));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use raytree_types::{ActorIds, RuntimeId};

    use super::*;

    #[test]
    fn who_is_known_to_two_processes_is_one_with_all_that_is_below_it() {
        let ids = [1, 2].map(|runtime| ActorIds::new(RuntimeId::given(runtime)));
        let row = |depth, name: &str, id| TreeRow { id: Some(id), ..TreeRow::named(depth, name) };
        let (top, there, other) = (ids[0].next(), ids[0].next(), ids[0].next());
        let program = [
            row(0, "top", top),
            TreeRow { host: Some("node-1".to_owned()), ..row(1, "there", there) },
            row(0, "other", other),
        ];
        let (below, deep, lost) = (ids[1].next(), ids[1].next(), ids[1].next());
        let node = [
            row(0, "there", there),
            row(1, "below", below),
            row(2, "deep", deep),
            row(0, "nobody's", lost),
        ];
        let mut forest = Forest::default();
        forest.add(&program);
        forest.add(&node);
        let line = |row: &TreeRow| format!("{} {} {:?}", row.depth, row.name, row.host);
        let rows: Vec<String> = forest.rows().iter().map(line).collect();
        assert_eq!(
            rows,
            [
                "0 top None",
                "1 there Some(\"node-1\")",
                "2 below None",
                "3 deep None",
                "0 other None",
                "0 nobody's None",
            ]
        );
    }
}
