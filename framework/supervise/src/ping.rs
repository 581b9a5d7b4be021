//! Pings: is the mailbox of an actor worked off, and how far is it behind?
//!
//! A ping is a message of the kit's own: it stands in line like any other, and when its turn comes [`Instrumented`] answers, not the
//! actor. So it takes as long as a message waits there, whatever the actor is.
//!
//! Invariants:
//! - **PG-1 (unnoticed):** a ping takes no credit, counts as no message that was handled, and waits for no life that is not up.
//! - **PG-2 (one):** at most one ping waits in a mailbox, however often and by however many it is asked for.
//!
//! [`Instrumented`]: crate::Instrumented

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use raytree_types::inspect::{ActorState, Lag};
use raytree_types::limits;

use crate::clock;
use crate::probe::Probe;

/// A question on its way through a mailbox.
#[derive(Debug)]
pub(crate) struct Ping {
    probe: Arc<Probe>,
    number: usize,
    sent: Duration,
    to: SyncSender<(usize, Duration)>,
}

impl Ping {
    /// Its turn has come.
    pub(crate) fn answer(&self) {
        // Nobody may wait any more.
        _ = self.to.try_send((self.number, clock::now().saturating_sub(self.sent)));
    }
}

impl Drop for Ping {
    fn drop(&mut self) {
        self.probe.body.ping_is_over();
    }
}

/// Pings all of them at once, and waits for their answers, at most so long. Blocks, on a thread that may.
#[must_use]
pub fn ping_all(probes: &[Arc<Probe>], within: Duration) -> Vec<Lag> {
    let by = clock::now() + within;
    // Room for the answers of all.
    let (to, answers) = sync_channel(probes.len());
    let mut lags = vec![None; probes.len()];
    let mut unsent: Vec<usize> = (0..probes.len()).collect();
    let mut to = Some(to);
    loop {
        if let Some(sender) = &to {
            // Of those in whose mailbox somebody else's ping waits, until it is gone.
            unsent.retain(|number| !sent(&probes[*number], *number, sender));
        }
        if unsent.is_empty() {
            // What is left of it lies in mailboxes: when all of those are answered or dropped, nothing more will come.
            to = None;
        }
        let left = by.saturating_sub(clock::now());
        let wait = if unsent.is_empty() { left } else { left.min(limits::PING_AGAIN) };
        match answers.recv_timeout(wait) {
            Ok((number, lag)) => lags[number] = Some(Lag::Answered(lag)),
            Err(RecvTimeoutError::Timeout) if !left.is_zero() => {}
            Err(_) => break,
        }
    }
    let lags = lags.into_iter().zip(probes);
    lags.map(|(lag, probe)| lag.unwrap_or_else(|| unanswered(probe))).collect()
}

/// False when another ping waits there.
fn sent(probe: &Arc<Probe>, number: usize, to: &SyncSender<(usize, Duration)>) -> bool {
    let now = clock::now();
    if !probe.body.may_ping(now) {
        return false;
    }
    let ping = Ping { probe: Arc::clone(probe), number, sent: now, to: to.clone() };
    probe.body.ping(Box::new(ping));
    true
}

fn unanswered(probe: &Arc<Probe>) -> Lag {
    match (probe.body.pinged_at(), probe.state()) {
        (Some(at), ActorState::Running) => {
            let row = probe.row(0);
            let waited = clock::now().saturating_sub(at);
            Lag::Silent { waited, current: row.current, busy_for: row.busy_for }
        }
        // Its life has ended with the ping, and its supervisor has not said so yet.
        (None, ActorState::Running) => Lag::NotUp(ActorState::Restarting),
        (_, state) => Lag::NotUp(state),
    }
}
