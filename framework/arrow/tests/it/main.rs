//! Arrays of every kind on their way.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod arrays;
mod hostile;
mod round_trips;
mod sharing;
mod slices;
