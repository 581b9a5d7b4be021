//! Creating actors of types marked `#[remote]`, and finding them by name.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use raytree_types::{ActorId, ActorOptions, Error, Result};

use super::actor_ref::ActorRef;
use super::handle::ActorHandle;
use super::remote::{Handle, Remote};
use crate::gcs::table::Place;
use crate::object::Value;
use crate::object::cell::Standing;
use crate::object::waiter::{Dependent, Waiter};
use crate::runtime::{Runtime, ambient, life};
use crate::task::args::{Arg, Args, IntoArg, Strict, Subscriber};
use crate::task::context;

/// An actor type with options: `Counter::with(options).remote(10)`.
#[must_use = "nothing is created before `remote`"]
pub struct Class<T: Remote, A: Args> {
    options: ActorOptions,
    _params: PhantomData<fn(A) -> T>,
}

impl<T, A> Class<T, A>
where
    T: Remote<Params = A>,
    T: crate::user::actor::Actor<Args = Given<A>>,
    A: Args,
{
    /// With `options` over those of the attribute.
    pub fn new(options: ActorOptions) -> Self {
        Self { options: options.over(&T::options()), _params: PhantomData }
    }

    /// With further options over these.
    pub fn with(self, options: ActorOptions) -> Self {
        Self { options: options.over(&self.options), _params: PhantomData }
    }

    fn create(self, stored: A::Stored, place: &'static Location<'static>) -> T::Handle {
        T::Handle::of(match ambient::current_or_start() {
            Err(error) => ActorRef::refused(error, life::nowhere()),
            Ok(runtime) => {
                let life = runtime.shared().life;
                match self.create_in(&runtime, stored, place) {
                    Ok(handle) => ActorRef::live_of(handle, life),
                    Err(error) => ActorRef::refused(error, life),
                }
            }
        })
    }

    fn create_in(
        self,
        runtime: &Runtime,
        stored: A::Stored,
        place: &'static Location<'static>,
    ) -> Result<ActorHandle<T>> {
        let shared = runtime.shared();
        let stored = A::travel(stored, Strict(shared.life), T::info().codec)?;
        let given = Given(Arc::new(A::keep(stored)));
        let mut waits = false;
        A::each(&given.0, &mut |settled| waits |= !settled.is_settled());
        let owner = context::actor();
        let when = if waits { Place::Later } else { Place::Now };
        let born = runtime.create::<T>(given.clone(), self.options, owner, (place, when))?;
        if waits && born.is_new {
            Waits::begin::<A>(&given, born.handle.id(), runtime);
        }
        Ok(born.handle)
    }
}

/// An actor that is placed once the arguments of its constructor are there.
struct Waits {
    actor: ActorId,
    runtime: std::sync::Weak<crate::runtime::Shared>,
    missing: AtomicUsize,
}

impl Waits {
    fn begin<A: Args>(given: &Given<A>, actor: ActorId, runtime: &Runtime) {
        let runtime = Arc::downgrade(runtime.shared());
        let waits = Arc::new(Self { actor, runtime, missing: AtomicUsize::new(1) });
        A::each(&given.0, &mut |settled| {
            waits.missing.fetch_add(1, Ordering::AcqRel);
            let waiter = Waiter::Dependent(Arc::clone(&waits) as Arc<dyn Dependent>);
            if settled.subscribe(Subscriber(waiter)).0 != Standing::Pending {
                waits.missing.fetch_sub(1, Ordering::AcqRel);
            }
        });
        waits.argument(true);
    }
}

impl Dependent for Waits {
    fn argument(self: Arc<Self>, _ok: bool) {
        // A failed argument is the constructor's failure.
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(runtime) = self.runtime.upgrade()
        {
            runtime.place_at_last(self.actor);
        }
    }
}

/// The arguments of a constructor, kept for each life.
pub struct Given<A: Args>(Arc<A::Stored>);

impl<A: Args> Given<A> {
    /// The arguments for one life.
    ///
    /// # Errors
    /// The error of an argument that is a reference and has none.
    pub fn lend(&self) -> Result<A::Taken> {
        A::lend(&self.0)
    }
}

impl<A: Args> Clone for Given<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A: Args> fmt::Debug for Given<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given")
    }
}

impl<T: Remote, A: Args> fmt::Debug for Class<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Class").field("options", &self.options).finish_non_exhaustive()
    }
}

macro_rules! arity {
    ($($type:ident $arg:ident),*) => {
        impl<Actor, $($type: Value),*> Class<Actor, ($($type,)*)>
        where
            Actor: Remote<Params = ($($type,)*)>,
            Actor: crate::user::actor::Actor<Args = Given<($($type,)*)>>,
        {
            /// Creates an actor. Returns at once: calls wait until its constructor has returned, and tell if it never
            /// will.
            #[allow(clippy::too_many_arguments, reason = "as many as the constructor has")]
            #[track_caller]
            pub fn remote(self, $($arg: impl IntoArg<$type>),*) -> Actor::Handle {
                let stored: ($(Arg<$type>,)*) = ($($arg.into_arg(),)*);
                self.create(stored, Location::caller())
            }
        }
    };
}

arity!();
arity!(A a);
arity!(A a, B b);
arity!(A a, B b, C c);
arity!(A a, B b, C c, D d);
arity!(A a, B b, C c, D d, E e);
arity!(A a, B b, C c, D d, E e, F f);
arity!(A a, B b, C c, D d, E e, F f, G g);
arity!(A a, B b, C c, D d, E e, F f, G g, H h);
arity!(A a, B b, C c, D d, E e, F f, G g, H h, I i);
arity!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j);
arity!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k);
arity!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l);

/// The living actor of this name in the namespace of the current runtime.
///
/// # Errors
/// [`Error::ActorNotFound`]; [`Error::WrongActorType`] when it is no `T`; [`Error::NoRuntime`].
pub async fn get_actor<T: Remote>(name: &str) -> Result<T::Handle> {
    find::<T>(name, None)
}

/// The living actor of this name in another namespace.
///
/// # Errors
/// As for [`get_actor`].
pub async fn get_actor_in<T: Remote>(namespace: &str, name: &str) -> Result<T::Handle> {
    find::<T>(name, Some(namespace))
}

fn find<T: Remote>(name: &str, namespace: Option<&str>) -> Result<T::Handle> {
    let runtime = ambient::current()?;
    let shared = runtime.shared();
    let namespace = namespace.unwrap_or(&shared.namespace);
    let found = shared.table.named(namespace, name).ok_or_else(|| Error::ActorNotFound {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
    })?;
    let handle = found.handle::<T>(name)?;
    Ok(T::Handle::of(ActorRef::live_of(handle, shared.life)))
}
