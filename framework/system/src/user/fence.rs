//! A call that does nothing: once the actor has begun it, it has begun all that its caller has asked for before. It goes
//! where calls go, through every line and every process on their way, and comes back with the life that has begun it.

use raytree_types::codec::Codec;
use raytree_types::{Incarnation, Result};

use super::actor::Actor;
use super::context::ActorContext;
use super::method::{Begun, Invocation};
use crate::task::args::Settled;
use crate::task::away::{self, Order, Results};
use crate::task::definition::Info;

/// What it is called between processes: no method is.
pub(crate) const NAME: &str = "raytree::fence";

static INFO: Info =
    Info { name: NAME, signature: "", file: file!(), line: line!(), codec: Codec::Compact };

/// See the [module documentation](self).
pub(crate) struct Fence;

impl<T: Actor> Invocation<T> for Fence {
    type Out = Incarnation;
    /// It says something of the life that has begun it, and of no other one.
    const REPEATS: bool = false;

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
        "fence"
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
        None
    }

    fn exclusive<'a>(self, _actor: &'a mut T, ctx: &'a ActorContext<T>) -> Begun<'a, Incarnation> {
        Begun::Done(Ok(ctx.incarnation))
    }

    fn shared<'a>(self, _actor: &'a T, ctx: &'a ActorContext<T>) -> Begun<'a, Incarnation> {
        Begun::Done(Ok(ctx.incarnation))
    }

    fn order(self) -> Result<Order<Incarnation>> {
        Ok(Order { info: &INFO, arguments: Vec::new(), results: Results::One(away::read) })
    }
}
