//! A call that gives an actor an object to own: where the actor lives the object is taken over, and what comes back names it there.
//! It goes where calls go, and waits for its turn as they do; the actor's own code is not asked.

use raytree_types::Result;
use raytree_types::codec::Codec;

use super::actor::Actor;
use super::context::ActorContext;
use super::method::{Begun, Invocation};
use crate::link::adopt;
use crate::object::any::AnyObject;
use crate::object::part::Part;
use crate::runtime::life::Life;
use crate::task::args::Settled;
use crate::task::away::{self, Order, Results};
use crate::task::definition::Info;

/// What it is called between processes: no method is.
pub(crate) const NAME: &str = "raytree::adopt";

static INFO: Info =
    Info { name: NAME, signature: "", file: file!(), line: line!(), codec: Codec::Compact };

/// See the [module documentation](self).
pub(crate) struct Adopt {
    pub(crate) life: &'static Life,
    pub(crate) object: AnyObject,
}

impl Adopt {
    fn begins<'a>(self) -> Begun<'a, AnyObject> {
        Begun::Future(Box::pin(async move { Ok(adopt::here(self.life, self.object).await?) }))
    }
}

impl<T: Actor> Invocation<T> for Adopt {
    type Out = AnyObject;
    /// One that was taken over twice is freed once more.
    const REPEATS: bool = true;

    fn is_exclusive(&self) -> bool {
        false
    }

    fn is_blocking(&self) -> bool {
        false
    }

    fn is_sync(&self) -> bool {
        false
    }

    fn short_name(&self) -> &'static str {
        "adopt"
    }

    fn label(&self) -> &'static str {
        NAME
    }

    fn codec(&self) -> Codec {
        Codec::Compact
    }

    fn each(&self, _visit: &mut dyn FnMut(&dyn Settled)) {}

    fn keep(self) -> Self {
        self
    }

    fn again(&self) -> Option<Self> {
        Some(Self { life: self.life, object: self.object.clone() })
    }

    fn exclusive<'a>(self, _actor: &'a mut T, _ctx: &'a ActorContext<T>) -> Begun<'a, AnyObject> {
        self.begins()
    }

    fn shared<'a>(self, _actor: &'a T, _ctx: &'a ActorContext<T>) -> Begun<'a, AnyObject> {
        self.begins()
    }

    fn order(self) -> Result<Order<AnyObject>> {
        let arguments = vec![Part::of(Codec::Compact, &self.object)?];
        Ok(Order { info: &INFO, arguments, results: Results::One(away::read) })
    }
}
