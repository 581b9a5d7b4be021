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
    Cluster(Box<Config>, HostPort),
}

impl Where {
    /// Every value goes through the codec, unless the program says otherwise.
    pub(super) fn is_strict(&self) -> bool {
        let is = |name: &str, on: &[&str]| {
            std::env::var(name)
                .is_ok_and(|value| on.contains(&value.trim().to_ascii_lowercase().as_str()))
        };
        match self {
            Self::Cluster(config, _) => config.calls().strict,
            // Without a cluster no settings are read but this one.
            Self::Here | Self::Own(_) => {
                is("RAYTREE_STRICT", &["1"])
                    || is("RAYTREE_CALLS__STRICT", &["true", "on", "yes", "1"])
            }
        }
    }
}

/// Who is meant by an address: that which was said, else that of the environment.
pub(super) fn place(said: Option<String>, settings: Vec<(String, String)>) -> Result<Where> {
    let option = if said.is_some() { "address" } else { "RAYTREE_ADDRESS" };
    let address = said.or_else(|| std::env::var("RAYTREE_ADDRESS").ok()).unwrap_or_default();
    if address.is_empty() || address == "local" {
        return Ok(Where::Here);
    }
    let bad = || Error::BadOption {
        option: option.to_owned(),
        value: address.clone(),
        reason: "it is `local`, or `nodes:` and how many of them, or a host and a port".to_owned(),
    };
    if let Some(count) = address.strip_prefix("nodes:") {
        let nodes = count.parse::<usize>().map_err(|_| bad())?;
        if nodes > limits::NODES_MAX {
            check("nodes", nodes, limits::NODES_MAX)?;
        }
        return Ok(if nodes == 0 { Where::Here } else { Where::Own(nodes) });
    }
    let mut from = LoadFrom::process().argument("cluster.address", address.as_str());
    from.arguments.extend(settings);
    let config = Config::load(from)?;
    let head = config.cluster().address.clone().ok_or_else(bad)?;
    Ok(Where::Cluster(Box::new(config), head))
}

/// Dials the head of a cluster, if one is to be used; who says when it works for this program.
pub(super) fn dial(shared: &Arc<Shared>, place: &Where) -> Result<Option<Receiver<Result<()>>>> {
    let Where::Cluster(config, head) = place else { return Ok(None) };
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
