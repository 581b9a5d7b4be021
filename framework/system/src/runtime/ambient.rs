//! Which runtime is meant when nobody says: the one whose thread this is, the one entered, the process default.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use raytree_types::{ActorId, Error, Result};

use super::{Runtime, Shared};

type Here = Arc<OnceLock<Weak<Shared>>>;

thread_local! {
    static THREAD: RefCell<Option<Here>> = const { RefCell::new(None) };
    static ENTERED: RefCell<Vec<Weak<Shared>>> = const { RefCell::new(Vec::new()) };
}

tokio::task_local! {
    static ACTOR: ActorId;
}

static DEFAULT: Mutex<Option<Weak<Shared>>> = Mutex::new(None);

/// The current runtime.
///
/// # Errors
/// [`Error::NoRuntime`] when there is none.
pub fn current() -> Result<Runtime> {
    let thread = THREAD.with_borrow(|here| here.as_ref().and_then(|here| here.get().cloned()));
    let entered = || ENTERED.with_borrow(|stack| stack.last().cloned());
    let default = || DEFAULT.lock().clone();
    let live = |weak: Weak<Shared>| weak.upgrade().filter(|shared| !shared.is_closing());
    let shared = thread
        .and_then(live)
        .or_else(|| entered().and_then(live))
        .or_else(|| default().and_then(live));
    shared.map(Runtime::of).ok_or(Error::NoRuntime)
}

/// Makes `shared` the process default unless another one is alive.
pub(super) fn offer_default(shared: &Arc<Shared>) {
    let mut default = DEFAULT.lock();
    let taken = default.as_ref().and_then(Weak::upgrade).is_some_and(|old| !old.is_closing());
    if !taken {
        *default = Some(Arc::downgrade(shared));
    }
}

/// This thread belongs to the runtime in `here` for ever.
pub(super) fn bind_thread(here: Here) {
    THREAD.set(Some(here));
}

/// Runs a handler, so that it is known whose handler it is.
pub(crate) async fn as_actor<F: Future>(id: ActorId, handler: F) -> F::Output {
    ACTOR.scope(id, handler).await
}

/// Keeps a runtime current on this thread. Made by [`Runtime::enter`].
pub struct Entered {
    // Belongs to this thread's stack.
    _not_send: PhantomData<*const ()>,
}

impl Entered {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        ENTERED.with_borrow_mut(|stack| stack.push(Arc::downgrade(shared)));
        Self { _not_send: PhantomData }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        ENTERED.with_borrow_mut(|stack| _ = stack.pop());
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entered")
    }
}
