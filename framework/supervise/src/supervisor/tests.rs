//! The kit at work on ractor.

mod addresses;
mod pings;
mod strategies;
mod support;
