//! The store as its users have it: within one process, and over several that die.
#![expect(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

mod clients;
mod deaths;
mod holding;
mod moving;
mod spill;
mod spill_anew;
mod spill_faults;
mod spill_lives;
