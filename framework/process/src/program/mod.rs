//! The executable that travels: a cluster runs one program on all its nodes, so a node that lacks it fetches it once, keeps
//! it under its hash and starts it from there.
//!
//! - [`Program`]: this very executable, as its [`Manifest`] and its bytes in chunks.
//! - [`Requirement`]: whether a program can run here at all.
//! - [`Cache`]: the folder of fetched programs on a node. [`Incoming`] is one on its way, [`Entry`] one that is there.
//!
//! Nothing here knows a network: whoever uses it moves the bytes. Everything here reads and writes files, and blocks for as
//! long as that takes.
//!
//! ```
//! use raytree_process::program::{Cache, Program, Requirement};
//!
//! // On the node that has it:
//! let program = Program::of_this_process()?;
//! let manifest = program.manifest()?;
//!
//! // On the node that is to run it:
//! Requirement::of_this_process()?.check(&manifest)?;
//! # let temporary = tempfile::tempdir()?;
//! # let folder = temporary.path().join("programs");
//! let cache = Cache::open(folder, 4 << 30)?;
//! let entry = match cache.get(manifest.id)? {
//!     Some(entry) => entry,
//!     None => {
//!         let mut incoming = cache.begin(manifest.id, manifest.length, &manifest.architecture)?;
//!         for chunk in program.chunks() {
//!             incoming.write(&chunk?)?;
//!         }
//!         incoming.finish()?
//!     }
//! };
//! // `entry.path()` can be executed until the last clone of `entry` is dropped.
//! assert_eq!(std::fs::read(entry.path())?.len() as u64, manifest.length);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod crash;
mod entry;
mod error;
mod folder;
mod id;
mod incoming;
mod own;
mod requirement;
mod source;
#[cfg(test)]
mod tests;

pub use cache::Cache;
pub use entry::Entry;
pub use error::{CacheError, ProgramError};
pub use id::{BadProgramId, ProgramId};
pub use incoming::Incoming;
pub use own::{Manifest, Program};
pub use requirement::{Architecture, Mismatch, Requirement};
pub use source::Chunks;
