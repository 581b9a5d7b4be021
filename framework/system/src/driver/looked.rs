//! How the head of a cluster looks at a program that uses it: the program dials once more, and shows itself over that connection.

use std::sync::{Arc, Weak};
use std::thread;

use raytree_inspector::{Inspected, answer_over};
use raytree_process::cluster::Greeting;
use raytree_wire::Plane;

use super::Driver;

impl Driver {
    /// Shows this program to the head, on a thread of its own.
    pub(super) fn lets_look(self: &Arc<Self>, ticket: u64) {
        let Ok(place) = Arc::clone(&self.lookers).try_acquire_owned() else {
            tracing::warn!("the head looks at this program through too many connections");
            return;
        };
        let driver = Arc::clone(self);
        let thread = thread::Builder::new().name("raytree-looked-at".to_owned());
        let started = thread.spawn(move || {
            let _place = place;
            driver.shows(ticket);
        });
        if let Err(error) = started {
            tracing::warn!(%error, "no thread for the head that looks at this program");
        }
    }

    fn shows(&self, ticket: u64) {
        let opens = self.runtime.upgrade().is_some_and(|runtime| runtime.door.is_wanted());
        let greeting = Greeting::Window { ticket, opens };
        match self.connect(Plane::Control, self.address, &greeting) {
            Ok(stream) if opens => {
                let shown: Weak<dyn Inspected> = self.runtime.clone();
                answer_over(stream, &shown);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("the head cannot look at this program: {error}"),
        }
    }
}
