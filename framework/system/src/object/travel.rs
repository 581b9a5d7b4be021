//! Values on their way: through the codec where that is asked, and references inside them.

use std::any::TypeId;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use parking_lot::RwLock;
use raytree_supervise::panics;
use raytree_types::codec::{self, Codec};
use raytree_types::{Error, Result};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Value;
use super::any::AnyObject;
use super::cell::Standing;
use super::part::Part;
use super::reference::ObjectRef;
use super::seen::Seen;
use super::waiter::Waiter;
use crate::link::{Home, Object};
use crate::runtime::life::Life;

/// In strict mode the value as another process would get it. In debug builds the first value of each type is checked.
///
/// # Errors
/// [`Error::CannotTravel`] names the type and the attribute to blame.
#[inline]
pub(crate) fn through<T: Value>(life: &Life, codec: Codec, value: T) -> Result<T> {
    if !life.strict && !cfg!(debug_assertions) {
        return Ok(value);
    }
    checked(life, codec, value)
}

#[cold]
fn checked<T: Value>(life: &Life, codec: Codec, value: T) -> Result<T> {
    // Reading, writing and dropping it is the user's code.
    panics::catch(|| {
        check(codec, &value)?;
        if !life.strict {
            return Ok(value);
        }
        codec::round_trip(codec, &value).map_err(|error| cannot::<T>(error.to_string()))
    })
    .unwrap_or_else(|cause| Err(cannot::<T>(format!("its own code panicked: {cause}"))))
}

/// As [`through`], for a value that is lent.
///
/// # Errors
/// As for [`through`].
pub(crate) fn through_shared<T: Value>(life: &Life, codec: Codec, value: Arc<T>) -> Result<Arc<T>> {
    if !life.strict && !cfg!(debug_assertions) {
        return Ok(value);
    }
    panics::catch(|| {
        check(codec, &*value)?;
        if !life.strict {
            return Ok(value);
        }
        let arrived = codec::round_trip(codec, &*value);
        arrived.map(Arc::new).map_err(|error| cannot::<T>(error.to_string()))
    })
    .unwrap_or_else(|cause| Err(cannot::<T>(format!("its own code panicked: {cause}"))))
}

fn cannot<T>(reason: String) -> Error {
    let type_name = std::any::type_name::<T>().to_owned();
    Error::CannotTravel { type_name, attribute: None, reason }
}

/// Checks the first value of each type.
fn check<T: Value>(codec: Codec, value: &T) -> Result<()> {
    static CHECKED: LazyLock<RwLock<HashSet<(TypeId, Codec)>>> = LazyLock::new(RwLock::default);
    let this = (TypeId::of::<T>(), codec);
    if CHECKED.read().contains(&this) {
        return Ok(());
    }
    codec::check(codec, value).map_err(|fault| Error::CannotTravel {
        type_name: fault.type_name,
        attribute: fault.attribute,
        reason: fault.reason,
    })?;
    CHECKED.write().insert(this);
    Ok(())
}

impl<T: Value> Serialize for ObjectRef<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AnyObject::of(self).serialize(serializer)
    }
}

impl<'de, T: Value> Deserialize<'de> for ObjectRef<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let typed = AnyObject::deserialize(deserializer)?.typed();
        typed.ok_or_else(|| D::Error::custom("it is a reference of another type"))
    }
}

impl<T: Value> Object for ObjectRef<T> {
    fn ask(&self, waiter: Waiter) -> Standing {
        self.cell.subscribe(waiter.needs(), |_| waiter)
    }

    fn part(&self) -> Result<Part> {
        // One that is written already is not read for that.
        if self.cell.is_written() {
            return self.cell.written(Codec::default());
        }
        let value = self.cell.share()?;
        // Nobody says how an object is to be written: the small way, where the value comes back from it.
        let codec = match check(Codec::Compact, &*value) {
            Ok(()) => Codec::Compact,
            Err(_) => Codec::SelfDescribing,
        };
        drop(value);
        self.cell.written(codec)
    }

    fn fetched(&self) -> Result<Part> {
        if let Some(lies) = self.cell.pins() {
            // Where it is lost its object hears of that.
            return lies.pin().map(Part::here);
        }
        self.part()?.fetched()
    }

    fn cancel(&self, recursive: bool) {
        if let Some(producer) = self.cell.producer() {
            producer.cancel(recursive);
        }
    }

    fn seen(&self) -> Seen {
        self.cell.seen()
    }

    fn home(&self) -> Option<Home> {
        self.cell.producer().and_then(|producer| producer.home())
    }
}
