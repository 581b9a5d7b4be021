//! Objects whose owner is to be another process than the one that made them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use raytree_types::codec::Codec;
use raytree_types::state::ObjectState;
use raytree_types::{Cause, Result, limits};

use super::export::{Held, Object, Token, unknown};
use super::frame::{Adopter, Ask};
use super::import::{ImportedActor, owner_died};
use super::serve::{Serving, gone};
use super::{Link, relay};
use crate::object::adopted::Adopted;
use crate::object::any::AnyObject;
use crate::object::cell::Standing;
use crate::object::countdown::Countdown;
use crate::object::part::{Part, reading};
use crate::object::waiter::{Dependent, Needs, Waiter};
use crate::runtime::Shared;
use crate::runtime::life::Life;
use crate::user::status::{Cell, Lifecycle};
use crate::worker::made;

/// The new reference, once there is one.
pub(crate) type Adopting = Pin<Box<dyn Future<Output = Result<AnyObject>> + Send>>;

/// This process has the object from now on, whoever made it: what is its own is that already.
///
/// # Errors
/// Why there is no value.
pub(crate) async fn here(life: &'static Life, object: AnyObject) -> Result<AnyObject> {
    let token = object.0.downcast::<Token>().or_else(relay::token)?;
    let Held::Object(held) = &token.held else { return Err(unknown()) };
    settled(&**held).await;
    if held.home().is_none() {
        if held.seen().state == ObjectState::Failed {
            held.part()?;
        }
        return Ok(AnyObject(token));
    }
    let (runtime, held) = (life.runtime().ok_or_else(|| life.gone())?, Arc::clone(held));
    // A disk may be waited for, and room in the store.
    let adopted = runtime
        .user
        .spawn_blocking(move || Ok(AnyObject(Adopted::token(life, reading(|| held.part())?))));
    adopted.await.unwrap_or_else(|_| Err(life.gone()))
}

/// The program of this process has the object from now on: this process itself, if it works for no other one.
///
/// # Errors
/// Why there is no value; [`RuntimeGone`](raytree_types::Error::RuntimeGone) when the program is gone.
pub(crate) async fn by_program(runtime: &Arc<Shared>, object: AnyObject) -> Result<AnyObject> {
    let works_for_others = runtime.program.get().is_some() || runtime.parent.get().is_some();
    if !works_for_others {
        return here(runtime.life, object).await;
    }
    let program = made::maker(runtime).ok_or_else(|| runtime.life.gone())?;
    asks(&program, Adopter::Program, &object).await
}

/// The process in which an actor lives has the object from now on. Waits until it lives.
///
/// # Errors
/// Why there is no value; how the actor has ended.
pub(crate) async fn by_actor(
    life: &'static Life,
    actor: &Cell,
    object: AnyObject,
) -> Result<AnyObject> {
    let mut status = actor.watch();
    loop {
        let lifecycle = status.borrow_and_update().lifecycle;
        if lifecycle == Lifecycle::Dead {
            return Err(actor.gone());
        }
        if let Some(imported) = actor.imported() {
            return by_imported(imported, object).await;
        }
        if let Some((link, own)) = actor.lives_at() {
            match asks(&link, Adopter::You, &object).await {
                Err(_) if link.end_of().is_some() && !actor.is_of_cluster() => {
                    return Err(actor.is_over(own).await);
                }
                Err(_) if link.end_of().is_some() => {}
                adopted => return adopted,
            }
        } else if lifecycle == Lifecycle::Alive && !actor.is_elsewhere() {
            return here(life, object).await;
        }
        if actor.is_of_cluster() {
            // Nobody says when its next life is reached.
            tokio::time::sleep(limits::LOOK_AGAIN).await;
        } else if status.changed().await.is_err() {
            return Err(actor.gone());
        }
    }
}

/// As [`by_actor`], of another process's.
pub(super) async fn by_imported(actor: &ImportedActor, object: AnyObject) -> Result<AnyObject> {
    let adopted = asks(&actor.link, Adopter::Actor { export: actor.export }, &object).await;
    adopted.map_err(|error| match actor.link.end_of() {
        Some(cause) => owner_died(&actor.link, cause),
        None => error,
    })
}

async fn asks(there: &Arc<Link>, by: Adopter, object: &AnyObject) -> Result<AnyObject> {
    let argument = Part::of(Codec::Compact, object)?;
    let adopted = there.request_with(Ask::Adopt { by }, vec![argument]).await?;
    adopted.value(Codec::Compact)
}

async fn settled(object: &dyn Object) {
    let mut told = None;
    std::future::poll_fn(move |cx| {
        if told.is_none() {
            let countdown = Countdown::new(1, false);
            let dependent = Arc::clone(&countdown) as Arc<dyn Dependent>;
            if object.ask(Waiter::Dependent(dependent, Needs::Value)) != Standing::Pending {
                return Poll::Ready(());
            }
            told = Some(countdown);
        }
        told.as_ref().map_or(Poll::Ready(()), |told| told.poll(cx))
    })
    .await;
}

impl Link {
    /// The other side wants an object to be somebody's.
    pub(super) fn adopts(self: &Arc<Self>, call: u64, by: Adopter, object: Part) -> Result<()> {
        let object = object.value(Codec::Compact)?;
        let runtime = self.life.runtime().ok_or_else(|| self.life.gone())?;
        let (own, life, link) = (Arc::clone(&runtime), self.life, Arc::downgrade(self));
        let adopting: Adopting = match by {
            Adopter::You => Box::pin(here(life, object)),
            Adopter::Program => Box::pin(async move { by_program(&own, object).await }),
            Adopter::Actor { export } => match self.export(export) {
                Some(Held::Actor(actor)) => actor.adopts(object),
                _ => return Err(gone()),
            },
        };
        // The call is noted first: its answer may be there at once.
        let (begin, begins) = tokio::sync::oneshot::channel::<()>();
        let waits = runtime.user.spawn(async move {
            if begins.await.is_err() {
                return;
            }
            let adopted = adopting.await;
            if let Some(link) = link.upgrade() {
                link.answer(call, adopted.and_then(|object| Part::of(Codec::Compact, &object)));
            }
        });
        if self.notes(call, Serving::End(waits.abort_handle())) {
            // It waits for this.
            _ = begin.send(());
        }
        Ok(())
    }

    /// Why it has ended, if it has.
    fn end_of(&self) -> Option<Cause> {
        self.tables.lock().ended.clone()
    }
}
