//! The door as those above use it: real sockets of this machine, real threads, real processes.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod doors;
mod streams;
mod support;
#[cfg(feature = "tls")]
mod tls;
mod tokens;
