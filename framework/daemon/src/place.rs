//! Where a process of the cluster is, and by what others know it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use raytree_config::Config;
use raytree_engine::membership::Settings;
use raytree_process::cluster::Door;
use raytree_wire::{Tls, Token};

use crate::StartError;

/// What connections of this process are made with.
#[derive(Clone)]
pub(crate) struct Secrets {
    pub(crate) token: Token,
    pub(crate) tls: Option<Tls>,
    pub(crate) token_file: PathBuf,
}

impl Secrets {
    /// The token of the cluster, made where there is none yet, and what links are encrypted with: nothing between loopback
    /// addresses, else the certificates that are named, else what follows from the token.
    pub(crate) fn load(config: &Config) -> Result<Arc<Self>, StartError> {
        Self::load_to(config, config.cluster().bind)
    }

    /// As [`Secrets::load`], for who only dials there and does not listen.
    pub(crate) fn load_to(config: &Config, to: IpAddr) -> Result<Arc<Self>, StartError> {
        let cluster = config.cluster();
        let token_file = cluster.token_file.clone().ok_or(StartError::NoFolder)?;
        let token = Token::load_or_create(&token_file)?;
        let pem = cluster.tls_cert.as_deref().zip(cluster.tls_key.as_deref());
        let is_exposed = !cluster.insecure && !to.to_canonical().is_loopback();
        let tls = Tls::chosen(&token, pem, is_exposed)?;
        Ok(Arc::new(Self { token, tls, token_file }))
    }
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

/// The times by which this process judges.
pub(crate) fn settings(config: &Config) -> Result<Settings, StartError> {
    let liveness = config.liveness();
    let defaults = Settings::default();
    // A lease ends a sixth before the deadline, which is more than the drift of two clocks.
    let lease = |deadline: std::time::Duration| deadline * 5 / 6;
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
