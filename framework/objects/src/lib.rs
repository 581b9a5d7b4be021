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
//! # When it is full
//!
//! From a share of its memory on, a store spills: it writes objects to disk that were wanted least lately and that nobody looks at, and gives
//! their memory to others. To those who hold them they are the same; who reads one waits until it is back. Who writes waits, in turn, until
//! there is room. Nobody waits for what will not come: an object larger than the whole store is refused at once, and so is one that does not
//! fit while no disk takes anything ([`Refused`]); and where all that is in memory is looked at, who writes is refused after a second, and
//! who reads has a copy from the file.
//!
//! Object stores are places to spill to as well ([`SpillUrl`]), with the features `object-store` and `object-store-cloud`: where no folder has
//! room. One that does not answer is tried again with the next write, and what is in it is not lost meanwhile ([`Lost::Away`]).
//!
//! # Between nodes
//!
//! An object that is in the store of another node ([`Session::far`]) is, to whoever knows of it, like one that is on disk: it is fetched when
//! somebody wants to read it ([`Exchange`], [`Puller`], [`Pusher`]), into the store of this node, once for all who want it there. Where there is
//! no room for it yet it waits, behind what is needed more ([`Need`]).

mod depot;
mod error;
mod far;
mod object_store;
mod outbox;
mod patience;
mod protocol;
mod puller;
mod pusher;
mod remote;
mod session;
mod stored;
mod traffic;
mod transfer;

pub use depot::{Depot, Need, OpenError, SpillTerms};
pub use error::{JoinError, Lost, NotStored};
pub use object_store::{ObjectStore, ObjectStoreMsg};
pub use patience::{impatient, is_impatient};
pub use puller::{Puller, PullerMsg};
pub use pusher::{Pusher, PusherMsg};
pub use raytree_store::spill::Rules as SpillRules;
pub use raytree_store::{Location, Refused, Unreadable, Used};
pub use remote::{SpillUrl, UrlError};
pub use session::{Session, Traffic};
pub use stored::{Home, Stored};
pub use transfer::{Exchange, ExchangeError, Origin, Place, Reach};
