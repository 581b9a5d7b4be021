//! Where a runtime has its work done: in its own process, by nodes of its own, or by a cluster.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use raytree_config::{Config, HostPort, LoadFrom};
use raytree_process::cluster::Terms;
use raytree_types::{Error, Resources, Result, limits};

use super::Shared;
use super::start::check;
use crate::driver::Driver;

/// Who runs what is submitted.
pub(super) enum Where {
    Here,
    /// So many nodes that the program starts itself.
    Own(usize),
    /// A cluster.
    Cluster(HostPort),
}

impl Where {
    pub(super) fn own_nodes(&self) -> usize {
        if let Self::Own(nodes) = self { *nodes } else { 0 }
    }
}

/// Who is meant by an address, that which was said, else that of the environment; and the settings of this machine.
///
/// # Errors
/// [`Error::BadOption`] and the other errors of [`Config::load`].
pub(super) fn place(
    said: Option<String>,
    settings: Vec<(String, String)>,
) -> Result<(Where, Config)> {
    let option = if said.is_some() { "address" } else { "RAYTREE_ADDRESS" };
    let address = said.or_else(|| std::env::var("RAYTREE_ADDRESS").ok()).unwrap_or_default();
    let bad = || Error::BadOption {
        option: option.to_owned(),
        value: address.clone(),
        reason: "it is `local`, or `nodes:` and how many of them, or a host and a port".to_owned(),
    };
    let nodes = match address.strip_prefix("nodes:") {
        Some(count) => Some(count.parse::<usize>().map_err(|_| bad())?),
        None => (address.is_empty() || address == "local").then_some(0),
    };
    if let Some(nodes) = nodes.filter(|nodes| *nodes > limits::NODES_MAX) {
        check("nodes", nodes, limits::NODES_MAX)?;
    }
    let head = if nodes.is_some() { "" } else { &*address };
    let mut from = LoadFrom::process().argument("cluster.address", head);
    // It has said what it had to.
    from.environment.retain(|(name, _)| name != "RAYTREE_ADDRESS");
    from.arguments.extend(settings);
    let config = Config::load(from)?;
    let place = match nodes {
        Some(0) => Where::Here,
        Some(nodes) => Where::Own(nodes),
        None => Where::Cluster(config.cluster().address.clone().ok_or_else(bad)?),
    };
    Ok((place, config))
}

/// Dials the head of a cluster, if one is to be used; who says when it works for this program.
pub(super) fn dial(
    shared: &Arc<Shared>,
    placed: Option<&(Where, Config)>,
) -> Result<Option<Receiver<Result<()>>>> {
    let Some((Where::Cluster(head), config)) = placed else { return Ok(None) };
    let (ready, is_ready) = sync_channel(1);
    shared.peers.are(Vec::new());
    // Set once, here.
    _ = shared.driver.set(Driver::dial(config, head, Arc::downgrade(shared), ready)?);
    Ok(Some(is_ready))
}

/// Opens the job of this program, and waits until the cluster works for it.
pub(super) fn join(
    shared: &Shared,
    terms: Terms,
    wants: Option<Resources>,
    is_ready: Option<&Receiver<Result<()>>>,
) -> Result<()> {
    let (Some(driver), Some(is_ready)) = (shared.driver.get(), is_ready) else { return Ok(()) };
    driver.open(&shared.again, terms, wants)?;
    driver.wait(is_ready)
}
