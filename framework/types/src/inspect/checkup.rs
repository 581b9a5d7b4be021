//! How the system actors of processes are, each asked by a message.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ActorState;
use super::event::Missing;
use super::protocol::Role;

/// What was found in a process and in those below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkup {
    /// The one that was asked first, then those below it.
    pub processes: Vec<ProcessCheck>,
    /// Processes that gave no answer, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessCheck {
    /// Where it stands in the tree that was asked: its root there, or the mirror that stands for it.
    pub path: String,
    /// The process.
    pub pid: u32,
    /// What it is to its cluster.
    pub role: Role,
    /// The file name of its program.
    pub program: String,
    /// The raytree version that it was built with.
    pub version: String,
    /// When it heard the question, since 1970, by the clock of its machine.
    pub heard_at: Duration,
    /// When it answered, by the same clock.
    pub answered_at: Duration,
    /// How far its clock is ahead of that of whoever asks; none before anybody has compared them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Ahead>,
    /// How many abandoned threads it has; none where no code of users runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned: Option<u64>,
    /// With more of them than that it is replaced, or warns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned_max: Option<u64>,
    /// Its system actors, in the order of the tree.
    pub actors: Vec<ActorCheck>,
}

/// How far one clock is ahead of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// Milliseconds; less than 0 where it is behind.
    pub millis: i64,
    /// It may be so much more or less: the time that question and answer were on their way.
    pub unsure: Duration,
}

/// One system actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorCheck {
    /// Its path in the tree that was asked.
    pub path: String,
    /// What came of the message to it.
    pub lag: Lag,
}

/// What came of a message that the mailbox itself answers when its turn has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lag {
    /// It was answered after so long: the mailbox is so far behind.
    Answered(Duration),
    /// It was not answered.
    Silent {
        /// For how long it waits already.
        waited: Duration,
        /// The message that is handled meanwhile.
        current: Option<String>,
        /// For how long that is handled.
        busy_for: Option<Duration>,
    },
    /// No life of it is up.
    NotUp(ActorState),
}

impl Checkup {
    /// Compares the clock of whoever was asked with that of whoever asked: it sent the question then, and had the answer then. The
    /// two times that question and answer were on their way are taken to be alike.
    pub fn compare_clocks(&mut self, sent_at: Duration, had_at: Duration) {
        let Some(first) = self.processes.first() else { return };
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let there = millis(first.heard_at) - millis(sent_at);
        let back = millis(had_at) - millis(first.answered_at);
        let on_its_way = (there + back).max(0);
        let offset = Ahead {
            millis: (there - back) / 2,
            unsure: Duration::from_millis(u64::try_from(on_its_way / 2).unwrap_or_default()),
        };
        for process in &mut self.processes {
            let before = process.ahead.unwrap_or_default();
            process.ahead = Some(Ahead {
                millis: before.millis.saturating_add(offset.millis),
                unsure: before.unsure + offset.unsure,
            });
        }
    }

    /// Adds what was found in a process whose mirror is at this path, which takes the place of its root.
    pub fn join(&mut self, other: Self, mirror: &str) {
        let graft = |path: &str| match path.split_once('/') {
            Some((_root, rest)) => format!("{mirror}/{rest}"),
            None => mirror.to_owned(),
        };
        for mut process in other.processes {
            process.path = graft(&process.path);
            process.actors.iter_mut().for_each(|actor| actor.path = graft(&actor.path));
            self.processes.push(process);
        }
        let missing = other.missing.into_iter();
        self.missing.extend(missing.map(|one| one.seen_from(mirror)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(path: &str, heard: u64, answered: u64) -> ProcessCheck {
        ProcessCheck {
            path: path.to_owned(),
            pid: 1,
            role: Role::Program,
            program: "a".to_owned(),
            version: "1".to_owned(),
            heard_at: Duration::from_millis(heard),
            answered_at: Duration::from_millis(answered),
            ahead: None,
            abandoned: None,
            abandoned_max: None,
            actors: vec![ActorCheck {
                path: format!("{path}/gcs"),
                lag: Lag::Answered(Duration::ZERO),
            }],
        }
    }

    #[test]
    fn clocks_are_compared_whatever_the_answer_took() {
        let at = Duration::from_millis;
        // 5 ms there, 2 s of work, 5 ms back; the other clock is 700 ms behind.
        let mut behind = Checkup { processes: vec![process("a", 305, 2305)], ..Checkup::default() };
        behind.compare_clocks(at(1000), at(3010));
        let own = behind.processes[0].ahead;
        assert_eq!(own, Some(Ahead { millis: -700, unsure: at(5) }));
        // Whoever asks that one is itself 1000 ms behind the next.
        let mut whole = Checkup { processes: vec![process("b", 9000, 9500)], ..Checkup::default() };
        whole.join(behind, "b/node_pool/a");
        whole.compare_clocks(at(8000), at(8502));
        let millis: Vec<_> =
            whole.processes.iter().map(|one| one.ahead.map(|a| a.millis)).collect();
        assert_eq!(millis, [Some(999), Some(299)]);
        assert_eq!(whole.processes[1].ahead.map(|ahead| ahead.unsure), Some(at(6)));
        assert_eq!(whole.processes[1].path, "b/node_pool/a");
        assert_eq!(whole.processes[1].actors[0].path, "b/node_pool/a/gcs");
        Checkup::default().compare_clocks(at(1), at(2));
    }
}
