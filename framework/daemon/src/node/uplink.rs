//! The uplink of a node: its session with the head.
//!
//! - **Parent:** the root (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** none; the session with the head, which ends when this ends.
//! - **After a restart:** it dials again, and goes on as who it was: lease and workers belong to the node.
//! - **Tells:** the head, what became of workers; the station, which workers to start and to stop; whoever waits for the
//!   node, where it is in its life.
//!
//! Over each session the head hears first what runs here, and then what becomes of it.
//!
//! Invariants:
//! - **NU-1 (newest-session):** what came over an earlier session than the newest is not carried out.
//! - **NU-2 (workers-first):** a node that ends in order says at once that it does, so that nothing new is started there, and
//!   says that it leaves once: when its last worker has ended, and never otherwise.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use raytree_engine::membership::{ChildEffect, ChildInput, ExitReason};
use raytree_process::cluster::{FromNode, Greeting, ToNode};
use raytree_supervise::{Actor, Context, Failure, clock};
use raytree_types::{Cause, limits};
use raytree_wire::Stream;

use super::beats;
use super::dial::Undialed;
use super::lines::UnderWay;
use super::station::{Stage, Station, lease_of};
use crate::Ending;
use crate::session::{self, Session, SessionEvent, Side};

/// What the uplink can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum UplinkMsg {
    /// The head was dialed.
    Dialed(Box<Result<Stream, Undialed>>),
    /// That session was heard.
    Heard(u64, Box<SessionEvent<ToNode>>),
    /// The lease wants this done.
    Follows(Box<ChildEffect>),
    /// The head is to be told.
    Say(Box<FromNode>),
    /// The head is to be told what a worker has written, if there is room.
    Lines(Box<(FromNode, UnderWay)>),
    /// Timer: the head is dialed for the first time, again.
    Dial,
    /// The node is to end in order.
    End,
    /// Timer: are all workers gone?
    Look,
    /// Timer: the system runtime gets something done.
    Moves,
    /// Timer: the head has let it in by now.
    Late,
}

/// See the [module documentation](self).
pub(crate) struct Uplink {
    station: Arc<Station>,
    session: Option<Session<FromNode>>,
    /// This end of its connection.
    from: Option<SocketAddr>,
    /// Which one it is (NU-1).
    number: u64,
    is_dialing: bool,
    /// The session is open, and the head has said by what it judges.
    is_welcome: bool,
    /// Over this session it has asked to join, and said what runs here.
    has_reported: bool,
    /// Over this session it has said that it leaves.
    has_left: bool,
}

impl Actor for Uplink {
    type Msg = UplinkMsg;
    type Args = Arc<Station>;

    async fn start(ctx: &Context<UplinkMsg>, station: Arc<Station>) -> Result<Self, Failure> {
        let mut uplink = Self {
            station,
            session: None,
            from: None,
            number: 0,
            is_dialing: false,
            is_welcome: false,
            has_reported: false,
            has_left: false,
        };
        // The session of the life before has ended with it.
        uplink.station.lease(ChildInput::LinkLost);
        uplink.dial(ctx);
        ctx.send_after(limits::BEAT_EVERY, UplinkMsg::Moves);
        let late = uplink.station.began + limits::JOIN_WITHIN;
        ctx.send_after(late.saturating_sub(clock::now()), UplinkMsg::Late);
        if uplink.station.end_by().is_some() {
            ctx.send_after(limits::LOOK_AGAIN, UplinkMsg::Look);
        }
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
            UplinkMsg::Lines(lines) => self.say_lines(&lines.0),
            UplinkMsg::Dial => self.dial(ctx),
            UplinkMsg::End => self.end(ctx),
            UplinkMsg::Look => self.look(ctx),
            UplinkMsg::Moves => {
                self.station.progress.fetch_add(1, Ordering::Relaxed);
                ctx.send_after(limits::BEAT_EVERY, UplinkMsg::Moves);
            }
            UplinkMsg::Late => self.late(),
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
                station.dials(&Greeting::Node { process: station.process })
            });
            // Whatever became of it is said: the next one waits for that.
            let dialed = dialed.await.unwrap_or_else(|why| Err(Undialed::Said(why.to_string())));
            Some(UplinkMsg::Dialed(Box::new(dialed)))
        });
    }

    fn dialed(&mut self, ctx: &Context<UplinkMsg>, dialed: Result<Stream, Undialed>) {
        self.is_dialing = false;
        let error = match dialed {
            Ok(stream) => return self.open(ctx, stream),
            Err(error) => error,
        };
        // Once it was let in the lease says when to try again, and when to give up.
        if self.station.standing().is_some() {
            return;
        }
        let is_late = clock::now().saturating_sub(self.station.began) > limits::JOIN_WITHIN;
        let is_final = match &error {
            Undialed::Dial(error) => error.handshake().is_some(),
            Undialed::Said(_) => true,
        };
        if is_late || is_final {
            let cause = Cause::of_error(&error, "DialError");
            return self.over(Ending::Failed(cause.to_string()));
        }
        ctx.send_after(limits::DIAL_AGAIN, UplinkMsg::Dial);
    }

    fn open(&mut self, ctx: &Context<UplinkMsg>, stream: Stream) {
        self.number = self.station.next_session();
        (self.has_reported, self.has_left) = (false, false);
        self.from = stream.local_addr().ok();
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
                if self.station.takes_times(|| lease_of(settings)) {
                    let station = Arc::clone(&self.station);
                    beats::begin(station, settings.beat_every)?;
                }
                self.station.lease(ChildInput::Tick);
            }
            SessionEvent::Said(ToNode::Joined { ticket, answer }) => {
                self.station.lease(ChildInput::Joined { ticket, answer: answer.into() });
            }
            SessionEvent::Said(ToNode::Start { worker, grant, runtime, template, residence }) => {
                let has_room = self.station.may_work() && !self.station.is_short();
                if self.station.end_by().is_none() && has_room {
                    self.station.start(worker, grant, runtime, (*template, residence));
                } else {
                    self.say(&FromNode::Declined { worker });
                }
            }
            SessionEvent::Said(ToNode::Stop { worker, at_once }) => {
                if !self.station.stop(&worker, at_once) {
                    let cause = Box::new(Cause::message("it is not there"));
                    self.say(&FromNode::WorkerGone { worker, cause, code: None });
                }
            }
            SessionEvent::Said(ToNode::Look { ticket }) => self.station.lets_look(ticket),
            SessionEvent::Said(ToNode::End) => self.end(ctx),
            SessionEvent::Lost(cause) => {
                tracing::info!("the link to the head is lost: {cause}");
                self.session = None;
                self.is_welcome = false;
                self.station.lease(ChildInput::LinkLost);
                if self.station.standing().is_none() {
                    ctx.send_after(limits::DIAL_AGAIN, UplinkMsg::Dial);
                }
                if self.station.end_by().is_some() && self.station.is_empty() {
                    // Nobody is left to be told.
                    self.over(Ending::InOrder);
                }
            }
        }
        Ok(())
    }

    fn follow(&mut self, ctx: &Context<UplinkMsg>, effect: ChildEffect) {
        match effect {
            ChildEffect::Join { claim, link, ticket } if self.is_welcome => {
                let offer = Box::new(self.station.offer(self.from));
                self.has_reported = true;
                self.say(&FromNode::Join { claim, link, ticket, offer });
            }
            ChildEffect::Join { .. } => self.dial(ctx),
            ChildEffect::Work { .. } => {
                self.station.is_now(Stage::Member);
                if self.station.end_by().is_some() {
                    self.say(&FromNode::Ending);
                }
            }
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
        // What is said before the report is in it.
        if !(self.is_welcome && self.has_reported) {
            return;
        }
        let Some(session) = &self.session else { return };
        if let Err(error) = session.say(what) {
            // What the head has missed, the next session's report says.
            tracing::warn!(%error, "the head could not be told");
            session.close();
        }
    }

    /// What is not said is in the files.
    fn say_lines(&self, lines: &FromNode) {
        let is_heard = self.is_welcome && self.has_reported;
        if let Some(session) = self.session.as_ref().filter(|own| is_heard && own.has_room()) {
            // Refused when the session is over, which is heard as well.
            _ = session.say(lines);
        }
    }

    fn end(&mut self, ctx: &Context<UplinkMsg>) {
        if self.station.ends() {
            self.say(&FromNode::Ending);
            self.station.stop_all(false);
        }
        self.look(ctx);
    }

    fn look(&mut self, ctx: &Context<UplinkMsg>) {
        let Some(by) = self.station.end_by() else { return };
        let is_late = clock::now() >= by;
        if !self.station.is_empty() {
            if is_late {
                let within = self.station.ends_within;
                let what =
                    format!("it was asked to end, and its workers did not within {within:?}");
                return self.over(Ending::Failed(what));
            }
        } else if self.session.is_none() || is_late {
            return self.over(Ending::InOrder);
        } else if !std::mem::replace(&mut self.has_left, true) {
            // NU-2. The head ends the session when it has heard it.
            self.leave();
        }
        ctx.send_after(limits::LOOK_AGAIN, UplinkMsg::Look);
    }

    fn leave(&mut self) {
        if !(self.is_welcome && self.has_reported) {
            // The head does not know it.
            if let Some(session) = self.session.take() {
                session.close();
            }
            return;
        }
        self.say(&FromNode::Leaves);
    }

    /// Whoever was let in and hears nothing does not wait for ever.
    fn late(&self) {
        if self.station.standing().is_none() {
            let within = limits::JOIN_WITHIN;
            let what =
                format!("the head at {} did not let it in within {within:?}", self.station.head);
            self.over(Ending::Failed(what));
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
