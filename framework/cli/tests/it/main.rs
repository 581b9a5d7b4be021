//! `raytree`, as a person runs it, on runtimes of its own.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod clusters;
mod failures;
mod support;
mod trees;
