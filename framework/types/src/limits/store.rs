//! The bounds of a node's store.

/// Views that one process can have of objects at once. Its page of pins is half a MiB then, of which only what was used exists.
pub const STORE_PINS_MAX: usize = 65_535;

/// Objects of a store are thought to have so many bytes at least, on average: of smaller ones there are fewer than would fit.
pub const STORE_OBJECT_MEAN_MIN: u64 = 1024;

/// Objects of a store at once, whatever its size: their generations are 128 MiB then, of which only what was used exists.
pub const STORE_OBJECTS_MAX: u32 = 1 << 24;

/// And so many at least, in however small a store.
pub const STORE_OBJECTS_MIN: u32 = 1 << 12;

/// Processes that use one store at once: the workers of one machine, with room for those that come while others go.
pub const STORE_CLIENTS_MAX: usize = 1024;

/// The room of a slab for small objects, in bytes: a thousand of one KiB each are one word to the store, and one that has a slab lent and
/// writes nothing holds little.
pub const STORE_SLAB: u64 = 1 << 20;

/// Objects in one slab.
pub const STORE_SLAB_OBJECTS: u32 = 1024;

/// What is larger has room of its own, in bytes: a slab is not left a quarter empty for it.
pub const STORE_SMALL_MAX: u64 = STORE_SLAB / 4;

/// From so many bytes on, what is written to a store goes past the caches: it would not stay there, and need not be read first.
pub const STORE_STREAMED_MIN: usize = 1 << 20;

/// Small objects are spilled together, into files of so many bytes at most: a disk that turns is then busy writing, and not seeking. Ray's
/// figure.
pub const SPILL_FUSED: u64 = 100 << 20;

/// Objects in one spill file: whoever frees them one by one has one file to be asked about. Ray's figure.
pub const SPILL_FUSED_OBJECTS: usize = 2000;

/// Objects that are spilled at once, as many as a store can have: what is known of each takes about 100 bytes of memory.
pub const SPILL_OBJECTS_MAX: usize = STORE_OBJECTS_MAX as usize;

/// A spilled object has a checksum for each so many bytes: so that they are still in the caches when they are written or were read, and a
/// part of an object can be read without the rest.
pub const SPILL_CHUNK: u64 = 1 << 20;

/// What is gathered before it is written to a spill file, in bytes; what is longer is written from where it lies.
pub const SPILL_BUFFER: usize = 256 << 10;

/// So much of a file system is left free by what is spilled to it, in percent: others write there, too. Ray's figure.
pub const SPILL_RESERVE_PERCENT: u64 = 5;

/// A spill file of which less than this is still needed, in percent, is worth writing anew: that costs no more than it gives back.
pub const SPILL_LIVE_MIN_PERCENT: u64 = 50;

/// Such files that are named at once, each with its objects: enough work for a while.
pub const SPILL_WASTEFUL_MAX: usize = 16;

/// Folders of crashed stores that one opening removes in each place, so that no start waits for all that was ever left there.
pub const SPILL_SWEPT_MAX: usize = 256;
