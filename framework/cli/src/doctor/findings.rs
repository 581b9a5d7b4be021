//! What is a finding, how bad it is, and what to do about it. Pure: the same facts give the same findings.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use raytree_types::inspect::{
    ActorCheck, ActorState, Ahead, Checkup, ClusterStatus, Lag, Missing, NodePhase, NodeStatus,
    ProcessCheck, Role,
};
use raytree_types::limits;
use serde::Serialize;

use crate::time::ago;

/// How it is; the worst last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Grade {
    /// All is well.
    #[default]
    Pass,
    /// It works, and somebody should look at it.
    Slow,
    /// It does not work.
    Fail,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Slow => "slow",
            Self::Fail => "fail",
        })
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// How bad it is.
    pub(super) grade: Grade,
    /// Who or what: an actor's path, a process, a node, a file.
    pub(super) about: String,
    /// What is wrong, in one sentence.
    pub(super) what: String,
    /// What to do about it.
    pub(super) advice: &'static str,
}

/// A folder or a file that is to be its user's alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// What it is for.
    pub(super) what: &'static str,
    /// Where.
    pub(super) path: String,
    /// Whose it is.
    pub(super) owner: u32,
    /// Its permissions.
    pub(super) mode: u32,
}

/// All that findings are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// What processes have said of themselves.
    pub(super) checkups: &'a [Checkup],
    /// What heads have said of their clusters, or why they have not.
    pub(super) clusters: &'a [Result<ClusterStatus, String>],
    /// Why somebody could not be asked, one sentence each.
    pub(super) silent: &'a [String],
    /// How many sockets of processes that are gone there were.
    pub(super) leftovers: u64,
    /// What is to be this user's alone.
    pub(super) places: &'a [Place],
    /// The number of this user.
    pub(super) user: u32,
    /// The version of this command.
    pub(super) version: &'a str,
}

/// What is wrong, the worst first; else nothing.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for why in facts.silent {
        let advice = "see whether it is stopped, or ends: `raytree tree` tries again";
        found.push(finding(Grade::Fail, "a process", why.clone(), advice));
    }
    for checkup in facts.checkups {
        found.extend(checkup.missing.iter().map(missing));
        for process in &checkup.processes {
            found.extend(process.actors.iter().filter_map(actor));
            found.extend(clock(process));
            found.extend(threads(process));
        }
    }
    found.extend(versions(facts));
    for cluster in facts.clusters {
        match cluster {
            Ok(status) => found.extend(nodes(status)),
            Err(why) => {
                let advice = "see the log of the head: `raytree status` asks it again";
                found.push(finding(Grade::Fail, "the head", why.clone(), advice));
            }
        }
    }
    found.extend(facts.places.iter().filter_map(|place| open(place, facts.user)));
    if facts.leftovers > 0 {
        let what = format!("{} were left by processes that are gone", facts.leftovers);
        let advice = "nothing: they are removed; `raytree events` tells of what has failed since";
        found.push(finding(Grade::Pass, "sockets", what, advice));
    }
    // Those of one grade stay in their order.
    found.sort_by_key(|one| std::cmp::Reverse(one.grade));
    found
}

fn finding(grade: Grade, about: &str, what: String, advice: &'static str) -> Finding {
    Finding { grade, about: about.to_owned(), what, advice }
}

/// How a mailbox is, and how far it is behind, where that is known.
pub(super) fn graded(lag: &Lag) -> (Grade, Option<Duration>) {
    match lag {
        Lag::Answered(lag) if *lag > limits::PING_SLOW => (Grade::Slow, Some(*lag)),
        Lag::Answered(lag) => (Grade::Pass, Some(*lag)),
        Lag::Silent { .. } => (Grade::Fail, None),
        // It ends, or has ended, in order.
        Lag::NotUp(ActorState::Stopping | ActorState::Stopped) => (Grade::Pass, None),
        Lag::NotUp(ActorState::Failed) => (Grade::Fail, None),
        Lag::NotUp(_) => (Grade::Slow, None),
    }
}

fn actor(check: &ActorCheck) -> Option<Finding> {
    let (grade, _) = graded(&check.lag);
    let (what, advice) = match &check.lag {
        _ if grade == Grade::Pass => return None,
        Lag::Answered(lag) => (
            format!("its mailbox is {} behind", ago(*lag)),
            "see whether its machine has CPUs left, and what it handles: `raytree actor PATH`",
        ),
        Lag::Silent { waited, current, busy_for } => {
            let handles = match (current, busy_for) {
                (Some(current), Some(time)) => format!(", it handles {current} for {}", ago(*time)),
                _ => String::new(),
            };
            (
                format!("it has not answered for {}{handles}", ago(*waited)),
                "it is stuck: `raytree restart PATH` says what a new life would lose; please report it",
            )
        }
        Lag::NotUp(ActorState::Failed) => (
            "it has failed for good".to_owned(),
            "`raytree why PATH` tells the cause; its process has to be started again",
        ),
        Lag::NotUp(state) => (
            format!("it is {state}, and no life of it is up"),
            "wait a moment and ask again: if it stays so, `raytree why PATH` tells the cause",
        ),
    };
    Some(finding(grade, &check.path, what, advice))
}

fn missing(missing: &Missing) -> Finding {
    let what = format!("its process cannot be examined: {}", missing.why);
    let advice =
        "it may be frozen, or be ending: `raytree tree --failed` shows what is known of it";
    finding(Grade::Fail, &missing.path, what, advice)
}

/// Only what is surely so: question and answer may have taken long, and not the same time.
fn clock(process: &ProcessCheck) -> Option<Finding> {
    // Workers and drivers are beside the one that was compared.
    let Ahead { millis, unsure } = match process.role {
        Role::Head | Role::Node { .. } => process.ahead?,
        Role::Program | Role::Part { .. } => return None,
    };
    let apart = Duration::from_millis(millis.unsigned_abs());
    if apart.saturating_sub(unsure) <= limits::CLOCKS_APART_MAX {
        return None;
    }
    let way = if millis < 0 { "behind" } else { "ahead of" };
    let what = format!("its clock is {} {way} that of whoever asked", ago(apart));
    let advice =
        "set the clocks of all machines by NTP: events are shown in the order of their times";
    Some(finding(Grade::Slow, &process.path, what, advice))
}

/// From half of what is too much on.
fn threads(process: &ProcessCheck) -> Option<Finding> {
    let (count, max) = process.abandoned.zip(process.abandoned_max)?;
    if count == 0 || count < max.div_ceil(2) {
        return None;
    }
    let threads = if count == 1 { "thread" } else { "threads" };
    let what = format!("it has {count} abandoned {threads}, and more than {max} are too many");
    let advice =
        "let such code ask `ctx.check_cancelled()`, or give it a process with `isolated()`";
    Some(finding(Grade::Slow, &process.path, what, advice))
}

fn versions(facts: &Facts<'_>) -> Vec<Finding> {
    let processes = facts.checkups.iter().flat_map(|checkup| &checkup.processes);
    let own = processes.map(|process| (process.version.as_str(), process.path.as_str()));
    let nodes = facts.clusters.iter().flatten().flat_map(|status| &status.nodes);
    let nodes = nodes.filter(|node| !node.version.is_empty());
    let nodes = nodes.map(|node| (node.version.as_str(), node.name.as_str()));
    let others = own.chain(nodes).filter(|(version, _)| *version != facts.version);
    // One sentence for each version, however many have it.
    let mut said = BTreeSet::new();
    let others = others.filter(|(version, _)| said.insert(version.to_owned()));
    let say = |(version, who): (&str, &str)| {
        let what = format!("it is of version {version}, and this `raytree` of {}", facts.version);
        let advice = "install the same version everywhere, and build programs with it";
        finding(Grade::Slow, who, what, advice)
    };
    others.map(say).collect()
}

fn nodes(status: &ClusterStatus) -> Vec<Finding> {
    let mut found: Vec<_> = status.nodes.iter().filter_map(node).collect();
    if status.nodes.is_empty() {
        let what = "it has no node, so nothing can run".to_owned();
        let advice = "start one: raytree start --join HOST:PORT";
        found.push(finding(
            Grade::Slow,
            &format!("the cluster of {}", status.address),
            what,
            advice,
        ));
    }
    found
}

fn node(node: &NodeStatus) -> Option<Finding> {
    let (grade, what, advice) = match node.phase {
        NodePhase::Up => return None,
        NodePhase::Starting => {
            (Grade::Slow, "it has not beaten yet", "wait a moment: if it stays so, see its log")
        }
        NodePhase::Degraded => {
            (Grade::Slow, "it beats and gets nothing done", "see what its machine is busy with")
        }
        NodePhase::Suspect => (
            Grade::Fail,
            "it is silent, and gets no new work",
            "see whether its machine runs and can be reached; soon it counts as dead",
        ),
        NodePhase::Stopping => (
            Grade::Slow,
            "it is leaving, and gets no new work",
            "nothing, if it was told to: else `raytree events` tells why",
        ),
        NodePhase::Fenced => (
            Grade::Fail,
            "it counts as dead, and may still run",
            "see whether its machine runs: it ends by itself once it knows",
        ),
    };
    Some(finding(grade, &format!("node {}", node.name), what.to_owned(), advice))
}

/// Others may enter or read it, or it is somebody else's.
fn open(place: &Place, user: u32) -> Option<Finding> {
    let Place { what, path, owner, mode } = place;
    let (wrong, advice) = if *owner != user {
        (format!("{what} belongs to user {owner}"), "have it made by the user who runs raytree")
    } else if mode & 0o077 != 0 {
        (
            format!("others may use {what}: its mode is {mode:o}"),
            "take it from them: chmod go= PATH",
        )
    } else {
        return None;
    };
    Some(finding(Grade::Fail, path, wrong, advice))
}
