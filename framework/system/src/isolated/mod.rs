//! Tasks and actors that run in a process of their own.
//!
//! The process is this program, started again: it finds its role in its environment, and does what it is asked for over its
//! link until it is told to end. In the tree a [`mirror`] stands for it, below `processes`. Whoever gives the task or the
//! actor up, by a cancel, a timeout, a kill or the end of the runtime, ends the process with it, at once.
//!
//! A task has a process for each run ([`Isolated`]), an actor one for each life ([`actor::Own`]), which its stand-in
//! ([`crate::worker::away`]) begins and ends.

pub(crate) mod actor;
pub(crate) mod child;
pub(crate) mod mirror;

use std::sync::Arc;

use parking_lot::Mutex;
use raytree_process::Keeper;
use raytree_supervise::SupervisorSpec;
use raytree_types::codec::Codec;
use raytree_types::{Cause, Incarnation, Isolation, Strategy, TaskOptions, limits};
use tokio::sync::oneshot;

use crate::link::{Answer, Ask, Landing, Link, Terms};
use crate::object::part::Part;
use crate::runtime::life::Life;
use crate::task::context;
use crate::task::definition::Info;
use crate::task::failure::Failure;
use crate::trace;
use child::{Child, Linked, Wanted};
use mirror::Ended;

/// Threads for user code that a process of somebody's own has at least: one more than may hang.
const THREADS: usize = 2;

/// The supervisor of all mirrors, without any yet. Each is its own affair.
pub(crate) fn spec() -> SupervisorSpec {
    SupervisorSpec::new(Strategy::OneForOne).independent()
}

static KEEPER: Mutex<Option<&'static Keeper>> = Mutex::new(None);

/// The thread that starts this process's children, from the first one on. One that has ended is replaced.
///
/// # Errors
/// A sentence.
pub(crate) fn keeper() -> Result<&'static Keeper, String> {
    let mut kept = KEEPER.lock();
    if let Some(keeper) = kept.filter(|keeper| keeper.is_alive()) {
        return Ok(keeper);
    }
    let keeper = Keeper::start().map_err(|error| format!("no process can be started: {error}"))?;
    Ok(*kept.insert(Box::leak(Box::new(keeper))))
}

/// Waits until what this process's children have written by now is kept and told.
pub(crate) fn settle_logs() {
    let keeper = *KEEPER.lock();
    if let Some(keeper) = keeper {
        keeper.settle_logs(limits::LOG_SETTLES_WITHIN);
    }
}

/// A function that runs in a process of its own.
#[derive(Clone)]
pub(crate) struct Isolated {
    pub(crate) isolation: Arc<Isolation>,
    /// It may be run again when its process ends.
    pub(crate) is_retriable: bool,
    /// How the task is called in messages.
    pub(crate) name: String,
    pub(crate) info: &'static Info,
    pub(crate) codec: Codec,
    pub(crate) life: &'static Life,
}

/// The link to a process is over with its task.
struct Ends(Arc<Link>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.end(&Cause::message("its task is over"));
    }
}

impl Isolated {
    /// Runs the function with these arguments, and waits for its result.
    pub(crate) async fn call(self, arguments: Vec<Part>) -> Result<Part, Failure> {
        let life = self.life;
        let ended = self.ask_of_process(arguments).await;
        match ended {
            // It went with the runtime, which is the better answer.
            Err(Failure::Lost(_)) if life.runtime().is_none_or(|own| own.is_closing()) => {
                Err(life.gone().into())
            }
            other => other,
        }
    }

    async fn ask_of_process(self, arguments: Vec<Part>) -> Result<Part, Failure> {
        let mut process = {
            let runtime = self.life.runtime().ok_or_else(|| Failure::from(self.life.gone()))?;
            let wanted = Wanted {
                isolation: &self.isolation,
                name: &self.name,
                incarnation: Incarnation::default(),
                threads: THREADS,
                part: None,
                is_retriable: self.is_retriable,
                // It does nothing else, and is told when that is done.
                is_idle: Box::new(|| false),
            };
            Child::start(&runtime, wanted).map_err(|cause| Failure::Lost(Box::new(cause)))?
        };
        let (link, cut): Linked = process.connect(self.life).await.map_err(failure)?;
        let link = Ends(link);
        let mut asked = self.ask(&link.0, arguments);
        let answered = tokio::select! {
            biased;
            answered = &mut asked => answered.ok(),
            _ = cut => None,
            // Somebody else may hold the stream open; an answer may be on its way.
            _ = process.end() => {
                tokio::time::timeout(limits::BEAT_EVERY, asked).await.ok().and_then(Result::ok)
            }
        };
        match answered {
            Some(answer) => {
                process.finished();
                answer.of_body()
            }
            // It has ended, and its mirror is about to say why; or it lives and will never answer.
            None => Err(failure(process.judge().end_of_silent().await)),
        }
    }

    /// Asks for the one run.
    fn ask(&self, link: &Arc<Link>, arguments: Vec<Part>) -> oneshot::Receiver<Answer> {
        let what = Ask::Run {
            function: self.info.name.to_owned(),
            signature: self.info.signature.to_owned(),
            terms: Terms {
                options: Some(Box::new(TaskOptions::new().cpus(0.0))),
                trace: trace::current(),
                task: context::task().and_then(|task| Some(task.known_as(self.life.runtime()?.id))),
            },
        };
        let (tells, asked) = oneshot::channel();
        link.ask(what, arguments, Box::new(Told(tells)));
        asked
    }
}

/// The answer, for whoever waits.
struct Told(oneshot::Sender<Answer>);

impl Landing for Told {
    fn land(self: Box<Self>, answer: Answer) {
        // Who waited may have left. A link that has ended answers nothing: the process says how.
        if !matches!(answer, Answer::Lost(_)) {
            _ = self.0.send(answer);
        }
    }
}

fn failure(end: Ended) -> Failure {
    match end {
        Ended::Lost(cause) => Failure::Lost(Box::new(cause)),
        Ended::Refused(error) => error.into(),
    }
}
