//! Objects whose owner is to be another process than the one that made them.

use std::sync::Arc;
use std::task::Poll;

use raytree_supervise::panics;
use raytree_types::codec::Codec;
use raytree_types::{Error, Result};

use super::export::{Held, Object, Token, unknown};
use super::frame::Ask;
use super::serve::Serving;
use super::{Link, relay};
use crate::object::adopted::Adopted;
use crate::object::any::AnyObject;
use crate::object::cell::Standing;
use crate::object::countdown::Countdown;
use crate::object::part::Part;
use crate::object::waiter::{Dependent, Needs, Waiter};
use crate::runtime::Shared;
use crate::runtime::life::Life;
use crate::worker::made;

/// This process has the object from now on, whoever made it: what is its own is that already.
///
/// # Errors
/// Why there is no value.
pub(crate) async fn here(life: &'static Life, object: AnyObject) -> Result<AnyObject> {
    let token = object.0.downcast::<Token>().or_else(relay::token)?;
    let Held::Object(held) = &token.held else { return Err(unknown()) };
    settled(&**held).await;
    if held.home().is_none() {
        return Ok(AnyObject(token));
    }
    let part = panics::catch(|| held.part()).unwrap_or_else(|cause| {
        let task = "reading an object".to_owned();
        Err(Error::TaskFailed { task, cause: Box::new(cause) })
    })?;
    Ok(AnyObject(Adopted::token(life, part)))
}

/// The program of this process has the object from now on: this process itself, if it works for no other one.
///
/// # Errors
/// Why there is no value; that the program is gone.
pub(crate) async fn by_program(runtime: &Arc<Shared>, object: AnyObject) -> Result<AnyObject> {
    let Some(program) = made::maker(runtime) else { return here(runtime.life, object).await };
    let argument = Part::of(Codec::Compact, &object)?;
    let there = program.request_with(Ask::Adopt, vec![argument]).await?;
    there.value(Codec::Compact)
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
    /// The other side, which works for this process, wants an object to be the program's.
    pub(super) fn adopts(self: &Arc<Self>, call: u64, object: Part) -> Result<()> {
        let object = object.value(Codec::Compact)?;
        let runtime = self.life.runtime().ok_or_else(|| self.life.gone())?;
        let link = Arc::downgrade(self);
        // The call is noted first: its answer may be there at once.
        let (begin, begins) = tokio::sync::oneshot::channel::<()>();
        let (own, spawns) = (Arc::clone(&runtime), runtime.user.clone());
        let waits = spawns.spawn(async move {
            if begins.await.is_err() {
                return;
            }
            let adopted = by_program(&own, object).await;
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
}
