//! The birth of actors.

use std::panic::Location;
use std::sync::Arc;

use raytree_engine::placement::Verdict;
use raytree_supervise::{Addr, Kind, short_type_name};
use raytree_types::{ActorId, ActorOptions, ExitKind, Result};

use super::{Runtime, Shared};
use crate::gcs::table::{Named, Owner, Place};
use crate::user::actor::Actor;
use crate::user::handle::ActorHandle;
use crate::user::status::Cell;
use crate::worker::launch::Launcher;

/// An actor that was asked for.
pub(crate) struct Born<A: Actor> {
    pub(crate) handle: ActorHandle<A>,
    /// False for one that had the name already.
    pub(crate) is_new: bool,
}

impl Runtime {
    pub(crate) fn create<A: Actor>(
        &self,
        args: A::Args,
        options: ActorOptions,
        owner: Option<ActorId>,
        (here, place): (&'static Location<'static>, Place),
    ) -> Result<Born<A>> {
        options.check()?;
        let shared = &self.shared;
        if shared.is_closing() {
            return Err(shared.gone());
        }
        let (cell, addr) = shared.cell::<A>(options, owner);
        let launcher =
            Launcher { addr: addr.clone(), args: Arc::new(args), cell: Arc::clone(&cell) };
        let named = shared.named::<A>(&cell, &addr, here);
        let share = cell.options.gets_if_exists();
        let entry = (Arc::clone(&cell), Arc::new(launcher) as _, place);
        if let Some(taken) = shared.table.insert(entry, named, share)? {
            let handle = taken.handle(&taken.key.1)?;
            return Ok(Born { handle, is_new: false });
        }
        let exists = shared.ledger.total();
        let feasible = exists.covers(&cell.options.demand().needed());
        if !feasible || (place == Place::Now && shared.place(&cell) == Verdict::Infeasible) {
            let error = cell.infeasible(&exists);
            shared.finish(cell.id, ExitKind::Stopped { reason: error.to_string() });
            return Err(error);
        }
        Ok(Born { handle: ActorHandle { addr, lease: cell.lease() }, is_new: true })
    }
}

impl Shared {
    fn cell<A: Actor>(
        self: &Arc<Self>,
        options: ActorOptions,
        owner: Option<ActorId>,
    ) -> (Arc<Cell>, Addr<crate::user::job::HostedMsg<A>>) {
        let id = self.ids.next();
        let type_name = short_type_name::<A>();
        let label = options.given_label().unwrap_or(type_name).to_owned();
        let bound = options.mailbox_bound();
        let addr = Addr::new(&format!("{label}#{:x}", id.number()), type_name, bound, Kind::User);
        addr.on_delivery(crate::user::job::HostedMsg::delivered);
        let probe = Arc::clone(addr.probe());
        let cell = Cell::new(id, label, options, owner, probe, Arc::downgrade(self));
        (Arc::new(cell), addr)
    }

    fn named<A: Actor>(
        &self,
        cell: &Arc<Cell>,
        addr: &Addr<crate::user::job::HostedMsg<A>>,
        here: &Location<'_>,
    ) -> Option<Named> {
        let name = cell.options.given_name()?.to_owned();
        let namespace = cell.options.given_namespace().unwrap_or(&self.namespace).to_owned();
        let owner = Arc::new(Owner { addr: addr.clone(), cell: Arc::clone(cell) });
        let type_name = short_type_name::<A>();
        Some(Named { key: (namespace, name), place: here.to_string(), type_name, owner })
    }

    /// The arguments of its constructor are there.
    pub(crate) fn place_at_last(self: &Arc<Self>, id: ActorId) {
        if !self.table.take_unplaced(id) {
            return;
        }
        if let Some(cell) = self.table.cell(id) {
            // That it is feasible was seen when it was created.
            _ = self.place(&cell);
        }
    }
}
