//! The birth of actors.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use raytree_engine::placement::Verdict;
use raytree_supervise::{Addr, Kind, short_type_name};
use raytree_types::{ActorId, ActorOptions, Error, ExitKind, Incarnation, Resources, Result};

use super::{Runtime, Shared};
use crate::gcs::table::{Named, Owner, Place};
use crate::link::Token;
use crate::task::context;
use crate::user::actor::Actor;
use crate::user::handle::ActorHandle;
use crate::user::status::{Cell, Spawner};
use crate::worker::away::Origin;
use crate::worker::launch::{BodyOf, Launcher, TokenOf};

/// An actor that was asked for.
pub(crate) struct Born<A: Actor> {
    pub(crate) handle: ActorHandle<A>,
    /// False for one that had the name already.
    pub(crate) is_new: bool,
}

/// A line of the program, in this process or in one that has asked this one.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    Here(&'static Location<'static>),
    There(String),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(location) => location.fmt(f),
            Self::There(location) => f.write_str(location),
        }
    }
}

/// What is known of an actor besides its options.
pub(crate) struct Making<A: Actor> {
    pub(crate) body: BodyOf<A>,
    /// Its owner, which ends after it.
    pub(crate) owner: Option<ActorId>,
    /// The line that asked for it, and when it is placed.
    pub(crate) here: (Line, Place),
    /// Its id, and which of its lives this is, where another process has given it one.
    pub(crate) id: Option<(ActorId, Incarnation)>,
    /// How a token is made of its handles, where they travel.
    pub(crate) token: Option<TokenOf<A>>,
}

impl Runtime {
    #[track_caller]
    pub(crate) fn spawn_owned<A: Actor>(
        &self,
        args: A::Args,
        options: ActorOptions,
        owner: Option<ActorId>,
    ) -> Result<ActorHandle<A>> {
        if options.isolation().is_some() {
            let reason = "only actors of types marked #[remote] can have a process of their own";
            return Err(Error::BadOption {
                option: "isolated".to_owned(),
                value: short_type_name::<A>().to_owned(),
                reason: reason.to_owned(),
            });
        }
        let here = (Line::Here(Location::caller()), Place::Now);
        let body = BodyOf::Here(Arc::new(args));
        let making = Making { body, owner, here, id: None, token: None };
        self.create(options, making).map(|born| born.handle)
    }

    pub(crate) fn create<A: Actor>(
        &self,
        options: ActorOptions,
        making: Making<A>,
    ) -> Result<Born<A>> {
        options.check()?;
        let shared = &self.shared;
        if shared.is_closing() {
            return Err(shared.gone());
        }
        let (place, token) = (making.here.1, making.token);
        let given = making.id.map(|(_, life)| life);
        let (cell, addr) = shared.cell::<A>(options, &making);
        let named = shared.named::<A>(&cell, &addr, &making.here.0, token);
        let (body, place_now) = (making.body, place == Place::Now);
        let is_begun_elsewhere =
            matches!(&body, BodyOf::Away(Origin::Begun(begun)) if !begun.is_own);
        let launcher = Launcher { addr: addr.clone(), cell: Arc::clone(&cell), body, token, given };
        let share = cell.options.gets_if_exists();
        let entry = (Arc::clone(&cell), Arc::new(launcher) as _, place);
        if let Some(taken) = shared.table.insert(entry, named, share)? {
            let handle = taken.handle(&taken.key.1)?;
            return Ok(Born { handle, is_new: false });
        }
        let exists = shared.exists_for(&cell, is_begun_elsewhere);
        let feasible = exists.covers(&cell.options.demand().needed());
        if !feasible || (place_now && shared.place(&cell) == Verdict::Infeasible) {
            let error = cell.infeasible(&exists);
            shared.finish(cell.id, ExitKind::Stopped { reason: error.to_string() });
            return Err(error);
        }
        Ok(Born { handle: ActorHandle { addr, lease: cell.lease() }, is_new: true })
    }
}

impl Shared {
    /// The most that an actor like this one could ever have.
    fn exists_for(&self, cell: &Cell, is_begun_elsewhere: bool) -> Resources {
        let needed = cell.options.demand().needed();
        if is_begun_elsewhere {
            self.exists_elsewhere(&needed)
        } else if cell.is_unbooked() {
            needed
        } else {
            self.ledger.total()
        }
    }

    fn cell<A: Actor>(
        self: &Arc<Self>,
        options: ActorOptions,
        making: &Making<A>,
    ) -> (Arc<Cell>, Addr<crate::user::job::HostedMsg<A>>) {
        let id = making.id.map_or_else(|| self.ids.next(), |(id, _)| id);
        let type_name = short_type_name::<A>();
        let label = options.given_label().unwrap_or(type_name).to_owned();
        let bound = options.mailbox_bound();
        let addr = Addr::new(&format!("{label}#{:x}", id.number()), type_name, bound, Kind::User);
        addr.on_delivery(crate::user::job::HostedMsg::delivered);
        let probe = Arc::clone(addr.probe());
        probe.is_actor(id);
        let cell = Cell::new(id, label, options, making.owner, probe, Arc::downgrade(self));
        let cell = cell.spawned_in(self.spawner(making));
        let cell = match &making.body {
            // A program with nodes has no books of its own. What cannot travel is its own affair.
            BodyOf::Here(_) if self.peers.any() => cell.unbooked(),
            BodyOf::Here(_) => cell,
            // A process of its own takes of this node what its actor takes.
            BodyOf::Away(Origin::Begun(begun)) if begun.is_own => cell,
            BodyOf::Resident(followed) => {
                let cell = cell.unbooked();
                cell.follows(Arc::clone(&followed.resident));
                cell
            }
            BodyOf::Away(origin) => {
                let cell = cell.unbooked();
                match origin {
                    Origin::Imported(imported) => cell.comes_from(Arc::clone(imported)),
                    Origin::Made(made) => cell.is_made(Arc::clone(made)),
                    Origin::Begun(_) => {}
                }
                cell
            }
        };
        (Arc::new(cell), addr)
    }

    /// Whose body in this process wants it. One that another process has sent may have begun here, and come back.
    fn spawner<A: Actor>(&self, making: &Making<A>) -> Option<Spawner> {
        if let Some((id, _)) = making.id {
            return self.table.cell(id)?.spawned_by();
        }
        let task = || context::task().map(|task| Spawner::Task(task.id()));
        making.owner.map(Spawner::Actor).or_else(task)
    }

    fn named<A: Actor>(
        &self,
        cell: &Arc<Cell>,
        addr: &Addr<crate::user::job::HostedMsg<A>>,
        here: &Line,
        token: Option<TokenOf<A>>,
    ) -> Option<Named> {
        let name = cell.options.given_name()?.to_owned();
        let namespace = cell.options.given_namespace().unwrap_or(&self.namespace).to_owned();
        let owner = Arc::new(Owner { addr: addr.clone(), cell: Arc::clone(cell) });
        let type_name = short_type_name::<A>();
        let token = token.map(|token| {
            let (owner, life) = (Arc::clone(&owner), self.life);
            let handle = move || {
                let lease = owner.cell.lease();
                token(ActorHandle { addr: owner.addr.clone(), lease }, life)
            };
            Box::new(handle) as Box<dyn Fn() -> Arc<Token> + Send + Sync>
        });
        Some(Named { key: (namespace, name), place: here.to_string(), type_name, owner, token })
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
