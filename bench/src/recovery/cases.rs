//! The cases, one function each.

use std::thread::{park_timeout, scope};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use raytree::Runtime;
use rustix::process::Signal;

use super::cluster::{Cluster, children, parent, send, until};
use super::scene::{Scene, is_whole};
use super::{Case, Sample};
use crate::report::now;

pub(super) const ALL: &[Case] = &[
    Case { name: "a worker, SIGKILL", bound: "20 ms, 100 ms", run: worker_killed },
    Case { name: "a worker, SIGSTOP", bound: "2 s", run: worker_frozen },
    Case { name: "a joined node, SIGKILL", bound: "20 ms, 100 ms", run: node_killed },
    Case { name: "a joined node, SIGSTOP", bound: "2 s", run: node_frozen },
    Case { name: "a node elsewhere, SIGKILL", bound: "3 s and a beat", run: elsewhere_killed },
    Case { name: "a node elsewhere, SIGSTOP", bound: "3 s and a beat", run: elsewhere_frozen },
    Case { name: "the head's own node, SIGKILL", bound: "20 ms, 100 ms", run: own_killed },
    Case { name: "the head's own node, SIGSTOP", bound: "2 s", run: own_frozen },
    Case { name: "the head, SIGKILL", bound: "20 ms", run: head_killed },
    Case { name: "the head, SIGSTOP for 1 s", bound: "1 s and a beat", run: head_frozen },
    Case { name: "the head, SIGSTOP for 5 s", bound: "1 s and a beat", run: head_frozen_long },
    Case { name: "a driver, SIGKILL", bound: "20 ms", run: driver_killed },
    Case { name: "the link of a node, cut for good", bound: "3 s and a beat", run: link_cut },
    Case { name: "the link of a node, cut for 500 ms", bound: "1 s", run: link_healed },
    Case { name: "a driver's actor for the head, panic", bound: "100 ms", run: head_actor },
    Case { name: "a driver's actor host, panic", bound: "100 ms", run: host_actor },
    Case {
        name: "a node of the program's own, SIGKILL",
        bound: "20 ms, 100 ms",
        run: local_killed,
    },
    Case { name: "a node of the program's own, SIGSTOP", bound: "2 s", run: local_frozen },
];

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Whom a blow hits.
#[derive(Clone, Copy)]
enum Target {
    Worker,
    /// It has joined from the head's own machine.
    Far,
    /// It has joined by a way, as from another machine.
    Elsewhere,
    Own,
}

fn struck(target: Target, signal: Signal) -> Result<Sample> {
    let by_way = matches!(target, Target::Elsewhere);
    let cluster = if by_way { Cluster::with_way()? } else { Cluster::start()? };
    let runtime = cluster.driver()?;
    let (own, far) = (cluster.own_node()?, cluster.far.pid());
    let below = if let Target::Own = target { own } else { far };
    let scene = Scene::set(&runtime, Some(below))?;
    let pid = if let Target::Worker = target { scene.worker } else { below };
    let began = now();
    send(pid, signal)?;
    let name = match target {
        Target::Worker => None,
        Target::Far | Target::Elsewhere => Some("far"),
        Target::Own => Some("head"),
    };
    let (seen, sample) = watched(&cluster, name, began, || scene.plays(began))?;
    let mut sample = Sample { seen, ..sample };
    if !matches!(target, Target::Far | Target::Elsewhere) {
        is_whole(&runtime)?;
        sample.whole = Some(ms(began));
    }
    runtime.shutdown();
    Ok(sample)
}

/// When the head does not call a node up any more, while something else is done.
fn watched<T: Send>(
    cluster: &Cluster,
    node: Option<&str>,
    began: Instant,
    play: impl FnOnce() -> Result<T>,
) -> Result<(Option<f64>, T)> {
    scope(|scope| {
        let seen = node.map(|node| {
            scope.spawn(move || {
                until("a node that is not up", || Ok(!cluster.is_up(node)?)).map(|()| ms(began))
            })
        });
        let played = play()?;
        let seen = seen.map(|seen| seen.join().ok().context("a watcher panicked")?).transpose()?;
        Ok((seen, played))
    })
}

fn worker_killed() -> Result<Sample> {
    struck(Target::Worker, Signal::KILL)
}

fn worker_frozen() -> Result<Sample> {
    struck(Target::Worker, Signal::STOP)
}

fn node_killed() -> Result<Sample> {
    struck(Target::Far, Signal::KILL)
}

fn node_frozen() -> Result<Sample> {
    struck(Target::Far, Signal::STOP)
}

fn elsewhere_killed() -> Result<Sample> {
    struck(Target::Elsewhere, Signal::KILL)
}

fn elsewhere_frozen() -> Result<Sample> {
    struck(Target::Elsewhere, Signal::STOP)
}

fn own_killed() -> Result<Sample> {
    struck(Target::Own, Signal::KILL)
}

fn own_frozen() -> Result<Sample> {
    struck(Target::Own, Signal::STOP)
}

/// Everybody who waits is told; there is nothing that could work again.
fn head_killed() -> Result<Sample> {
    let cluster = Cluster::start()?;
    let runtime = cluster.driver()?;
    let here = runtime.enter();
    let waits = super::scene::Witness::remote().never();
    let began = now();
    send(cluster.head.pid(), Signal::KILL)?;
    let told = runtime.block_on(waits).err().map(|_| ms(began));
    drop(here);
    runtime.shutdown();
    Ok(Sample { told, ..Sample::default() })
}

fn head_stands(still: Duration) -> Result<Sample> {
    let cluster = Cluster::start()?;
    let runtime = cluster.driver()?;
    let workers = [children(cluster.own_node()?)?, children(cluster.far.pid())?];
    send(cluster.head.pid(), Signal::STOP)?;
    let began = now();
    until("its time", || Ok(began.elapsed() > still))?;
    send(cluster.head.pid(), Signal::CONT)?;
    let began = now();
    until("two nodes that are up", || {
        let status = cluster.status()?;
        Ok(status.nodes.len() == 2 && status.is_healthy())
    })?;
    let whole = Some(ms(began));
    let after = [children(cluster.own_node()?)?, children(cluster.far.pid())?];
    let lost = u64::from(after != workers);
    runtime.shutdown();
    Ok(Sample { whole, lost, ..Sample::default() })
}

fn head_frozen() -> Result<Sample> {
    head_stands(Duration::from_secs(1))
}

fn head_frozen_long() -> Result<Sample> {
    head_stands(Duration::from_secs(5))
}

/// Its workers end, and what they had is free.
fn driver_killed() -> Result<Sample> {
    let cluster = Cluster::start()?;
    let (program, workers) = cluster.program()?;
    let began = now();
    send(program.pid(), Signal::KILL)?;
    until("the end of its workers", || Ok(workers.iter().all(|pid| parent(*pid).is_none())))?;
    let seen = Some(ms(began));
    until("a cluster that is free", || Ok(cluster.status()?.jobs.is_empty()))?;
    Ok(Sample { seen, whole: Some(ms(began)), ..Sample::default() })
}

fn link_cut() -> Result<Sample> {
    let cluster = Cluster::with_way()?;
    let runtime = cluster.driver()?;
    let scene = Scene::set(&runtime, Some(cluster.far.pid()))?;
    let began = now();
    cluster.way.cut();
    let (seen, sample) = watched(&cluster, Some("far"), began, || scene.plays(began))?;
    runtime.shutdown();
    Ok(Sample { seen, ..sample })
}

fn link_healed() -> Result<Sample> {
    let cluster = Cluster::with_way()?;
    let runtime = cluster.driver()?;
    let workers = children(cluster.far.pid())?;
    let began = now();
    cluster.way.cut();
    until("a node that is not up", || Ok(!cluster.is_up("far")?))?;
    let seen = Some(ms(began));
    while began.elapsed() < Duration::from_millis(500) {
        park_timeout(Duration::from_millis(5));
    }
    cluster.way.heal();
    let healed = now();
    until("a node that is up", || cluster.is_up("far"))?;
    let whole = Some(ms(healed));
    let lost = u64::from(children(cluster.far.pid())? != workers);
    runtime.shutdown();
    Ok(Sample { seen, whole, lost, ..Sample::default() })
}

/// A part of this driver's own tree.
fn panics(path: &str) -> Result<Sample> {
    let cluster = Cluster::start()?;
    let runtime = cluster.driver()?;
    let here = runtime.enter();
    let witness = super::scene::Witness::remote();
    runtime.block_on(witness.hear())?;
    let probe = runtime.probe(path).context("no such actor")?;
    let began = now();
    probe.panic_now();
    until("another life", || Ok(probe.restarts() > 0))?;
    let seen = Some(ms(began));
    // What lives elsewhere begins again where its stand-in has died.
    while runtime.block_on(witness.hear()).is_err() {}
    let answers = Some(ms(began));
    drop(here);
    runtime.shutdown();
    Ok(Sample { seen, answers, ..Sample::default() })
}

fn head_actor() -> Result<Sample> {
    panics("cluster/head")
}

fn host_actor() -> Result<Sample> {
    panics("node/worker/actor_host")
}

fn local(signal: Signal) -> Result<Sample> {
    let again = vec!["--child".into(), "node".into()];
    let runtime: Runtime = raytree::init().nodes(2).cpus(1.0).threads(1).again(again).start()?;
    let scene = Scene::set(&runtime, None)?;
    let began = now();
    send(scene.worker, signal)?;
    let mut sample = scene.plays(began)?;
    is_whole(&runtime)?;
    sample.whole = Some(ms(began));
    runtime.shutdown();
    Ok(sample)
}

fn local_killed() -> Result<Sample> {
    local(Signal::KILL)
}

fn local_frozen() -> Result<Sample> {
    local(Signal::STOP)
}
