//! The process boundary of the supervision tree: how a process starts children, hears that they live, and is rid of them;
//! and how a child lives and dies with its parent.
//!
//! A parent has one [`Keeper`], a thread that starts all its children and hears and answers their beats. A child finds its
//! [`Assignment`] in its environment and its line on standard input, takes it up with [`Assignment::connect`], and beats
//! from then on, on a thread of its own.
//!
//! What a child runs on another node is the parent's own executable: [`program`] has it travel.
//!
//! Nothing here decides: who is suspected, declared dead, fenced and replaced is the engine's word, carried out by the
//! actors above.

#[cfg(not(target_os = "linux"))]
compile_error!("death signals and process handles are those of Linux");

mod assignment;
pub mod cluster;
mod frame;
mod keeper;
mod link;
pub mod logs;
mod memory;
mod neighbour;
mod process;
pub mod program;
mod ward;

pub use assignment::{Assignment, BadAssignment, ROLE_VARIABLE};
pub use frame::{
    BadFrame, DRAINED, ENDED, FRAME_BYTES, FromChild, Offer, PACKET_BYTES_MAX, Say, ToChild,
};
pub use keeper::{Event, Keeper, Observer, SpawnError};
pub use link::{BEAT_THREAD, Heard, Link, Progress};
pub use memory::{EndsFirst, SHORT_FOR, memory_of};
pub use neighbour::{Mark, Marked, Neighbour, Watch};
pub use process::{Process, ProcessEnd, Spec};
pub use ward::{Ward, Word};
