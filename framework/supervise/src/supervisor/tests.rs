//! The kit at work on ractor.

mod addresses;
mod causes;
mod pings;
mod strategies;
mod support;
