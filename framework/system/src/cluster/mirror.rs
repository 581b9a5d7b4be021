//! The mirror of a node: what stands for its process in the tree.
//!
//! - **Parent:** `node_pool` (one-for-one; permanent, with a budget of its own).
//! - **Children:** none; the operating system's process, which ends when this ends, however.
//! - **After a restart:** a new process with a later incarnation, once the one before has surely ended. What the node is to
//!   others belongs to the runtime and stays: its name, its judge, its place among the peers.
//! - **Tells:** the peers, who gets new work; the link, when all who wait are to be told that the node is gone.
//!
//! It judges by beats, whose line is not that of the work, and by what the operating system says. Whatever it learns, it
//! *fences first*: everybody else hears of a death only when the process is dead.
//!
//! Invariants:
//! - **NM-1 (fenced-first):** a call that a node has is lost for its caller only after the node's process has ended, or was
//!   killed and this mirror with it.

use std::sync::Arc;
use std::time::Duration;

use raytree_engine::membership::{
    DeathCause, Effect, ExitStatus, Input, Member, Origin, Phase, Place,
};
use raytree_process::{Event, FromChild, Process, ProcessEnd, SpawnError, Spec};
use raytree_supervise::{Actor, Context, Failure, clock};
use raytree_types::{Cause, RuntimeId, limits};
use tokio::sync::watch;

use super::node::{Details, Node, incarnation};
use super::serve;
use crate::isolated;
use crate::link::Link;
use crate::runtime::Shared;

/// What a mirror can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum NodeMsg {
    /// The operating system has the process, or would not have it.
    Begun(Box<Result<Process, SpawnError>>),
    /// The process was heard.
    Heard(Event),
    /// Its link says nothing more, or nonsense.
    HungUp(Box<Cause>),
    /// Timer: is it still there?
    Look,
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<NodeMsg>() <= 64);

/// See the [module documentation](self).
pub(crate) struct NodeMirror {
    node: Arc<Node>,
    member: Member,
    process: Option<Process>,
    link: Option<Arc<Link>>,
    over: watch::Receiver<bool>,
    /// Why it is being ended, when the reason is not its own.
    verdict: Option<Cause>,
    is_up: bool,
    /// All that came over its link was read.
    is_read: bool,
    looked: Duration,
    /// When it beat last.
    beat: Duration,
    /// How it ended, while the last of what it said may still be on its way.
    ended: Option<ExitStatus>,
}

impl Actor for NodeMirror {
    type Msg = NodeMsg;
    type Args = Arc<Node>;

    async fn start(ctx: &Context<NodeMsg>, node: Arc<Node>) -> Result<Self, Failure> {
        if let Some(member) = node.undead() {
            // Its mirror died, and the process with it.
            node.is_over(limits::KILL_GRACE).await;
            node.judge(Input::Exited { member, status: ExitStatus::Unknown });
        }
        let member = node.next_life();
        let address: Arc<str> = node.name().into();
        let origin = Origin { process: member.incarnation.0, address };
        node.judge(Input::Register { member: member.clone(), place: Place::Local, origin });
        let (say, over) = node.begins();
        let (addr, spec) = (ctx.addr().clone(), spec(&node, &member)?);
        let keeper = isolated::keeper().map_err(Failure::message)?;
        // A millisecond or so, which others must not wait.
        ctx.pipe(async move {
            let begun = tokio::task::spawn_blocking(move || {
                let observer = Box::new(move |event| {
                    if matches!(event, Event::Exited(_)) {
                        _ = say.send(true);
                    }
                    // Refused when the mirror has ended for good.
                    _ = addr.cast(NodeMsg::Heard(event));
                });
                keeper.spawn(spec, observer)
            });
            let begun = begun.await.unwrap_or(Err(SpawnError::Gone));
            Some(NodeMsg::Begun(Box::new(begun)))
        });
        ctx.send_after(limits::BEAT_EVERY, NodeMsg::Look);
        let (process, link, verdict) = (None, None, None);
        let (looked, beat, ended) = (clock::now(), clock::now(), None);
        let (is_up, is_read) = (false, false);
        Ok(Self { node, member, process, link, over, verdict, is_up, is_read, looked, beat, ended })
    }

    async fn handle(&mut self, ctx: &Context<NodeMsg>, message: NodeMsg) -> Result<(), Failure> {
        match message {
            NodeMsg::Begun(begun) => self.begun(ctx, *begun),
            NodeMsg::Heard(event) => self.heard(ctx, event),
            NodeMsg::HungUp(cause) => {
                self.is_read = true;
                if let Some(status) = self.ended {
                    return self.exited(status);
                }
                self.condemn(*cause);
                Ok(())
            }
            NodeMsg::Look => self.look(ctx),
        }
    }

    /// Stop, SIGTERM, SIGKILL, each with its deadline.
    async fn stopped(&mut self, _ctx: &Context<NodeMsg>) {
        self.node.peer.pauses();
        self.node.judge(Input::Stop { member: self.member.clone() });
        let Some(process) = self.process.take() else { return };
        process.stop(limits::NODE_END_WITHIN);
        // One that is frozen hears nothing.
        if process.is_frozen() {
            process.kill();
        }
        if !self.ends(limits::NODE_END_WITHIN).await {
            process.terminate();
            if !self.ends(limits::NODE_TERMINATE_WITHIN).await {
                process.kill();
                self.ends(limits::KILL_GRACE).await;
            }
        }
        self.node.judge(Input::Exited { member: self.member.clone(), status: ExitStatus::Unknown });
        self.gone(&Cause::message(format!("{} was stopped", self.node.name())));
    }
}

impl NodeMirror {
    async fn ends(&mut self, within: Duration) -> bool {
        let over = self.over.wait_for(|over| *over);
        tokio::time::timeout(within, over).await.is_ok()
    }

    fn begun(
        &mut self,
        ctx: &Context<NodeMsg>,
        begun: Result<Process, SpawnError>,
    ) -> Result<(), Failure> {
        match begun {
            Ok(process) => {
                self.process = Some(process);
                if self.verdict.is_some() {
                    self.kill();
                }
                self.connect(ctx);
                Ok(())
            }
            Err(error) => {
                let status = ExitStatus::Unknown;
                self.node.judge(Input::Exited { member: self.member.clone(), status });
                Err(Failure::message(format!("no process for {}: {error}", self.node.name())))
            }
        }
    }

    fn heard(&mut self, ctx: &Context<NodeMsg>, event: Event) -> Result<(), Failure> {
        match event {
            Event::Said(FromChild::Beat { number, progress }) => {
                self.beat = clock::now();
                let member = self.member.clone();
                let effects = self.node.judge(Input::Beat { member, seq: number, progress });
                return self.carry_out(effects);
            }
            Event::Said(FromChild::Up) => {
                self.is_up = true;
                self.connect(ctx);
            }
            Event::Said(FromChild::Leaving) => self.node.peer.pauses(),
            Event::Garbage(what) => {
                let what = format!("it does not speak as a child does: {what}");
                self.condemn(Cause::message(what));
            }
            Event::HungUp => {
                self.condemn(Cause::message("it closed its line"));
            }
            Event::Exited(end) => {
                self.process = None;
                let status = match end {
                    ProcessEnd::Exited(code) => ExitStatus::Code(code),
                    ProcessEnd::Killed(signal) => ExitStatus::Signal(signal),
                    ProcessEnd::Unknown => ExitStatus::Unknown,
                };
                self.node.peer.pauses();
                if self.link.is_none() || self.is_read {
                    return self.exited(status);
                }
                // Its last answers may not have been read; the end of its stream follows, or the next look.
                self.ended = Some(status);
            }
        }
        Ok(())
    }

    fn exited(&mut self, status: ExitStatus) -> Result<(), Failure> {
        let effects = self.node.judge(Input::Exited { member: self.member.clone(), status });
        self.carry_out(effects)
    }

    /// Opens the link, once there is a process and it is up: either may be heard of first.
    fn connect(&mut self, ctx: &Context<NodeMsg>) {
        let may = self.is_up && self.verdict.is_none();
        let Some(process) = self.process.as_ref().filter(|_| may) else { return };
        let Some(runtime) = self.node.runtime.upgrade().filter(|_| self.link.is_none()) else {
            return;
        };
        let addr = ctx.addr().clone();
        let hung_up = move |cause| _ = addr.cast(NodeMsg::HungUp(Box::new(cause)));
        let link = process.stream();
        let link = link.and_then(|stream| Link::start(self.node.name(), stream, &runtime, hung_up));
        match link {
            Ok(link) => {
                self.link = Some(Arc::clone(&link));
                self.node.peer.comes_up(link);
                self.node.is_there();
                feed(&runtime);
            }
            Err(error) => self.condemn(Cause::message(format!("it cannot be reached: {error}"))),
        }
    }

    fn look(&mut self, ctx: &Context<NodeMsg>) -> Result<(), Failure> {
        ctx.send_after(limits::BEAT_EVERY, NodeMsg::Look);
        let now = clock::now();
        let since = now.saturating_sub(std::mem::replace(&mut self.looked, now));
        if let Some(status) = self.ended {
            return self.exited(status);
        }
        let is_late = now.saturating_sub(self.beat) > 3 * limits::BEAT_EVERY;
        if is_late && self.process.as_ref().is_some_and(Process::is_starved) {
            // It would beat if the machine let it.
            let member = self.member.clone();
            let effects = self.node.judge(Input::Starved { member, by: since });
            self.carry_out(effects)?;
        }
        let effects = self.node.judge(Input::Tick);
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), Failure> {
        for effect in effects {
            match effect {
                Effect::Mark { phase: Phase::Up, .. } if self.verdict.is_none() => {
                    self.node.peer.goes_on();
                    if let Some(runtime) = self.node.runtime.upgrade() {
                        feed(&runtime);
                    }
                }
                Effect::Mark { .. } => self.node.peer.pauses(),
                Effect::Convict { cause, .. } => {
                    self.condemn(Cause::message(cause.to_string()));
                }
                Effect::Down { cause, .. } => return Err(self.down(cause)),
                Effect::Refused { .. } => {
                    return Err(Failure::message("its own judge refuses it"));
                }
                // Beats are answered by the thread that hears them: this child dies with this process anyway.
                Effect::Answer { .. }
                | Effect::TellExit { .. }
                | Effect::AnswerJoin { .. }
                | Effect::AskToStop { .. } => {}
            }
        }
        Ok(())
    }

    /// It has to end now.
    fn condemn(&mut self, verdict: Cause) {
        self.node.peer.pauses();
        self.verdict.get_or_insert(verdict);
        self.kill();
    }

    fn kill(&self) {
        if let Some(process) = &self.process {
            process.kill();
        }
    }

    /// It has surely ended: everybody is told.
    fn down(&mut self, cause: DeathCause) -> Failure {
        let why = match (self.verdict.take(), cause) {
            // A link that was cut is what its end looks like from elsewhere.
            (Some(verdict), DeathCause::Exited { status: ExitStatus::Signal(9) }) => {
                verdict.message
            }
            (_, cause) => cause.to_string(),
        };
        let cause = Cause::message(format!("{} died: {why}", self.node.name()));
        self.gone(&cause);
        Failure::of(cause)
    }

    fn gone(&mut self, cause: &Cause) {
        self.node.peer.goes();
        let Some(link) = self.link.take() else { return };
        let cause = cause.clone();
        match self.node.runtime.upgrade() {
            // Values are dropped and written again there, which is the user's code: nothing for the thread that judges.
            Some(runtime) => _ = runtime.user.spawn_blocking(move || link.end(&cause)),
            None => link.end(&cause),
        }
    }
}

/// Whoever waited for a node goes on, on a thread where values are written.
fn feed(runtime: &Arc<Shared>) {
    let own = Arc::clone(runtime);
    runtime.user.spawn_blocking(move || own.peer_is_up());
}

impl Drop for NodeMirror {
    fn drop(&mut self) {
        // First the process, then those who wait for it (NM-1).
        drop(self.process.take());
        let name = self.node.name();
        self.gone(&Cause::message(format!("{name} died: what stood for it in the tree has ended")));
    }
}

fn spec(node: &Node, member: &Member) -> Result<Spec, Failure> {
    let runtime = node.runtime.upgrade();
    let again = runtime.map(|runtime| runtime.again.clone());
    Ok(Spec {
        // This very program, also when its file was replaced meanwhile.
        program: "/proc/self/exe".into(),
        arg0: std::env::args_os().next(),
        args: again.ok_or_else(|| Failure::message("the runtime has ended"))?,
        // A runtime that one of its tasks starts has no nodes of its own.
        environment: vec![("RAYTREE_ADDRESS".into(), "local".into())],
        directory: None,
        role: serve::ROLE.to_owned(),
        name: node.name().to_owned(),
        // Ids of one life are never those of another one.
        details: serde_json::to_string(&Details {
            runtime: RuntimeId::next().number(),
            ..node.details.clone()
        })?,
        incarnation: incarnation(member.incarnation),
        beat_every: limits::BEAT_EVERY,
    })
}
