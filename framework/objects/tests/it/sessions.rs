//! What processes do with a store together. Two sessions of one process are to the store as those of two.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use raytree_objects::{Depot, NotStored, ObjectStore, Refused, Session, SpillTerms, Stored};
use raytree_supervise::{Addr, ChildSpec, Root, SupervisorSpec};
use raytree_types::{Bytes, Strategy, limits};

pub(crate) const ROOM: u64 = 4 << 20;

/// A store that is looked after.
pub(crate) struct Node {
    pub(crate) depot: Arc<Depot>,
    pub(crate) root: Root,
}

impl Node {
    pub(crate) fn start() -> Self {
        Self::with(None)
    }

    /// One that spills, or does not.
    pub(crate) fn with(spills: Option<SpillTerms>) -> Self {
        Self::of(ROOM, spills)
    }

    /// One of so many bytes.
    pub(crate) fn of(room: u64, spills: Option<SpillTerms>) -> Self {
        let addr = Addr::system::<ObjectStore>("object_store");
        let depot = Depot::open(room, spills, addr.clone()).expect("a store");
        let own = Arc::clone(&depot);
        let child = ChildSpec::actor::<ObjectStore>(&addr, move || Arc::clone(&own));
        let spec = SupervisorSpec::new(Strategy::OneForOne).child(child);
        let root = Root::start("raytree", spec).expect("a tree");
        Self { depot, root }
    }

    pub(crate) fn session(&self) -> Session {
        Session::join(self.depot.door()).expect("it opens")
    }

    /// Waits until the store has so many objects, and nothing that is freed and still there.
    pub(crate) async fn has(&self, objects: usize) {
        until(|| {
            let used = self.depot.used();
            used.objects == objects && used.dying == 0
        })
        .await;
    }

    pub(crate) async fn end(self) {
        self.root.shutdown(std::time::Duration::from_secs(5)).await;
    }
}

pub(crate) async fn until(mut there: impl FnMut() -> bool) {
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(2));
    let wait = async {
        while !there() {
            looks.tick().await;
        }
    };
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, wait).await.expect("it never came");
}

/// Tells when it is dropped.
struct Keeps(Arc<AtomicBool>);

impl Drop for Keeps {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sn_1_an_object_is_there_for_as_long_as_a_session_has_it() {
    let node = Node::start();
    let (one, other) = (node.session(), node.session());
    let text = vec![7u8; 1 << 20];
    let own = one.write(&text).expect("there is room");
    let let_go = Arc::new(AtomicBool::new(false));
    let keeps = Box::new(Keeps(Arc::clone(&let_go)));
    let theirs = other.take(own.location().expect("a place"), keeps).expect("it is there");
    until(|| let_go.load(Ordering::SeqCst)).await;
    drop(own);
    let bytes = theirs.bytes().expect("it is held");
    assert_eq!(bytes[..], text[..]);
    let (found, part) = other.find(&bytes[100..200]).expect("it is of the store");
    assert_eq!((found.location(), part), (theirs.location(), 100..200));
    assert!(other.find(&text).is_none() && one.find(&bytes).is_none());
    drop((theirs, found));
    node.has(1).await;
    assert_eq!(bytes[..], text[..]);
    drop(bytes);
    node.has(0).await;
    assert_eq!(one.traffic().written_bytes, 1 << 20);
    assert_eq!((other.traffic().taken_bytes, other.traffic().written), (1 << 20, 0));
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_the_store_is_not_written_again() {
    let node = Node::start();
    let session = node.session();
    let bytes = Bytes::from(vec![3u8; 300_000]);
    let (stored, part) = session.keep(&bytes).expect("there is room");
    assert_eq!(part, 0..300_000);
    let there = stored.bytes().expect("it is held").slice(1000..).expect("a part");
    let (again, part) = session.keep(&there).expect("it is there");
    assert!(Arc::ptr_eq(&stored, &again));
    assert_eq!((part, session.traffic().written), (1000..300_000, 1));
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_with_sizes_and_all_else_can_be_read() {
    let node = Node::start();
    let session = node.session();
    let kept: Vec<_> =
        (0..3u8).map(|at| session.write(&vec![at; 1 << 20]).expect("room")).collect();
    let full = session.write(&vec![9; 2 << 20]).expect_err("there is less room");
    let said = full.to_string();
    assert!(matches!(full, NotStored::Refused(Refused::Full { .. })), "{said}");
    assert!(said.contains("2097152") && said.contains("3145728 of 4194304"), "{said}");
    let never = session.write(&vec![9; 5 << 20]).expect_err("it is larger than the store");
    assert!(matches!(never, NotStored::Refused(Refused::TooLarge { .. })), "{never}");
    for (at, stored) in kept.iter().enumerate() {
        let bytes = stored.bytes().expect("it is held");
        assert!(bytes.iter().all(|byte| usize::from(*byte) == at));
    }
    drop(kept);
    node.has(0).await;
    session.write(&vec![9; 2 << 20]).expect("there is room again");
    assert_eq!(session.traffic().refused, 2);
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_ones_are_lent_room_together() {
    let node = Node::start();
    let session = node.session();
    let all: Vec<_> =
        (0..3000u32).map(|at| session.write(&at.to_le_bytes()).expect("there is room")).collect();
    until(|| node.depot.used().objects == 3000).await;
    for (at, stored) in all.iter().enumerate() {
        let bytes = stored.bytes().expect("it is held");
        assert_eq!(bytes[..], u32::try_from(at).expect("few").to_le_bytes());
    }
    // Room for a thousand is one round trip, and reading is none.
    let traffic = session.traffic();
    assert!((1..5).contains(&traffic.leases) && traffic.asks == 0, "{traffic:?}");
    let other = node.session();
    let place = |stored: &Arc<Stored>| stored.location().expect("a place");
    let taken: Vec<_> =
        all.iter().map(|own| other.take(place(own), Box::new(())).expect("it is there")).collect();
    let again = other.take(place(&all[7]), Box::new(())).expect("it is known");
    assert!(Arc::ptr_eq(&again, &taken[7]));
    assert_eq!(again.bytes().expect("it is held")[..], 7u32.to_le_bytes());
    let traffic = other.traffic();
    assert_eq!((traffic.taken, traffic.leases, traffic.asks), (3000, 0, 0));
    drop((taken, again, other));
    drop(all);
    until(|| node.depot.used().objects == 0).await;
    drop(session);
    until(|| node.depot.clients() == 0).await;
    let used = node.depot.used();
    assert_eq!((used.lent, used.sealed), (0, 0));
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sn_1_what_its_writer_took_with_it_is_read_by_the_one_who_was_told() {
    let node = Node::start();
    let (one, other) = (node.session(), node.session());
    let own = one.write(&vec![5; 200_000]).expect("there is room");
    let place = own.location().expect("a place");
    until(|| node.depot.used().objects == 1).await;
    let view = other.take(place, Box::new(())).expect("it is there");
    drop((own, one));
    until(|| node.depot.clients() == 1).await;
    let bytes = view.bytes().expect("it is held, or pinned");
    assert!(bytes.iter().all(|byte| *byte == 5));
    drop((view, bytes));
    node.has(0).await;
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sn_2_the_line_is_open_as_long_as_anybody_looks() {
    let node = Node::start();
    let (session, other) = (node.session(), node.session());
    let stored = session.write(&vec![5; 200_000]).expect("there is room");
    let bytes = stored.bytes().expect("it is held").slice(1..100_000).expect("a part");
    drop((stored, session));
    // What was dropped would have been heard before this is.
    for _ in 0..10 {
        drop(other.write(&vec![6; 300_000]).expect("there is room"));
    }
    assert_eq!(node.depot.clients(), 2);
    assert!(bytes.iter().all(|byte| *byte == 5));
    drop(bytes);
    until(|| node.depot.clients() == 1).await;
    node.has(0).await;
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_ends_takes_nothing_from_those_who_look() {
    let node = Node::start();
    let session = node.session();
    let stored = session.write(&vec![5; 200_000]).expect("there is room");
    let bytes = stored.bytes().expect("it is held");
    let Node { depot, root } = node;
    root.shutdown(std::time::Duration::from_secs(5)).await;
    drop(depot);
    until(|| session.is_gone()).await;
    assert!(bytes.iter().all(|byte| *byte == 5));
    assert!(matches!(session.write(&[1; 200_000]), Err(NotStored::Gone)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oj_1_the_store_outlives_the_actor_that_looks_after_it() {
    let node = Node::start();
    let session = node.session();
    let stored = session.write(&vec![5; 200_000]).expect("there is room");
    let probe =
        node.root.probe().children().into_iter().find(|child| child.name() == "object_store");
    let probe = probe.expect("it is in the tree");
    probe.end_life();
    until(|| probe.restarts() == 1).await;
    assert_eq!(stored.bytes().expect("it is held").len(), 200_000);
    drop(stored);
    node.has(0).await;
    node.end().await;
}

/// How many bytes the system has made of a memory of this length: there is no other as long in this process.
fn made(len: u64) -> u64 {
    let own = fs::read_dir("/proc/self/fd").expect("it is there").flatten();
    let of = own.filter(|one| {
        fs::read_link(one.path()).is_ok_and(|to| to.to_string_lossy().starts_with("/memfd:raytree"))
    });
    let known = of.filter_map(|one| fs::metadata(one.path()).ok());
    known.filter(|known| known.len() == len).map(|known| known.blocks() * 512).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oj_2_memory_is_made_only_a_little_ahead() {
    const ROOM: u64 = 1 << 30;
    const MOST: u64 = (1 << 20) + limits::STORE_AHEAD;
    let node = Node::of(ROOM, None);
    let session = node.session();
    assert_eq!(made(ROOM), 0, "there is no use for it");
    let stored = session.write(&vec![5; 1 << 20]).expect("there is room");
    until(|| {
        assert!(made(ROOM) <= MOST, "{} bytes", made(ROOM));
        made(ROOM) == MOST
    })
    .await;
    drop(stored);
    node.has(0).await;
    assert_eq!(made(ROOM), MOST);
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oj_2_memory_that_was_not_made_ahead_in_a_shortage_is_made_after_it() {
    const ROOM: u64 = (1 << 30) + (1 << 20);
    let node = Node::of(ROOM, None);
    let session = node.session();
    node.depot.is_short(true);
    let kept = session.write(&vec![5; 1 << 20]).expect("there is room");
    // It is looked at twice.
    for _ in 0..2 {
        drop(session.write(&vec![6; 1 << 20]).expect("there is room"));
        node.has(1).await;
    }
    assert!(made(ROOM) < limits::STORE_AHEAD, "nothing is made ahead");
    node.depot.is_short(false);
    until(|| {
        drop(session.write(&[7; 300_000]).expect("there is room"));
        made(ROOM) >= limits::STORE_AHEAD
    })
    .await;
    drop(kept);
    node.end().await;
}
