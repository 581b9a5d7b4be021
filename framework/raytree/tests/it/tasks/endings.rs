//! The end of a runtime: whoever waits is told, and nothing hangs.

use std::thread;

use raytree::prelude::*;
use raytree::{Error, Result};

use super::gate::*;

#[remote]
async fn pass(gate: Gate) -> u64 {
    gate.pass().await;
    1
}

#[remote]
fn pass_sync(gate: Gate) -> u64 {
    gate.pass_blocking();
    1
}

#[remote]
fn value(x: u64) -> u64 {
    x
}

#[remote]
fn gets(x: ObjectRef<u64>, gate: Gate) -> Result<u64> {
    let _inside = gate.enter();
    x.get()
}

#[remote]
async fn awaits(x: ObjectRef<u64>, gate: Gate) -> Result<u64> {
    let _inside = gate.enter();
    x.await
}

#[remote(window = 1)]
fn endless(gate: Gate) -> impl Iterator<Item = u64> {
    let inside = gate.enter();
    std::iter::from_fn(move || {
        let _inside = &inside;
        Some(1)
    })
}

struct States {
    /// That never will have a value.
    open: Vec<ObjectRef<u64>>,
    ready: ObjectRef<u64>,
    stream: ObjectStream<u64>,
    gates: [Gate; 2],
}

/// Tasks in every state there is.
async fn every_state() -> Result<States> {
    let (gate, waits) = (Gate::new(), Gate::new());
    let free = TaskOptions::new().cpus(0.0);
    let running = pass::with(free.clone()).remote(gate);
    let running_sync = pass_sync::with(free.clone()).remote(gate);
    gate.begun(2).await;
    let for_argument = value::remote(&running);
    let blocked = gets::with(free.clone()).remote(for_argument.clone(), waits);
    let awaiting = awaits::remote(running.clone(), waits);
    waits.begun(2).await;
    let holders: Vec<_> = (0..2).map(|_| pass_sync::remote(gate)).collect();
    gate.begun(4).await;
    let in_lane = value::remote(1);
    let in_books = value::with(TaskOptions::new().cpus(2.0)).remote(1);
    let stream = endless::with(free).remote(waits);
    waits.begun(3).await;
    let ready = raytree::put(7).await?;
    let mut open = vec![running, running_sync, for_argument, blocked, awaiting, in_lane, in_books];
    open.extend(holders);
    Ok(States { open, ready, stream, gates: [gate, waits] })
}

/// Whatever is asked after the end is answered.
async fn all_say_so(states: States, runtime: Option<Runtime>) {
    let gone = |result: Result<u64>| matches!(result, Err(Error::RuntimeGone { .. }));
    for (index, reference) in states.open.into_iter().enumerate() {
        assert!(gone((&reference).await), "reference {index}");
        assert!(matches!(reference.shared().await, Err(Error::RuntimeGone { .. })));
        reference.cancel();
        let waited = raytree::wait([&reference]).await.expect("it is settled");
        assert_eq!(waited.ready.len(), 1);
    }
    assert!(gone(states.ready.await), "one that had its value");
    let mut stream = states.stream;
    while let Some(item) = stream.next().await {
        if item.is_err() {
            assert!(gone(item), "the last item of a stream");
        }
    }
    if let Some(runtime) = runtime {
        let _here = runtime.enter();
        assert!(matches!(raytree::current(), Err(Error::RuntimeGone { .. })));
    }
    states.gates.iter().for_each(|gate| gate.open());
}

fn other() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("threads")
}

fn fresh() -> Runtime {
    raytree::init().cpus(2.0).threads(2).start().expect("a runtime")
}

#[test]
fn after_a_shutdown_every_reference_says_so() {
    let runtime = fresh();
    let states = runtime.block_on(within(every_state())).expect("tasks");
    runtime.clone().shutdown();
    other().block_on(within(all_say_so(states, Some(runtime))));
}

#[test]
fn after_a_stop_in_async_code_every_reference_says_so() {
    let runtime = fresh();
    let states = runtime.block_on(within(every_state())).expect("tasks");
    other().block_on(within(async {
        runtime.clone().stop().await;
        all_say_so(states, Some(runtime)).await;
    }));
}

#[test]
fn whoever_waits_during_the_end_is_told() {
    let runtime = fresh();
    let states = runtime.block_on(within(every_state())).expect("tasks");
    let waiters: Vec<_> = states
        .open
        .iter()
        .cloned()
        .enumerate()
        .map(|(index, reference)| {
            thread::spawn(move || match index % 4 {
                0 => reference.get().map(|_| ()),
                1 => raytree::get_all([reference]).get().map(|_| ()),
                2 => {
                    let hour = std::time::Duration::from_secs(3600);
                    let waited = raytree::wait([&reference]).timeout(hour).get();
                    waited.and_then(|_| reference.get()).map(|_| ())
                }
                _ => other().block_on(reference).map(|_| ()),
            })
        })
        .collect();
    runtime.clone().shutdown();
    for waiter in waiters {
        let told = waiter.join().expect("no panic");
        assert!(matches!(told, Err(Error::RuntimeGone { .. })), "{told:?}");
    }
    other().block_on(within(all_say_so(states, None)));
}

#[test]
fn a_runtime_that_is_dropped_in_async_code_ends_without_a_panic() {
    other().block_on(within(async {
        let runtime = fresh();
        let _here = runtime.enter();
        let gate = Gate::new();
        let running = pass::remote(gate);
        let waiting = value::remote(&running);
        gate.begun(1).await;
        drop(runtime);
        assert!(matches!(waiting.await, Err(Error::RuntimeGone { .. })));
        assert!(matches!(running.await, Err(Error::RuntimeGone { .. })));
        gate.until(|book| book.left == 1).await;
    }));
}

/// A reference of a runtime that is dropped while a body of it holds a thread.
fn dropped_under(body: impl FnOnce(Gate) -> ObjectRef<u64>) {
    let (runtime, gate) = (fresh(), Gate::new());
    let reference = {
        let _here = runtime.enter();
        body(gate)
    };
    other().block_on(within(async {
        gate.begun(1).await;
        drop(runtime);
        assert!(matches!(reference.await, Err(Error::RuntimeGone { .. })));
        gate.open();
    }));
}

#[test]
fn a_runtime_that_is_dropped_under_synchronous_code_ends_all_the_same() {
    dropped_under(|gate| value::remote(pass_sync::remote(gate)));
    dropped_under(|gate| gets::remote(pass::remote(gate), gate));
}

#[test]
fn new_calls_after_the_end_say_so() {
    let runtime = fresh();
    let task = runtime.tokio().clone();
    let late = task.spawn(async {
        let runtime = raytree::current()?;
        thread::spawn(move || runtime.shutdown()).join().expect("no panic");
        let gone = |error: &Error| matches!(error, Error::RuntimeGone { .. });
        assert!(gone(&value::remote(1).await.unwrap_err()));
        assert!(gone(&raytree::put(1).await.unwrap_err()));
        assert!(gone(&endless::remote(Gate::new()).next().await.expect("an error").unwrap_err()));
        assert!(gone(&value::task().submit(1).await.map(|_| ()).unwrap_err()));
        Ok::<(), Error>(())
    });
    // The thread that asked may itself be torn down with its runtime.
    let outcome = other().block_on(within(late));
    assert!(outcome.is_err() || outcome.is_ok_and(|asked| asked.is_ok()));
}

#[raytree::test]
async fn a_runtime_ends_while_many_submit() -> Result<()> {
    within(async {
        for _ in 0..20 {
            let inner = fresh();
            let gate = Gate::new();
            // On its own threads no other runtime is ever meant.
            let submitters: Vec<_> = (0..3)
                .map(|_| {
                    inner.tokio().spawn(async move {
                        let mut refs = Vec::new();
                        for x in 0..500 {
                            refs.push(value::remote(value::remote(x)));
                            gate.change(|book| book.begun += 1);
                        }
                        for reference in refs {
                            _ = reference.await;
                        }
                    })
                })
                .collect();
            gate.begun(200).await;
            inner.stop().await;
            for submitter in submitters {
                // Ended with its thread, or told: it does not hang, and it does not panic.
                assert!(submitter.await.map_or_else(|ended| ended.is_cancelled(), |()| true));
            }
        }
        Ok(())
    })
    .await
}
