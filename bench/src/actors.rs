//! Rows of the actor layer: calls, starts, the cost of a runtime.

use std::future::Future;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use raytree::prelude::*;
use tokio::sync::{mpsc, oneshot};

use crate::child::Role;
use crate::report::{Report, Row, median, now, time};

/// All rows, in the order in which they are printed.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "actor_call_throughput_async", run: call_throughput_async },
    Row { name: "actor_call_throughput_sync", run: call_throughput_sync },
    Row { name: "actor_call_latency_same_thread_p50", run: latency_same_thread },
    Row { name: "actor_call_latency_cross_thread_p50", run: latency_cross_thread },
    Row { name: "actor_spawn_rate", run: spawn_rate },
    Row { name: "init_time", run: init_time },
    Row { name: "idle_rss", run: idle_rss },
];

/// Calls under way at once in the pipelined rows.
pub(crate) const WINDOW: usize = 1000;

pub(crate) struct Echo;
pub(crate) struct Say(pub(crate) u64);

impl Actor for Echo {
    type Args = ();
    async fn start(_: (), _ctx: &ActorContext<Self>) -> std::result::Result<Self, BoxError> {
        Ok(Self)
    }
}

impl Call<Say> for Echo {
    type Reply = u64;
    async fn call(&mut self, Say(value): Say, _ctx: &ActorContext<Self>) -> u64 {
        value
    }
}

/// Runs `body` as a task on the user threads of a fresh runtime.
fn on_runtime<T, F>(threads: usize, body: impl FnOnce(ActorHandle<Echo>) -> F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = raytree::Result<T>> + Send + 'static,
{
    let runtime = raytree::init().threads(threads).start()?;
    let echo = runtime.spawn::<Echo>((), ActorOptions::new())?;
    runtime.block_on(echo.ready())?;
    let value = runtime.block_on(runtime.tokio().spawn(body(echo)))??;
    runtime.shutdown();
    Ok(value)
}

/// The bare counterpart: one task that echoes over a bounded channel and a oneshot.
pub(crate) fn on_tokio<T, F>(
    threads: usize,
    body: impl FnOnce(mpsc::Sender<(u64, oneshot::Sender<u64>)>) -> F,
) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).build()?;
    let (sender, mut receiver) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(WINDOW);
    let spawn = |future| runtime.handle().spawn(future);
    let serve = spawn(Box::pin(async move {
        while let Some((value, reply)) = receiver.recv().await {
            _ = reply.send(value);
        }
    }) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>);
    let value = runtime.block_on(runtime.handle().spawn(body(sender)))?;
    runtime.block_on(serve)?;
    Ok(value)
}

fn call_throughput_async(report: &mut Report) -> Result<()> {
    let (repeats, calls) = (report.repeats(9), report.size(200_000));
    let rates = on_runtime(2, move |echo| async move {
        let mut rates = Vec::new();
        for _ in 0..repeats {
            let start = now();
            for _ in 0..calls / WINDOW {
                let answers: Vec<_> = (0..WINDOW as u64).map(|n| echo.call(Say(n))).collect();
                for answer in answers {
                    answer.await?;
                }
            }
            rates.push((calls / WINDOW * WINDOW) as f64 / start.elapsed().as_secs_f64());
        }
        Ok(rates)
    })?;
    let floor = on_tokio(2, move |sender| async move {
        let mut rates = Vec::new();
        for _ in 0..repeats {
            rates.push(echo_rate(&sender, calls, WINDOW).await);
        }
        rates
    })?;
    report.row("actor_call_throughput_async", median(rates), "/s");
    report.row("actor_call_throughput_async.floor", median(floor), "/s");
    Ok(())
}

/// Calls a second to a bare echo, with so many under way at once.
pub(crate) async fn echo_rate(
    sender: &mpsc::Sender<(u64, oneshot::Sender<u64>)>,
    calls: usize,
    window: usize,
) -> f64 {
    let start = now();
    let mut answers = Vec::with_capacity(window);
    for _ in 0..calls / window {
        for n in 0..window as u64 {
            let (reply, answer) = oneshot::channel();
            _ = sender.send((n, reply)).await;
            answers.push(answer);
        }
        for answer in answers.drain(..) {
            _ = answer.await;
        }
    }
    (calls / window * window) as f64 / start.elapsed().as_secs_f64()
}

fn sequential(threads: usize, calls: usize) -> Result<Vec<f64>> {
    on_runtime(threads, move |echo| async move {
        let mut samples = Vec::with_capacity(calls);
        for n in 0..calls as u64 {
            let start = now();
            echo.call(Say(n)).await?;
            samples.push(start.elapsed().as_secs_f64() * 1e6);
        }
        Ok(samples)
    })
}

fn sequential_floor(threads: usize, calls: usize) -> Result<Vec<f64>> {
    on_tokio(threads, move |sender| async move {
        let mut samples = Vec::with_capacity(calls);
        for n in 0..calls as u64 {
            let start = now();
            let (reply, answer) = oneshot::channel();
            _ = sender.send((n, reply)).await;
            _ = answer.await;
            samples.push(start.elapsed().as_secs_f64() * 1e6);
        }
        samples
    })
}

fn call_throughput_sync(report: &mut Report) -> Result<()> {
    let (repeats, calls) = (report.repeats(5), report.size(100_000));
    let rate = |samples: Vec<f64>| 1e6 * samples.len() as f64 / samples.iter().sum::<f64>();
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..repeats {
        ours.push(rate(sequential(1, calls)?));
        bare.push(rate(sequential_floor(1, calls)?));
    }
    report.row("actor_call_throughput_sync", median(ours), "/s");
    report.row("actor_call_throughput_sync.floor", median(bare), "/s");
    Ok(())
}

fn latency_same_thread(report: &mut Report) -> Result<()> {
    let calls = report.size(200_000);
    report.row("actor_call_latency_same_thread_p50", median(sequential(1, calls)?), "us");
    let floor = median(sequential_floor(1, calls)?);
    report.row("actor_call_latency_same_thread_p50.floor", floor, "us");
    Ok(())
}

fn latency_cross_thread(report: &mut Report) -> Result<()> {
    let calls = report.size(40_000);
    let runtime = raytree::init().threads(1).start()?;
    let echo = runtime.spawn::<Echo>((), ActorOptions::new())?;
    runtime.block_on(echo.ready())?;
    // Ours and the floor in turn, so that both meet the same noise.
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let samples: raytree::Result<Vec<f64>> = runtime.block_on(async {
            let mut samples = Vec::with_capacity(calls / 4);
            for n in 0..(calls / 4) as u64 {
                let start = now();
                echo.call(Say(n)).await?;
                samples.push(start.elapsed().as_secs_f64() * 1e6);
            }
            Ok(samples)
        });
        ours.extend(samples?);
        bare.extend(ping_pong(calls / 4)?);
    }
    runtime.shutdown();
    report.row("actor_call_latency_cross_thread_p50", median(ours), "us");
    report.row("actor_call_latency_cross_thread_p50.floor", median(bare), "us");
    Ok(())
}

/// Two threads and two channels.
pub(crate) fn ping_pong(rounds: usize) -> Result<Vec<f64>> {
    let (to, from_us) = sync_channel::<u64>(1);
    let (back, answers) = sync_channel::<u64>(1);
    let other = thread::spawn(move || {
        while let Ok(value) = from_us.recv() {
            if back.send(value).is_err() {
                return;
            }
        }
    });
    let mut samples = Vec::with_capacity(rounds);
    for n in 0..rounds as u64 {
        let start = now();
        to.send(n)?;
        answers.recv()?;
        samples.push(start.elapsed().as_secs_f64() * 1e6);
    }
    drop(to);
    other.join().map_err(|_| anyhow!("the other thread panicked"))?;
    Ok(samples)
}

fn spawn_rate(report: &mut Report) -> Result<()> {
    let (repeats, count) = (report.repeats(7), report.size(20_000));
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..repeats {
        let runtime = raytree::init().cpus(64.0).threads(2).start()?;
        let spawn_all = |runtime: Runtime| async move {
            let start = now();
            let handles = (0..count)
                .map(|_| runtime.spawn::<Echo>((), ActorOptions::new()))
                .collect::<raytree::Result<Vec<_>>>()?;
            for handle in &handles {
                handle.call(Say(1)).await?;
            }
            Ok::<_, raytree::Error>((count as f64 / start.elapsed().as_secs_f64(), handles))
        };
        let task = runtime.tokio().spawn(spawn_all(runtime.clone()));
        let (rate, handles) = runtime.block_on(task)??;
        ours.push(rate);
        drop(handles);
        runtime.shutdown();
        bare.push(spawn_floor(count)?);
    }
    report.row("actor_spawn_rate", median(ours), "/s");
    report.row("actor_spawn_rate.floor", median(bare), "/s");
    Ok(())
}

/// A task with a channel each, started and asked once.
fn spawn_floor(count: usize) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let handle = runtime.handle().clone();
    let all = async move {
        let start = now();
        let mut senders = Vec::with_capacity(count);
        for _ in 0..count {
            let (sender, mut receiver) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(16);
            let echo = async move {
                while let Some((value, reply)) = receiver.recv().await {
                    _ = reply.send(value);
                }
            };
            drop(handle.spawn(echo));
            senders.push(sender);
        }
        for sender in &senders {
            let (reply, answer) = oneshot::channel();
            _ = sender.send((1, reply)).await;
            _ = answer.await;
        }
        count as f64 / start.elapsed().as_secs_f64()
    };
    Ok(runtime.block_on(runtime.handle().spawn(all))?)
}

/// From `init()` to the first answer of an actor.
fn init_time(report: &mut Report) -> Result<()> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..report.repeats(21) {
        let (took, runtime) = time(|| -> Result<Runtime> {
            let runtime = raytree::init().start()?;
            let echo = runtime.spawn::<Echo>((), ActorOptions::new())?;
            runtime.block_on(echo.call(Say(1)))?;
            Ok(runtime)
        });
        runtime?.shutdown();
        ours.push(took.as_secs_f64() * 1e3);
        let (took, runtimes) = time(|| -> Result<_> {
            let build = |threads| {
                tokio::runtime::Builder::new_multi_thread().worker_threads(threads).build()
            };
            let (system, user) = (build(1)?, build(thread::available_parallelism()?.get())?);
            user.block_on(user.handle().spawn(async {}))?;
            Ok((system, user))
        });
        drop(runtimes?);
        bare.push(took.as_secs_f64() * 1e3);
    }
    report.row("init_time", median(ours), "ms");
    report.row("init_time.floor", median(bare), "ms");
    Ok(())
}

/// Resident memory of a process with a runtime that does nothing; its floor is the same process without one.
fn idle_rss(report: &mut Report) -> Result<()> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..report.repeats(5) {
        ours.push(Role::Idle.measure(1, Duration::from_secs(20))?);
        bare.push(Role::Bare.measure(1, Duration::from_secs(20))?);
    }
    report.row("idle_rss", median(ours), "MiB");
    report.row("idle_rss.floor", median(bare), "MiB");
    Ok(())
}
