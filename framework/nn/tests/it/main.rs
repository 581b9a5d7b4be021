//! Integration tests of `raytree-nn`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod distributions;
mod layers;
mod mlp;
mod optim;
mod state;
mod support;
