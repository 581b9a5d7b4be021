//! What the other side asks of this one.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use raytree_supervise::panics;
use raytree_types::codec::Codec;
use raytree_types::{Error, Result, Unrebuilt};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::export::{Called, Callee, Held, Kept, Object, Token};
use super::frame::{Ask, Frame, Packed};
use super::import::Home;
use super::{Answer, Link};
use crate::cluster::resident::Residing;
use crate::driver::residents::{self, Resident};
use crate::object::Value;
use crate::object::any::AnyObject;
use crate::object::cell::Standing;
use crate::object::lineage::unless_again;
use crate::object::part::Part;
use crate::object::reference::ObjectRef;
use crate::object::seen::Seen;
use crate::object::stream::ObjectStream;
use crate::object::waiter::{Dependent, Needs, Waiter};
use crate::runtime::Shared;
use crate::task::by_bytes::{Birth, Kin, Way};
use crate::task::registry;
use crate::trace;

/// How a result is called by the one who has it: the one who wants it knows whose it is.
pub(crate) const ITS_RESULT: &str = "its result";

/// What was begun for a call that came as bytes. Opaque to those who write generated code.
pub struct Served(pub(crate) Begun);

/// What has begun.
pub(crate) enum Begun {
    /// One value will be there.
    One(Arc<dyn Object>),
    /// Many, one after the other.
    Many(Box<dyn Items>, u32),
}

/// The next item of a stream; none after the last one.
pub(crate) type NextItem<'a> = Pin<Box<dyn Future<Output = Option<Result<Part>>> + Send + 'a>>;

/// A stream of any type.
pub(crate) trait Items: Send {
    fn next(&mut self) -> NextItem<'_>;

    /// Waits until the life has ended that makes them: with which error.
    fn lost(&self) -> Pin<Box<dyn Future<Output = Error> + Send>> {
        Box::pin(std::future::pending())
    }
}

/// A value that is written in the codec of its function.
struct Coded<T>(ObjectRef<T>, Codec);

impl<T: Value> Object for Coded<T> {
    fn ask(&self, waiter: Waiter) -> Standing {
        Object::ask(&self.0, waiter)
    }

    fn part(&self) -> Result<Part> {
        self.0.cell.written(self.1)
    }

    fn cancel(&self, recursive: bool) {
        Object::cancel(&self.0, recursive);
    }

    fn seen(&self) -> Seen {
        Object::seen(&self.0)
    }

    fn home(&self) -> Option<Home> {
        None
    }
}

struct CodedItems<T>(ObjectStream<T>, Codec);

impl<T: Value> Items for CodedItems<T> {
    fn next(&mut self) -> NextItem<'_> {
        Box::pin(async move {
            let item = self.0.next().await?;
            // Writing it is the type's own code.
            let written = |value| {
                panics::catch(|| Part::of::<T>(self.1, &value)).unwrap_or_else(|cause| {
                    let task = "writing its items".to_owned();
                    Err(Error::TaskFailed { task, cause: Box::new(cause) })
                })
            };
            Some(item.and_then(written))
        })
    }

    fn lost(&self) -> Pin<Box<dyn Future<Output = Error> + Send>> {
        Box::pin(self.0.lost())
    }
}

impl Served {
    pub(crate) fn one<T: Value>(reference: ObjectRef<T>, codec: Codec) -> Self {
        Self(Begun::One(Arc::new(Coded(reference, codec))))
    }

    pub(crate) fn many<T: Value>(stream: ObjectStream<T>, codec: Codec, window: u32) -> Self {
        Self(Begun::Many(Box::new(CodedItems(stream, codec)), window))
    }
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Served")
    }
}

/// A question of the other side that has no answer yet.
pub(super) enum Serving {
    /// It is on its way to whatever will answer it.
    Begins,
    One(Arc<dyn Object>),
    /// The value of an object that is there for others, too.
    Fetch,
    /// Many, with the room for them, and who sends them, once he does.
    Many(Arc<Semaphore>, Option<AbortHandle>),
    /// The constructor of an actor.
    Actor(Arc<dyn Callee>),
    /// The end of one of its lives.
    End(AbortHandle),
}

impl Serving {
    /// Nobody wants the answer any more.
    pub(super) fn give_up(self, recursive: bool) {
        match self {
            Self::Begins | Self::Fetch | Self::Many(_, None) => {}
            Self::One(object) => object.cancel(recursive),
            // The stream, dropped, ends its body.
            Self::Many(_, Some(task)) | Self::End(task) => task.abort(),
            Self::Actor(actor) => actor.end(true),
        }
    }
}

impl Link {
    pub(super) fn asked(self: &Arc<Self>, call: u64, what: Ask, arguments: Vec<Packed>) {
        {
            let mut tables = self.tables.lock();
            if tables.ended.is_some() {
                // Nobody would give it up.
                return;
            }
            tables.serving.insert(call, Serving::Begins);
        }
        let begun = panics::catch(|| self.begin(call, what, arguments));
        let begun = begun.unwrap_or_else(|cause| {
            let task = "reading its arguments".to_owned();
            Err(Error::TaskFailed { task, cause: Box::new(cause) })
        });
        if let Err(mut error) = begun {
            if let Error::ProgramsDiffer { asking, .. } = &mut error
                && asking.is_empty()
            {
                (*self.peer).clone_into(asking);
            }
            self.answer(call, Err(error));
        }
    }

    fn begin(self: &Arc<Self>, call: u64, what: Ask, arguments: Vec<Packed>) -> Result<()> {
        // All of them, as in each.
        let arguments: Vec<_> = arguments.into_iter().map(|packed| self.unpack(packed)).collect();
        let arguments = arguments.into_iter().collect::<Result<Vec<_>>>()?;
        self.may_ask(&what)?;
        match what {
            Ask::Run { function, signature, terms } => {
                let Way::Function(serve) = registry::way(&function, &signature)? else {
                    return Err(registry::differs(&function, &signature, "no function"));
                };
                let _within = trace::enter(terms.trace);
                self.serve(call, serve(arguments, terms)?);
            }
            Ask::Call { export, method, signature, terms } => {
                let Some(Held::Actor(actor)) = self.export(export) else { return Err(gone()) };
                let _within = trace::enter(terms.trace);
                let called = Called { method, signature, terms };
                self.serve(call, actor.call(&called, arguments)?);
            }
            Ask::Fetch { export, anew } => {
                let Some(Held::Object(object)) = self.export(export) else { return Err(gone()) };
                if self.notes(call, Serving::Fetch) {
                    if anew {
                        object.is_lost();
                    }
                    self.answers(call, object, anew);
                }
            }
            Ask::Adopt { by } => {
                self.adopts(call, by, Part::next::<AnyObject>(&mut arguments.into_iter())?)?;
            }
            Ask::Create { class, signature, id, life, options } => {
                self.creates(call, (class, signature), arguments, (id, life, *options))?;
            }
            Ask::Make { class, signature, options, place } => {
                self.makes(call, (&class, &signature), arguments, (*options, place))?;
            }
            Ask::Named { namespace, name } => {
                let runtime = self.life.runtime().ok_or_else(|| self.life.gone())?;
                let named = runtime.table.named(&namespace, &name);
                let token = named.as_ref().and_then(|named| named.token.as_ref());
                match token {
                    Some(token) => self.answer(call, Part::of_token(token())),
                    None => self.finds(&runtime, call, namespace, name),
                }
            }
            Ask::Resident => {
                let runtime = self.life.runtime().ok_or_else(|| self.life.gone())?;
                let token = runtime.resident.get().map(|own| Arc::clone(own.token()));
                let token = token.ok_or_else(gone)?;
                let answer = Arc::clone(&token);
                self.answers_when_ready(call, &token, move || {
                    _ = runtime.resident.get().map(Residing::gets_known);
                    Part::of_token(answer)
                })?;
            }
            Ask::Where { export } => {
                let place = Part::of(Codec::Compact, &self.where_is(export));
                self.answer(call, place);
            }
            Ask::Over { export, life } => self.serve_end(call, export, life)?,
            Ask::Attach { id, life } => self.attach(call, id, life)?,
        }
        Ok(())
    }

    /// Looks for an actor among those of the cluster.
    fn finds(self: &Arc<Self>, runtime: &Arc<Shared>, call: u64, namespace: String, name: String) {
        let Some(driver) = runtime.driver.get().cloned() else {
            return self.answer(call, Err(Error::ActorNotFound { name, namespace }));
        };
        let link = Arc::downgrade(self);
        runtime.user.spawn(async move {
            let found = driver.find_resident(&namespace, &name).await;
            let found = found.map_err(|why| why.of_name(&namespace, &name));
            let token = found.and_then(resident_of_any_type);
            if let Some(link) = link.upgrade() {
                link.answer(call, token.and_then(Part::of_token));
            }
        });
    }

    fn serve(self: &Arc<Self>, call: u64, served: Served) {
        match served.0 {
            Begun::One(object) => self.serve_one(call, object),
            Begun::Many(items, window) => self.serve_many(call, items, window),
        }
    }

    /// Notes how a question can be given up; false when it was already.
    pub(super) fn notes(&self, call: u64, serving: Serving) -> bool {
        let mut tables = self.tables.lock();
        match tables.serving.get_mut(&call) {
            Some(place) => {
                *place = serving;
                true
            }
            None => {
                drop(tables);
                serving.give_up(true);
                false
            }
        }
    }

    fn serve_one(self: &Arc<Self>, call: u64, object: Arc<dyn Object>) {
        if self.notes(call, Serving::One(Arc::clone(&object))) {
            self.answers(call, object, false);
        }
    }

    fn answers(self: &Arc<Self>, call: u64, object: Arc<dyn Object>, anew: bool) {
        let answers = Arc::new(Answers { link: Arc::downgrade(self), call, object, anew });
        answers.asks();
    }

    fn serve_many(self: &Arc<Self>, call: u64, mut items: Box<dyn Items>, window: u32) {
        let Some(runtime) = self.life.runtime() else { return };
        let room = Arc::new(Semaphore::new(window as usize));
        if !self.notes(call, Serving::Many(Arc::clone(&room), None)) {
            return;
        }
        let (link, places) = (Arc::downgrade(self), Arc::clone(&room));
        let pump = runtime.user.spawn(async move {
            let mut lost = items.lost();
            let end = loop {
                tokio::select! {
                    biased;
                    // Never closed.
                    place = places.acquire() => place.into_iter().for_each(|place| place.forget()),
                    // Whoever does not read is told all the same: others wait for that.
                    error = &mut lost => break Err(error),
                }
                match items.next().await {
                    None => break Ok(Part::of(Codec::Compact, &())),
                    Some(Err(error)) => break Err(error),
                    Some(Ok(part)) => {
                        let Some(link) = link.upgrade() else { return };
                        if let Err(error) = link.say_item(call, part) {
                            break Err(error);
                        }
                    }
                }
            };
            if let Some(link) = link.upgrade() {
                link.answer(call, end.and_then(|part| part));
            }
        });
        match self.tables.lock().serving.get_mut(&call) {
            Some(Serving::Many(_, sends)) => *sends = Some(pump.abort_handle()),
            // It has answered already, or nobody wants it any more.
            _ => pump.abort(),
        }
    }

    fn say_item(self: &Arc<Self>, call: u64, part: Part) -> Result<()> {
        let mut kept = Kept::default();
        let item = self.pack(part, &mut kept);
        let said = item.and_then(|item| {
            self.say(&Frame::Item { call, item }).map_err(|unsent| unsent.of("an item"))
        });
        said.inspect(|()| self.said(&kept)).inspect_err(|_| self.unsaid(&kept))
    }

    pub(super) fn answer(self: &Arc<Self>, call: u64, result: Result<Part>) {
        let serving = self.tables.lock().serving.remove(&call);
        // Nobody wants it any more; or it fails because this process ends, and is lost with that: it may be done elsewhere.
        if serving.is_none() || (result.is_err() && self.life.ends_with_process()) {
            return;
        }
        // What refers to others is read when it comes.
        let is_plain = result.as_ref().is_ok_and(|part| part.written.refs.is_empty());
        let may_stay = is_plain && matches!(serving, Some(Serving::One(_) | Serving::Fetch));
        let mut kept = Kept::of_value(may_stay);
        let result = result.and_then(|part| self.pack(part, &mut kept));
        if result.is_err() {
            self.unsaid(&kept);
        }
        let is_said = result.is_ok();
        match self.say(&Frame::Answer { call, result }) {
            Ok(()) if is_said => self.said(&kept),
            Ok(()) => {}
            Err(unsent) => {
                self.unsaid(&kept);
                let result = Err(unsent.of(ITS_RESULT));
                self.tell(&Frame::Answer { call, result });
            }
        }
    }

    pub(super) fn withdrawn(&self, call: u64, recursive: bool) {
        let serving = self.tables.lock().serving.remove(&call);
        if let Some(serving) = serving {
            serving.give_up(recursive);
        }
    }

    pub(super) fn room(&self, call: u64, items: u32) {
        if let Some(Serving::Many(room, _)) = self.tables.lock().serving.get(&call) {
            // One who gives more than there can be is not believed.
            let most = Semaphore::MAX_PERMITS - room.available_permits();
            room.add_permits((items as usize).min(most));
        }
    }

    pub(super) fn item(self: &Arc<Self>, call: u64, item: Packed) {
        match self.unpack(item) {
            Ok(part) => {
                let refused = match self.tables.lock().asked.get(&call) {
                    Some(landing) => landing.item(part),
                    None => Some(part),
                };
                // After the lock: it may be all that is left of an actor's handle.
                drop(refused);
            }
            // A stream with a hole is none.
            Err(_) if self.has_surely_ended() => {
                self.settle(call, Answer::Lost(self.surely_ended()));
            }
            Err(error) => {
                self.tell(&Frame::Withdraw { call, recursive: true });
                self.settle(call, Answer::Failed(error));
            }
        }
    }
}

/// Sends the value of an object once it is there.
struct Answers {
    link: Weak<Link>,
    call: u64,
    object: Arc<dyn Object>,
    /// The other side could not fetch it from where it is: whether this one can is tried first.
    anew: bool,
}

impl Answers {
    fn asks(self: Arc<Self>) {
        let reaches_far = self.link.upgrade().is_some_and(|link| link.reaches_far()) && !self.anew;
        let needs = if reaches_far { Needs::Value } else { Needs::Memory };
        let waiter = Waiter::Dependent(Arc::clone(&self) as Arc<dyn Dependent>, needs);
        if self.object.ask(waiter) != Standing::Pending {
            self.argument(true);
        }
    }

    /// To one who can fetch nothing from elsewhere. Waits until it is here.
    fn answers_here(self: Arc<Self>, link: &Arc<Link>) {
        match unless_again(self.object.fetched()) {
            // Another one has it, who may make it again.
            Some(Err(Error::ObjectLost { why: Unrebuilt::NotKept, .. })) if !self.anew => {
                let (own, object) = (Weak::clone(&self.link), Arc::clone(&self.object));
                object.is_lost();
                Arc::new(Self { link: own, call: self.call, object, anew: true }).asks();
            }
            Some(part) => link.answer(self.call, part),
            None => self.asks(),
        }
    }
}

impl Dependent for Answers {
    fn argument(self: Arc<Self>, _ok: bool) {
        let Some(link) = self.link.upgrade() else { return };
        // Writing it is the type's own code.
        let part = panics::catch(|| self.object.part()).unwrap_or_else(|cause| {
            let task = "writing its result".to_owned();
            Err(Error::TaskFailed { task, cause: Box::new(cause) })
        });
        match (unless_again(part), link.life.runtime()) {
            (None, _) => self.asks(),
            // Others wait for this thread.
            (Some(Ok(part)), Some(runtime)) if part.is_far() && !link.reaches_far() => {
                runtime.user.spawn_blocking(move || self.answers_here(&link));
            }
            (Some(part), _) => link.answer(self.call, part),
        }
    }
}

/// A handle on a resident whose type is known by its name only.
fn resident_of_any_type(resident: Resident) -> Result<Arc<Token>> {
    let about = residents::known(&resident)?;
    let Way::Class(create) = registry::way(&about.class, &about.signature)? else {
        return Err(registry::differs(&about.class, &about.signature, "no actor type"));
    };
    Ok(create(Vec::new(), Birth(Kin::Resident(Arc::new(resident))))?.0)
}

/// It was released while somebody asked for it.
pub(super) fn gone() -> Error {
    let (type_name, reason) = ("a reference".to_owned(), "it was let go already".to_owned());
    Error::CannotTravel { type_name, attribute: None, reason }
}
