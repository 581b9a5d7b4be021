//! How objects come from the store of one node into that of another.
//!
//! ```text
//!    node-1                                               node-2
//!  worker ── Session ── Depot ── Puller ──── Wants ────▶ Pusher ── Session ── Depot
//!                         ▲         ◀─── Gives, bytes ───   │
//!                         └── room ◀──── read ─────────── write ◀── where it lies
//! ```
//!
//! Who wants an object of another node asks its own store for it, as it does for one that is on disk. The node fetches it, once however many
//! want it: it has room for it in its store first, and reads the object part by part from the socket into the place
//! where it will lie; the other node writes it from where it lies. What breaks goes on where it broke. Of a large object parts come from
//! several nodes at once, if several have it; and who is asked for one object by many sends most of them on to those who have got it
//! already, so that a broadcast is a tree (`spread.rs`).
//!
//! Whoever holds the object at its home holds it until the copy is there. The copy is an object like every other: it may go to disk here, and is
//! there for as long as somebody holds it here, whatever becomes of the one it was made of.

mod connections;
mod exchange;
mod fetch;
mod help;
mod origin;
mod pieces;
mod serve;
mod spread;
#[cfg(test)]
mod tests;
mod words;

pub use connections::Reach;
pub use exchange::{Exchange, ExchangeError};
pub use origin::{Origin, Place};
