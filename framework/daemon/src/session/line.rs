//! The line of one session: its node session of `ractor_cluster`, and what that one takes for its node server.
//!
//! A real node server listens on a port, has one secret for all its peers, and gives up one of two sessions whose peers
//! have the same name. This has none of it: it knows this session alone, and nobody's else.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use ractor::registry::pid_registry;
use ractor::{ActorId, ActorProcessingErr, ActorRef, ActorStatus, SupervisionEvent};
use ractor_cluster::node::{
    NodeConnectionMode, NodeServerSessionInformation, NodeSession, SessionCheckReply,
};
use ractor_cluster::{NetworkStream, NodeServerMessage, NodeSessionMessage};
use raytree_supervise::Part;
use raytree_types::limits;

use super::Side;
use super::error::SessionEnd;
use super::gate::GateMsg;
use super::outgoing::Outgoing;
use super::pump::Greeting;

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Line;

/// What a line begins with.
#[derive(Debug)]
pub(super) struct LineArgs {
    /// No other session of this process has it.
    pub(super) id: u64,
    pub(super) side: Side,
    pub(super) ours: Greeting,
    pub(super) theirs: Greeting,
    /// The near end of the connection.
    pub(super) socket: UnixStream,
    pub(super) gate: ActorRef<GateMsg>,
    pub(super) outgoing: Arc<Outgoing>,
    pub(super) part: Part,
}

#[derive(Debug)]
pub(super) struct LineState {
    session: ActorRef<NodeSessionMessage>,
    /// What stands for the peer's gate.
    proxy: ActorId,
    ours: Greeting,
    theirs: Greeting,
    gate: ActorRef<GateMsg>,
    outgoing: Arc<Outgoing>,
    _part: Part,
}

impl ractor::Actor for Line {
    type Msg = NodeServerMessage;
    type State = LineState;
    type Arguments = LineArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<NodeServerMessage>,
        args: LineArgs,
    ) -> Result<LineState, ActorProcessingErr> {
        let LineArgs { id, side, ours, theirs, socket, gate, outgoing, part } = args;
        let (reader, writer) = tokio::net::UnixStream::from_std(socket)?.into_split();
        let stream = NetworkStream::External {
            peer_label: Some(outgoing.peer().to_owned()),
            local_label: None,
            reader: Box::new(reader),
            writer: Box::new(writer),
        };
        let (dialed, accepted) = match side {
            Side::Dialed => (&ours, &theirs),
            Side::Accepted => (&theirs, &ours),
        };
        // The connection has proven who is there; this only has to be the same on both sides.
        let cookie = format!("{}{}", hex(dialed), hex(accepted));
        // Its type cannot be named from outside.
        let mut name = like(|info: NodeServerSessionInformation| info.peer_name);
        name.name = hex(&ours);
        name.connection_string = hex(&ours);
        let is_server = side == Side::Accepted;
        let mode = NodeConnectionMode::Isolated;
        let session = NodeSession::new(id, is_server, cookie, myself.clone(), name, mode)
            .with_max_inbound_frame_size(limits::SESSION_FRAME_BYTES_MAX as u64);
        let (session, _) =
            ractor::Actor::spawn_linked(None, session, stream, myself.get_cell()).await?;
        let proxy = ActorId::Remote { node_id: id, pid: theirs.gate };
        Ok(LineState { session, proxy, ours, theirs, gate, outgoing, _part: part })
    }

    async fn handle(
        &self,
        myself: ActorRef<NodeServerMessage>,
        message: NodeServerMessage,
        state: &mut LineState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            NodeServerMessage::CheckSession { reply, .. } => {
                // It has a bound of its own on how long it waits.
                _ = reply.send(SessionCheckReply::NoOtherConnection);
            }
            NodeServerMessage::ConnectionReady(_) => state.ready(&myself),
            _ => {}
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<NodeServerMessage>,
        event: SupervisionEvent,
        state: &mut LineState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(who, _, reason) => {
                let reason = reason.unwrap_or_else(|| "it stopped".to_owned());
                state.ended(&myself, who.get_id(), reason);
            }
            SupervisionEvent::ActorFailed(who, error) => {
                state.ended(&myself, who.get_id(), error.to_string());
            }
            _ => {}
        }
        Ok(())
    }
}

impl LineState {
    /// Both sides know of each other's actors.
    fn ready(&mut self, myself: &ActorRef<NodeServerMessage>) {
        // Else it would hear of every actor of this process, for which the peer has no use.
        pid_registry::demonitor(self.session.get_id());
        let children = self.session.get_cell().get_children();
        let Some(proxy) = children.into_iter().find(|child| child.get_id() == self.proxy) else {
            let what = "the peer's gate is not among its actors".to_owned();
            self.over(myself, &SessionEnd::Protocol { what });
            return;
        };
        myself.get_cell().monitor(proxy.clone());
        // Nobody is told of one that had ended before.
        if proxy.get_status() >= ActorStatus::Stopping {
            self.over(myself, &SessionEnd::PeerDeaf);
            return;
        }
        // Refused only when everything ends.
        _ = self.gate.cast(GateMsg::Opened(self.ours.address));
        self.outgoing.open(ActorRef::from(proxy), self.theirs.address);
    }

    fn ended(&mut self, myself: &ActorRef<NodeServerMessage>, who: ActorId, what: String) {
        if who == self.session.get_id() {
            self.over(myself, &SessionEnd::Protocol { what });
        } else if who == self.proxy {
            self.over(myself, &SessionEnd::PeerDeaf);
        }
    }

    fn over(&self, myself: &ActorRef<NodeServerMessage>, why: &SessionEnd) {
        self.outgoing.end(why);
        myself.stop(None);
    }
}

/// The default of what `_of` has.
fn like<T: Default>(_of: impl FnOnce(NodeServerSessionInformation) -> Option<T>) -> T {
    T::default()
}

fn hex(greeting: &Greeting) -> String {
    greeting.address.iter().map(|byte| format!("{byte:02x}")).collect()
}
