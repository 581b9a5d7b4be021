//! The components of a runtime, every one a supervised actor.
//!
//! ```text
//! raytree                       one-for-one     the root
//! ├─ gcs                        one-for-one     what the whole cluster knows
//! │  └─ actor_directory                         who lives, who owns whom
//! ├─ node                       one-for-one     one machine (embedded: this process)
//! │  ├─ local_scheduler                         who may start here
//! │  └─ worker                  one-for-one     where user code runs
//! │     └─ actor_host           one-for-one     the user's actors
//! │        └─ ...
//! └─ inspector                                  answers those who look from outside
//! ```
//!
//! The hot path is not an actor: a call goes from the handle into the mailbox of the hosted actor; placing an actor that
//! fits goes from the caller through the node's books straight to the host. What must survive the restart of a system
//! actor (the actor table, the books) belongs to the runtime and not to an actor's state.

mod cluster;
mod driver;
mod gcs;
mod inspector;
mod isolated;
mod link;
mod logs;
mod memory;
mod node;
mod object;
mod runtime;
pub mod state;
mod stores;
mod sync;
mod task;
pub mod trace;
mod user;
mod worker;

pub use memory::{Meter, Reading};
pub use object::Value;
pub use object::gather::{GetAll, IntoRef, get_all};
pub use object::put::{Put, put};
pub use object::reference::ObjectRef;
pub use object::shared::Shared;
pub use object::stream::ObjectStream;
pub use object::wait::{Wait, Waited, wait};
pub use runtime::Runtime;
pub use runtime::ambient::{Entered, current};
pub use runtime::start::Init;
pub use task::args::{Arg, IntoArg};
pub use task::context::TaskContext;
pub use task::function::{StreamTask, Submit, Task};
pub use task::registry::registered;
pub use user::actor::{Actor, BoxError, Call, Query};
pub use user::class::{get_actor, get_actor_in};
pub use user::context::ActorContext;
pub use user::handle::ActorHandle;
pub use user::pending::Pending;
pub use user::remote::{Ending, Handle, Remote};
pub use user::status::{Lifecycle, Status};

/// What the attribute macros write code against. Not for hand-written code.
#[doc(hidden)]
pub mod macros {
    pub use inventory;

    pub use crate::link::{CallTerms, Served, Terms};
    pub use crate::object::part::Part;
    pub use crate::object::stream::Sink;
    pub use crate::task::args::{Args, Asked, Awaited, Settled, Strict, Subscriber, Taken};
    pub use crate::task::by_bytes::{
        Birth, Born, Function, IsClass, IsFunction, IsMethod, IsNothing, Of, RemoteMethod, Way,
    };
    pub use crate::task::context::synchronous;
    pub use crate::task::definition::{Body, BodyFuture, Definition, Entry, Info, PlanCell};
    pub use crate::task::failure::{Failure, KeepsText, KeepsValue, Thrown, unmade};
    pub use crate::user::actor_ref::ActorRef;
    pub use crate::user::class::{Class, Given};
    pub use crate::user::method::{Method, MethodBody};
}
