//! Who owns an object: with whom it ends, if not with its last reference.

use raytree_types::{Error, Result};

use super::remote::Handle;
use crate::link::Callee as _;
use crate::link::adopt;
use crate::object::Value;
use crate::object::any::AnyObject;
use crate::object::reference::ObjectRef;
use crate::object::wait::wait;
use crate::runtime::ambient;
use crate::task::context::{self, lending};

impl<T: Value> ObjectRef<T> {
    /// Hands the object over to an actor: the reference that comes back is of an object that the process owns in which the actor lives
    /// now. It outlives the process that made it, and ends with its last reference or with that one. Ray's `put(value, _owner=actor)`.
    ///
    /// An object is owned by the process that has put it, or that has called the task or method it is the result of, and is lost with
    /// that one ([`Error::OwnerDied`]). Waits until the object is settled, and until the actor lives; its own code is not asked, and it may
    /// itself wait for whoever hands over. Nothing that lies in a store is copied or moved: it is held there by its new owner, outlives a
    /// process so, and not the node whose store that is. It is not made again: its new owner knows nothing of a task. References inside the
    /// value go on being those of their owners. This reference stays what it is.
    ///
    /// # Errors
    /// The object's own; [`Error::ActorDied`] when the actor has ended for good, or its process while it takes the object over.
    ///
    /// # Cancel safety
    /// Given up, it may be handed over all the same, and is freed at once then.
    pub async fn owned_by<H: Handle>(&self, actor: &H) -> Result<Self> {
        let object = self.to_hand_over().await?;
        let actor = actor.inner();
        let is_own = |own| actor.live().is_ok_and(|actor| actor.id() == own);
        if context::actor().is_some_and(is_own) {
            // Its constructor may not have returned.
            return self.of(adopt::here(self.cell.life, object).await?);
        }
        self.of(lending(actor.adopts(object)).await?)
    }

    /// Hands the object over to the program: to the process that has started it; a detached actor's is its own. As
    /// [`ObjectRef::owned_by`].
    ///
    /// ```
    /// # use raytree_system::{put, Init};
    /// let runtime = Init::new().start()?;
    /// runtime.block_on(async {
    ///     // In a task, which may run anywhere, it would outlive the worker from here on.
    ///     let object = put(vec![1, 2]).await?.owned_by_job().await?;
    ///     assert_eq!(object.await?, [1, 2]);
    ///     Ok::<(), raytree_types::Error>(())
    /// })?;
    /// # Ok::<(), raytree_types::Error>(())
    /// ```
    ///
    /// # Errors
    /// The object's own; [`Error::RuntimeGone`] when the program has ended.
    ///
    /// # Cancel safety
    /// As of [`ObjectRef::owned_by`].
    pub async fn owned_by_job(&self) -> Result<Self> {
        let object = self.to_hand_over().await?;
        let runtime = ambient::current()?;
        self.of(lending(adopt::by_program(runtime.shared(), object)).await?)
    }

    /// What another process has, and this one has not fetched, is not fetched for that.
    async fn to_hand_over(&self) -> Result<AnyObject> {
        if let Some(theirs) = AnyObject::import(self) {
            return Ok(theirs);
        }
        wait([self]).await?;
        Ok(AnyObject::of(self))
    }

    fn of(&self, object: AnyObject) -> Result<Self> {
        object.typed().ok_or_else(|| Error::CannotTravel {
            type_name: std::any::type_name::<Self>().to_owned(),
            attribute: None,
            reason: "what came back is of another type".to_owned(),
        })
    }
}
