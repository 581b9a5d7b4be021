//! Integration tests of `raytree-nn`.

mod distributions;
mod mlp;
mod optim;
mod support;
