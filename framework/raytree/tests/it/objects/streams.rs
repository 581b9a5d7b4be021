//! Streams: items as they are made, a body that is never far ahead, and the end of either side.

use futures_util::stream::{self, Stream, StreamExt as _};
use raytree::prelude::*;
use raytree::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::tasks::gate::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("the source is dry")]
struct Dry;

/// Counts its items as they are made; the gate tells when the body is gone.
fn counted(to: u64, gate: Gate) -> impl Iterator<Item = u64> + Send {
    let inside = gate.enter();
    (0..to).inspect(move |_| {
        _ = &inside;
        gate.change(|book| book.made += 1);
    })
}

#[remote(window = 3)]
fn iterate(to: u64, gate: Gate) -> impl Iterator<Item = u64> {
    counted(to, gate)
}

#[remote(window = 3)]
fn pour(to: u64, gate: Gate) -> impl Stream<Item = u64> {
    stream::iter(counted(to, gate))
}

#[remote]
fn dries_up(items: u64) -> impl Iterator<Item = Result<u64, Dry>> {
    (0..items).map(Ok).chain([Err(Dry)])
}

#[remote]
fn breaks(items: u64) -> impl Stream<Item = u64> {
    stream::iter((0..=items).inspect(move |item| assert!(*item < items, "broken")))
}

#[remote]
fn stuck(gate: Gate) -> impl Iterator<Item = u64> {
    std::iter::once(1).chain(std::iter::once_with(move || {
        gate.pass_blocking();
        2
    }))
}

#[remote]
fn double(x: u64) -> u64 {
    2 * x
}

/// Reads a stream of another task, as a stream.
#[remote(window = 1)]
fn relay(to: u64, gate: Gate) -> impl Iterator<Item = Result<u64>> {
    let mut items = iterate::remote(to, gate);
    std::iter::from_fn(move || items.next_blocking())
}

#[remote]
async fn total(to: u64, gate: Gate) -> Result<u64> {
    let mut items = relay::remote(to, gate);
    let mut sum = 0;
    while let Some(item) = items.next().await {
        sum += item?;
    }
    Ok(sum)
}

fn both(to: u64, gate: Gate) -> [ObjectStream<u64>; 2] {
    [iterate::remote(to, gate), pour::remote(to, gate)]
}

async fn rest(mut stream: ObjectStream<u64>) -> Vec<Result<u64>> {
    let mut items = Vec::new();
    while let Some(item) = stream.next().await {
        items.push(item);
    }
    assert_eq!(stream.next().await, None, "it stays at its end");
    items
}

#[raytree::test]
async fn items_come_in_order_and_then_nothing() -> Result<()> {
    within(async {
        for stream in both(1000, Gate::new()) {
            let items: Result<Vec<_>> = rest(stream).await.into_iter().collect();
            assert_eq!(items?, (0..1000).collect::<Vec<_>>());
        }
        for stream in both(0, Gate::new()) {
            assert_eq!(rest(stream).await, []);
        }
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_body_is_never_more_than_its_window_ahead() -> Result<()> {
    within(async {
        for which in 0..2 {
            let gate = Gate::new();
            let [iterator, stream] = both(40, Gate::new());
            drop([iterator, stream]);
            let mut items =
                if which == 0 { iterate::remote(40, gate) } else { pour::remote(40, gate) };
            for read in 0..40 {
                // The window, and the one item that stands before it.
                let ahead = (read + 4).min(40);
                gate.until(|book| book.made >= ahead).await;
                assert!(gate.book().made <= ahead, "{} made, {read} read", gate.book().made);
                assert_eq!(items.next().await, Some(Ok(read as u64)));
            }
            assert_eq!(items.next().await, None);
        }
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_failure_is_the_last_item() -> Result<()> {
    within(async {
        let items = rest(dries_up::remote(3)).await;
        assert_eq!(items[..3], [Ok(0), Ok(1), Ok(2)]);
        assert_eq!(items[3].as_ref().unwrap_err().downcast::<Dry>(), Some(Dry));
        assert_eq!(items.len(), 4);
        let items = rest(breaks::remote(100)).await;
        assert_eq!(items.len(), 101);
        let error = items[100].as_ref().unwrap_err();
        assert!(error.to_string().contains("broken at "), "{error}");
        let large = TaskOptions::new().cpus(99.0);
        let items = rest(iterate::with(large).remote(1, Gate::new())).await;
        assert!(matches!(items[..], [Err(Error::Infeasible { .. })]), "{items:?}");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_body_whose_stream_is_dropped_ends() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        for which in 0..2 {
            let gate = Gate::new();
            let mut items = if which == 0 {
                iterate::remote(u64::MAX, gate)
            } else {
                pour::remote(u64::MAX, gate)
            };
            assert_eq!(items.next().await, Some(Ok(0)));
            gate.until(|book| book.made == 5).await;
            drop(items);
            gate.until(|book| book.left == 1).await;
            assert!(gate.book().made <= 6, "{}", gate.book().made);
            at_rest(&runtime).await;
        }
        assert_eq!(runtime.lost_errors(), 0, "that was what the reader wanted");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_stream_that_nobody_reads_ends_with_its_reader_before_it_began() -> Result<()> {
    within(async {
        let (held, gate) = (Gate::new(), Gate::new());
        let holders: Vec<_> = (0..2).map(|_| hold::remote(held)).collect();
        held.begun(2).await;
        drop(both(9, gate));
        held.open();
        raytree::get_all(holders).await?;
        at_rest(&raytree::current()?).await;
        assert_eq!(gate.book().begun, 0);
        Ok(())
    })
    .await
}

#[remote]
fn hold(gate: Gate) {
    gate.pass_blocking();
}

#[raytree::test]
async fn a_reader_is_told_at_once_when_a_stuck_body_is_given_up() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let mut items = stuck::remote(gate);
        assert_eq!(items.next().await, Some(Ok(1)));
        gate.begun(1).await;
        items.cancel();
        let told = items.next().await;
        assert_eq!(told, Some(Err(Error::Cancelled { task: "stuck".to_owned() })));
        assert_eq!(items.next().await, None);
        gate.open();
        let gate = Gate::new();
        let limit = std::time::Duration::from_millis(20);
        let mut items = stuck::with(TaskOptions::new().timeout(limit)).remote(gate);
        assert_eq!(items.next().await, Some(Ok(1)));
        assert!(matches!(items.next().await, Some(Err(Error::Timeout { .. }))));
        gate.open();
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_cancelled_body_makes_nothing_more() -> Result<()> {
    within(async {
        for which in 0..2 {
            let gate = Gate::new();
            let mut items = if which == 0 {
                iterate::remote(u64::MAX, gate)
            } else {
                pour::remote(u64::MAX, gate)
            };
            assert_eq!(items.next().await, Some(Ok(0)));
            gate.until(|book| book.made == 5).await;
            items.cancel();
            let mut last = None;
            while let Some(item) = items.next().await {
                last = Some(item);
            }
            assert!(matches!(last, Some(Err(Error::Cancelled { .. }))), "{last:?}");
            gate.until(|book| book.left == 1).await;
            assert!(gate.book().made <= 7, "{}", gate.book().made);
        }
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1)]
async fn streams_between_tasks_on_one_cpu() -> Result<()> {
    within(async {
        let gates: Vec<_> = (0..8).map(|_| Gate::new()).collect();
        let totals: Vec<_> = gates.iter().map(|gate| total::remote(100, *gate)).collect();
        assert!(raytree::get_all(totals).await?.iter().all(|sum| *sum == 4950));
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn items_as_references_are_passed_on_without_being_read() -> Result<()> {
    within(async {
        let mut refs = iterate::remote(10, Gate::new()).refs();
        let mut doubled = Vec::new();
        while let Some(item) = refs.next().await {
            doubled.push(double::remote(item));
        }
        let doubled = raytree::get_all(doubled).await?;
        assert_eq!(doubled, (0..10).map(|x| 2 * x).collect::<Vec<_>>());
        let failing: Vec<_> = dries_up::remote(1).refs().collect().await;
        assert_eq!(failing.len(), 2);
        let error = double::remote(&failing[1]).await.unwrap_err();
        assert_eq!(error.downcast::<Dry>(), Some(Dry));
        Ok(())
    })
    .await
}

#[raytree::test]
fn a_stream_is_read_in_synchronous_code_too() -> Result<()> {
    in_time(|| {
        let mut items = iterate::remote(100, Gate::new());
        for item in 0..100 {
            assert_eq!(items.next_blocking(), Some(Ok(item)));
        }
        assert_eq!(items.next_blocking(), None);
    });
    let runtime = raytree::current()?;
    let asked = runtime.block_on(async { iterate::remote(1, Gate::new()).next_blocking() });
    assert!(matches!(asked, Some(Err(Error::BlockingInAsync { .. }))), "{asked:?}");
    Ok(())
}

#[raytree::test]
async fn items_that_nobody_took_are_freed() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let mut items = values::remote(gate);
        drop(items.next().await);
        drop(items);
        at_rest(&raytree::current()?).await;
        gate.until(|book| book.made == book.freed).await;
        Ok(())
    })
    .await
}

#[remote(window = 8)]
fn values(gate: Gate) -> impl Iterator<Item = Counted> {
    (0..100).map(move |_| Counted::new(gate))
}
