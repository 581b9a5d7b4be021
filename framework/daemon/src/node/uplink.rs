//! The uplink of a node: its session with the head.
//!
//! - **Parent:** the root (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** none; the session with the head, which ends when this ends.
//! - **After a restart:** it dials again, and goes on as who it was: lease and workers belong to the node.
//! - **Tells:** the head, what became of workers; the station, which workers to start and to stop; whoever waits for the
//!   node, where it is in its life.
//!
//! Invariants:
//! - **NU-1 (newest-session):** what came over an earlier session than the newest is not carried out.
//! - **NU-2 (workers-first):** a node that ends in order says so when its last worker has ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use raytree_engine::membership::{ChildEffect, ChildInput, ExitReason};
use raytree_process::cluster::{FromNode, Greeting, ToNode};
use raytree_supervise::{Actor, Context, Failure, clock};
use raytree_types::{Cause, limits};
use raytree_wire::{DialError, Hello, Plane, Stream, dial};

use super::beats::{self, Progress};
use super::station::{Stage, Station, lease_of};
use crate::Ending;
use crate::session::{self, Session, SessionEvent, Side};

/// What the uplink can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum UplinkMsg {
    /// The head was dialed.
    Dialed(Box<Result<Stream, DialError>>),
    /// That session was heard.
    Heard(u64, Box<SessionEvent<ToNode>>),
    /// The lease wants this done.
    Follows(Box<ChildEffect>),
    /// The head is to be told.
    Say(Box<FromNode>),
    /// Timer: the head is dialed for the first time, again.
    Dial,
    /// The node is to end in order.
    End,
    /// Timer: are all workers gone?
    Look,
    /// Timer: the system runtime gets something done.
    Moves,
}

/// See the [module documentation](self).
pub(crate) struct Uplink {
    station: Arc<Station>,
    session: Option<Session<FromNode>>,
    /// Counts the sessions (NU-1).
    number: u64,
    is_dialing: bool,
    /// The session is open, and the head has said by what it judges.
    is_welcome: bool,
    /// When it began to look for the head, until it was welcome once.
    began: Option<Duration>,
    /// When a node that is to end does so whatever its workers do.
    end_by: Option<Duration>,
    progress: Progress,
}

impl Actor for Uplink {
    type Msg = UplinkMsg;
    type Args = Arc<Station>;

    async fn start(ctx: &Context<UplinkMsg>, station: Arc<Station>) -> Result<Self, Failure> {
        let mut uplink = Self {
            station,
            session: None,
            number: 0,
            is_dialing: false,
            is_welcome: false,
            began: Some(clock::now()),
            end_by: None,
            progress: Progress::default(),
        };
        // The session of the life before has ended with it.
        uplink.station.lease(ChildInput::LinkLost);
        uplink.dial(ctx);
        ctx.send_after(limits::BEAT_EVERY, UplinkMsg::Moves);
        Ok(uplink)
    }

    async fn handle(
        &mut self,
        ctx: &Context<UplinkMsg>,
        message: UplinkMsg,
    ) -> Result<(), Failure> {
        match message {
            UplinkMsg::Dialed(dialed) => self.dialed(ctx, *dialed),
            UplinkMsg::Heard(number, event) if number == self.number => self.heard(ctx, *event)?,
            UplinkMsg::Heard(..) => {}
            UplinkMsg::Follows(effect) => self.follow(ctx, *effect),
            UplinkMsg::Say(what) => self.say(&what),
            UplinkMsg::Dial => self.dial(ctx),
            UplinkMsg::End => self.end(ctx),
            UplinkMsg::Look => self.look(ctx),
            UplinkMsg::Moves => {
                self.progress.fetch_add(1, Ordering::Relaxed);
                ctx.send_after(limits::BEAT_EVERY, UplinkMsg::Moves);
            }
        }
        Ok(())
    }
}

impl Uplink {
    fn dial(&mut self, ctx: &Context<UplinkMsg>) {
        if self.is_dialing || self.session.is_some() {
            return;
        }
        self.is_dialing = true;
        let station = Arc::clone(&self.station);
        ctx.pipe(async move {
            let dialed = tokio::task::spawn_blocking(move || {
                let details = serde_json::to_vec(&Greeting::Node { process: station.process });
                let hello = Hello::new(Plane::Control, &*station.name, details.unwrap_or_default());
                let (secrets, within) = (&station.secrets, limits::WIRE_HANDSHAKE_WITHIN);
                // A name that cannot be said is refused by the settings.
                let hello = hello.ok()?;
                Some(dial(station.head, &secrets.token, secrets.tls.as_ref(), &hello, within))
            });
            Some(UplinkMsg::Dialed(Box::new(dialed.await.ok().flatten()?)))
        });
    }

    fn dialed(&mut self, ctx: &Context<UplinkMsg>, dialed: Result<Stream, DialError>) {
        self.is_dialing = false;
        let error = match dialed {
            Ok(stream) => return self.open(ctx, stream),
            Err(error) => error,
        };
        // Once it was let in the lease says when to try again, and when to give up.
        let Some(began) = self.began.filter(|_| self.station.standing().is_none()) else { return };
        let is_late = clock::now().saturating_sub(began) > limits::JOIN_WITHIN;
        if is_late || error.handshake().is_some() {
            let cause = Cause::of_error(&error, "DialError");
            return self.over(Ending::Failed(cause.to_string()));
        }
        ctx.send_after(limits::DIAL_AGAIN, UplinkMsg::Dial);
    }

    fn open(&mut self, ctx: &Context<UplinkMsg>, stream: Stream) {
        self.number += 1;
        let (number, addr) = (self.number, ctx.addr().clone());
        let heard = move |event| {
            // Refused when this has ended.
            _ = addr.cast(UplinkMsg::Heard(number, Box::new(event)));
        };
        let sessions = &self.station.sessions;
        self.session = Some(session::open(sessions, "the head", stream, Side::Dialed, heard));
    }

    fn heard(
        &mut self,
        ctx: &Context<UplinkMsg>,
        event: SessionEvent<ToNode>,
    ) -> Result<(), Failure> {
        match event {
            SessionEvent::Opened => {}
            SessionEvent::Said(ToNode::Welcome { times }) => {
                let settings = times.settings()?;
                self.is_welcome = true;
                self.began = None;
                if self.station.takes_times(|| lease_of(settings)) {
                    let station = Arc::clone(&self.station);
                    beats::begin(station, settings.beat_every, Arc::clone(&self.progress))?;
                }
                self.station.lease(ChildInput::Tick);
            }
            SessionEvent::Said(ToNode::Joined { ticket, answer }) => {
                self.station.lease(ChildInput::Joined { ticket, answer: answer.into() });
            }
            SessionEvent::Said(ToNode::Start { worker, grant, runtime, template }) => {
                if self.end_by.is_none() && self.station.may_work() {
                    self.station.start(worker, grant, runtime, *template);
                } else {
                    let cause = Cause::message(format!("{} starts nothing now", self.station.name));
                    self.say(&FromNode::WorkerGone { worker, cause });
                }
            }
            SessionEvent::Said(ToNode::Stop { worker, at_once }) => {
                if !self.station.stop(&worker, at_once) {
                    let cause = Cause::message("it is not there");
                    self.say(&FromNode::WorkerGone { worker, cause });
                }
            }
            SessionEvent::Said(ToNode::End) => self.end(ctx),
            SessionEvent::Lost(cause) => {
                tracing::info!("the link to the head is lost: {cause}");
                self.session = None;
                self.is_welcome = false;
                self.station.lease(ChildInput::LinkLost);
                if self.station.standing().is_none() {
                    ctx.send_after(limits::DIAL_AGAIN, UplinkMsg::Dial);
                }
                if self.end_by.is_some() {
                    // Nobody is left to be told.
                    self.over_in_order();
                }
            }
        }
        Ok(())
    }

    fn follow(&mut self, ctx: &Context<UplinkMsg>, effect: ChildEffect) {
        match effect {
            ChildEffect::Join { claim, link, ticket } if self.is_welcome => {
                let offer = self.station.offer();
                self.say(&FromNode::Join { claim, link, ticket, offer });
            }
            ChildEffect::Join { .. } => self.dial(ctx),
            ChildEffect::Work { .. } => self.station.is_now(Stage::Member),
            ChildEffect::Isolate => {
                tracing::warn!("{} is isolated: its head does not answer", self.station.name);
                self.station.is_now(Stage::Isolated);
            }
            ChildEffect::Exit(reason) => {
                self.station.stop_all(true);
                self.over(ending_of(reason));
            }
            // The thread that beats has those.
            ChildEffect::Beat { .. } => {}
        }
    }

    fn say(&mut self, what: &FromNode) {
        let Some(session) = self.session.as_ref().filter(|_| self.is_welcome) else { return };
        if let Err(error) = session.say(what) {
            // What the head has missed, the next session's report says.
            tracing::warn!(%error, "the head could not be told");
            session.close();
        }
    }

    fn end(&mut self, ctx: &Context<UplinkMsg>) {
        if self.end_by.is_none() {
            self.end_by =
                Some(clock::now() + self.station.stop_within + limits::NODE_TERMINATE_WITHIN);
            self.station.stop_all(false);
        }
        self.look(ctx);
    }

    fn look(&mut self, ctx: &Context<UplinkMsg>) {
        let Some(by) = self.end_by else { return };
        if !self.station.is_empty() && clock::now() < by {
            ctx.send_after(limits::LOOK_AGAIN, UplinkMsg::Look);
            return;
        }
        // NU-2. The head ends the session when it has heard it; without one nobody is to be told.
        self.say(&FromNode::Leaves);
        if self.session.is_none() || clock::now() >= by {
            self.over_in_order();
        } else {
            ctx.send_after(limits::LOOK_AGAIN, UplinkMsg::Look);
        }
    }

    fn over_in_order(&self) {
        if self.station.is_empty() || self.end_by.is_some_and(|by| clock::now() >= by) {
            self.over(Ending::InOrder);
        }
    }

    fn over(&self, ending: Ending) {
        self.station.is_now(Stage::Over(ending));
    }
}

fn ending_of(reason: ExitReason) -> Ending {
    match reason {
        ExitReason::Replaced => Ending::Replaced,
        ExitReason::NameTaken { holder, asker } => {
            Ending::NameTaken { holder: holder.to_string(), asker: asker.to_string() }
        }
        ExitReason::IsolatedTooLong { grace } | ExitReason::NeverJoined { grace } => {
            Ending::HeadLost { grace }
        }
        ExitReason::Full { limit } => {
            Ending::Failed(format!("the cluster has {limit} nodes, which is the bound"))
        }
        ExitReason::BadName { reason } => Ending::Failed(reason),
    }
}
