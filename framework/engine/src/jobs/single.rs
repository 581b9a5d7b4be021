//! Jobs with one worker in the whole cluster: where it is, and where it goes (JB-11).

use raytree_types::resources::CPU;
use raytree_types::{JobId, Resources};

use super::{Book, Effect};
use crate::membership::Name;

/// What a single job has.
#[derive(Debug)]
pub(super) struct Single {
    /// Where it has its seat.
    home: Option<Name>,
    /// The newest of its lives, wherever that was.
    life: u32,
    /// No process of it may run: it rests, or has no place.
    rests: bool,
    /// Since it needs another place every node was looked at, and none had room: only what changes has to be looked at.
    looked: bool,
}

impl Default for Single {
    fn default() -> Self {
        Self { home: None, life: 0, rests: true, looked: false }
    }
}

impl Single {
    pub(super) fn rests(&self) -> bool {
        self.rests
    }

    pub(super) fn begins(&mut self, life: u32) {
        (self.life, self.rests) = (life, false);
    }
}

impl Book {
    pub(super) fn is_single(&self, job: JobId) -> bool {
        self.jobs.get(&job).is_some_and(|known| known.single.is_some())
    }

    pub(super) fn single(&mut self, job: JobId) -> Option<&mut Single> {
        self.jobs.get_mut(&job)?.single.as_mut()
    }

    /// A life of its worker has ended.
    pub(super) fn rests(&mut self, job: JobId) {
        if let Some(single) = self.single(job) {
            (single.rests, single.looked) = (true, false);
            self.just_down.insert(job);
        }
    }

    /// Its node is down.
    pub(super) fn is_homeless(&mut self, job: JobId) {
        if let Some(single) = self.single(job) {
            (single.home, single.looked) = (None, false);
        }
    }

    /// Begins the next life of a single job that rests: at home once it is due, and elsewhere if its home takes no workers or
    /// it has none. `names` are the nodes that have changed.
    pub(super) fn seek(&mut self, job: JobId, names: &[Name], effects: &mut Vec<Effect>) {
        let Some((wants, single)) = self.wants_and_single(job) else { return };
        let (looked, life, home) = (single.looked, single.life, single.home.clone());
        let home = home.and_then(|name| Some((self.nodes.get_mut(&name)?, name)));
        let mut leaves = None;
        if let Some((node, name)) = home {
            let now = self.now;
            if !node.post(job).is_some_and(|post| post.may_begin(now)) {
                return;
            }
            if node.takes_workers() {
                return self.start_if_heard(&name, job, effects);
            }
            leaves = Some(name);
        }
        let place = if looked {
            self.best(names.iter(), &wants)
        } else {
            self.best(self.nodes.keys(), &wants)
        };
        if let Some(single) = self.single(job) {
            single.looked = place.is_none();
            single.home = place.clone().or(leaves.clone());
        }
        let Some(name) = place else { return };
        if let Some(left) = leaves.and_then(|name| self.nodes.get_mut(&name)) {
            // Nobody can have what comes free there before it takes workers again, and then it is offered.
            left.vacate(job, None);
        }
        if let Some(node) = self.nodes.get_mut(&name) {
            node.seat_single(job, wants, life);
        }
        self.start_if_heard(&name, job, effects);
    }

    fn wants_and_single(&self, job: JobId) -> Option<(Resources, &Single)> {
        let known = self.jobs.get(&job)?;
        Some((known.wants.clone().unwrap_or_default(), known.single.as_ref()?))
    }

    /// Of those with room the one with the most CPU free, then the first by name.
    fn best<'a>(&self, names: impl Iterator<Item = &'a Name>, wants: &Resources) -> Option<Name> {
        let known = names.filter_map(|name| Some((name, self.nodes.get(name)?)));
        let room = known.filter(|(_, node)| node.has_room_for(wants));
        let best = room.max_by(|(name, node), (other, than)| {
            let cpus = |free: &Resources| free.thousandths(CPU);
            cpus(node.free()).cmp(&cpus(than.free())).then_with(|| other.cmp(name))
        });
        best.map(|(name, _)| name.clone())
    }

    /// Until the tick after it has heard that it is down it only has its seat.
    fn start_if_heard(&mut self, name: &Name, job: JobId, effects: &mut Vec<Effect>) {
        if self.just_down.contains(&job) {
            self.quiet_until = self.quiet_until.min(self.now);
        } else {
            self.start(name, job, effects);
        }
    }
}
