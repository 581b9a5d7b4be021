//! Where an object is that lies in the store of another node.

use std::net::SocketAddr;

use raytree_store::Location;
use serde::{Deserialize, Serialize};

/// A store from which other nodes fetch objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// What its door is called: drawn at random, so no other store has it.
    pub door: String,
    /// Where its node listens for those who fetch.
    pub at: SocketAddr,
}

/// An object of a store of any node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The store.
    pub origin: Origin,
    /// Where it is there, or was when it was seen last.
    pub object: Location,
}
