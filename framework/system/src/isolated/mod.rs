//! Tasks that run in a process of their own.
//!
//! The process is this program, started again: it finds its role in its environment, runs the one function it is asked
//! for, and ends. In the tree a [`mirror`] stands for it, below `processes`. Whoever gives the task up, by a cancel, a
//! timeout or the end of the runtime, ends the process with it, at once.

pub(crate) mod mirror;
pub(crate) mod serve;

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use raytree_process::{Keeper, Spec};
use raytree_supervise::{Addr, ChildSpec, SupervisorMsg, SupervisorSpec};
use raytree_types::codec::Codec;
use raytree_types::{Cause, Incarnation, Isolation, Restart, Strategy, TaskOptions, limits};
use tokio::sync::{oneshot, watch};

use crate::link::{Answer, Ask, Landing, Link, Terms};
use crate::object::part::Part;
use crate::runtime::Shared;
use crate::runtime::life::Life;
use crate::task::definition::Info;
use crate::task::failure::Failure;
use mirror::{Ended, Mirror, MirrorMsg, Order};

/// The supervisor of all mirrors, without any yet. Each is its own affair.
pub(crate) fn spec() -> SupervisorSpec {
    SupervisorSpec::new(Strategy::OneForOne).independent()
}

/// The thread that starts this process's children, from the first one on. One that has ended is replaced.
///
/// # Errors
/// A sentence.
pub(crate) fn keeper() -> Result<&'static Keeper, String> {
    static KEEPER: Mutex<Option<&'static Keeper>> = Mutex::new(None);
    let mut kept = KEEPER.lock();
    if let Some(keeper) = kept.filter(|keeper| keeper.is_alive()) {
        return Ok(keeper);
    }
    let keeper = Keeper::start().map_err(|error| format!("no process can be started: {error}"))?;
    Ok(*kept.insert(Box::leak(Box::new(keeper))))
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
struct Hold {
    addr: Addr<MirrorMsg>,
    link: Option<Arc<Link>>,
    is_over: bool,
}

impl Hold {
    /// The task has its answer: the process may end by itself.
    fn finished(mut self) {
        self.is_over = true;
        // Refused when it has ended.
        _ = self.addr.cast(MirrorMsg::Finished);
    }

    fn give_up(&mut self, why: &'static str) {
        self.is_over = true;
        _ = self.addr.cast(MirrorMsg::GivenUp(why));
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.is_over {
            self.give_up("its task was given up");
        }
        if let Some(link) = &self.link {
            link.end(&Cause::message("its task is over"));
        }
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
        let (door, opened) = oneshot::channel();
        let (end, mut ended) = watch::channel(None);
        let mut hold = {
            let runtime = self.life.runtime().ok_or_else(|| Failure::from(self.life.gone()))?;
            let order = Order {
                keeper: keeper().map_err(lost)?,
                spec: self.spec(&runtime),
                memory_max: self.isolation.memory_max,
                door: Mutex::new(Some(door)),
                end,
                heard: AtomicU64::new(0),
            };
            self.start(&runtime, Arc::new(order))
        };
        let Ok(stream) = opened.await else { return Err(why(&mut ended).await) };
        let (asked, cut) = self.ask(stream, &mut hold, arguments)?;
        let mut asked = asked;
        let answered = tokio::select! {
            biased;
            answered = &mut asked => answered.ok(),
            _ = cut => None,
            // Somebody else may hold the stream open; an answer may be on its way.
            () = over(&mut ended) => {
                tokio::time::timeout(limits::BEAT_EVERY, asked).await.ok().and_then(Result::ok)
            }
        };
        match answered {
            Some(answer) => {
                hold.finished();
                answer.of_body()
            }
            // It has ended, and its mirror is about to say why; or it lives and will never answer.
            None => {
                let end = over(&mut ended);
                if tokio::time::timeout(limits::NO_ANSWER_WITHIN, end).await.is_err() {
                    hold.give_up("it closed its stream without an answer");
                }
                Err(why(&mut ended).await)
            }
        }
    }

    /// Asks for the one run; its answer, and the word that none will come.
    fn ask(
        &self,
        stream: UnixStream,
        hold: &mut Hold,
        arguments: Vec<Part>,
    ) -> Result<(oneshot::Receiver<Answer>, oneshot::Receiver<()>), Failure> {
        let runtime = self.life.runtime().ok_or_else(|| Failure::from(self.life.gone()))?;
        let (cuts, cut) = oneshot::channel();
        let hung_up = move |_| _ = cuts.send(());
        let link = Link::start(&self.name, stream, &runtime, hung_up);
        let link = link.map_err(|error| lost(format!("no thread for its link: {error}")))?;
        hold.link = Some(Arc::clone(&link));
        let what = Ask::Run {
            function: self.info.name.to_owned(),
            signature: self.info.signature.to_owned(),
            terms: Terms { options: Some(Box::new(TaskOptions::new().cpus(0.0))) },
        };
        let (tells, asked) = oneshot::channel();
        link.ask(what, arguments, Box::new(Told(tells)));
        Ok((asked, cut))
    }

    fn spec(&self, runtime: &Shared) -> Spec {
        let environment = self.isolation.environment.iter();
        Spec {
            // This very program, also when its file was replaced meanwhile.
            program: "/proc/self/exe".into(),
            arg0: std::env::args_os().next(),
            args: runtime.again.clone(),
            environment: environment.map(|(key, value)| (key.into(), value.into())).collect(),
            directory: self.isolation.directory.clone(),
            role: serve::ROLE.to_owned(),
            name: self.name.clone(),
            details: String::new(),
            incarnation: Incarnation::default(),
            beat_every: limits::BEAT_EVERY,
        }
    }

    fn start(&self, runtime: &Shared, order: Arc<Order>) -> Hold {
        let addr = Addr::system::<Mirror>(&self.name);
        let spec = ChildSpec::actor::<Mirror>(&addr, move || Arc::clone(&order));
        let spec = spec.restart(Restart::Temporary);
        // Refused only when the runtime ends: then the order is dropped, and the task is told.
        _ = runtime.addrs.processes.cast(SupervisorMsg::StartChild(Box::new(spec)));
        Hold { addr, link: None, is_over: false }
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

/// Waits for the end of the process.
async fn over(ended: &mut watch::Receiver<Option<Ended>>) {
    // Without its sender it is over as well.
    _ = ended.wait_for(Option::is_some).await;
}

/// How the process ended.
async fn why(ended: &mut watch::Receiver<Option<Ended>>) -> Failure {
    let end = ended.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
    match end {
        Some(Ended::Lost(cause)) => Failure::Lost(Box::new(cause)),
        Some(Ended::Refused(error)) => error.into(),
        None => lost("it could not be started".to_owned()),
    }
}

fn lost(why: String) -> Failure {
    Failure::Lost(Box::new(Cause::message(why)))
}
