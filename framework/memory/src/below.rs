//! What a child says of its own processes.

use std::time::Duration;

use parking_lot::Mutex;
use raytree_engine::memory::{Kind, Process};
use raytree_process::Offer;

use crate::Meter;

/// So long one waits for the word of a child that was told of a shortage. It takes a millisecond; on a machine without memory more.
const SAYS_WITHIN: Duration = Duration::from_secs(2);

/// What one child, of one life, has said since it was told of the shortage.
#[derive(Debug, Default)]
pub struct Below(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// Since when its word is waited for.
    at: Option<Duration>,
    has_said: bool,
    offer: Option<Offer>,
}

impl Below {
    /// It is told of a shortage.
    pub fn tell(&self, now: Duration) {
        self.0.lock().at.get_or_insert(now);
    }

    /// It has said which of its own processes it would end first; the number 0 is none.
    pub fn says(&self, offer: Offer) {
        let mut told = self.0.lock();
        told.has_said = true;
        told.offer = Some(offer).filter(|offer| offer.process != 0);
    }

    /// The shortage is over, or another life begins.
    pub fn forget(&self) {
        *self.0.lock() = Told::default();
    }

    /// Nothing is waited for: whether it has processes of its own is known, or it takes too long. Before, nobody should end the whole.
    #[must_use]
    pub fn has_said(&self, now: Duration) -> bool {
        let told = self.0.lock();
        told.has_said || told.at.is_some_and(|at| now.saturating_sub(at) >= SAYS_WITHIN)
    }

    /// The process that it would end first, measured now. If that is gone it has another word: until then it has not
    /// [said](Self::has_said) anything.
    #[must_use]
    pub fn offer(&self, meter: &dyn Meter, now: Duration) -> Option<Process> {
        let offer = self.0.lock().offer?;
        let Some(own) = meter.process(offer.process) else {
            let mut told = self.0.lock();
            if told.offer == Some(offer) {
                *told = Told { at: Some(now), ..Told::default() };
            }
            return None;
        };
        let Offer { process, is_idle, is_retriable, age, .. } = offer;
        let age = Duration::from_millis(u64::from(age) * 100);
        Some(Process { id: process, kind: Kind::Isolated, is_idle, is_retriable, age, own })
    }

    /// Whether it has offered this one.
    #[must_use]
    pub fn has_offered(&self, process: u32) -> bool {
        self.0.lock().offer.is_some_and(|offer| offer.process == process)
    }
}
