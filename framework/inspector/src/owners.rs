//! Who spawned whom, over several processes: what each of them knows, made one.
//!
//! An actor is known to the process that spawned it and to the one in which it lives; by its id it is the same one. What it has
//! spawned where it lives stands below it. A head asks the programs first, then the workers of its nodes: those of one job are one
//! forest, because two programs count their actors alike.

use std::collections::HashMap;

use raytree_types::inspect::TreeRow;
use raytree_types::{ActorId, JobId};

/// A forest in which rows know their children.
#[derive(Default)]
pub(crate) struct Forest {
    nodes: Vec<Node>,
    tops: Vec<usize>,
    places: HashMap<ActorId, usize>,
}

struct Node {
    row: TreeRow,
    parent: Option<usize>,
    children: Vec<usize>,
}

impl Forest {
    /// Adds what another process knows: those who are here already stay as they are. One that nobody owned until now is put below
    /// whoever has spawned it, as that process says.
    pub(crate) fn add(&mut self, rows: &[TreeRow]) {
        // The nodes of the rows above the present one.
        let mut above: Vec<usize> = Vec::new();
        for row in rows {
            above.truncate(row.depth as usize);
            let known = row.id.and_then(|id| self.places.get(&id)).copied();
            let parent = above.last().copied();
            if let (Some(place), Some(parent)) = (known, parent) {
                self.adopt(place, parent);
            }
            above.push(known.unwrap_or_else(|| self.push(row, parent)));
        }
    }

    /// One of these is known here.
    fn knows(&self, rows: &[TreeRow]) -> bool {
        rows.iter().filter_map(|row| row.id).any(|id| self.places.contains_key(&id))
    }

    fn push(&mut self, row: &TreeRow, parent: Option<usize>) -> usize {
        let place = self.nodes.len();
        self.nodes.push(Node { row: row.clone(), parent, children: Vec::new() });
        match parent {
            Some(parent) => self.nodes[parent].children.push(place),
            None => self.tops.push(place),
        }
        if let Some(id) = row.id {
            self.places.insert(id, place);
        }
        place
    }

    /// Puts one that stands at the top below another one, unless that is itself below it.
    fn adopt(&mut self, place: usize, parent: usize) {
        let above = std::iter::successors(Some(parent), |at| self.nodes[*at].parent);
        if self.nodes[place].parent.is_some() || above.into_iter().any(|at| at == place) {
            return;
        }
        self.tops.retain(|top| *top != place);
        self.nodes[place].parent = Some(parent);
        self.nodes[parent].children.push(place);
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

/// Who spawned whom in a whole cluster: a forest for each job.
#[derive(Default)]
pub(crate) struct Jobs(Vec<(Option<JobId>, Forest)>);

impl Jobs {
    /// Adds what a program or a node has said, tree by tree. What works for no job, a process of the cluster's own actors, belongs to
    /// whoever knows one of them.
    pub(crate) fn add(&mut self, rows: &[TreeRow]) {
        let trees = rows.chunk_by(|_, next| next.depth > 0);
        for tree in trees {
            let job = tree.first().and_then(|top| top.job);
            let is_its = |(own, forest): &(Option<JobId>, Forest)| match job {
                Some(_) => *own == job,
                None => forest.knows(tree),
            };
            let known = self.0.iter().position(is_its);
            let place = known.unwrap_or_else(|| {
                self.0.push((job, Forest::default()));
                self.0.len() - 1
            });
            self.0[place].1.add(tree);
        }
    }

    /// All of them, parents first.
    pub(crate) fn rows(self) -> Vec<TreeRow> {
        self.0.into_iter().flat_map(|(_, forest)| forest.rows()).collect()
    }
}

/// What another process has said of itself: what it has itself lives at `host`.
pub(crate) fn hosted(rows: &[TreeRow], host: &str) -> Vec<TreeRow> {
    let at = |row: &TreeRow| TreeRow {
        host: row.host.clone().or_else(|| Some(host.to_owned())),
        ..row.clone()
    };
    rows.iter().map(at).collect()
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

    #[test]
    fn who_is_spawned_by_one_process_for_another_one_is_below_its_owner_and_never_in_a_circle() {
        let ids = ActorIds::new(RuntimeId::given(1));
        let row = |depth, name: &str, id| TreeRow { id: Some(id), ..TreeRow::named(depth, name) };
        let (owner, owned) = (ids.next(), ids.next());
        let mut forest = Forest::default();
        forest.add(&[row(0, "owned", owned), row(0, "owner", owner)]);
        forest.add(&[row(0, "owner", owner), row(1, "owned", owned)]);
        forest.add(&[row(0, "owned", owned), row(1, "owner", owner)]);
        let rows: Vec<_> = forest.rows().into_iter().map(|row| (row.depth, row.name)).collect();
        assert_eq!(rows, [(0, "owner".to_owned()), (1, "owned".to_owned())]);
    }

    #[test]
    fn two_jobs_count_their_actors_alike_and_share_none() {
        let ids = ActorIds::new(RuntimeId::given(1));
        let (same, of_cluster) = (ids.next(), ids.next());
        let row = |depth, name: &str, (id, job): (ActorId, Option<u64>)| TreeRow {
            id: Some(id),
            job: job.map(JobId),
            ..TreeRow::named(depth, name)
        };
        let mut jobs = Jobs::default();
        jobs.add(&[row(0, "a", (same, Some(1))), row(0, "named", (of_cluster, Some(1)))]);
        jobs.add(&[row(0, "b", (same, Some(2)))]);
        let below = ActorIds::new(RuntimeId::given(2));
        jobs.add(&[
            row(0, "b", (same, Some(2))),
            row(1, "below b", (below.next(), Some(2))),
            row(0, "a", (same, Some(1))),
            row(1, "below a", (below.next(), Some(1))),
            row(0, "named", (of_cluster, None)),
            row(1, "below named", (below.next(), None)),
        ]);
        let rows: Vec<_> = jobs.rows().into_iter().map(|row| (row.depth, row.name)).collect();
        let expected =
            [(0, "a"), (1, "below a"), (0, "named"), (1, "below named"), (0, "b"), (1, "below b")];
        assert_eq!(rows, expected.map(|(depth, name)| (depth, name.to_owned())));
    }
}
