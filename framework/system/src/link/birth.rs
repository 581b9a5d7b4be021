//! Lives of actors that the other side has begun here.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_supervise::panics;
use raytree_types::codec::Codec;
use raytree_types::{ActorId, ActorOptions, Error, Incarnation, Result};
use tokio::sync::Notify;

use super::Link;
use super::export::{Callee, Held, Token};
use super::frame::{Frame, Packed, WireRef};
use super::serve::{Serving, gone};
use crate::object::part::Part;
use crate::runtime::Shared;
use crate::task::by_bytes::{Birth, Kin, Way};
use crate::task::registry;
use crate::user::status::{Cell, Lifecycle, Status};

/// Under which number an actor is held that was made for this call: no other export has it.
pub(crate) fn made_by(call: u64) -> u64 {
    1 << 63 | call
}

/// Lives that are being begun for other processes, and are not in the table yet.
#[derive(Default)]
pub(crate) struct Births {
    ids: Mutex<HashSet<ActorId>>,
    changed: Notify,
}

/// The one who begins a life of an actor. Dropped, the next one may.
struct Turn(Arc<Births>, ActorId);

impl Turn {
    /// None for as long as another one begins; or while that lives which was begun before.
    fn of(runtime: &Shared, id: ActorId) -> std::result::Result<Self, Option<Arc<Cell>>> {
        let births = &runtime.births;
        let mut ids = births.ids.lock();
        if let Some(before) = earlier_life(runtime, id) {
            return Err(Some(before));
        }
        if ids.insert(id) { Ok(Self(Arc::clone(births), id)) } else { Err(None) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.ids.lock().remove(&self.1);
        self.0.changed.notify_waiters();
    }
}

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
        if let Ok(_turn) = Turn::of(&runtime, id) {
            return self.create(call, (&class, &signature), arguments, birth);
        }
        let (link, births) = (Arc::downgrade(self), Arc::clone(&runtime.births));
        runtime.user.spawn(async move {
            loop {
                let mut changed = pin!(births.changed.notified());
                // Before the look, so that nothing is missed.
                changed.as_mut().enable();
                let Some(link) = link.upgrade() else { return };
                let Some(runtime) = link.life.runtime() else { return };
                let turn = Turn::of(&runtime, id);
                drop(runtime);
                match turn {
                    Ok(_) if !link.is_wanted(call) => return,
                    Ok(_turn) => {
                        let class = (&*class, &*signature);
                        let begun = panics::catch(|| link.create(call, class, arguments, birth));
                        let begun = begun.unwrap_or_else(|cause| {
                            let task = class.0.to_owned();
                            Err(Error::TaskFailed { task, cause: Box::new(cause) })
                        });
                        return begun.unwrap_or_else(|error| link.answer(call, Err(error)));
                    }
                    Err(None) => {
                        drop(link);
                        changed.await;
                    }
                    Err(Some(before)) => {
                        drop(link);
                        let dead = |status: &Status| status.lifecycle == Lifecycle::Dead;
                        // No error: whoever would have to be gone for one is held here.
                        _ = before.watch().wait_for(dead).await.map(drop);
                    }
                }
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

    /// An actor of this process's own, held for the one who asks under the number that he has chosen.
    pub(super) fn makes(
        self: &Arc<Self>,
        call: u64,
        (class, signature): (&str, &str),
        arguments: Vec<Part>,
        (options, place): (ActorOptions, String),
    ) -> Result<()> {
        let Way::Class(create) = registry::way(class, signature)? else {
            return Err(registry::differs(class, signature, "no actor type"));
        };
        let token = create(arguments, Birth(Kin::Own { options, place }))?.0;
        let Held::Actor(actor) = &token.held else { return Err(gone()) };
        let (export, own) = (made_by(call), Arc::clone(actor));
        self.hold_as(export, Arc::clone(&token));
        self.tell_of_end(export, &**actor);
        self.answers_when_ready(call, &token, move || Part::of(Codec::Compact, &own.id()?))
    }

    /// Answers once the constructor of an actor has returned.
    pub(super) fn answers_when_ready(
        self: &Arc<Self>,
        call: u64,
        token: &Arc<Token>,
        answer: impl FnOnce() -> Result<Part> + Send + 'static,
    ) -> Result<()> {
        let Held::Actor(actor) = &token.held else { return Err(gone()) };
        let runtime = self.life.runtime().ok_or_else(|| self.life.gone())?;
        let (ready, link) = (actor.ready(), Arc::downgrade(self));
        runtime.system.spawn(async move {
            let ready = ready.await;
            if let Some(link) = link.upgrade() {
                link.answer(call, ready.and_then(|()| answer()));
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
        let refs = vec![WireRef::Born { export }];
        self.tell(&Frame::Answer { call, result: Ok(Packed { refs, ..Packed::default() }) });
        self.tell_of_end(export, actor);
    }
}

/// A life of this actor that another process has begun here, and that has not ended.
fn earlier_life(runtime: &Shared, id: ActorId) -> Option<Arc<Cell>> {
    runtime.table.launch(id).filter(|launch| launch.given().is_some())?;
    runtime.table.cell(id)
}
