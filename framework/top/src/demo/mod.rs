//! A cluster that does not exist: it moves, fails and waits like one, the same way for the same seed.

mod cluster;
mod large;
mod stories;

use std::collections::HashMap;
use std::time::Duration;

use raytree_types::inspect::PolicyDetail;
use raytree_types::inspect::{ActorDetail, ActorState, Event, Story, TreeRow, Waits};
use raytree_types::supervision::{Backoff, Restart, RestartLimit, Shutdown};
use raytree_types::{ActorId, ActorIds, RuntimeId};

use crate::source::{Moment, Source};
use cluster::Cluster;
use large::Large;

/// When the first look is taken, since 1970: a Tuesday at noon.
const NOON: Duration = Duration::from_secs(1_772_539_200);

/// A [`Source`] that needs no cluster. Each look is a second after the one before.
#[derive(Debug)]
pub struct Demo {
    looks: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Cluster(Box<Cluster>),
    Large(Large),
}

impl Demo {
    /// A head, three nodes and their workers, with actors that work, restart, come and go, and two that wait for each other.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { looks: 0, kind: Kind::Cluster(Box::new(Cluster::new(seed))) }
    }

    /// So many actors, of which one in a hundred changes from one look to the next: for measuring.
    #[must_use]
    pub fn large(actors: usize) -> Self {
        Self { looks: 0, kind: Kind::Large(Large::new(actors)) }
    }

    fn now(&self) -> Duration {
        NOON + Duration::from_secs(self.looks)
    }

    fn rows(&self) -> &[TreeRow] {
        match &self.kind {
            Kind::Cluster(cluster) => cluster.rows(),
            Kind::Large(large) => large.rows(),
        }
    }

    /// Where the row at a path is.
    fn find(&self, path: &str) -> Result<usize, String> {
        let mut names: Vec<&str> = Vec::new();
        for (at, row) in self.rows().iter().enumerate() {
            names.truncate(row.depth as usize);
            names.push(&row.name);
            let is_it = match &*names {
                [top] => *top == path,
                [_, below @ ..] => path.split('/').eq(below.iter().copied()),
                [] => false,
            };
            if is_it {
                return Ok(at);
            }
        }
        Err(format!("there is no `{path}` in the tree"))
    }
}

impl Source for Demo {
    fn look(&mut self) -> Result<Moment, String> {
        self.looks += 1;
        let captured_at = self.now();
        let (summary, events) = match &mut self.kind {
            Kind::Cluster(cluster) => {
                let events = cluster.second(captured_at);
                (Some(cluster.summary()), events)
            }
            Kind::Large(large) => {
                large.second();
                (None, Vec::new())
            }
        };
        Ok(Moment {
            captured_at,
            uptime: Duration::from_secs(8040 + self.looks),
            summary,
            rows: self.rows().to_vec(),
            events,
            more: 0,
        })
    }

    fn detail(&mut self, path: &str) -> Result<ActorDetail, String> {
        let at = self.find(path)?;
        let row = self.rows()[at].clone();
        let deeper = |other: &&TreeRow| other.depth > row.depth;
        let children =
            self.rows()[at + 1..].iter().take_while(deeper).filter(|r| r.depth == row.depth + 1);
        let children = children.count() as u64;
        let (ends, recorder) = stories::past(&row, self.now());
        let waits = row.state == ActorState::Restarting;
        Ok(ActorDetail {
            path: path.to_owned(),
            pid: 4100,
            policy: (row.depth > 0).then(|| PolicyDetail {
                restart: Restart::Permanent,
                shutdown: Shutdown::default(),
                backoff: Backoff::default(),
                own_restarts: row.id.map(|_| 5),
            }),
            intensity: row.strategy.is_some().then(RestartLimit::default),
            next_life_in: waits.then_some(Duration::from_millis(800)),
            children,
            ends,
            ends_dropped: 0,
            recorder,
            recorder_dropped: 0,
            row: TreeRow { depth: 0, ..row },
        })
    }

    fn why(&mut self, path: &str) -> Result<Story, String> {
        let row = &self.rows()[self.find(path)?];
        Ok(stories::why(row, path))
    }

    fn waits(&mut self) -> Result<Waits, String> {
        let stories = match &self.kind {
            Kind::Cluster(_) => stories::waits(Duration::from_secs(100 + self.looks)),
            Kind::Large(_) => Vec::new(),
        };
        Ok(Waits { stories, missing: Vec::new() })
    }

    fn logs(&mut self, path: &str, lines: usize) -> Result<Vec<String>, String> {
        let row = &self.rows()[self.find(path)?];
        let first = self.looks.saturating_sub(40);
        let written = (first..=self.looks).map(|look| stories::log(row, look, NOON));
        let written: Vec<String> = written.collect();
        Ok(written[written.len().saturating_sub(lines)..].to_vec())
    }

    fn losses(&mut self, path: &str) -> Result<Vec<String>, String> {
        let row = &self.rows()[self.find(path)?];
        if row.id.is_none() {
            return Err(format!("`{path}` is an actor of the system"));
        }
        Ok(stories::losses(row))
    }

    fn kill(&mut self, path: &str) -> Result<String, String> {
        self.losses(path)?;
        let at = self.find(path)?;
        let name = self.rows()[at].name.clone();
        match &mut self.kind {
            Kind::Cluster(cluster) => cluster.kill(&name),
            Kind::Large(large) => large.kill(at),
        }
        Ok(format!("killed {path}"))
    }
}

/// A little chance: splitmix64.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    /// A number in `from..to`.
    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from).max(1)
    }
}

/// Ids for actors by name, as a runtime gives them.
#[derive(Debug)]
struct Ids {
    ids: ActorIds,
    given: HashMap<String, ActorId>,
}

impl Ids {
    fn new() -> Self {
        Self { ids: ActorIds::new(RuntimeId::given(1)), given: HashMap::new() }
    }

    fn of(&mut self, name: &str) -> ActorId {
        *self.given.entry(name.to_owned()).or_insert_with(|| self.ids.next())
    }
}

/// An entry of the log of one process.
fn event(number: u64, at: Duration, path: &str, kind: raytree_types::inspect::EventKind) -> Event {
    Event { at, pid: 4203, number, path: path.to_owned(), kind, what: String::new(), cause: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Fold;

    #[test]
    fn the_same_seed_moves_the_same_way() {
        let (mut one, mut other, mut third) = (Demo::new(3), Demo::new(3), Demo::new(4));
        let mut differ = false;
        for _ in 0..50 {
            let (a, b, c) = (one.look(), other.look(), third.look());
            assert_eq!(a, b);
            differ |= a != c;
        }
        assert!(differ);
    }

    #[test]
    fn every_row_can_be_asked_about_by_its_path() -> Result<(), String> {
        let mut demo = Demo::new(1);
        for _ in 0..30 {
            let moment = demo.look()?;
            let mut fold = Fold::default();
            fold.take(moment.rows, 0, moment.captured_at);
            for line in 0..fold.lines().len() {
                let path = fold.path(line);
                assert_eq!(demo.detail(&path)?.row.name, fold.row(line).name);
                assert_eq!(fold.at_path(&path), Some(line));
                demo.why(&path)?;
                demo.logs(&path, 10)?;
            }
        }
        assert!(demo.detail("nobody").is_err());
        Ok(())
    }

    #[test]
    fn a_hundredth_of_a_large_one_changes_in_a_second() -> Result<(), String> {
        let mut demo = Demo::large(10_000);
        let (before, after) = (demo.look()?, demo.look()?);
        assert_eq!((before.rows.len(), after.rows.len()), (10_000, 10_000));
        let changed = before.rows.iter().zip(&after.rows).filter(|(a, b)| a != b).count();
        assert!((90..=110).contains(&changed), "{changed}");
        Ok(())
    }
}
