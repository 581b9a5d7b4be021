//! Programs of any shape, from which a node or a worker is taken at any moment: everything they hold is what it would be without that, but for
//! what the one that was taken owned, which says so; and nothing is left of it in any store.
//!
//! `RAYTREE_TEST_SEEDS=200` has as many of them run; the failure of one names its seed.

use std::collections::BTreeMap;

use raytree::prelude::*;
use raytree::{Bytes, Error, Result, get_all, put, state};
use rustix::process::Signal;

use super::stores::{stores, until_empty};
use super::support::{Cluster, Plan, children, lives, of, send, until};

const SEEDS: u64 = 12;
const STEPS: usize = 24;
const NODES: usize = 3;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Some below what goes through the store, most above.
fn noise(seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let len = 60_000 + random.below(600_000);
    (0..len).map(|at| (seed as usize + at / 7 + at * at) as u8).collect()
}

/// No longer than the longest of them.
fn mix<'a>(all: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut mixed: Vec<u8> = Vec::new();
    for one in all {
        mixed.resize(mixed.len().max(one.len()), 0);
        mixed.iter_mut().zip(one).for_each(|(own, byte)| *own = own.rotate_left(3) ^ byte);
    }
    mixed
}

fn total(bytes: &[u8]) -> u64 {
    bytes.iter().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
}

#[remote]
fn makes(seed: u64) -> Bytes {
    noise(seed).into()
}

#[remote]
fn makes_two(seed: u64) -> Vec<Bytes> {
    vec![noise(seed).into(), noise(seed + 1).into()]
}

#[remote]
fn mixes(all: Vec<Bytes>) -> Bytes {
    mix(all.iter().map(|one| &one[..])).into()
}

#[remote]
fn mixes_two(one: &Bytes, other: Bytes) -> Bytes {
    mix([&one[..], &other[..]]).into()
}

/// An object of the worker in which it runs.
#[remote]
async fn owns(seed: u64) -> Result<ObjectRef<Bytes>> {
    put(noise(seed).into()).await
}

/// A task of the worker in which it runs.
#[remote]
fn starts(seed: u64) -> ObjectRef<Bytes> {
    makes::remote(seed)
}

#[remote]
fn totals(bytes: &Bytes) -> u64 {
    total(bytes)
}

/// Lives wherever there is a node.
struct Totals;

#[remote]
impl Totals {
    fn new() -> Self {
        Self
    }

    pub(crate) fn total(&self, bytes: &Bytes) -> u64 {
        total(bytes)
    }

    pub(crate) fn both(&mut self, one: Bytes, other: &Bytes) -> u64 {
        total(&one) ^ total(other)
    }
}

/// What a program has beside what its tasks make.
#[derive(Clone, Copy, PartialEq)]
enum Also {
    Nothing,
    /// What no task makes again, which is there as long as the program has it, and no store puts it on disk.
    Own,
    /// What its workers own; it is they who are killed then, for the most part.
    Theirs,
}

/// What a program holds, and what that is.
struct World {
    also: Also,
    objects: Vec<(ObjectRef<Bytes>, Vec<u8>)>,
    sums: Vec<(ObjectRef<u64>, u64)>,
    theirs: Vec<(ObjectRef<Bytes>, Vec<u8>)>,
}

impl World {
    fn any(&self, random: &mut Random) -> &(ObjectRef<Bytes>, Vec<u8>) {
        &self.objects[random.below(self.objects.len())]
    }

    async fn steps(&mut self, random: &mut Random, actor: &TotalsHandle) -> Result<()> {
        let seed = random.next();
        let what = if self.objects.len() < 2 { 0 } else { random.below(11) };
        match what {
            2 if self.also == Also::Theirs => {
                self.theirs.push((owns::remote(seed).await?, noise(seed)));
            }
            3 if self.also == Also::Theirs => {
                self.theirs.push((starts::remote(seed).await?, noise(seed)));
            }
            4 if !self.theirs.is_empty() => {
                let (one, own) = &self.theirs[random.below(self.theirs.len())];
                let (other, its) = self.any(random);
                let mixed = mix([&own[..], &its[..]]);
                self.theirs.push((mixes_two::remote(one, other), mixed));
            }
            2 | 3 if self.also == Also::Nothing => {
                self.objects.push((makes::remote(seed), noise(seed)))
            }
            0 | 1 => self.objects.push((makes::remote(seed), noise(seed))),
            2 => {
                let parts = makes_two::remote(seed).elements(2);
                let whole = [noise(seed), noise(seed + 1)];
                self.objects.extend(parts.into_iter().zip(whole));
            }
            3 => self.objects.push((put(noise(seed).into()).await?, noise(seed))),
            4 | 5 => {
                let count = 1 + random.below(5);
                let parts: Vec<_> = (0..count).map(|_| self.any(random)).collect();
                let refs: Vec<_> = parts.iter().map(|(part, _)| part.clone()).collect();
                let mixed = mix(parts.iter().map(|(_, whole)| &whole[..]));
                self.objects.push((mixes::remote(refs), mixed));
            }
            6 => {
                let ((one, own), (other, its)) = (self.any(random), self.any(random));
                let mixed = mix([&own[..], &its[..]]);
                self.objects.push((mixes_two::remote(one, other), mixed));
            }
            7 => {
                let (object, whole) = self.any(random);
                self.sums.push((totals::remote(object), total(whole)));
            }
            8 => {
                let (object, whole) = self.any(random);
                self.sums.push((actor.total(object), total(whole)));
            }
            9 => {
                let ((one, own), (other, its)) = (self.any(random), self.any(random));
                self.sums.push((actor.both(one, other), total(own) ^ total(its)));
            }
            // What others need of it is made again from what it was made of.
            _ => drop(self.objects.swap_remove(random.below(self.objects.len()))),
        }
        if random.below(3) == 0 {
            // Some of it is where it was made by then.
            let made: Vec<_> = self.objects.iter().map(|(object, _)| object.clone()).collect();
            raytree::wait(&made).count(random.below(made.len() + 1)).await?;
        }
        Ok(())
    }

    /// How many objects of others went with those.
    async fn ends(self) -> Result<usize> {
        let mut gone = 0;
        for (object, whole) in self.theirs {
            match object.await {
                Ok(bytes) => assert!(bytes[..] == whole),
                Err(told) => {
                    assert!(matches!(told, Error::OwnerDied { .. }), "{told:?}");
                    gone += 1;
                }
            }
        }
        for (object, whole) in self.objects {
            assert!(object.await?[..] == whole);
        }
        let (sums, expected): (Vec<_>, Vec<_>) = self.sums.into_iter().unzip();
        assert_eq!(get_all(sums).await?, expected);
        Ok(gone)
    }
}

/// Who is killed next. More workers than so many of one node in a short time, and its program gets no further one there.
struct Victims {
    /// Only workers, as long as their node starts another one.
    are_workers: bool,
    workers: BTreeMap<u32, usize>,
}

const WORKERS_OF_A_NODE: usize = 3;

impl Victims {
    fn new(are_workers: bool) -> Self {
        Self { are_workers, workers: BTreeMap::new() }
    }

    /// A node, or the worker of one.
    fn next(&mut self, random: &mut Random, nodes: &[u32]) -> u32 {
        let node = nodes[random.below(nodes.len())];
        let killed = self.workers.entry(node).or_default();
        match children(node)[..] {
            [worker, ..] if *killed < WORKERS_OF_A_NODE => {
                if !self.are_workers && random.below(3) > 0 {
                    return node;
                }
                *killed += 1;
                worker
            }
            _ => node,
        }
    }
}

fn joins(cluster: &mut Cluster, name: &str, store: &str) {
    cluster.join(name, &["--set", &format!("node.object_store_bytes={store}")]);
}

/// What happened in all of them.
#[derive(Default)]
struct Seen {
    gone: usize,
    pulled: u64,
    spilled: u64,
}

/// Each node has a store of this size.
fn runs(plan: Plan, store: &str, also: Also) -> Seen {
    let mut cluster = plan.no_own_node().start();
    (0..NODES).for_each(|at| joins(&mut cluster, &format!("first-{at}"), store));
    cluster.until_up(NODES);
    let driver = cluster.driver_with(cluster.init().inspector(true).inspect_dir(cluster.sockets()));
    let seeds = std::env::var("RAYTREE_TEST_SEEDS").ok().and_then(|count| count.parse().ok());
    let (mut seen, mut victims) = (Seen::default(), Victims::new(also == Also::Theirs));
    for seed in 0..seeds.unwrap_or(SEEDS) {
        eprintln!("seed {seed}");
        let nodes: Vec<_> = cluster.nodes.iter().map(|node| node.pid()).collect();
        seen.gone += driver.run(async {
            let mut random = Random(seed);
            let (objects, sums, theirs) = Default::default();
            let mut world = World { also, objects, sums, theirs };
            let again = ActorOptions::new().cpus(0.0).restarts(10).retries(10);
            let actor = Totals::with(again).remote();
            let killed_at = random.below(STEPS);
            for step in 0..STEPS {
                if step == killed_at {
                    send(victims.next(&mut random, &nodes), Signal::KILL);
                }
                world.steps(&mut random, &actor).await?;
            }
            world.ends().await
        });
        let left = nodes.iter().filter(|node| lives(**node)).count();
        until_empty(&cluster, left);
        for store in stores(&cluster) {
            seen.pulled += store.pulled_ever;
            seen.spilled += store.spilled_ever;
        }
        if let Some(gone) = nodes.iter().position(|node| !lives(*node)) {
            drop(cluster.nodes.remove(gone));
            joins(&mut cluster, &format!("later-{seed}"), store);
        }
        cluster.until_up(NODES);
        until("a worker on every node", || driver.0.available_resources() == cluster.resources());
    }
    let rows = driver.run(async { Ok(state::tasks().limit(10_000).await?.rows) });
    let ran_again = rows.iter().filter(|row| row.attempt > 0).count();
    eprintln!("{ran_again} of {} runs were of a task that had run before", rows.len());
    assert!(ran_again > 0);
    drop(driver);
    cluster.until_free();
    seen
}

#[test]
fn whatever_is_killed_nothing_is_lost_that_is_made_by_tasks() {
    let plan = of(whatever_is_killed_nothing_is_lost_that_is_made_by_tasks);
    let seen = runs(plan, "5MiB", Also::Nothing);
    assert!(seen.pulled > 0, "objects went from node to node");
    assert!(seen.spilled > 0, "and to disk");
}

#[test]
fn whatever_is_killed_nothing_is_lost_that_the_program_has() {
    let plan = of(whatever_is_killed_nothing_is_lost_that_the_program_has);
    let seen = runs(plan, "64MiB", Also::Own);
    assert!(seen.pulled > 0);
}

#[test]
fn whichever_owner_is_killed_what_was_its_own_says_so_and_nothing_is_left() {
    let plan = of(whichever_owner_is_killed_what_was_its_own_says_so_and_nothing_is_left);
    let seen = runs(plan, "64MiB", Also::Theirs);
    assert!(seen.gone > 0, "some had owned something");
}
