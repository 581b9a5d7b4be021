//! Tests from outside, in one binary.

mod broken_envs;
mod golden;
mod vector;
