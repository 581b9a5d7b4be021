//! A store, its door, and several sessions of this process and of others.

#![expect(clippy::expect_used, reason = "a test that cannot set its scene fails")]

mod broadcast;
mod deaths;
mod node_deaths;
#[cfg(feature = "object-store")]
mod remote;
mod sessions;
mod spilling;
mod transfer;
