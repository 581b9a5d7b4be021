//! How the head of a cluster looks at a program that uses it: the program dials once more, and shows itself over that connection.

use std::sync::{Arc, Weak};
use std::thread;

use raytree_inspector::{Inspected, StreamLine, answer_over};
use raytree_process::cluster::{Greeting, MESSAGE_BYTES_MAX};
use raytree_types::inspect::{ClusterStatus, Versioned};
use raytree_types::limits;
use raytree_wire::{Plane, read_frame};

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

    /// A connection over which the whole cluster can be looked at.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn looks(&self) -> Result<StreamLine, String> {
        Ok(StreamLine::new(self.connect(Plane::Control, self.address, &Greeting::Inspect)?))
    }

    /// How the cluster is.
    ///
    /// # Errors
    /// Why that is not known.
    pub(crate) fn status(&self) -> Result<ClusterStatus, String> {
        let stream = self.connect(Plane::Control, self.address, &Greeting::Status)?;
        let silent = |error: &dyn std::fmt::Display| format!("it did not answer: {error}");
        stream.give_up_after(limits::HEAD_ANSWERS_WITHIN).map_err(|error| silent(&error))?;
        let (mut reads, _writes) = stream.split();
        let answer = read_frame(&mut reads, MESSAGE_BYTES_MAX).map_err(|error| silent(&error))?;
        let answer = answer.ok_or_else(|| "it hung up".to_owned())?;
        let nonsense = |error: serde_json::Error| format!("its answer makes no sense: {error}");
        let Versioned { version } = serde_json::from_slice(&answer).map_err(nonsense)?;
        if version != ClusterStatus::VERSION {
            let own = ClusterStatus::VERSION;
            return Err(format!("it speaks version {version} of the status, this program {own}"));
        }
        serde_json::from_slice(&answer).map_err(nonsense)
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
