//! How tasks and actors are to be placed, retried, bounded and ended: reusable values.

mod actor;
mod isolation;
mod note;
mod task;

pub use actor::ActorOptions;
pub use isolation::Isolation;
pub use task::TaskOptions;
