//! Processes that use a store and are killed at any moment: nothing that somebody holds is harmed, and nothing is left of them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use raytree_objects::{Depot, Location, Need, Place, Session, Stored};
use raytree_types::Bytes;
use raytree_wire::Token;
use rustix::process::{Pid, Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

use super::sessions::{Node, until};
use super::spilling::terms;
use super::transfer::Node as Peer;

const DOOR: &str = "RAYTREE_TEST_DOOR";
const SEED: &str = "RAYTREE_TEST_SEED";
const SEEDS: u64 = 200;
const STEPS: u64 = 40;

/// What the process says.
#[derive(Serialize, Deserialize)]
enum Says {
    /// It holds this one until it is told that somebody else does.
    Made(Location),
    /// It wants to be told of an object.
    Any,
}

/// What it is told.
#[derive(Serialize, Deserialize)]
enum Told {
    /// This is held by the one who says it.
    This(Option<Location>),
    /// This is in the store of another node.
    Far(Place),
    /// The store holds it for the one who was told of it.
    LetGo(Location),
}

pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Bytes that tell whether they are what they were.
pub(super) fn written(random: &mut Random) -> Vec<u8> {
    let first = random.next().to_le_bytes();
    // Below and above what has room of its own.
    let len = if random.below(4) == 0 { 300_000 } else { 1 + random.below(4000) };
    first.into_iter().chain((0..len).map(|at| first[(at % 8) as usize] ^ at as u8)).collect()
}

pub(super) fn is_whole(bytes: &Bytes) -> bool {
    let (first, rest) = bytes.split_at(8);
    (0u64..).zip(rest).all(|(at, byte)| *byte == first[(at % 8) as usize] ^ at as u8)
}

/// Writes, looks, lets go, and is killed or ends.
fn child(door: &str, seed: u64) {
    let session = Session::join(door).expect("it opens");
    let mut random = Random(seed);
    let dies_at = random.below(STEPS * 2);
    let says = |says: &Says| {
        let line = serde_json::to_string(says).expect("it is written");
        _ = writeln!(std::io::stderr(), "{line}");
    };
    let (tell, told) = std::sync::mpsc::sync_channel(1000);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lines().map_while(Result::ok);
        lines.filter_map(|line| serde_json::from_str::<Told>(&line).ok()).for_each(|told| {
            _ = tell.send(told);
        });
    });
    let (mut made, mut held, mut looked) = (Vec::new(), Vec::new(), Vec::new());
    let mut coming: Vec<Arc<Stored>> = Vec::new();
    for step in 0..STEPS {
        if step == dies_at {
            _ = kill_process(getpid(), Signal::KILL);
        }
        match random.below(6) {
            0..3 => {
                let Ok(stored) = session.write(&written(&mut random)) else { continue };
                // It stays where it is for whoever is told.
                let bytes = stored.bytes().expect("its own");
                says(&Says::Made(stored.location().expect("its own")));
                made.push((stored, bytes));
            }
            3 => says(&Says::Any),
            4 if !coming.is_empty() => {
                let stored = coming.swap_remove(0);
                assert!(is_whole(&stored.bytes().expect("it comes")));
                held.push(stored);
            }
            4 if !held.is_empty() => drop(held.swap_remove(0)),
            _ if !looked.is_empty() => drop(looked.swap_remove(0)),
            _ => {}
        }
        while let Ok(told) = told.try_recv() {
            match told {
                Told::This(Some(at)) => {
                    // Its holder may have let go of it by now: he was not asked to wait.
                    let Ok(stored) = session.take(at, Box::new(())) else { continue };
                    let bytes = stored.bytes().expect("it is held");
                    assert!(is_whole(&bytes), "{at:?}");
                    held.push(stored);
                    looked.push(bytes);
                }
                Told::This(None) => {}
                Told::Far(place) => {
                    let far = session.far(place, Box::new(()));
                    // It may be killed while it comes.
                    far.brings(Need::Ahead, |_| ());
                    coming.push(far);
                }
                Told::LetGo(at) => {
                    made.retain(|(own, _): &(Arc<Stored>, Bytes)| own.location() != Some(at));
                }
            }
        }
        assert!(looked.iter().all(is_whole));
        if let Some(stored) = held.last() {
            assert!(is_whole(&stored.bytes().expect("it is held")));
        }
    }
}

/// Says to the one who wrote an object that it is held, when it is.
struct Tells(Arc<Mutex<ChildStdin>>, Location);

impl Drop for Tells {
    fn drop(&mut self) {
        let line = serde_json::to_string(&Told::LetGo(self.1)).expect("it is written");
        // It may have ended.
        _ = writeln!(self.0.lock(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dp_1_sn_1_whoever_is_killed_harms_nothing_and_leaves_nothing() {
    if is_one_to_be_killed() {
        return;
    }
    let node = Node::start();
    let this = "deaths::dp_1_sn_1_whoever_is_killed_harms_nothing_and_leaves_nothing";
    kills(&node.depot, this, (7, true), None).await;
    node.end().await;
}

/// Nearly all goes to disk and comes back meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dp_1_sn_1_nor_where_all_is_spilled() {
    if is_one_to_be_killed() {
        return;
    }
    let place = tempfile::tempdir().expect("a folder");
    let node = Node::with(Some(terms(20, place.path())));
    kills(&node.depot, "deaths::dp_1_sn_1_nor_where_all_is_spilled", (8, false), None).await;
    until(|| node.depot.row().spilled == 0).await;
    let row = node.depot.row();
    assert!(row.spilled_ever > 1 << 20 && row.restored_ever > 1 << 19, "{row:?}");
    assert_eq!((row.spilled_objects, row.waiting), (0, 0));
    node.end().await;
}

/// Meanwhile objects come from another node, some of them from its disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dp_1_pu_1_nor_while_objects_come_from_another_node() {
    if is_one_to_be_killed() {
        return;
    }
    let token = Token::random().expect("random bytes");
    let places = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let [home, here] =
        places.each_ref().map(|at| Peer::with(&token, 8 << 20, Some(terms(20, at.path()))));
    let this = "deaths::dp_1_pu_1_nor_while_objects_come_from_another_node";
    kills(&here.depot, this, (9, false), Some(&home)).await;
    let row = here.depot.row();
    assert!(row.pulled_ever > 4 << 20 && row.spilled_ever > 0, "{row:?}");
    home.has(0).await;
    home.end().await;
    here.end().await;
}

/// Kills every other process in the midst of what it does: when so much has changed in the store, as room is lent to it that it writes to,
/// or something is sealed, let go of or read back.
struct Watch(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Watch {
    fn new(depot: &Arc<Depot>, process: &Child, seed: u64) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (ends, depot) = (Arc::clone(&is_over), Arc::clone(depot));
        let mut marks = 1 + Random(seed).below(20);
        let process = Pid::from_child(process);
        let watches = move || {
            let look = || (depot.used(), depot.row().restored_ever);
            let mut last = look();
            while !ends.load(Ordering::SeqCst) && marks > 0 {
                let now = look();
                marks -= u64::from(now != last);
                last = now;
                thread::yield_now();
            }
            if marks == 0 {
                _ = kill_process(process, Signal::KILL);
            }
        };
        Self(is_over, (seed % 2 == 1).then(|| thread::spawn(watches)))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
        self.1.take().into_iter().for_each(|watches| watches.join().expect("it has ended well"));
    }
}

fn is_one_to_be_killed() -> bool {
    let (Ok(door), Ok(seed)) = (std::env::var(DOOR), std::env::var(SEED)) else { return false };
    child(&door, seed.parse().expect("a number"));
    true
}

/// Processes are killed one after the other; what they have written is held, and looked at all the time or now and then. Where there is
/// another node, they are told of objects of it, too.
async fn kills(depot: &Arc<Depot>, this: &str, (seed, looks): (u64, bool), home: Option<&Peer>) {
    let session = Session::join(depot.door()).expect("it opens");
    let others = home.map(Peer::session);
    let mut far: Vec<Arc<Stored>> = Vec::new();
    let mut random = Random(seed);
    let (mut killed, mut taken) = (0, 0u64);
    let mut held: Vec<(Arc<Stored>, Option<Bytes>)> = Vec::new();
    for seed in 0..SEEDS {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", this, "--nocapture"]).env(SEED, seed.to_string());
        for others in others.iter().filter(|_| seed % 5 == 0) {
            far = (0..6).map(|_| others.write(&written(&mut random)).expect("room")).collect();
        }
        command.env(DOOR, depot.door()).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut process = command.stderr(Stdio::piped()).spawn().expect("a process");
        let stdin = Arc::new(Mutex::new(process.stdin.take().expect("a line")));
        let watch = Watch::new(depot, &process, seed);
        for line in BufReader::new(process.stderr.take().expect("a line")).lines() {
            let line = line.expect("text");
            match serde_json::from_str(&line) {
                Ok(Says::Made(at)) => {
                    // Gone with its writer, perhaps.
                    if let Ok(stored) = session.take(at, Box::new(Tells(Arc::clone(&stdin), at))) {
                        let bytes = stored.bytes().expect("it is held");
                        assert!(is_whole(&bytes), "{at:?} of {seed}");
                        held.push((stored, looks.then_some(bytes)));
                        taken += 1;
                    }
                }
                Ok(Says::Any) if random.below(6) < far.len() as u64 / 2 => {
                    let stored = &far[random.below(far.len() as u64) as usize];
                    let place = home.expect("another node").place(stored);
                    let line = serde_json::to_string(&Told::Far(place)).expect("it is written");
                    _ = writeln!(stdin.lock(), "{line}");
                }
                Ok(Says::Any) => {
                    let which = random.below(held.len().max(1) as u64) as usize;
                    // It stays where it is until he has had time to see it, mostly.
                    let own = held.get(which).map(|(stored, _)| (stored, stored.bytes()));
                    let at = own.as_ref().and_then(|(stored, _)| stored.location());
                    let line = serde_json::to_string(&Told::This(at)).expect("it is written");
                    _ = writeln!(stdin.lock(), "{line}");
                }
                Err(_) => assert!(!line.contains("panicked"), "{seed}: {line}"),
            }
            while held.len() > 6 {
                held.swap_remove(random.below(7) as usize);
            }
        }
        // It is there until it is waited for.
        drop(watch);
        let end = process.wait().expect("it has ended");
        killed += u64::from(!end.success());
        assert!(end.success() || end.code().is_none(), "it has seen something wrong: {end}");
        // This one's, and that of the node itself where it fetches.
        let own = 1 + usize::from(home.is_some());
        until(|| depot.clients() == own).await;
        for (stored, bytes) in &held {
            let bytes = bytes.clone().unwrap_or_else(|| stored.bytes().expect("it is held"));
            assert!(is_whole(&bytes), "{stored:?} after {seed}");
        }
    }
    assert!(
        killed > SEEDS / 4 && taken > SEEDS,
        "{killed} were killed, {taken} objects were taken"
    );
    drop((held, far));
    until(|| depot.used().objects == 0 && depot.used().dying == 0).await;
    if home.is_none() {
        assert_eq!((depot.used().lent, depot.used().sealed), (0, 0));
    }
}
