//! All sessions of a process.
//!
//! - **Parent:** whoever starts it; permanent.
//! - **Children:** the gate, and the line of each session with what is below it: actors of `ractor_cluster`'s kind, without
//!   restarts. They are not linked: this holds them, and its end, of whatever kind, kills them.
//! - **After a restart:** there are no sessions; those of the life before are lost. What was opened meanwhile is opened now.
//! - **Tells:** each session's own ear, on the gate.

use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ractor::{ActorRef, ActorRuntime};
use ractor_cluster::NodeServerMessage;
use raytree_supervise::{Actor, Context, Failure};
use raytree_types::limits;
use raytree_wire::Stream;
use tokio::task::AbortHandle;

use super::Side;
use super::ear::Ear;
use super::error::SessionEnd;
use super::gate::{Gate, GateMsg};
use super::line::{Line, LineArgs};
use super::outgoing::Outgoing;
use super::pump::{Greeting, Pump};

/// What [`Sessions`] is told, by [`open`](super::open) and by itself.
#[derive(Debug)]
pub struct SessionsMsg(Told);

#[derive(Debug, strum::IntoStaticStr)]
pub(super) enum Told {
    Open(Box<Opening>),
    /// The peer has greeted, or never will.
    Greeted(SessionId, Option<Box<(Greeting, UnixStream)>>),
    /// Timer: it should be open by now.
    Overdue(SessionId),
    /// Its line has ended.
    Ended(SessionId),
    /// Nobody can hear anything any more.
    GateEnded,
}

impl From<Told> for SessionsMsg {
    fn from(told: Told) -> Self {
        Self(told)
    }
}

impl From<&SessionsMsg> for &'static str {
    fn from(message: &SessionsMsg) -> Self {
        (&message.0).into()
    }
}

/// A session to be.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) stream: Stream,
    pub(super) side: Side,
    pub(super) ear: Ear,
    pub(super) outgoing: Arc<Outgoing>,
}

/// Unique in this process, over all lives of this actor.
type SessionId = u64;

/// The actor that has all sessions of a process: see [`open`](super::open). Its end, of whatever kind, loses them all.
#[derive(Debug)]
pub struct Sessions {
    // In this order: when all of it is dropped, each session knows why before its ear is.
    held: HashMap<SessionId, Held>,
    gate: GateRef,
}

/// Has the gate: nobody outlives the other.
#[derive(Debug)]
struct GateRef(ActorRef<GateMsg>);

impl Drop for GateRef {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// A session, as long as there is anything of it.
#[derive(Debug)]
struct Held {
    side: Side,
    ours: Greeting,
    outgoing: Arc<Outgoing>,
    stage: Stage,
    overdue: AbortHandle,
}

#[derive(Debug)]
enum Stage {
    Greeting(Ear),
    /// Its ear is at the gate.
    Line(ActorRef<NodeServerMessage>),
}

impl Drop for Held {
    fn drop(&mut self) {
        self.outgoing.end(&SessionEnd::SessionsEnded);
        self.overdue.abort();
        if let Stage::Line(line) = &self.stage {
            line.kill();
        }
    }
}

impl Actor for Sessions {
    type Msg = SessionsMsg;
    type Args = ();

    async fn start(ctx: &Context<SessionsMsg>, (): ()) -> Result<Self, Failure> {
        let (gate, started) = ActorRuntime::<Gate>::spawn_instant(None, Gate, ctx.part())?;
        ctx.pipe(async move {
            if let Ok(Ok(ended)) = started.await {
                // Whichever way it ended.
                _ = ended.await;
            }
            Some(Told::GateEnded.into())
        });
        Ok(Self { held: HashMap::new(), gate: GateRef(gate) })
    }

    async fn handle(
        &mut self,
        ctx: &Context<SessionsMsg>,
        SessionsMsg(told): SessionsMsg,
    ) -> Result<(), Failure> {
        match told {
            Told::Open(opening) => self.open(ctx, *opening),
            Told::Greeted(id, Some(greeted)) => self.connect(ctx, id, *greeted),
            Told::Greeted(id, None) | Told::Ended(id) => self.lose(id),
            Told::Overdue(id) => self.overdue(id),
            Told::GateEnded => return Err(Failure::message("the gate of the sessions ended")),
        }
        Ok(())
    }
}

impl Sessions {
    fn open(&mut self, ctx: &Context<SessionsMsg>, opening: Opening) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let Opening { stream, side, ear, outgoing } = opening;
        let limit = limits::SESSIONS_MAX;
        if self.held.len() >= limit {
            // Its ear hears it, here as below.
            return outgoing.end(&SessionEnd::TooMany { limit });
        }
        let ours = match Greeting::new(self.gate.0.get_id().pid()) {
            Ok(ours) => ours,
            Err(error) => return outgoing.end(&error.into()),
        };
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let pump = Pump { stream, side, ours, outgoing: Arc::clone(&outgoing), part: ctx.part() };
        let sessions = ctx.addr().clone();
        let started = pump.start(move |greeted| {
            // Who is gone for good has lost this session already.
            _ = sessions.cast(Told::Greeted(id, greeted.map(Box::new)).into());
        });
        if let Err(error) = started {
            return outgoing.end(&error.into());
        }
        let overdue = ctx.send_after(limits::SESSION_OPEN_WITHIN, Told::Overdue(id).into());
        let stage = Stage::Greeting(ear);
        self.held.insert(id, Held { side, ours, outgoing, stage, overdue });
    }

    fn connect(
        &mut self,
        ctx: &Context<SessionsMsg>,
        id: SessionId,
        (theirs, socket): (Greeting, UnixStream),
    ) {
        let Some(held) = self.held.get_mut(&id) else { return };
        let args = LineArgs {
            id,
            side: held.side,
            ours: held.ours,
            theirs,
            socket,
            gate: self.gate.0.clone(),
            outgoing: Arc::clone(&held.outgoing),
            part: ctx.part(),
        };
        let (line, started) = match ActorRuntime::<Line>::spawn_instant(None, Line, args) {
            Ok(spawned) => spawned,
            Err(error) => {
                held.outgoing.end(&SessionEnd::System { what: error.to_string() });
                return self.lose(id);
            }
        };
        // Before anything can reach the gate from there.
        if let Stage::Greeting(ear) = std::mem::replace(&mut held.stage, Stage::Line(line)) {
            // Refused only when everything ends.
            _ = self.gate.0.cast(GateMsg::Join(held.ours.address, ear));
        }
        let outgoing = Arc::clone(&held.outgoing);
        ctx.pipe(async move {
            let end = match started.await {
                // It has said why itself, unless it failed.
                Ok(Ok(ended)) => ended.await.map_err(|error| error.to_string()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let what = end.err().unwrap_or_else(|| "its line ended".to_owned());
            outgoing.end(&SessionEnd::Protocol { what });
            Some(Told::Ended(id).into())
        });
    }

    fn overdue(&mut self, id: SessionId) {
        let Some(held) = self.held.get(&id) else { return };
        if !held.outgoing.is_open() {
            held.outgoing.end(&SessionEnd::Overdue { within: limits::SESSION_OPEN_WITHIN });
            self.lose(id);
        }
    }

    /// Nothing of it is left, or shall be.
    fn lose(&mut self, id: SessionId) {
        let Some(held) = self.held.remove(&id) else { return };
        if matches!(held.stage, Stage::Line(_)) {
            // Refused only when everything ends. What it has heard is before this in the mailbox.
            _ = self.gate.0.cast(GateMsg::Over(held.ours.address));
        }
    }
}
