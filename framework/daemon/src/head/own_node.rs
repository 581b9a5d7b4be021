//! The node on the head's own machine: a process of its own, like every node.
//!
//! - **Parent:** the root (one-for-one; permanent, with a budget of its own).
//! - **Children:** none; the operating system's process, which ends when this ends, however.
//! - **After a restart:** a new process, once the one before has surely ended; it joins as any other does.
//! - **Tells:** the cluster, that the process has surely ended; otherwise the node speaks for itself over its session. While the
//!   cluster ends, nobody is started any more.

use std::ffi::OsString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_config::Config;
use raytree_engine::membership::{ExitStatus, Judge, Name};
use raytree_process::logs::{Capture, Session};
use raytree_process::{Event, Keeper, Process, ProcessEnd, SpawnError, Spec, Ward, Word};
use raytree_supervise::{Actor, Context, Failure, clock};
use raytree_types::{Incarnation, ProcessIncarnation, limits};
use tokio::sync::watch;

use super::cluster::Cluster;
use crate::node::{ROLE, Summons, lines};
use crate::place;

/// What this mirror can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum OwnNodeMsg {
    /// The operating system has the process, or would not have it.
    Begun(Box<Result<Process, SpawnError>>),
    /// The process of this life was heard.
    Heard(ProcessIncarnation, Event),
    /// Timer: is it still there?
    Look,
}

/// What it is made of. Belongs to the head, so that a restarted mirror goes on where the last one was.
pub(crate) struct Plan {
    cluster: Arc<Cluster>,
    name: Name,
    settings: Vec<(String, String)>,
    end_within: Duration,
    /// The number of the newest process.
    process: AtomicU64,
    /// Where what it writes is kept, from its first life on; none where nothing can be.
    session: OnceLock<Option<Arc<Session>>>,
    logs: Config,
    judge: Arc<Mutex<Judge>>,
    /// Whether the process of the newest life has ended.
    over: Mutex<watch::Receiver<bool>>,
}

impl Plan {
    pub(crate) fn new(config: &Config, cluster: Arc<Cluster>) -> Self {
        let judge = Judge::new(cluster.settings, clock::now());
        Self {
            cluster,
            name: config.cluster().name.as_str().into(),
            settings: config.arguments(),
            end_within: place::node_ends_within(config) + limits::NODE_END_WITHIN,
            process: AtomicU64::new(0),
            session: OnceLock::new(),
            logs: config.clone(),
            judge: Arc::new(Mutex::new(judge)),
            over: Mutex::new(watch::channel(true).1),
        }
    }

    /// The newest process has surely ended.
    fn is_over(&self, status: ExitStatus) {
        self.cluster.process_ended(self.process.load(Ordering::Relaxed), status);
    }

    /// It begins to say something before it knows its settings.
    fn format(&self) -> (OsString, OsString) {
        ("RAYTREE_LOGS__FORMAT".into(), self.logs.logs().format.to_string().into())
    }

    fn spec(&self, ward: &Ward) -> Result<Spec, Failure> {
        let head = self.cluster.address.get().copied();
        let head = head.ok_or_else(|| Failure::message("the head does not listen yet"))?;
        let process = crate::number()?;
        self.process.store(process, Ordering::Relaxed);
        let summons = Summons { head, process, settings: self.settings.clone() };
        let placement = u32::try_from(ward.member().incarnation.0).unwrap_or(u32::MAX);
        // Whoever started the head reads there what it has to say.
        let session = self.session.get_or_init(|| lines::session(&self.logs).map(Arc::new));
        let capture =
            session.clone().map(|session| Capture { session, tell: None, is_echoed: true });
        let told = session.as_ref().map(|session| session.for_child(None, true));
        Ok(Spec {
            program: "/proc/self/exe".into(),
            arg0: std::env::args_os().next(),
            args: Vec::new(),
            environment: told.into_iter().chain([self.format()]).collect(),
            directory: None,
            role: ROLE.to_owned(),
            name: self.name.to_string(),
            details: serde_json::to_string(&summons)?,
            incarnation: Incarnation { placement, restart: 0 },
            beat_every: limits::BEAT_EVERY,
            capture,
        })
    }
}

/// See the [module documentation](self).
pub(crate) struct OwnNode {
    plan: Arc<Plan>,
    ward: Ward,
    over: watch::Receiver<bool>,
    /// How it has ended.
    status: ExitStatus,
    /// Held, because the process dies with it.
    _keeper: Arc<Keeper>,
}

impl Actor for OwnNode {
    type Msg = OwnNodeMsg;
    type Args = Arc<Plan>;

    async fn start(ctx: &Context<OwnNodeMsg>, plan: Arc<Plan>) -> Result<Self, Failure> {
        let mut before = plan.over.lock().clone();
        // Without the one who would say so it is over as well.
        let over =
            tokio::time::timeout(limits::KILL_GRACE, before.wait_for(|over| *over)).await.is_ok();
        if over {
            plan.is_over(ExitStatus::Unknown);
        }
        // The door opens at the same time.
        while plan.cluster.address.get().is_none() {
            tokio::time::sleep(limits::LOOK_AGAIN).await;
        }
        Ward::bury(&plan.judge);
        let ward = Ward::new(&ROLE.into(), Arc::clone(&plan.judge)).called(&*plan.name);
        let status = ExitStatus::Unknown;
        let (say, over) = watch::channel(false);
        *plan.over.lock() = over.clone();
        let keeper = Arc::new(Keeper::start()?);
        if plan.cluster.is_ending() {
            return Ok(Self { plan, ward, over, status, _keeper: keeper });
        }
        let (spec, own, addr) = (plan.spec(&ward)?, Arc::clone(&keeper), ctx.addr().clone());
        let life = ward.member().incarnation;
        ctx.pipe(async move {
            let begun = tokio::task::spawn_blocking(move || {
                let observer = Box::new(move |event| {
                    if matches!(event, Event::Exited(_)) {
                        _ = say.send(true);
                    }
                    // Refused when the mirror has ended for good.
                    _ = addr.cast(OwnNodeMsg::Heard(life, event));
                });
                own.spawn(spec, observer)
            });
            let begun = begun.await.unwrap_or(Err(SpawnError::Gone));
            Some(OwnNodeMsg::Begun(Box::new(begun)))
        });
        ctx.send_after(limits::BEAT_EVERY, OwnNodeMsg::Look);
        Ok(Self { plan, ward, over, status, _keeper: keeper })
    }

    async fn handle(
        &mut self,
        ctx: &Context<OwnNodeMsg>,
        message: OwnNodeMsg,
    ) -> Result<(), Failure> {
        let words = match message {
            OwnNodeMsg::Begun(begun) => self.ward.begun(*begun),
            // Of the process that died with the life before.
            OwnNodeMsg::Heard(life, _) if life != self.ward.member().incarnation => return Ok(()),
            OwnNodeMsg::Heard(_, event) => {
                if let Event::Exited(end) = &event {
                    self.status = match *end {
                        ProcessEnd::Exited(code) => ExitStatus::Code(code),
                        ProcessEnd::Killed(signal) => ExitStatus::Signal(signal),
                        ProcessEnd::Unknown => ExitStatus::Unknown,
                    };
                }
                self.ward.heard(event)
            }
            OwnNodeMsg::Look => {
                ctx.send_after(limits::BEAT_EVERY, OwnNodeMsg::Look);
                self.ward.look()
            }
        };
        let down = words.into_iter().find_map(|word| match word {
            Word::Down(cause) => Some(cause),
            _ => None,
        });
        let Some(cause) = down else { return Ok(()) };
        self.plan.is_over(self.status);
        // It was told to end with all others.
        if self.plan.cluster.is_ending() { Ok(()) } else { Err(Failure::of(cause)) }
    }

    /// Stop, SIGTERM, SIGKILL, each with its deadline.
    async fn stopped(&mut self, _ctx: &Context<OwnNodeMsg>) {
        let Some(process) = self.ward.stops() else { return };
        process.stop(self.plan.end_within);
        if process.is_frozen() {
            process.kill();
        }
        if !self.ends(self.plan.end_within).await {
            process.terminate();
            if !self.ends(limits::NODE_TERMINATE_WITHIN).await {
                process.kill();
                self.ends(limits::KILL_GRACE).await;
            }
        }
        self.ward.is_over();
        if *self.over.borrow() {
            self.plan.is_over(self.status);
        }
    }
}

impl OwnNode {
    async fn ends(&mut self, within: Duration) -> bool {
        let over = self.over.wait_for(|over| *over);
        tokio::time::timeout(within, over).await.is_ok()
    }
}
