//! What the head has said and nobody has handled yet. It belongs to the driver: an actor that dies over it loses nothing.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use raytree_process::cluster::ToDriver;
use raytree_supervise::clock;
use raytree_types::limits;
use raytree_wire::Said;

/// See the [module documentation](self).
pub(super) struct Inbox {
    said: Mutex<Heard>,
    has_room: Condvar,
}

struct Heard {
    said: VecDeque<Said<ToDriver>>,
    last: Duration,
}

impl Inbox {
    pub(super) fn new() -> Self {
        let heard = Heard { said: VecDeque::new(), last: clock::now() };
        Self { said: Mutex::new(heard), has_room: Condvar::new() }
    }

    /// The head was heard, on the thread that reads: it waits while too much is not handled.
    pub(super) fn takes(&self, said: Said<ToDriver>) {
        let mut heard = self.said.lock();
        heard.last = clock::now();
        if matches!(said, Said::Message(ToDriver::Beat)) {
            return;
        }
        while heard.said.len() >= limits::WIRE_MESSAGES_WAITING_MAX {
            self.has_room.wait(&mut heard);
        }
        heard.said.push_back(said);
    }

    /// The head was heard, with something that is not handled here.
    pub(super) fn is_heard(&self) {
        self.said.lock().last = clock::now();
    }

    /// The oldest, which stays until it [is done](Inbox::is_done).
    pub(super) fn first(&self) -> Option<Said<ToDriver>> {
        self.said.lock().said.front().cloned()
    }

    pub(super) fn is_done(&self) {
        self.said.lock().said.pop_front();
        self.has_room.notify_one();
    }

    /// For how long the head has not been heard.
    pub(super) fn silent(&self) -> Duration {
        clock::now().saturating_sub(self.said.lock().last)
    }
}
