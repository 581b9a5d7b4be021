//! Objects: values that tasks, methods and `put` make, and references to them.

pub(crate) mod adopted;
pub(crate) mod any;
pub(crate) mod cell;
pub(crate) mod countdown;
pub(crate) mod gather;
pub(crate) mod kept;
pub(crate) mod lineage;
pub(crate) mod lying;
pub(crate) mod part;
pub(crate) mod put;
pub(crate) mod reference;
pub(crate) mod seen;
pub(crate) mod shared;
pub(crate) mod split;
pub(crate) mod stream;
mod ties;
pub(crate) mod travel;
pub(crate) mod wait;
pub(crate) mod waiter;
pub(crate) mod wanted;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What can be an argument, a result or an object: it can be sent to another process, and cloned in this one.
///
/// Implemented for every type that fits; derive `serde::Serialize`, `serde::Deserialize` and `Clone` to make one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value: it cannot be an argument, a result or an object of a remote function",
    label = "not a value",
    note = "a value is `Clone + serde::Serialize + serde::Deserialize + Send + Sync + 'static`: derive what is missing, e.g. `#[derive(Clone, serde::Serialize, serde::Deserialize)]`"
)]
pub trait Value: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Value for T {}
