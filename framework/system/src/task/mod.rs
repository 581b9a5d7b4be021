//! Tasks: stateless functions that run somewhere, once their arguments and resources are there.

pub(crate) mod again;
pub(crate) mod args;
pub(crate) mod away;
pub(crate) mod block;
pub(crate) mod by_bytes;
pub(crate) mod cell;
pub(crate) mod context;
pub(crate) mod definition;
mod driven;
pub(crate) mod failure;
pub(crate) mod function;
pub(crate) mod history;
mod job;
pub(crate) mod plan;
pub(crate) mod registry;
pub(crate) mod run;
mod ship;
pub(crate) mod submit;
pub(crate) mod table;
