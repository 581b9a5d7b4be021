//! The live view as an operator meets it: keys and moments in, screens out.

#![expect(clippy::panic, reason = "a source that panics is one of those that are tried")]

mod ends;
mod keys;
mod random;
mod screens;
mod support;
