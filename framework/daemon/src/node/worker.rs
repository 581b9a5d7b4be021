//! The mirror of a worker: what stands for its process in the tree of its node.
//!
//! - **Parent:** `workers` (one-for-one; temporary: the head decides whether there is another one).
//! - **Children:** none; the operating system's process, which ends when this ends, however.
//! - **After a restart:** there is none.
//! - **Tells:** the head, through the station: where the worker is dialed, and that it has surely ended.
//!
//! Nobody judges a worker before its process begins: fetching its program takes as long as it takes, within a bound of its own.
//!
//! Invariants:
//! - **WK-1 (surely-ended):** the head hears that a worker is gone only when its process has ended, or was never there; and it
//!   does hear it, whoever dies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use raytree_engine::jobs::TOLD_TO_END;
use raytree_engine::membership::{Judge, Settings};
use raytree_engine::memory::Reading;
use raytree_memory::cause_of;
use raytree_process::cluster::{Posting, Residence, Template, Worker};
use raytree_process::{Event, Process, SpawnError, Spec, Ward, Word};
use raytree_supervise::{Actor, Context, Failure, clock};
use raytree_types::{Cause, Error, Incarnation, Resources, limits};
use tokio::sync::watch;

use super::station::Station;
use crate::programs::{Executable, Fetch, Hold, ProgramMissing};

/// What the process of a worker is called.
const ROLE: &str = "worker";

/// What a mirror can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum WorkerMsg {
    /// Its program is there, or is not.
    Found(Box<Result<(Hold, Executable), ProgramMissing>>),
    /// The operating system has the process, or would not have it.
    Begun(Box<Result<Process, SpawnError>>),
    /// The process was heard.
    Heard(Event),
    /// It is to end.
    Stop {
        /// Kill it, or let it end in order.
        at_once: bool,
    },
    /// Timer: is it still there?
    Look,
    /// The node is short of memory.
    Short(Reading),
    /// It is so no more.
    Eased,
    /// This one of its own processes is to end, for that limit in bytes.
    Sacrifice {
        /// Which.
        process: u32,
        /// In bytes.
        limit: u64,
    },
    /// The node is short of memory: the whole worker has to go.
    Sacrificed(Box<Error>),
}

/// What a mirror is made of.
pub(crate) struct Posted {
    pub(crate) station: Arc<Station>,
    pub(crate) worker: Worker,
    pub(crate) grant: Resources,
    pub(crate) runtime: u64,
    pub(crate) template: Template,
    pub(crate) residence: Option<Box<Residence>>,
    /// Who says when the process has ended, until there is one.
    pub(crate) say: Mutex<Option<watch::Sender<bool>>>,
    /// Whether it has.
    pub(crate) over: watch::Receiver<bool>,
}

impl Drop for Posted {
    fn drop(&mut self) {
        // A mirror that has begun one waits for its end (WK-1); without one there is nothing to wait for.
        if self.say.lock().is_some() {
            let what = format!("{} was not started: what would have, ended", self.worker);
            self.station.is_gone(&self.worker, Cause::message(what), None);
        }
    }
}

/// See the [module documentation](self).
pub(crate) struct WorkerMirror {
    posted: Arc<Posted>,
    /// Its program on the way.
    fetch: Arc<Fetch>,
    /// The process, from its beginning on: before, there is nobody to be judged.
    ward: Option<Ward>,
    /// Held while the process may start from it again.
    program: Option<Hold>,
    /// It has to be up by then.
    up_by: Duration,
    /// It was told to end, and when it is told so more clearly.
    end_by: Option<Duration>,
    is_terminated: bool,
}

impl Actor for WorkerMirror {
    type Msg = WorkerMsg;
    type Args = Arc<Posted>;

    async fn start(ctx: &Context<WorkerMsg>, posted: Arc<Posted>) -> Result<Self, Failure> {
        let fetch = Arc::new(Fetch::default());
        let (own, wanted) = (Arc::clone(&posted), Arc::clone(&fetch));
        ctx.pipe(async move {
            let found = tokio::task::spawn_blocking(move || {
                own.station.programs.get(&own.template, &own.station.source(), &wanted)
            });
            let found = found.await.unwrap_or_else(|error| {
                Err(ProgramMissing::Said(format!("looking for the program failed: {error}")))
            });
            Some(WorkerMsg::Found(Box::new(found)))
        });
        ctx.send_after(limits::BEAT_EVERY, WorkerMsg::Look);
        Ok(Self {
            posted,
            fetch,
            ward: None,
            program: None,
            up_by: Duration::MAX,
            end_by: None,
            is_terminated: false,
        })
    }

    async fn handle(
        &mut self,
        ctx: &Context<WorkerMsg>,
        message: WorkerMsg,
    ) -> Result<(), Failure> {
        let words = match message {
            WorkerMsg::Found(found) => {
                self.begin(ctx, *found)?;
                Vec::new()
            }
            WorkerMsg::Begun(begun) => {
                if let Ok(process) = &*begun {
                    let door = &self.posted.station.sight.door;
                    ctx.addr().probe().leads_to(door.feed(process.id()));
                    self.posted.station.runs_as(&self.posted.worker, process.id());
                }
                self.begun(*begun)
            }
            WorkerMsg::Heard(event) => self.hears(event),
            WorkerMsg::Stop { .. } if self.ward.is_none() => {
                // There is no process, and there will be none.
                self.fetch.give_up(&self.posted.station.programs);
                self.posted.station.declines(&self.posted.worker);
                ctx.stop(TOLD_TO_END);
                return Ok(());
            }
            WorkerMsg::Stop { at_once } => self.stop(at_once),
            WorkerMsg::Look => self.look(ctx),
            // Before there is a process nobody has memory.
            WorkerMsg::Sacrificed(error) => {
                let ward = self.ward.as_mut();
                ward.map(|ward| ward.condemn(cause_of(&error))).unwrap_or_default()
            }
            about => {
                self.tell(&about);
                Vec::new()
            }
        };
        for word in words {
            match word {
                Word::Listens(port) => self.listens(port),
                Word::Offers(offer) => self.posted.station.offers(&self.posted.worker, offer),
                Word::Down(cause) => {
                    let was_told = self.end_by.is_some();
                    let failure = self.gone(cause);
                    if was_told {
                        ctx.stop(TOLD_TO_END);
                        return Ok(());
                    }
                    return Err(failure);
                }
                // Its driver talks to it, and hears of its silence from the head, once it is sure.
                Word::Ready | Word::Pauses | Word::GoesOn => {}
            }
        }
        Ok(())
    }

    /// SIGKILL at the latest: an end in order is [`WorkerMsg::Stop`], which comes first.
    async fn stopped(&mut self, _ctx: &Context<WorkerMsg>) {
        self.fetch.give_up(&self.posted.station.programs);
        let Some(process) = self.ward.as_mut().and_then(Ward::stops) else { return };
        process.kill();
        let mut over = self.posted.over.clone();
        _ = tokio::time::timeout(limits::KILL_GRACE, over.wait_for(|over| *over)).await;
        if let Some(ward) = &mut self.ward {
            ward.is_over();
        }
    }
}

impl WorkerMirror {
    fn begin(
        &mut self,
        ctx: &Context<WorkerMsg>,
        found: Result<(Hold, Executable), ProgramMissing>,
    ) -> Result<(), Failure> {
        let (hold, program) = found.map_err(|missing| {
            let what = format!("{} is not there: {missing}", self.posted.template.manifest);
            self.gone(Cause::message(what))
        })?;
        let start_within = self.posted.station.worker_start_within;
        let settings = Settings { start_within, ..self.posted.station.settings };
        let judge = Arc::new(Mutex::new(Judge::new(settings, clock::now())));
        // The judge is its own, so any name will do: the worker's may be longer than one may be.
        self.ward = Some(Ward::new(&ROLE.into(), judge).called(self.posted.worker.to_string()));
        self.up_by = clock::now() + start_within;
        let (spec, addr) = (self.spec(&program)?, ctx.addr().clone());
        self.program = Some(hold);
        let (posted, say) = (Arc::clone(&self.posted), self.posted.say.lock().take());
        ctx.pipe(async move {
            let begun = tokio::task::spawn_blocking(move || {
                let observer = Box::new(move |event| {
                    if let (Event::Exited(_), Some(say)) = (&event, &say) {
                        _ = say.send(true);
                    }
                    // Refused when the mirror has ended.
                    _ = addr.cast(WorkerMsg::Heard(event));
                });
                posted.station.keeper.spawn(spec, observer)
            });
            let begun = begun.await.unwrap_or(Err(SpawnError::Gone));
            Some(WorkerMsg::Begun(Box::new(begun)))
        });
        Ok(())
    }

    fn spec(&self, program: &Executable) -> Result<Spec, Failure> {
        let Posted { station, worker, grant, runtime, template, residence, .. } = &*self.posted;
        let posting = Posting {
            worker: worker.clone(),
            runtime: *runtime,
            grant: grant.clone(),
            terms: template.terms.clone(),
            residence: residence.clone(),
            abandoned_max: station.abandoned_max,
            door: station.door.clone(),
            store: station.store.as_ref().map(|store| store.depot.door().to_owned()),
            store_at: station.store.as_ref().map(|store| store.exchange.origin().at),
        };
        let to_driver = template.terms.log_to_driver && residence.is_none();
        let capture = station.logs.captures(station, worker, to_driver);
        let session = capture.as_ref().map(|capture| &capture.session);
        let told = session.map(|session| session.for_child(session.node(), to_driver));
        let alone = ("RAYTREE_ADDRESS".into(), "local".into());
        Ok(Spec {
            program: program.path(),
            arg0: Some(template.manifest.name.clone().into()),
            args: template.args.iter().map(Into::into).collect(),
            // A runtime that one of its tasks starts is its own affair.
            environment: [alone, station.sight.door.for_children()]
                .into_iter()
                .chain(told)
                .collect(),
            directory: None,
            role: ROLE.to_owned(),
            name: worker.to_string(),
            details: serde_json::to_string(&posting)?,
            incarnation: Incarnation { placement: worker.life, restart: 0 },
            beat_every: limits::BEAT_EVERY,
            capture,
        })
    }

    /// What the process is told about memory.
    fn tell(&self, what: &WorkerMsg) {
        let Some(process) = self.ward.as_ref().and_then(Ward::process) else { return };
        match *what {
            WorkerMsg::Short(Reading { used, total }) => process.is_short(used, total),
            WorkerMsg::Eased => process.is_eased(),
            WorkerMsg::Sacrifice { process: own, limit } => process.sacrifices(own, limit),
            _ => {}
        }
    }

    fn begun(&mut self, begun: Result<Process, SpawnError>) -> Vec<Word> {
        let Some(ward) = &mut self.ward else { return Vec::new() };
        let words = ward.begun(begun);
        // It was told to end before there was anybody to tell.
        if let (Some(by), Some(process)) = (self.end_by, ward.process()) {
            process.stop(by.saturating_sub(clock::now()));
        }
        words
    }

    fn hears(&mut self, event: Event) -> Vec<Word> {
        self.ward.as_mut().map(|ward| ward.heard(event)).unwrap_or_default()
    }

    fn listens(&mut self, port: u16) {
        let address = SocketAddr::new(self.posted.station.door.bind, port);
        self.up_by = Duration::MAX;
        self.posted.station.is_up(&self.posted.worker, address);
    }

    fn stop(&mut self, at_once: bool) -> Vec<Word> {
        let within = self.posted.station.stop_within;
        let Some(ward) = &mut self.ward else { return Vec::new() };
        if at_once {
            self.end_by.get_or_insert(clock::now());
            return ward.condemn(Cause::message(TOLD_TO_END));
        }
        if self.end_by.is_none() {
            self.end_by = Some(clock::now() + within);
            if let Some(process) = ward.process() {
                process.stop(within);
            }
        }
        Vec::new()
    }

    fn look(&mut self, ctx: &Context<WorkerMsg>) -> Vec<Word> {
        ctx.send_after(limits::BEAT_EVERY, WorkerMsg::Look);
        let Some(ward) = &mut self.ward else { return Vec::new() };
        let now = clock::now();
        if now > self.up_by {
            let within = self.posted.station.worker_start_within;
            self.up_by = Duration::MAX;
            return ward.condemn(Cause::message(format!("it was not up within {within:?}")));
        }
        if self.end_by.is_some_and(|by| now > by) {
            self.end_by = Some(now + limits::NODE_TERMINATE_WITHIN);
            let clearly = std::mem::replace(&mut self.is_terminated, true);
            match ward.process() {
                Some(process) if !clearly => process.terminate(),
                _ => return ward.condemn(Cause::message(TOLD_TO_END)),
            }
        }
        ward.look()
    }

    /// WK-1: there is no process any more.
    fn gone(&mut self, cause: Cause) -> Failure {
        let code = self.ward.as_ref().and_then(Ward::code);
        self.posted.station.is_gone(&self.posted.worker, cause.clone(), code);
        Failure::of(cause)
    }
}

impl Drop for WorkerMirror {
    fn drop(&mut self) {
        self.fetch.give_up(&self.posted.station.programs);
        if let Some(ward) = &self.ward {
            ward.kill();
        }
        let (station, worker) = (Arc::clone(&self.posted.station), self.posted.worker.clone());
        let mut over = self.posted.over.clone();
        let was_begun = self.posted.say.lock().is_none();
        let cause = Cause::message(format!("{worker} died: what stood for it in the tree ended"));
        // Killed, and waited for, before the head hears of it (WK-1).
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if was_begun => {
                _ = runtime.spawn(async move {
                    _ = tokio::time::timeout(limits::KILL_GRACE, over.wait_for(|over| *over)).await;
                    station.is_gone(&worker, cause, None);
                })
            }
            _ => station.is_gone(&worker, cause, None),
        }
    }
}
