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

use raytree_engine::membership::Member;
use raytree_engine::memory::Reading;
use raytree_memory::cause_of;
use raytree_process::{Event, Process, SpawnError, Spec, Ward, Word};
use raytree_supervise::{Actor, Context, Failure};
use raytree_types::{Cause, Error, ProcessIncarnation, RuntimeId, limits};
use tokio::sync::watch;

use super::node::{Details, Node, incarnation};
use super::{drain, serve};
use crate::isolated;
use crate::link::Link;
use crate::runtime::Shared;

/// What a mirror can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum NodeMsg {
    /// The operating system has the process, or would not have it.
    Begun(Box<Result<Process, SpawnError>>),
    /// The process of this life was heard.
    Heard(ProcessIncarnation, Event),
    /// The link of this life says nothing more, or nonsense.
    HungUp(ProcessIncarnation, Box<Cause>),
    /// Timer: is it still there?
    Look,
    /// Its machine is short of memory.
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
    /// Its machine is short of memory: the whole node has to go.
    Sacrificed(Box<Error>),
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<NodeMsg>() <= 64);

/// See the [module documentation](self).
pub(crate) struct NodeMirror {
    node: Arc<Node>,
    ward: Ward,
    link: Option<Arc<Link>>,
    over: watch::Receiver<bool>,
}

impl Actor for NodeMirror {
    type Msg = NodeMsg;
    type Args = Arc<Node>;

    async fn start(ctx: &Context<NodeMsg>, node: Arc<Node>) -> Result<Self, Failure> {
        // Its mirror may have died, and the process with it.
        node.is_over(limits::KILL_GRACE).await;
        Ward::bury(&node.judge);
        let ward = Ward::new(&node.name, Arc::clone(&node.judge));
        let (say, over) = node.begins();
        let (addr, spec) = (ctx.addr().clone(), spec(&node, ward.member())?);
        let life = ward.member().incarnation;
        let keeper = isolated::keeper().map_err(Failure::message)?;
        // A millisecond or so, which others must not wait.
        ctx.pipe(async move {
            let begun = tokio::task::spawn_blocking(move || {
                let observer = Box::new(move |event| {
                    if matches!(event, Event::Exited(_)) {
                        _ = say.send(true);
                    }
                    // Refused when the mirror has ended for good.
                    _ = addr.cast(NodeMsg::Heard(life, event));
                });
                keeper.spawn(spec, observer)
            });
            let begun = begun.await.unwrap_or(Err(SpawnError::Gone));
            Some(NodeMsg::Begun(Box::new(begun)))
        });
        ctx.send_after(limits::BEAT_EVERY, NodeMsg::Look);
        ctx.addr().probe().remark(None);
        Ok(Self { node, ward, link: None, over })
    }

    async fn handle(&mut self, ctx: &Context<NodeMsg>, message: NodeMsg) -> Result<(), Failure> {
        let words = match message {
            NodeMsg::Begun(begun) => self.ward.begun(*begun),
            // Of the process that died with the life before.
            NodeMsg::Heard(life, _) | NodeMsg::HungUp(life, _) if life != self.life() => Vec::new(),
            NodeMsg::Heard(_, event) => self.ward.heard(event),
            NodeMsg::HungUp(_, cause) => self.ward.is_read(*cause),
            NodeMsg::Look => {
                ctx.send_after(limits::BEAT_EVERY, NodeMsg::Look);
                ctx.addr().probe().remark(self.link.as_deref().and_then(drain::remark));
                self.ward.look()
            }
            NodeMsg::Sacrificed(error) => self.ward.condemn(cause_of(&error)),
            about => {
                self.tell(&about);
                Vec::new()
            }
        };
        words.into_iter().try_for_each(|word| self.carry_out(ctx, word))
    }

    /// Stop, SIGTERM, SIGKILL, each with its deadline.
    async fn stopped(&mut self, _ctx: &Context<NodeMsg>) {
        self.node.peer.pauses();
        let Some(process) = self.ward.stops() else { return };
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
        self.ward.is_over();
        self.gone(&Cause::message(format!("{} was stopped", self.node.name())));
    }
}

impl NodeMirror {
    fn life(&self) -> ProcessIncarnation {
        self.ward.member().incarnation
    }

    async fn ends(&mut self, within: Duration) -> bool {
        let over = self.over.wait_for(|over| *over);
        tokio::time::timeout(within, over).await.is_ok()
    }

    /// What the process is told about memory.
    fn tell(&self, what: &NodeMsg) {
        let Some(process) = self.ward.process() else { return };
        match *what {
            NodeMsg::Short(Reading { used, total }) => process.is_short(used, total),
            NodeMsg::Eased => process.is_eased(),
            NodeMsg::Sacrifice { process: own, limit } => process.sacrifices(own, limit),
            _ => {}
        }
    }

    fn carry_out(&mut self, ctx: &Context<NodeMsg>, word: Word) -> Result<(), Failure> {
        match word {
            Word::Ready => self.connect(ctx),
            Word::Pauses => self.node.peer.pauses(),
            Word::GoesOn => {
                self.node.peer.goes_on();
                if let Some(runtime) = self.node.runtime.upgrade() {
                    feed(&runtime);
                }
            }
            Word::Down(cause) => {
                let cause = drain::because(cause, self.link.as_deref());
                self.gone(&cause);
                return Err(Failure::of(cause));
            }
            Word::Offers(offer) => self.node.below.says(offer),
            // It talks to its program alone.
            Word::Listens(_) => {}
        }
        Ok(())
    }

    fn connect(&mut self, ctx: &Context<NodeMsg>) {
        let (Some(process), Some(runtime)) = (self.ward.process(), self.node.runtime.upgrade())
        else {
            return;
        };
        let (addr, life) = (ctx.addr().clone(), self.life());
        let hung_up = move |cause| _ = addr.cast(NodeMsg::HungUp(life, Box::new(cause)));
        ctx.addr().probe().leads_to(runtime.door.feed(process.id()));
        let (id, link) = (process.id(), process.stream());
        let link = link.and_then(|stream| Link::start(self.node.name(), stream, &runtime, hung_up));
        match link {
            Ok(link) => {
                self.ward.has_stream();
                self.link = Some(Arc::clone(&link));
                self.node.peer.runs_as(id);
                self.node.peer.comes_up(link);
                self.node.is_there();
                feed(&runtime);
            }
            Err(error) => {
                let what = format!("it cannot be reached: {error}");
                self.ward.condemn(Cause::message(what));
            }
        }
    }

    fn gone(&mut self, cause: &Cause) {
        self.node.peer.goes();
        self.node.addr.probe().leads_to(None);
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
        self.ward.kill();
        let name = self.node.name();
        self.gone(&Cause::message(format!("{name} died: what stood for it in the tree has ended")));
    }
}

fn spec(node: &Node, member: &Member) -> Result<Spec, Failure> {
    let runtime =
        node.runtime.upgrade().ok_or_else(|| Failure::message("the runtime has ended"))?;
    let (capture, session) = runtime.logs.captures(Some(node.name()));
    let alone = ("RAYTREE_ADDRESS".into(), "local".into());
    Ok(Spec {
        // This very program, also when its file was replaced meanwhile.
        program: "/proc/self/exe".into(),
        arg0: std::env::args_os().next(),
        args: runtime.again.clone(),
        // A runtime that one of its tasks starts has no nodes of its own.
        environment: [alone, runtime.door.for_children()].into_iter().chain(session).collect(),
        directory: None,
        role: serve::NODE.to_owned(),
        name: node.name().to_owned(),
        // Ids of one life are never those of another one.
        details: serde_json::to_string(&Details {
            runtime: RuntimeId::next().number(),
            ..node.details.clone()
        })?,
        incarnation: incarnation(member.incarnation),
        beat_every: limits::BEAT_EVERY,
        capture,
    })
}
