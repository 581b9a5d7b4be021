//! What two processes say to each other over a link.

use std::fmt;
use std::net::SocketAddr;

use raytree_objects::{Location, Place};
use raytree_process::cluster::Worker;
use raytree_types::{
    AbandonedThreads, ActorId, ActorOptions, Bytes, Error, Exit, Incarnation, LogLines, TaskId,
    TaskOptions,
};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::trace::TraceContext;

/// One message. Both sides say and hear the same ones. Calls are numbered by the one who makes them, exports by the one
/// whose they are.
#[derive(Debug, Serialize, Deserialize, strum::IntoStaticStr)]
pub(super) enum Frame {
    /// Do something, and answer.
    Ask { call: u64, what: Ask, arguments: Vec<Packed> },
    /// What came of it. The last word on a call.
    Answer { call: u64, result: Result<Packed, Error> },
    /// Nobody wants the answer any more; nor, if `recursive`, what was started for it.
    Withdraw { call: u64, recursive: bool },
    /// One more value of a call that has many.
    Item { call: u64, item: Packed },
    /// So many items more may be sent.
    Room { call: u64, items: u32 },
    /// The other side holds this one no more.
    Release { export: u64 },
    /// The object is no longer wanted by anybody there; nor, if `recursive`, is what its maker started.
    Cancel { export: u64, recursive: bool },
    /// An actor that the other side holds is to end.
    End { export: u64, kill: bool },
    /// An actor that the other side holds has ended for good.
    Exited { export: u64, exit: Box<Exit> },
    /// The abandoned threads of the one who says it, now. `leaves`: they are too many, and it takes nothing new.
    Abandoned { threads: AbandonedThreads, leaves: bool },
    /// A reference that a neighbour is to have, under the number by which what it was sent speaks of it.
    Pass { to: Worker, number: u64, what: WireRef },
    /// One that a neighbour has passed; none that cannot be.
    Passed { from: Worker, number: u64, what: Option<WireRef> },
    /// What was passed under these numbers is not spoken of after all.
    Unpassed { numbers: Vec<u64> },
    /// A neighbour cannot be reached while calls there have no answer.
    Unreachable { worker: Worker },
    /// What a process below the one who says it has written.
    Lines(LogLines),
    /// The store of the node of the one who says it. Asks whether the other side can come to it. `at`: where that node gives objects to
    /// others, and fetches theirs.
    Store { door: String, at: Option<SocketAddr> },
    /// It can: from now on what is large may lie there.
    Shares { door: String },
    /// An object of another node's store, which the other side was told of under this number, may not be there for long: whoever wants to
    /// read it one day fetches it now.
    Hurry { export: u64 },
    /// A neighbour has surely ended, and all that it has passed was handed on.
    Ended { worker: Worker },
}

impl Frame {
    /// One of those that come by the hundred: what follows from it may wait for what follows from the next one.
    pub(super) fn is_of_many(&self) -> bool {
        match self {
            Self::Ask { what, .. } => matches!(what, Ask::Run { .. } | Ask::Call { .. }),
            Self::Answer { .. } | Self::Item { .. } | Self::Room { .. } => true,
            _ => false,
        }
    }

    /// What it is about, for messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Ask { what, .. } => what.name(),
            _ => "a message".to_owned(),
        }
    }
}

/// What can be asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Run a function.
    Run { function: String, signature: String, terms: Terms },
    /// Begin the life of an actor. The answer, an export as a number, comes when its constructor has returned.
    Create {
        class: String,
        signature: String,
        id: ActorId,
        /// Which of its lives it is.
        life: Incarnation,
        options: Box<ActorOptions>,
    },
    /// Call a method.
    Call { export: u64, method: String, signature: String, terms: CallTerms },
    /// The value of an object, once it is there. `anew`: what came before is in the store of another node, and could not be fetched from there.
    Fetch { export: u64, anew: bool },
    /// An object, the one reference in the argument, is to be this one's: a reference to that.
    Adopt { by: Adopter },
    /// A handle on a living actor, by its name.
    Named { namespace: String, name: String },
    /// An actor of the other side's own, with the arguments of its constructor: a handle on it.
    Make { class: String, signature: String, options: Box<ActorOptions>, place: String },
    /// A handle on the resident that the other side is, once its constructor has returned.
    Resident,
    /// Where an actor lives now, if that is another worker of the one who is asked: a [`LifeAddress`].
    ///
    /// [`LifeAddress`]: raytree_process::cluster::LifeAddress
    Where { export: u64 },
    /// With which error the callers of a life are told of its end, once it is over.
    Over { export: u64, life: Incarnation },
    /// A life that was begun there for the owner of both: held for the one who asks.
    Attach { id: ActorId, life: Incarnation },
}

/// Who is to have an object.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Adopter {
    /// The process that is asked.
    You,
    /// The one in which this actor lives.
    Actor { export: u64 },
    /// The one that has started the program.
    Program,
}

impl Ask {
    /// How what is asked for is called, for messages.
    fn name(&self) -> String {
        match self {
            Self::Run { function, .. } => function.clone(),
            Self::Create { class, .. } | Self::Make { class, .. } => class.clone(),
            Self::Call { method, .. } => method.clone(),
            Self::Fetch { .. } | Self::Adopt { .. } => "an object".to_owned(),
            Self::Named { name, .. } => name.clone(),
            Self::Resident => "a resident".to_owned(),
            Self::Where { .. } | Self::Over { .. } | Self::Attach { .. } => "an actor".to_owned(),
        }
    }
}

/// On which terms a method is called for another process. Opaque to those who write generated code.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct CallTerms {
    /// How many items may be on their way, for one that gives many.
    pub(crate) window: Option<u32>,
    /// How often it may be made again; none for what the options of the actor say.
    pub(crate) retries: Option<u32>,
    /// Within which it is made.
    pub(crate) trace: Option<TraceContext>,
}

/// On which terms a function runs for another process. Opaque to those who write generated code.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Terms {
    /// Its options; none for those of its attribute.
    pub(crate) options: Option<Box<TaskOptions>>,
    /// Within which it was started.
    pub(crate) trace: Option<TraceContext>,
    /// As what the process knows it that asks for it.
    pub(crate) task: Option<TaskId>,
}

/// A value on its way, with what it refers to in the words of the one who sends it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Packed {
    pub(super) head: Head,
    pub(super) buffers: Vec<Buffer>,
    pub(super) refs: Vec<WireRef>,
    /// The object of which it is the value, where some of that is in the store of another node: who cannot fetch it asks for it again.
    pub(super) object: Option<WireRef>,
}

/// What lies apart from the rest of a value.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Buffer {
    /// It comes with the message.
    Here(Bytes),
    /// It is in the store that both sides use, part of an object that is held for the one who gets it until he holds it himself.
    Stored { export: u64, object: Location, from: u64, len: u64 },
    /// It is in the store of some node, part of an object that is held there for the one who gets it until he has a copy, or holds it himself.
    Far { export: u64, place: Box<Place>, from: u64, len: u64 },
}

/// A reference on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum WireRef {
    /// An object of the one who sends it, held for the one who gets it.
    Object { export: u64 },
    /// An actor of the one who sends it, held for the one who gets it.
    Actor { export: u64, id: ActorId, label: String, mailbox: u64, retries: u32 },
    /// An actor that the one who gets it has asked for, held for him.
    Born { export: u64 },
    /// An object of the one who gets it, that he has exported before.
    YourObject { export: u64 },
    /// An actor of the one who gets it, that he has exported before.
    YourActor { export: u64 },
    /// Something that the owner of both is told to hand on, under this number.
    Passed { number: u64 },
}

/// A few bytes, written in one piece and not apart from the rest.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Head(pub(super) Vec<u8>);

impl Packed {
    pub(super) fn of(head: Vec<u8>, buffers: Vec<Buffer>, refs: Vec<WireRef>) -> Self {
        Self { head: Head(head), buffers, refs, object: None }
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Head {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Head;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Head, E> {
                Ok(Head(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Read)
    }
}
