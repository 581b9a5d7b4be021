//! How the system actors are, in this process and in those below it: the one question for which actors are sent a message. It is
//! answered by the adapter of each, and bounded in time.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use raytree_supervise::{Passage, Probe, clock, ping_all};
use raytree_types::inspect::{
    ActorCheck, Answer, Checkup, Missing, ProcessCheck, Refused, Request,
};
use raytree_types::limits;

use crate::whole::{ask_all, seams};
use crate::{Inspected, process};

/// Pings those of this process while those below are asked.
pub(crate) fn of(inspected: &Weak<dyn Inspected>, within: Duration) -> Checkup {
    let heard_at = clock::unix_time();
    let Some(held) = inspected.upgrade() else { return Checkup::default() };
    let (root, role, threads) = (held.root(), held.door().role(), held.abandoned());
    drop(held);
    let seams = seams(&root, None);
    let probes = system(&root);
    let (below, lags) = thread::scope(|scope| {
        let below = scope.spawn(|| ask_all(&seams, |passage| Ok(ask(passage, within))));
        // As far as the asker's patience goes: what is left of it is for the way back.
        let lags = ping_all(&probes, within.min(limits::PING_WITHIN));
        (below.join().unwrap_or_default(), lags)
    });
    let actors = probes.iter().zip(lags);
    let own = ProcessCheck {
        path: root.path(),
        pid: std::process::id(),
        role,
        program: process::program(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        heard_at,
        answered_at: clock::unix_time(),
        ahead: None,
        abandoned: threads.map(|(count, _)| count),
        abandoned_max: threads.map(|(_, max)| max),
        actors: actors.map(|(probe, lag)| ActorCheck { path: probe.path(), lag }).collect(),
    };
    let mut all = Checkup { processes: vec![own], missing: Vec::new() };
    for (seam, answer) in seams.iter().zip(below) {
        let path = seam.mirror.path();
        match answer {
            Ok(Said::Found(checkup)) => all.join(checkup, &path),
            Ok(Said::Shut) => {}
            Ok(Said::Nothing(why)) => all.missing.push(Missing { path, why }),
            Err(why) => all.missing.push(Missing { path, why: why.to_string() }),
        }
    }
    all
}

enum Said {
    Found(Checkup),
    /// It has no door: it has just begun, or is not to be looked at.
    Shut,
    Nothing(String),
}

fn ask(passage: &dyn Passage, within: Duration) -> Said {
    let sent_at = clock::unix_time();
    match passage.asks(&Request::Checkup, within) {
        Ok(Answer::Checkup(mut checkup)) => {
            checkup.compare_clocks(sent_at, clock::unix_time());
            Said::Found(checkup)
        }
        Ok(Answer::Refused(Refused::BadRequest { .. })) => {
            Said::Nothing("it is of a version that cannot be examined".to_owned())
        }
        Ok(Answer::Refused(why)) => Said::Nothing(why.to_string()),
        Ok(_) => Said::Nothing("the answer makes no sense".to_owned()),
        Err(why) if why.is_shut => Said::Shut,
        Err(why) => Said::Nothing(why.to_string()),
    }
}

/// All but the actors of users, in the order of the tree.
fn system(root: &Arc<Probe>) -> Vec<Arc<Probe>> {
    let (mut found, mut open) = (Vec::new(), vec![Arc::clone(root)]);
    while let Some(probe) = open.pop() {
        open.extend(probe.children().into_iter().rev());
        if probe.actor().is_none() && !probe.is_borrowed() {
            found.push(probe);
        }
    }
    found
}
