//! The mirror of one process of a task's own: what stands for it in the tree.
//!
//! - **Parent:** `processes` (one-for-one; temporary: a further run has a process, and a mirror, of its own).
//! - **Children:** none; the operating system's process, which ends when this ends, however.
//! - **After a restart:** none follows.
//! - **Tells:** the task that asked for it: a stream once the process is up, and how it ended.
//!
//! Invariants:
//! - **MR-1 (no-process-without-a-mirror):** the process is dead before its mirror is gone, or dies with it.
//! - **MR-2 (always-told):** whoever waits for the process hears of its end, with the cause.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use raytree_process::{Event, FromChild, Keeper, Process, ProcessEnd, SpawnError, Spec};
use raytree_supervise::{Actor, Context, Failure, clock};
use raytree_types::{Cause, limits};
use tokio::sync::{oneshot, watch};

/// What a mirror can be told.
#[derive(strum::IntoStaticStr)]
pub(super) enum MirrorMsg {
    /// The operating system has the process, or would not have it.
    Begun(Box<Result<Process, SpawnError>>),
    /// The process was heard.
    Heard(Event),
    /// Timer: is it still there, and not too large?
    Look,
    /// Its task has its answer: the process may go.
    Finished,
    /// Its task is given up: the process has to go.
    GivenUp,
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<MirrorMsg>() <= 64);

/// What a task asks for, and what it hears.
pub(super) struct Order {
    pub(super) keeper: &'static Keeper,
    pub(super) spec: Spec,
    pub(super) memory_max: Option<u64>,
    /// The stream, once.
    pub(super) door: Mutex<Option<oneshot::Sender<UnixStream>>>,
    /// How it ended.
    pub(super) end: watch::Sender<Option<Cause>>,
}

/// See the [module documentation](self).
pub(super) struct Mirror {
    order: Arc<Order>,
    process: Option<Process>,
    /// Why it is being ended, when the reason is not its own.
    verdict: Option<String>,
    /// When it was heard last, or begun.
    heard: Duration,
    /// When its patience with a process that is to end is over.
    end_by: Option<Duration>,
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
                let observer = Box::new(move |event| _ = addr.cast(MirrorMsg::Heard(event)));
                ordered.keeper.spawn(ordered.spec.clone(), observer)
            });
            begun.await.ok().map(|begun| MirrorMsg::Begun(Box::new(begun)))
        });
        let heard = clock::now();
        Ok(Self { order, process: None, verdict: None, heard, end_by: None, is_up: false })
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
            MirrorMsg::Heard(Event::HungUp) => {}
            MirrorMsg::Heard(Event::Exited(end)) => self.ended(ctx, end),
            MirrorMsg::Look => self.look(ctx),
            MirrorMsg::Finished => self.dismiss(),
            MirrorMsg::GivenUp => self.condemn("its task was given up".to_owned()),
        }
        Ok(())
    }
}

impl Mirror {
    fn begun(&mut self, ctx: &Context<MirrorMsg>, begun: Result<Process, SpawnError>) {
        match begun {
            Ok(process) => {
                self.process = Some(process);
                self.heard = clock::now();
                if self.verdict.is_some() {
                    self.kill();
                }
                self.look_again(ctx);
            }
            Err(error) => {
                self.tell(error.to_string());
                ctx.stop("its process could not be started");
            }
        }
    }

    fn said(&mut self, said: FromChild) {
        self.heard = clock::now();
        if said == FromChild::Up && !self.is_up {
            self.is_up = true;
            let door = self.order.door.lock().take();
            let stream = self.process.as_ref().map(Process::stream);
            match (door, stream) {
                // Whoever waited may have left.
                (Some(door), Some(Ok(stream))) => _ = door.send(stream),
                (_, Some(Err(error))) => self.condemn(format!("it cannot be reached: {error}")),
                _ => {}
            }
        }
    }

    fn look_again(&self, ctx: &Context<MirrorMsg>) {
        ctx.send_after(limits::BEAT_EVERY, MirrorMsg::Look);
    }

    /// Has it come up, is it heard, does it keep its bound?
    fn look(&mut self, ctx: &Context<MirrorMsg>) {
        let Some(process) = &self.process else { return };
        let silent = clock::now().saturating_sub(self.heard);
        let memory = self.order.memory_max.and_then(|most| Some((most, process.memory()?)));
        if let Some((most, used)) = memory
            && used > most
        {
            self.condemn(format!("it uses {used} bytes of memory, where it may use {most}"));
        } else if !self.is_up && silent > limits::ISOLATED_UP_WITHIN {
            self.condemn(format!("it did not come up within {:?}", limits::ISOLATED_UP_WITHIN));
        } else if self.is_up && silent > limits::SILENT_MAX && process.is_frozen() {
            self.condemn(format!("it was stopped from outside, and silent for {silent:?}"));
        } else if self.end_by.is_some_and(|by| clock::now() > by) {
            self.kill();
        }
        self.look_again(ctx);
    }

    /// Its work is done: it may end by itself.
    fn dismiss(&mut self) {
        self.end_by = Some(clock::now() + limits::ISOLATED_END_WITHIN);
        if let Some(process) = &self.process {
            process.stop(limits::ISOLATED_END_WITHIN);
        }
    }

    /// It has to end now.
    fn condemn(&mut self, verdict: String) {
        self.verdict.get_or_insert(verdict);
        self.kill();
    }

    fn kill(&self) {
        if let Some(process) = &self.process {
            process.kill();
        }
    }

    fn ended(&mut self, ctx: &Context<MirrorMsg>, end: ProcessEnd) {
        self.process = None;
        let verdict = self.verdict.take();
        self.tell(verdict.unwrap_or_else(|| end.to_string()));
        ctx.stop(&end.to_string());
    }

    fn tell(&self, cause: String) {
        self.order.end.send_replace(Some(Cause::message(cause)));
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        // The handle kills the process; whoever waits is told, unless he was.
        self.order.door.lock().take();
        self.order.end.send_if_modified(|end| {
            let untold = end.is_none();
            end.get_or_insert_with(|| Cause::message("what stood for it in the tree has ended"));
            untold
        });
    }
}
