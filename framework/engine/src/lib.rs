//! The decisions of the system, without its side effects: state machines that take an input and the time and answer
//! with effects for an actor to carry out.
//!
//! Nothing here reads a clock, draws a random number, or knows tokio or ractor. That is what lets a test drive years
//! of failures through a supervisor in a second, from a seed.

pub mod abandoned;
pub mod borrow;
pub mod delivery;
pub mod feasible;
pub mod jobs;
pub mod lineage;
pub mod logs;
pub mod looks;
pub mod membership;
pub mod memory;
pub mod placement;
pub mod residents;
pub mod route;
#[cfg(test)]
mod sim;
pub mod supervision;
pub mod task;
pub mod waits;
