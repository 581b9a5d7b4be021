//! Many processes as one system: the nodes that a program starts, and what it has them do.
//!
//! ```text
//! raytree (the program)                       raytree (node-1: this program, started again)
//! ├─ gcs ─ actor_directory                    ├─ gcs
//! ├─ node                                     ├─ node
//! │  └─ worker ─ actor_host                   │  └─ worker ─ actor_host
//! │     └─ counter#1   (stand-in) ─────link──────────▶ └─ counter#1
//! └─ node_pool                                └─ inspector
//!    ├─ node-1         (mirror) ────beats, fence────▶ the process
//!    └─ node-2
//! ```
//!
//! A node is a whole runtime. What is submitted to the program's runtime is run by its nodes; what a node's tasks and actors
//! submit and create themselves stays there while the node has room, and else goes up to the program, which finds another
//! one. Tasks, actors and objects belong to the process that submitted, created or made them: it decides on retries and
//! restarts, and it is asked for their values.
//!
//! The workers of a cluster ([`worker`]) are served as nodes are; who starts them, and where, is the cluster's
//! (`raytree_process::cluster`).
//!
//! A detached actor of a cluster is a worker, too, and works for nobody ([`resident`]).
//!
//! Workers call each other's actors directly ([`neighbours`], [`crate::worker::ways`]); nodes have no door, and their calls go
//! through the program.
//!
//! What is detached there, or has a name and no owner, the program makes ([`crate::worker::made`]), so that it is found from
//! everywhere. Not yet: the name of an actor that another actor owns is known in the process of that one alone.

pub(crate) mod dialer;
pub(crate) mod drain;
pub(crate) mod hopeless;
pub(crate) mod mirror;
pub(crate) mod neighbours;
pub(crate) mod node;
pub(crate) mod peer;
pub(crate) mod peers;
pub(crate) mod resident;
pub(crate) mod role;
pub(crate) mod serve;
pub(crate) mod worker;

use std::sync::Arc;

use raytree_supervise::{ChildSpec, SupervisorSpec};
use raytree_types::{Result, Strategy, limits};

use mirror::NodeMirror;
use node::Node;

use crate::runtime::Runtime;

impl Runtime {
    /// A runtime with so many nodes, each a process of its own on this machine, with all other defaults: what
    /// [`Init::nodes`](crate::Init::nodes) says.
    ///
    /// # Errors
    /// As for [`Init::start`](crate::Init::start).
    pub fn cluster(nodes: usize) -> Result<Self> {
        crate::Init::new().nodes(nodes).start()
    }
}

/// The supervisor of the mirrors of all nodes. A node that is lost costs nobody else anything.
pub(crate) fn spec(nodes: &[Arc<Node>]) -> SupervisorSpec {
    let mirror = |node: &Arc<Node>| {
        let own = Arc::clone(node);
        ChildSpec::actor::<NodeMirror>(&node.addr, move || Arc::clone(&own))
            .own_restarts(limits::NODE_RESTARTS_MAX)
            .shutdown(raytree_types::Shutdown::Wait)
    };
    let spec = SupervisorSpec::new(Strategy::OneForOne).independent();
    nodes.iter().map(mirror).fold(spec, SupervisorSpec::child)
}
