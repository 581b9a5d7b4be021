//! What every receiver knows of others: their newest incarnations.

use std::collections::BTreeMap;

use raytree_types::{ProcessIncarnation, limits};

use super::{Member, Name};

/// Why something that a process said is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// A later life of it is known, or this one is known to be dead.
    Older {
        /// The oldest life that is listened to.
        oldest: ProcessIncarnation,
    },
    /// Too many names are known already.
    Full {
        /// The bound.
        limit: usize,
    },
}

/// The newest incarnation of every process that this one has heard of (MB-6).
#[derive(Debug, Default)]
pub struct Peers {
    oldest: BTreeMap<Name, ProcessIncarnation>,
}

impl Peers {
    /// Whether to listen to `member`. Once a later life was admitted, an earlier one never is.
    ///
    /// # Errors
    /// [`Stale`] says why not.
    pub fn admit(&mut self, member: &Member) -> Result<(), Stale> {
        let full = self.oldest.len() >= limits::PEERS_MAX;
        match self.oldest.get_mut(&member.name) {
            Some(oldest) if member.incarnation < *oldest => Err(Stale::Older { oldest: *oldest }),
            Some(oldest) => {
                *oldest = member.incarnation;
                Ok(())
            }
            None if full => Err(Stale::Full { limit: limits::PEERS_MAX }),
            None => {
                self.oldest.insert(member.name.clone(), member.incarnation);
                Ok(())
            }
        }
    }

    /// This life was declared down: it is not listened to from now on.
    ///
    /// # Errors
    /// [`Stale::Full`] when its name was not known and no more fit.
    pub fn down(&mut self, member: &Member) -> Result<(), Stale> {
        let later = Member::new(member.name.clone(), member.incarnation.next());
        match self.admit(&later) {
            Err(Stale::Older { .. }) | Ok(()) => Ok(()),
            Err(full) => Err(full),
        }
    }

    /// The name will never be used again, and nothing of it is on its way.
    pub fn forget(&mut self, name: &str) {
        self.oldest.remove(name);
    }

    /// How many names it knows, at most [`limits::PEERS_MAX`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.oldest.len()
    }

    /// True before anybody was heard of.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.oldest.is_empty()
    }
}
