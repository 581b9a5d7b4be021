//! The links of this driver with the processes of residents: one with each, which all its stand-ins share, and which stays for
//! as long as that process lives: what it was given may be asked of this one at any time.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use raytree_process::cluster::{Greeting, Worker};
use raytree_types::{Cause, limits};
use raytree_wire::{Plane, Stream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::Driver;
use super::residents::Home;
use crate::link::Link;
use crate::runtime::Shared;

/// See the [module documentation](self).
#[derive(Default)]
pub(super) struct Lines(Mutex<HashMap<Worker, Arc<Slot>>>);

/// Who dials holds it, so that nobody else does.
type Slot = tokio::sync::Mutex<Option<Line>>;

/// A link with the process of one life.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) link: Arc<Link>,
    /// True once it says nothing more.
    cut: watch::Receiver<bool>,
}

impl Line {
    pub(crate) fn is_cut(&self) -> bool {
        // Without the one who would say so it is over as well.
        *self.cut.borrow() || self.cut.has_changed().is_err()
    }

    /// Waits until it says nothing more.
    pub(crate) fn cut(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut cut = self.cut.clone();
        async move { _ = cut.wait_for(|cut| *cut).await.map(drop) }
    }

    /// Nobody is to listen to that process any more, once what it has answered by now has come.
    pub(crate) fn end_soon(&self, cause: Cause) {
        let Some(runtime) = self.link.life.runtime() else { return };
        let (link, mut cut) = (Arc::clone(&self.link), self.cut.clone());
        runtime.user.spawn(async move {
            // Without an error it has ended by itself.
            if timeout(limits::BEAT_EVERY, cut.wait_for(|cut| *cut)).await.is_err() {
                // Values are dropped there, which is the user's code.
                _ = tokio::task::spawn_blocking(move || link.end(&cause)).await;
            }
        });
    }
}

impl Lines {
    /// Takes a slot out, if it is still the one of that worker.
    fn forget(&self, worker: &Worker, slot: &Arc<Slot>) {
        let mut slots = self.0.lock();
        if slots.get(worker).is_some_and(|own| Arc::ptr_eq(own, slot)) {
            slots.remove(worker);
        }
    }
}

impl Driver {
    /// The runtime ends. Blocks: values are dropped, which is the user's code.
    pub(crate) fn end_lines(&self, cause: &Cause) {
        let slots = std::mem::take(&mut *self.lines.0.lock());
        // One that is being dialed now ends with its runtime.
        let lines = slots.into_values().filter_map(|slot| slot.try_lock().ok()?.take());
        lines.for_each(|line| line.link.end(cause));
    }

    /// The link with a life of a resident: the one there is, or a new one.
    ///
    /// # Errors
    /// A sentence: it cannot be dialed.
    pub(crate) async fn line(
        self: &Arc<Self>,
        home: &Home,
        runtime: &Arc<Shared>,
    ) -> Result<Line, String> {
        let slot = Arc::clone(self.lines.0.lock().entry(home.worker.clone()).or_default());
        let own_slot = Arc::clone(&slot);
        let mut slot = slot.lock().await;
        if let Some(line) = slot.as_ref().filter(|line| !line.is_cut()) {
            return Ok(line.clone());
        }
        let (own, to) = (Arc::clone(self), home.clone());
        let dialed = tokio::task::spawn_blocking(move || {
            let greeting = Greeting::Calls { worker: to.worker };
            own.connect(Plane::Calls, to.address, &greeting)
        });
        let dialed = dialed.await.unwrap_or_else(|error| Err(error.to_string()));
        let line =
            dialed.and_then(|stream| self.start_line((&home.worker, &own_slot), stream, runtime));
        match line {
            Ok(line) => Ok(slot.insert(line).clone()),
            Err(why) => {
                self.lines.forget(&home.worker, &own_slot);
                Err(why)
            }
        }
    }

    fn start_line(
        self: &Arc<Self>,
        (worker, slot): (&Worker, &Arc<Slot>),
        stream: Stream,
        runtime: &Arc<Shared>,
    ) -> Result<Line, String> {
        let own: Arc<Mutex<Weak<Link>>> = Arc::default();
        let (say, cut) = watch::channel(false);
        let (ends, user, driver) = (Arc::clone(&own), runtime.user.clone(), Arc::downgrade(self));
        let (who, slot) = (worker.clone(), Arc::downgrade(slot));
        let hung_up = move |cause: Cause| {
            if let Some((driver, slot)) = driver.upgrade().zip(slot.upgrade()) {
                driver.lines.forget(&who, &slot);
            }
            // Nobody waits for it when all stand-ins have ended.
            _ = say.send(true);
            let link = ends.lock().upgrade();
            // Values are dropped there, which is the user's code.
            _ = user.spawn_blocking(move || link.inspect(|link| link.end(&cause)));
        };
        // Whoever hangs up at once finds the link there.
        let mut known = own.lock();
        let link = Link::start(&worker.to_string(), stream, runtime, hung_up);
        let link = link.map_err(|error| error.to_string())?;
        *known = Arc::downgrade(&link);
        Ok(Line { link, cut })
    }
}
