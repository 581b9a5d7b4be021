//! What may lie over the tree, and what it has to know.

use raytree_types::inspect::{Story, Waits};

use crate::ask::{Answer, Question};
use crate::model::EventId;

/// An answer, once there is one.
pub(crate) type Answered<T> = Option<Result<T, String>>;

/// What lies over the tree, or beside it.
#[derive(Clone, Debug)]
pub(crate) enum Pane {
    /// The keys.
    Help,
    /// All there is to say of the selected row.
    Detail,
    /// Why something is as it is.
    Why {
        /// What.
        path: String,
        /// The story.
        story: Answered<Story>,
    },
    /// The supervision log.
    Events {
        /// The selected entry; the newest where none is chosen.
        selected: Option<EventId>,
    },
    /// Who waits for whom.
    Waits {
        /// Their stories.
        stories: Answered<Waits>,
    },
    /// What a row has written.
    Logs {
        /// Whose.
        path: String,
        /// The lines, the newest last.
        lines: Answered<Vec<String>>,
    },
    /// Is this one to be killed?
    Kill(Kill),
}

/// A question that only a typed `y` answers with yes.
#[derive(Clone, Debug)]
pub(crate) struct Kill {
    /// Who.
    pub(crate) path: String,
    /// What will be lost with it, one sentence each.
    pub(crate) losses: Vec<String>,
}

impl Pane {
    /// What it has to be asked to be as new as the tree.
    pub(crate) fn question(&self) -> Option<Question> {
        match self {
            Self::Help | Self::Detail | Self::Events { .. } | Self::Kill(_) => None,
            Self::Why { path, .. } => Some(Question::Why(path.clone())),
            Self::Waits { .. } => Some(Question::Waits),
            Self::Logs { path, .. } => Some(Question::Logs(path.clone())),
        }
    }

    /// Takes the answer if it is one to this pane. One that failed does not replace one that is there.
    pub(crate) fn hear(&mut self, answer: Answer) -> bool {
        match (self, answer) {
            (Self::Why { path, story }, Answer::Why(of, new)) if *path == of => renew(story, new),
            (Self::Waits { stories }, Answer::Waits(new)) => renew(stories, new),
            (Self::Logs { path, lines }, Answer::Logs(of, new)) if *path == of => renew(lines, new),
            _ => return false,
        }
        true
    }
}

fn renew<T>(known: &mut Answered<T>, new: Result<T, String>) {
    if new.is_ok() || !matches!(known, Some(Ok(_))) {
        *known = Some(new);
    }
}
