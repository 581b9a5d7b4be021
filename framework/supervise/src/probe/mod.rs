//! Probes: what can be known of an actor without asking it.
//!
//! A probe belongs to a place in the tree, not to a life: it survives restarts. A message costs two atomic operations, some plain
//! stores and two looks at a counter of the processor. A reader walks the probes, asks no actor, and holds no lock for
//! longer than it takes to copy one row.

mod body;
mod passage;
mod read;
mod work;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use raytree_engine::supervision::{ChildKey, ChildPolicy, GroupPolicy};
use raytree_types::inspect::{ActorState, EventKind};
use raytree_types::{ActorId, ExitKind, limits};

use crate::clock;
use crate::events::EventLog;
use crate::life::LifeEnd;
use crate::recorder::Recorder;
use crate::spans::{Handled, Moved, SpanLog};
use crate::ticks::Ticks;
pub(crate) use body::Body;
pub use passage::{NoWay, Passage, Sight};
pub(crate) use work::Begun;
use work::Work;

/// What takes fewer ticks is shorter than [`limits::SPAN_MIN`] wherever a tick is a nanosecond or less: the others are looked at
/// closely.
const LONG_MIN: Ticks = Ticks(10_000);

/// What a constructor is called in a timeline.
const CONSTRUCTOR: &str = "new";

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
    name: Arc<str>,
    type_name: &'static str,
    id: OnceLock<ActorId>,
    /// How it treats its children, if it is a supervisor.
    group: OnceLock<GroupPolicy>,
    /// How its supervisor treats it.
    policy: OnceLock<ChildPolicy>,
    queue_limit: u64,
    queued: AtomicU64,
    refused: AtomicU64,
    work: Work,
    restarts: AtomicU32,
    /// When its next life begins, or its last one began, in nanoseconds of the clock; 0 before its first restart.
    due: AtomicU64,
    state: AtomicU8,
    ends: Mutex<Ends>,
    extra: Mutex<Option<Box<Extra>>>,
    recorder: Recorder,
    /// What it handles is noted there, once it is part of a tree.
    spans: OnceLock<Arc<SpanLog>>,
    parent: Mutex<Weak<Probe>>,
    children: RwLock<BTreeMap<ChildKey, Arc<Probe>>>,
    pub(crate) body: Body,
}

/// The last ends of an actor.
#[derive(Default)]
struct Ends {
    /// The newest last.
    last: VecDeque<ExitKind>,
    /// Those before.
    dropped: u64,
}

/// What few actors have.
#[derive(Default)]
struct Extra {
    remark: Option<String>,
    host: Option<String>,
    /// It is another process's actor, and only known here.
    is_borrowed: bool,
    passage: Option<Arc<dyn Passage>>,
    /// The root's alone: what happens below it.
    log: Option<Arc<EventLog>>,
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
            name: name.into(),
            type_name,
            id: OnceLock::new(),
            group: OnceLock::new(),
            policy: OnceLock::new(),
            queue_limit: queue_limit as u64,
            queued: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            work: Work::default(),
            due: AtomicU64::new(0),
            restarts: AtomicU32::new(0),
            state: AtomicU8::new(ActorState::Starting as u8),
            ends: Mutex::default(),
            extra: Mutex::new(None),
            recorder: Recorder::new(recorded),
            spans: OnceLock::new(),
            parent: Mutex::new(Weak::new()),
            children: RwLock::new(BTreeMap::new()),
            body: Body::default(),
        })
    }

    /// Of nobody, to measure what a message costs it.
    #[doc(hidden)]
    #[must_use]
    pub fn alone(name: &str) -> Arc<Self> {
        Self::new(name.to_owned(), "", 1, Kind::User)
    }

    /// All that it notes of a message on its way, from its sender to its end.
    #[doc(hidden)]
    pub fn passes(&self, label: &'static str) {
        self.sent();
        let begun = self.begins(label);
        self.ends(begun);
        self.gone_from_queue();
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
            None => self.name.to_string(),
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
        self.work.handled()
    }

    /// How long it has been handling its current message, if it handles one.
    #[must_use]
    pub fn busy_for(&self) -> Option<Duration> {
        self.work.busy_for()
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
        self.ends.lock().last.iter().cloned().collect()
    }

    /// Test hook: the actor panics before its next message, or at once when it is idle.
    pub fn panic_now(&self) {
        self.recorder.note("told to panic now");
        self.body.panic_now();
    }

    /// Ends its present life at the next await point; what follows is its supervisor's decision.
    pub fn end_life(&self) {
        self.body.kill();
    }

    /// Writes a line into the flight recorder.
    pub fn note(&self, what: impl AsRef<str>) {
        self.recorder.note(what.as_ref());
    }

    /// Writes a warning into the supervision log of its tree, and into the flight recorder.
    pub fn warn(&self, what: impl Into<String>) {
        let what = what.into();
        if let Some(log) = self.events() {
            log.note(self.path(), EventKind::Warning, what.clone(), None);
        }
        self.recorder.note(&what);
    }

    /// Shows this beside it in the tree until something else is said.
    pub fn remark(&self, what: Option<String>) {
        self.with_extra(what.is_some(), |extra| extra.remark = what);
    }

    /// It stands for somebody who runs there, until something else is said.
    pub fn is_hosted_by(&self, host: Option<String>) {
        self.with_extra(host.is_some(), |extra| extra.host = host);
    }

    /// Where somebody lives for whom it stands.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        self.extra.lock().as_ref().and_then(|extra| extra.host.clone())
    }

    /// It stands for an actor of another process, which is reached over there; who looks for that one finds it elsewhere.
    pub fn is_borrowed_from(&self, there: String) {
        self.with_extra(true, |extra| (extra.host, extra.is_borrowed) = (Some(there), true));
    }

    /// Somebody else's actor, which is only known here.
    #[must_use]
    pub fn is_borrowed(&self) -> bool {
        self.extra.lock().as_ref().is_some_and(|extra| extra.is_borrowed)
    }

    /// Below it the tree goes on in another process, until something else is said.
    pub fn leads_to(&self, passage: Option<Arc<dyn Passage>>) {
        self.with_extra(passage.is_some(), |extra| extra.passage = passage);
    }

    /// Where the tree goes on below it, if that is in another process.
    #[must_use]
    pub fn passage(&self) -> Option<Arc<dyn Passage>> {
        self.extra.lock().as_ref().and_then(|extra| extra.passage.clone())
    }

    /// It is the actor of users with this id.
    pub fn is_actor(&self, id: ActorId) {
        // An actor has one id for ever.
        _ = self.id.set(id);
    }

    /// Which actor of users it is, if it is one.
    #[must_use]
    pub fn actor(&self) -> Option<ActorId> {
        self.id.get().copied()
    }

    /// What was noted of failures and decisions in the tree that this is part of; none when it is in none.
    #[must_use]
    pub fn events(&self) -> Option<Arc<EventLog>> {
        let own = self.extra.lock().as_ref().and_then(|extra| extra.log.clone());
        if own.is_some() {
            return own;
        }
        let above = self.parent.lock().upgrade();
        above?.events()
    }

    /// What was handled in the tree that this is part of; none when it is in none.
    #[must_use]
    pub fn spans(&self) -> Option<&Arc<SpanLog>> {
        self.spans.get()
    }

    /// It is the root: this is kept of its tree.
    pub(crate) fn keeps(&self, log: Arc<EventLog>, spans: Arc<SpanLog>) {
        _ = self.spans.set(spans);
        self.with_extra(true, |extra| extra.log = Some(log));
    }

    /// Nothing is allocated to say that there is nothing.
    fn with_extra(&self, says_something: bool, set: impl FnOnce(&mut Extra)) {
        let mut extra = self.extra.lock();
        if says_something || extra.is_some() {
            set(extra.get_or_insert_default());
        }
    }

    /// The probe at `path` below this one.
    #[must_use]
    pub fn find(self: &Arc<Self>, path: &str) -> Option<Arc<Self>> {
        let mut probe = Arc::clone(self);
        for name in path.split('/').filter(|part| !part.is_empty()) {
            let next = probe.children.read().values().find(|child| *child.name == *name).cloned();
            probe = next?;
        }
        Some(probe)
    }

    /// The places below it, in start order.
    #[must_use]
    pub fn children(&self) -> Vec<Arc<Probe>> {
        self.children.read().values().cloned().collect()
    }

    /// Waits until the life that fills this place now, if any, is over: its value and the work it piped are gone.
    pub async fn life_over(&self) {
        if let Some(end) = self.body.end() {
            end.wait().await;
        }
    }

    /// The ends of the lives below this one that are not over yet.
    pub(crate) fn lives_below(&self) -> Vec<Arc<LifeEnd>> {
        let mut lives = Vec::new();
        for child in self.children() {
            lives.extend(child.body.end().filter(|end| !end.is_over()));
            lives.extend(child.lives_below());
        }
        lives
    }

    /// Closes every address below this one: the tree has ended, however it did.
    pub(crate) fn close_below(&self, last: &ExitKind) {
        for child in self.children() {
            child.body.close(last);
            child.close_below(last);
        }
    }

    pub(crate) fn treats(&self, children: GroupPolicy) {
        // A restarted supervisor has the policy of its spec, which does not change.
        _ = self.group.set(children);
    }

    pub(crate) fn is_treated(&self, policy: ChildPolicy) {
        // Nor does that of a child.
        _ = self.policy.set(policy);
    }

    pub(crate) fn set_state(&self, state: ActorState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(crate) fn adopt(self: &Arc<Self>, key: ChildKey, child: &Arc<Probe>) {
        *child.parent.lock() = Arc::downgrade(self);
        if let Some(spans) = self.spans.get() {
            // It stays in its tree.
            _ = child.spans.set(Arc::clone(spans));
        }
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

    /// A message begins, in the present life of the actor.
    pub(crate) fn begins(&self, label: &'static str) -> Begun {
        self.work.begins(label)
    }

    /// It ends.
    pub(crate) fn ends(&self, begun: Begun) {
        let (ended, took) = self.work.ends(begun);
        if took >= LONG_MIN {
            self.took_long(begun, ended, took);
        }
    }

    /// The start of a life ends. Of an actor of users that is its constructor, unless it only stands in for one.
    pub(crate) fn has_started(&self, begun: Begun) {
        let is_constructor = self.actor().is_some() && self.host().is_none();
        let label = if is_constructor { CONSTRUCTOR } else { begun.label };
        self.ends(Begun { label, ..begun });
    }

    /// What others than the actor itself have moved for it, from then until now: a part of the timeline, if it took long enough to be seen.
    pub fn has_moved(&self, label: &'static str, moved: Moved, began: Duration) {
        let ended = clock::now();
        let is_long = ended.saturating_sub(began) >= limits::SPAN_MIN;
        let Some(spans) = self.spans.get().filter(|_| is_long) else { return };
        let (name, actor, moved) = (Arc::clone(&self.name), self.actor(), Some(Box::new(moved)));
        spans.note(Handled { name, actor, label, began, ended, moved });
    }

    #[cold]
    fn took_long(&self, begun: Begun, ended: Ticks, took: Ticks) {
        let took = took.to_time();
        let Some(spans) = self.spans.get().filter(|_| took >= limits::SPAN_MIN) else { return };
        let (name, actor, ended) = (Arc::clone(&self.name), self.actor(), ended.to_clock());
        let began = ended.saturating_sub(took);
        spans.note(Handled { name, actor, label: begun.label, began, ended, moved: None });
    }

    pub(crate) fn exited(&self, kind: &ExitKind) {
        self.work.rests();
        self.recorder.note(&kind.to_string());
        let mut ends = self.ends.lock();
        if ends.last.len() == limits::LAST_CAUSES {
            ends.last.pop_front();
            ends.dropped += 1;
        }
        ends.last.push_back(kind.short());
    }

    pub(crate) fn restarting(&self, after: Duration, what: &str) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.set_state(ActorState::Restarting);
        self.due.store(nanoseconds(clock::now() + after), Ordering::Relaxed);
        self.recorder.note(what);
    }
}

/// 584 years fit.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
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
