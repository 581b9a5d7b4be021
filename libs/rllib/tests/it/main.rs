//! Tests from outside, in one binary.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

mod broken_envs;
mod golden;
mod losses;
mod ppo;
mod vector;
