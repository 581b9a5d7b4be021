//! Processes that write and read, and are killed in the midst of it: nothing that was sealed is harmed, and nothing leaks.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command};

use raytree_store::{
    Client, ClientId, ClientMemory, Lease, Location, Refused, Region, Standing, Store, Terms,
    Written,
};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

const SOCKET: &str = "RAYTREE_STORE_TEST_SOCKET";
const SEED: &str = "RAYTREE_STORE_TEST_SEED";
const SEEDS: u64 = 200;
const ROOM: u64 = 1 << 20;

/// Steps after which a process that was not killed ends by itself.
const STEPS: u64 = 60;

#[derive(Debug, Serialize, Deserialize)]
enum Says {
    Lease(Terms),
    Written(Written),
    /// Give me one that others have written.
    Any(u64),
    Free(Location),
}

#[derive(Debug, Serialize, Deserialize)]
enum Told {
    Lent(Result<Lease, Refused>),
    This(Option<Location>),
}

/// What an object begins with: its length and a sum of what follows.
const HEAD: usize = 16;

fn write(space: &mut [u8], seed: u64) {
    let mut random = Random(seed);
    let len = space.len() as u64;
    space[HEAD..].iter_mut().for_each(|byte| *byte = random.next() as u8);
    let sum: u64 = space[HEAD..].iter().map(|byte| u64::from(*byte) + 1).sum();
    space[..8].copy_from_slice(&len.to_le_bytes());
    space[8..HEAD].copy_from_slice(&sum.to_le_bytes());
}

fn is_whole(view: &[u8]) -> bool {
    let word = |at: usize| u64::from_le_bytes(view[at..at + 8].try_into().unwrap());
    let sum: u64 = view[HEAD..].iter().map(|byte| u64::from(*byte) + 1).sum();
    word(0) == view.len() as u64 && word(8) == sum
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// The process: writes and reads at random, and is killed at some step, in the midst of it.
fn child(socket: &str, seed: u64) {
    let stream = UnixStream::connect(socket).unwrap();
    let client = Client::new(ClientMemory::receive(&stream).unwrap());
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let says = |what: &Says| writeln!(&stream, "{}", serde_json::to_string(what).unwrap()).unwrap();
    let mut told = || {
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        serde_json::from_str::<Told>(&line).unwrap()
    };
    let mut random = Random(seed);
    let last = random.next() % (2 * STEPS);
    let dies = |step| {
        if step == last {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    };
    let mut views = Vec::new();
    for step in 0..STEPS {
        match random.next() % 6 {
            0..3 => {
                let len = HEAD as u64 + random.next() % 3000;
                let mut space = client.space(len);
                if space.is_none() {
                    says(&Says::Written(client.written()));
                    says(&Says::Lease(Terms { bytes: 8192, objects: 4 }));
                    if let Told::Lent(Ok(lease)) = told() {
                        client.lend(lease);
                    }
                    space = client.space(len);
                }
                let Some(mut space) = space else { continue };
                let half = space.len() / 2;
                space[..half].fill(0xaa);
                dies(step);
                write(&mut space, random.next());
                let at = space.seal();
                if random.next().is_multiple_of(8) {
                    // Others are told before the store is.
                    says(&Says::Free(at));
                    dies(step);
                }
                says(&Says::Written(client.written()));
            }
            3 | 4 => {
                says(&Says::Any(random.next()));
                if let Told::This(Some(at)) = told()
                    && let Ok(view) = client.view(at)
                {
                    assert!(is_whole(&view), "{at:?}");
                    views.push(view);
                }
                dies(step);
                assert!(views.iter().all(|view| is_whole(view)));
                if views.len() > 4 {
                    views.swap_remove(0);
                }
            }
            _ => {
                says(&Says::Any(random.next()));
                if let Told::This(Some(at)) = told() {
                    says(&Says::Free(at));
                }
                dies(step);
            }
        }
    }
}

/// The store of the test, and what is known of its objects.
struct Node {
    store: Store,
    /// Its own process, which holds them.
    own: ClientId,
    objects: Vec<Location>,
    /// Freed before they were sealed.
    early: Vec<Location>,
}

impl Node {
    /// Until the process at the other end is gone.
    fn serve(&mut self, id: ClientId, stream: &UnixStream) {
        for line in BufReader::new(stream).lines() {
            // What was written half is of one that was killed.
            let Some(says) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else {
                return;
            };
            let told = match says {
                Says::Lease(terms) => Told::Lent(self.store.lease(id, terms)),
                Says::Any(which) => {
                    let at = usize::try_from(which).unwrap().checked_rem(self.objects.len());
                    Told::This(at.map(|at| self.objects[at]))
                }
                Says::Written(written) => {
                    self.store.written(id, &written).unwrap();
                    for at in written.sealed.iter().map(|one| one.location) {
                        if self.early.contains(&at) {
                            self.store.free(&[at]);
                        } else {
                            assert_eq!(self.store.hold(self.own, &at), Standing::Sealed);
                            self.objects.push(at);
                        }
                    }
                    self.store.sweep();
                    continue;
                }
                Says::Free(at) => {
                    self.store.free(&[at]);
                    // What nobody looks at is given away at once, so that a view that is not pinned would be seen.
                    self.store.sweep();
                    let before = self.objects.len();
                    self.objects.retain(|own| *own != at);
                    if before == self.objects.len() {
                        self.early.push(at);
                    }
                    continue;
                }
            };
            // One that was killed hears nothing.
            _ = writeln!(&*stream, "{}", serde_json::to_string(&told).unwrap());
        }
    }
}

#[test]
fn bk_3_whoever_is_killed_while_it_writes_or_reads_harms_nothing_and_leaks_nothing() {
    if let (Ok(socket), Ok(seed)) = (std::env::var(SOCKET), std::env::var(SEED)) {
        return child(&socket, seed.parse().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("store");
    let listener = UnixListener::bind(&socket).unwrap();
    let start = |seed: u64| -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let this = "deaths::bk_3_whoever_is_killed_while_it_writes_or_reads_harms_nothing_and_leaks_nothing";
        command.args(["--exact", this, "--nocapture"]).env(SOCKET, &socket);
        command.env(SEED, seed.to_string()).stdout(std::process::Stdio::null()).spawn().unwrap()
    };
    let mut store = Store::new(Region::Shared, ROOM).unwrap();
    let (own, memory) = store.join().unwrap();
    let mut node = Node { store, own, objects: Vec::new(), early: Vec::new() };
    let reader = Client::new(memory);
    let mut killed = 0;
    for seed in 0..SEEDS {
        let mut child = start(seed);
        let (stream, _) = listener.accept().unwrap();
        let (id, memory) = node.store.join().unwrap();
        memory.send(&stream).unwrap();
        node.serve(id, &stream);
        let end = child.wait().unwrap();
        killed += u64::from(!end.success());
        assert!(end.success() || end.code().is_none(), "it has seen something wrong: {end}");
        node.store.leave(id);
        for at in &node.objects {
            assert!(is_whole(&reader.view(*at).unwrap()), "{at:?} after {seed}");
        }
        let used = node.store.used();
        assert_eq!((used.lent, used.dying, used.objects), (0, 0, node.objects.len()), "{seed}");
    }
    assert!(killed > SEEDS / 4, "only {killed} were killed");
    node.store.free(&node.objects);
    node.store.sweep();
    let used = node.store.used();
    assert_eq!((used.lent + used.sealed + used.dying, used.objects), (0, 0));
    node.store.leave(own);
}
