//! Nodes that are killed at any moment: whoever used them is told and keeps what he looks at, and nothing is left of them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Weak};
use std::thread;

use raytree_objects::{Depot, Lost, Need, NotStored, ObjectStore, Place, Session, Stored};
use raytree_supervise::Addr;
use raytree_types::{Bytes, limits};
use raytree_wire::Token;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::deaths::{Random, is_whole, written};
use super::sessions::until;
use super::spilling::{files, terms};
use super::transfer::Node;

const FOLDER: &str = "RAYTREE_TEST_NODE_FOLDER";
const SEED: &str = "RAYTREE_TEST_NODE_SEED";
/// It kills itself when so much has happened, or is killed by others at 0.
const MARKS: &str = "RAYTREE_TEST_NODE_MARKS";
/// From so many thousandths of its memory on it spills.
const SPILLS_AT: &str = "RAYTREE_TEST_NODE_SPILLS_AT";
const SEEDS: u64 = 50;
const ROOM: usize = 4 << 20;
/// More than any of them lives for.
const STEPS: usize = 2000;

/// What it says first.
#[derive(Serialize, Deserialize)]
struct Born {
    door: String,
    /// What it has for others.
    places: Vec<Place>,
}

/// Whether this process is one that is to be killed; it has ended then.
async fn is_one_to_be_killed() -> bool {
    let Ok(folder) = std::env::var(FOLDER) else { return false };
    let number =
        |name: &str| -> u64 { std::env::var(name).expect("it is told").parse().expect("a number") };
    let (folder, mut random) = (Path::new(&folder), Random(number(SEED)));
    let token = Token::load(folder.join("token")).expect("a token");
    let spills = terms(number(SPILLS_AT) as u32, &folder.join("spilled"));
    let node = Node::with(&token, ROOM, Some(spills));
    let session = node.session();
    let own: Vec<_> =
        (0..8).map(|_| session.write(&written(&mut random)).expect("there is room")).collect();
    let places = own.iter().map(|stored| node.place(stored)).collect();
    let born = Born { door: node.depot.door().to_owned(), places };
    let depot = Arc::downgrade(&node.depot);
    // It does not see what comes first, or a mark is nothing that others have done.
    let have_come = || {
        let used = node.depot.used();
        used.objects + used.on_disk == 8
    };
    until(have_come).await;
    let line = serde_json::to_string(&born).expect("it is written");
    _ = writeln!(std::io::stderr(), "{line}");
    // What it has of its own goes to disk all the while: it is not killed before it has said so.
    let marks = number(MARKS);
    if marks > 0 {
        thread::spawn(move || dies_after(&depot, marks));
    }
    let told = tokio::task::spawn_blocking(|| std::io::stdin().lines().count());
    _ = told.await;
    node.end().await;
    true
}

/// Kills this process when so much has changed in the store, whatever is under way then.
fn dies_after(depot: &Weak<Depot>, marks: u64) {
    let look = || {
        let row = depot.upgrade()?.row();
        let memory = (row.sealed, row.lent, row.dying, row.objects);
        Some((memory, row.spilled, row.spilled_ever, row.restored_ever, row.pushed_ever))
    };
    let (mut last, mut left) = (look(), marks);
    while left > 0 && last.is_some() {
        let now = look();
        left -= u64::from(now != last);
        last = now;
        thread::yield_now();
    }
    _ = kill_process(getpid(), Signal::KILL);
}

/// Where nodes live, one after the other.
struct Home {
    this: &'static str,
    folder: TempDir,
    token: Token,
    spills_at: u32,
}

impl Home {
    fn new(this: &'static str, spills_at: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let token = Token::load_or_create(folder.path().join("token")).expect("a token");
        Self { this, folder, token, spills_at }
    }

    fn born(&self, seed: u64, marks: u64) -> (Child, Born) {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", self.this, "--nocapture"]).env(SEED, seed.to_string());
        command.env(FOLDER, self.folder.path()).env(MARKS, marks.to_string());
        command.env(SPILLS_AT, self.spills_at.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        let mut lines = BufReader::new(process.stderr.take().expect("a line")).lines();
        let born = lines.find_map(|line| serde_json::from_str(&line.expect("text")).ok());
        (process, born.expect("it is born"))
    }

    /// It was killed, and the next store over the same folder removes what it has spilled.
    async fn is_dead(&self, mut process: Child) {
        let end = process.wait().expect("it has ended");
        assert!(end.code().is_none(), "it was not killed: {end}");
        let folder = self.folder.path().join("spilled");
        let addr = Addr::system::<ObjectStore>("object_store");
        let next = Depot::open(1 << 20, Some(terms(800, &folder)), addr).expect("a store");
        let lives = || std::fs::read_dir(&folder).map_or(0, Iterator::count);
        let is_spilled = |path: &Path| path.extension().is_some_and(|end| end == "spill");
        until(|| lives() <= 1 && !files(&folder).iter().any(|path| is_spilled(path))).await;
        drop(next);
        until(|| lives() == 0).await;
    }
}

/// What somebody has of a node that is gone.
async fn is_told(session: &Session, held: Vec<(Arc<Stored>, Option<Bytes>)>) {
    until(|| session.is_gone()).await;
    assert!(matches!(session.write(&[1; 300_000]), Err(NotStored::Gone)));
    for (stored, bytes) in held {
        assert!(bytes.iter().all(is_whole), "what is looked at stays");
        match stored.bytes() {
            Ok(bytes) => assert!(is_whole(&bytes)),
            Err(lost) => assert!(matches!(lost, Lost::StoreGone | Lost::Unreadable(_)), "{lost}"),
        }
    }
}

/// Writes until the node is gone; looks at some of what it has.
fn writes(session: &Session, random: &mut Random) -> Vec<(Arc<Stored>, Option<Bytes>)> {
    let mut held: Vec<(Arc<Stored>, Option<Bytes>)> = Vec::new();
    for _ in 0..STEPS {
        match session.write(&written(random)) {
            Ok(stored) => {
                let looks = random.below(3) == 0;
                let bytes = stored.bytes().ok().filter(|_| looks);
                held.push((stored, bytes));
            }
            Err(NotStored::Gone) => break,
            Err(other) => {
                assert!(matches!(other, NotStored::Refused(_)), "{other}");
                held.truncate(1);
            }
        }
        // An old one may be on disk.
        if let Some(Ok(bytes)) = held.first().map(|(stored, _)| stored.bytes()) {
            assert!(is_whole(&bytes));
        }
        if held.len() > 20 {
            held.swap_remove(random.below(20) as usize);
        }
    }
    held
}

async fn writes_until_it_dies(home: Home, marks: u64) {
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let (process, born) = home.born(seed, 1 + random.below(marks));
        let session = Session::join(&born.door).expect("it opens");
        let own = session.clone();
        let held = tokio::task::spawn_blocking(move || writes(&own, &mut random)).await;
        is_told(&session, held.expect("it has ended well")).await;
        home.is_dead(process).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sn_2_sl_1_a_node_that_is_killed_while_others_write_takes_nothing_and_leaves_nothing() {
    if is_one_to_be_killed().await {
        return;
    }
    let this = "node_deaths::sn_2_sl_1_a_node_that_is_killed_while_others_write_takes_nothing_and_leaves_nothing";
    writes_until_it_dies(Home::new(this, 800), 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sn_2_sl_1_nor_while_it_spills() {
    if is_one_to_be_killed().await {
        return;
    }
    let this = "node_deaths::sn_2_sl_1_nor_while_it_spills";
    writes_until_it_dies(Home::new(this, 50), 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sn_2_sl_1_nor_while_others_read() {
    if is_one_to_be_killed().await {
        return;
    }
    let home = Home::new("node_deaths::sn_2_sl_1_nor_while_others_read", 800);
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let (process, born) = home.born(seed, 1 + random.below(60));
        let [one, other] = [(); 2].map(|()| Session::join(&born.door).expect("it opens"));
        let reader = other.clone();
        let reads = move || {
            let mut held = Vec::new();
            for _ in 0..STEPS {
                let Ok(own) = one.write(&written(&mut random)) else { break };
                let at = own.location().expect("its own");
                // What is on disk by now is not there to be taken.
                let Ok(taken) = reader.take(at, Box::new(own)) else { continue };
                if let Ok(bytes) = taken.bytes() {
                    assert!(is_whole(&bytes));
                    held.push((taken, Some(bytes)));
                }
                if held.len() > 6 {
                    held.swap_remove(random.below(6) as usize);
                }
            }
            (one, held)
        };
        let (one, held) = tokio::task::spawn_blocking(reads).await.expect("it has ended well");
        until(|| one.is_gone()).await;
        is_told(&other, held).await;
        home.is_dead(process).await;
    }
}

/// Who fetches sees how far it has come, and kills it then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pu_2_sl_1_nor_while_others_fetch_and_nothing_is_left_with_them() {
    if is_one_to_be_killed().await {
        return;
    }
    let this = "node_deaths::pu_2_sl_1_nor_while_others_fetch_and_nothing_is_left_with_them";
    let home = Home::new(this, 50);
    let mut all = Vec::new();
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let (mut process, born) = home.born(seed, 0);
        let here = Node::with(&home.token, ROOM, None);
        let session = here.session();
        let far: Vec<_> =
            born.places.into_iter().map(|place| session.far(place, Box::new(()))).collect();
        far.iter().for_each(|far| far.brings(Need::Wait, |_| ()));
        let look = || (here.depot.used(), here.depot.row().pulled_ever);
        let (mut last, mut marks) = (look(), random.below(20));
        until(|| {
            // As often as it can be seen, and not only now and then.
            for _ in 0..1000 {
                let now = look();
                marks = marks.saturating_sub(u64::from(now != last));
                last = now;
                if marks == 0 || far.iter().all(|far| far.is_here()) {
                    return true;
                }
                thread::yield_now();
            }
            false
        })
        .await;
        process.kill().expect("it is there");
        for far in far.iter().filter(|far| far.is_here()) {
            assert!(is_whole(&far.bytes().expect("it has come")));
        }
        // One waits for what does not come any more, or has just come.
        let waits = Arc::clone(&far[random.below(8) as usize]);
        let waits =
            tokio::task::spawn_blocking(move || waits.bytes().map(|bytes| is_whole(&bytes)));
        drop(far);
        home.is_dead(process).await;
        all.push((here, session, waits));
    }
    let (mut come, mut lost) = (0, 0);
    for (here, session, waits) in all {
        match waits.await.expect("it has ended well") {
            Ok(is_whole) => {
                assert!(is_whole);
                come += 1;
            }
            Err(why) => {
                assert!(matches!(why, Lost::NotBrought(_) | Lost::Away(_)), "{why}");
                lost += 1;
            }
        }
        here.has(0).await;
        drop(session);
        // A slab for small ones is lent to the node itself.
        until(|| here.depot.used().taken() <= limits::STORE_SLAB).await;
        assert_eq!(here.depot.row().waiting, 0);
        here.end().await;
    }
    assert!(come > 0 && lost > 0, "{come} have come, {lost} are lost");
}
