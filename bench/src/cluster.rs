//! Rows of calls between processes: one program and its nodes, each a process on this machine.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use raytree::prelude::*;
use raytree::{Runtime, get_all};

use crate::child::Role;
use crate::core::Sides;
use crate::core::methods::{Parrot, ParrotHandle};
use crate::report::{Report, Row, median, now, time};

pub(crate) const ROWS: &[Row] = &[
    Row { name: "remote_call_latency_p50", run: latency },
    Row { name: "remote_call_throughput_async", run: calls },
    Row { name: "remote_task_throughput", run: tasks },
    Row { name: "worker_start_to_first_answer", run: first_answer },
    Row { name: "cluster_up_3_nodes", run: up },
    Row { name: "broadcast_64MB", run: broadcast },
    Row { name: "node_killed_to_task_answered", run: killed },
];

/// Calls under way at once.
pub(crate) const WINDOW: usize = 1000;
/// Bytes of a bare message: about what a small call takes.
const MESSAGE: usize = 64;

#[remote]
fn nothing(x: u64) -> u64 {
    x
}

#[remote]
fn process() -> u32 {
    std::process::id()
}

#[remote]
fn length(bytes: &[u8]) -> usize {
    bytes.len()
}

fn nodes(count: usize, cpus: f64) -> Result<Runtime> {
    let again = vec!["--child".into(), "node".into()];
    Ok(raytree::init().nodes(count).cpus(cpus).threads(1).again(again).start()?)
}

/// A bare process at the other end of a stream.
pub(crate) struct Bare {
    child: Child,
    stream: UnixStream,
}

impl Bare {
    fn start(role: Role) -> Result<Self> {
        let (stream, theirs) = UnixStream::pair()?;
        let theirs = Stdio::from(std::os::fd::OwnedFd::from(theirs));
        let child = role.command()?.stdin(theirs).spawn()?;
        Ok(Self { child, stream })
    }

    /// One that sends back what it gets.
    pub(crate) fn echo() -> Result<Self> {
        Self::start(Role::Echo)
    }

    /// One that has sent a byte back.
    fn answering() -> Result<Self> {
        let mut bare = Self::start(Role::Echo)?;
        bare.answer()?;
        Ok(bare)
    }

    fn answer(&mut self) -> Result<()> {
        self.stream.write_all(&[7])?;
        Ok(self.stream.read_exact(&mut [0])?)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It ends with its stream; this is to be sure.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// One call after the other; the floor is a message to and fro over a bare stream.
fn latency(report: &mut Report) -> Result<()> {
    let (repeats, calls) = (report.repeats(7), report.size(4000));
    let runtime = nodes(1, 2.0)?;
    let here = runtime.enter();
    let parrot = Parrot::remote();
    runtime.block_on(parrot.ready())?;
    let mut bare = Bare::start(Role::Echo)?;
    let mut sides = Sides::default();
    for _ in 0..repeats {
        let parrot = parrot.clone();
        let one_by_one = async move {
            let mut took = Vec::with_capacity(calls);
            for n in 0..calls as u64 {
                let start = now();
                parrot.say(n).await?;
                took.push(start.elapsed().as_secs_f64() * 1e6);
            }
            Ok::<_, raytree::Error>(median(took))
        };
        sides.ours.push(runtime.block_on(runtime.tokio().spawn(one_by_one))??);
        sides.bare.push(bare_latency(&mut bare, calls)?);
    }
    drop((parrot, here));
    runtime.shutdown();
    sides.report(report, "remote_call_latency_p50", "us");
    Ok(())
}

/// A message to and fro over a bare stream, one after the other, in microseconds.
pub(crate) fn bare_latency(bare: &mut Bare, messages: usize) -> Result<f64> {
    let mut took = Vec::with_capacity(messages);
    let mut message = [7; MESSAGE];
    for _ in 0..messages {
        let start = now();
        bare.stream.write_all(&message)?;
        bare.stream.read_exact(&mut message)?;
        took.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(took))
}

/// As many messages over a bare stream, as many under way at once, each written by itself.
pub(crate) fn bare_rate(bare: &mut Bare, messages: usize) -> Result<f64> {
    let start = now();
    let (mut sent, mut read) = (0, 0);
    let mut answers = vec![0; WINDOW * MESSAGE];
    while read < messages * MESSAGE {
        while sent < messages && sent * MESSAGE < read + WINDOW * MESSAGE / 2 {
            bare.stream.write_all(&[7; MESSAGE])?;
            sent += 1;
        }
        read += bare.stream.read(&mut answers)?;
    }
    Ok(messages as f64 / start.elapsed().as_secs_f64())
}

async fn say_all(parrot: ParrotHandle, calls: usize) -> raytree::Result<f64> {
    let start = now();
    let mut answers = Vec::with_capacity(WINDOW);
    for _ in 0..calls / WINDOW {
        answers.extend((0..WINDOW as u64).map(|n| parrot.say(n)));
        for answer in answers.drain(..) {
            answer.await?;
        }
    }
    Ok(calls as f64 / start.elapsed().as_secs_f64())
}

/// A thousand calls under way at once.
fn calls(report: &mut Report) -> Result<()> {
    let (repeats, calls) = (report.repeats(9), report.size(200_000) / WINDOW * WINDOW);
    let runtime = nodes(1, 2.0)?;
    let here = runtime.enter();
    let parrot = Parrot::remote();
    runtime.block_on(parrot.ready())?;
    let mut bare = Bare::start(Role::Echo)?;
    let mut sides = Sides::default();
    for _ in 0..repeats {
        let all = say_all(parrot.clone(), calls);
        sides.ours.push(runtime.block_on(runtime.tokio().spawn(all))??);
        sides.bare.push(bare_rate(&mut bare, calls)?);
    }
    drop((parrot, here));
    runtime.shutdown();
    sides.report(report, "remote_call_throughput_async", "/s");
    Ok(())
}

/// Ten thousand tasks that do nothing, submitted and gathered.
fn tasks(report: &mut Report) -> Result<()> {
    let (repeats, tasks) = (report.repeats(15), report.size(10_000));
    let runtime = nodes(1, 2.0)?;
    let here = runtime.enter();
    let mut bare = Bare::start(Role::Echo)?;
    let mut sides = Sides::default();
    for _ in 0..repeats {
        let (took, all) = time(|| {
            let all: Vec<_> = (0..tasks as u64).map(nothing::remote).collect();
            runtime.block_on(get_all(all))
        });
        ensure!(all?.len() == tasks, "a task is missing");
        sides.ours.push(tasks as f64 / took.as_secs_f64());
        sides.bare.push(bare_rate(&mut bare, tasks)?);
    }
    drop(here);
    runtime.shutdown();
    sides.report(report, "remote_task_throughput", "/s");
    Ok(())
}

/// From the call that starts a runtime with one node to the answer of its first task; the floor is this program, started to
/// send one message back.
fn first_answer(report: &mut Report) -> Result<()> {
    let mut sides = Sides::default();
    for x in 0..report.repeats(21) as u64 {
        let start = now();
        let runtime = nodes(1, 1.0)?;
        let here = runtime.enter();
        let answer = nothing::remote(x).get();
        sides.ours.push(start.elapsed().as_secs_f64() * 1e3);
        ensure!(answer? == x, "another answer");
        drop(here);
        runtime.shutdown();
        let start = now();
        // It ends after the time was taken.
        let _bare = Bare::answering()?;
        sides.bare.push(start.elapsed().as_secs_f64() * 1e3);
    }
    sides.report(report, "worker_start_to_first_answer", "ms");
    Ok(())
}

/// A runtime with three nodes; the floor is this program, started three times, one message back from each.
fn up(report: &mut Report) -> Result<()> {
    let mut sides = Sides::default();
    for _ in 0..report.repeats(15) {
        let (took, runtime) = time(|| nodes(3, 1.0));
        runtime?.shutdown();
        sides.ours.push(took.as_secs_f64() * 1e3);
        let start = now();
        let mut three = (0..3).map(|_| Bare::start(Role::Echo)).collect::<Result<Vec<_>>>()?;
        for bare in &mut three {
            bare.answer()?;
        }
        sides.bare.push(start.elapsed().as_secs_f64() * 1e3);
    }
    sides.report(report, "cluster_up_3_nodes", "ms");
    Ok(())
}

/// One object of 64 MB, read by a task on each of two nodes, in GB/s of both together; the floor is the same bytes written
/// to two bare processes by two threads.
fn broadcast(report: &mut Report) -> Result<()> {
    let size = 64_000_000;
    let runtime = nodes(2, 1.0)?;
    let here = runtime.enter();
    let content = vec![7u8; size];
    let object = raytree::put(content.clone()).get()?;
    let mut bare = [Bare::start(Role::Sink)?, Bare::start(Role::Sink)?];
    let mut sides = Sides::default();
    let rate = |took: Duration| 2.0 * size as f64 / 1e9 / took.as_secs_f64();
    for _ in 0..report.repeats(9) {
        let (took, read) = time(|| {
            let both: Vec<_> = (0..2).map(|_| length::remote(&object)).collect();
            runtime.block_on(get_all(both))
        });
        ensure!(read? == [size, size], "bytes are missing");
        sides.ours.push(rate(took));
        let (took, sent) = time(|| send_both(&mut bare, &content));
        sent?;
        sides.bare.push(rate(took));
    }
    drop((object, here));
    runtime.shutdown();
    sides.report(report, "broadcast_64MB", "GB/s");
    Ok(())
}

fn send_both(bare: &mut [Bare], content: &[u8]) -> Result<()> {
    let send = |bare: &mut Bare| -> Result<()> {
        bare.stream.write_all(&(content.len() as u64).to_le_bytes())?;
        bare.stream.write_all(content)?;
        bare.stream.read_exact(&mut [0])?;
        Ok(())
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = bare.iter_mut().map(|one| scope.spawn(|| send(one))).collect();
        all.into_iter().try_for_each(|one| one.join().ok().context("a sender panicked")?)
    })
}

/// From the `SIGKILL` of the only node to the answer of a task from the process in its place; the floor is a bare process,
/// killed, seen dead and started again, with one message back.
fn killed(report: &mut Report) -> Result<()> {
    let mut sides = Sides::default();
    for _ in 0..report.repeats(15) {
        // A new one each time: a node that dies again and again is started more and more slowly.
        let runtime = nodes(1, 1.0)?;
        let here = runtime.enter();
        let id = process::remote().get()?;
        let pid = rustix::process::Pid::from_raw(i32::try_from(id)?).context("no process")?;
        let start = now();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
        let mut other = id;
        while other == id {
            other = process::remote().get()?;
        }
        sides.ours.push(start.elapsed().as_secs_f64() * 1e3);
        drop(here);
        runtime.shutdown();
        let mut bare = Bare::answering()?;
        let start = now();
        bare.child.kill()?;
        bare.child.wait()?;
        let _again = Bare::answering()?;
        sides.bare.push(start.elapsed().as_secs_f64() * 1e3);
    }
    sides.report(report, "node_killed_to_task_answered", "ms");
    Ok(())
}
