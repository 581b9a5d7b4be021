//! The mirror of one process of a task's or an actor's own: what stands for it in the tree.
//!
//! - **Parent:** `processes` (one-for-one; temporary: a further run or life has a process, and a mirror, of its own).
//! - **Children:** none; the operating system's process, which ends when this ends, however.
//! - **After a restart:** none follows.
//! - **Tells:** whoever asked for it: a stream once the process is up, and how it ended.
//!
//! Invariants:
//! - **MR-1 (no-process-without-a-mirror):** the process is dead before its mirror is gone, or dies with it.
//! - **MR-2 (always-told):** whoever waits for the process hears of its end, with the cause.
//! - **MR-3 (one-process):** a life of an actor is not over before its process is: the next one begins after that.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_inspector::Door;
use raytree_memory::cause_of;
use raytree_process::{Event, FromChild, Keeper, Process, ProcessEnd, SpawnError, Spec};
use raytree_supervise::{Actor, Context, Failure, Part, clock};
use raytree_types::{Cause, Error, limits};
use tokio::sync::{oneshot, watch};

use crate::cluster::serve;
use crate::memory::Memory;
use crate::memory::book::{Entry, IsIdle};

/// What a mirror can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum MirrorMsg {
    /// The operating system has the process, or would not have it.
    Begun(Box<Result<Process, SpawnError>>),
    /// The process was heard.
    Heard(Event),
    /// Timer: is it still there, and not too large?
    Look,
    /// What it was for is done: the process may go.
    Finished,
    /// What it was for is given up, or has no answer from it: the process has to go.
    GivenUp(&'static str),
    /// Its machine is short of memory: the process has to go.
    Sacrificed(Box<Error>),
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<MirrorMsg>() <= 64);

/// What is asked for, and what is heard.
pub(super) struct Order {
    pub(super) keeper: &'static Keeper,
    /// Through which the tree of this process is looked at: the child's hangs below it.
    pub(super) seen: Arc<Door>,
    pub(super) spec: Spec,
    pub(super) memory_max: Option<u64>,
    /// The stream, once.
    pub(super) door: Mutex<Option<oneshot::Sender<UnixStream>>>,
    /// How it ended.
    pub(super) end: watch::Sender<Option<Ended>>,
    /// When it was heard last, in milliseconds of the clock.
    pub(super) heard: AtomicU64,
    /// Of a life that is not over before the process is (MR-3).
    pub(super) part: Mutex<Option<Part>>,
    /// Which process it is is known there.
    pub(super) memory: Arc<Memory>,
    pub(super) is_retriable: bool,
    /// Once.
    pub(super) is_idle: Mutex<Option<IsIdle>>,
}

/// How a process ended, or why there was none.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// It may be better luck another time.
    Lost(Cause),
    /// It is no use to try again.
    Refused(Error),
}

/// See the [module documentation](self).
pub(super) struct Mirror {
    order: Arc<Order>,
    process: Option<Process>,
    /// Why it is being ended, when the reason is not its own.
    verdict: Option<Cause>,
    /// When it was asked for.
    begun: Duration,
    /// When its patience with a process that is to end is over.
    end_by: Option<Duration>,
    /// It has said that it can be given its task.
    is_up: bool,
}

impl Actor for Mirror {
    type Msg = MirrorMsg;
    type Args = Arc<Order>;

    async fn start(ctx: &Context<MirrorMsg>, order: Arc<Order>) -> Result<Self, Failure> {
        let (addr, ordered) = (ctx.addr().clone(), Arc::clone(&order));
        // A millisecond or so, which others must not wait.
        ctx.pipe(async move {
            let begun = tokio::task::spawn_blocking(move || {
                let heard = Arc::clone(&ordered);
                let observer = Box::new(move |event| {
                    heard.heard.store(milliseconds(clock::now()), Ordering::Release);
                    if matches!(event, Event::Exited(_)) {
                        heard.part.lock().take();
                    }
                    // Of a beat nobody needs to know more than when it came.
                    if !matches!(event, Event::Said(FromChild::Beat { .. })) {
                        _ = addr.cast(MirrorMsg::Heard(event));
                    }
                });
                ordered.keeper.spawn(ordered.spec.clone(), observer)
            });
            let begun = begun.await.unwrap_or(Err(SpawnError::Gone));
            Some(MirrorMsg::Begun(Box::new(begun)))
        });
        ctx.send_after(limits::BEAT_EVERY, MirrorMsg::Look);
        let begun = clock::now();
        Ok(Self { order, process: None, verdict: None, begun, end_by: None, is_up: false })
    }

    async fn handle(
        &mut self,
        ctx: &Context<MirrorMsg>,
        message: MirrorMsg,
    ) -> Result<(), Failure> {
        match message {
            MirrorMsg::Begun(begun) => self.begun(ctx, *begun),
            MirrorMsg::Heard(Event::Said(said)) => self.said(said),
            MirrorMsg::Heard(Event::Garbage(what)) => {
                self.condemn(format!("it does not speak as a child does: {what}"));
            }
            MirrorMsg::Heard(Event::HungUp) if !self.is_up => {
                self.condemn("it closed the line before it came up".to_owned());
            }
            MirrorMsg::Heard(Event::HungUp) => {}
            MirrorMsg::Heard(Event::Exited(end)) => self.ended(ctx, end),
            MirrorMsg::Look => self.look(ctx),
            MirrorMsg::Finished => self.dismiss(),
            MirrorMsg::GivenUp(why) => self.condemn(why.to_owned()),
            MirrorMsg::Sacrificed(error) => self.convict(cause_of(&error)),
        }
        Ok(())
    }
}

impl Mirror {
    fn begun(&mut self, ctx: &Context<MirrorMsg>, begun: Result<Process, SpawnError>) {
        match begun {
            Ok(process) => {
                ctx.addr().probe().note(format!("process {}", process.id()));
                ctx.addr().probe().leads_to(self.order.seen.feed(process.id()));
                self.is_known(ctx, process.id());
                self.process = Some(process);
                if self.verdict.is_some() {
                    self.kill();
                }
                self.open_door();
            }
            Err(error) => {
                self.tell(self.refusal(error));
                ctx.stop("its process could not be started");
            }
        }
    }

    fn said(&mut self, said: FromChild) {
        match said {
            FromChild::Up { .. } => {
                self.is_up = true;
                self.open_door();
            }
            FromChild::Fails(mut cause) => {
                cause.leaves(&self.order.spec.name);
                self.verdict.get_or_insert(*cause);
            }
            _ => {}
        }
    }

    /// Gives the task its stream, once there is a process and it is up: either may be heard of first.
    fn open_door(&mut self) {
        let Some(process) = self.process.as_ref().filter(|_| self.is_up) else { return };
        let Some(door) = self.order.door.lock().take() else { return };
        match process.stream() {
            // Whoever waited may have left.
            Ok(stream) => _ = door.send(stream),
            Err(error) => self.condemn(format!("it cannot be reached: {error}")),
        }
    }

    /// What a process that could not be started says of trying again.
    fn refusal(&self, error: SpawnError) -> Ended {
        let (name, directory) = (&self.order.spec.name, &self.order.spec.directory);
        match error {
            SpawnError::TooMany => {
                let limit = limits::CHILD_PROCESSES_MAX;
                Ended::Refused(Error::Overloaded { name: name.clone(), limit })
            }
            SpawnError::Refused { error, .. } if is_for_good(&error) => {
                Ended::Refused(match directory {
                    Some(folder) => Error::BadOption {
                        option: "working_dir".to_owned(),
                        value: folder.display().to_string(),
                        reason: format!("no process of {name} could be started there: {error}"),
                    },
                    None => {
                        let reason = format!("the process of {name}: {error}");
                        Error::StartFailed { reason }
                    }
                })
            }
            other => Ended::Lost(Cause::message(other.to_string())),
        }
    }

    fn look_again(&self, ctx: &Context<MirrorMsg>) {
        ctx.send_after(limits::BEAT_EVERY, MirrorMsg::Look);
    }

    /// Has it come up, is it heard, does it keep its bound?
    fn look(&mut self, ctx: &Context<MirrorMsg>) {
        let now = clock::now();
        let Some(process) = &self.process else {
            if now.saturating_sub(self.begun) > limits::ISOLATED_UP_WITHIN {
                self.tell(Ended::Lost(Cause::message(
                    "the operating system did not start it in time",
                )));
                ctx.stop("its process was not started in time");
                return;
            }
            return self.look_again(ctx);
        };
        let heard = Duration::from_millis(self.order.heard.load(Ordering::Acquire));
        let silent = now.saturating_sub(heard.max(self.begun));
        let memory = self.order.memory_max.and_then(|most| Some((most, process.memory()?)));
        if let Some((most, used)) = memory
            && used > most
        {
            self.condemn(format!("it uses {used} bytes of memory, where it may use {most}"));
        } else if !self.is_up && now.saturating_sub(self.begun) > limits::ISOLATED_UP_WITHIN {
            self.condemn(format!("it did not come up within {:?}", limits::ISOLATED_UP_WITHIN));
        } else if self.is_up && silent > limits::SILENT_MAX && process.is_frozen() {
            self.condemn(format!("it was stopped from outside, and silent for {silent:?}"));
        } else if self.end_by.is_some_and(|by| now > by) {
            self.kill();
        }
        self.look_again(ctx);
    }

    /// Its work is done: it may end by itself.
    fn dismiss(&mut self) {
        self.end_by = Some(clock::now() + limits::ISOLATED_END_WITHIN);
        if let Some(process) = &self.process {
            self.order.memory.processes.is_done(process.id());
            process.stop(limits::ISOLATED_END_WITHIN);
        }
    }

    /// It has to end now.
    fn condemn(&mut self, verdict: String) {
        self.convict(Cause::message(verdict));
    }

    fn convict(&mut self, verdict: Cause) {
        self.verdict.get_or_insert(verdict);
        self.kill();
    }

    /// The watch over the memory knows of it from now on, until it has ended.
    fn is_known(&self, ctx: &Context<MirrorMsg>, process: u32) {
        let Some(is_idle) = self.order.is_idle.lock().take() else { return };
        let entry = Entry {
            name: self.order.spec.name.clone(),
            mirror: ctx.addr().clone(),
            is_retriable: self.order.is_retriable,
            is_idle,
            since: clock::now(),
        };
        self.order.memory.processes.begins(process, entry);
    }

    fn is_forgotten(&mut self) {
        if let Some(process) = self.process.take() {
            self.order.memory.processes.ends(process.id());
        }
    }

    fn kill(&self) {
        if let Some(process) = &self.process {
            process.kill();
        }
    }

    fn ended(&mut self, ctx: &Context<MirrorMsg>, end: ProcessEnd) {
        self.is_forgotten();
        let verdict = self.verdict.take();
        let said = match end {
            ProcessEnd::Exited(serve::FAILED) => {
                "it could not do what it was started for".to_owned()
            }
            end => end.to_string(),
        };
        self.tell(Ended::Lost(verdict.unwrap_or_else(|| Cause::message(said.clone()))));
        ctx.stop(&said);
    }

    fn tell(&self, end: Ended) {
        self.order.end.send_if_modified(|told| {
            let untold = told.is_none();
            told.get_or_insert(end);
            untold
        });
    }
}

/// Trying again would end as this did.
fn is_for_good(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied | InvalidInput)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Mirror {
    fn drop(&mut self) {
        // The handle kills the process; whoever waits is told, unless he was.
        self.is_forgotten();
        self.order.door.lock().take();
        self.tell(Ended::Lost(Cause::message("what stood for it in the tree has ended")));
    }
}
