//! The supervisor: starts children in order, restarts what fails, gives up when it must, shuts down in order.
//!
//! - **Parent:** another supervisor, or none for the [root](root::Root).
//! - **Children:** those of its [`SupervisorSpec`], and whoever is added with [`SupervisorMsg::StartChild`].
//! - **After a restart:** the children of its spec are started anew; added ones are gone, and their observers told.
//! - **Tells:** the [`Observer`] of each child; its own supervisor by failing, when the intensity is exceeded.
//!
//! All decisions are [`Supervision`]'s; this actor turns them into ractor's words and ractor's events into its inputs.
//! It never awaits: waiting for a subtree's end is piped.
//!
//! Invariants:
//! - **SU-1 (subtree-first):** a child is reported ended only after everything below it has ended.
//! - **SU-2 (closed):** the address of a child that will not live again is closed; one that may (its supervisor ends and
//!   may be restarted) stays open.

mod log;
pub(crate) mod observer;
pub(crate) mod root;
pub(crate) mod spec;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use ractor::actor::messages::BoxedState;
use ractor::{ActorId, SupervisionEvent};
use raytree_engine::supervision::{ChildKey, Effect, EndReason, Input, Life, Supervision, Timer};
use raytree_types::inspect::ActorState;
use raytree_types::{Cause, ExitKind, RestartLimit, Shutdown, limits};
use tokio::task::AbortHandle;

use crate::actor::{Actor, Context, ExitError, Failure};
use spec::{ChildSpec, SupervisorSpec};

/// What a supervisor can be told.
#[derive(strum::IntoStaticStr)]
pub enum SupervisorMsg {
    /// Start one more child.
    StartChild(Box<ChildSpec>),
    /// End the child with this tag, in order or at once.
    EndChild {
        /// The tag of its spec.
        tag: u64,
        /// At once.
        kill: bool,
        /// Why, for the record.
        reason: String,
    },
    /// End all children in order, then yourself.
    Shutdown,
    /// Timer.
    Fired(Timer),
    /// Everything below an ended child has ended too.
    SubtreeEnded {
        /// Which child.
        key: ChildKey,
        /// Which life of it.
        life: Life,
    },
}

impl fmt::Debug for SupervisorMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.into())
    }
}

/// The supervisor: starts children in order, restarts what fails, gives up when it must, shuts down in order.
///
/// All decisions are those of `raytree_engine::supervision`. It never awaits: waiting for a subtree's end is piped.
pub struct Supervisor {
    engine: Supervision,
    children: HashMap<ChildKey, Child>,
    by_body: HashMap<ActorId, ChildKey>,
    by_tag: HashMap<u64, ChildKey>,
    next_key: ChildKey,
    limit: RestartLimit,
    /// Why this supervisor is about to fail.
    gave_up: Option<Cause>,
}

struct Child {
    spec: ChildSpec,
    /// Not part of the supervisor's own spec: it does not live again with the supervisor's next life.
    added: bool,
    life: Life,
    body: Option<ActorId>,
    last: ExitKind,
    /// What the one who ended it said, and whether it was to end at once.
    end: Option<(bool, String)>,
    /// It is between two lives.
    between: bool,
    /// Deadlines and waits that concern it.
    timers: Vec<AbortHandle>,
}

impl Actor for Supervisor {
    type Msg = SupervisorMsg;
    type Args = SupervisorSpec;

    async fn start(ctx: &Context<SupervisorMsg>, spec: SupervisorSpec) -> Result<Self, Failure> {
        let probe = ctx.addr().probe();
        probe.treats(spec.policy);
        // What an earlier life left behind has ended by now (SU-1).
        probe.orphan_all();
        let mut supervisor = Self {
            engine: Supervision::new(spec.policy),
            children: HashMap::new(),
            by_body: HashMap::new(),
            by_tag: HashMap::new(),
            next_key: 0,
            limit: spec.policy.limit,
            gave_up: None,
        };
        for child in spec.children {
            supervisor.adopt(ctx, child, false)?;
        }
        Ok(supervisor)
    }

    async fn handle(
        &mut self,
        ctx: &Context<SupervisorMsg>,
        message: SupervisorMsg,
    ) -> Result<(), Failure> {
        match message {
            SupervisorMsg::StartChild(spec) => self.adopt(ctx, *spec, true),
            SupervisorMsg::EndChild { tag, kill, reason } => self.end(ctx, tag, kill, reason),
            SupervisorMsg::Shutdown => self.shut_down(ctx),
            SupervisorMsg::Fired(timer) => self.step(ctx, Input::Timer(timer)),
            SupervisorMsg::SubtreeEnded { key, life } => self.subtree_ended(ctx, key, life),
        }
    }

    fn child_event(
        &mut self,
        ctx: &Context<SupervisorMsg>,
        event: SupervisionEvent,
    ) -> Result<(), Failure> {
        match event {
            SupervisionEvent::ActorStarted(cell) => self.started(ctx, cell.get_id()),
            SupervisionEvent::ActorTerminated(cell, remains, reason) => {
                let reason = reason.unwrap_or_default();
                self.exited(ctx, cell.get_id(), Ended::Ended { reason, remains })
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                let kind = match error.downcast::<ExitError>() {
                    Ok(exit) => exit.0,
                    Err(error) => ExitKind::Failed(Cause::message(error.to_string())),
                };
                self.exited(ctx, cell.get_id(), Ended::Failed(kind))
            }
            SupervisionEvent::ProcessGroupChanged(_) | SupervisionEvent::PidLifecycleEvent(_) => {
                Ok(())
            }
        }
    }
}

/// An end as ractor tells it.
enum Ended {
    Failed(ExitKind),
    Ended { reason: String, remains: Option<BoxedState> },
}

impl Supervisor {
    fn adopt(
        &mut self,
        ctx: &Context<SupervisorMsg>,
        mut spec: ChildSpec,
        added: bool,
    ) -> Result<(), Failure> {
        spec.adopted = true;
        if self.engine.is_closing() {
            let last = ExitKind::Stopped { reason: "its supervisor is shutting down".to_owned() };
            tell_end(&mut spec, EndReason::Stopped, &last);
            return Ok(());
        }
        let key = self.next_key;
        self.next_key += 1;
        let policy = spec.policy;
        spec.body.probe().is_treated(policy);
        ctx.addr().probe().adopt(key, spec.body.probe());
        if let Some(tag) = spec.tag {
            self.by_tag.insert(tag, key);
        }
        let last = ExitKind::Stopped { reason: "never started".to_owned() };
        let child = Child {
            spec,
            added,
            life: 0,
            body: None,
            last,
            end: None,
            between: true,
            timers: Vec::new(),
        };
        self.children.insert(key, child);
        self.step(ctx, Input::Adopt(key, policy))
    }

    fn end(
        &mut self,
        ctx: &Context<SupervisorMsg>,
        tag: u64,
        kill: bool,
        reason: String,
    ) -> Result<(), Failure> {
        let Some(&key) = self.by_tag.get(&tag) else { return Ok(()) };
        if let Some(child) = self.children.get_mut(&key) {
            child.end = Some((kill, reason));
        }
        self.step(ctx, Input::End(key, kill))
    }

    fn shut_down(&mut self, ctx: &Context<SupervisorMsg>) -> Result<(), Failure> {
        ctx.addr().probe().set_state(ActorState::Stopping);
        self.step(ctx, Input::Shutdown)
    }

    fn started(&mut self, ctx: &Context<SupervisorMsg>, body: ActorId) -> Result<(), Failure> {
        let Some(&key) = self.by_body.get(&body) else { return Ok(()) };
        let Some(child) = self.children.get_mut(&key) else { return Ok(()) };
        log::up(child.spec.body.probe(), child.life);
        if let Some(observer) = &mut child.spec.observer {
            observer.started(child.life);
        }
        let life = child.life;
        self.step(ctx, Input::Started(key, life))
    }

    fn exited(
        &mut self,
        ctx: &Context<SupervisorMsg>,
        body: ActorId,
        ended: Ended,
    ) -> Result<(), Failure> {
        let Some(key) = self.by_body.remove(&body) else { return Ok(()) };
        let Some(child) = self.children.get_mut(&key) else { return Ok(()) };
        let probe = Arc::clone(child.spec.body.probe());
        let (kind, remains) = child.read_end(ended);
        log::exited(&probe, &kind);
        let before = child.spec.observer.as_mut().and_then(|o| o.exited(child.life, &kind));
        child.last = kind;
        child.body = None;
        let (life, below) = (child.life, probe.lives_below());
        let buried = remains.map(|remains| child.spec.body.bury(remains));
        // ractor has told everything below to end, and does not wait for it. We do (SU-1): for the life itself however
        // long it takes, because two lives of one actor are worse than none; for those below as long as for any killed
        // actor, because one that hangs must not hold up all the others.
        ctx.pipe(async move {
            if let Some(buried) = buried {
                // It catches its own panics; an error means that its runtime is gone.
                _ = buried.await;
            }
            probe.life_over().await;
            let all = join_all(below.iter().map(|end| end.wait()));
            if tokio::time::timeout(limits::KILL_GRACE, all).await.is_err() {
                let late = below.iter().filter(|end| !end.is_over()).count();
                probe.note(format!("left {late} behind below that did not end"));
            }
            if let Some(before) = before {
                before.await;
            }
            Some(SupervisorMsg::SubtreeEnded { key, life })
        });
        Ok(())
    }

    fn subtree_ended(
        &mut self,
        ctx: &Context<SupervisorMsg>,
        key: ChildKey,
        life: Life,
    ) -> Result<(), Failure> {
        let Some(child) = self.children.get(&key) else { return Ok(()) };
        let normal = child.last.is_normal();
        self.step(ctx, Input::Exited { key, life, normal })
    }

    fn step(&mut self, ctx: &Context<SupervisorMsg>, input: Input) -> Result<(), Failure> {
        for effect in self.engine.step(input, ctx.now()) {
            self.apply(ctx, effect)?;
        }
        Ok(())
    }

    /// The only place where decisions become acts.
    fn apply(&mut self, ctx: &Context<SupervisorMsg>, effect: Effect) -> Result<(), Failure> {
        match effect {
            Effect::Start(key, life) => return self.spawn(ctx, key, life),
            Effect::Stop(key, how) => self.with(key, |child| {
                child.spec.body.probe().set_state(ActorState::Stopping);
                child.spec.body.stop(matches!(how, Shutdown::Drain(_)));
            }),
            Effect::Kill(key) => self.with(key, |child| {
                child.spec.body.probe().set_state(ActorState::Stopping);
                child.spec.body.probe().body.kill();
            }),
            Effect::Arm(timer, after) => self.arm(ctx, timer, after),
            Effect::Restarting { key, restarts, after } => self.with(key, |child| {
                child.between = true;
                log::restarting(child.spec.body.probe(), restarts, after);
                if let Some(observer) = &mut child.spec.observer {
                    observer.restarting(restarts, after);
                }
            }),
            Effect::Ended(key, reason) => self.ended(ctx, key, reason),
            Effect::Done { failed: None } => ctx.stop("shut down"),
            Effect::Done { failed: Some(key) } => {
                debug_assert!(self.gave_up.is_some(), "child {key} ended before Done");
                let text = "a child failed more often than is allowed".to_owned();
                let cause = self.gave_up.take().unwrap_or_else(|| Cause::message(text));
                return Err(Failure::of(cause));
            }
        }
        Ok(())
    }

    fn spawn(
        &mut self,
        ctx: &Context<SupervisorMsg>,
        key: ChildKey,
        life: Life,
    ) -> Result<(), Failure> {
        let Some(child) = self.children.get_mut(&key) else { return Ok(()) };
        child.life = life;
        child.between = false;
        child.stop_timers();
        child.spec.body.probe().set_state(ActorState::Starting);
        let cell = child.spec.body.spawn(ctx.cell(), life)?;
        child.body = Some(cell.get_id());
        self.by_body.insert(cell.get_id(), key);
        Ok(())
    }

    fn arm(&mut self, ctx: &Context<SupervisorMsg>, timer: Timer, after: Duration) {
        let handle = ctx.send_after(after, SupervisorMsg::Fired(timer));
        if let Timer::Restart(key, _) | Timer::Deadline(key, _) | Timer::Grace(key, _) = timer {
            self.with(key, |child| child.timers.push(handle));
        }
    }

    fn ended(&mut self, ctx: &Context<SupervisorMsg>, key: ChildKey, reason: EndReason) {
        let Some(mut child) = self.children.remove(&key) else { return };
        if let Some(body) = child.body.take() {
            self.by_body.remove(&body);
        }
        if let Some(tag) = child.spec.tag {
            self.by_tag.remove(&tag);
        }
        if reason == EndReason::GaveUp {
            let (own, probe) = (ctx.addr().probe(), child.spec.body.probe());
            self.gave_up = Some(log::gave_up(own, probe, self.limit, &child.last));
        }
        child.stop_timers();
        let last = match (reason, child.end.take()) {
            (EndReason::Abandoned, _) => ExitKind::Killed {
                reason: "killed, and did not end in time: its thread is abandoned".to_owned(),
            },
            // Told to end between two lives; else its own end is the one that counts.
            (EndReason::Stopped, Some((true, reason))) if child.between => {
                ExitKind::Killed { reason }
            }
            (EndReason::Stopped, Some((false, reason))) if child.between => {
                ExitKind::Stopped { reason }
            }
            _ => child.last.clone(),
        };
        log::ended(child.spec.body.probe(), reason, &last);
        // A child of our spec that ends because we do will live again if we do: its address stays open, and the end
        // of the whole tree closes it (SU-2).
        if self.engine.is_closing() && !child.added {
            child.spec.body.probe().set_state(end_state(&last));
            return;
        }
        ctx.addr().probe().orphan(key);
        tell_end(&mut child.spec, reason, &last);
    }

    fn with(&mut self, key: ChildKey, act: impl FnOnce(&mut Child)) {
        if let Some(child) = self.children.get_mut(&key) {
            act(child);
        }
    }
}

/// A supervisor that ends without an ordered shutdown takes its children with it. Those of its spec live again with its
/// next life; those added later do so only if their observer takes them over (SU-2).
impl Drop for Supervisor {
    fn drop(&mut self) {
        for (_, mut child) in self.children.drain().filter(|(_, child)| child.added) {
            orphan(&mut child.spec);
        }
    }
}

impl Child {
    /// What an end means, given what was asked for.
    fn read_end(&mut self, ended: Ended) -> (ExitKind, Option<BoxedState>) {
        let asked = self.end.take().map(|(_, reason)| reason);
        let (reason, remains) = match ended {
            Ended::Failed(kind) => return (kind, None),
            Ended::Ended { reason, remains } => (reason, remains),
        };
        // ractor's word for both; only ours is a kill when an actor calls its own reason that.
        let killed = reason == "actor_task_cancelled" || self.spec.body.probe().body.was_killed();
        let reason = asked.unwrap_or(reason);
        if killed {
            (ExitKind::Killed { reason }, remains)
        } else {
            // Its value is gone already; what is left is ours.
            (ExitKind::Stopped { reason }, None)
        }
    }

    fn stop_timers(&mut self) {
        self.timers.drain(..).for_each(|timer| timer.abort());
    }
}

/// The child's supervisor has failed, or died before it took the child on.
fn orphan(spec: &mut ChildSpec) {
    let taken_over = spec.observer.as_mut().is_some_and(|observer| observer.orphaned());
    if !taken_over {
        let last = ExitKind::HostDied(Cause::message("its supervisor ended"));
        tell_end(spec, EndReason::Stopped, &last);
    }
}

fn tell_end(spec: &mut ChildSpec, reason: EndReason, last: &ExitKind) {
    spec.body.probe().set_state(end_state(last));
    spec.body.close(last.clone());
    spec.body.probe().close_below(last);
    if let Some(observer) = &mut spec.observer {
        observer.ended(reason, last);
    }
}

fn end_state(last: &ExitKind) -> ActorState {
    if last.is_normal() { ActorState::Stopped } else { ActorState::Failed }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("children", &self.children.len()).finish()
    }
}
