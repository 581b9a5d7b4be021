//! The processes of a cluster: its head, its nodes, and what they say to each other.
//!
//! - [`session`]: the control plane, messages in both directions between the head and one node.
//!
//! Programs that log should filter `ractor_cluster=warn` (or `info`): at `debug` it formats every message byte by byte.

pub mod session;
