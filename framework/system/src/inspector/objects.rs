//! The objects of this process, as records: what is still to come, what lies in a store, and what other processes hold.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use raytree_inspector::program;
use raytree_types::inspect::Role;
use raytree_types::state::{Listing, ObjectPlace, ObjectRecord, ObjectState, StateQuery};

use super::forest;
use super::state::Of;
use super::waiting_task::last;
use crate::object::kept::InStore;
use crate::object::seen::Seen;
use crate::runtime::Shared;
use crate::task::run::Runnable;
use crate::user::status::Cell;

impl Of<'_> {
    pub(super) fn objects(&self, query: &StateQuery) -> Listing<ObjectRecord> {
        let runtime = self.runtime;
        let mut all = Objects::of(self);
        let tasks = runtime.tasks.living();
        let cells = forest::cells(&runtime.table);
        all.are_used(&tasks, &cells);
        for task in tasks.iter().filter(|task| !task.plan().is_served) {
            let since = Some(task.times().submitted());
            let maker = task.known_as(runtime.id).to_string();
            all.comes(task.result(), (task.plan().name.clone(), maker), since);
        }
        for cell in cells.iter().filter(|cell| self.is_called(cell)) {
            for call in cell.open.all() {
                let maker = cell.known_as().to_string();
                all.comes(call.out, (last(call.label, 2).to_owned(), maker), None);
            }
        }
        for seen in runtime.shelf.all() {
            all.row(&seen);
        }
        for link in runtime.links.all() {
            let peer = link.peer.to_string();
            link.held_objects().iter().for_each(|seen| all.is_held(seen, &peer));
        }
        Listing::of(all.rows.into_iter(), 0, query)
    }
}

/// One object of this process. `home`: the other one that has it, where its value has not come.
pub(crate) fn one(runtime: &Shared, seen: &Seen, home: Option<&str>) -> ObjectRecord {
    let of = Of::this(runtime);
    let mut all = Objects::of(&of);
    all.are_used(&runtime.tasks.living(), &forest::cells(&runtime.table));
    for link in runtime.links.all() {
        let peer = link.peer.to_string();
        let held = link.held_objects();
        held.iter().filter(|held| held.at == seen.at).for_each(|held| all.is_held(held, &peer));
    }
    let record = all.row(seen).clone();
    match home {
        Some(home) if seen.state == ObjectState::Pending => {
            ObjectRecord { owner: home.to_owned(), place: Some(ObjectPlace::Elsewhere), ..record }
        }
        _ => record,
    }
}

/// What this process is called, as others list it.
fn own_name(runtime: &Shared) -> String {
    match runtime.door.role() {
        Role::Program => program(),
        Role::Part { name } => name.clone(),
        other => other.to_string(),
    }
}

/// The node on which a worker is: `job-1 on node-1` is on `node-1`. Those of a program's own nodes are on none of a cluster.
fn node_of(process: &str) -> Option<String> {
    process.rsplit_once(" on ").map(|(_, node)| node.to_owned())
}

/// The objects of a process, each once.
struct Objects {
    pid: u32,
    owner: String,
    zero: Duration,
    rows: Vec<ObjectRecord>,
    /// The row of the one that is there in memory.
    places: HashMap<usize, usize>,
    /// How many tasks and calls have the one that is there as an argument.
    used: HashMap<usize, u64>,
    /// Whose stores are behind these doors.
    stores: HashMap<String, String>,
}

impl Objects {
    fn of(of: &Of<'_>) -> Self {
        let owner = own_name(of.runtime);
        let others = of
            .runtime
            .links
            .all()
            .into_iter()
            .filter_map(|link| Some((link.store_door()?.to_owned(), node_of(&link.peer)?)));
        let mut stores: HashMap<_, _> = others.collect();
        // Last, so that it counts: a worker is on the node whose store it was told of.
        if let (Some(own), Some(node)) = (of.runtime.stores.own(), node_of(&owner)) {
            stores.insert(own.door().to_owned(), node);
        }
        let (pid, zero, rows) = (of.pid, of.zero, Vec::new());
        Self { pid, owner, zero, rows, places: HashMap::new(), used: HashMap::new(), stores }
    }

    /// These have objects as arguments.
    fn are_used(&mut self, tasks: &[Arc<dyn Runnable>], calls: &[Arc<Cell>]) {
        let of_tasks = tasks.iter().flat_map(|task| task.arguments());
        let of_calls = calls.iter().flat_map(|cell| cell.open.arguments());
        of_tasks.chain(of_calls).for_each(|at| *self.used.entry(at).or_default() += 1);
    }

    /// One that is still to come.
    fn comes(
        &mut self,
        seen: Option<Seen>,
        (name, made_by): (String, String),
        since: Option<Duration>,
    ) {
        let Some(seen) = seen else {
            // Nobody waits for it any more.
            let state = ObjectState::Pending;
            self.rows.push(ObjectRecord {
                owner: self.owner.clone(),
                since: since.map(|since| self.zero + since),
                made_by: Some(made_by),
                ..ObjectRecord::new(name, state, self.pid)
            });
            return;
        };
        let (zero, row) = (self.zero, self.row(&seen));
        row.name = name;
        row.made_by = (row.state == ObjectState::Pending).then_some(made_by);
        row.since = since.map(|since| zero + since).or(row.since);
    }

    /// One that a process holds.
    fn is_held(&mut self, seen: &Seen, by: &str) {
        let row = self.row(seen);
        // It may hold several references.
        if !row.held_by.iter().any(|holder| holder == by) {
            row.held_by.push(by.to_owned());
            row.holders += 1;
        }
    }

    /// The row of this one: a new one, or that which it has already.
    fn row(&mut self, seen: &Seen) -> &mut ObjectRecord {
        let place = *self.places.entry(seen.at).or_insert(self.rows.len());
        if place == self.rows.len() {
            let record = self.record(seen);
            self.rows.push(record);
        }
        &mut self.rows[place]
    }

    /// The node whose store it is, by name, or by where it gives objects to others.
    fn store_of(&self, part: &InStore) -> Option<String> {
        let name = self.stores.get(&part.door).cloned();
        name.or_else(|| part.far.map(|at| at.to_string()))
    }

    fn record(&self, seen: &Seen) -> ObjectRecord {
        let in_store = seen.in_store();
        let place = match &in_store {
            _ if seen.state != ObjectState::Ready => None,
            None => Some(ObjectPlace::Heap),
            Some(part) if part.far.is_some() => Some(ObjectPlace::Elsewhere),
            Some(part) if part.is_here => Some(ObjectPlace::Store),
            Some(_) => Some(ObjectPlace::Disk),
        };
        ObjectRecord {
            owner: self.owner.clone(),
            waiters: seen.waiters as u64,
            size: in_store.as_ref().map(|part| part.bytes),
            place,
            store: in_store.as_ref().and_then(|part| self.store_of(part)),
            references: seen.references as u64,
            pins: in_store.map_or(0, |part| part.looks as u64),
            used_by: self.used.get(&seen.at).copied().unwrap_or(0),
            since: seen.since.map(|since| self.zero + since),
            call_site: seen.source.line(),
            ..ObjectRecord::new(last(seen.source.label, 2), seen.state, self.pid)
        }
    }
}
