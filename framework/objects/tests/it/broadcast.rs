//! Objects that come from several nodes at once, and go from one to the next.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use raytree_objects::Place;
use raytree_types::limits;

use super::sessions::until;
use super::transfer::{MIB, Node, bytes, read, read_beside, token};

/// What goes through each connection at once: what two sides say to each other before an object comes, and a little of it.
const AT_FIRST: usize = 64 << 10;

/// Stands before a node, and lets little of what it gives through until it is opened.
struct Gate {
    at: SocketAddr,
    is_open: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
}

impl Gate {
    fn before(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let (is_open, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (opens, answers) = (Arc::clone(&is_open), Arc::clone(&answered));
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                let Ok(far) = TcpStream::connect(node) else { return };
                let [from, to] = [&near, &far].map(|own| own.try_clone().expect("a copy"));
                thread::spawn(move || io::copy(&mut &from, &mut &to));
                let (opens, answers) = (Arc::clone(&opens), Arc::clone(&answers));
                thread::spawn(move || gives(&far, &near, &opens, &answers));
            }
        });
        Self { at, is_open, answered }
    }

    /// The same place, through this.
    fn stands_before(&self, mut place: Place) -> Place {
        place.origin.at = self.at;
        place
    }

    /// How many have heard of the node.
    fn connections(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    fn opens(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }
}

fn gives(mut from: &TcpStream, mut to: &TcpStream, is_open: &AtomicBool, answered: &AtomicU64) {
    let (mut part, mut given) = (vec![0; AT_FIRST / 4], 0);
    while let Ok(read @ 1..) = from.read(&mut part) {
        while given > AT_FIRST && !is_open.load(Ordering::SeqCst) {
            thread::park_timeout(Duration::from_millis(2));
        }
        if to.write_all(&part[..read]).is_err() {
            break;
        }
        answered.fetch_add(u64::from(given == 0), Ordering::SeqCst);
        given += read;
    }
    [from, to].into_iter().for_each(|own| _ = own.shutdown(Shutdown::Both));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_gives_parts_while_the_home_is_slow() {
    let token = token();
    let len = 4 * limits::PULL_PIECE as usize + 77;
    let [home, copy, here] = [(); 3].map(|()| Node::start(&token, 40 * MIB));
    let written = home.session().write(&bytes(len)).expect("there is room");
    let place = home.place(&written);
    let theirs = copy.session();
    let there = theirs.far(place.clone(), Box::new(()));
    assert!(read(&there).await.expect("it comes")[..] == bytes(len)[..]);
    // One copy is known, whoever has asked for it before.
    let gate = Gate::before(place.origin.at);
    let session = here.session();
    let far = session.far(gate.stands_before(place), Box::new(()));
    let reads = read_beside(&far);
    until(|| copy.depot.row().pushed_ever > 0).await;
    gate.opens();
    let read = reads.await.expect("it does not panic").expect("it comes");
    assert!(read[..] == bytes(len)[..]);
    let (own, theirs) = (home.depot.row().pushed_ever, copy.depot.row().pushed_ever);
    assert_eq!(here.depot.row().pulled_ever, len as u64);
    assert!(own + theirs >= 2 * len as u64, "{own} {theirs}");
    for node in [home, copy, here] {
        node.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_nodes_get_one_object_from_each_other() {
    let token = token();
    let len = 3 * limits::PULL_PIECE as usize + 77;
    let home = Node::start(&token, 32 * MIB);
    let written = home.session().write(&bytes(len)).expect("there is room");
    // Nobody gets much of it before all have asked.
    let gate = Gate::before(home.place(&written).origin.at);
    let place = gate.stands_before(home.place(&written));
    let nodes: Vec<_> = (0..6).map(|_| Node::start(&token, 32 * MIB)).collect();
    let sessions: Vec<_> = nodes.iter().map(Node::session).collect();
    let far: Vec<_> =
        sessions.iter().map(|session| session.far(place.clone(), Box::new(()))).collect();
    let reads: Vec<_> = far.iter().map(read_beside).collect();
    until(|| gate.connections() >= nodes.len() as u64).await;
    gate.opens();
    for read in reads {
        let read = read.await.expect("it does not panic").expect("it comes");
        assert!(read[..] == bytes(len)[..]);
    }
    let pulled: u64 = nodes.iter().map(|node| node.depot.row().pulled_ever).sum();
    let pushed: u64 = nodes.iter().map(|node| node.depot.row().pushed_ever).sum();
    let own = home.depot.row().pushed_ever;
    // What was slow to come may have come from another one once more.
    assert!(pulled == 6 * len as u64 && own + pushed >= pulled, "{pulled} {own} {pushed}");
    assert!(own < 6 * len as u64, "the home gave all copies");
    assert!(pushed > 0, "one who had it gave it on");
    home.end().await;
    for node in nodes {
        node.end().await;
    }
}
