//! The facade as a user meets it: actors, their failures, their resources, many runtimes in one process.

mod actors;
mod failures;
mod placement;
mod runtimes;
mod support;
