//! Who has started a task.

use raytree_types::TaskId;

/// See the [module documentation](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Starter {
    /// No task of this process.
    Nobody,
    /// The task with this number.
    Parent(u64),
    /// Another process, which knows it as this one.
    Process(TaskId),
}

impl Starter {
    pub(super) fn of(parent: Option<u64>, served: Option<TaskId>) -> Self {
        let own = parent.map_or(Self::Nobody, Self::Parent);
        served.map_or(own, Self::Process)
    }

    pub(super) fn parent(self) -> Option<u64> {
        match self {
            Self::Parent(number) => Some(number),
            Self::Nobody | Self::Process(_) => None,
        }
    }

    /// As what the process knows it that has started it.
    pub(super) fn served_as(self) -> Option<TaskId> {
        match self {
            Self::Process(id) => Some(id),
            Self::Nobody | Self::Parent(_) => None,
        }
    }
}
