//! Arguments of tasks that are over, as they are kept for another run.

use std::sync::Arc;

use raytree_types::Result;

use super::{Arg, Kind, Many};
use crate::object::Value;
use crate::object::lineage::{Anew, Keeps, Referred, Written};
use crate::object::reference::ObjectRef;

/// An argument, as it is kept.
#[expect(missing_debug_implementations, reason = "what is in it may be the user's")]
pub struct PastArg<T>(Past<T>);

enum Past<T> {
    Value(Written),
    Ref(Referred<T>),
    Many(Box<dyn PastMany<T>>),
}

/// References of the elements of a `T`, as they are kept.
pub(super) trait PastMany<T>: Send + Sync {
    fn again(&self, anew: &mut Anew) -> Result<Box<dyn Many<T>>>;
}

impl<T: Value> PastMany<Vec<T>> for Vec<Referred<T>> {
    fn again(&self, anew: &mut Anew) -> Result<Box<dyn Many<Vec<T>>>> {
        let again = |one: &Referred<T>| one.again(anew);
        let all = self.iter().map(again).collect::<Result<Vec<ObjectRef<T>>>>()?;
        Ok(Box::new(all))
    }
}

pub(super) fn many<T: Value>(
    objects: &[ObjectRef<T>],
    keeps: &mut Keeps<'_>,
) -> Box<dyn PastMany<Vec<T>>> {
    keeps.bytes += size_of_val(objects) as u64;
    Box::new(objects.iter().map(|object| Referred::of(object, keeps)).collect::<Vec<_>>())
}

impl<T: Value> Arg<T> {
    /// As it is kept; none where it cannot be.
    pub(super) fn past(&self, keeps: &mut Keeps<'_>) -> Option<PastArg<T>> {
        let past = match &self.0 {
            Kind::Value(value) => Past::Value(keeps.value(&Arc::new(value.clone()))?),
            Kind::Shared(value) => Past::Value(keeps.value(value)?),
            Kind::Ref(object) => Past::Ref(Referred::of(object, keeps)),
            Kind::Many(many) => Past::Many(many.past(keeps)),
        };
        Some(PastArg(past))
    }
}

impl<T: Value> PastArg<T> {
    /// As it was given.
    pub(super) fn again(&self, anew: &mut Anew) -> Result<Arg<T>> {
        Ok(Arg(match &self.0 {
            Past::Value(written) => Kind::Shared(Arc::new(written.value()?)),
            Past::Ref(object) => Kind::Ref(object.again(anew)?),
            Past::Many(many) => Kind::Many(many.again(anew)?),
        }))
    }
}
