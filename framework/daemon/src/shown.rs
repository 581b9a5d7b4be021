//! What a head or a node shows of itself to those who look from outside: its tree. It has no actors of its users.

use std::sync::Arc;

use raytree_config::Config;
use raytree_inspector::{Door, Inspected, Owners};
use raytree_supervise::{Probe, Root};
use raytree_types::RuntimeId;
use raytree_types::inspect::{Role, place};

/// See the [module documentation](self).
struct Shown {
    id: RuntimeId,
    role: Role,
    door: Arc<Door>,
    root: Root,
}

impl Inspected for Shown {
    fn id(&self) -> RuntimeId {
        self.id
    }

    fn role(&self) -> Role {
        self.role.clone()
    }

    fn door(&self) -> &Arc<Door> {
        &self.door
    }

    fn root(&self) -> Arc<Probe> {
        Arc::clone(self.root.probe())
    }

    fn owners(&self) -> Option<Owners> {
        None
    }
}

/// Through this one looks in. Its file is gone when this is dropped.
pub(crate) struct Window(Arc<Shown>);

impl Window {
    /// Lets others look at a tree that is up, unless the settings are against it. Opened a moment later.
    pub(crate) fn of(root: &Root, role: Role, config: &Config) -> Self {
        let settings = config.inspector();
        let is_wanted = settings.enabled && place::switched_on();
        let id = RuntimeId::next();
        let door = Arc::new(Door::new(id, is_wanted.then(|| settings.folder.clone())));
        let shown = Arc::new(Shown { id, role, door, root: root.clone() });
        raytree_inspector::start(root, &shown);
        Self(shown)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // Somebody may be about to be answered, and would keep it open.
        self.0.door.shut();
    }
}
