//! Which runtime is meant when nobody says: the one whose thread this is, the one entered, the process default.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use raytree_types::{Error, Result};

use super::life::Life;
use super::{Runtime, Shared};

pub(crate) type Here = Arc<OnceLock<Weak<Shared>>>;

thread_local! {
    static THREAD: RefCell<Option<Here>> = const { RefCell::new(None) };
    /// The thread belongs to a runtime and may block.
    static COMPUTES: Cell<bool> = const { Cell::new(false) };
    static ENTERED: RefCell<Vec<(u64, Weak<Shared>)>> = const { RefCell::new(Vec::new()) };
}

static DEFAULT: Mutex<Option<Weak<Shared>>> = Mutex::new(None);

/// The current runtime.
///
/// # Errors
/// [`Error::NoRuntime`] when there is none; [`Error::RuntimeGone`] where the one that is meant has ended: on a thread of
/// its own, and where it was entered.
pub fn current() -> Result<Runtime> {
    shared().map(Runtime::of)
}

fn shared() -> Result<Arc<Shared>> {
    let own = THREAD.with_borrow(|here| Some(here.as_ref()?.get()?.upgrade()));
    if let Some(own) = own {
        // Never somebody else's: an actor must not outlive its own runtime in another one.
        return living(own);
    }
    let entered = ENTERED.with_borrow(|stack| stack.last().map(|(_, entered)| entered.upgrade()));
    if let Some(entered) = entered {
        return living(entered);
    }
    let default = DEFAULT.lock().as_ref().and_then(Weak::upgrade);
    default.filter(|shared| !shared.is_closing()).ok_or(Error::NoRuntime)
}

fn living(shared: Option<Arc<Shared>>) -> Result<Arc<Shared>> {
    match shared {
        Some(shared) if !shared.is_closing() => Ok(shared),
        Some(shared) => Err(shared.gone()),
        None => Err(Error::RuntimeGone { reason: "it was dropped".to_owned() }),
    }
}

/// The runtime that this thread belongs to.
pub(crate) fn of_thread() -> Option<Arc<Shared>> {
    THREAD.with_borrow(|here| here.as_ref()?.get()?.upgrade())
}

/// True on a thread that runs this runtime's user code.
pub(super) fn is_own_thread(shared: &Arc<Shared>) -> bool {
    let own = THREAD.with_borrow(|here| here.as_ref().and_then(|here| here.get().cloned()));
    own.is_some_and(|own| Weak::ptr_eq(&own, &Arc::downgrade(shared)))
}

/// Makes `shared` the process default unless another one is alive.
pub(super) fn offer_default(shared: &Arc<Shared>) {
    let mut default = DEFAULT.lock();
    let old = default.as_ref().and_then(Weak::upgrade);
    if old.as_ref().is_none_or(|old| old.is_closing()) {
        *default = Some(Arc::downgrade(shared));
    }
    // It may be the last one: its end is nothing to hold a lock over.
    drop(default);
    drop(old);
}

/// This thread belongs to the runtime in `here` for ever; whether as one for synchronous code.
pub(crate) fn bind_thread(here: Here, computes: bool) {
    THREAD.set(Some(here));
    COMPUTES.set(computes);
}

/// The current runtime; where there is none, the process default, started now.
///
/// # Errors
/// As [`current`] and [`Init::start`](crate::Init::start).
pub(crate) fn current_or_start() -> Result<Runtime> {
    match current() {
        Err(Error::NoRuntime) => start_default(),
        other => other,
    }
}

/// The life of the current runtime; where there is none, of the process default, started now. Without a use of the
/// runtime: a `put` needs none.
///
/// # Errors
/// As [`current_or_start`].
pub(crate) fn life_or_start() -> Result<&'static Life> {
    match shared() {
        Ok(shared) => Ok(shared.life),
        Err(Error::NoRuntime) => start_default().map(|runtime| runtime.shared().life),
        Err(other) => Err(other),
    }
}

/// The default that nobody started lives as long as the process.
fn start_default() -> Result<Runtime> {
    static STARTED: Mutex<Option<Runtime>> = Mutex::new(None);
    let mut started = STARTED.lock();
    // Somebody else may have been quicker.
    match current() {
        Err(Error::NoRuntime) => {
            let runtime = crate::Init::new().start()?;
            *started = Some(runtime.clone());
            Ok(runtime)
        }
        other => other,
    }
}

/// True where blocking would hold up other people's async code.
pub(crate) fn is_async_thread() -> bool {
    let own = THREAD.with_borrow(Option::is_some);
    (own && !COMPUTES.get()) || tokio::runtime::Handle::try_current().is_ok()
}

/// Keeps a runtime current on this thread. Made by [`Runtime::enter`].
pub struct Entered {
    number: u64,
    // Belongs to this thread's stack.
    _not_send: PhantomData<*const ()>,
}

impl Entered {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        ENTERED.with_borrow_mut(|stack| stack.push((number, Arc::downgrade(shared))));
        Self { number, _not_send: PhantomData }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // Guards may be dropped in any order.
        ENTERED.with_borrow_mut(|stack| stack.retain(|(number, _)| *number != self.number));
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entered")
    }
}
