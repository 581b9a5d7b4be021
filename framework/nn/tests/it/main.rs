//! Integration tests of `raytree-nn`.

mod mlp;
mod support;
