//! A cluster in a browser: a page, the JSON behind it, and numbers for Prometheus.
//!
//! - [`dashboard`] serves what the inspector knows of a cluster, to whoever shows a token or has opened a one-time link
//!   ([`access`]). Only its own pages may ask ([`guard`]).
//! - [`metrics()`] tells numbers to Prometheus: of a head, and of each node.
//! - [`start`] runs it, or any other routes, as a supervised actor of a tree that is up.
//!
//! Nothing is computed when nobody looks. Connections, their time, questions and viewers are bounded, and who stops reading is
//! cut off ([`limits`](raytree_types::limits)).

pub mod access;
mod api;
mod ask;
mod connection;
pub mod guard;
mod live;
mod login;
mod metrics;
mod page;
mod router;
mod server;
mod source;

pub use metrics::{Measured, metrics, page};
pub use router::{Entry, dashboard};
pub use server::{Served, start};
pub use source::Source;

/// Random bytes of the operating system.
///
/// # Errors
/// What it said.
pub fn random(bytes: &mut [u8]) -> std::io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        let flags = rustix::rand::GetRandomFlags::empty();
        filled += rustix::rand::getrandom(&mut bytes[filled..], flags)?;
    }
    Ok(())
}
