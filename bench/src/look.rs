//! Rows of the inspector: what it costs to look, and what it costs to be looked at.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use raytree::Runtime;
use raytree::inspect::{Reply, Request, Selection};
use raytree::prelude::*;
use raytree_inspector::client::{Client, SocketLine, find};
use raytree_supervise::Probe;

use crate::actors::{Echo, Say, WINDOW};
use crate::report::{Report, Row, idle, median, now, time};

/// All rows, in the order in which they are printed.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "inspect_10k_actors_ms", run: inspect },
    Row { name: "inspect_10k_follow_ms", run: follow },
    Row { name: "probe_overhead", run: probe_overhead },
];

const ACTORS: usize = 10_000;

/// A runtime with so many actors, that can be looked at.
pub(crate) struct Scene {
    runtime: Runtime,
    actors: Vec<ActorHandle<Echo>>,
    socket: PathBuf,
}

/// The socket of this process in the folder, once it is open. Nodes that it has started have theirs beside it.
pub(crate) fn socket_in(folder: &Path) -> Result<PathBuf> {
    let began = now();
    loop {
        let ours = find(folder)?.into_iter().find(|(name, _)| name.pid == std::process::id());
        if let Some((_, socket)) = ours {
            return Ok(socket);
        }
        ensure!(began.elapsed() < WITHIN, "no socket in {}", folder.display());
        idle(Duration::from_millis(1));
    }
}

impl Scene {
    pub(crate) fn new(folder: &Path, actors: usize) -> Result<Self> {
        let runtime = raytree::init().threads(1).inspector(true).inspect_dir(folder).start()?;
        let spawn = |_| runtime.spawn::<Echo>((), ActorOptions::new());
        let actors = (0..actors).map(spawn).collect::<raytree::Result<Vec<_>>>()?;
        for actor in &actors {
            runtime.block_on(actor.ready())?;
        }
        let socket = socket_in(folder)?;
        Ok(Self { runtime, actors, socket })
    }

    /// One in a hundred of them does something.
    pub(crate) fn works(&self, round: usize) -> Result<()> {
        let busy = self.actors.len().div_ceil(100);
        for at in 0..busy {
            let actor = &self.actors[(round * busy + at) % self.actors.len()];
            self.runtime.block_on(actor.call(Say(0)))?;
        }
        Ok(())
    }
}

const WITHIN: Duration = Duration::from_secs(30);

/// From the question to the whole tree, over a socket. The floor is to write the same answer as JSON and to read it.
fn inspect(report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scene = Scene::new(&folder.path().join("inspect"), ACTORS)?;
    let mut client = Client::new(Box::new(SocketLine::open(&scene.socket)?));
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..report.repeats(15) {
        let (took, reply) = time(|| client.ask(Request::Tree(Selection::default()), WITHIN));
        let reply = reply?;
        ours.push(took.as_secs_f64() * 1e3);
        let (took, read) = time(|| {
            serde_json::to_vec(&reply).and_then(|line| serde_json::from_slice::<Reply>(&line))
        });
        floor.push(took.as_secs_f64() * 1e3);
        if read? != reply {
            return Err(anyhow!("the answer reads as another one"));
        }
    }
    report.row("inspect_10k_actors_ms", median(ours), "ms");
    report.row("inspect_10k_actors_ms.floor", median(floor), "ms");
    scene.runtime.shutdown();
    Ok(())
}

/// What one more second of a live view costs, both sides together, when 1 % of the actors have done something. The floor is to
/// compare as many rows.
fn follow(report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scene = Scene::new(&folder.path().join("inspect"), ACTORS)?;
    let mut client = Client::new(Box::new(SocketLine::open(&scene.socket)?));
    let selection = Selection { whole: true, ..Selection::default() };
    let (_, rows) = client.follow(&selection, WITHIN)?;
    let (before, after) = (rows.clone(), rows.clone());
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for round in 0..report.repeats(31) {
        scene.works(round)?;
        let (took, followed) = time(|| client.follow(&selection, WITHIN).map(drop));
        followed?;
        ours.push(took.as_secs_f64() * 1e3);
        let (took, same) = time(|| before.rows.iter().zip(&after.rows).all(|(a, b)| a == b));
        floor.push(took.as_secs_f64() * 1e3);
        if !same {
            return Err(anyhow!("a copy is another"));
        }
    }
    report.row("inspect_10k_follow_ms", median(ours), "ms");
    report.row("inspect_10k_follow_ms.floor", median(floor), "ms");
    scene.runtime.shutdown();
    Ok(())
}

/// What an actor's probe notes of each call, as a share of the call: measured beside it, in turn. The floor are two looks at the
/// clock.
fn probe_overhead(report: &mut Report) -> Result<()> {
    let runtime = raytree::init().threads(2).start()?;
    let echo = runtime.spawn::<Echo>((), ActorOptions::new())?;
    runtime.block_on(echo.ready())?;
    let (repeats, calls) = (report.repeats(15), report.size(200_000));
    let probe = Probe::alone("echo");
    let (mut shares, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..repeats {
        let own = echo.clone();
        let task = runtime.tokio().spawn(async move {
            let start = now();
            for _ in 0..calls / WINDOW {
                let answers: Vec<_> = (0..WINDOW as u64).map(|n| own.call(Say(n))).collect();
                for answer in answers {
                    answer.await?;
                }
            }
            Ok::<_, raytree::Error>(start.elapsed())
        });
        let call = runtime.block_on(task)??.as_secs_f64() / (calls / WINDOW * WINDOW) as f64;
        let (noted, ()) = time(|| (0..calls).for_each(|_| probe.passes("Say")));
        let (clock, _) = time(|| (0..calls * 2).fold(now(), |_, _| now()));
        let part = |took: Duration| {
            let one = took.as_secs_f64() / calls as f64;
            100.0 * one / (call - one)
        };
        shares.push(part(noted));
        floors.push(part(clock));
    }
    report.row("probe_overhead", median(shares), "%");
    report.row("probe_overhead.floor", median(floors), "%");
    runtime.shutdown();
    Ok(())
}
