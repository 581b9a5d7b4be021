//! The inspector of a running system, asked through its socket.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use raytree_types::inspect::{
    Answer, Asked, INSPECT_VERSION, Refused, Reply, Request, Selection, TreeRows,
};
use raytree_types::{ActorOptions, limits};
use tempfile::TempDir;

use crate::{Actor, ActorContext, ActorHandle, BoxError, Call, Init, Runtime};

/// Spawns a child when told to, and keeps it.
struct Parent(Vec<ActorHandle<Parent>>);

struct Spawn(&'static str, ActorOptions);

impl Actor for Parent {
    type Args = ();
    async fn start(_: (), _ctx: &ActorContext<Self>) -> Result<Self, BoxError> {
        Ok(Self(Vec::new()))
    }
}

impl Call<Spawn> for Parent {
    type Reply = ActorHandle<Parent>;
    async fn call(
        &mut self,
        Spawn(name, options): Spawn,
        ctx: &ActorContext<Self>,
    ) -> ActorHandle<Parent> {
        let child = ctx.spawn::<Parent>((), options.name(name)).expect("a child");
        self.0.push(child.clone());
        child
    }
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("ours");
    folder
}

fn start(folder: &Path) -> Runtime {
    let init = Init::new().cpus(1.0).threads(1).inspect_dir(folder);
    init.start().expect("a runtime")
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

/// The socket of a runtime, once it is there.
fn socket(runtime: &Runtime, folder: &Path) -> PathBuf {
    let name = format!("{}-{}.sock", std::process::id(), runtime.id().number());
    let path = folder.join(name);
    until(|| path.exists());
    path
}

struct Client(BufReader<UnixStream>);

impl Client {
    fn of(path: &Path) -> Self {
        Self(BufReader::new(UnixStream::connect(path).expect("a connection")))
    }

    fn say(&mut self, line: &str) -> Answer {
        self.send(line);
        self.hear().expect("an answer")
    }

    fn send(&mut self, line: &str) {
        // In one piece: whoever is hung up on cannot send a second one.
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).expect("sent");
    }

    /// The next answer; none when the runtime has hung up.
    fn hear(&mut self) -> Option<Answer> {
        let mut line = String::new();
        self.0.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        let reply: Reply = serde_json::from_str(&line).expect("a reply");
        assert_eq!((reply.version, reply.pid), (INSPECT_VERSION, std::process::id()));
        Some(reply.answer)
    }

    fn ask(&mut self, request: Request) -> Answer {
        let line = serde_json::to_string(&Asked::new(request)).expect("a line");
        self.say(&line)
    }

    fn rows(&mut self, selection: Selection) -> Vec<String> {
        match self.ask(Request::Tree(selection)) {
            Answer::Tree(TreeRows { rows, more: 0, .. }) => {
                rows.iter().map(|row| format!("{} {} {}", row.depth, row.name, row.state)).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

const ALL: Selection =
    Selection { owners: false, whole: false, path: None, depth: None, failed: false, since: None };

#[test]
fn a_fresh_tree_is_read_through_the_socket() {
    let folder = folder();
    let runtime = start(folder.path());
    let mut client = Client::of(&socket(&runtime, folder.path()));
    assert_eq!(client.ask(Request::Hello), Answer::Hello);
    assert_eq!(
        client.rows(ALL),
        [
            "0 raytree running",
            "1 gcs running",
            "2 actor_directory running",
            "1 node running",
            "2 local_scheduler running",
            "2 worker running",
            "3 actor_host running",
            "2 processes running",
            "2 memory_monitor running",
            "1 inspector running",
        ]
    );
    let worker = Selection { path: Some("node/worker".to_owned()), ..ALL };
    assert_eq!(client.rows(worker), ["0 worker running", "1 actor_host running"]);
    runtime.shutdown();
}

#[test]
fn owners_stand_above_what_they_spawned_and_the_detached_at_the_top() {
    let folder = folder();
    let runtime = start(folder.path());
    let mut client = Client::of(&socket(&runtime, folder.path()));
    let owners = Selection { owners: true, ..ALL };
    assert_eq!(client.rows(owners.clone()), [] as [&str; 0]);
    let _waiting = runtime.block_on(async {
        let options = || ActorOptions::new().cpus(0.0);
        let top = runtime.spawn::<Parent>((), options().name("top")).expect("an actor");
        let below = top.call(Spawn("below", options())).await.expect("a child");
        below.call(Spawn("deep", options())).await.expect("a child").ready().await.expect("up");
        let alone = below.call(Spawn("alone", options().detached())).await.expect("a child");
        alone.ready().await.expect("up");
        // Nothing is left for the last one.
        let holds = runtime.spawn::<Parent>((), ActorOptions::new().cpus(1.0).name("holds"));
        holds.as_ref().expect("an actor").ready().await.expect("up");
        let waits = runtime.spawn::<Parent>((), ActorOptions::new().cpus(1.0).name("waits"));
        (top, holds, waits)
    });
    assert_eq!(
        client.rows(owners.clone()),
        [
            "0 top#1 running",
            "1 below#2 running",
            "2 deep#3 running",
            "0 alone#4 running",
            "0 holds#5 running",
            "0 waits#6 pending",
        ]
    );
    let path = Some("top/below".to_owned());
    assert_eq!(
        client.rows(Selection { path, ..owners }),
        ["0 below#2 running", "1 deep#3 running"]
    );
    runtime.shutdown();
}

#[test]
fn a_bad_request_is_answered_and_harms_nobody() {
    let folder = folder();
    let runtime = start(folder.path());
    let path = socket(&runtime, folder.path());
    let mut client = Client::of(&path);
    for bad in ["", "hello", "{\"version\":2,\"request\":\"kill\"}", "\u{0}"] {
        assert!(matches!(client.say(bad), Answer::Refused(Refused::BadRequest { .. })), "{bad}");
    }
    let skew = Refused::Version { runtime: INSPECT_VERSION, client: 99 };
    assert_eq!(client.say("{\"version\":99}"), Answer::Refused(skew));
    let nowhere = Selection { path: Some("node/nobody".to_owned()), ..ALL };
    let refused = Refused::NoSuchPath { path: "raytree/node/nobody".to_owned(), near: Vec::new() };
    assert_eq!(client.ask(Request::Tree(nowhere)), Answer::Refused(refused));
    let long = "a".repeat(limits::INSPECT_REQUEST_BYTES_MAX + 1);
    let limit = limits::INSPECT_REQUEST_BYTES_MAX;
    assert_eq!(client.say(&long), Answer::Refused(Refused::TooLong { limit }));
    assert_eq!(client.hear(), None, "whoever sends too much is hung up on");
    assert_eq!(Client::of(&path).ask(Request::Hello), Answer::Hello);
    assert_eq!(runtime.probe("inspector").map(|probe| probe.restarts()), Some(0));
    runtime.shutdown();
}

#[test]
fn in_2_a_panic_of_the_inspector_leaves_the_door_open() {
    let folder = folder();
    let runtime = start(folder.path());
    let path = socket(&runtime, folder.path());
    let mut client = Client::of(&path);
    assert_eq!(client.ask(Request::Hello), Answer::Hello);
    let inode = |path: &Path| fs::metadata(path).expect("it is there").ino();
    let before = inode(&path);
    let probe = runtime.probe("inspector").expect("an inspector");
    // More often than the root would bear, were it counted there.
    for restarts in 1..=6 {
        probe.panic_now();
        until(|| probe.restarts() == restarts);
    }
    assert_eq!(Client::of(&path).ask(Request::Hello), Answer::Hello);
    assert_eq!(inode(&path), before);
    assert_eq!(client.hear(), None, "the conversation ended with that life");
    runtime.shutdown();
}

#[test]
fn an_actor_panics_when_the_socket_is_told_so() {
    let folder = folder();
    let runtime = start(folder.path());
    let mut client = Client::of(&socket(&runtime, folder.path()));
    // The inspector last: the conversation ends with that life.
    for path in ["gcs/actor_directory", "raytree/node/worker", "inspector"] {
        let name = path.trim_start_matches("raytree/");
        let probe = runtime.probe(name).expect("such an actor");
        assert_eq!(client.ask(Request::Panic { path: path.to_owned() }), Answer::Panics);
        until(|| probe.restarts() == 1);
        assert!(probe.last_causes()[0].to_string().contains("told to panic now"), "{path}");
    }
    let mut client = Client::of(&socket(&runtime, folder.path()));
    let nobody = Refused::NoSuchPath { path: "raytree/gcs/nobody".to_owned(), near: Vec::new() };
    let nobody = Answer::Refused(nobody);
    assert_eq!(client.ask(Request::Panic { path: "gcs/nobody".to_owned() }), nobody);
    runtime.shutdown();
}

#[test]
fn in_1_a_runtime_is_up_before_its_socket_is() {
    let folder = folder();
    let runtime = start(folder.path());
    // Ended before the moment after which the socket would have been opened, or after it: nothing is left.
    runtime.shutdown();
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn in_3_a_folder_that_others_may_enter_is_a_warning() {
    let folder = folder();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("ours");
    let runtime = start(folder.path());
    let told = || {
        let root = runtime.tree().root;
        let inspector = root.find("inspector");
        let noted = inspector.map(|inspector| inspector.recorder.clone()).unwrap_or_default();
        noted.iter().any(|event| event.what.contains("others may enter"))
    };
    until(told);
    runtime.block_on(async {
        let actor = runtime.spawn::<Parent>((), ActorOptions::new()).expect("an actor");
        actor.ready().await.expect("up");
    });
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    runtime.shutdown();
}

#[test]
fn the_socket_goes_with_its_runtime_however_it_ends() {
    let folder = folder();
    let runtime = start(folder.path());
    let path = socket(&runtime, folder.path());
    runtime.shutdown();
    assert!(!path.exists());
    let runtime = start(folder.path());
    let path = socket(&runtime, folder.path());
    drop(runtime);
    until(|| !path.exists());
}

#[test]
fn the_next_runtime_clears_away_what_a_dead_one_left() {
    let folder = folder();
    // A process number that is in use again.
    let stale = folder.path().join(format!("{}-999999.sock", std::process::id()));
    drop(UnixListener::bind(&stale).expect("a socket"));
    let runtime = start(folder.path());
    socket(&runtime, folder.path());
    assert!(!stale.exists());
    runtime.shutdown();
}

#[test]
fn more_clients_than_the_bound_wait_in_line() {
    let folder = folder();
    let runtime = start(folder.path());
    let path = socket(&runtime, folder.path());
    let mut clients: Vec<Client> =
        (0..limits::INSPECT_CONNECTIONS_MAX).map(|_| Client::of(&path)).collect();
    for client in &mut clients {
        assert_eq!(client.ask(Request::Hello), Answer::Hello);
    }
    let mut late = Client::of(&path);
    late.send(&serde_json::to_string(&Asked::new(Request::Hello)).expect("a line"));
    assert_eq!(clients[0].ask(Request::Hello), Answer::Hello, "those inside are served");
    clients.pop();
    assert_eq!(late.hear(), Some(Answer::Hello));
    runtime.shutdown();
}

#[test]
fn without_an_inspector_there_is_none() {
    let folder = folder();
    let init = Init::new().cpus(1.0).threads(1).inspect_dir(folder.path()).inspector(false);
    let runtime = init.start().expect("a runtime");
    assert!(runtime.tree().root.find("inspector").is_none());
    assert!(runtime.tree().root.find("gcs/actor_directory").is_some());
    runtime.shutdown();
}
