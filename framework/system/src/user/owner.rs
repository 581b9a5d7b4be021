//! Who owns an object: with whom it ends, if not with its last reference.

use raytree_types::{Error, Result};

use super::remote::Handle;
use crate::link::adopt;
use crate::object::Value;
use crate::object::any::AnyObject;
use crate::object::reference::ObjectRef;
use crate::object::wait::wait;
use crate::runtime::ambient;
use crate::task::context::{self, lending};

impl<T: Value> ObjectRef<T> {
    /// Hands the object over to an actor: the reference that comes back is of an object that the process owns in which the actor lives
    /// now. It outlives this process, and ends with its last reference or with that one. Ray's `put(value, _owner=actor)`.
    ///
    /// An object is owned by the process that has put it, or that has called the task or method it is the result of, and is lost with
    /// that one ([`Error::OwnerDied`]). Waits until the object is settled, then makes a call, which waits for its turn as others do; the
    /// actor's own code does not run. Nothing large is copied: it stays where it lies in a store. References inside the value go on
    /// being those of their owners. This reference stays what it is.
    ///
    /// # Errors
    /// The object's own; [`Error::ActorDied`] and others of a call.
    ///
    /// # Cancel safety
    /// Given up, it leaves nothing behind.
    pub async fn owned_by<H: Handle>(&self, actor: &H) -> Result<Self> {
        self.is_settled().await?;
        let (actor, object) = (actor.inner(), AnyObject::of(self));
        if context::actor().is_some_and(|own| actor.live().is_ok_and(|actor| actor.id() == own)) {
            // A call would wait for the method that has made it.
            return self.of(adopt::here(self.cell.life, object).await?);
        }
        self.of(actor.adopts(object).await?)
    }

    /// Hands the object over to the program: to its driver, which is the process that has started it; to a detached actor's own process
    /// where that makes it. As [`ObjectRef::owned_by`].
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
    /// The object's own; [`Error::RuntimeGone`] when the program ends.
    ///
    /// # Cancel safety
    /// Given up, it leaves nothing behind.
    pub async fn owned_by_job(&self) -> Result<Self> {
        self.is_settled().await?;
        let runtime = ambient::current()?;
        self.of(lending(adopt::by_program(runtime.shared(), AnyObject::of(self))).await?)
    }

    async fn is_settled(&self) -> Result<()> {
        wait([self]).await.map(drop)
    }

    fn of(&self, object: AnyObject) -> Result<Self> {
        object.typed().ok_or_else(|| Error::CannotTravel {
            type_name: std::any::type_name::<Self>().to_owned(),
            attribute: None,
            reason: "what came back is of another type".to_owned(),
        })
    }
}
