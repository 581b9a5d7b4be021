//! What a head or a node shows of itself to those who look from outside: its tree. It has no actors of its users.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};

use raytree_config::Config;
use raytree_inspector::{Door, Inspected, Owners};
use raytree_objects::Depot;
use raytree_process::logs::{Session, Whose, answer};
use raytree_supervise::{Probe, Root};
use raytree_types::RuntimeId;
use raytree_types::inspect::{LogQuery, LogText, Refused, Role, StoreRow, place};

/// See the [module documentation](self).
struct Shown {
    id: RuntimeId,
    door: Arc<Door>,
    root: Root,
    /// Where the head listens, once that is known.
    cluster: Box<dyn Fn() -> Option<SocketAddr> + Send + Sync>,
    kept: Arc<OnceLock<Arc<Session>>>,
    store: Arc<OnceLock<Arc<Depot>>>,
}

impl Inspected for Shown {
    fn id(&self) -> RuntimeId {
        self.id
    }

    fn store(&self) -> Option<StoreRow> {
        self.store.get().map(|depot| depot.row())
    }

    fn door(&self) -> &Arc<Door> {
        &self.door
    }

    fn root(&self) -> Arc<Probe> {
        Arc::clone(self.root.probe())
    }

    fn cluster(&self) -> Option<String> {
        (self.cluster)().map(|address| address.to_string())
    }

    fn log(
        &self,
        whose: raytree_inspector::Whose<'_>,
        query: &LogQuery,
    ) -> Result<LogText, Refused> {
        let name;
        let whose = match whose {
            raytree_inspector::Whose::Own => Whose::Pid(std::process::id()),
            raytree_inspector::Whose::Pid(pid) => Whose::Pid(pid),
            // Workers are called after their job and their node.
            raytree_inspector::Whose::Child(job) => {
                let node = self.kept.get().and_then(|session| session.node());
                name = format!("{job} on {}", node.unwrap_or_default());
                Whose::Named(&name)
            }
        };
        answer(self.kept.get().map(|session| &**session), whose, query)
    }

    fn owners(&self) -> Option<Owners> {
        None
    }
}

/// Whether, and where, a process of the cluster is looked at.
#[derive(Clone)]
pub(crate) struct Sight {
    id: RuntimeId,
    pub(crate) door: Arc<Door>,
    /// Where what its processes write is kept, once that is known.
    pub(crate) kept: Arc<OnceLock<Arc<Session>>>,
    /// The object store of the machine, where this process has it.
    pub(crate) store: Arc<OnceLock<Arc<Depot>>>,
}

impl Sight {
    /// As the settings say.
    pub(crate) fn of(role: Role, config: &Config) -> Self {
        let settings = config.inspector();
        let is_wanted = settings.enabled && place::switched_on();
        let id = RuntimeId::next();
        let wanted = is_wanted.then(|| settings.folder.clone());
        Self {
            id,
            door: Arc::new(Door::new(id, role, wanted)),
            kept: Arc::default(),
            store: Arc::default(),
        }
    }
}

/// Through this one looks in. Its file is gone when this is dropped.
pub(crate) struct Window(Arc<Shown>);

impl Window {
    /// Lets others look at a tree that is up, unless the settings are against it. Opened a moment later.
    pub(crate) fn of(
        root: &Root,
        sight: &Sight,
        cluster: impl Fn() -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        let Sight { id, door, kept, store } = sight.clone();
        let (root_of, cluster) = (root.clone(), Box::new(cluster));
        let shown = Shown { id, door, root: root_of, cluster, kept, store };
        let shown = Arc::new(shown);
        raytree_inspector::start(root, &shown);
        Self(shown)
    }

    /// What is looked at.
    pub(crate) fn inspected(&self) -> Weak<dyn Inspected> {
        Arc::downgrade(&self.0) as Weak<dyn Inspected>
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // Somebody may be about to be answered, and would keep it open.
        self.0.door.shut();
    }
}
