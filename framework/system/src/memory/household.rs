//! What the watch does to a runtime.

use std::sync::{Arc, Weak};

use raytree_engine::memory::{Kind, Process, Reading, Shortage};
use raytree_memory::{Household, Lost, Meter};
use raytree_supervise::clock;

use super::lost;
use crate::cluster::mirror::NodeMsg;
use crate::cluster::node::Node;
use crate::runtime::Shared;

/// The runtime, with its isolated processes and its nodes.
pub(super) struct Own(pub(super) Weak<Shared>);

impl Household for Own {
    fn processes(&self, meter: &dyn Meter) -> Vec<Process> {
        let Some(runtime) = self.0.upgrade() else { return Vec::new() };
        let nodes = runtime.memory.nodes();
        let now = clock::now();
        let offered: Vec<_> =
            nodes.iter().filter_map(|node| node.below.offer(meter, now)).collect();
        // Asked after that. One that has isolated processes is not ended before those are known.
        let all_have_said = nodes.iter().all(|node| node.below.has_said(now));
        let shared = nodes.iter().filter(|_| all_have_said);
        let shared = shared.filter_map(|node| {
            let id = node.peer.process()?;
            let own = meter.process(id)?;
            let (kind, age) = (Kind::Shared, node.age(now));
            Some(Process { id, kind, is_idle: false, is_retriable: true, age, own })
        });
        runtime.memory.processes.processes(meter).into_iter().chain(offered).chain(shared).collect()
    }

    fn holds_back(&self, short: Option<Reading>) {
        let Some(runtime) = self.0.upgrade() else { return };
        let now = clock::now();
        for node in runtime.memory.nodes() {
            // Refused when its mirror has ended for good.
            _ = node.addr.cast(match short {
                Some(reading) => {
                    node.below.tell(now);
                    NodeMsg::Short(reading)
                }
                None => {
                    node.below.forget();
                    NodeMsg::Eased
                }
            });
        }
        if let Some((depot, _)) = runtime.stores.depot() {
            depot.is_short(short.is_some());
        }
        runtime.holds_back(short);
    }

    fn spills(&self) -> bool {
        let Some(runtime) = self.0.upgrade() else { return false };
        runtime.stores.depot().is_some_and(|(depot, _)| depot.spills())
    }

    fn end(&self, process: u32, own: u64, shortage: Shortage) -> Option<Lost> {
        let runtime = self.0.upgrade()?;
        let isolated = runtime.memory.processes.end(process, own, shortage);
        let of = |node: &Arc<Node>| end_of(node, &runtime, (process, own, shortage));
        isolated.or_else(|| runtime.memory.nodes().iter().find_map(of))
    }
}

/// Ends a node, or a process below it.
fn end_of(
    node: &Node,
    runtime: &Shared,
    (process, own, shortage): (u32, u64, Shortage),
) -> Option<Lost> {
    let name = node.name();
    if node.peer.process() == Some(process) {
        // Before it ends: what it has leaves with it.
        let things = lost::with(runtime, name, node.peer.link().as_deref());
        let error = shortage.error(format!("{name} (process {process})"), own);
        _ = node.addr.cast(NodeMsg::Sacrificed(Box::new(error)));
        return Some(Lost { name: name.to_owned(), things });
    }
    node.below.has_offered(process).then(|| {
        let limit = shortage.limit;
        _ = node.addr.cast(NodeMsg::Sacrifice { process, limit });
        Lost { name: format!("an isolated process of {name}"), things: Vec::new() }
    })
}
