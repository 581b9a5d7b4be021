//! Objects that this process has taken over from the processes that made them: of any type, in their written form.
//!
//! Nobody here knows their type. What of them is large lies in a store, as it does of others that came from elsewhere
//! ([`super::lying`]), may go to disk, and is brought back; the rest is kept as it came, and so is all of a value that refers to others.
//! Whoever reads one in this process reads it as an object of his own; whoever reads it in another one is sent it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use raytree_types::Result;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Value;
use super::cell::{ObjectCell, Producer, Standing};
use super::part::{self, Part};
use super::reference::ObjectRef;
use super::seen::Seen;
use super::waiter::{Dependent, Needs, Waiter};
use crate::link::{Held, Home, Object, Token};
use crate::runtime::life::Life;

/// How such an object is called; no function and no method is.
const LABEL: &str = "an object taken over";

/// See the [module documentation](self).
pub(crate) struct Adopted(ObjectRef<Untyped>);

/// A value whose type is not known here. It is never written or read as such.
#[derive(Clone)]
struct Untyped(Part);

impl Serialize for Untyped {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("its type is not known here"))
    }
}

impl<'de> Deserialize<'de> for Untyped {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("its type is not known here"))
    }
}

impl Adopted {
    /// An object of its own, of a value that has come from elsewhere.
    pub(crate) fn token(life: &'static Life, part: Part) -> Arc<Token> {
        let cell = ObjectCell::pending(LABEL, life);
        if let Err(part) = cell.lies_in_store(part) {
            cell.settle(Ok(Untyped(part)));
        }
        cell.is_listed();
        let own = Arc::new(Self(ObjectRef::first(cell)));
        Arc::new(Token { typed: Arc::clone(&own) as _, held: Held::Object(own) })
    }

    /// A reference to it for the one who knows its type. It is read when somebody wants it.
    pub(crate) fn object<T: Value>(self: &Arc<Self>) -> ObjectRef<T> {
        let cell = ObjectCell::pending(LABEL, self.0.cell.life);
        let (adopted, own) = (Arc::clone(self), Arc::downgrade(&cell));
        cell.made_by(Arc::new(Reader { adopted, cell: own, is_asked: AtomicBool::new(false) }));
        ObjectRef::first(cell)
    }
}

impl Object for Adopted {
    fn ask(&self, waiter: Waiter) -> Standing {
        Object::ask(&self.0, waiter)
    }

    fn part(&self) -> Result<Part> {
        match self.0.cell.pins() {
            Some(lies) => lies.part(),
            None => Ok(self.0.cell.share()?.0.clone()),
        }
    }

    fn fetched(&self) -> Result<Part> {
        match self.0.cell.pins() {
            Some(lies) => lies.pin().map(Part::here),
            None => self.part()?.fetched(),
        }
    }

    fn cancel(&self, _recursive: bool) {}

    fn seen(&self) -> Seen {
        self.0.cell.seen()
    }

    fn home(&self) -> Option<Home> {
        None
    }
}

/// Reads one for an object of this process.
struct Reader<T> {
    adopted: Arc<Adopted>,
    cell: Weak<ObjectCell<T>>,
    is_asked: AtomicBool,
}

impl<T: Value> Producer for Reader<T> {
    fn cancel(&self, _recursive: bool) {}

    fn is_lazy(&self) -> bool {
        !self.is_asked.load(Ordering::Acquire)
    }

    fn wanted(&self) {
        if self.is_asked.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(cell) = self.cell.upgrade() else { return };
        let reads = Arc::new(Reads { adopted: Arc::clone(&self.adopted), cell });
        let waiter = Waiter::Dependent(Arc::clone(&reads) as Arc<dyn Dependent>, Needs::Value);
        if self.adopted.ask(waiter) != Standing::Pending {
            reads.argument(true);
        }
    }

    fn home(&self) -> Option<Home> {
        None
    }
}

struct Reads<T> {
    adopted: Arc<Adopted>,
    cell: Arc<ObjectCell<T>>,
}

impl<T: Value> Dependent for Reads<T> {
    fn argument(self: Arc<Self>, _ok: bool) {
        let part = match self.adopted.part() {
            Ok(part) if part.is_far() => return self.cell.settle_far(part),
            Ok(part) => part,
            Err(error) => return self.cell.settle(Err(error)),
        };
        self.cell.settle(part::reading(|| self.cell.reads(part, Part::value::<T>)));
    }
}
