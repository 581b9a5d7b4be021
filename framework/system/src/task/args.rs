//! Arguments: values, or references to what will be there.

mod asked;
mod in_memory;
mod past;
mod pinned;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use raytree_types::Result;
use raytree_types::codec::{self, Codec};
use raytree_types::state::ObjectState;

pub use self::asked::{Asked, Subscriber};
use self::in_memory::InMemory;
pub(crate) use self::past::PastArg;
pub(crate) use self::pinned::Lies;
pub(crate) use self::pinned::{Pinned, pinned};
use crate::object::Value;
use crate::object::any::AnyObject;
use crate::object::cell::{Maker, ObjectCell};
pub(crate) use crate::object::lineage::{Anew, Keeps};
use crate::object::part::Part;
use crate::object::reference::ObjectRef;
use crate::object::shared::Shared;
use crate::object::travel;
use crate::object::waiter::{Needs, Waiter};
use crate::runtime::life::Life;

/// What can be passed where a remote function expects a `T`: a `T`, an [`ObjectRef<T>`], owned or borrowed, and for a
/// `Vec` also the references of its elements.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be passed where a `#[remote]` argument of type `{T}` is expected",
    label = "expected a `{T}` or a reference to one",
    note = "pass a `{T}`, an `ObjectRef<{T}>` or a `&ObjectRef<{T}>`; `{T}` must be a value: `Clone + serde::Serialize + serde::Deserialize + Send + Sync`"
)]
pub trait IntoArg<T> {
    /// The argument.
    fn into_arg(self) -> Arg<T>;
}

impl<T: Value> IntoArg<T> for T {
    fn into_arg(self) -> Arg<T> {
        Arg(Kind::Value(self))
    }
}

impl<T: Value> IntoArg<T> for ObjectRef<T> {
    fn into_arg(self) -> Arg<T> {
        Arg(Kind::Ref(self))
    }
}

impl<T: Value> IntoArg<T> for &ObjectRef<T> {
    fn into_arg(self) -> Arg<T> {
        Arg(Kind::Ref(self.clone()))
    }
}

/// For parameters that are references themselves.
impl<T: Send + Sync + 'static> IntoArg<ObjectRef<T>> for &ObjectRef<T>
where
    ObjectRef<T>: Value,
{
    fn into_arg(self) -> Arg<ObjectRef<T>> {
        Arg(Kind::Value(self.clone()))
    }
}

impl<T: Value> IntoArg<T> for Shared<T> {
    fn into_arg(self) -> Arg<T> {
        Arg(Kind::Shared(self.0))
    }
}

impl<T: Value> IntoArg<Vec<T>> for Vec<ObjectRef<T>> {
    fn into_arg(self) -> Arg<Vec<T>> {
        Arg(Kind::Many(Box::new(self)))
    }
}

impl<T: Value> IntoArg<Vec<T>> for &[ObjectRef<T>] {
    fn into_arg(self) -> Arg<Vec<T>> {
        Arg(Kind::Many(Box::new(self.to_vec())))
    }
}

impl IntoArg<String> for &str {
    fn into_arg(self) -> Arg<String> {
        Arg(Kind::Value(self.to_owned()))
    }
}

/// An argument on its way.
pub struct Arg<T>(Kind<T>);

enum Kind<T> {
    Value(T),
    Shared(Arc<T>),
    Ref(ObjectRef<T>),
    Many(Box<dyn Many<T>>),
}

/// References of the elements of a `T`.
trait Many<T>: Send + Sync {
    fn each(&self, visit: &mut dyn FnMut(&dyn Settled));
    fn take(self: Box<Self>) -> Result<T>;
    fn copy(&self) -> Result<T>;
    fn past(&self, keeps: &mut Keeps<'_>) -> Box<dyn past::PastMany<T>>;
}

impl<T: Value> Many<Vec<T>> for Vec<ObjectRef<T>> {
    fn each(&self, visit: &mut dyn FnMut(&dyn Settled)) {
        self.iter().for_each(|reference| visit(reference));
    }

    fn take(self: Box<Self>) -> Result<Vec<T>> {
        self.into_iter().map(|reference| reference.cell.take()).collect()
    }

    fn copy(&self) -> Result<Vec<T>> {
        self.iter().map(|reference| reference.cell.copy()).collect()
    }

    fn past(&self, keeps: &mut Keeps<'_>) -> Box<dyn past::PastMany<Vec<T>>> {
        past::many(self, keeps)
    }
}

/// A reference of any type, as something to wait for.
pub trait Settled: Send + Sync {
    /// Settled, and in memory or in the store of another node.
    #[doc(hidden)]
    fn can_be_sent(&self) -> bool;
    /// Settled, and in memory.
    #[doc(hidden)]
    fn is_at_hand(&self) -> bool;
    /// Whoever asks says at last that it is wanted: see [`Asked`].
    #[doc(hidden)]
    fn subscribe(&self, waiter: Subscriber) -> Asked;
    #[doc(hidden)]
    fn error(&self) -> Option<raytree_types::Error>;
    #[doc(hidden)]
    fn awaits(&self) -> Option<Awaited>;
    /// What it is, and from where it comes into memory, while somebody waits for that.
    #[doc(hidden)]
    fn comes(&self) -> Option<(&'static str, &'static str)>;
    /// `also_far`: also where it is in the store of another node.
    #[doc(hidden)]
    fn lies(&self, also_far: bool) -> Option<Lies>;
    /// Which object it is, while it is there.
    #[doc(hidden)]
    fn at(&self) -> usize;
}

/// What is still to come, and who makes it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Awaited(pub(crate) &'static str, pub(crate) Option<Maker>);

impl<T: Value> Settled for ObjectRef<T> {
    fn can_be_sent(&self) -> bool {
        self.cell.has(Needs::Value)
    }

    fn is_at_hand(&self) -> bool {
        self.cell.has(Needs::Memory)
    }

    fn subscribe(&self, subscriber: Subscriber) -> Asked {
        let Subscriber(dependent, needs) = subscriber;
        let waiter = |needs| Waiter::Dependent(dependent, needs);
        let (standing, wanted) = self.cell.subscribe_apart(needs, waiter);
        Asked(standing, wanted)
    }

    fn awaits(&self) -> Option<Awaited> {
        let seen = self.cell.seen();
        let maker = || self.cell.producer().and_then(|producer| producer.maker());
        (seen.state == ObjectState::Pending).then(|| Awaited(seen.source.label, maker()))
    }

    fn comes(&self) -> Option<(&'static str, &'static str)> {
        Some((self.cell.label, self.cell.comes()?.said()))
    }

    fn at(&self) -> usize {
        Arc::as_ptr(&self.cell).addr()
    }

    fn lies(&self, also_far: bool) -> Option<Lies> {
        self.cell.pins().filter(|pins| also_far || !pins.is_far()).map(Lies)
    }

    fn error(&self) -> Option<raytree_types::Error> {
        self.cell.failure()
    }
}

impl<T: Value> Arg<T> {
    fn each(&self, visit: &mut dyn FnMut(&dyn Settled)) {
        match &self.0 {
            Kind::Value(_) | Kind::Shared(_) => {}
            Kind::Ref(reference) => visit(reference),
            // Their values become one here, wherever that goes.
            Kind::Many(many) => many.each(&mut |each| visit(&InMemory(each))),
        }
    }

    /// Through the codec, where that is asked.
    fn travel(self, life: &'static Life, codec: Codec) -> Result<Self> {
        match self.0 {
            Kind::Value(value) => travel::through(life, codec, value).map(Kind::Value).map(Self),
            Kind::Shared(value) => {
                travel::through_shared(life, codec, value).map(Kind::Shared).map(Self)
            }
            other => Ok(Self(other)),
        }
    }

    /// From bytes. What is in the store of another node is an object, which is waited for like any other.
    fn read(part: Part, codec: Codec) -> Result<Self> {
        match &part.far {
            Some(far) => {
                let life = far.life;
                Ok(Self(Kind::Ref(ObjectRef::first(ObjectCell::far(life, part)))))
            }
            None => part.value(codec).map(|value| Self(Kind::Value(value))),
        }
    }

    /// For another process: what lies in a store is not read for that.
    fn lend_written(&self, codec: Codec) -> Result<Part> {
        match &self.0 {
            Kind::Ref(reference) if reference.cell.is_written() => written(reference, codec),
            _ => self.lend()?.written(codec),
        }
    }

    /// The same for the last run.
    fn give_written(self, codec: Codec) -> Result<Part> {
        match &self.0 {
            Kind::Ref(reference) if reference.cell.is_written() => written(reference, codec),
            _ => self.give()?.written(codec),
        }
    }

    /// So that it can be given more than once.
    fn keep(self) -> Self {
        match self.0 {
            Kind::Value(value) => Self(Kind::Shared(Arc::new(value))),
            other => Self(other),
        }
    }

    /// For a run that may not be the last.
    fn lend(&self) -> Result<Taken<T>> {
        match &self.0 {
            Kind::Value(value) => Ok(Taken::Owned(value.clone())),
            Kind::Shared(value) => Ok(Taken::Shared(Arc::clone(value))),
            Kind::Ref(reference) => {
                reference.cell.share().map(|value| Taken::Referred(value, reference.clone()))
            }
            Kind::Many(many) => many.copy().map(Taken::Owned),
        }
    }

    /// For the last run. A reference is handed over as it is: who needs the value itself takes it.
    fn give(self) -> Result<Taken<T>> {
        match self.0 {
            Kind::Value(value) => Ok(Taken::Owned(value)),
            Kind::Shared(value) => Ok(Taken::Shared(value)),
            Kind::Ref(reference) => reference.cell.give().map(|given| match given {
                Ok(value) => Taken::Owned(value),
                Err(shared) => Taken::Referred(shared, reference.clone()),
            }),
            Kind::Many(many) => many.take().map(Taken::Owned),
        }
    }
}

/// The value of an object, with which goes where it is from.
fn written<T: Value>(reference: &ObjectRef<T>, codec: Codec) -> Result<Part> {
    let part = reference.cell.written(codec)?;
    let object = part.written.refs.is_empty().then(|| AnyObject::of(reference).0);
    Ok(Part { object, ..part })
}

impl<T> fmt::Debug for Arg<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::Value(_) | Kind::Shared(_) => "Arg(value)",
            Kind::Ref(_) => "Arg(reference)",
            Kind::Many(_) => "Arg(references)",
        })
    }
}

/// An argument as a body gets it: its own, or read where it lies.
#[derive(Debug)]
pub enum Taken<T> {
    /// Nobody else has it.
    Owned(T),
    /// Others may read it too.
    Shared(Arc<T>),
    /// It is the value of an object.
    Referred(Arc<T>, ObjectRef<T>),
}

impl<T: Clone> Taken<T> {
    /// For a parameter by value: cloned only if others have it too.
    pub fn into_value(self) -> T {
        match self {
            Self::Owned(value) => value,
            Self::Shared(value) | Self::Referred(value, _) => {
                Arc::try_unwrap(value).unwrap_or_else(|value| (*value).clone())
            }
        }
    }
}

impl<T: Value> Taken<T> {
    /// For another process. What is large and shared is not copied.
    fn written(self, codec: Codec) -> Result<Part> {
        match self {
            // Behind a count its bytes can be lent, too.
            Self::Owned(value) if codec::is_bulk::<T>() => Part::of_shared(codec, &Arc::new(value)),
            Self::Owned(value) => Part::of(codec, &value),
            Self::Shared(value) => Part::of_shared(codec, &value),
            Self::Referred(_, object) => object.cell.written(codec),
        }
    }
}

impl<T> Taken<T> {
    /// For a parameter of type [`Shared<T>`].
    pub fn into_shared(self) -> Shared<T> {
        match self {
            Self::Owned(value) => Shared::new(value),
            Self::Shared(value) | Self::Referred(value, _) => Shared(value),
        }
    }
}

/// For a parameter `&T`, `&[T]` or `&str`.
impl<T> Deref for Taken<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Owned(value) => value,
            Self::Shared(value) | Self::Referred(value, _) => value,
        }
    }
}

/// The parameter types of a remote function, as a tuple of up to twelve values.
pub trait Args: Send + Sync + 'static {
    /// As they were passed.
    type Stored: Send + Sync + 'static;
    /// As the body gets them.
    type Taken: Send + 'static;
    /// As they are kept for another run, when all is over.
    #[doc(hidden)]
    type Past: Send + Sync + 'static;

    #[doc(hidden)]
    fn each(stored: &Self::Stored, visit: &mut dyn FnMut(&dyn Settled));
    #[doc(hidden)]
    fn travel(stored: Self::Stored, life: Strict, codec: Codec) -> Result<Self::Stored>;
    #[doc(hidden)]
    fn keep(stored: Self::Stored) -> Self::Stored;
    #[doc(hidden)]
    fn lend(stored: &Self::Stored) -> Result<Self::Taken>;
    #[doc(hidden)]
    fn give(stored: Self::Stored) -> Result<Self::Taken>;
    /// As bytes, each by itself.
    #[doc(hidden)]
    fn write(taken: Self::Taken, codec: Codec) -> Result<Vec<Part>>;
    /// For a run in another process that may not be the last: what lies in a store is not read for that.
    #[doc(hidden)]
    fn lend_written(stored: &Self::Stored, codec: Codec) -> Result<Vec<Part>>;
    /// The same for the last run.
    #[doc(hidden)]
    fn give_written(stored: Self::Stored, codec: Codec) -> Result<Vec<Part>>;
    /// From bytes, as values.
    #[doc(hidden)]
    fn read(parts: Vec<Part>, codec: Codec) -> Result<Self::Stored>;
    /// None where they cannot be kept.
    #[doc(hidden)]
    fn past(stored: &Self::Stored, keeps: &mut Keeps<'_>) -> Option<Self::Past>;
    /// As they were passed.
    #[doc(hidden)]
    fn again(past: &Self::Past, anew: &mut Anew) -> Result<Self::Stored>;
}

/// Whether values go through the codec here.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Strict(pub(crate) &'static Life);

macro_rules! tuple {
    ($($type:ident $index:tt),*) => {
        impl<$($type: Value),*> Args for ($($type,)*) {
            type Stored = ($(Arg<$type>,)*);
            type Taken = ($(Taken<$type>,)*);
            type Past = ($(PastArg<$type>,)*);

            fn each(_stored: &Self::Stored, _visit: &mut dyn FnMut(&dyn Settled)) {
                $(_stored.$index.each(_visit);)*
            }

            fn travel(_stored: Self::Stored, _life: Strict, _codec: Codec) -> Result<Self::Stored> {
                Ok(($(_stored.$index.travel(_life.0, _codec)?,)*))
            }

            #[allow(clippy::unused_unit, reason = "the tuple of no arguments")]
            fn keep(_stored: Self::Stored) -> Self::Stored {
                ($(_stored.$index.keep(),)*)
            }

            fn lend(_stored: &Self::Stored) -> Result<Self::Taken> {
                Ok(($(_stored.$index.lend()?,)*))
            }

            fn give(_stored: Self::Stored) -> Result<Self::Taken> {
                Ok(($(_stored.$index.give()?,)*))
            }

            fn write(_taken: Self::Taken, _codec: Codec) -> Result<Vec<Part>> {
                Ok(vec![$(_taken.$index.written(_codec)?,)*])
            }

            fn lend_written(_stored: &Self::Stored, _codec: Codec) -> Result<Vec<Part>> {
                Ok(vec![$(_stored.$index.lend_written(_codec)?,)*])
            }

            fn give_written(_stored: Self::Stored, _codec: Codec) -> Result<Vec<Part>> {
                Ok(vec![$(_stored.$index.give_written(_codec)?,)*])
            }

            #[allow(clippy::unused_unit, reason = "the tuple of no arguments")]
            fn read(parts: Vec<Part>, _codec: Codec) -> Result<Self::Stored> {
                let mut _parts = parts.into_iter();
                let stored = ($(Arg::<$type>::read(Part::next::<$type>(&mut _parts)?, _codec)?,)*);
                Part::none_left(&mut _parts)?;
                Ok(stored)
            }

            #[allow(clippy::unused_unit, reason = "the tuple of no arguments")]
            fn past(_stored: &Self::Stored, _keeps: &mut Keeps<'_>) -> Option<Self::Past> {
                Some(($(_stored.$index.past(_keeps)?,)*))
            }

            #[allow(clippy::unused_unit, reason = "the tuple of no arguments")]
            fn again(_past: &Self::Past, _anew: &mut Anew) -> Result<Self::Stored> {
                Ok(($(_past.$index.again(_anew)?,)*))
            }
        }
    };
}

tuple!();
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
