//! Many actors, of which few change: a root, hosts with a process each, and a hundred actors below each of them.

use std::time::Duration;

use raytree_types::inspect::{ActorState, ProcessRow, TreeRow};

use super::{Chance, Ids};

/// Actors below one host.
const BELOW: usize = 100;

/// One in so many changes in a second.
const CHANGES: usize = 100;

#[derive(Debug)]
pub(super) struct Large {
    rows: Vec<TreeRow>,
    chance: Chance,
}

impl Large {
    pub(super) fn new(actors: usize) -> Self {
        let mut ids = Ids::new();
        let rows = (0..actors).map(|at| row(at, &mut ids)).collect();
        Self { rows, chance: Chance(1) }
    }

    pub(super) fn rows(&self) -> &[TreeRow] {
        &self.rows
    }

    /// One in a hundred works. Steps of one length meet no row twice.
    pub(super) fn second(&mut self) {
        let first = self.chance.between(0, CHANGES as u64) as usize;
        for row in self.rows.iter_mut().skip(first).step_by(CHANGES) {
            row.handled += self.chance.between(1, 500);
            row.busy += Duration::from_millis(self.chance.between(1, 900));
            row.queued = self.chance.between(0, 64);
        }
    }

    /// Its supervisor does not start it again.
    pub(super) fn kill(&mut self, at: usize) {
        if let Some(row) = self.rows.get_mut(at) {
            row.state = ActorState::Failed;
        }
    }
}

fn row(at: usize, ids: &mut Ids) -> TreeRow {
    let (depth, name) = match at {
        0 => (0, "raytree".to_owned()),
        at if at % (BELOW + 1) == 1 => (1, format!("host-{}", at / (BELOW + 1))),
        at => (2, format!("shard#{at:x}")),
    };
    let process = ProcessRow {
        pid: u32::try_from(4000 + at).unwrap_or(u32::MAX),
        role: Default::default(),
        program: "large".to_owned(),
        uptime: Duration::from_secs(60),
        cpu: Duration::from_secs(30),
        memory: 200 << 20,
        threads: 12,
        store: None,
        stale: None,
    };
    TreeRow {
        type_name: "large::Shard".to_owned(),
        strategy: (depth < 2).then(|| "one-for-one".to_owned()),
        id: (depth == 2).then(|| ids.of(&name)),
        queue_limit: 256,
        handled: 1000,
        process: (depth < 2).then(|| Box::new(process)),
        ..TreeRow::named(depth, name)
    }
}
