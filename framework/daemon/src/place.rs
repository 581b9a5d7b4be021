//! Where a process of the cluster is, and by what others know it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use raytree_config::Config;
use raytree_engine::membership::Settings;
use raytree_process::cluster::Door;
use raytree_types::limits;
use raytree_wire::{BindTo, Tls, Token};

use crate::StartError;

/// What connections of this process are made with.
#[derive(Clone)]
pub(crate) struct Secrets {
    pub(crate) token: Token,
    pub(crate) tls: Option<Tls>,
    pub(crate) token_file: PathBuf,
}

impl Secrets {
    /// A head's: the token of the cluster, made where there is none yet, and what links are encrypted with: nothing on
    /// loopback addresses, else the certificates that are named, else what follows from the token.
    pub(crate) fn of_head(config: &Config) -> Result<Arc<Self>, StartError> {
        let token_file = token_file(config)?;
        let token = Token::load_or_create(&token_file)?;
        Self::with(config, token, token_file, config.cluster().bind)
    }

    /// For who dials this head. The token is the head's: one that is made here would let nobody in.
    pub(crate) fn towards(config: &Config, head: IpAddr) -> Result<Arc<Self>, StartError> {
        let token_file = token_file(config)?;
        Self::with(config, Token::load(&token_file)?, token_file, head)
    }

    /// `listens` is where the one listens who was or is dialed: both sides see the same address.
    fn with(
        config: &Config,
        token: Token,
        token_file: PathBuf,
        listens: IpAddr,
    ) -> Result<Arc<Self>, StartError> {
        let cluster = config.cluster();
        let is_exposed = !cluster.insecure && !is_loopback(listens);
        let pem = cluster.tls_cert.as_deref().zip(cluster.tls_key.as_deref());
        let tls = Tls::chosen(&token, pem, is_exposed)?;
        Ok(Arc::new(Self { token, tls, token_file }))
    }
}

fn token_file(config: &Config) -> Result<PathBuf, StartError> {
    config.cluster().token_file.clone().ok_or(StartError::NoFolder)
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// A node whose workers nobody on another machine could dial is of no use to a head there.
pub(crate) fn check_reach(config: &Config, head: IpAddr) -> Result<(), StartError> {
    let bind = config.cluster().bind;
    if is_loopback(bind) && !is_loopback(head) {
        return Err(StartError::Unreachable { bind, head });
    }
    Ok(())
}

/// How long a node takes at most from the word that it is to end until it has: its workers have their time, are then told more
/// clearly, are killed, and are waited for.
pub(crate) fn node_ends_within(config: &Config) -> Duration {
    config.node().stop_within + limits::NODE_TERMINATE_WITHIN + limits::KILL_GRACE
}

/// How workers of this node are dialed.
pub(crate) fn door(config: &Config, secrets: &Secrets) -> Door {
    let cluster = config.cluster();
    Door {
        bind: cluster.bind,
        token_file: secrets.token_file.clone(),
        insecure: cluster.insecure,
        pem: cluster.tls_cert.clone().zip(cluster.tls_key.clone()),
    }
}

/// How this node itself is dialed by others.
pub(crate) fn bind(door: &Door, secrets: &Secrets) -> Result<BindTo, StartError> {
    let Door { bind, insecure, pem, .. } = door;
    let pem = pem.as_ref().map(|(cert, key)| (cert.as_path(), key.as_path()));
    // Both sides see the same address.
    let tls = Tls::chosen(&secrets.token, pem, !insecure && !is_loopback(*bind))?;
    let address = SocketAddr::new(*bind, 0);
    let token = secrets.token.clone();
    Ok(BindTo { address, tls, insecure: *insecure, ..BindTo::loopback(token) })
}

/// The times by which this process judges.
pub(crate) fn settings(config: &Config) -> Result<Settings, StartError> {
    let liveness = config.liveness();
    let defaults = Settings::default();
    // A lease ends a sixth before the deadline, which is more than the drift of two clocks.
    let lease = |deadline: Duration| deadline * 5 / 6;
    let settings = Settings {
        beat_every: liveness.beat_every,
        suspect_after: liveness.suspect_after,
        dead_after_local: liveness.dead_after_local,
        dead_after_remote: liveness.dead_after_remote,
        lease_local: lease(liveness.dead_after_local),
        lease_remote: lease(liveness.dead_after_remote),
        stuck_after: liveness.stuck_after,
        start_within: defaults.start_within.max(liveness.dead_after_remote),
        isolation_grace: liveness.isolation_grace,
        ..defaults
    };
    Ok(settings.checked()?)
}

#[cfg(test)]
mod tests {
    use raytree_config::LoadFrom;

    use super::*;

    #[test]
    fn a_node_that_only_its_machine_reaches_is_of_no_use_to_a_head_elsewhere() {
        let of = |bind: &str| Config::load(LoadFrom::default().argument("cluster.bind", bind));
        let (here, there) =
            (of("127.0.0.1").expect("settings"), of("192.0.2.2").expect("settings"));
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        check_reach(&here, address("127.0.0.1")).expect("the same machine");
        check_reach(&there, address("192.0.2.1")).expect("both on a network");
        let refused = check_reach(&here, address("192.0.2.1")).expect_err("not dialable");
        assert!(refused.to_string().contains("--host"), "{refused}");
    }
}
