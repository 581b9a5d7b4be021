//! The bytes of a node's objects: one arena of shared memory, which every process of the node has mapped once.
//!
//! The node's own process has the [`Store`]: who may write where, what is sealed, what is freed. The others have a [`Client`]: they
//! are lent *slabs* of the arena and write objects into them, and they read any object of the node where it lies. Neither asks the
//! store for an object: a [`Location`] says where it is, a *pin* in a page of the reader's own keeps it there, and the store looks at
//! these pages before it gives memory to somebody else. A process that dies leaves its pages and its slabs behind, and both are
//! known.
//!
//! ```
//! use raytree_store::{Client, Region, Store, Terms};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut store = Store::new(Region::Heap, 1 << 20)?;
//! let (id, memory) = store.join()?;
//! let client = Client::new(memory);
//!
//! // Written: into a slab that was lent, without a word to the store for each object.
//! client.lend(store.lease(id, Terms { bytes: 4096, objects: 8 })?);
//! let mut space = client.space(5).ok_or("no room in what was lent")?;
//! space.copy_from_slice(b"hello");
//! let at = space.seal();
//! store.written(id, &client.written())?;
//!
//! // Read: where it lies, for as long as the view lives.
//! let view = client.view(at)?;
//! assert_eq!(&*view, b"hello");
//!
//! // Let go of by all who hold it: the memory is used again when nobody looks at it any more.
//! store.release(id, &[at]);
//! assert_eq!((&*view, store.used().dying), (&b"hello"[..], 64));
//! drop(view);
//! store.sweep();
//! assert_eq!(store.used().dying, 0);
//! assert!(client.view(at).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # What is shared
//!
//! | region | written by | read by |
//! |---|---|---|
//! | arena: the bytes | whoever has the slab lent | all |
//! | generations: one word a slot, one slot an object | the store | all |
//! | pins: a page each process | that process | the store |
//!
//! What the store knows of the arena is its own, and in no page that others can write to: a process that writes where it should not can
//! spoil bytes, and nothing else. All processes are of one user, who trusts them: a cluster is one trust domain.
//!
//! # Where a page comes from
//!
//! A page of shared memory that nobody has touched yet costs eight times what it costs to copy into it. So memory is used again as
//! soon as it is free, the newest first; it is given back to the system only while the node is short of memory ([`Store::give_back`]); and
//! pages are touched ahead of need, a little beyond the most that was ever used ([`Store::touch_ahead`]).
//!
//! # What there is no memory for
//!
//! Objects that nobody looks at can be put out of memory, once they are on disk: [`Store::oldest`] names those that were wanted least
//! lately, files of objects are in [`spill`], [`Store::put_out`] gives their memory to others, and [`Store::bring`] has room to read them
//! back into. An object stays the same through all of that: who holds it, holds it; who comes to where it was finds that it has
//! moved, and asks the store where to ([`Store::place`]). What somebody has a view of does not move.

pub mod allocator;
pub mod books;
mod client;
mod copy;
mod descriptors;
mod holders;
mod memory;
mod moved;
mod order;
mod pins;
pub mod spill;
mod store;

pub use books::{ClientId, Fault, Lease, Place, Refused, Sealed, Standing, Terms, Used};
pub use client::{Client, Space, Unreadable, View, Written};
pub use copy::copy;
pub use memory::{Access, Memory, Region};
pub use pins::Location;
pub use store::{ClientMemory, Spilled, Store};
