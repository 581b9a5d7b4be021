//! Creating actors of types marked `#[remote]`, and finding them by name.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use raytree_supervise::short_type_name;
use raytree_types::codec::Codec;
use raytree_types::{ActorId, ActorOptions, Error, Result};

use super::actor::Actor;
use super::actor_ref::{self, ActorRef};
use super::handle::ActorHandle;
use super::job::Boxed;
use super::remote::{Handle, Remote};
use super::resident;
use crate::gcs::table::Place;
use crate::link::{Ask, ImportedActor, Token};
use crate::object::Value;
use crate::object::cell::Standing;
use crate::object::countdown::Countdown;
use crate::object::part::Part;
use crate::object::waiter::{Dependent, Needs};
use crate::runtime::create::{Line, Making};
use crate::runtime::life::Life;
use crate::runtime::{Runtime, ambient, life};
use crate::task::args::{Arg, Args, IntoArg, Strict, Subscriber};
use crate::task::by_bytes::{Birth, Kin};
use crate::task::context::{self, lending};
use crate::worker::away::Origin;
use crate::worker::launch::BodyOf;
use crate::worker::made::{self, Made};
use crate::worker::resident::Wish;

/// An actor type with options: `Counter::with(options).remote(10)`.
#[must_use = "nothing is created before `remote`"]
pub struct Class<T: Remote, A: Args> {
    options: ActorOptions,
    _params: PhantomData<fn(A) -> T>,
}

impl<T, A> Class<T, A>
where
    T: Remote<Params = A>,
    T: Actor<Args = Given<A>>,
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
                match self.create_in(&runtime, stored, Line::Here(place)) {
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
        place: Line,
    ) -> Result<ActorHandle<T>> {
        let shared = runtime.shared();
        let info = T::info();
        let stored = A::travel(stored, Strict(shared.life), info.codec)?;
        let given = Given::<A>(Arc::new(A::keep(stored)));
        let lives_on = shared.driver.get().filter(|_| self.options.is_detached());
        let mut waits = false;
        A::each(&given.0, &mut |settled| waits |= !settled.is_at_hand());
        let when = if waits { Place::Later } else { Place::Now };
        if let Some(driver) = lives_on {
            let arguments = given.clone();
            let wish = Wish {
                namespace: self.options.given_namespace().unwrap_or(&shared.namespace).to_owned(),
                options: self.options,
                arguments: Box::new(move || A::write(arguments.lend()?, info.codec)),
            };
            let handle = resident::create::<T>(runtime, driver, wish, (place, when))?;
            if waits {
                Waits::begin::<A>(&given, handle.cell().id, runtime);
            }
            return Ok(handle);
        }
        // What is detached, and what has a name and no owner, is the whole program's.
        let owner = context::actor();
        let is_programs =
            self.options.is_detached() || (owner.is_none() && self.options.given_name().is_some());
        if is_programs && made::maker(shared).is_some() {
            return made::<T, A>(runtime, self.options, given, (place, when));
        }
        let is_elsewhere = shared.begins_elsewhere(&self.options);
        let body = if is_elsewhere || self.options.isolation().is_some() {
            BodyOf::Away(Origin::begun(info, given.clone(), !is_elsewhere))
        } else {
            BodyOf::Here(Arc::new(given.clone()))
        };
        let here = (place, when);
        let making = Making { body, owner, here, id: None, token: Some(token_of::<T>) };
        let born = runtime.create::<T>(self.options, making)?;
        if waits && born.is_new {
            Waits::begin::<A>(&given, born.handle.id(), runtime);
        }
        Ok(born.handle)
    }
}

/// One that the program makes, which this process works for.
fn made<T, A>(
    runtime: &Runtime,
    options: ActorOptions,
    given: Given<A>,
    (place, when): (Line, Place),
) -> Result<ActorHandle<T>>
where
    T: Remote<Params = A> + Actor<Args = Given<A>>,
    A: Args,
{
    options.check()?;
    let shared = runtime.shared();
    let namespace = options.given_namespace().unwrap_or(&shared.namespace).to_owned();
    let made =
        Arc::new(Made::new(T::info(), given.clone(), (options.namespace(namespace), &place)));
    let options = made.stand_in(short_type_name::<T>());
    let body = BodyOf::Away(Origin::Made(Arc::clone(&made)));
    let making =
        Making { body, owner: None, here: (place, when), id: None, token: Some(token_of::<T>) };
    let handle = runtime.create::<T>(options, making)?.handle;
    match when {
        // Now: what this caller asks for next comes after it.
        Place::Now => made.ask(shared, handle.cell()),
        // Until it is asked for: what has a name or is detached is not taken back by who drops it.
        Place::Later => {
            Waits::begin::<A>(&given, handle.cell().id, runtime);
            let own = handle.clone();
            shared.user.spawn(async move { _ = own.ready().await });
        }
    }
    Ok(handle)
}

pub(super) fn token_of<T: Remote>(handle: ActorHandle<T>, life: &'static Life) -> Arc<Token> {
    actor_ref::token(ActorRef::live_of(handle, life))
}

/// Begins the one life of an actor that another process wants.
#[track_caller]
pub(crate) fn begin<T, A>(parts: Vec<Part>, birth: Birth) -> Result<Arc<Token>>
where
    T: Remote<Params = A> + Actor<Args = Given<A>>,
    A: Args,
{
    let runtime = ambient::current()?;
    let (id, life, options) = match birth.0 {
        Kin::Resident(resident) => {
            let followed = resident::follow::<T>(&runtime, resident)?;
            return Ok(actor_ref::token(followed));
        }
        Kin::Own { options, place } => {
            let stored = A::read(parts, T::info().codec)?;
            let making = Class::<T, A> { options, _params: PhantomData };
            let handle = making.create_in(&runtime, stored, Line::There(place))?;
            return Ok(token_of(handle, runtime.shared().life));
        }
        Kin::Life { id, life, options } => (id, life, options),
    };
    let given = Given::<A>(Arc::new(A::keep(A::read(parts, T::info().codec)?)));
    // It came from a node that has enough to do, and goes to another one.
    let is_elsewhere = runtime.shared().peers.any();
    let body = if is_elsewhere || options.isolation().is_some() {
        BodyOf::Away(Origin::begun(T::info(), given, !is_elsewhere))
    } else {
        BodyOf::Here(Arc::new(given))
    };
    let here = (Line::Here(Location::caller()), Place::Now);
    let making =
        Making { body, owner: None, here, id: Some((id, life)), token: Some(token_of::<T>) };
    let born = runtime.create::<T>(options, making)?;
    Ok(token_of(born.handle, runtime.shared().life))
}

/// A handle on another process's actor: the one there is, or a new stand-in.
pub(crate) fn imported<T: Remote>(imported: &Arc<ImportedActor>) -> Result<ActorRef<T>> {
    /// One at a time, so that two do not make one each.
    static MAKING: Mutex<()> = Mutex::new(());
    let runtime = ambient::current()?;
    let (life, table) = (runtime.shared().life, &runtime.shared().table);
    let _making = MAKING.lock();
    // One stand-in for all handles on one actor.
    let known = imported.id().and_then(|id| table.stand_in(id));
    let token = known.and_then(|id| table.launch(id)?.token());
    if let Some(own) = token.as_ref().and_then(|token| token.typed.downcast_ref::<ActorRef<T>>())
        // Its last handle may just have gone.
        && imported.id().and_then(|id| table.stand_in(id)) == known
    {
        return Ok(own.clone());
    }
    let options = ActorOptions::new().cpus(0.0).label(&*imported.label);
    let options = options.mailbox(imported.mailbox).retries(imported.retries);
    let making = Making {
        body: BodyOf::Away(Origin::Imported(Arc::clone(imported))),
        owner: None,
        here: (Line::Here(Location::caller()), Place::Now),
        // The stand-in's own: one that is ending may still be there.
        id: None,
        token: Some(token_of::<T>),
    };
    let born = runtime.create::<T>(options, making)?;
    Ok(ActorRef::live_of(born.handle, life))
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
            let waits_too = Arc::clone(&waits) as Arc<dyn Dependent>;
            if settled.subscribe(Subscriber(waits_too, Needs::Memory)).wanted() != Standing::Pending
            {
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

/// The arguments of a constructor, to be written for each life.
pub(crate) trait Arguments: Send + Sync {
    fn write(&self) -> Result<Vec<Part>>;

    /// Waits until all are settled: one that was lost after the last life may be made again.
    fn settled(&self) -> Boxed<'_>;
}

impl<A: Args> Arguments for (Given<A>, Codec) {
    fn write(&self) -> Result<Vec<Part>> {
        A::write(self.0.lend()?, self.1)
    }

    fn settled(&self) -> Boxed<'_> {
        let mut references = 0;
        A::each(&self.0.0, &mut |_| references += 1);
        let all = Countdown::new(references, false);
        A::each(&self.0.0, &mut |settled| {
            let waits = Arc::clone(&all) as Arc<dyn Dependent>;
            if settled.subscribe(Subscriber(waits, Needs::Memory)).wanted() != Standing::Pending {
                all.tell(true);
            }
        });
        Box::pin(poll_fn(move |cx| all.poll(cx)))
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

/// The living actor of this name in the namespace of the current runtime. On a node of a cluster the program that started
/// it is asked, too.
///
/// # Errors
/// [`Error::ActorNotFound`]; [`Error::WrongActorType`] when it is no `T`; [`Error::NoRuntime`].
pub async fn get_actor<T: Remote>(name: &str) -> Result<T::Handle> {
    find::<T>(name, None).await
}

/// The living actor of this name in another namespace.
///
/// # Errors
/// As for [`get_actor`].
pub async fn get_actor_in<T: Remote>(namespace: &str, name: &str) -> Result<T::Handle> {
    find::<T>(name, Some(namespace)).await
}

async fn find<T: Remote>(name: &str, namespace: Option<&str>) -> Result<T::Handle> {
    let runtime = ambient::current()?;
    let shared = runtime.shared();
    let namespace = namespace.unwrap_or(&shared.namespace);
    if let Some(named) = shared.table.named(namespace, name) {
        let handle = named.handle::<T>(name)?;
        return Ok(T::Handle::of(ActorRef::live_of(handle, shared.life)));
    }
    let missing =
        || Error::ActorNotFound { name: name.to_owned(), namespace: namespace.to_owned() };
    if let Some(driver) = shared.driver.get() {
        return resident::find::<T>(&runtime, driver, namespace, name).await.map(T::Handle::of);
    }
    let link = made::maker(shared).ok_or_else(missing)?;
    let what = Ask::Named { namespace: namespace.to_owned(), name: name.to_owned() };
    let part = lending(link.request(what)).await?;
    let found = part.value::<ActorRef<T>>(Codec::Compact);
    found.map(T::Handle::of).map_err(|_| Error::WrongActorType {
        name: name.to_owned(),
        expected: short_type_name::<T>().to_owned(),
        found: "actor of another type".to_owned(),
    })
}
