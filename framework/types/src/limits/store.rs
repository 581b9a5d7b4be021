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
