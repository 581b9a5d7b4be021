//! What a user of actors sees: the trait they implement, the handle they call, the context they run in.

pub(crate) mod actor;
pub(crate) mod context;
pub(crate) mod handle;
pub(crate) mod job;
pub(crate) mod pending;
pub(crate) mod status;
