//! The components of a runtime, every one a supervised actor.
//!
//! ```text
//! raytree                       one-for-one     the root
//! ├─ gcs                        one-for-one     what the whole cluster knows
//! │  └─ actor_directory                         who lives, who owns whom
//! └─ node                       one-for-one     one machine (embedded: this process)
//!    ├─ local_scheduler                         who may start here
//!    └─ worker                  one-for-one     where user code runs
//!       └─ actor_host           one-for-one     the user's actors
//!          └─ ...
//! ```
//!
//! The hot path is not an actor: a call goes from the handle into the mailbox of the hosted actor; placing an actor that
//! fits goes from the caller through the node's books straight to the host. What must survive the restart of a system
//! actor (the actor table, the books) belongs to the runtime and not to an actor's state.

mod gcs;
mod node;
mod runtime;
mod user;
mod worker;

pub use runtime::Runtime;
pub use runtime::ambient::{Entered, current};
pub use runtime::start::Init;
pub use user::actor::{Actor, BoxError, Call, Query};
pub use user::context::ActorContext;
pub use user::handle::ActorHandle;
pub use user::pending::Pending;
pub use user::status::{Lifecycle, Status};
