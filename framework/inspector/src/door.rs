//! What whoever is inspected keeps of the socket, so that a restarted inspector finds it open.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use raytree_supervise::{Passage, clock};
use raytree_types::RuntimeId;
use raytree_types::inspect::Role;
use raytree_types::inspect::place::{self, SocketName};
use rustix::process::geteuid;
use tokio::net::UnixListener;

use crate::client::Feed;
use crate::socket::{self, OpenError, SocketFile};

/// The socket, and what is to become of it.
#[derive(Debug)]
pub struct Door {
    name: SocketName,
    role: Role,
    /// Nothing: there is to be no socket. Else the folder, where one was named.
    wanted: Option<Option<PathBuf>>,
    state: Mutex<State>,
    /// One at a time: an earlier life's may not be over yet.
    opening: Mutex<()>,
    /// When the runtime began.
    pub(crate) began: Duration,
}

#[derive(Debug)]
enum State {
    /// Not open yet.
    ToOpen,
    /// Dropped together, the file is removed.
    Open(Arc<UnixListener>, #[expect(dead_code, reason = "held for its drop")] SocketFile),
    /// Not wanted, or not possible, or the runtime has ended.
    Shut,
}

/// What the inspector has to do.
pub(crate) enum Now {
    /// Nothing.
    Shut,
    /// Open it.
    ToOpen,
    /// Answer.
    Open(Arc<UnixListener>),
}

impl Door {
    /// The door of a runtime that begins now, and what that is to its cluster. `wanted`: none for no socket; else its folder,
    /// where one was named.
    #[must_use]
    pub fn new(runtime: RuntimeId, role: Role, wanted: Option<Option<PathBuf>>) -> Self {
        let state = if wanted.is_some() { State::ToOpen } else { State::Shut };
        Self {
            name: SocketName { pid: std::process::id(), runtime: runtime.number() },
            role,
            wanted,
            state: Mutex::new(state),
            opening: Mutex::new(()),
            began: clock::now(),
        }
    }

    /// What it is to its cluster.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role.clone()
    }

    /// There is to be a socket, and with it an inspector.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    /// Where the socket is to be.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let named = self.wanted.clone().flatten();
        named.unwrap_or_else(|| place::folder(geteuid().as_raw()))
    }

    /// What processes that this one starts find in their environment, so that it can look into them.
    #[must_use]
    pub fn for_children(&self) -> (OsString, OsString) {
        if self.is_wanted() {
            (place::FOLDER_VARIABLE.into(), self.folder().into())
        } else {
            (place::SWITCH_VARIABLE.into(), "off".into())
        }
    }

    /// The way into a process that this one has started.
    #[must_use]
    pub fn feed(&self, pid: u32) -> Option<Arc<dyn Passage>> {
        let folder = Some(self.folder());
        self.is_wanted().then(|| Feed::to_process(pid, folder) as Arc<dyn Passage>)
    }

    pub(crate) fn now(&self) -> Now {
        match &*self.state.lock() {
            State::Shut => Now::Shut,
            State::ToOpen => Now::ToOpen,
            State::Open(listener, _) => Now::Open(Arc::clone(listener)),
        }
    }

    /// Opens it, if that is still to be done; where it cannot be opened, shuts it. Blocks; wants a tokio runtime with
    /// I/O to be entered.
    pub(crate) fn open(&self) -> Result<(), OpenError> {
        let _alone = self.opening.lock();
        if !matches!(self.now(), Now::ToOpen) {
            return Ok(());
        }
        let opened = socket::open(self.folder(), self.name).and_then(|(listener, file)| {
            Ok((UnixListener::from_std(listener).map_err(OpenError::listen)?, file))
        });
        let mut state = self.state.lock();
        match opened {
            // It may have been shut meanwhile: then nothing is left of it.
            Ok((listener, file)) if matches!(*state, State::ToOpen) => {
                *state = State::Open(Arc::new(listener), file);
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => {
                *state = State::Shut;
                Err(error)
            }
        }
    }

    /// For good. The file is gone when this returns.
    pub fn shut(&self) {
        *self.state.lock() = State::Shut;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn in_1_a_door_that_was_shut_before_it_was_opened_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let door =
            Door::new(RuntimeId::next(), Role::Program, Some(Some(folder.path().to_owned())));
        assert!(matches!(door.now(), Now::ToOpen));
        door.shut();
        assert!(door.open().is_ok(), "too late is no failure");
        assert!(matches!(door.now(), Now::Shut));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
