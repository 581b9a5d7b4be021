//! The command line `raytree`: looks at the supervision trees that run on this machine, as their user.
//!
//! `raytree tree` prints them once, as text or as JSON. It needs nothing but the records of `raytree_types::inspect`: a
//! runtime of the same version answers whatever program it is part of. `raytree explain` tells what an error code means,
//! `raytree config` what the settings are and where each comes from.
//!
//! - [`args`]: what can be written on the command line.
//! - [`client`]: finds the runtimes of this user and asks them, with the patience of a person.
//! - [`tree`]: from answers to lines of text, pure.
//! - [`run()`]: joins the three.
//! - [`explain()`]: error codes.
//! - [`config()`]: settings, and where each comes from.
//! - [`start()`], [`stop()`], [`status()`]: the heads and nodes of this machine, and how a cluster is.

pub mod args;
pub mod client;
mod config;
mod explain;
pub mod local;
mod run;
mod start;
mod status;
pub mod tree;

pub use config::config;
pub use explain::explain;
pub use run::{Code, run};
pub use start::{start, stop};
pub use status::status;
