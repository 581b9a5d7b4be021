//! How workers are started, and what they are told of themselves.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use raytree_types::{Resources, limits};
use serde::{Deserialize, Serialize};

use super::{Host, Residence, Worker};
use crate::program::Manifest;

/// How the workers of a job are started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// What the driver runs.
    pub manifest: Manifest,
    /// Its arguments, without its own name.
    pub args: Vec<String>,
    /// Where the driver runs, and as which process: what it runs can be run from there.
    pub host: Host,
    /// Its process.
    pub pid: u32,
    /// What the workers' runtimes are told of themselves.
    pub terms: Terms,
}

/// What the runtime of a worker is told of itself by the driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Threads for user code; none for as many as whole CPUs are granted.
    pub threads: Option<usize>,
    /// Whether values are sent through the codec and back.
    pub strict: bool,
    /// Where names are unique.
    pub namespace: String,
    /// Whether the driver wants to hear what they write.
    #[serde(default)]
    pub log_to_driver: bool,
    /// How many bytes each keeps of what it takes to run tasks again whose results are lost.
    #[serde(default = "lineage_bytes")]
    pub lineage_bytes: u64,
}

fn lineage_bytes() -> u64 {
    limits::LINEAGE_BYTES
}

/// What a worker is told of itself by its node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Posting {
    /// Who it is.
    pub worker: Worker,
    /// The number of its runtime, which no other process of its job has.
    pub runtime: u64,
    /// What it may use.
    pub grant: Resources,
    /// What the driver said.
    pub terms: Terms,
    /// The life of a resident that it is, if it is one: then it works for no driver.
    pub residence: Option<Box<Residence>>,
    /// With more abandoned threads it is to leave, and is replaced.
    pub abandoned_max: usize,
    /// Where it is dialed.
    pub door: Door,
    /// The door of the object store of its node, if it has one.
    #[serde(default)]
    pub store: Option<String>,
    /// Where its node gives objects of that store to other nodes, and fetches theirs.
    #[serde(default)]
    pub store_at: Option<SocketAddr>,
}

/// How a process listens for others of its cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Door {
    /// The address of this machine.
    pub bind: IpAddr,
    /// The file with the token of the cluster.
    pub token_file: PathBuf,
    /// Whether nothing is encrypted although others can reach the address.
    pub insecure: bool,
    /// Certificate chain and key, in PEM; none for what follows from the token.
    pub pem: Option<(PathBuf, PathBuf)>,
}
