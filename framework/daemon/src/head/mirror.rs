//! The mirror of a node: what stands for it in the head's tree while the two have a session.
//!
//! - **Parent:** `node_pool` (one-for-one; temporary: the node dials again, and gets another mirror).
//! - **Children:** none; the session with the node, which ends when this ends, however.
//! - **After a restart:** there is none. Who the node is, and what runs there, is in the books of the [`Cluster`].
//! - **Tells:** the cluster what the node says; the node what the cluster decides.
//!
//! Invariants:
//! - **HM-1 (one-edge):** of the sessions that one process of a node has opened only the newest is listened to.
//! - **HM-2 (own-workers):** a node speaks of its own workers, in the life that was let in over this session; one that says
//!   more loses its session.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_process::Neighbour;
use raytree_process::cluster::{FromNode, ToNode, Whereabouts, Worker};
use raytree_supervise::{Actor, Addr, Context, Failure};
use raytree_types::Cause;
use raytree_wire::Stream;

use super::cluster::Cluster;
use crate::names::worker_id;
use crate::session::{self, SayError, Session, SessionEvent, SessionsMsg, Side};
use raytree_engine::jobs::{self, WorkerId};
use raytree_engine::membership::{ExitStatus, Input, Member};

/// What a mirror can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum MirrorMsg {
    /// The session was heard.
    Heard(SessionEvent<FromNode>),
    /// The node is to be told.
    Tell(Box<ToNode>),
    /// It is declared dead.
    Down(Box<Cause>),
    /// The same process has a newer session.
    Superseded,
}

/// What a mirror is made of.
pub(crate) struct Arrival {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) sessions: Addr<SessionsMsg>,
    pub(crate) name: Arc<str>,
    pub(crate) process: u64,
    /// Where its connection comes from.
    pub(crate) from: SocketAddr,
    /// Taken by its one life.
    pub(crate) stream: Mutex<Option<Stream>>,
}

/// See the [module documentation](self).
pub(crate) struct NodeMirror {
    arrival: Arc<Arrival>,
    addr: Addr<MirrorMsg>,
    session: Session<ToNode>,
    /// Which life of the node, once it was let in.
    member: Option<Member>,
    /// It has said that it leaves.
    has_left: bool,
}

impl Actor for NodeMirror {
    type Msg = MirrorMsg;
    type Args = Arc<Arrival>;

    async fn start(ctx: &Context<MirrorMsg>, arrival: Arc<Arrival>) -> Result<Self, Failure> {
        let stream = arrival.stream.lock().take();
        let stream = stream.ok_or_else(|| Failure::message("its connection is used up"))?;
        let addr = ctx.addr().clone();
        arrival.cluster.connected(arrival.process, Arc::clone(&arrival.name), addr.clone());
        let own = addr.clone();
        let asked = addr.clone();
        let ask =
            move |ticket| asked.cast(MirrorMsg::Tell(Box::new(ToNode::Look { ticket }))).is_ok();
        addr.probe().leads_to(Some(arrival.cluster.windows.way(ask)));
        // Refused when this has ended.
        let heard = move |event| _ = own.cast(MirrorMsg::Heard(event));
        let (sessions, name) = (&arrival.sessions, &arrival.name);
        let session = session::open(sessions, name, stream, Side::Accepted, heard);
        Ok(Self { arrival, addr, session, member: None, has_left: false })
    }

    async fn handle(
        &mut self,
        ctx: &Context<MirrorMsg>,
        message: MirrorMsg,
    ) -> Result<(), Failure> {
        match message {
            MirrorMsg::Heard(SessionEvent::Opened) => {
                let times = self.arrival.cluster.times();
                self.say(&ToNode::Welcome { times })?;
                if self.arrival.cluster.is_ending() { self.say(&ToNode::End) } else { Ok(()) }
            }
            MirrorMsg::Heard(SessionEvent::Said(said)) => self.said(ctx, said),
            MirrorMsg::Heard(SessionEvent::Lost(_)) if self.has_left => {
                ctx.stop("the node left");
                Ok(())
            }
            MirrorMsg::Heard(SessionEvent::Lost(cause)) => Err(Failure::of(cause)),
            MirrorMsg::Tell(what) => self.tell(*what),
            MirrorMsg::Down(cause) => Err(Failure::of(*cause)),
            MirrorMsg::Superseded => Err(Failure::message("the node has dialed again")),
        }
    }

    async fn stopped(&mut self, _ctx: &Context<MirrorMsg>) {
        self.session.close();
    }
}

impl NodeMirror {
    fn say(&self, what: &ToNode) -> Result<(), Failure> {
        self.session.say(what).map_err(|error| Failure::message(error.to_string()))
    }

    fn tell(&self, what: ToNode) -> Result<(), Failure> {
        let error = match self.session.say(&what) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let (ToNode::Start { worker, .. }, SayError::TooLarge { .. } | SayError::Encoding { .. }) =
            (what, &error)
        else {
            return Err(Failure::message(error.to_string()));
        };
        // It is the job's fault and nobody else's.
        let cause = Cause::message(format!("{worker} cannot be started: {error}"));
        self.arrival.cluster.worker_gone(worker_id(&worker), cause, None);
        Ok(())
    }

    fn may_speak_of(&self, worker: &Worker) -> Result<WorkerId, Failure> {
        // While the cluster ends nobody is let in, and everybody may say what has ended.
        if self.arrival.cluster.is_ending() {
            return Ok(worker_id(worker));
        }
        own_worker(self.member.as_ref(), worker)
    }

    fn said(&mut self, ctx: &Context<MirrorMsg>, said: FromNode) -> Result<(), Failure> {
        let cluster = &self.arrival.cluster;
        match said {
            FromNode::Join { claim, link, ticket, offer } => {
                let (process, from) = (self.arrival.process, self.arrival.from);
                let beside = offer.whereabouts.and_then(|own| beside(&own, process, from));
                let let_in = cluster.joins(process, claim, (link, ticket), *offer, beside);
                self.member = let_in.or(self.member.take());
            }
            FromNode::WorkerUp { worker, address } => {
                let worker = self.may_speak_of(&worker)?;
                cluster.book(jobs::Input::WorkerUp { worker, address });
            }
            FromNode::WorkerGone { worker, cause, code } => {
                let worker = self.may_speak_of(&worker)?;
                cluster.worker_gone(worker, *cause, code);
            }
            FromNode::Declined { worker } => {
                let worker = self.may_speak_of(&worker)?;
                cluster.book(jobs::Input::Declined { worker });
            }
            FromNode::Lines { worker, lines } => {
                self.may_speak_of(&worker)?;
                cluster.lines(worker.job, lines);
            }
            FromNode::Ending => {
                // Nothing new is started there from now on.
                if let Some(member) = self.member.clone() {
                    cluster.judge(Input::Stop { member });
                }
            }
            FromNode::Leaves => {
                self.has_left = true;
                if let Some(member) = self.member.take() {
                    cluster.judge(Input::Stop { member: member.clone() });
                    cluster.judge(Input::Exited { member, status: ExitStatus::Code(0) });
                }
                ctx.stop("the node left");
            }
        }
        Ok(())
    }
}

/// The process of a node that is on this host, of this user, and dialed this very connection.
fn beside(own: &Whereabouts, process: u64, from: SocketAddr) -> Option<Neighbour> {
    let same = |address: SocketAddr| (address.ip().to_canonical(), address.port());
    (same(own.from) == same(from)).then(|| Neighbour::find(own.marked, process)).flatten()
}

/// HM-2.
fn own_worker(member: Option<&Member>, worker: &Worker) -> Result<WorkerId, Failure> {
    let id = worker_id(worker);
    if member == Some(&id.node) {
        return Ok(id);
    }
    let life = id.node;
    Err(Failure::message(format!("it speaks of {worker}, a worker of {life}, which it is not")))
}

impl Drop for NodeMirror {
    fn drop(&mut self) {
        self.session.close();
        self.arrival.cluster.disconnected(self.arrival.process, &self.addr);
    }
}

#[cfg(test)]
mod tests {
    use raytree_types::{JobId, ProcessIncarnation};

    use super::*;

    #[test]
    fn hm_2_a_node_speaks_of_its_own_workers_in_its_own_life() {
        let life = ProcessIncarnation;
        let member = Member::new("n".into(), life(3));
        let of = |node: &str, incarnation| {
            let worker = Worker { job: JobId(1), node: node.to_owned(), incarnation, life: 1 };
            own_worker(Some(&member), &worker).is_ok()
        };
        assert!(of("n", life(3)));
        assert!(!of("n", life(2)), "an earlier life");
        assert!(!of("m", life(3)), "another node");
        let worker = Worker { job: JobId(1), node: "n".to_owned(), incarnation: life(3), life: 1 };
        assert!(own_worker(None, &worker).is_err(), "not let in yet");
    }
}
