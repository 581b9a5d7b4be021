//! What waits for resources that no process has, not even when all of it is free: it was possible when it was submitted, and those
//! who had it have left, or nobody knew then what there would be. It goes on waiting, since another node may come; whoever looks
//! after the cluster is told.

use raytree_engine::feasible::nearest;
use raytree_types::Resources;

use crate::inspector::forest;
use crate::runtime::Shared;
use crate::user::status::Lifecycle;

/// Demands that are told at once; of the others only how many there are.
const TOLD_MAX: usize = 16;

/// Different demands that are looked at; programs have few, whatever number of tasks and actors has each.
const DIFFERENT_MAX: usize = 256;

/// Tasks that wait and are looked at: they stand in line, and are held up meanwhile.
const LOOKED_AT_MAX: usize = 1000;

/// The demands that were hopeless at the last look.
#[derive(Debug, Default)]
pub(crate) struct Hopeless {
    known: Vec<Resources>,
}

impl Hopeless {
    /// What is to be said of the demands that have become hopeless since the last look.
    pub(crate) fn look(&mut self, runtime: &Shared) -> Vec<String> {
        let found = found(runtime);
        let is_new = |one: &&Found| !self.known.contains(&one.wants);
        let mut said: Vec<_> = found.iter().filter(is_new).map(ToString::to_string).collect();
        if said.len() > TOLD_MAX {
            let more = said.len() - TOLD_MAX;
            said.truncate(TOLD_MAX);
            said.push(format!("{more} more demands wait for what no node has"));
        }
        self.known = found.into_iter().map(|one| one.wants).collect();
        said
    }
}

/// A demand that cannot be met.
struct Found {
    wants: Resources,
    /// One who waits for it, and how many do.
    who: String,
    count: usize,
    nearest: String,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { wants, who, count, nearest } = self;
        write!(f, "{who} waits for {wants}, which no node has: {nearest}")?;
        match count - 1 {
            0 => Ok(()),
            more => write!(f, "; {more} more wait for as much"),
        }
    }
}

/// What is nearest to a demand, in a sentence, where no process has all of it.
pub(crate) fn why(runtime: &Shared, wants: &Resources) -> Option<String> {
    let peers = runtime.peers.seen();
    let found = nearest(wants, peers.iter().map(|peer| &peer.total))?;
    let peer = &peers[found.place];
    Some(if found.has.is_none() {
        "none of them has any of it".to_owned()
    } else {
        format!("the nearest are {} of {}", found.has, peer.name)
    })
}

fn found(runtime: &Shared) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    let mut possible: Vec<Resources> = Vec::new();
    let mut waits = |wants: Resources, name: &str| {
        if possible.contains(&wants) {
            return;
        }
        if let Some(known) = all.iter_mut().find(|one| one.wants == wants) {
            known.count += 1;
            return;
        }
        if all.len() + possible.len() >= DIFFERENT_MAX {
            return;
        }
        match why(runtime, &wants) {
            Some(nearest) => {
                let who = name.to_owned();
                all.push(Found { wants, who, count: 1, nearest });
            }
            None => possible.push(wants),
        }
    };
    runtime.peers.each_parked(LOOKED_AT_MAX, |plan| waits(plan.demand.running.clone(), &plan.name));
    if !runtime.lane.is_empty() {
        waits(Resources::cpus(1.0), "a task");
    }
    for cell in forest::cells(&runtime.table) {
        if cell.status().lifecycle == Lifecycle::Pending {
            waits(cell.options.demand().needed(), cell.probe.name());
        }
    }
    all
}
