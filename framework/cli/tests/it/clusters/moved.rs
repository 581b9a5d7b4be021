//! Objects between nodes with a store each: they stay where they were made, and come where they are read.

use raytree::prelude::*;
use raytree::state::store_traffic;
use raytree::{Bytes, Error, ObjectRef, Result, get_all};
use raytree_types::inspect::StoreRow;
use rustix::process::Signal;

use super::stores::{stores, until_empty};
use super::support::{Cluster, Plan, children, lives, of, send, until};

pub(super) const LONG: usize = 3 << 20;

#[remote(resources(left = 1))]
pub(super) fn made_left(byte: u8) -> Bytes {
    vec![byte; LONG].into()
}

#[remote(resources(right = 1))]
pub(super) fn made_right(byte: u8) -> Bytes {
    vec![byte; LONG].into()
}

pub(super) fn is_all(bytes: &[u8], byte: u8) -> bool {
    bytes.len() == LONG && bytes.iter().all(|own| *own == byte)
}

#[remote(resources(left = 1))]
pub(super) fn read_left(bytes: Bytes, byte: u8) -> bool {
    is_all(&bytes, byte)
}

#[remote(resources(right = 1))]
pub(super) fn read_right(bytes: Bytes, byte: u8) -> bool {
    is_all(&bytes, byte)
}

/// Of both: each from where it is.
#[remote(resources(right = 1))]
fn sum(one: &Bytes, other: &Bytes) -> u64 {
    one.iter().chain(other.iter()).map(|byte| u64::from(*byte)).sum()
}

/// Of as many as there are: a value of values, which are all needed where it is made.
#[remote(resources(right = 1))]
fn sum_all(parts: Vec<Bytes>) -> u64 {
    parts.iter().flat_map(|part| part.iter()).map(|byte| u64::from(*byte)).sum()
}

/// What is large and refers to another object, which is elsewhere.
#[remote(resources(right = 1))]
fn with_another(other: Vec<ObjectRef<Bytes>>, byte: u8) -> (Vec<ObjectRef<Bytes>>, Bytes) {
    (other, vec![byte; LONG].into())
}

/// What refers to an object is small, and travels by itself.
#[remote(resources(right = 1))]
async fn read_inside(objects: Vec<ObjectRef<Bytes>>, byte: u8) -> Result<bool> {
    let all = get_all(objects).await?;
    Ok(all.iter().all(|bytes| is_all(bytes, byte)))
}

#[remote(resources(right = 1))]
fn process_right() -> u32 {
    std::process::id()
}

#[remote(resources(left = 1))]
fn process_left() -> u32 {
    std::process::id()
}

/// In which process it was read, if it is right.
#[remote]
fn read_anywhere(bytes: Bytes, byte: u8) -> Option<u32> {
    is_all(&bytes, byte).then(std::process::id)
}

/// One that the worker there owns.
#[remote(resources(left = 1))]
async fn put_left(byte: u8) -> Result<ObjectRef<Bytes>> {
    raytree::put(vec![byte; LONG].into()).await
}

/// Notes in which order it was given what.
struct Notes(Vec<u8>);

#[remote(resources(right = 1))]
impl Notes {
    fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn note(&mut self, bytes: Bytes) {
        self.0.push(bytes[0]);
    }

    pub(crate) fn small(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn all(&self) -> Vec<u8> {
        self.0.clone()
    }

    pub(crate) fn large(&self, byte: u8) -> Bytes {
        vec![byte; LONG].into()
    }
}

/// Holds what it is given, and gives it back.
struct Holds {
    first: Bytes,
    refs: Vec<ObjectRef<Bytes>>,
}

#[remote(resources(right = 1))]
impl Holds {
    fn new(first: Bytes) -> Self {
        Self { first, refs: Vec::new() }
    }

    pub(crate) fn first(&self, byte: u8) -> bool {
        is_all(&self.first, byte)
    }

    pub(crate) fn hold(&mut self, refs: Vec<ObjectRef<Bytes>>) {
        self.refs = refs;
    }

    pub(crate) fn held(&self) -> Vec<ObjectRef<Bytes>> {
        self.refs.clone()
    }

    pub(crate) fn let_go(&mut self) {
        self.refs.clear();
    }
}

pub(super) fn two(plan: Plan) -> Cluster {
    let mut cluster = plan.no_own_node().start();
    for name in ["left", "right"] {
        cluster.join(name, &["--set", &format!("node.resources={name}=4")]);
    }
    cluster.until_up(2);
    cluster
}

/// Bytes that were fetched, and given, by all nodes.
fn moved(cluster: &Cluster) -> (u64, u64) {
    let all = stores(cluster);
    let sum = |of: fn(&StoreRow) -> u64| all.iter().map(of).sum();
    (sum(|store| store.pulled_ever), sum(|store| store.pushed_ever))
}

#[test]
fn pu_1_a_result_stays_where_it_was_made_and_is_fetched_once() {
    let cluster = two(of(pu_1_a_result_stays_where_it_was_made_and_is_fetched_once));
    let driver = cluster.driver();
    driver.run(async {
        let long = LONG as u64;
        let result = made_left::remote(7);
        assert!(read_left::remote(&result, 7).await?);
        assert_eq!(moved(&cluster), (0, 0), "it is there");
        assert!(read_right::remote(&result, 7).await?);
        assert_eq!(moved(&cluster), (long, long));
        // It is there, too, for as long as anybody has it.
        let again = get_all((0..8).map(|_| read_right::remote(&result, 7))).await?;
        assert_eq!(again, [true; 8]);
        let theirs = made_right::remote(3);
        assert_eq!(sum::remote(&result, &theirs).await?, 10 * long);
        assert!(read_inside::remote(vec![result.clone()], 7).await?);
        assert_eq!(store_traffic()?.written, 0, "nothing has gone through this process");
        assert!(is_all(&result.await?, 7));
        Ok(())
    });
    until_empty(&cluster, 2);
    drop(driver);
    cluster.until_free();
}

#[test]
fn what_this_process_has_put_goes_to_those_who_read_it() {
    let cluster = two(of(what_this_process_has_put_goes_to_those_who_read_it));
    let driver = cluster.driver();
    driver.run(async {
        // From then on it knows of both stores.
        let own = || Bytes::from(vec![1; LONG]);
        get_all([read_left::remote(own(), 1), read_right::remote(own(), 1)]).await?;
        let object = raytree::put(Bytes::from(vec![5u8; LONG])).await?;
        let seen =
            (0..4).flat_map(|_| [read_left::remote(&object, 5), read_right::remote(&object, 5)]);
        assert_eq!(get_all(seen).await?, [true; 8]);
        Ok(())
    });
    until_empty(&cluster, 2);
    drop(driver);
    cluster.until_free();
}

#[test]
fn calls_keep_their_order_when_arguments_come_from_elsewhere() {
    let cluster = two(of(calls_keep_their_order_when_arguments_come_from_elsewhere));
    let driver = cluster.driver();
    driver.run(async {
        let notes = Notes::remote();
        let large: Vec<_> = (0..4).map(|byte| made_left::remote(byte * 2)).collect();
        for (large, byte) in large.iter().zip(0..) {
            notes.note(large);
            notes.small(byte * 2 + 1);
        }
        assert_eq!(notes.all().await?, (0..8).collect::<Vec<_>>());
        let answer = notes.large(9);
        assert!(read_left::remote(&answer, 9).await?);
        assert_eq!(moved(&cluster).0, 5 * LONG as u64);
        assert!(is_all(&answer.await?, 9));
        Ok(())
    });
    until_empty(&cluster, 2);
    drop(driver);
    cluster.until_free();
}

#[test]
fn who_is_killed_while_objects_come_leaves_nothing() {
    let cluster = two(of(who_is_killed_while_objects_come_leaves_nothing));
    let driver = cluster.driver();
    driver.run(async {
        for round in 0..4_u8 {
            let process = process_right::remote().await?;
            let results: Vec<_> = (0..4).map(|_| made_left::remote(round)).collect();
            let read: Vec<_> =
                results.iter().map(|result| read_right::remote(result, round)).collect();
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            send(process, Signal::KILL);
            // They run again in the next one.
            assert_eq!(get_all(read).await?, [true; 4]);
        }
        Ok(())
    });
    until_empty(&cluster, 2);
    drop(driver);
    cluster.until_free();
}

#[test]
fn many_of_another_node_come_together() {
    let cluster = two(of(many_of_another_node_come_together));
    let driver = cluster.driver();
    driver.run(async {
        let all: Vec<_> = (0..4).map(made_left::remote).collect();
        // Beside them something goes on that waits for none of them.
        let sum = sum_all::remote(&all[..]);
        let small = get_all((0..8).map(|_| process_right::remote())).await?;
        assert_eq!(small.len(), 8);
        assert_eq!(sum.await?, 6 * LONG as u64);
        let holds = Holds::remote(&all[3]);
        assert!(holds.first(3).await?);
        assert_eq!(moved(&cluster).0, 4 * LONG as u64);
        let read = get_all(&all).await?;
        assert!(read.iter().zip(0..).all(|(bytes, byte)| is_all(bytes, byte)));
        Ok(())
    });
    until_empty(&cluster, 2);
    drop(driver);
    cluster.until_free();
}

#[test]
fn what_is_large_and_refers_to_others_comes_with_them() {
    let cluster = two(of(what_is_large_and_refers_to_others_comes_with_them));
    let driver = cluster.driver();
    driver.run(async {
        let inner = made_left::remote(4);
        let (refs, bytes) = with_another::remote(vec![inner.clone()], 9).await?;
        assert!(is_all(&bytes, 9));
        let [again] = &refs[..] else { panic!("{} references", refs.len()) };
        assert!(is_all(&again.await?, 4));
        // Given round, and round again: nobody holds it for the one who holds it for him.
        let holds = Holds::remote(Bytes::from(vec![1; LONG]));
        for _ in 0..3 {
            holds.hold(vec![inner.clone(), made_right::remote(2)]);
            let back = holds.held().await?;
            assert!(
                read_left::remote(&back[1], 2).await? && read_right::remote(&back[0], 4).await?
            );
            holds.hold(back).await?;
        }
        holds.let_go().await?;
        Ok(())
    });
    until_empty(&cluster, 2);
    drop(driver);
    cluster.until_free();
}

#[test]
fn what_nobody_has_read_outlives_the_worker_that_made_it() {
    let cluster = two(of(what_nobody_has_read_outlives_the_worker_that_made_it));
    let driver = cluster.driver();
    driver.run(async {
        // From then on this process has a store to fetch into.
        assert!(is_all(&made_left::remote(1).await?, 1));
        for _ in 0..3 {
            let process = process_right::remote().await?;
            let results: Vec<_> = (0..3).map(made_right::remote).collect();
            let ready = raytree::wait(&results).count(3).await?;
            assert_eq!(ready.ready.len(), 3);
            send(process, Signal::KILL);
            // The process has ended, and others take its place.
            assert_ne!(process_right::remote().await?, process);
            let read = get_all(&results).await?;
            assert!(read.iter().zip(0..).all(|(bytes, byte)| is_all(bytes, byte)));
        }
        Ok(())
    });
    until_empty(&cluster, 2);
    drop(driver);
    cluster.until_free();
}

/// Has something made on the other node, and reads it later.
struct Owner(Option<ObjectRef<(u32, Bytes)>>);

#[remote(resources(right = 1))]
impl Owner {
    fn new() -> Self {
        Self(None)
    }

    pub(crate) async fn begin(&mut self, byte: u8) -> Result<usize> {
        let result = made_by_left::remote(byte);
        let ready = raytree::wait([&result]).await?.ready.len();
        self.0 = Some(result);
        Ok(ready)
    }

    /// Which process has made it.
    pub(crate) async fn read(&self, byte: u8) -> Result<Option<u32>> {
        let Some(result) = &self.0 else { return Ok(None) };
        let (process, bytes) = result.await?;
        Ok(is_all(&bytes, byte).then_some(process))
    }

    pub(crate) fn let_go(&mut self) {
        self.0 = None;
    }
}

#[remote(resources(left = 1))]
fn made_by_left(byte: u8) -> (u32, Bytes) {
    (std::process::id(), vec![byte; LONG].into())
}

#[test]
fn what_nobody_can_fetch_any_more_is_made_again() {
    let mut cluster = two(of(what_nobody_can_fetch_any_more_is_made_again));
    let driver = cluster.driver();
    let owner = driver.run(async {
        let owner = Owner::remote();
        assert_eq!(owner.begin(7).await?, 1);
        Ok(owner)
    });
    assert_eq!(moved(&cluster), (0, 0), "it is where it was made");
    let gone = children(cluster.node("left").pid());
    cluster.node("left").kill();
    until("the end of its workers", || !gone.iter().any(|worker| lives(*worker)));
    cluster.until_up(1);
    cluster.join("left", &["--set", "node.resources=left=4"]);
    cluster.until_up(2);
    driver.run(async {
        let made_by = owner.read(7).await?;
        assert!(made_by.is_some_and(|process| !gone.contains(&process)), "{made_by:?} {gone:?}");
        // It is there now.
        assert_eq!(owner.read(7).await?, made_by);
        owner.let_go().await
    });
    drop(owner);
    until_empty(&cluster, 2);
    drop(driver);
    cluster.until_free();
}

#[test]
fn a_task_goes_where_its_arguments_are() {
    let cluster = two(of(a_task_goes_where_its_arguments_are));
    let driver = cluster.driver();
    driver.run(async {
        let [left, right] = [process_left::remote(), process_right::remote()];
        let (left, right) = (left.await?, right.await?);
        for _ in 0..4 {
            let (one, other) = (made_left::remote(1), made_right::remote(2));
            assert_eq!(read_anywhere::remote(&one, 1).await?, Some(left));
            assert_eq!(read_anywhere::remote(&other, 2).await?, Some(right));
        }
        assert_eq!(moved(&cluster), (0, 0), "all was read where it was made");
        Ok(())
    });
    drop(driver);
    cluster.until_free();
}

#[test]
fn what_is_handed_to_another_node_outlives_its_maker() {
    let cluster = two(of(what_is_handed_to_another_node_outlives_its_maker));
    let driver = cluster.driver();
    driver.run(async {
        let left = process_left::remote().await?;
        let holds = Holds::remote(Bytes::from(vec![0]));
        let (own, other) = (put_left::remote(4).await?, put_left::remote(5).await?);
        let handed = own.owned_by(&holds).await?;
        let of_job = other.owned_by_job().await?;
        send(left, Signal::KILL);
        let told = own.await.unwrap_err();
        assert!(matches!(told, Error::OwnerDied { .. }), "{told}");
        assert!(is_all(&handed.await?, 4) && is_all(&of_job.await?, 5));
        Ok(())
    });
    until_empty(&cluster, 2);
    drop(driver);
    cluster.until_free();
}
