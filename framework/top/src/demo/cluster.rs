//! The rows of the cluster, second by second.

use std::time::Duration;

use raytree_types::exit::Cause;
use raytree_types::inspect::{ActorState, Event, EventKind, ProcessRow, Role, TreeRow};

use super::{Chance, Ids, event};
use crate::source::{Nodes, Store, Summary, Tasks, Usage};

/// What a row is at the beginning: its depth, name, type, strategy, messages a second, and how busy that makes it.
type Line = (u32, &'static str, &'static str, &'static str, u64, u64);

/// The cluster. User actors have a `#` in their name; those of `SCORES` and `FORKS` have a story.
const LINES: [Line; 40] = [
    (0, "raytree", "raytree_daemon::Head", "one-for-one", 0, 0),
    (1, "sessions", "ractor_cluster::Sessions", "", 30, 1),
    (1, "gcs", "raytree_daemon::Gcs", "one-for-one", 0, 0),
    (2, "membership", "raytree_daemon::Membership", "", 30, 2),
    (2, "neighbours", "raytree_daemon::Neighbours", "", 6, 1),
    (2, "actor_directory", "raytree_system::ActorDirectory", "", 118, 9),
    (1, "door", "raytree_daemon::Door", "", 1, 0),
    (1, "drivers", "raytree_daemon::Drivers", "one-for-one", 0, 0),
    (2, "ppo_cartpole", "raytree_daemon::Driver", "", 12, 1),
    (1, "inspector", "raytree_inspector::Inspector", "", 1, 1),
    (1, "node_pool", "raytree_daemon::NodePool", "one-for-one", 0, 0),
    (2, "node-1", "raytree_daemon::Node", "one-for-one", 10, 1),
    (3, "local_scheduler", "raytree_system::LocalScheduler", "", 804, 12),
    (3, "workers", "raytree_daemon::Workers", "one-for-one", 0, 0),
    (4, "job-1", "raytree_system::Worker", "one-for-one", 0, 0),
    (5, "actor_host", "raytree_system::ActorHost", "one-for-one", 44, 3),
    (6, "algorithm#1", "raytree_rllib::ppo::Algorithm", "", 9, 6),
    (6, "learner#2", "raytree_rllib::ppo::Learner", "", 64, 91),
    (6, "evaluator#3", "raytree_rllib::ppo::Evaluator", "", 4, 22),
    (2, "node-2", "raytree_daemon::Node", "one-for-one", 10, 1),
    (3, "local_scheduler", "raytree_system::LocalScheduler", "", 610, 10),
    (3, "workers", "raytree_daemon::Workers", "one-for-one", 0, 0),
    (4, "job-1", "raytree_system::Worker", "one-for-one", 0, 0),
    (5, "actor_host", "raytree_system::ActorHost", "one-for-one", 31, 2),
    (6, "env_runner#4", "raytree_rllib::ppo::EnvRunner", "", 310, 72),
    (6, "env_runner#5", "raytree_rllib::ppo::EnvRunner", "", 305, 70),
    (6, "env_runner#6", "raytree_rllib::ppo::EnvRunner", "", 321, 74),
    (6, "env_runner#7", "raytree_rllib::ppo::EnvRunner", "", 298, 69),
    (2, "node-3", "raytree_daemon::Node", "one-for-one", 10, 1),
    (3, "local_scheduler", "raytree_system::LocalScheduler", "", 95, 2),
    (3, "workers", "raytree_daemon::Workers", "one-for-one", 0, 0),
    (4, "job-1", "raytree_system::Worker", "one-for-one", 0, 0),
    (5, "actor_host", "raytree_system::ActorHost", "one-for-one", 18, 1),
    (6, "scores#8", "ppo_cartpole::Scores", "", 240, 31),
    (6, "shard#9", "ppo_cartpole::Shard", "", 120, 18),
    (6, "left_fork#a", "ppo_cartpole::Fork", "", 0, 0),
    (6, "right_fork#b", "ppo_cartpole::Fork", "", 0, 0),
    (6, "report#c", "ppo_cartpole::Report", "", 2, 1),
    (6, "journal#d", "ppo_cartpole::Journal", "", 55, 12),
    (1, "own_node", "raytree_daemon::OwnNode", "", 0, 0),
];

/// The actor that panics now and then.
const SCORES: &str = "scores#8";
const SCORES_PATH: &str = "node_pool/node-3/workers/job-1/actor_host/scores#8";

/// Those that wait for each other.
const FORKS: [&str; 2] = ["left_fork#a", "right_fork#b"];

/// The one that comes and goes.
const REPORT: &str = "report#c";

/// Seconds between two panics of `SCORES`, and for how many of them it is down.
const PANIC_EVERY: u64 = 20;
const DOWN_FOR: u64 = 4;

#[derive(Debug)]
pub(super) struct Cluster {
    rows: Vec<TreeRow>,
    chance: Chance,
    ids: Ids,
    second: u64,
    events: u64,
    killed: Vec<(String, u64)>,
}

impl Cluster {
    pub(super) fn new(seed: u64) -> Self {
        let mut ids = Ids::new();
        let rows = LINES.iter().map(|line| first(line, &mut ids)).collect();
        Self { rows, chance: Chance(seed), ids, second: 0, events: 0, killed: Vec::new() }
    }

    pub(super) fn rows(&self) -> &[TreeRow] {
        &self.rows
    }

    /// Ends an actor; its supervisor starts it again after five seconds.
    pub(super) fn kill(&mut self, name: &str) {
        self.killed.push((name.to_owned(), self.second + 5));
    }

    /// What a second brings, and what the log says of it.
    pub(super) fn second(&mut self, at: Duration) -> Vec<Event> {
        self.second += 1;
        self.come_and_go();
        for row in &mut self.rows {
            let line = LINES.iter().find(|line| line.1 == row.name && line.0 == row.depth);
            let (messages, busy) = line.map_or((1, 1), |line| (line.4, line.5));
            work(row, messages, busy, &mut self.chance);
        }
        for (fork, waits) in FORKS.into_iter().zip(0..) {
            self.wait_on(fork, waits);
        }
        self.end_killed();
        self.panic_now_and_then(at)
    }

    fn row(&mut self, name: &str) -> Option<&mut TreeRow> {
        self.rows.iter_mut().find(|row| row.name == name)
    }

    /// One actor is there for half of the time.
    fn come_and_go(&mut self) {
        let is_there = self.row(REPORT).is_some();
        let is_to_be = self.second % 30 < 15;
        if is_there && !is_to_be {
            self.rows.retain(|row| row.name != REPORT);
        }
        if let (false, true, Some(line)) =
            (is_there, is_to_be, LINES.iter().find(|line| line.1 == REPORT))
        {
            let at = self.rows.iter().position(|row| row.name == FORKS[1]);
            self.rows.insert(at.map_or(0, |at| at + 1), first(line, &mut self.ids));
        }
    }

    fn wait_on(&mut self, fork: &str, later: u64) {
        let since = Duration::from_secs(self.second + 100 - later);
        let fills = (self.second / 2 + 20 * later).min(230);
        if let Some(row) = self.row(fork) {
            row.busy_for = Some(since);
            row.current = Some("take".to_owned());
            row.queued = 12 + fills;
        }
    }

    fn end_killed(&mut self) {
        let second = self.second;
        for (name, until) in std::mem::take(&mut self.killed) {
            let left = until > second;
            if let Some(row) = self.row(&name) {
                row.state = if left { ActorState::Restarting } else { ActorState::Running };
                row.restarts += u32::from(!left);
                row.last_cause = Some("killed: by the operator".to_owned());
                (row.busy_for, row.current) = (None, None);
            }
            if left {
                self.killed.push((name, until));
            }
        }
    }

    fn panic_now_and_then(&mut self, at: Duration) -> Vec<Event> {
        let phase = self.second % PANIC_EVERY;
        let cause = Cause {
            place: Some("scores.rs:41:9".to_owned()),
            during: Some("add".to_owned()),
            ..Cause::message("index out of bounds: the len is 3 but the index is 7")
        };
        let Some(row) = self.row(SCORES) else { return Vec::new() };
        let kinds: &[EventKind] = match phase {
            5 => {
                row.state = ActorState::Restarting;
                row.queued = 37;
                row.last_cause = Some(format!("panicked: {cause}"));
                &[EventKind::Failed, EventKind::Restart]
            }
            of if (6..5 + DOWN_FOR).contains(&of) => {
                row.queued += 40;
                return Vec::new();
            }
            9 if row.state == ActorState::Restarting => {
                (row.state, row.queued) = (ActorState::Running, 0);
                row.restarts += 1;
                &[EventKind::Up]
            }
            _ => return Vec::new(),
        };
        let restarts = row.restarts;
        let mut events = Vec::new();
        for kind in kinds {
            self.events += 1;
            let what = match kind {
                EventKind::Failed => format!("panicked: {cause}"),
                EventKind::Restart => format!("restart {} of 5 in 30 s follows", restarts + 1),
                _ => format!("lives again, life {}", restarts + 1),
            };
            let cause = (*kind == EventKind::Failed).then(|| cause.clone());
            let at = at + Duration::from_millis(113 + self.events);
            events.push(Event { what, cause, ..event(self.events, at, SCORES_PATH, *kind) });
        }
        events
    }

    pub(super) fn summary(&self) -> Summary {
        let usage = |name: &str, used, total| Usage { name: name.to_owned(), used, total };
        let moved = (self.second * 7 % 40) as f64;
        Summary {
            address: Some("head 10.0.0.1:6379".to_owned()),
            nodes: Some(Nodes { up: 3, total: 3 }),
            resources: vec![usage("CPU", 41.0 + moved, 96.0), usage("GPU", 3.0, 4.0)],
            tasks: Some(Tasks { running: 1204 + self.second % 60, queued: 88 }),
            store: Some(Store { used: (18 << 30) + (self.second << 22), total: 64 << 30 }),
        }
    }
}

fn first(line: &Line, ids: &mut Ids) -> TreeRow {
    let (depth, name, type_name, strategy, messages, _) = *line;
    TreeRow {
        type_name: type_name.to_owned(),
        strategy: (!strategy.is_empty()).then(|| strategy.to_owned()),
        id: name.contains('#').then(|| ids.of(name)),
        queue_limit: 256,
        handled: messages * 8040,
        process: process(depth, name).map(Box::new),
        ..TreeRow::named(depth, name)
    }
}

fn process(depth: u32, name: &str) -> Option<ProcessRow> {
    let (pid, role, program, memory) = match (depth, name) {
        (0, _) => (4100, Role::Head, "raytree", 41 << 20),
        (2, "node-1") => (4201, Role::Node { name: name.to_owned() }, "raytree", 38 << 20),
        (2, "node-2") => (4202, Role::Node { name: name.to_owned() }, "raytree", 37 << 20),
        (2, "node-3") => (4203, Role::Node { name: name.to_owned() }, "raytree", 39 << 20),
        (4, _) => (5100, Role::Part { name: name.to_owned() }, "ppo_cartpole", 1_288_490_188),
        _ => return None,
    };
    Some(ProcessRow {
        pid,
        role,
        program: program.to_owned(),
        uptime: Duration::from_secs(8040),
        cpu: Duration::from_secs(100),
        memory,
        threads: if depth == 4 { 24 } else { 6 },
        store: None,
        stale: None,
    })
}

/// What an actor does in a second.
fn work(row: &mut TreeRow, messages: u64, busy: u64, chance: &mut Chance) {
    if row.state != ActorState::Running {
        return;
    }
    let vary = |chance: &mut Chance, number: u64| number * chance.between(90, 111) / 100;
    row.handled += vary(chance, messages);
    row.busy += Duration::from_millis(vary(chance, busy * 10));
    row.queued = if busy >= 60 { chance.between(4, 14) } else { chance.between(0, 3) };
    if messages == 0 {
        row.queued = 0;
    }
    if let Some(process) = &mut row.process {
        let busy = if row.depth == 4 { 2400 } else { 20 };
        process.cpu += Duration::from_millis(vary(chance, busy));
        process.memory += chance.between(0, 1 << 14);
        process.uptime += Duration::from_secs(1);
    }
}
