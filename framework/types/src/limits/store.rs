//! The bounds of a node's store.

use std::time::Duration;

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

/// One message between a store and those who use it, in bytes: many slabs, and all that is said at once.
pub const STORE_FRAME_BYTES_MAX: usize = 1 << 20;

/// So many words of one process go into one message to its store.
pub const STORE_WORDS_AT_ONCE: usize = 4096;

/// What is larger than this, in bytes, goes to other processes of its machine through the store: below it, a copy through a socket costs
/// less than the words about where it is. Ray's bound for what travels within a message is the same.
pub const STORE_INLINE_MAX: usize = 100 << 10;

/// How long a store may take to let somebody in.
pub const STORE_JOIN_WITHIN: Duration = Duration::from_secs(2);

/// How long a store may take to lend room: what waits longer goes another way, as all does for a while then. Ten thousand times what it takes
/// when nothing is wrong: a machine that is busy is not taken for a store that stands still.
pub const STORE_LEASE_WITHIN: Duration = Duration::from_millis(500);

/// For how long a store that did not answer is not asked again.
pub const STORE_LEFT_ALONE: Duration = Duration::from_secs(1);

/// How long a process may not take what its store tells it, before it is told nothing more and goes on without the store.
pub const STORE_TOLD_WITHIN: Duration = Duration::from_secs(5);

/// How long objects are kept that only a process held which has ended: others may have been told of them a moment before. They give way
/// to what is written.
pub const STORE_ORPHANS_FOR: Duration = Duration::from_secs(1);

/// The same where other nodes fetch objects: as soon as they hear of the end of whoever has told of one they fetch it, and several gigabytes
/// come in that time.
pub const STORE_ORPHANS_FOR_NODES: Duration = Duration::from_secs(5);

/// How long whoever writes waits for room that the store makes by spilling: a minute is what a slow disk takes for gigabytes, and a store that
/// has not moved for so long will not.
pub const STORE_ROOM_WITHIN: Duration = Duration::from_secs(60);

/// How long whoever writes waits for room where all there is is looked at by somebody: he who looks may wait for just this, and goes on only
/// when it comes another way.
pub const STORE_PINNED_WAIT: Duration = Duration::from_secs(1);

/// Processes and threads that wait for room at once; more are refused.
pub const STORE_WAITING_MAX: usize = 65_536;

/// How long whoever reads waits until a spilled object is read back: an object of a gigabyte from a slow disk, with others before it.
pub const STORE_BACK_WITHIN: Duration = Duration::from_secs(120);

/// Threads of a store that write to disk and read from it: as many as Ray has. They begin with the first object that is spilled.
pub const SPILL_THREADS: usize = 4;

/// How long the end of a store waits for the threads that use disks, so that their files are removed: one file's writing. What is left then
/// is removed by the next store.
pub const SPILL_END_WITHIN: Duration = Duration::from_secs(2);

/// Objects that a store looks at in one search for some to spill: most are looked at by nobody, and a search holds everybody up.
pub const SPILL_LOOKED_MAX: usize = 8192;

/// How long a store does not spill after no folder has taken anything.
pub const SPILL_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How often a store looks whether what is freed is still looked at by somebody.
pub const STORE_SWEEP_EVERY: Duration = Duration::from_millis(50);

/// So much of its memory a store has the system make ahead of need, in bytes: half a second of writing at once, and little to waste.
pub const STORE_AHEAD: u64 = 64 << 20;

/// How long a store does not have the system make memory after it could not.
pub const STORE_AHEAD_AGAIN: Duration = Duration::from_secs(1);

/// So much of its memory a store of a node that is short of it gives back to the system at one look, in bytes: some 20 ms, in which others wait.
pub const STORE_GIVE_BACK: u64 = 128 << 20;

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

/// Such files of which one is made at once: enough work for a while.
pub const SPILL_WASTEFUL_MAX: usize = 16;

/// One part of so many of what a folder may have at most is for writing such files anew: where all of it is in use and little is needed, there
/// would be no other way to make room. No file of several objects is longer than twice that.
pub const SPILL_ANEW_PART: u64 = 16;

/// Folders of crashed stores that one opening removes in each place, so that no start waits for all that was ever left there.
pub const SPILL_SWEPT_MAX: usize = 256;

/// How much each process keeps of what it takes to run tasks again whose results are lost, in bytes, where nobody says otherwise. Ray's figure.
pub const LINEAGE_BYTES: u64 = 1 << 30;

/// How often whoever has borrowed an object asks its owner for it again, since what came could not be read: the first time what was lost is
/// made again there; that it is lost once more on its way is bad luck, and three times it is something else.
pub const BORROWED_AGAIN_MAX: u32 = 3;

/// Objects that a node fetches from others at once: as many threads, each with a connection or more. Two keep a network busy while a third
/// waits for room and a fourth for a disk at the other end.
pub const PULLS_AT_ONCE: usize = 4;

/// What is asked for at once of an object of another node, in bytes: little is lost with a stream that breaks, and several nodes may give parts of
/// one object. Ray's figure is 5 MiB.
pub const PULL_PIECE: u64 = 8 << 20;

/// Nodes that give parts of one object at once.
pub const PULL_SOURCES_MAX: usize = 4;

/// How often it is tried once more to fetch an object of which nothing has come the last time; and how long after the first time, twice as long
/// after each further one: 3 s in all, in which a node that was merely busy is back.
pub const PULL_TRIES_MAX: u32 = 5;

/// See [`PULL_TRIES_MAX`].
pub const PULL_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Objects of one other node that are fetched at once: one that does not answer leaves places for those of others.
pub const PULLS_OF_ONE: usize = 2;

/// How many objects are fetched before one for which there is no room, of those that are needed no more than it. Then they wait with it.
pub const PULL_PASSED_MAX: u32 = 16;

/// For how long they do: what they have fetched before is read, and let go of, meanwhile. Then as many go before it again, for whoever has its
/// room may be waiting for one of them.
pub const PULL_HOLDS_FOR: Duration = Duration::from_secs(5);

/// How long a copy from which parts of an object are fetched may give nothing, once all else of it is there: then the others fetch that, too.
pub const PULL_HELP_SILENT: Duration = Duration::from_secs(1);

/// How long a node counts as gone from which nothing could be fetched: until then its objects are asked for once, and not for seconds each.
pub const PULL_DOWN_FOR: Duration = Duration::from_secs(5);

/// Connections to one other node that are kept for the next object. Ray has two for each.
pub const PULL_IDLE_MAX: usize = 2;

/// How long the other side of a transfer may be silent until it counts as broken. Who waits for a disk says so in between.
pub const PULL_SILENT_MAX: Duration = Duration::from_secs(10);

/// How often one who waits, to read an object or for its turn, says that he does.
pub const PUSH_WAITS_SAID_EVERY: Duration = Duration::from_secs(3);

/// Nodes that get one object from another one at once. Further ones wait, and get it from these: so copies become many times more with each
/// round, and no network is shared by all.
pub const PUSHES_OF_ONE: usize = 2;

/// Objects of which a node knows who else has a copy; what was asked for longest ago is forgotten.
pub const PUSH_KNOWN_MAX: usize = 1024;

/// Copies of one object that a node knows of.
pub const PUSH_COPIES_MAX: usize = 64;

/// Connections of others that fetch objects from a node: several from each of a hundred nodes. More are closed.
pub const PUSH_CONNECTIONS_MAX: usize = 512;

/// How long a connection over which nothing is fetched stays open.
pub const PUSH_IDLE_MAX: Duration = Duration::from_secs(60);

/// Copies of objects of other nodes that a store remembers, so that none is fetched twice; those that are gone are forgotten first.
pub const PULL_COPIES_MAX: usize = 65_536;

/// What is written to an object store, or read from it, in one request, in bytes: of what is larger, several are under way at once. S3 takes no
/// fewer than 5 MiB but at the end.
pub const SPILL_PART: u64 = 8 << 20;

/// Requests for parts of one object, or file, that are under way at once: one connection to an object store gives less than a network does. Each
/// of the [`SPILL_THREADS`] has as many parts in memory meanwhile.
pub const SPILL_PARTS_AT_ONCE: usize = 4;

/// Parts that an upload has at most: S3 takes 10,000. Of what is larger they are larger.
pub const SPILL_PARTS_MAX: u64 = 10_000;

/// How often a request to an object store is tried again that was not answered, or with an error of the server: some seconds in all.
pub const SPILL_REQUEST_RETRIES: usize = 6;

/// How long a request is tried again at most, and how long it may take in all then: who writes waits for [`STORE_ROOM_WITHIN`].
pub const SPILL_RETRIED_FOR: Duration = Duration::from_secs(20);

/// See [`SPILL_RETRIED_FOR`].
pub const SPILL_REQUEST_WITHIN: Duration = Duration::from_secs(45);

/// How often a store that spills to an object store says there that it lives, and tries again to remove what it could not.
pub const SPILL_BEAT_EVERY: Duration = Duration::from_secs(5 * 60);

/// How long a store has not said that it lives until others remove what it had in an object store: nearly 300 times as long as it takes. An object
/// store that cannot be reached for an hour is no reason, and what nobody needs costs little in a day.
pub const SPILL_SILENT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How often what others have left in an object store is looked for: it is asked once for their list, and once for each of them.
pub const SPILL_SWEPT_EVERY: Duration = Duration::from_secs(60 * 60);

/// How long the end of a store waits until what it had in an object store is removed. What is left then is removed by others.
pub const SPILL_REMOTE_END_WITHIN: Duration = Duration::from_secs(5);

/// No smaller is a node's object store unless that is said, as in Ray: 75 MiB.
pub const STORE_DEFAULT_MIN: u64 = 75 << 20;

/// No larger is a node's object store unless that is said, as in Ray: 200 GB.
pub const STORE_DEFAULT_MAX: u64 = 200_000_000_000;
