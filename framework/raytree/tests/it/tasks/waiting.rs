//! Waiting inside tasks: nothing that waits keeps a CPU from what it waits for.

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use raytree::Result;
use raytree::prelude::*;

use super::gate::*;

#[remote]
fn deep(n: u64) -> Result<u64> {
    if n == 0 { Ok(0) } else { Ok(1 + deep::remote(n - 1).get()?) }
}

#[remote]
async fn deep_async(n: u64) -> Result<u64> {
    if n == 0 { Ok(0) } else { Ok(1 + deep_async::remote(n - 1).await?) }
}

/// Every other one is async, and every third needs something else than one CPU.
#[remote]
fn mixed(n: u64) -> Result<u64> {
    Ok(if n == 0 { 0 } else { 1 + mixed_async::remote(n - 1).get()? })
}

#[remote(cpus = 0.5)]
async fn mixed_async(n: u64) -> Result<u64> {
    Ok(if n == 0 { 0 } else { 1 + mixed::remote(n - 1).await? })
}

#[remote]
fn value(x: u64) -> u64 {
    x
}

#[remote(cpus = 0.5)]
fn half(x: u64) -> u64 {
    x
}

#[remote]
async fn value_async(x: u64) -> u64 {
    tokio::task::yield_now().await;
    x
}

#[remote]
fn gets(x: u64, way: u64) -> Result<u64> {
    match way % 4 {
        0 => value::remote(x).get(),
        1 => value_async::remote(x).get(),
        2 => Ok(*value::remote(x).get_shared()?),
        _ => Ok(raytree::get_all([value::remote(x), value_async::remote(1)]).get()?[0]),
    }
}

#[remote]
fn gets_half(x: u64) -> Result<u64> {
    half::remote(x).get()
}

#[remote]
async fn awaits(x: u64, way: u64) -> Result<u64> {
    match way % 4 {
        0 => value::remote(x).await,
        1 => half::remote(x).await,
        2 => {
            let mut all: FuturesUnordered<_> = (0..3).map(|_| value_async::remote(x)).collect();
            let mut last = 0;
            while let Some(one) = all.next().await {
                last = one?;
            }
            Ok(last)
        }
        _ => {
            let waited = raytree::wait([value::remote(x), half::remote(x)]).count(2).await?;
            Ok(raytree::get_all(waited.ready).await?[1])
        }
    }
}

#[remote]
fn waits_blocking(x: u64) -> Result<u64> {
    let waited = raytree::wait([half::remote(x), half::remote(x)]).count(2).get()?;
    raytree::get_all(waited.ready).get().map(|both| both[0])
}

#[raytree::test]
async fn recursion_on_two_cpus() -> Result<()> {
    within(recursion()).await
}

#[raytree::test(cpus = 1)]
async fn recursion_on_one_cpu() -> Result<()> {
    within(recursion()).await
}

async fn recursion() -> Result<()> {
    assert_eq!(deep::remote(50).await?, 50);
    assert_eq!(deep_async::remote(50).await?, 50);
    assert_eq!(mixed::remote(50).await?, 50);
    let all: Vec<_> = (0..8).map(|_| deep::remote(40)).collect();
    assert_eq!(raytree::get_all(all).await?, [40; 8]);
    at_rest(&raytree::current()?).await;
    Ok(())
}

#[raytree::test]
async fn async_recursion_of_ten_thousand() -> Result<()> {
    within(async {
        assert_eq!(deep_async::remote(10_000).await?, 10_000);
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1)]
async fn a_thousand_that_wait_on_one_cpu() -> Result<()> {
    within(async {
        let sum: u64 = (0..1000).sum();
        let blocking: Vec<_> = (0..1000).map(|x| gets::remote(x, x)).collect();
        assert_eq!(raytree::get_all(blocking).await?.iter().sum::<u64>(), sum);
        let waiting: Vec<_> = (0..1000).map(|x| awaits::remote(x, x)).collect();
        assert_eq!(raytree::get_all(waiting).await?.iter().sum::<u64>(), sum);
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1)]
async fn a_hundred_blocked_threads_on_one_cpu() -> Result<()> {
    within(async {
        // What they wait for cannot be run on their own threads.
        let refs: Vec<_> = (0..100).map(gets_half::remote).collect();
        assert_eq!(raytree::get_all(refs).await?, (0..100).collect::<Vec<_>>());
        let refs: Vec<_> = (0..100).map(waits_blocking::remote).collect();
        assert_eq!(raytree::get_all(refs).await?, (0..100).collect::<Vec<_>>());
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test]
fn get_waits_in_a_test_a_thread_and_a_task() -> Result<()> {
    in_time(|| {
        assert_eq!(value::remote(1).get()?, 1);
        assert_eq!(gets::remote(2, 0).get()?, 2);
        let runtime = raytree::current()?;
        let thread = std::thread::spawn(move || {
            let _here = runtime.enter();
            value_async::remote(3).get()
        });
        assert_eq!(thread.join().expect("no panic")?, 3);
        Ok(())
    })
}

pub(crate) struct Counter(u64);

#[remote]
impl Counter {
    pub(crate) fn new(start: u64) -> Self {
        Self(start)
    }

    pub(crate) fn add(&mut self, amount: u64) -> u64 {
        self.0 += amount;
        self.0
    }
}

#[remote]
async fn asks_an_actor(x: u64) -> Result<u64> {
    let counter = Counter::remote(x);
    counter.add(1).await
}

#[remote]
fn asks_an_actor_blocking(x: u64) -> Result<u64> {
    let counter = Counter::remote(x);
    _ = counter.add(1);
    counter.add(1).get()
}

#[remote]
async fn waits_for_its_whole_life(x: u64) -> Result<bool> {
    let counter = Counter::remote(value_async::remote(x));
    counter.ready().await?;
    let exit = counter.stop().await?;
    Ok(matches!(exit.kind, ExitKind::Stopped { .. }))
}

#[raytree::test(cpus = 1)]
async fn a_task_lends_its_cpu_while_an_actor_starts_and_ends() -> Result<()> {
    within(async {
        for x in 0..20 {
            assert!(waits_for_its_whole_life::remote(x).await?);
        }
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1)]
async fn a_task_waits_for_an_actor_that_it_created_on_one_cpu() -> Result<()> {
    within(async {
        for x in 0..20 {
            assert_eq!(asks_an_actor::remote(x).await?, x + 1);
            assert_eq!(asks_an_actor_blocking::remote(x).await?, x + 2);
        }
        let many: Vec<_> = (0..20).map(asks_an_actor::remote).collect();
        assert_eq!(raytree::get_all(many).await?, (1..21).collect::<Vec<_>>());
        Ok(())
    })
    .await
}

/// Blocks its thread until the reference in the list is settled.
#[remote]
fn blocks_on(references: Vec<ObjectRef<()>>) -> Result<()> {
    references[0].clone().get()
}

#[remote(cpus = 0, gpus = 1)]
async fn holds_the_gpu(gate: Gate) {
    gate.pass().await;
}

#[remote(gpus = 1)]
fn wants_the_gpu() {}

#[raytree::test(gpus = 1)]
async fn more_threads_than_there_may_be_are_refused_and_nobody_hangs() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let holds = holds_the_gpu::remote(gate);
        gate.begun(1).await;
        let held = wants_the_gpu::remote();
        let tasks = raytree::limits::COMPUTE_THREADS_MAX + 100;
        let mut waiting: Vec<_> =
            (0..tasks).map(|_| blocks_on::remote(vec![held.clone()])).collect();
        let mut refused = 0;
        while refused < 50 {
            let waited = raytree::wait(waiting).await?;
            for ended in waited.ready {
                let error = ended.await.unwrap_err();
                assert_eq!(error.code(), "RT0010", "{error}");
                assert!(error.to_string().contains("512 compute threads"), "{error}");
                refused += 1;
            }
            waiting = waited.pending;
        }
        gate.open();
        let mut ended = 0;
        for reference in waiting {
            // Those that had no thread yet may be refused still.
            ended += usize::from(reference.await.is_ok());
        }
        assert!(ended >= 400, "{ended}");
        held.await?;
        holds.await?;
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

/// One CPU each, and each starts the next before it ends, until the gate is open.
#[remote]
fn relay(gate: Gate) {
    if !gate.book().open {
        gate.change(|book| book.begun += 1);
        _ = relay::remote(gate);
    }
}

#[remote(cpus = 2)]
fn wide(gate: Gate) -> u64 {
    gate.open();
    2
}

#[remote(cpus = 2)]
fn wide_relay(gate: Gate) {
    if !gate.book().open {
        gate.change(|book| book.begun += 1);
        _ = wide_relay::remote(gate);
    }
}

#[remote]
fn narrow(gate: Gate) -> u64 {
    gate.open();
    1
}

#[raytree::test]
async fn ln_2_two_cpu_tasks_are_not_starved_by_one_cpu_tasks_nor_the_reverse() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        for _ in 0..10 {
            let gate = Gate::new();
            (0..4).for_each(|_| drop(relay::remote(gate)));
            gate.begun(20).await;
            assert_eq!(wide::remote(gate).await?, 2);
            at_rest(&runtime).await;
            let gate = Gate::new();
            (0..4).for_each(|_| drop(wide_relay::remote(gate)));
            gate.begun(20).await;
            assert_eq!(narrow::remote(gate).await?, 1);
            at_rest(&runtime).await;
        }
        Ok(())
    })
    .await
}

#[remote(resources(slot = 1))]
async fn waits_with_a_slot(way: u64, gate: Gate) -> Result<u64> {
    match way % 3 {
        0 => value::remote(1).await,
        1 => half::remote(1).await,
        _ => wide::remote(gate).await,
    }
}

#[remote(resources(slot = 1))]
fn gets_with_a_slot(way: u64, gate: Gate) -> Result<u64> {
    match way % 3 {
        0 => value_async::remote(1).get(),
        1 => half::remote(1).get(),
        _ => wide::remote(gate).get(),
    }
}

#[raytree::test(resources(slot = 1))]
async fn those_who_wait_for_a_slot_keep_no_cpu_from_what_its_holder_waits_for() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let waiting: Vec<_> = (0..30).map(|way| waits_with_a_slot::remote(way, gate)).collect();
        let blocking: Vec<_> = (0..30).map(|way| gets_with_a_slot::remote(way, gate)).collect();
        let expected = [1, 1, 2].repeat(10);
        assert_eq!(raytree::get_all(waiting).await?, expected);
        assert_eq!(raytree::get_all(blocking).await?, expected);
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[remote]
async fn waits_for_wide(gate: Gate) -> Result<u64> {
    wide::remote(gate).await
}

#[remote]
fn gets_wide(gate: Gate) -> Result<u64> {
    wide::remote(gate).get()
}

#[raytree::test]
async fn nl_2_what_waits_lends_enough_for_a_two_cpu_task() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let async_ones: Vec<_> = (0..20).map(|_| waits_for_wide::remote(gate)).collect();
        let sync_ones: Vec<_> = (0..20).map(|_| gets_wide::remote(gate)).collect();
        assert_eq!(raytree::get_all(async_ones).await?, [2; 20]);
        assert_eq!(raytree::get_all(sync_ones).await?, [2; 20]);
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}
