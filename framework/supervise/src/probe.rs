//! Probes: what can be known of an actor without asking it.
//!
//! A probe belongs to a place in the tree, not to a life: it survives restarts. A message costs a few atomic operations,
//! two uncontended locks and two looks at the clock. A reader walks the probes, asks no actor, and holds no lock for
//! longer than it takes to copy one row.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use ractor::ActorCell;
use raytree_engine::supervision::ChildKey;
use raytree_types::inspect::{ActorState, INSPECT_VERSION, TreeNode, TreeRow, TreeSnapshot};
use raytree_types::{Cause, ExitKind, Strategy, limits};

use crate::clock;
use crate::life::{self, LifeEnd, Part};
use crate::recorder::Recorder;

/// What an actor is to the system; decides the size of its flight recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Part of the system.
    System,
    /// Hosts code of the user.
    User,
}

/// Everything that can be read of one actor. See the [crate documentation](crate).
pub struct Probe {
    name: String,
    type_name: &'static str,
    strategy: OnceLock<Strategy>,
    queue_limit: u64,
    queued: AtomicU64,
    handled: AtomicU64,
    refused: AtomicU64,
    restarts: AtomicU32,
    state: AtomicU8,
    current: Mutex<Option<(&'static str, Duration)>>,
    causes: Mutex<VecDeque<ExitKind>>,
    remark: Mutex<Option<String>>,
    recorder: Recorder,
    parent: Mutex<Weak<Probe>>,
    children: RwLock<BTreeMap<ChildKey, Arc<Probe>>>,
    pub(crate) body: Body,
}

/// The life that fills a probe now.
#[derive(Default)]
pub(crate) struct Body {
    cell: Mutex<Option<ActorCell>>,
    end: Mutex<Option<Arc<LifeEnd>>>,
    /// Its supervisor hears of its end: ractor links an actor some time after it was spawned.
    linked: AtomicBool,
    /// It was told to end at once.
    killed: AtomicBool,
    panic_now: AtomicBool,
    /// Work that it piped has panicked: looked at before each message.
    work_failed: AtomicBool,
    work_cause: Mutex<Option<Cause>>,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
    close: OnceLock<Box<dyn Fn(ExitKind) + Send + Sync>>,
    /// How the life failed, where it said so itself.
    failure: Mutex<Option<ExitKind>>,
}

impl Probe {
    pub(crate) fn new(
        name: String,
        type_name: &'static str,
        queue_limit: usize,
        kind: Kind,
    ) -> Arc<Self> {
        let recorded = match kind {
            Kind::System => limits::FLIGHT_RECORDER_SYSTEM,
            Kind::User => limits::FLIGHT_RECORDER_USER,
        };
        Arc::new(Self {
            name,
            type_name,
            strategy: OnceLock::new(),
            queue_limit: queue_limit as u64,
            queued: AtomicU64::new(0),
            handled: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            restarts: AtomicU32::new(0),
            state: AtomicU8::new(ActorState::Starting as u8),
            current: Mutex::new(None),
            causes: Mutex::new(VecDeque::new()),
            remark: Mutex::new(None),
            recorder: Recorder::new(recorded),
            parent: Mutex::new(Weak::new()),
            children: RwLock::new(BTreeMap::new()),
            body: Body::default(),
        })
    }

    /// Its name among its siblings.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names from the root down to it, joined by `/`.
    #[must_use]
    pub fn path(&self) -> String {
        let above = self.parent.lock().upgrade();
        match above {
            Some(parent) => format!("{}/{}", parent.path(), self.name),
            None => self.name.clone(),
        }
    }

    /// Messages sent to it and not yet handled, the current one included.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }

    /// Messages handled over all its lives, the start of each life included.
    #[must_use]
    pub fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    /// Restarts over its whole existence.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// State, as its supervisor sees it.
    #[must_use]
    pub fn state(&self) -> ActorState {
        const STATES: [ActorState; 6] = [
            ActorState::Starting,
            ActorState::Running,
            ActorState::Restarting,
            ActorState::Stopping,
            ActorState::Stopped,
            ActorState::Failed,
        ];
        STATES[usize::from(self.state.load(Ordering::Relaxed)).min(5)]
    }

    /// Its last ends, newest last.
    #[must_use]
    pub fn last_causes(&self) -> Vec<ExitKind> {
        self.causes.lock().iter().cloned().collect()
    }

    /// Test hook: the actor panics before its next message, or at once when it is idle.
    pub fn panic_now(&self) {
        self.recorder.note("told to panic now".to_owned());
        self.body.panic_now.store(true, Ordering::SeqCst);
        if let Some(wake) = self.body.wake.get() {
            wake();
        }
    }

    /// Writes a line into the flight recorder.
    pub fn note(&self, what: impl Into<String>) {
        self.recorder.note(what.into());
    }

    /// Shows this beside it in the tree until something else is said.
    pub fn remark(&self, what: Option<String>) {
        *self.remark.lock() = what;
    }

    /// The probe at `path` below this one.
    #[must_use]
    pub fn find(self: &Arc<Self>, path: &str) -> Option<Arc<Self>> {
        let mut probe = Arc::clone(self);
        for name in path.split('/').filter(|part| !part.is_empty()) {
            let next = probe.children.read().values().find(|child| child.name == name).cloned();
            probe = next?;
        }
        Some(probe)
    }

    /// This moment of the tree below, this probe as its root. No actor is asked, none can hold it up.
    #[must_use]
    pub fn snapshot(&self) -> TreeSnapshot {
        TreeSnapshot { version: INSPECT_VERSION, uptime: clock::now(), root: self.read() }
    }

    fn read(&self) -> TreeNode {
        let current = *self.current.lock();
        TreeNode {
            name: self.name.clone(),
            type_name: self.type_name.to_owned(),
            strategy: self.strategy.get().map(ToString::to_string),
            state: self.state(),
            queued: self.queued(),
            queue_limit: self.queue_limit,
            handled: self.handled(),
            refused: self.refused.load(Ordering::Relaxed),
            busy_for: current.map(|(_, since)| clock::now().saturating_sub(since)),
            current: current.map(|(label, _)| label.to_owned()),
            restarts: self.restarts(),
            remark: self.remark.lock().clone(),
            last_causes: self.last_causes(),
            recorder: self.recorder.read(),
            children: self.children().iter().map(|child| child.read()).collect(),
        }
    }

    /// This place alone, as a row of a flat tree. The flight recorder is not read.
    #[must_use]
    pub fn row(&self, depth: u32) -> TreeRow {
        let current = *self.current.lock();
        let cause = self.causes.lock().back().cloned();
        TreeRow {
            depth,
            name: self.name.clone(),
            type_name: self.type_name.to_owned(),
            strategy: self.strategy.get().map(ToString::to_string),
            state: self.state(),
            queued: self.queued(),
            queue_limit: self.queue_limit,
            refused: self.refused.load(Ordering::Relaxed),
            handled: self.handled(),
            busy_for: current.map(|(_, since)| clock::now().saturating_sub(since)),
            current: current.map(|(label, _)| label.to_owned()),
            restarts: self.restarts(),
            last_cause: cause.map(|kind| short(&kind.to_string())),
            remark: self.remark.lock().as_deref().map(short),
            hidden: 0,
        }
    }

    /// The places below it, in start order.
    #[must_use]
    pub fn children(&self) -> Vec<Arc<Probe>> {
        self.children.read().values().cloned().collect()
    }

    /// Waits until the life that fills this place now, if any, is over: its value and the work it piped are gone.
    pub async fn life_over(&self) {
        let end = self.body.end.lock().clone();
        if let Some(end) = end {
            end.wait().await;
        }
    }

    /// The ends of the lives below this one that are not over yet.
    pub(crate) fn lives_below(&self) -> Vec<Arc<LifeEnd>> {
        let mut lives = Vec::new();
        for child in self.children() {
            lives.extend(child.body.end.lock().clone().filter(|end| !end.is_over()));
            lives.extend(child.lives_below());
        }
        lives
    }

    /// Closes every address below this one: the tree has ended, however it did.
    pub(crate) fn close_below(&self, last: &ExitKind) {
        for child in self.children() {
            if let Some(close) = child.body.close.get() {
                close(last.clone());
            }
            child.close_below(last);
        }
    }

    pub(crate) fn set_strategy(&self, strategy: Strategy) {
        // A restarted supervisor has the strategy of its spec, which does not change.
        _ = self.strategy.set(strategy);
    }

    pub(crate) fn set_state(&self, state: ActorState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(crate) fn adopt(self: &Arc<Self>, key: ChildKey, child: &Arc<Probe>) {
        *child.parent.lock() = Arc::downgrade(self);
        self.children.write().insert(key, Arc::clone(child));
    }

    pub(crate) fn orphan(&self, key: ChildKey) {
        self.children.write().remove(&key);
    }

    pub(crate) fn orphan_all(&self) {
        self.children.write().clear();
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self) {
        self.queued.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn gone_from_queue(&self) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn begins(&self, label: &'static str) {
        *self.current.lock() = Some((label, clock::now()));
    }

    /// The end of the current message; its label.
    pub(crate) fn ends(&self) -> Option<&'static str> {
        self.handled.fetch_add(1, Ordering::Relaxed);
        self.current.lock().take().map(|(label, _)| label)
    }

    pub(crate) fn exited(&self, kind: &ExitKind) {
        self.current.lock().take();
        self.recorder.note(kind.to_string());
        let mut causes = self.causes.lock();
        if causes.len() == limits::LAST_CAUSES {
            causes.pop_front();
        }
        causes.push_back(kind.clone());
    }

    pub(crate) fn restarting(&self, restarts: u32, after: Duration) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.set_state(ActorState::Restarting);
        self.recorder.note(format!("restart {restarts}, after {after:?}"));
    }
}

/// As much of a text as one row has room for.
fn short(text: &str) -> String {
    let end = text.char_indices().nth(limits::INSPECT_CAUSE_CHARS_MAX);
    end.map_or(text, |(end, _)| &text[..end]).to_owned()
}

impl Body {
    /// How to reach the mailbox and how to close it. Set once, with the address, which outlives every life.
    pub(crate) fn connect(
        &self,
        wake: impl Fn() + Send + Sync + 'static,
        close: impl Fn(ExitKind) + Send + Sync + 'static,
    ) {
        _ = self.wake.set(Box::new(wake));
        _ = self.close.set(Box::new(close));
    }

    pub(crate) fn failed(&self, kind: &ExitKind) {
        *self.failure.lock() = Some(kind.clone());
    }

    pub(crate) fn failure(&self) -> Option<ExitKind> {
        self.failure.lock().clone()
    }

    /// A new life is about to be spawned; its first part.
    pub(crate) fn before_spawn(&self) -> Part {
        self.linked.store(false, Ordering::SeqCst);
        self.killed.store(false, Ordering::SeqCst);
        self.work_failed.store(false, Ordering::SeqCst);
        let (part, end) = life::begin();
        *self.end.lock() = Some(end);
        part
    }

    pub(crate) fn spawned(&self, cell: ActorCell) {
        *self.cell.lock() = Some(cell);
    }

    /// The life is linked to its supervisor; false when it was killed before that.
    pub(crate) fn is_linked_now(&self) -> bool {
        self.linked.store(true, Ordering::SeqCst);
        !self.was_killed()
    }

    /// Kills the life; one that is not linked yet is killed as soon as it is, so that its supervisor hears of it.
    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
        if self.linked.load(Ordering::SeqCst)
            && let Some(cell) = self.cell()
        {
            cell.kill();
        }
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }

    pub(crate) fn cell(&self) -> Option<ActorCell> {
        self.cell.lock().clone()
    }

    pub(crate) fn takes_panic(&self) -> bool {
        // One relaxed load per message in the common case.
        self.panic_now.load(Ordering::Relaxed) && self.panic_now.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn work_failed(&self, cause: Cause) {
        *self.work_cause.lock() = Some(cause);
        self.work_failed.store(true, Ordering::SeqCst);
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }

    pub(crate) fn takes_failed_work(&self) -> Option<Cause> {
        if !self.work_failed.load(Ordering::Relaxed) {
            return None;
        }
        self.work_failed.store(false, Ordering::SeqCst);
        self.work_cause.lock().take()
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("path", &self.path())
            .field("state", &self.state())
            .field("queued", &self.queued())
            .field("restarts", &self.restarts())
            .finish_non_exhaustive()
    }
}
