//! The bounds of a configuration, each with the reason for its size.

/// Bytes of a configuration file. All settings with comments are a few KiB: what is larger is another file.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;

/// Bytes of one value: room for [`RESOURCES_MAX`] resources with names of the longest kind.
pub(crate) const TEXT_BYTES_MAX: usize = 16 << 10;

/// Characters of a value that an error repeats: enough to know it again.
pub(crate) const SHOWN_CHARS_MAX: usize = 200;

/// Bytes of a path: what Linux takes.
pub(crate) const PATH_BYTES_MAX: usize = 4096;

/// Folders in one setting: machines have a few disks.
pub(crate) const FOLDERS_MAX: usize = 64;

/// Bytes of a host's name: what the domain name system takes.
pub(crate) const HOST_BYTES_MAX: usize = 253;

/// Resources of a node beside CPUs and GPUs. A machine has a handful; every heartbeat of resources carries them all.
pub(crate) const RESOURCES_MAX: usize = 64;
