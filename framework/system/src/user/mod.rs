//! What a user of actors sees: the traits they implement, the handles they call, the context they run in.

pub(crate) mod actor;
pub(crate) mod actor_ref;
pub(crate) mod class;
pub(crate) mod context;
pub(crate) mod fence;
pub(crate) mod handle;
pub(crate) mod job;
pub(crate) mod method;
pub(crate) mod open;
pub(crate) mod order;
mod owner;
pub(crate) mod pending;
pub(crate) mod remote;
pub(crate) mod resident;
pub(crate) mod shipped;
pub(crate) mod status;
