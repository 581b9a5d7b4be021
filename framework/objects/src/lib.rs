//! The object store of a node: who owns it, how processes come to it, and what they do with it.
//!
//! `raytree-store` has the bytes: an arena that every process of a node maps, and books of what is where. This crate makes a service of
//! it. The [`Depot`] is the store of a node with its *door*, a socket of this machine; the [`ObjectStore`] is the actor that looks after
//! it; a [`Session`] is what another process, or the same one, has with it; and a [`Stored`] is an object that this process holds.
//!
//! ```text
//!            node                                     worker
//!  ┌─────────────────────────┐            ┌──────────────────────────────┐
//!  │ ObjectStore ── Depot ◀──┼── door ────┼── Session ── Stored, Stored  │
//!  └────────────────│────────┘            └───────────────────│──────────┘
//!                   └──────────── arena (mapped by both) ─────┘
//! ```
//!
//! # Who holds an object
//!
//! Whoever has written an object holds it, and tells somebody else where it is; that one pins it on the spot, asks the store to hold it as
//! well, and lets the first one know once the store does. So an object is there for as long as a process has a [`Stored`] of it, whichever
//! of the others end, and however; with the last one its memory is free. Nobody asks the store to read anything.
//!
//! A store that is full refuses at once, and says what is taken: what does not go into it is to travel another way.

mod depot;
mod error;
mod object_store;
mod outbox;
mod protocol;
mod session;
mod stored;

pub use depot::{Depot, OpenError};
pub use error::{JoinError, NotStored};
pub use object_store::{ObjectStore, ObjectStoreMsg};
pub use raytree_store::{Location, Refused, Unreadable, Used};
pub use session::{Session, Traffic};
pub use stored::Stored;
