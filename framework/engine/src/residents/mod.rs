//! The head's directory of residents: detached actors, which belong to the cluster and to no driver.
//!
//! A resident has a process of its own for each of its lives, which is the only worker of a job of its own ([`crate::jobs`],
//! [`Open`](crate::jobs::Input::Open) with `single`): the book finds a node for it, and starts the next process when one has died. The
//! [`Directory`] decides whether there is a next life at all, knows who has which name, and says to everybody who follows a
//! resident where it is. It reads no clock and sends nothing.
//!
//! ```text
//! Begins ──worker up──▶ Lives ──worker down, restarts left──▶ Begins
//!    │                    │
//!    └──ended, failed too often, over──▶ Ends ──worker down──▶ (forgotten)
//! ```
//!
//! What it relies on, and the head's shell keeps:
//! - All that the book says in one step of the jobs of residents is told here, and all that follows is told to the book,
//!   before its next tick: until then no next life begins (JB-11), so one that is too many never does.
//! - [`Input::Ended`] is said of a worker before the book hears that it is gone. What a node could not say while there was no
//!   link is said before the book hears its report; else an end in order counts as a loss.
//!
//! Followers hear [`Told`]: first what became of their question, then each change. Who asks for the name of a living resident
//! follows it from then on, until it [leaves](Input::Leave) or the resident is dead.
//!
//! Invariants, each with tests that cite it:
//! - **RS-1 (one-name):** at most one resident that is not dead has a name in a namespace; who creates another one of that name
//!   is told who has it, or follows that one where it would do (`get_if_exists`).
//! - **RS-2 (one-life):** a follower hears of a life as [`Told::Up`] only after the one before was [`Told::Down`], with rising
//!   life numbers.
//! - **RS-3 (restarts-counted):** a resident has at most `1 + restarts` lives that were up or failed to come up; losses of a life
//!   count, an end that was asked for or in order does not begin another one. A process that was perhaps never started is no
//!   life: its node declined it, or was lost before it was up.
//! - **RS-4 (told-once):** [`Told::Dead`] is the last word to each follower, said exactly once, when its last process has ended
//!   (or will never be); from then on its name is free.
//! - **RS-5 (outlives-drivers):** nothing that a driver does or suffers changes a resident, except what it asks for; a follower
//!   that has left hears nothing.
//! - **RS-6 (bounded):** residents and followers are bounded; what is beyond is refused in type.

mod directory;
mod input;
#[cfg(test)]
mod tests;

pub use directory::{Directory, Listed};
pub use input::{Effect, Ended, Follower, Input, Key, Refusal, Spec, Told};
