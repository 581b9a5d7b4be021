//! The gate: the one actor of a process that can be reached from elsewhere. Everything that a peer says comes in here, and
//! is heard here by whom it is for.

use std::collections::HashMap;

use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor::{ActorProcessingErr, ActorRef};
use raytree_supervise::Part;

use super::ear::Ear;
use super::error::SessionEnd;
use super::letter::{self, Address, Content};

/// What the gate is told: by peers a letter, by this process the rest.
#[derive(Debug)]
pub(super) enum GateMsg {
    /// From a peer, whichever it is.
    Letter(Vec<u8>),
    /// Letters to this address are for this one.
    Join(Address, Ear),
    /// The session of this address is open.
    Opened(Address),
    /// It is over.
    Over(Address),
}

// A letter is the only one that travels.
impl ractor::Message for GateMsg {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        let Self::Letter(args) = self else { return Err(BoxedDowncastErr) };
        Ok(SerializedMessage::Cast { variant: String::new(), args, metadata: None })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        let SerializedMessage::Cast { args, .. } = message else { return Err(BoxedDowncastErr) };
        Ok(Self::Letter(args))
    }
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Gate;

#[derive(Debug)]
pub(super) struct GateState {
    ears: HashMap<Address, Ear>,
    _part: Part,
}

impl ractor::Actor for Gate {
    type Msg = GateMsg;
    type State = GateState;
    type Arguments = Part;

    async fn pre_start(
        &self,
        _myself: ActorRef<GateMsg>,
        part: Part,
    ) -> Result<GateState, ActorProcessingErr> {
        Ok(GateState { ears: HashMap::new(), _part: part })
    }

    async fn handle(
        &self,
        _myself: ActorRef<GateMsg>,
        message: GateMsg,
        state: &mut GateState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            GateMsg::Letter(bytes) => state.letter(&bytes),
            GateMsg::Join(address, ear) => _ = state.ears.insert(address, ear),
            GateMsg::Opened(address) => state.with(&address, Ear::opened),
            // It hears of it when it is dropped.
            GateMsg::Over(address) => drop(state.ears.remove(&address)),
        }
        Ok(())
    }
}

impl GateState {
    fn letter(&mut self, bytes: &[u8]) {
        let Some((address, content)) = letter::read(bytes) else {
            tracing::debug!(bytes = bytes.len(), "a letter without an address");
            return;
        };
        self.with(&address, |ear| match content {
            Content::Said(json) => ear.said(json),
            Content::Heard(amount) if ear.outgoing().is_heard(amount) => Ok(()),
            Content::Heard(_) => Err(SessionEnd::Unbounded),
            Content::Nonsense => Err(SessionEnd::Unreadable { what: "it is no letter".into() }),
        });
    }

    /// Does this with the one at that address; it is over for that one if it fails.
    fn with(&mut self, address: &Address, body: impl FnOnce(&mut Ear) -> Result<(), SessionEnd>) {
        // Its session may be over already; a stranger gets no answer either.
        let Some(ear) = self.ears.get_mut(address) else { return };
        if let Err(why) = body(ear) {
            ear.outgoing().end(&why);
            drop(self.ears.remove(address));
        }
    }
}
