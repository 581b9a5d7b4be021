//! The ways of one stand-in to an actor of another process's: through its owner, or directly to the worker that has its
//! present life ([`raytree_engine::route`] decides which). What is to be done for that is done by the stand-in itself, between
//! its calls, so nothing that it does is overtaken by them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use raytree_engine::route::{Call, Effect, Input, Route, Way};
use raytree_process::cluster::{LifeAddress, Worker};
use raytree_supervise::Addr;
use raytree_types::codec::Codec;
use raytree_types::{Error, Incarnation};
use tokio::sync::Notify;

use crate::link::{Answer, Ask, CallTerms, Imported, ImportedActor, Landing, Link};
use crate::user::actor::Actor;
use crate::user::fence;
use crate::user::job::HostedMsg;
use crate::worker::crossing::{Crossing, Keeper, Lost};

/// See the [module documentation](self).
pub(crate) struct Ways<A: Actor> {
    /// Through its owner.
    imported: Arc<ImportedActor>,
    addr: Addr<HostedMsg<A>>,
    inner: Mutex<Inner<A>>,
    changed: Notify,
}

struct Inner<A: Actor> {
    route: Route,
    made: Call,
    todo: VecDeque<Effect>,
    direct: Option<Direct>,
    /// How the life at the end of a way has ended.
    over: Option<Error>,
    lost: HashMap<Call, Lost<A>>,
}

/// A direct way. Dropped, it is let go.
struct Direct {
    way: u64,
    worker: Worker,
    life: Incarnation,
    link: Arc<Link>,
    held: Arc<Imported>,
    /// The question to the owner when the life is over.
    asked: (Arc<Link>, u64),
}

impl Drop for Direct {
    fn drop(&mut self) {
        self.link.unwatch(self.held.export());
        let (owner, question) = &self.asked;
        owner.withdraw(*question, false);
    }
}

/// Where the next call goes.
pub(super) enum Next {
    Owner,
    /// Under its number, over this link, to this export.
    Direct(Call, Arc<Link>, u64),
    /// Nowhere for now.
    Hold,
    /// Nowhere until this link has room.
    Full(Arc<Link>),
    /// Something else is to be done first.
    Todo,
}

impl<A: Actor> Ways<A> {
    pub(super) fn new(imported: &Arc<ImportedActor>, addr: &Addr<HostedMsg<A>>) -> Arc<Self> {
        let inner = Inner {
            route: Route::default(),
            made: 0,
            todo: VecDeque::new(),
            direct: None,
            over: None,
            lost: HashMap::new(),
        };
        Arc::new(Self {
            imported: Arc::clone(imported),
            addr: addr.clone(),
            inner: Mutex::new(inner),
            changed: Notify::new(),
        })
    }

    /// Told whenever something is to be done, or calls that were held may go.
    pub(super) fn changed(&self) -> impl Future<Output = ()> + '_ {
        self.changed.notified()
    }

    /// Where a call goes now; it gets its number when it is asked for first.
    pub(super) fn next(&self, call: &mut Option<Call>) -> Next {
        let inner = &mut *self.inner.lock();
        if !inner.todo.is_empty() {
            return Next::Todo;
        }
        let link = inner.direct.as_ref().map_or(&self.imported.link, |direct| &direct.link);
        if link.leaves() {
            // Its life ends with it (DR-1).
            return Next::Hold;
        }
        if !link.has_room() {
            return Next::Full(Arc::clone(link));
        }
        let made = &mut inner.made;
        let call = *call.get_or_insert_with(|| {
            *made += 1;
            *made
        });
        let mut next = Next::Hold;
        for effect in inner.route.step(Input::Call(call)) {
            match effect {
                Effect::Send(_, Way::Owner) => next = Next::Owner,
                Effect::Send(_, Way::Direct) => {
                    let direct = inner.direct.as_ref();
                    let direct = direct.map(|own| (Arc::clone(&own.link), own.held.export()));
                    next = direct
                        .map_or(Next::Owner, |(link, export)| Next::Direct(call, link, export));
                }
                Effect::Hold(_) => {}
                other => inner.todo.push_back(other),
            }
        }
        next
    }

    pub(super) fn crossing(self: &Arc<Self>, call: Call) -> Crossing<A> {
        let own = Arc::clone(self);
        Crossing::new(own, call)
    }

    /// Something has happened, on whichever thread.
    fn input(&self, input: Input) {
        let effects = {
            let mut inner = self.inner.lock();
            let effects = inner.route.step(input);
            inner.todo.extend(effects.iter().cloned());
            effects
        };
        if !effects.is_empty() {
            self.changed.notify_waiters();
            // Refused when the stand-in has ended: nothing is to be done then.
            _ = self.addr.cast(HostedMsg::Settle);
        }
    }

    /// What is to be done next. What only the stand-in can do is given back.
    pub(super) fn todo(self: &Arc<Self>) -> Option<Effect> {
        loop {
            let (effect, direct) = {
                let mut inner = self.inner.lock();
                let effect = inner.todo.pop_front()?;
                let direct = match effect {
                    Effect::Leave { way } => inner.direct.take_if(|direct| direct.way == way),
                    _ => None,
                };
                (effect, direct)
            };
            // After the lock.
            drop(direct);
            match effect {
                Effect::Seek { .. } | Effect::Settle(_) => return Some(effect),
                Effect::Fence { way } => self.fence(way),
                Effect::Accuse { way } => self.accuse(way),
                Effect::Leave { .. } | Effect::Resume | Effect::Send(..) | Effect::Hold(_) => {}
            }
        }
    }

    /// Calls whose life is over, and the error that their callers get.
    pub(super) fn settled(&self, calls: &[Call]) -> (Vec<Lost<A>>, Error) {
        let mut inner = self.inner.lock();
        let error = inner.over.clone();
        let lost = calls.iter().filter_map(|call| inner.lost.remove(call)).collect();
        // The owner has spoken: that is why they are settled.
        (lost, error.unwrap_or(Error::NoRuntime))
    }

    /// The lost calls were dealt with.
    pub(super) fn has_settled(&self) {
        self.input(Input::Settled);
    }

    /// Calls that went directly have neither an answer nor the word that none will come.
    pub(super) fn are_open(&self) -> bool {
        self.inner.lock().route.is_waiting()
    }

    /// The stand-in ends.
    pub(super) fn close(&self) {
        let (direct, lost) = {
            let mut inner = self.inner.lock();
            (inner.direct.take(), std::mem::take(&mut inner.lost))
        };
        drop((direct, lost));
    }

    fn fence(self: &Arc<Self>, way: u64) {
        let ImportedActor { link, export, .. } = &*self.imported;
        let life = self.inner.lock().direct.as_ref().map(|direct| direct.life);
        let landing = Fenced { ways: Arc::downgrade(self), way, life };
        let (method, signature) = (fence::NAME.to_owned(), String::new());
        let what = Ask::Call { export: *export, method, signature, terms: CallTerms::default() };
        link.ask(what, Vec::new(), Box::new(landing));
    }

    fn accuse(&self, way: u64) {
        let worker = {
            let inner = self.inner.lock();
            let direct = inner.direct.as_ref().filter(|direct| direct.way == way);
            direct.map(|direct| direct.worker.clone())
        };
        if let Some(worker) = worker {
            self.imported.link.cannot_reach(&worker);
        }
    }

    /// Looks for a direct way.
    pub(super) async fn seek(self: Arc<Self>, way: u64) {
        let direct = self.find(way).await;
        let found = direct.is_some();
        if let Some(direct) = direct {
            let export = direct.held.export();
            let link = Arc::clone(&direct.link);
            let before = self.inner.lock().direct.replace(direct);
            drop(before);
            let own = Arc::downgrade(&self);
            let fell = move |how: Result<_, _>| {
                if let Some(ways) = own.upgrade() {
                    ways.input(Input::Fell { way, cut: how.is_err() });
                }
            };
            link.watch(export, Box::new(fell));
        }
        self.input(Input::Sought { way, found });
    }

    /// None where there is no other way than through the owner, or none now.
    async fn find(self: &Arc<Self>, way: u64) -> Option<Direct> {
        let ImportedActor { link: owner, export, .. } = &*self.imported;
        let id = self.imported.id()?;
        let neighbours = Arc::clone(owner.life.runtime()?.neighbours.get()?);
        let place = owner.request(Ask::Where { export: *export }).await.ok()?;
        let LifeAddress { worker, address, life } =
            place.value::<Option<LifeAddress>>(Codec::Compact).ok()??;
        let link = neighbours.link_with(&worker, address).await?;
        let held = link.request(Ask::Attach { id, life }).await.ok()?.into_import()?;
        let landing = Over { ways: Arc::downgrade(self), way };
        let what = Ask::Over { export: *export, life };
        let question = owner.ask(what, Vec::new(), Box::new(landing));
        Some(Direct { way, worker, life, link, held, asked: (Arc::clone(owner), question) })
    }
}

impl<A: Actor> Keeper<A> for Ways<A> {
    fn answered(&self, call: Call) {
        self.input(Input::Answered(call));
    }

    fn lost(&self, call: Call, lost: Lost<A>) {
        self.inner.lock().lost.insert(call, lost);
        self.input(Input::Lost(call));
    }
}

/// The fence has come back.
struct Fenced<A: Actor> {
    ways: Weak<Ways<A>>,
    way: u64,
    /// Which life is at the end of the way.
    life: Option<Incarnation>,
}

impl<A: Actor> Landing for Fenced<A> {
    fn land(self: Box<Self>, answer: Answer) {
        let begun = match answer {
            Answer::Value(part) => part.value::<Incarnation>(Codec::Compact).ok(),
            Answer::Failed(_) | Answer::Lost(_) => None,
        };
        if let Some(ways) = self.ways.upgrade() {
            let reached = begun.is_some() && begun == self.life;
            ways.input(Input::Fenced { way: self.way, reached });
        }
    }
}

/// The owner says how the life at the end of a way has ended.
struct Over<A: Actor> {
    ways: Weak<Ways<A>>,
    way: u64,
}

impl<A: Actor> Landing for Over<A> {
    fn land(self: Box<Self>, answer: Answer) {
        let error = match answer {
            Answer::Value(part) => part.value::<Error>(Codec::Compact),
            Answer::Failed(error) => Err(error),
            // The owner is gone, and this process with it.
            Answer::Lost(_) => return,
        };
        let Some(ways) = self.ways.upgrade() else { return };
        match error {
            Ok(error) => {
                ways.inner.lock().over = Some(error);
                ways.input(Input::Over { way: self.way });
            }
            Err(error) => tracing::error!(%error, "the end of a life was not told"),
        }
    }
}
