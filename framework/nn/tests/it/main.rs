//! Integration tests of `raytree-nn`.

mod distributions;
mod layers;
mod mlp;
mod optim;
mod state;
mod support;
