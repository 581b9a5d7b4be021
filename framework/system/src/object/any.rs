//! A reference to an object of any type: a value like others, for those who pass it on and do not read it.

use std::sync::Arc;

use raytree_types::Result;
use raytree_types::codec::{RefToken, scope};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Value;
use super::adopted::Adopted;
use super::reference::ObjectRef;
use crate::link::{Held, Home, Imported, Object, Token};

/// See the [module documentation](self).
#[derive(Clone)]
pub(crate) struct AnyObject(pub(crate) RefToken);

impl AnyObject {
    /// It is listed from now on.
    pub(crate) fn of<T: Value>(object: &ObjectRef<T>) -> Self {
        object.cell.is_listed();
        let typed = Arc::new(object.clone());
        let held = Held::Object(Arc::clone(&typed) as Arc<dyn Object>);
        Self(Arc::new(Token { typed, held }))
    }

    /// What another process has, and has not come from there; none of another object.
    pub(crate) fn import<T: Value>(object: &ObjectRef<T>) -> Option<Self> {
        match object.cell.producer()?.home()? {
            Home::Object(imported) => Some(Self(imported)),
            Home::Actor(_) => None,
        }
    }

    /// For the one who knows its type; none where it is of another one.
    pub(crate) fn typed<T: Value>(self) -> Option<ObjectRef<T>> {
        let token = match self.0.downcast::<Imported>() {
            Ok(imported) => return Some(imported.object()),
            Err(token) => token.downcast::<Token>().ok()?,
        };
        if let Ok(adopted) = Arc::clone(&token.typed).downcast::<Adopted>() {
            return Some(adopted.object());
        }
        token.typed.downcast_ref::<ObjectRef<T>>().cloned()
    }
}

impl Serialize for AnyObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        scope::put_ref(Arc::clone(&self.0)).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AnyObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scope::take_ref(u32::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}
