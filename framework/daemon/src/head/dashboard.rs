//! The head in a browser: opens the port of its dashboard, and shows what the head knows.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};

use raytree_config::{Config, Origin};
use raytree_dashboard::access::{Access, Key};
use raytree_dashboard::{Entry, Measured, Served, Source, dashboard, random};
use raytree_inspector::Inspected;
use raytree_supervise::{Root, clock};
use raytree_types::inspect::{ActorState, ClusterStatus, DashboardStatus};
use raytree_types::limits;
use raytree_wire::Token;
use tokio::net::TcpListener;

use super::cluster::Cluster;
use super::status;
use crate::{StartError, measured, ports};

/// For what the secret is that follows from the token of the cluster.
const PURPOSE: &str = "dashboard";

/// The port of a dashboard, and what is said of it. Nobody is answered yet.
pub(crate) struct Opened {
    listener: TcpListener,
    access: Access,
    pub(crate) status: DashboardStatus,
    address: SocketAddr,
}

impl Opened {
    /// As the settings say; none where they are against it, or no port is free that may be taken.
    pub(crate) fn open(config: &Config, token: &Token) -> Result<Option<Self>, StartError> {
        let settings = config.dashboard();
        if !settings.enabled {
            return Ok(None);
        }
        let is_default = config.origin("dashboard.port") == Some(&Origin::Default);
        let tried = if is_default { limits::DASHBOARD_PORTS_TRIED } else { 1 };
        let wanted = SocketAddr::new(settings.host, settings.port);
        let listener = match ports::open(wanted, tried) {
            Ok(listener) => listener,
            Err(source) if is_default && source.kind() == ErrorKind::AddrInUse => {
                let last = settings.port.saturating_add(tried - 1);
                tracing::warn!("no dashboard: the ports {} to {last} are taken", settings.port);
                return Ok(None);
            }
            Err(source) => return Err(StartError::Dashboard { address: wanted, source }),
        };
        let address = listener.local_addr()?;
        if settings.port != 0 && address.port() != settings.port {
            let taken = settings.port;
            tracing::warn!("port {taken} is taken, so the dashboard listens on {}", address.port());
        }
        if !address.ip().to_canonical().is_loopback() {
            tracing::warn!(%address, "what the dashboard shows is not encrypted on its way (dashboard.insecure)");
        }
        let epoch = format!("{:016x}", crate::number()?);
        let status = DashboardStatus { url: url(address), epoch: epoch.clone() };
        Ok(Some(Self { listener, access: Access::new(key(token), epoch), status, address }))
    }

    /// Answers from now on, as an actor of this tree.
    pub(crate) fn serve(self, root: &Root, cluster: &Arc<Cluster>) {
        let shown = Arc::new(Shown { cluster: Arc::clone(cluster) });
        let entry = Entry { access: self.access, port: self.address.port() };
        let served = Served::new(self.listener, dashboard(shown, entry));
        raytree_dashboard::start(root, "dashboard", served);
    }
}

fn url(address: SocketAddr) -> String {
    let host = match address.ip() {
        // It listens on all; this one leads there from here.
        ip if ip.is_unspecified() && ip.is_ipv4() => IpAddr::from([127, 0, 0, 1]),
        ip if ip.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(host, address.port()))
}

/// What token and one-time codes of a cluster's dashboard are made with.
pub(crate) fn key(token: &Token) -> Key {
    Key::new(token.secret_for(PURPOSE))
}

/// A link that opens this dashboard once.
pub(crate) fn link(key: &Key, status: &DashboardStatus) -> io::Result<String> {
    let mut number = [0; 8];
    random(&mut number)?;
    let code = key.code(&status.epoch, clock::unix_time(), u64::from_le_bytes(number));
    Ok(format!("{}/login?code={code}", status.url))
}

/// The head, as its dashboard sees it.
pub(crate) struct Shown {
    pub(crate) cluster: Arc<Cluster>,
}

impl Measured for Shown {
    fn inspected(&self) -> Option<Weak<dyn Inspected>> {
        self.cluster.windows.own.get().cloned()
    }

    fn cluster(&self) -> Option<ClusterStatus> {
        Some(status::of(&self.cluster))
    }

    fn memory(&self) -> Option<(u64, u64)> {
        measured::memory()
    }
}

impl Source for Shown {
    fn inspected(&self) -> Option<Weak<dyn Inspected>> {
        self.cluster.windows.own.get().cloned()
    }

    fn status(&self) -> ClusterStatus {
        status::of(&self.cluster)
    }

    fn health(&self) -> Result<(), String> {
        if self.cluster.is_ending() {
            return Err("the cluster ends".to_owned());
        }
        let held = Source::inspected(self).and_then(|inspected| inspected.upgrade());
        let tree = held.ok_or("the head starts, or ends")?.root().snapshot().root;
        let failed = tree.children.iter().find(|child| child.state == ActorState::Failed);
        failed.map_or(Ok(()), |failed| Err(format!("{} of the head has failed", failed.name)))
    }
}

#[cfg(test)]
mod tests {
    use raytree_config::LoadFrom;

    use super::*;

    fn config(settings: &[(&str, &str)]) -> Config {
        let from = settings
            .iter()
            .fold(LoadFrom::default(), |from, (key, value)| from.argument(*key, *value));
        Config::load(from).expect("settings")
    }

    fn token() -> Token {
        Token::random().expect("random bytes")
    }

    #[tokio::test]
    async fn a_port_that_was_said_and_is_taken_is_an_error_that_names_it() {
        let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let taken_at = taken.local_addr().expect("bound");
        let said = config(&[("dashboard.port", &taken_at.port().to_string())]);
        let refused = Opened::open(&said, &token()).map(drop).expect_err("taken");
        let text = refused.to_string();
        assert!(
            text.contains(&taken_at.to_string()) && text.contains("--dashboard-port"),
            "{text}"
        );
        let off = config(&[("dashboard.enabled", "false")]);
        assert!(Opened::open(&off, &token()).expect("nothing is opened").is_none());
    }

    #[tokio::test]
    async fn a_link_leads_to_the_dashboard_and_opens_it_once() {
        let token = token();
        let opened = Opened::open(&config(&[("dashboard.port", "0")]), &token);
        let mut opened = opened.expect("a port").expect("it is wanted");
        let link = link(&key(&token), &opened.status).expect("random bytes");
        let (at, code) = link.split_once("/login?code=").expect("a link");
        assert_eq!(at, format!("http://{}", opened.address));
        let now = (clock::now(), clock::unix_time());
        assert_eq!(opened.access.opens(code, "a", now), Ok(()));
        assert!(opened.access.opens(code, "b", now).is_err());
        let of_all = |ip: IpAddr| url(SocketAddr::new(ip, 0));
        assert!(of_all([0, 0, 0, 0].into()).starts_with("http://127.0.0.1:"));
        assert!(of_all([0; 16].into()).starts_with("http://[::1]:"));
    }
}
