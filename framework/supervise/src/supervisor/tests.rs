//! The kit at work on ractor.

mod addresses;
mod strategies;
mod support;
