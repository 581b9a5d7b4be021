//! What every generated handle is made of.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use raytree_types::codec::{Codec, RefToken, scope};
use raytree_types::{ActorId, Error, Incarnation, Result};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::class;
use super::fence::{self, Fence};
use super::handle::{ActorHandle, exit_of};
use super::method::{Given, Invocation, Many, Method, One};
use super::open::OpenCall;
use super::order::Order;
use super::remote::{Ending, Remote};
use super::status::Cell;
use crate::link::adopt::{self, Adopting};
use crate::link::{Called, Callee, Held, Home, ImportedActor, Served, Token};
use crate::object::Value;
use crate::object::any::AnyObject;
use crate::object::cell::ObjectCell;
use crate::object::part::Part;
use crate::object::reference::ObjectRef;
use crate::object::seen::Source;
use crate::object::stream::{self, ObjectStream};
use crate::runtime::life::Life;
use crate::task::args::{Args, Strict};
use crate::task::by_bytes::Way;
use crate::task::registry;

/// A reference to an actor of type `T`: calls it, over all its lives. A clone is a caller of its own.
pub struct ActorRef<T: Remote> {
    inner: Inner<T>,
    life: &'static Life,
    order: Arc<Order>,
}

enum Inner<T: Remote> {
    Live(ActorHandle<T>),
    /// It could not be created; every call says why.
    Refused(Arc<Error>),
}

impl<T: Remote> ActorRef<T> {
    pub(crate) fn live_of(handle: ActorHandle<T>, life: &'static Life) -> Self {
        Self { inner: Inner::Live(handle), life, order: Arc::default() }
    }

    pub(crate) fn refused(error: Error, life: &'static Life) -> Self {
        Self { inner: Inner::Refused(Arc::new(error)), life, order: Arc::default() }
    }

    pub(crate) fn live(&self) -> Result<&ActorHandle<T>> {
        match &self.inner {
            Inner::Live(handle) => Ok(handle),
            Inner::Refused(error) => Err((**error).clone()),
        }
    }

    /// Calls a method.
    #[track_caller]
    pub fn call<A: Args, R: Value>(
        &self,
        method: &'static Method<T, A, R>,
        args: A::Stored,
    ) -> ObjectRef<R> {
        self.call_for(Source::here(method.label()), method, args, None)
    }

    /// As [`ActorRef::call`], by this line, with so many retries where the actor's options do not say how many.
    pub(crate) fn call_for<A: Args, R: Value>(
        &self,
        source: Source,
        method: &'static Method<T, A, R>,
        args: A::Stored,
        retries: Option<u32>,
    ) -> ObjectRef<R> {
        let out = ObjectCell::pending(source, self.life);
        let made = A::travel(args, Strict(self.life), method.info.codec)
            .and_then(|args| self.make(One { method, args: Given::Once(args) }, &out, retries));
        if let Err(error) = made {
            out.settle(Err(error));
        }
        ObjectRef::first(out)
    }

    /// Calls a method that returns a stream.
    #[track_caller]
    pub fn stream<A: Args, R: Value>(
        &self,
        method: &'static Method<T, A, R>,
        args: A::Stored,
    ) -> ObjectStream<R> {
        self.stream_of(Source::here(method.label()), method, args)
    }

    pub(crate) fn stream_of<A: Args, R: Value>(
        &self,
        source: Source,
        method: &'static Method<T, A, R>,
        args: A::Stored,
    ) -> ObjectStream<R> {
        let (codec, window) = (method.info.codec, raytree_types::limits::STREAM_WINDOW);
        let (stream, sink, end) = stream::pair(source, self.life, codec, window);
        let made = A::travel(args, Strict(self.life), codec)
            .and_then(|args| self.make(Many { method, args: Given::Once(args), sink }, &end, None));
        if let Err(error) = made {
            end.settle(Err(error));
        }
        stream
    }

    /// As which life the actor has begun all calls that were made before.
    fn fence(&self) -> ObjectRef<Incarnation> {
        let out = ObjectCell::pending(fence::NAME, self.life);
        if let Err(error) = self.make(Fence, &out, None) {
            out.settle(Err(error));
        }
        ObjectRef::first(out)
    }

    fn make<I: Invocation<T>>(
        &self,
        invocation: I,
        out: &Arc<ObjectCell<I::Out>>,
        retries: Option<u32>,
    ) -> Result<()> {
        let handle = self.live()?;
        let credit = handle.addr.try_credit().map_err(|refused| handle.refusal(refused))?;
        let to = (self.life, Arc::clone(out));
        OpenCall::make(handle, &self.order, (invocation, credit, retries), to);
        Ok(())
    }
}

impl<T: Remote> Clone for ActorRef<T> {
    fn clone(&self) -> Self {
        let inner = match &self.inner {
            Inner::Live(handle) => Inner::Live(handle.clone()),
            Inner::Refused(error) => Inner::Refused(Arc::clone(error)),
        };
        Self { inner, life: self.life, order: Arc::default() }
    }
}

impl<T: Remote> fmt::Debug for ActorRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner {
            Inner::Live(handle) => handle.fmt(f),
            Inner::Refused(error) => write!(f, "ActorRef(refused: {error})"),
        }
    }
}

impl<T: Remote> Serialize for ActorRef<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let token: RefToken = token(self.clone());
        scope::put_ref(token).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de, T: Remote> Deserialize<'de> for ActorRef<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = scope::take_ref(u32::deserialize(deserializer)?).map_err(D::Error::custom)?;
        let token = match token.downcast::<ImportedActor>() {
            Ok(imported) => {
                return class::imported::<T>(&imported).map_err(D::Error::custom);
            }
            Err(token) => token.downcast::<Token>().ok(),
        };
        let own = token.as_ref().and_then(|token| token.typed.downcast_ref::<Self>());
        own.cloned().ok_or_else(|| D::Error::custom("it is a handle of another type"))
    }
}

/// A reference as something that can lie beside a value.
pub(crate) fn token<T: Remote>(actor: ActorRef<T>) -> Arc<Token> {
    let typed = Arc::new(actor);
    let held = Held::Actor(Arc::clone(&typed) as Arc<dyn Callee>);
    Arc::new(Token { typed, held })
}

impl<T: Remote> Callee for ActorRef<T> {
    fn id(&self) -> Result<ActorId> {
        self.live().map(ActorHandle::id)
    }

    fn label(&self) -> String {
        self.live().map_or_else(|_| String::new(), |handle| handle.name().to_owned())
    }

    fn mailbox(&self) -> usize {
        self.live().map_or(1, |handle| handle.cell().options.mailbox_bound())
    }

    fn retries(&self) -> u32 {
        self.live().map_or(0, |handle| handle.cell().options.retries_max())
    }

    fn call(&self, to: &Called, arguments: Vec<Part>) -> Result<Served> {
        if to.method == fence::NAME {
            return Ok(Served::one(self.fence(), Codec::Compact));
        }
        match registry::way(&to.method, &to.signature)? {
            Way::Method(invoke) => invoke(self, arguments, to.terms),
            _ => Err(registry::differs(&to.method, &to.signature, "no method")),
        }
    }

    fn end(&self, kill: bool) {
        match self.live() {
            Ok(handle) if kill => handle.kill(),
            Ok(handle) => handle.stop_soon(),
            Err(_) => {}
        }
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
        let handle = self.live().cloned();
        Box::pin(async move { handle?.ready().await })
    }

    fn adopts(&self, object: AnyObject) -> Adopting {
        let (life, cell) = (self.life, self.live().map(|handle| Arc::clone(handle.cell())));
        Box::pin(async move { adopt::by_actor(life, &*cell?, object).await })
    }

    fn exited(&self) -> Ending {
        let cell = self.live().map(|handle| Arc::clone(handle.cell()));
        Box::pin(async move { exit_of(cell?).await })
    }

    fn home(&self) -> Option<Home> {
        let imported = self.live().ok()?.cell().imported()?;
        Some(Home::Actor(Arc::clone(imported)))
    }

    fn cell(&self) -> Option<Arc<Cell>> {
        self.live().ok().map(|handle| Arc::clone(handle.cell()))
    }
}
