//! Actors on one worker call actors on another one, past the driver.

use std::fs;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;

use raytree::prelude::*;
use raytree::{Result, get_all};
use raytree_wire::{Hello, Plane, Token, dial};
use rustix::process::Signal;

use super::doors::{WITHIN, inodes, port};
use super::support::{Cluster, Driver, SAYS, freeze, lives, of, send, thaw, until};
use cast::{Caller, CallerHandle, Recorder, RecorderHandle};

mod cast;

/// Two workers, and an actor on each.
struct Scene {
    driver: Driver,
    cluster: Cluster,
    recorder: RecorderHandle,
    caller: CallerHandle,
    recorder_at: u32,
    caller_at: u32,
}

impl Scene {
    fn start(plan: super::support::Plan, options: ActorOptions) -> Self {
        // One worker more, where the next life finds nobody.
        let cluster = plan.nodes(2).start();
        let driver = cluster.driver();
        let (recorder, caller, recorder_at, caller_at) = driver.run(actors(options));
        Self { driver, cluster, recorder, caller, recorder_at, caller_at }
    }

    fn file(&self, name: &str) -> String {
        self.cluster.folder.path().join(name).display().to_string()
    }

    /// The caller calls often enough for a way of its own.
    fn goes_over(&self) {
        let address = port(self.recorder_at);
        until("a link between the workers", || {
            self.driver.run(async { self.caller.notes(0, 20, 4).await });
            is_linked(self.caller_at, address)
        });
        // It is used when what went before has been answered.
        self.driver.run(async { self.caller.notes(0, 20, 1).await });
    }

    /// An open call from worker to worker; both names are of files.
    fn waits(&self, began: &str, gate: &str) -> ObjectRef<String> {
        let (began, gate) = (self.file(began), self.file(gate));
        let open = self.driver.run(async { Ok(self.caller.waits(began.clone(), gate)) });
        until("its begin", || Path::new(&began).exists());
        open
    }
}

async fn actors(options: ActorOptions) -> Result<(RecorderHandle, CallerHandle, u32, u32)> {
    let recorder = Recorder::with(options).remote();
    let recorder_at = recorder.process().await?;
    let caller = Caller::remote(recorder.clone());
    let caller_at = caller.process().await?;
    assert_ne!(recorder_at, caller_at);
    Ok((recorder, caller, recorder_at, caller_at))
}

/// A process has a connection with whoever listens there.
fn is_linked(of: u32, to: SocketAddr) -> bool {
    let inodes = inodes(of);
    let sockets = fs::read_to_string(format!("/proc/{of}/net/tcp")).expect("sockets");
    let remote = format!(":{:04X}", to.port());
    sockets.lines().skip(1).any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words[3] == "01" && words[2].ends_with(&remote) && inodes.iter().any(|own| own == words[9])
    })
}

/// A program whose actors call each other until its input ends; nothing when it is run as a test.
#[test]
fn has_actors_that_call_each_other() {
    let cpus = std::env::var("RAYTREE_TEST_PROGRAM");
    if std::env::var_os("RAYTREE_ROLE").is_none() && cpus.is_err() {
        return;
    }
    let runtime = raytree::init().threads(2).start().expect("a runtime");
    let here = runtime.enter();
    until("all it is to get", || runtime.available_resources().to_string() == "2 CPU");
    let folder = std::env::current_dir().expect("a folder");
    let file = |name: &str| folder.join(name).display().to_string();
    let actors = runtime.block_on(actors(ActorOptions::new())).expect("actors");
    let open = actors.1.writes(file("lines"), file("gate"));
    println!("{SAYS}ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("an input");
    open.get().expect("its end");
    drop((actors, here));
    runtime.shutdown();
}

#[test]
fn ro_3_calls_between_workers_go_on_while_the_driver_stands_still() {
    let plan = of(ro_3_calls_between_workers_go_on_while_the_driver_stands_still);
    let cluster = plan.nodes(1).start();
    let mut program = cluster.program(has_actors_that_call_each_other, 2);
    assert_eq!(program.says(), "ready");
    let file = |name: &str| cluster.folder.path().join(name);
    let lines = || fs::read(file("lines")).map_or(0, |lines| lines.len() / 2);
    until("some calls", || lines() > 200);
    freeze(program.pid());
    let before = lines();
    until("many more calls", || lines() > before + 2000);
    thaw(program.pid());
    fs::write(file("gate"), "").expect("a file");
    program.ends();
}

#[test]
fn ro_1_calls_across_the_change_of_ways_arrive_in_order_and_once() {
    let plan = of(ro_1_calls_across_the_change_of_ways_arrive_in_order_and_once);
    let scene = Scene::start(plan, ActorOptions::new());
    // One that went through the driver and is not answered holds up nobody.
    let open = scene.waits("began", "gate");
    scene.driver.run(async { scene.caller.notes(0, 20_000, 300).await });
    assert!(is_linked(scene.caller_at, port(scene.recorder_at)));
    let seen = scene.driver.run(async { scene.recorder.seen().await });
    assert_eq!(seen.len(), 20_000);
    assert!(seen.is_sorted());
    fs::write(scene.file("gate"), "").expect("a file");
    let answer = scene.driver.run(open.into_future());
    assert_eq!(answer, scene.recorder_at.to_string());
    let sum = scene.driver.run(async { scene.caller.counts(10_000).await });
    assert_eq!(sum, 10_000 * 9_999 / 2);
}

#[test]
fn ro_3_a_worker_that_is_killed_with_open_direct_calls_tells_their_callers() {
    let plan = of(ro_3_a_worker_that_is_killed_with_open_direct_calls_tells_their_callers);
    let scene = Scene::start(plan, ActorOptions::new());
    scene.goes_over();
    let open = scene.waits("began", "gate");
    send(scene.recorder_at, Signal::KILL);
    let answer = scene.driver.run(open.into_future());
    assert_eq!(answer, "died, will_restart=true");
    assert!(!lives(scene.recorder_at), "nobody is told before it is dead");
    // The next life is found, and by and by directly.
    scene.driver.run(async { scene.caller.notes(0, 500, 10).await });
    let seen = scene.driver.run(async { scene.recorder.seen().await });
    assert_eq!(seen, (0..500).collect::<Vec<_>>());
}

#[test]
fn oc_2_direct_calls_that_may_be_made_again_are_when_their_worker_is_killed() {
    let plan = of(oc_2_direct_calls_that_may_be_made_again_are_when_their_worker_is_killed);
    let scene = Scene::start(plan, ActorOptions::new().retries(1));
    scene.goes_over();
    let open = scene.waits("began", "gate");
    fs::remove_file(scene.file("began")).expect("it has begun");
    send(scene.recorder_at, Signal::KILL);
    until("its second run", || Path::new(&scene.file("began")).exists());
    let pid = scene.driver.run(async { scene.recorder.process().await });
    assert_ne!(pid, scene.recorder_at);
    send(pid, Signal::KILL);
    // One retry and no more.
    let answer = scene.driver.run(open.into_future());
    assert_eq!(answer, "died, will_restart=true");
}

#[test]
fn ro_3_an_actor_that_panics_and_lives_again_is_found_again() {
    let plan = of(ro_3_an_actor_that_panics_and_lives_again_is_found_again);
    let scene = Scene::start(plan, ActorOptions::new());
    for _ in 0..3 {
        scene.driver.run(async { scene.caller.notes(0, 100, 10).await });
        let open = scene.waits("began", "gate");
        let failed = scene.driver.run(async { scene.caller.fails().await });
        assert_eq!(failed, "died, will_restart=true");
        let answer = scene.driver.run(open.into_future());
        assert_eq!(answer, "died, will_restart=true");
        fs::remove_file(scene.file("began")).expect("it has begun");
        let seen = scene.driver.run(async { scene.recorder.seen().await });
        assert_eq!(seen, Vec::<u64>::new(), "another life");
    }
}

#[test]
fn ro_2_a_direct_link_that_is_cut_leaves_nobody_waiting() {
    let plan = of(ro_2_a_direct_link_that_is_cut_leaves_nobody_waiting);
    let scene = Scene::start(plan, ActorOptions::new());
    scene.goes_over();
    let address = port(scene.recorder_at).port();
    let cut = || scene.driver.run(async { scene.caller.cuts(address).await });
    // With nothing open it costs nothing.
    assert_eq!(cut(), 1);
    scene.goes_over();
    assert_eq!(scene.driver.run(async { scene.recorder.process().await }), scene.recorder_at);
    // What is open has run or has not: that is known when its worker is dead.
    let open = scene.waits("began", "gate");
    assert_eq!(cut(), 1);
    let answer = scene.driver.run(open.into_future());
    assert_eq!(answer, "died, will_restart=true");
    assert!(!lives(scene.recorder_at));
    scene.driver.run(async { scene.caller.notes(0, 100, 10).await });
    assert_eq!(scene.driver.run(async { scene.caller.process().await }), scene.caller_at);
}

#[test]
fn ro_1_an_actor_of_the_same_worker_is_called_without_the_driver() {
    let plan = of(ro_1_an_actor_of_the_same_worker_is_called_without_the_driver);
    let cluster = plan.start();
    let driver = cluster.driver();
    let recorder = driver.run(async { Ok(Recorder::remote()) });
    let caller = driver.run(async { Ok(Caller::remote(recorder.clone())) });
    driver.run(async { caller.notes(0, 5000, 100).await });
    let seen = driver.run(async { recorder.seen().await });
    assert_eq!(seen, (0..5000).collect::<Vec<_>>());
    // Each has a fence, and those that went past the driver are not counted there.
    let direct = 5000 - recorder.probe().expect("it lives").handled();
    assert!(direct > 2000, "{direct}");
    let theirs = driver.run(async { caller.asks_theirs().await });
    assert_eq!(theirs, (7, 7, 7 + 8 + 9));
}

#[test]
fn a_direct_caller_that_is_too_far_ahead_is_told_so_as_others_are() {
    let plan = of(a_direct_caller_that_is_too_far_ahead_is_told_so_as_others_are);
    let scene = Scene::start(plan, ActorOptions::new().mailbox(4));
    scene.goes_over();
    let (began, gate) = (scene.file("began"), scene.file("gate"));
    let open = scene.driver.run(async {
        let open: Vec<_> =
            (0..4).map(|_| scene.recorder.waits(began.clone(), gate.clone())).collect();
        Ok(open)
    });
    until("a begin", || Path::new(&began).exists());
    // Those of the driver fill the mailbox, and the other one's calls are refused there.
    let mut told = String::new();
    until("a refusal", || {
        let noted = scene.driver.0.block_on(async { scene.caller.notes(0, 1, 1).await });
        told = noted.map_or_else(|error| error.to_string(), |()| String::new());
        !told.is_empty()
    });
    assert!(told.contains("Recorder") && told.contains('4'), "{told}");
    fs::write(gate, "").expect("a file");
    scene.driver.run(get_all(open).into_future());
    scene.driver.run(async { scene.caller.notes(0, 1, 1).await });
}

#[test]
fn lb_2_what_direct_calls_refer_to_does_not_hang_from_those_who_pass_it() {
    let plan = of(lb_2_what_direct_calls_refer_to_does_not_hang_from_those_who_pass_it);
    let scene = Scene::start(plan, ActorOptions::new());
    scene.goes_over();
    let turned = scene.driver.run(async {
        let mut given = Vec::new();
        for number in 0..5_u64 {
            given.push(raytree::put(number).await?);
        }
        scene.caller.turns(given).await
    });
    assert_eq!(turned.len(), 6);
    let theirs = scene.driver.run(async { scene.caller.asks_theirs().await });
    assert_eq!(theirs, (7, 7, 7 + 8 + 9));
    let own = scene.driver.run(turned[5].clone().into_future());
    assert_eq!(own, 7);
    send(scene.recorder_at, Signal::KILL);
    until("its end", || !lives(scene.recorder_at));
    let rest = scene.driver.run(get_all(turned.into_iter().take(5)).into_future());
    assert_eq!(rest, [4, 3, 2, 1, 0]);
}

#[test]
fn wn_1_a_worker_lets_in_nobody_of_another_job_or_for_another_life() {
    let plan = of(wn_1_a_worker_lets_in_nobody_of_another_job_or_for_another_life);
    let scene = Scene::start(plan, ActorOptions::new());
    let token = Token::load(scene.cluster.token_file()).expect("its token");
    let worker = |job: u32, node: &str, life: u32| {
        format!(r#"{{"job":{job},"node":"{node}","incarnation":1,"life":{life}}}"#)
    };
    let (own, other) = (worker(1, "node-1", 1), worker(1, "head", 1));
    let strangers = [
        (worker(2, "head", 1), own.clone()),
        (other.clone(), worker(1, "node-1", 2)),
        (other.clone(), worker(2, "node-1", 1)),
        (own.clone(), own),
    ];
    for pid in [scene.caller_at, scene.recorder_at] {
        for (from, to) in &strangers {
            let greeting = format!(r#"{{"neighbour":{{"from":{from},"to":{to}}}}}"#);
            let hello = Hello::new(Plane::Calls, "insider", greeting.as_str()).expect("a greeting");
            let stream = dial(port(pid), &token, None, &hello, WITHIN).expect("it knows the token");
            let (mut reads, _writes) = stream.split();
            assert_eq!(reads.read(&mut [0]).unwrap_or(0), 0, "{greeting}");
        }
    }
    scene.goes_over();
}

#[test]
fn ro_3_a_stream_that_nobody_reads_holds_up_no_other_call_when_its_life_ends() {
    let plan = of(ro_3_a_stream_that_nobody_reads_holds_up_no_other_call_when_its_life_ends);
    let scene = Scene::start(plan, ActorOptions::new());
    scene.goes_over();
    let (read, end) = scene.driver.run(async { scene.caller.reads_late().await });
    assert!(read > 1, "what has come of it is read");
    assert_eq!(end, "died, will_restart=true");
}
