//! Several nodes, each with a store, that fetch objects from each other.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use raytree_objects::{
    Depot, Exchange, Lost, Need, ObjectStore, Place, Puller, Pusher, Reach, Refused, Session,
    SpillTerms, Stored,
};
use raytree_supervise::{Addr, ChildSpec, Root, SupervisorSpec};
use raytree_types::{Strategy, limits};
use raytree_wire::{BindTo, Token};

use super::sessions::until;
use super::spilling::terms;

pub(super) const MIB: usize = 1 << 20;

/// A node that fetches and gives.
pub(super) struct Node {
    pub(super) depot: Arc<Depot>,
    exchange: Arc<Exchange>,
    root: Root,
}

impl Node {
    pub(super) fn start(token: &Token, bytes: usize) -> Self {
        Self::with(token, bytes, None)
    }

    pub(super) fn with(token: &Token, bytes: usize, spills: Option<SpillTerms>) -> Self {
        let store = Addr::system::<ObjectStore>("object_store");
        let (puller, pusher) = (Addr::system::<Puller>("puller"), Addr::system::<Pusher>("pusher"));
        let depot = Depot::open(bytes as u64, spills, store.clone()).expect("a store");
        let reach = Reach { token: token.clone(), tls: None, name: "a node".to_owned() };
        let to = BindTo::loopback(token.clone());
        let actors = (puller.clone(), pusher.clone());
        let exchange = Exchange::open(&depot, to, reach, actors).expect("a port");
        let (own, [pulls, pushes]) = (Arc::clone(&depot), [(); 2].map(|()| Arc::clone(&exchange)));
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .child(ChildSpec::actor::<ObjectStore>(&store, move || Arc::clone(&own)))
            .child(ChildSpec::actor::<Puller>(&puller, move || Arc::clone(&pulls)))
            .child(ChildSpec::actor::<Pusher>(&pusher, move || Arc::clone(&pushes)));
        let root = Root::start("raytree", spec).expect("a tree");
        Self { depot, exchange, root }
    }

    pub(super) fn session(&self) -> Session {
        Session::join(self.depot.door()).expect("it opens")
    }

    pub(super) fn place(&self, stored: &Stored) -> Place {
        let object = stored.location().expect("a place");
        Place { origin: self.exchange.origin().clone(), object }
    }

    pub(super) async fn has(&self, objects: usize) {
        until(|| {
            let used = self.depot.used();
            used.objects == objects && used.dying == 0
        })
        .await;
    }

    pub(super) async fn end(self) {
        self.root.shutdown(Duration::from_secs(5)).await;
    }
}

/// Keeps an object at its home, and says when it is not kept any more.
struct Keeps(Arc<AtomicBool>, #[expect(dead_code, reason = "held for its drop")] Arc<Stored>);

impl Drop for Keeps {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

pub(super) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| ((at / 4093) ^ at) as u8).collect()
}

pub(super) fn token() -> Token {
    Token::random().expect("random bytes")
}

type Read = Result<raytree_types::Bytes, Lost>;

pub(super) async fn read(stored: &Arc<Stored>) -> Read {
    read_beside(stored).await.expect("it does not panic")
}

/// Begins to read it.
pub(super) fn read_beside(stored: &Arc<Stored>) -> tokio::task::JoinHandle<Read> {
    let stored = Arc::clone(stored);
    tokio::task::spawn_blocking(move || stored.bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pu_1_an_object_of_another_node_is_fetched_once_and_when_it_is_wanted() {
    let token = token();
    let [home, here] = [(); 2].map(|()| Node::start(&token, 8 * MIB));
    let written = home.session().write(&bytes(MIB)).expect("there is room");
    let place = home.place(&written);
    let (one, other) = (here.session(), here.session());
    let let_go = Arc::new(AtomicBool::new(false));
    let keeps = || Box::new(Keeps(Arc::clone(&let_go), Arc::clone(&written)));
    let far = one.far(place.clone(), keeps());
    assert!(Arc::ptr_eq(&far, &one.far(place.clone(), keeps())), "one for each process");
    let theirs = other.far(place.clone(), Box::new(()));
    let origin = far.origin().map(|(place, _)| place);
    assert_eq!((far.is_here(), far.location(), origin), (false, None, Some(&place)));
    assert_eq!((here.depot.row().pulled_ever, here.depot.used().objects), (0, 0));
    let reads = [&far, &theirs, &far, &theirs].map(read);
    for read in reads {
        assert!(read.await.expect("it comes")[..] == bytes(MIB)[..]);
    }
    let (row, gave) = (here.depot.row(), home.depot.row());
    assert_eq!((row.pulled_ever, gave.pushed_ever, row.objects), (MIB as u64, MIB as u64, 1));
    assert!(let_go.load(Ordering::SeqCst) && far.is_here() && far.origin().is_none());
    // Who asks later has the copy.
    let third = here.session();
    let late = third.far(place, Box::new(()));
    assert!(read(&late).await.expect("it is here").len() == MIB);
    assert_eq!(here.depot.row().pulled_ever, MIB as u64);
    drop(written);
    home.has(0).await;
    assert!(read(&far).await.expect("the copy stays")[..] == bytes(MIB)[..]);
    drop((far, theirs, late));
    here.has(0).await;
    home.end().await;
    here.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_it_is_told_when_it_has_come() {
    let token = token();
    let [home, here] = [(); 2].map(|()| Node::start(&token, 8 * MIB));
    let written = home.session().write(&bytes(MIB)).expect("there is room");
    let session = here.session();
    let far = session.far(home.place(&written), Box::new(()));
    let (tell, told) = tokio::sync::oneshot::channel();
    far.brings(Need::Wait, |is_here| _ = tell.send(is_here));
    assert!(told.await.expect("he is told") && far.is_here());
    home.end().await;
    here.end().await;
}

/// Stands before a node, and cuts each connection after so many bytes.
fn cutter(to: SocketAddr, after: u64) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (at, cuts) = (listener.local_addr().expect("an address"), Arc::new(AtomicU64::new(0)));
    let counts = Arc::clone(&cuts);
    thread::spawn(move || {
        while let Ok((near, _)) = listener.accept() {
            let Ok(far) = TcpStream::connect(to) else { return };
            let [near_says, far_hears] = [&near, &far].map(|own| own.try_clone().expect("a copy"));
            thread::spawn(move || io::copy(&mut &near_says, &mut &far_hears));
            let counts = Arc::clone(&counts);
            thread::spawn(move || {
                let mut part = vec![0; 64 << 10];
                let mut left = after;
                while left > 0 {
                    let most = part.len().min(left as usize);
                    let Ok(read @ 1..) = (&far).read(&mut part[..most]) else { break };
                    if (&near).write_all(&part[..read]).is_err() {
                        break;
                    }
                    left -= read as u64;
                }
                counts.fetch_add(u64::from(left == 0), Ordering::SeqCst);
                _ = near.shutdown(Shutdown::Both);
                _ = far.shutdown(Shutdown::Both);
            });
        }
    });
    (at, cuts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_goes_on_where_it_broke() {
    let token = token();
    let [home, here] = [(); 2].map(|()| Node::start(&token, 96 * MIB));
    let len = 60 * MIB + 12_345;
    let written = home.session().write(&bytes(len)).expect("there is room");
    let mut place = home.place(&written);
    // Two parts and a half come through each connection.
    let after = limits::PULL_PIECE * 5 / 2;
    let (at, cuts) = cutter(place.origin.at, after);
    place.origin.at = at;
    let session = here.session();
    let far = session.far(place, Box::new(()));
    assert!(read(&far).await.expect("it comes")[..] == bytes(len)[..]);
    let cuts = cuts.load(Ordering::SeqCst);
    assert!(cuts >= 3, "{cuts} times cut");
    assert_eq!(here.depot.row().pulled_ever, len as u64);
    home.end().await;
    here.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pu_2_what_is_not_there_is_said() {
    let token = token();
    let [home, here] = [(); 2].map(|()| Node::start(&token, 8 * MIB));
    let writer = home.session();
    let written = writer.write(&bytes(MIB)).expect("there is room");
    let place = home.place(&written);
    drop(written);
    home.has(0).await;
    let session = here.session();
    let far = session.far(place.clone(), Box::new(()));
    let told = read(&far).await.expect_err("it is gone").to_string();
    assert!(told.contains("nobody holds it any more"), "{told}");
    // Of another life of that node.
    let mut other = place.clone();
    other.origin.door.push('x');
    let far = session.far(other, Box::new(()));
    let told = read(&far).await.expect_err("it is gone").to_string();
    assert!(told.contains("a store that has ended"), "{told}");
    // Who nobody answers for is tried a few times.
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its own");
    let mut other = place;
    other.origin.at = nobody;
    let far = session.far(other, Box::new(()));
    let told = read(&far).await.expect_err("nobody is there").to_string();
    assert!(told.contains(&nobody.to_string()), "{told}");
    assert_eq!(here.depot.used().objects, 0);
    home.end().await;
    here.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_know_the_token_gets_nothing() {
    let [home, here] = [(); 2].map(|()| Node::start(&token(), 8 * MIB));
    let written = home.session().write(&bytes(MIB)).expect("there is room");
    let session = here.session();
    let far = session.far(home.place(&written), Box::new(()));
    assert!(read(&far).await.is_err());
    assert_eq!(home.depot.row().pushed_ever, 0);
    home.end().await;
    here.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_disk_at_its_home_is_fetched_and_goes_to_disk_here() {
    let (token, folder) = (token(), tempfile::tempdir().expect("a folder"));
    let spilling = || Some(terms(500, folder.path()));
    let home = Node::with(&token, 4 * MIB, spilling());
    let here = Node::with(&token, 4 * MIB, spilling());
    let writer = home.session();
    let text =
        |number: usize| bytes(MIB).iter().map(|byte| byte ^ number as u8).collect::<Vec<_>>();
    let all: Vec<_> = (0..10).map(|at| writer.write(&text(at)).expect("room is made")).collect();
    let places: Vec<_> = all.iter().map(|stored| home.place(stored)).collect();
    until(|| home.depot.row().spilled_objects >= 6).await;
    let session = here.session();
    let far: Vec<_> = places.into_iter().map(|at| session.far(at, Box::new(()))).collect();
    for _ in 0..2 {
        for (at, stored) in far.iter().enumerate() {
            assert!(read(stored).await.expect("it comes")[..] == text(at)[..], "object {at}");
        }
    }
    let row = here.depot.row();
    assert!(row.spilled_ever > 0 && home.depot.row().restored_ever > 0, "{row:?}");
    assert_eq!(row.pulled_ever, 10 * MIB as u64, "what was fetched is not fetched again");
    drop((far, all));
    here.has(0).await;
    home.has(0).await;
    home.end().await;
    here.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pu_2_who_wants_what_there_is_no_room_for_waits_for_it_and_is_in_nobodys_way() {
    let token = token();
    let [home, here] = [(); 2].map(|()| Node::start(&token, 4 * MIB));
    let writer = home.session();
    let large: Vec<_> = (0..limits::PULLS_AT_ONCE + 1)
        .map(|at| writer.write(&bytes(MIB / 2 + at)).expect("there is room"))
        .collect();
    let small = writer.write(&bytes(MIB / 8)).expect("there is room");
    let session = here.session();
    let taken = session.write(&bytes(4 * MIB - MIB / 4)).expect("there is room");
    let far = |stored: &Arc<Stored>| session.far(home.place(stored), Box::new(()));
    let waits: Vec<_> = large.iter().map(far).map(|far| (read_beside(&far), far)).collect();
    until(|| here.depot.row().waiting == waits.len() as u64).await;
    assert!(read(&far(&small)).await.expect("there is room for it")[..] == bytes(MIB / 8)[..]);
    assert_eq!(here.depot.row().waiting, waits.len() as u64);
    drop(taken);
    for ((read, _far), at) in waits.into_iter().zip(0..) {
        let read = read.await.expect("it does not panic").expect("there is room now");
        assert!(read[..] == bytes(MIB / 2 + at)[..]);
    }
    home.end().await;
    here.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_has_room_is_refused_at_once_with_sizes() {
    let token = token();
    let [home, here] = [4, 1].map(|many| Node::start(&token, many * MIB));
    let written = home.session().write(&bytes(2 * MIB)).expect("there is room");
    let never = here.session().far(home.place(&written), Box::new(()));
    let told = read(&never).await.expect_err("there never is");
    let (bytes, capacity) = (2 * MIB as u64, MIB as u64);
    assert!(
        matches!(told, Lost::NoRoom(Refused::TooLarge { bytes: all, capacity: most }) if (all, most) == (bytes, capacity)),
        "{told}"
    );
    home.end().await;
    here.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pu_2_what_waits_for_room_has_it_when_what_is_looked_at_can_go_to_disk() {
    let (token, folder) = (token(), tempfile::tempdir().expect("a folder"));
    let home = Node::start(&token, 4 * MIB);
    let here = Node::with(&token, 4 * MIB, Some(terms(1000, folder.path())));
    let written = home.session().write(&bytes(2 * MIB)).expect("there is room");
    let session = here.session();
    let taken = session.write(&bytes(3 * MIB)).expect("there is room");
    let looked = read(&taken).await.expect("it is here");
    let far = session.far(home.place(&written), Box::new(()));
    let waits = read_beside(&far);
    until(|| here.depot.row().waiting == 1).await;
    drop(looked);
    let read_there = waits.await.expect("it does not panic").expect("there is room");
    assert!(read_there[..] == bytes(2 * MIB)[..]);
    assert!(read(&taken).await.expect("it comes back")[..] == bytes(3 * MIB)[..]);
    home.end().await;
    here.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_were_told_of_stays_at_its_home_when_there_is_a_copy_here() {
    let token = token();
    let [home, here, third] = [(); 3].map(|()| Node::start(&token, 8 * MIB));
    let written = home.session().write(&bytes(MIB)).expect("there is room");
    let place = home.place(&written);
    let let_go = Arc::new(AtomicBool::new(false));
    let (one, other) = (here.session(), third.session());
    let far = one.far(place.clone(), Box::new(Keeps(Arc::clone(&let_go), written)));
    let (_, told) = far.origin().expect("it is there");
    let theirs = other.far(place, Box::new(told));
    assert!(read(&far).await.expect("it comes")[..] == bytes(MIB)[..]);
    drop(far);
    here.has(0).await;
    assert!(!let_go.load(Ordering::SeqCst), "one who was told of it has not read it");
    assert!(read(&theirs).await.expect("it is there")[..] == bytes(MIB)[..]);
    assert!(let_go.load(Ordering::SeqCst), "nobody needs it any more");
    home.has(0).await;
    for node in [home, here, third] {
        node.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_does_not_answer_is_in_nobodys_way() {
    let token = token();
    let [home, here] = [(); 2].map(|()| Node::start(&token, 8 * MIB));
    let session = here.session();
    let written = home.session().write(&bytes(MIB)).expect("there is room");
    // It takes connections and says nothing, for longer than this test lasts.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = silent.local_addr().expect("an address");
    let nowhere = |slot| {
        let mut place = home.place(&written);
        place.origin.at = at;
        place.object.slot += slot;
        session.far(place, Box::new(()))
    };
    let lost: Vec<_> = (0..2 * limits::PULLS_AT_ONCE as u32).map(nowhere).collect();
    let comes: Vec<_> = lost
        .iter()
        .map(|lost| {
            let (tell, told) = tokio::sync::oneshot::channel();
            lost.brings(Need::Wait, |is_back| _ = tell.send(is_back));
            told
        })
        .collect();
    let far = session.far(home.place(&written), Box::new(()));
    assert!(read(&far).await.expect("it comes")[..] == bytes(MIB)[..]);
    drop(silent);
    for told in comes {
        assert!(!told.await.expect("he is told"));
    }
    home.end().await;
    here.end().await;
}
