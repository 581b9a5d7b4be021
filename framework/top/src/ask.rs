//! Questions and their answers: one thread asks the source, so that keys never wait for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use raytree_types::inspect::{ActorDetail, Story, Waits};
use raytree_types::limits;

use crate::run::Heard;
use crate::source::{Moment, Source};

/// What is asked of a [`Source`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// [`Source::look`].
    Look,
    /// [`Source::detail`] of a path.
    Detail(String),
    /// [`Source::why`] of a path.
    Why(String),
    /// [`Source::waits`].
    Waits,
    /// [`Source::logs`] of a path.
    Logs(String),
    /// [`Source::losses`] of a path.
    Losses(String),
    /// [`Source::kill`] of a path.
    Kill(String),
}

impl Question {
    /// How many kinds of questions there are.
    pub(crate) const KINDS: usize = 7;

    /// Which kind it is: at most one question of a kind is under way.
    pub(crate) fn kind(&self) -> usize {
        match self {
            Self::Look => 0,
            Self::Detail(_) => 1,
            Self::Why(_) => 2,
            Self::Waits => 3,
            Self::Logs(_) => 4,
            Self::Losses(_) => 5,
            Self::Kill(_) => 6,
        }
    }
}

/// What a [`Source`] has answered. A question that names a path has it in its answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To [`Question::Look`].
    Look(Result<Moment, String>),
    /// To [`Question::Detail`].
    Detail(String, Result<Box<ActorDetail>, String>),
    /// To [`Question::Why`].
    Why(String, Result<Story, String>),
    /// To [`Question::Waits`].
    Waits(Result<Waits, String>),
    /// To [`Question::Logs`].
    Logs(String, Result<Vec<String>, String>),
    /// To [`Question::Losses`].
    Losses(String, Result<Vec<String>, String>),
    /// To [`Question::Kill`].
    Kill(String, Result<String, String>),
}

impl Answer {
    /// The kind of the question.
    pub(crate) fn kind(&self) -> usize {
        match self {
            Self::Look(_) => 0,
            Self::Detail(..) => 1,
            Self::Why(..) => 2,
            Self::Waits(_) => 3,
            Self::Logs(..) => 4,
            Self::Losses(..) => 5,
            Self::Kill(..) => 6,
        }
    }

    /// What `source` says to a question.
    pub(crate) fn of(source: &mut dyn Source, question: Question) -> Self {
        match question {
            Question::Look => Self::Look(safely(|| source.look())),
            Question::Detail(path) => {
                let answer = safely(|| source.detail(&path).map(Box::new));
                Self::Detail(path, answer)
            }
            Question::Why(path) => {
                let answer = safely(|| source.why(&path));
                Self::Why(path, answer)
            }
            Question::Waits => Self::Waits(safely(|| source.waits())),
            Question::Logs(path) => {
                let answer = safely(|| source.logs(&path, limits::TOP_LOG_LINES));
                Self::Logs(path, answer)
            }
            Question::Losses(path) => {
                let answer = safely(|| source.losses(&path));
                Self::Losses(path, answer)
            }
            Question::Kill(path) => {
                let answer = safely(|| source.kill(&path));
                Self::Kill(path, answer)
            }
        }
    }
}

/// A source that panics has given no answer, and may be asked again.
fn safely<T>(ask: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(format!("the question panicked: {said}"))
    })
}

/// The name of the thread that asks.
pub(crate) const THREAD: &str = "raytree-top-ask";

/// Starts the thread that asks. It ends when nobody asks any more, or nobody hears it; one that waits for an answer then is not
/// waited for.
pub(crate) fn start(
    mut source: Box<dyn Source + Send>,
    heard: SyncSender<Heard>,
) -> std::io::Result<SyncSender<Question>> {
    let (ask, questions): (_, Receiver<Question>) = sync_channel(Question::KINDS);
    thread::Builder::new().name(THREAD.to_owned()).spawn(move || {
        for question in questions {
            let answer = Answer::of(&mut *source, question);
            if heard.send(Heard::Answer(Box::new(answer))).is_err() {
                break;
            }
        }
    })?;
    Ok(ask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Demo;

    #[test]
    fn answers_are_of_the_kind_of_their_questions() {
        let path = || "gcs".to_owned();
        let questions = [
            Question::Look,
            Question::Detail(path()),
            Question::Why(path()),
            Question::Waits,
            Question::Logs(path()),
            Question::Losses(path()),
            Question::Kill(path()),
        ];
        assert_eq!(questions.len(), Question::KINDS);
        let mut demo = Demo::new(1);
        for question in questions {
            let kind = question.kind();
            assert_eq!(Answer::of(&mut demo, question).kind(), kind);
        }
    }

    #[test]
    fn a_source_that_panics_has_given_no_answer() {
        let answer: Result<(), String> = safely(|| panic!("no such {}", "disk"));
        assert_eq!(answer, Err("the question panicked: no such disk".to_owned()));
    }
}
