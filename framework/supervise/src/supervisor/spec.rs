//! Child specs: what a supervisor must know to start, end and restart a child.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use ractor::actor::messages::BoxedState;
use ractor::{ActorCell, ActorRuntime};
use raytree_engine::supervision::{Budget, ChildPolicy, GroupPolicy};
use raytree_types::{Backoff, ExitKind, Restart, RestartLimit, Shutdown, Strategy};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::observer::Observer;
use super::{Supervisor, SupervisorMsg};
use crate::actor::{Actor, Failure};
use crate::addr::Addr;
use crate::envelope::{Body, Envelope, Guard};
use crate::instrumented::Instrumented;
use crate::panics;
use crate::probe::Probe;

/// One child. Defaults: permanent, counted against the supervisor, 5 s to stop.
#[must_use]
pub struct ChildSpec {
    pub(super) policy: ChildPolicy,
    pub(super) body: Box<dyn ChildBody>,
    pub(super) observer: Option<Box<dyn Observer>>,
    pub(super) tag: Option<u64>,
    /// A supervisor has it: from then on the supervisor tells the observer.
    pub(super) adopted: bool,
}

impl ChildSpec {
    /// An actor behind `addr`; `args` makes the arguments of each life.
    pub fn actor<A: Actor>(
        addr: &Addr<A::Msg>,
        args: impl FnMut() -> A::Args + Send + 'static,
    ) -> Self {
        let body = ActorBody::<A> { addr: addr.clone(), args: Box::new(args), runtime: None };
        Self::of(Box::new(body))
    }

    /// A supervisor behind `addr`; `spec` describes it anew for each life. It is waited for when it shuts down: each of
    /// its children has a deadline of its own.
    pub fn supervisor(
        addr: &Addr<SupervisorMsg>,
        spec: impl FnMut() -> SupervisorSpec + Send + 'static,
    ) -> Self {
        Self::actor::<Supervisor>(addr, spec).shutdown(Shutdown::Wait)
    }

    fn of(body: Box<dyn ChildBody>) -> Self {
        Self { policy: ChildPolicy::default(), body, observer: None, tag: None, adopted: false }
    }

    /// Which ends lead to a restart.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.policy.restart = restart;
        self
    }

    /// How it is ended.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.policy.shutdown = shutdown;
        self
    }

    /// The waits between its restarts.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy.backoff = backoff;
        self
    }

    /// Its restarts count against a total of its own instead of the supervisor's intensity.
    pub fn own_restarts(mut self, total: u32) -> Self {
        self.policy.budget = Budget::Own(total);
        self
    }

    /// A number by which [`SupervisorMsg::EndChild`] finds it; unique among the living children of its supervisor.
    pub fn tag(mut self, tag: u64) -> Self {
        self.tag = Some(tag);
        self
    }

    /// Who is told of its fate.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// The tokio runtime it runs on; default: the supervisor's own.
    pub fn on(mut self, runtime: Handle) -> Self {
        self.body.run_on(runtime);
        self
    }
}

/// A spec that was sent to a supervisor which died before it read the message: its observer is told, as if the child had
/// died with the supervisor.
impl Drop for ChildSpec {
    fn drop(&mut self) {
        if !self.adopted && self.tag.is_some() {
            super::orphan(self);
        }
    }
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("child", &self.body.probe().name())
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// What a supervisor is: its strategy, its limit and the children it begins with, in start order.
#[derive(Debug, Default)]
#[must_use]
pub struct SupervisorSpec {
    pub(super) policy: GroupPolicy,
    pub(super) children: Vec<ChildSpec>,
}

impl SupervisorSpec {
    /// No children yet; 5 restarts in 30 s.
    pub fn new(strategy: Strategy) -> Self {
        let policy = GroupPolicy { strategy, ..GroupPolicy::default() };
        Self { policy, children: Vec::new() }
    }

    /// When it gives up and fails itself.
    pub fn limit(mut self, max: u32, within: std::time::Duration) -> Self {
        self.policy.limit = RestartLimit { max, within };
        self
    }

    /// Its children know nothing of each other: in a shutdown they end all at once.
    pub fn independent(mut self) -> Self {
        self.policy.independent = true;
        self
    }

    /// One more child, started after those before it.
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }
}

/// A child, whatever its type: what the supervisor does to it.
pub(super) trait ChildBody: Send {
    fn probe(&self) -> &Arc<Probe>;
    fn run_on(&mut self, runtime: Handle);
    fn spawn(&mut self, supervisor: ActorCell, life: u32) -> Result<ActorCell, Failure>;
    /// Asks the current life to end in order.
    fn stop(&self, drain: bool);
    /// Drops what is left of a killed life where its code runs; ready when that is done.
    fn bury(&self, remains: BoxedState) -> JoinHandle<()>;
    /// There will be no further life.
    fn close(&self, last: ExitKind);
}

struct ActorBody<A: Actor> {
    addr: Addr<A::Msg>,
    args: Box<dyn FnMut() -> A::Args + Send>,
    runtime: Option<Handle>,
}

impl<A: Actor> ChildBody for ActorBody<A> {
    fn probe(&self) -> &Arc<Probe> {
        self.addr.probe()
    }

    fn run_on(&mut self, runtime: Handle) {
        self.runtime = Some(runtime);
    }

    fn spawn(&mut self, supervisor: ActorCell, life: u32) -> Result<ActorCell, Failure> {
        let args = (self.args)();
        let part = self.addr.probe().body.before_spawn();
        // ractor spawns on the runtime that is entered.
        let _entered = self.runtime.as_ref().map(Handle::enter);
        let (actor, _started) = ActorRuntime::<Instrumented<A>>::spawn_linked_instant(
            None,
            Instrumented::new(life),
            (self.addr.clone(), part, args),
            supervisor,
        )?;
        let cell = actor.get_cell();
        self.addr.probe().body.spawned(cell.clone());
        Ok(cell)
    }

    fn stop(&self, drain: bool) {
        let Some(cell) = self.addr.probe().body.cell() else { return };
        if TypeId::of::<A>() == TypeId::of::<Supervisor>() {
            // It ends its own children first; ractor's stop would kill them. To this very life, not to its address: the
            // next life must not hear of it. Refused when the life is ending already.
            let guard = Guard::new(self.addr.probe(), None);
            let body = Body::Message(SupervisorMsg::Shutdown);
            _ = cell.send_message(Envelope { body, guard });
        } else if drain {
            self.addr.drain(&cell);
        } else {
            cell.stop(Some("stopped by its supervisor".to_owned()));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the supervisor awaits it as piped work")]
    fn bury(&self, remains: BoxedState) -> JoinHandle<()> {
        let bury = async move {
            // The panic of a `Drop` has nobody left to blame.
            _ = panics::catch(|| drop(remains));
        };
        match &self.runtime {
            Some(runtime) => runtime.spawn(bury),
            None => tokio::spawn(bury),
        }
    }

    fn close(&self, last: ExitKind) {
        self.addr.close(last);
    }
}
