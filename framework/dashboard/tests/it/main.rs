//! The dashboard, asked over its port.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

mod contract;
mod entry;
mod records;
mod refusals;
mod support;
