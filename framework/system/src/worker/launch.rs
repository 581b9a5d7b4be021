//! How a user actor is started, with its type erased: kept by the directory for as long as the actor may live again.

use std::sync::{Arc, Weak};

use raytree_supervise::{Addr, ChildSpec};
use raytree_types::{Exit, ExitKind, Incarnation, Restart};

use crate::link::Token;
use crate::runtime::Shared;
use crate::runtime::life::Life;
use crate::user::actor::Actor;
use crate::user::handle::ActorHandle;
use crate::user::job::HostedMsg;
use crate::user::status::Cell;
use crate::worker::away::{Away, AwayArgs, Origin};
use crate::worker::host::HostObserver;
use crate::worker::hosted::{Hosted, HostedArgs};
use crate::worker::resident::{FollowArgs, Followed, Follows};

/// One user actor, whatever its type.
pub(crate) trait Launch: Send + Sync {
    /// The child spec of placement number `placement`, with `restarts` used up already.
    fn spec(&self, runtime: &Arc<Shared>, placement: u32, restarts: u32) -> ChildSpec;
    /// Tells it of the end of a child of its own.
    fn child_exited(&self, exit: &Exit);
    /// There will be no further life.
    fn close(&self, last: ExitKind);
    /// A handle on it as it lies beside a value; none where handles of its type do not travel.
    fn token(&self) -> Option<Arc<Token>>;
    /// Which life it has here, if another process has asked for it; else it is this process's own.
    fn given(&self) -> Option<Incarnation>;
}

pub(crate) struct Launcher<A: Actor> {
    pub(crate) addr: Addr<HostedMsg<A>>,
    pub(crate) cell: Arc<Cell>,
    pub(crate) body: BodyOf<A>,
    pub(crate) token: Option<TokenOf<A>>,
    /// Which life it has here, of an actor that another process has asked for.
    pub(crate) given: Option<Incarnation>,
}

/// What its lives are made of.
pub(crate) enum BodyOf<A: Actor> {
    /// They are lived here.
    Here(Arc<A::Args>),
    /// They are lived in another process.
    Away(Origin),
    /// They are the cluster's.
    Resident(Followed),
}

/// Makes a token of a handle.
pub(crate) type TokenOf<A> = fn(ActorHandle<A>, &'static Life) -> Arc<Token>;

impl<A: Actor> Launch for Launcher<A> {
    fn spec(&self, runtime: &Arc<Shared>, placement: u32, restarts: u32) -> ChildSpec {
        let options = &self.cell.options;
        let cell = Arc::clone(&self.cell);
        let weak: Weak<Shared> = Arc::downgrade(runtime);
        let first = Incarnation { placement, restart: 0 };
        let spec = match &self.body {
            BodyOf::Here(args) => {
                let (args, given) = (Arc::clone(args), self.given);
                ChildSpec::actor::<Hosted<A>>(&self.addr, move || HostedArgs {
                    cell: Arc::clone(&cell),
                    args: Arc::clone(&args),
                    first,
                    given,
                })
            }
            BodyOf::Away(origin) => {
                let (origin, given) = (origin.clone(), self.given);
                ChildSpec::actor::<Away<A>>(&self.addr, move || AwayArgs {
                    cell: Arc::clone(&cell),
                    origin: origin.clone(),
                    first,
                    given,
                })
            }
            BodyOf::Resident(followed) => {
                let followed = followed.clone();
                ChildSpec::actor::<Follows<A>>(&self.addr, move || FollowArgs {
                    cell: Arc::clone(&cell),
                    followed: followed.clone(),
                })
            }
        };
        spec.restart(Restart::Transient)
            .own_restarts(options.restarts_max().saturating_sub(restarts))
            .backoff(options.restart_backoff())
            .shutdown(options.shutdown())
            .tag(self.cell.tag)
            .observer(HostObserver::new(
                Arc::clone(&self.cell),
                weak,
                (placement, restarts),
                self.given.is_some() && matches!(self.body, BodyOf::Here(_)),
            ))
            .on(runtime.user.clone())
    }

    fn child_exited(&self, exit: &Exit) {
        // Refused only when the parent has ended itself, and then it no longer cares.
        _ = self.addr.cast(HostedMsg::ChildExited(Box::new(exit.clone())));
    }

    fn close(&self, last: ExitKind) {
        self.addr.close(last);
    }

    fn given(&self) -> Option<Incarnation> {
        self.given
    }

    fn token(&self) -> Option<Arc<Token>> {
        let runtime = self.cell.runtime.upgrade()?;
        let handle = ActorHandle { addr: self.addr.clone(), lease: self.cell.lease() };
        Some(self.token?(handle, runtime.life))
    }
}
