//! The one implementation of ractor's `Actor`: runs an [`Actor`] and keeps its probe.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use ractor::{ActorProcessingErr, ActorRef, SupervisionEvent};
use raytree_types::inspect::ActorState;
use raytree_types::{Cause, ExitKind};

use crate::actor::{Actor, Context, ExitError, Failure, Message};
use crate::addr::{Addr, LifeToken};
use crate::envelope::{Body, Envelope};
use crate::life::Part;
use crate::panics;
use crate::probe::Probe;

/// An [`Actor`] on ractor: counts its messages, knows what it is doing, catches its panics with their place.
#[derive(Debug)]
pub struct Instrumented<A> {
    life: u32,
    token: LifeToken,
    _actor: PhantomData<fn() -> A>,
}

impl<A> Instrumented<A> {
    pub(crate) fn new(life: u32) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { life, token: NEXT.fetch_add(1, Ordering::Relaxed), _actor: PhantomData }
    }
}

/// The actor between its lives' events.
#[derive(Debug)]
pub struct Running<A: Actor> {
    actor: Option<A>,
    args: Option<A::Args>,
    ctx: Context<A::Msg>,
    _down: DownOnDrop<A::Msg>,
}

/// Parks the address however the life ends, also when its supervisor is gone already.
#[derive(Debug)]
struct DownOnDrop<M: Message>(Addr<M>, LifeToken);

impl<M: Message> Drop for DownOnDrop<M> {
    fn drop(&mut self) {
        self.0.down(self.1);
    }
}

impl<A: Actor> ractor::Actor for Instrumented<A> {
    type Msg = Envelope<A::Msg>;
    type State = Running<A>;
    type Arguments = (Addr<A::Msg>, Part, A::Args);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (addr, part, args): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        // Nothing that can fail: an actor is linked only after this, and nobody would hear.
        let down = DownOnDrop(addr.clone(), self.token);
        let ctx = Context::new(addr, myself, self.life, part);
        Ok(Running { actor: None, args: Some(args), ctx, _down: down })
    }

    async fn post_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let probe = state.ctx.addr.probe().clone();
        if !probe.body.is_linked_now() {
            return Err(exit(
                &probe,
                ExitKind::Killed { reason: "killed before it started".to_owned() },
            ));
        }
        let Some(args) = state.args.take() else { return Ok(()) };
        let begun = probe.begins("start");
        let started = panics::watch(A::start(&state.ctx, args)).await;
        probe.has_started(begun);
        let during = begun.label;
        match started {
            Ok(Ok(actor)) => {
                state.actor = Some(actor);
                probe.set_state(ActorState::Running);
                state.ctx.addr.up(state.ctx.myself.clone(), self.token);
                Ok(())
            }
            Ok(Err(Failure(kind))) => Err(exit(
                &probe,
                match *kind {
                    ExitKind::Failed(cause) => ExitKind::Constructor(cause.during(during)),
                    other => other,
                },
            )),
            Err(cause) => Err(exit(&probe, ExitKind::Constructor(cause.during(during)))),
        }
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        envelope: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let probe = state.ctx.addr.probe().clone();
        match state.step(&probe, envelope).await {
            Ok(()) => Ok(()),
            Err(kind) => Err(state.fail(self.token, &probe, kind)),
        }
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let Running { actor: Some(actor), ctx, .. } = state else { return Ok(()) };
        let probe = ctx.addr.probe().clone();
        let kind = match panics::catch(|| actor.child_event(ctx, event)) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(Failure(kind))) => *kind,
            Err(cause) => ExitKind::Panicked(cause.during("child_event")),
        };
        Err(state.fail(self.token, &probe, kind))
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let probe = state.ctx.addr.probe().clone();
        let Running { actor: Some(actor), ctx, .. } = state else { return Ok(()) };
        let stopped = match probe.body.takes_failed_work() {
            Some(cause) => Err(cause),
            None => panics::watch(actor.stopped(ctx)).await,
        };
        // The user's `Drop` runs here, on the actor's own thread, and its panic is a failure of the actor.
        let forgotten = state.forget();
        match stopped.and(forgotten) {
            Ok(()) => Ok(()),
            Err(cause) => Err(exit(&probe, ExitKind::Panicked(cause.during("stopped")))),
        }
    }
}

impl<A: Actor> Running<A> {
    async fn step(
        &mut self,
        probe: &Probe,
        Envelope { body, guard }: Envelope<A::Msg>,
    ) -> Result<(), ExitKind> {
        let Self { actor: Some(actor), ctx, .. } = self else { return Ok(()) };
        if let Some(cause) = probe.body.takes_failed_work() {
            return Err(ExitKind::Panicked(cause));
        }
        let message = match body {
            Body::Message(message) => message,
            Body::Wake if probe.body.takes_panic() => return Err(told_to_panic("idle")),
            Body::Wake => return Ok(()),
            Body::Ping(ping) => {
                ping.answer();
                return Ok(());
            }
        };
        let label = message.label();
        if probe.body.takes_panic() {
            return Err(told_to_panic(label));
        }
        let begun = probe.begins(label);
        let outcome = panics::watch(actor.handle(ctx, message)).await;
        probe.ends(begun);
        drop(guard);
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Failure(kind))) => Err(match *kind {
                ExitKind::Failed(cause) => ExitKind::Failed(cause.during(label)),
                other => other,
            }),
            Err(cause) => Err(ExitKind::Panicked(cause.during(label))),
        }
    }

    /// From now on messages wait for the next life, and the value is gone before anybody hears of the end.
    fn fail(&mut self, token: LifeToken, probe: &Probe, kind: ExitKind) -> ActorProcessingErr {
        self.ctx.addr.down(token);
        // A second panic, in the value's `Drop`, changes nothing about the cause.
        _ = self.forget();
        exit(probe, kind)
    }

    /// Drops the actor's value, here and now.
    fn forget(&mut self) -> Result<(), Cause> {
        let actor = self.actor.take();
        panics::catch(|| drop(actor))
    }
}

/// The *panic now* hook panics for real, so that what is tested is the real path.
fn told_to_panic(label: &'static str) -> ExitKind {
    #[expect(clippy::panic, reason = "the test hook whose purpose is to panic")]
    let caught = panics::catch(|| -> () { panic!("told to panic now") });
    match caught {
        Err(cause) => ExitKind::Panicked(cause.during(label)),
        Ok(()) => ExitKind::Stopped { reason: String::new() },
    }
}

fn exit(probe: &Probe, kind: ExitKind) -> ActorProcessingErr {
    probe.body.failed(&kind);
    Box::new(ExitError(kind))
}
