//! Lives of actors that the other side has begun here.

use std::sync::Arc;

use raytree_supervise::panics;
use raytree_types::{ActorId, ActorOptions, Error, Incarnation, Result};

use super::Link;
use super::export::{Callee, Held, Token};
use super::frame::{Frame, Packed, WireRef};
use super::serve::{Serving, gone};
use crate::object::part::Part;
use crate::runtime::Shared;
use crate::task::by_bytes::{Birth, Kin, Way};
use crate::task::registry;
use crate::user::status::{Cell, Lifecycle};

impl Link {
    /// Begins an actor. One whose earlier life still ends here waits for that: there are never two of one id.
    pub(super) fn creates(
        self: &Arc<Self>,
        call: u64,
        (class, signature): (String, String),
        arguments: Vec<Part>,
        (id, life, options): (ActorId, Incarnation, ActorOptions),
    ) -> Result<()> {
        let birth = Birth(Kin::Life { id, life, options });
        let runtime = self.life.runtime().ok_or_else(|| self.life.gone())?;
        // Until this one is in the table.
        let births = runtime.births.lock();
        let Some(mut before) = earlier_life(&runtime, id) else {
            return self.create(call, (&class, &signature), arguments, birth);
        };
        drop(births);
        let link = Arc::downgrade(self);
        runtime.user.spawn(async move {
            loop {
                let mut status = before.watch();
                // No error: whoever would have to be gone for one is held here.
                _ = status.wait_for(|status| status.lifecycle == Lifecycle::Dead).await.map(drop);
                let Some((link, runtime)) = link.upgrade().zip(before.runtime.upgrade()) else {
                    return;
                };
                let _births = runtime.births.lock();
                if !link.is_wanted(call) {
                    return;
                }
                if let Some(other) = earlier_life(&runtime, id) {
                    // One that was asked for meanwhile.
                    before = other;
                    continue;
                }
                let begun =
                    panics::catch(|| link.create(call, (&class, &signature), arguments, birth));
                let begun = begun.unwrap_or_else(|cause| {
                    Err(Error::TaskFailed { task: class.clone(), cause: Box::new(cause) })
                });
                return begun.unwrap_or_else(|error| link.answer(call, Err(error)));
            }
        });
        Ok(())
    }

    /// It was not given up meanwhile.
    fn is_wanted(&self, call: u64) -> bool {
        self.tables.lock().serving.contains_key(&call)
    }

    fn create(
        self: &Arc<Self>,
        call: u64,
        (class, signature): (&str, &str),
        arguments: Vec<Part>,
        birth: Birth,
    ) -> Result<()> {
        let Way::Class(create) = registry::way(class, signature)? else {
            return Err(registry::differs(class, signature, "no actor type"));
        };
        self.serve_actor(call, create(arguments, birth)?.0)
    }

    /// A handle on an actor of this process's own, once its constructor has returned.
    pub(super) fn answers_when_ready(
        self: &Arc<Self>,
        call: u64,
        token: Arc<Token>,
        told: impl FnOnce() + Send + 'static,
    ) -> Result<()> {
        let Held::Actor(actor) = &token.held else { return Err(gone()) };
        let runtime = self.life.runtime().ok_or_else(|| self.life.gone())?;
        let (ready, link) = (actor.ready(), Arc::downgrade(self));
        runtime.system.spawn(async move {
            let ready = ready.await;
            if let Some(link) = link.upgrade() {
                link.answer(call, ready.and_then(|()| Part::of_token(token)));
                told();
            }
        });
        Ok(())
    }

    /// The other side has begun the life of an actor here.
    fn serve_actor(self: &Arc<Self>, call: u64, token: Arc<Token>) -> Result<()> {
        let Held::Actor(actor) = &token.held else { return Err(gone()) };
        let actor = Arc::clone(actor);
        let runtime = self.life.runtime().ok_or_else(|| self.life.gone())?;
        if !self.notes(call, Serving::Actor(Arc::clone(&actor))) {
            return Ok(());
        }
        let link = Arc::downgrade(self);
        runtime.system.spawn(async move {
            let ready = actor.ready().await;
            let Some(link) = link.upgrade() else { return };
            match ready {
                Ok(()) => link.born(call, token, &*actor),
                Err(error) => link.answer(call, Err(error)),
            }
        });
        Ok(())
    }

    /// The actor that was asked for is there, and held for whoever asked.
    pub(super) fn born(self: &Arc<Self>, call: u64, token: Arc<Token>, actor: &dyn Callee) {
        let serving = self.tables.lock().serving.remove(&call);
        if serving.is_none() {
            // Nobody wants it any more: it was told to end.
            return;
        }
        let export = self.hold(token);
        self.tell_of_end(export, actor);
        let refs = vec![WireRef::Born { export }];
        self.tell(&Frame::Answer { call, result: Ok(Packed { refs, ..Packed::default() }) });
    }
}

/// A life of this actor that another process has begun here, and that has not ended.
fn earlier_life(runtime: &Shared, id: ActorId) -> Option<Arc<Cell>> {
    runtime.table.launch(id).filter(|launch| launch.given().is_some())?;
    runtime.table.cell(id)
}
