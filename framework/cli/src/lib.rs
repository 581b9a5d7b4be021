//! The command line `raytree`: starts clusters, and looks at their supervision trees and at those that run on this machine, as
//! their user.
//!
//! `raytree tree` prints them once, as text or as JSON. It needs nothing but the records of `raytree_types::inspect`: a
//! runtime of the same version answers whatever program it is part of. `raytree explain` tells what an error code means,
//! `raytree config` what the settings are and where each comes from.
//!
//! - [`args`]: what can be written on the command line.
//! - [`reach`]: whom a command asks, a head or whatever runs here.
//! - [`tree`]: from answers to lines of text, pure.
//! - [`run()`]: joins the three.
//! - [`table`]: lists of records, the same options for all.
//! - [`state()`], [`leaks()`], [`timeline()`]: tasks, actors and objects; which of these nobody seems to use; what has run when.
//! - [`explain()`]: error codes.
//! - [`config()`]: settings, and where each comes from.
//! - [`start()`], [`stop()`], [`status()`]: the heads and nodes of this machine, and how a cluster is.
//! - [`dashboard()`]: how it is shown in a browser.

mod actor;
pub mod args;
mod config;
mod context;
mod dashboard;
mod doctor;
mod end;
mod events;
mod explain;
mod help;
mod json;
mod lists;
pub mod local;
mod log;
mod logs;
mod near;
mod one;
pub mod reach;
mod run;
mod start;
mod state;
mod status;
pub mod table;
mod text;
mod time;
mod top;
pub mod tree;
mod why;

pub use actor::actor;
pub use config::config;
pub use context::{ConfigError, ContextAction, ContextArgs, ContextError, context};
pub use dashboard::dashboard;
pub use doctor::{DoctorArgs, doctor};
pub use end::end;
pub use events::events;
pub use explain::explain;
pub use help::{completions, man};
pub use lists::{NotYet, groups, jobs, nodes};
pub use log::log;
pub use logs::logs;
pub use run::{Code, run};
pub use start::{log_format, start, stop};
pub use state::{LeakArgs, ObjectsArgs, StateArgs, TimelineArgs, leaks, state, timeline};
pub use status::status;
pub use top::{SortBy, TopArgs, source, top};
pub use why::{WhyArgs, why};
