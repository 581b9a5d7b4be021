//! `raytree`, as a person runs it, on runtimes of its own.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, and say what daemons have said"
)]

mod clusters;
mod failures;
mod json;
mod leaks;
mod live;
mod logs;
mod one;
mod support;
mod tables;
mod terminal;
mod trees;
