//! What all parts of a node share: who it is, its lease, its workers.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_config::Config;
use raytree_engine::membership::{ChildEffect, ChildInput, Lease, Place, Settings, Standing};
use raytree_inspector::Inspected;
use raytree_objects::{
    Depot, Exchange, ObjectStore, ObjectStoreMsg, Puller, PullerMsg, Pusher, PusherMsg, Reach,
    SpillTerms,
};
use raytree_process::cluster::{Door, FromNode, Offer, Residence, Template, Whereabouts, Worker};
use raytree_process::{Keeper, Mark};
use raytree_supervise::{Addr, ChildSpec, Supervisor, SupervisorMsg, SupervisorSpec, clock};
use raytree_types::inspect::Role;
use raytree_types::{Cause, Resources, Restart, Shutdown, Strategy, limits};
use tokio::sync::{Semaphore, watch};

use super::beats::Progress;
use super::lines::Kept;
use super::memory::Placed;
use super::uplink::UplinkMsg;
use super::worker::{Posted, WorkerMirror, WorkerMsg};
use crate::place::{self, Secrets};
use crate::programs::{From, Programs};
use crate::session::SessionsMsg;
use crate::shown::Sight;
use crate::{Ending, StartError};

/// Where a node is in its life, for whoever waits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    Joining,
    Member,
    Isolated,
    Over(Ending),
}

/// See the [module documentation](self).
pub(crate) struct Station {
    pub(crate) name: String,
    /// Drawn at random: no other process has it.
    pub(crate) process: u64,
    pub(crate) head: SocketAddr,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) door: Door,
    /// Whether and where it is looked at; and what is seen then, once its tree is up.
    pub(crate) sight: Sight,
    pub(crate) shown: Arc<OnceLock<Weak<dyn Inspected>>>,
    /// Where its numbers for Prometheus are read.
    pub(crate) metrics: Option<SocketAddr>,
    /// Connections over which its head looks at it.
    pub(crate) lookers: Arc<Semaphore>,
    pub(crate) programs: Arc<Programs>,
    pub(crate) sessions: Addr<SessionsMsg>,
    pub(crate) uplink: Addr<UplinkMsg>,
    pub(crate) pool: Addr<SupervisorMsg>,
    pub(crate) keeper: Keeper,
    /// The object store of this machine, unless there is to be none.
    pub(crate) store: Option<Store>,
    /// How what workers write is kept.
    pub(crate) logs: Kept,
    /// By what it judges its workers.
    pub(crate) settings: Settings,
    pub(crate) worker_start_within: Duration,
    /// With more abandoned threads a worker is replaced.
    pub(crate) abandoned_max: usize,
    pub(crate) stop_within: Duration,
    /// How long it takes at most to end in order.
    pub(crate) ends_within: Duration,
    /// When it began to look for its head.
    pub(crate) began: Duration,
    /// What its system runtime has got done, over all lives of the uplink: the thread that beats has this one.
    pub(super) progress: Progress,
    /// Counts the sessions with the head, over all lives of the uplink.
    sessions_so_far: AtomicU64,
    /// Since it was told to end: when it does so whatever its workers do.
    end_by: Mutex<Option<Duration>>,
    total: Resources,
    /// By which a head of this host finds the process; none for the child of one.
    mark: Option<Mark>,
    /// There once the head has said by what it judges.
    lease: Mutex<Option<Lease>>,
    pub(super) workers: Mutex<HashMap<Worker, Placed>>,
    /// There is too little memory to start anything.
    pub(super) is_short: AtomicBool,
    /// The last of those that have ended with a status.
    ended: Mutex<VecDeque<(Worker, i32)>>,
    stage: watch::Sender<Stage>,
}

/// A store, and who looks after it. Belongs to the process, and is gone with it.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) depot: Arc<Depot>,
    pub(crate) addr: Addr<ObjectStoreMsg>,
    /// Gives objects to other nodes, and fetches theirs.
    pub(crate) exchange: Arc<Exchange>,
    puller: Addr<PullerMsg>,
    pusher: Addr<PusherMsg>,
}

impl Store {
    fn open(config: &Config, door: &Door, secrets: &Secrets) -> Result<Option<Self>, StartError> {
        let node = config.node();
        let bytes = node.object_store_bytes.bytes();
        if bytes == 0 {
            return Ok(None);
        }
        let addr = Addr::system::<ObjectStore>("object_store");
        let (at, most) = (node.spill_at.thousandths() as u32, node.spill_bytes.bytes());
        let terms = || {
            SpillTerms::new(at, node.spill_folders.folders.clone(), &node.spill_folders.urls, most)
        };
        let depot = Depot::open(bytes, node.spill.then(terms), addr.clone());
        let depot = depot.map_err(|error| StartError::Failed(error.to_string()))?;
        let (puller, pusher) = (Addr::system::<Puller>("puller"), Addr::system::<Pusher>("pusher"));
        let to = place::bind(door, secrets)?;
        let name = config.cluster().name.clone();
        let reach = Reach { token: secrets.token.clone(), tls: secrets.tls.clone(), name };
        let exchange = Exchange::open(&depot, to, reach, (puller.clone(), pusher.clone()));
        let exchange = exchange.map_err(|error| StartError::Failed(error.to_string()))?;
        Ok(Some(Self { depot, addr, exchange, puller, pusher }))
    }

    /// Who looks after it, and who works for it.
    pub(crate) fn spec(&self) -> ChildSpec {
        let own = self.clone();
        ChildSpec::supervisor(&Addr::system::<Supervisor>("objects"), move || {
            let Self { depot, exchange, .. } = own.clone();
            let pulls = Arc::clone(&exchange);
            SupervisorSpec::new(Strategy::OneForOne)
                .child(ChildSpec::actor::<ObjectStore>(&own.addr, move || Arc::clone(&depot)))
                .child(ChildSpec::actor::<Puller>(&own.puller, move || Arc::clone(&pulls)))
                .child(ChildSpec::actor::<Pusher>(&own.pusher, move || Arc::clone(&exchange)))
        })
    }
}

impl Station {
    pub(crate) fn new(
        config: &Config,
        head: SocketAddr,
        (process, mark, metrics): (u64, Option<Mark>, Option<SocketAddr>),
        (sessions, uplink): (Addr<SessionsMsg>, Addr<UplinkMsg>),
        stage: watch::Sender<Stage>,
    ) -> Result<Arc<Self>, StartError> {
        place::check_reach(config, head.ip())?;
        let secrets = Secrets::towards(config, head.ip())?;
        let node = config.node();
        let folder = node.cache_dir.clone().ok_or(StartError::NoFolder)?;
        let door = place::door(config, &secrets);
        let store = Store::open(config, &door, &secrets)?;
        Ok(Arc::new(Self {
            name: config.cluster().name.clone(),
            process,
            head,
            door,
            secrets,
            sight: Sight::of(Role::Node { name: config.cluster().name.clone() }, config),
            shown: Arc::default(),
            metrics,
            lookers: Arc::new(Semaphore::new(limits::INSPECT_CONNECTIONS_MAX)),
            programs: Programs::new(&folder, node.executable_cache_bytes.bytes()),
            sessions,
            uplink,
            pool: Addr::system::<Supervisor>("workers"),
            keeper: Keeper::start()?,
            store,
            logs: Kept::new(config, mark.is_none()),
            settings: place::settings(config)?,
            worker_start_within: node.worker_start_within,
            abandoned_max: node.abandoned_threads_max as usize,
            stop_within: node.stop_within,
            ends_within: place::node_ends_within(config),
            began: clock::now(),
            progress: Progress::default(),
            sessions_so_far: AtomicU64::new(0),
            end_by: Mutex::default(),
            total: node.offers(),
            mark,
            lease: Mutex::default(),
            workers: Mutex::default(),
            is_short: AtomicBool::new(false),
            ended: Mutex::default(),
            stage,
        }))
    }

    /// The number of a new session with the head.
    pub(crate) fn next_session(&self) -> u64 {
        self.sessions_so_far.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// It is to end. True when it is told so for the first time.
    pub(crate) fn ends(&self) -> bool {
        let mut end_by = self.end_by.lock();
        let first = end_by.is_none();
        end_by.get_or_insert_with(|| clock::now() + self.ends_within);
        first
    }

    /// When a node that is to end does so whatever its workers do.
    pub(crate) fn end_by(&self) -> Option<Duration> {
        *self.end_by.lock()
    }

    /// From whom it fetches programs.
    pub(crate) fn source(&self) -> From<'_> {
        let Secrets { token, tls, .. } = &*self.secrets;
        From { head: self.head, token, tls: tls.as_ref(), name: &self.name }
    }

    /// How it offers itself over a connection of which this end is its own.
    pub(crate) fn offer(&self, from: Option<SocketAddr>) -> Offer {
        let marked = self.mark.as_ref().map(Mark::place);
        let whereabouts = marked.zip(from).map(|(marked, from)| Whereabouts { marked, from });
        let workers = self.workers.lock();
        Offer {
            address: format!("{} pid {}", self.door.bind, std::process::id()),
            total: self.total.clone(),
            workers: workers.iter().map(|(worker, own)| (worker.clone(), own.at)).collect(),
            ended: self.ended.lock().iter().cloned().collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            whereabouts,
            metrics: self.metrics,
        }
    }

    /// The head has said by what it judges. True when it is the first time.
    pub(crate) fn takes_times(&self, lease: impl FnOnce() -> Lease) -> bool {
        let mut own = self.lease.lock();
        let first = own.is_none();
        own.get_or_insert_with(lease);
        first
    }

    /// What follows for the lease, now; what is not for the one who tells it goes to the uplink.
    pub(crate) fn lease(&self, input: ChildInput) -> Vec<ChildEffect> {
        let mut lease = self.lease.lock();
        // Read before anything is sent that is counted from it.
        let now = now();
        let effects = lease.as_mut().map(|lease| lease.step(input, now)).unwrap_or_default();
        let (beats, rest): (Vec<_>, Vec<_>) =
            effects.into_iter().partition(|effect| matches!(effect, ChildEffect::Beat { .. }));
        for effect in rest {
            // Refused when the node ends.
            _ = self.uplink.cast(UplinkMsg::Follows(Box::new(effect)));
        }
        beats
    }

    /// It may start something.
    pub(crate) fn may_work(&self) -> bool {
        self.lease.lock().as_ref().is_some_and(|lease| lease.may_work(now()))
    }

    pub(crate) fn standing(&self) -> Option<Standing> {
        self.lease.lock().as_ref().map(Lease::standing)
    }

    pub(crate) fn is_now(&self, stage: Stage) {
        self.stage.send_if_modified(|own| {
            let goes_on = !matches!(own, Stage::Over(_)) && *own != stage;
            if goes_on {
                *own = stage;
            }
            goes_on
        });
    }

    /// Starts a worker, unless it is there.
    pub(crate) fn start(
        self: &Arc<Self>,
        worker: Worker,
        grant: Resources,
        runtime: u64,
        (template, residence): (Template, Option<Box<Residence>>),
    ) {
        let mut workers = self.workers.lock();
        if workers.contains_key(&worker) {
            return;
        }
        // A label has no slash, and is short.
        let label = residence.as_ref().map(|own| own.resident.about.label.clone());
        let name = label.unwrap_or_else(|| format!("job-{}", worker.job.0));
        let addr = Addr::system::<WorkerMirror>(&name);
        let (tell, over) = watch::channel(false);
        let placed = Placed::new(addr.clone(), residence.as_deref());
        let posted = Arc::new(Posted {
            station: Arc::clone(self),
            worker: worker.clone(),
            grant,
            runtime,
            template,
            residence,
            say: Mutex::new(Some(tell)),
            over,
        });
        let spec = ChildSpec::actor::<WorkerMirror>(&addr, move || Arc::clone(&posted))
            .restart(Restart::Temporary)
            .shutdown(Shutdown::Wait);
        workers.insert(worker, placed);
        // A mirror that is not started says so as it is dropped, which takes this lock.
        drop(workers);
        // Refused only when the node ends.
        _ = self.pool.cast(SupervisorMsg::StartChild(Box::new(spec)));
    }

    /// Ends a worker; false when it is not there.
    pub(crate) fn stop(&self, worker: &Worker, at_once: bool) -> bool {
        let workers = self.workers.lock();
        let Some(own) = workers.get(worker) else { return false };
        _ = own.addr.cast(WorkerMsg::Stop { at_once });
        true
    }

    /// Ends all workers.
    pub(crate) fn stop_all(&self, at_once: bool) {
        for own in self.workers.lock().values() {
            _ = own.addr.cast(WorkerMsg::Stop { at_once });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.workers.lock().is_empty()
    }

    /// A worker is up.
    pub(crate) fn is_up(&self, worker: &Worker, address: SocketAddr) {
        if let Some(own) = self.workers.lock().get_mut(worker) {
            own.at = Some(address);
        }
        let said = FromNode::WorkerUp { worker: worker.clone(), address };
        _ = self.uplink.cast(UplinkMsg::Say(Box::new(said)));
    }

    /// A worker has surely ended.
    pub(crate) fn is_gone(&self, worker: &Worker, cause: Cause, code: Option<i32>) {
        if !self.forgets(worker, code) {
            return;
        }
        let (worker, cause) = (worker.clone(), Box::new(cause));
        let said = FromNode::WorkerGone { worker, cause, code };
        _ = self.uplink.cast(UplinkMsg::Say(Box::new(said)));
    }

    /// A worker was never begun, and will not be.
    pub(crate) fn declines(&self, worker: &Worker) {
        if self.forgets(worker, None) {
            let said = FromNode::Declined { worker: worker.clone() };
            _ = self.uplink.cast(UplinkMsg::Say(Box::new(said)));
        }
    }

    /// False when it is not there. With the lock on both, so that each report has it in one of them.
    fn forgets(&self, worker: &Worker, code: Option<i32>) -> bool {
        let mut workers = self.workers.lock();
        let was_there = workers.remove(worker).is_some();
        if let Some(code) = code.filter(|_| was_there) {
            let mut ended = self.ended.lock();
            ended.push_back((worker.clone(), code));
            if ended.len() > limits::NODE_ENDS_KEPT_MAX {
                ended.pop_front();
            }
        }
        was_there
    }
}

/// A clock that runs also while the machine sleeps: a lease must not.
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

/// For [`Station::takes_times`]. As what it is judged the head says with its first answer.
pub(crate) fn lease_of(settings: Settings) -> Lease {
    Lease::new(settings, Place::Remote, None, now())
}
