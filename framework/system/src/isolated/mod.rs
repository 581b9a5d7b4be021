//! Tasks that run in a process of their own.
//!
//! The process is this program, started again: it finds its role in its environment, runs the one function it is asked
//! for, and ends. In the tree a [`mirror`] stands for it, below `processes`. Whoever gives the task up, by a cancel, a
//! timeout or the end of the runtime, ends the process with it, at once.

pub(crate) mod mirror;
pub(crate) mod part;
pub(crate) mod serve;
mod wire;

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use raytree_process::{Keeper, Spec};
use raytree_supervise::{Addr, ChildSpec, SupervisorMsg, SupervisorSpec};
use raytree_types::codec::Codec;
use raytree_types::{Cause, Error, Incarnation, Isolation, Restart, Strategy, limits};
use tokio::sync::{oneshot, watch};

use crate::runtime::Shared;
use crate::runtime::life::Life;
use crate::task::definition::Info;
use crate::task::failure::Failure;
use mirror::{Mirror, MirrorMsg, Order};
use part::Part;
use wire::{Answer, Question};

/// The supervisor of all mirrors, without any yet. Each is its own affair.
pub(crate) fn spec() -> SupervisorSpec {
    SupervisorSpec::new(Strategy::OneForOne).independent()
}

/// The thread that starts this process's children, from the first one on.
fn keeper() -> Result<&'static Keeper, Failure> {
    static KEEPER: OnceLock<io::Result<Keeper>> = OnceLock::new();
    let kept = KEEPER.get_or_init(Keeper::start);
    kept.as_ref().map_err(|error| lost(format!("no process can be started: {error}")))
}

/// A function that runs in a process of its own.
#[derive(Clone)]
pub(crate) struct Isolated {
    pub(crate) isolation: Arc<Isolation>,
    /// How the task is called in messages.
    pub(crate) name: String,
    pub(crate) info: &'static Info,
    pub(crate) codec: Codec,
    pub(crate) life: &'static Life,
}

/// Ends the process when its task is given up.
struct Hold(Addr<MirrorMsg>);

impl Hold {
    fn finished(self) {
        // Refused when it has ended.
        _ = self.0.cast(MirrorMsg::Finished);
        std::mem::forget(self);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        _ = self.0.cast(MirrorMsg::GivenUp);
    }
}

impl Isolated {
    /// Runs the function with these arguments, and waits for its result.
    pub(crate) async fn call(self, arguments: Vec<Part>) -> Result<Part, Failure> {
        let runtime = self.life.runtime().ok_or_else(|| Failure::from(self.life.gone()))?;
        let (door, opened) = oneshot::channel();
        let (end, mut ended) = watch::channel(None);
        let order = Order {
            keeper: keeper()?,
            spec: self.spec(&runtime)?,
            memory_max: self.isolation.memory_max,
            door: Mutex::new(Some(door)),
            end,
        };
        let hold = self.start(&runtime, Arc::new(order));
        let Ok(stream) = opened.await else { return Err(why(&mut ended).await) };
        let question = Question {
            function: self.info.name.to_owned(),
            signature: self.info.signature.to_owned(),
            arguments,
        };
        let asked = runtime.user.spawn_blocking(move || ask(stream, &question));
        match asked.await {
            Ok(Ok(answer)) => {
                hold.finished();
                answer.map_err(failure)
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                let (name, reason) = (self.info.name.to_owned(), error.to_string());
                Err(Error::CannotTravel { type_name: name, attribute: None, reason }.into())
            }
            // It is gone, and its mirror is about to say why.
            Ok(Err(_)) | Err(_) => Err(why(&mut ended).await),
        }
    }

    fn spec(&self, runtime: &Shared) -> Result<Spec, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| lost(format!("this program is not to be found: {error}")))?;
        let environment = self.isolation.environment.iter();
        Ok(Spec {
            program,
            args: runtime.again.clone(),
            environment: environment.map(|(key, value)| (key.into(), value.into())).collect(),
            directory: self.isolation.directory.clone(),
            role: serve::ROLE.to_owned(),
            name: self.name.clone(),
            details: String::new(),
            incarnation: Incarnation::default(),
            beat_every: limits::BEAT_EVERY,
        })
    }

    fn start(&self, runtime: &Shared, order: Arc<Order>) -> Hold {
        let addr = Addr::system::<Mirror>(&self.name);
        let spec = ChildSpec::actor::<Mirror>(&addr, move || Arc::clone(&order));
        let spec = spec.restart(Restart::Temporary);
        // Refused only when the runtime ends: then the order is dropped, and the task is told.
        _ = runtime.addrs.processes.cast(SupervisorMsg::StartChild(Box::new(spec)));
        Hold(addr)
    }
}

fn ask(mut stream: UnixStream, question: &Question) -> io::Result<Answer> {
    wire::write(&mut stream, question)?;
    wire::read(&mut stream)
}

/// What the process said of its task, as if it had run here.
fn failure(error: Error) -> Failure {
    match error {
        Error::TaskFailed { cause, .. } => Failure::User(cause),
        other => other.into(),
    }
}

/// How the process ended.
async fn why(ended: &mut watch::Receiver<Option<Cause>>) -> Failure {
    let cause = ended.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
    match cause {
        Some(cause) => Failure::Lost(Box::new(cause)),
        None => lost("it could not be started".to_owned()),
    }
}

fn lost(why: String) -> Failure {
    Failure::Lost(Box::new(Cause::message(why)))
}
