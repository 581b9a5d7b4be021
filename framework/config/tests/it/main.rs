//! The settings as a program meets them.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod layers;
mod refusals;
mod stories;
mod support;
