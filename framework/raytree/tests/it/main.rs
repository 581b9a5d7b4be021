//! The facade as a user meets it: actors, their failures, their resources, many runtimes in one process.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod abandoned;
mod actors;
mod deadlocks;
mod failures;
mod hardship;
mod isolated_actors;
mod macros;
mod memory;
mod nodes;
mod objects;
mod placement;
mod remote_actors;
mod runtimes;
mod state;
mod support;
mod tasks;
