//! Waiting for some of many references.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use raytree::prelude::*;
use raytree::{Error, Result, Waited};

use crate::support::until;
use crate::tasks::gate::*;

const HOUR: Duration = Duration::from_secs(3600);

#[remote(cpus = 0)]
async fn pass(gate: Gate, x: u64) -> u64 {
    gate.pass().await;
    x
}

#[remote]
fn fails(x: u64) -> Result<u64, String> {
    Err(x.to_string())
}

async fn failed(x: u64) -> ObjectRef<u64> {
    let reference = fails::remote(x);
    until(|| reference.is_ready()).await;
    reference
}

fn lengths<T>(waited: &Waited<T>) -> (usize, usize) {
    (waited.ready.len(), waited.pending.len())
}

#[raytree::test]
async fn one_is_waited_for_by_default_and_the_order_stays() -> Result<()> {
    within(async {
        let (first, second) = (Gate::new(), Gate::new());
        let refs = [pass::remote(first, 1), pass::remote(second, 2), pass::remote(first, 3)];
        second.open();
        let waited = raytree::wait(&refs).await?;
        assert!(waited.ready == [refs[1].clone()]);
        assert!(waited.pending == [refs[0].clone(), refs[2].clone()]);
        first.open();
        let waited = raytree::wait(&refs).count(3).await?;
        assert!(waited.ready == refs && waited.pending.is_empty());
        let waited = raytree::wait(&refs).count(2).await?;
        assert!(waited.ready == refs[..2] && waited.pending == refs[2..], "the first in order");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn limits_of_count_and_time() -> Result<()> {
    within(async {
        let nothing: Vec<ObjectRef<u64>> = Vec::new();
        assert_eq!(lengths(&raytree::wait(nothing).count(3).await?), (0, 0));
        let ready = raytree::put(1_u64).await?;
        assert_eq!(
            lengths(&raytree::wait([&ready]).count(9).await?),
            (1, 0),
            "more than there are"
        );
        assert_eq!(lengths(&raytree::wait([&ready]).count(0).await?), (0, 1));
        let gate = Gate::new();
        let slow = pass::remote(gate, 1);
        let zero = Duration::ZERO;
        assert_eq!(lengths(&raytree::wait([&slow]).timeout(zero).await?), (0, 1));
        assert_eq!(lengths(&raytree::wait([&slow, &ready]).count(2).timeout(zero).await?), (1, 1));
        let short = Duration::from_millis(5);
        let waited = raytree::wait([&slow, &ready]).count(2).timeout(short).await?;
        assert!(waited.ready == [ready.clone()] && waited.pending == [slow.clone()]);
        // The same reference twice.
        assert_eq!(lengths(&raytree::wait([&ready, &ready]).count(2).await?), (2, 0));
        gate.open();
        assert_eq!(lengths(&raytree::wait([&slow, &slow]).count(2).timeout(HOUR).await?), (2, 0));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn an_error_counts_as_ready_and_is_not_read_by_waiting() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let waited = raytree::wait([fails::remote(1), fails::remote(2)]).count(2).await?;
        assert_eq!(lengths(&waited), (2, 0));
        drop(waited);
        assert_eq!(runtime.lost_errors(), 2, "waiting is not reading");
        Ok(())
    })
    .await
}

#[raytree::test]
fn in_synchronous_code_and_not_by_blocking_in_async_code() -> Result<()> {
    let runtime = raytree::current()?;
    let asked = runtime.block_on(async { raytree::wait([pass::remote(Gate::new(), 1)]).get() });
    assert!(matches!(asked, Err(Error::BlockingInAsync { .. })));
    in_time(|| {
        let gate = Gate::new();
        let slow = pass::remote(gate, 1);
        let waited = raytree::wait([&slow]).timeout(Duration::from_millis(5)).get()?;
        assert_eq!(lengths(&waited), (0, 1));
        gate.open();
        assert_eq!(lengths(&raytree::wait([slow]).get()?), (1, 0));
        Ok(())
    })
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Ready,
    Failed,
    /// Until its gate is opened.
    Pending,
}

fn kinds() -> impl Strategy<Value = Vec<Kind>> {
    let kind = prop_oneof![Just(Kind::Ready), Just(Kind::Failed), Just(Kind::Pending)];
    prop::collection::vec(kind, 0..8)
}

/// What a plain reading of the words says.
fn model(kinds: &[Kind], count: usize) -> (Vec<usize>, Vec<usize>) {
    let count = count.min(kinds.len());
    let (mut ready, mut pending) = (vec![], vec![]);
    for (index, kind) in kinds.iter().enumerate() {
        let give = !matches!(kind, Kind::Pending) && ready.len() < count;
        if give { &mut ready } else { &mut pending }.push(index);
    }
    (ready, pending)
}

#[raytree::test]
fn a_wait_is_what_its_model_says() -> Result<()> {
    let runtime = raytree::current()?;
    let mut runner =
        TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let story = (kinds(), 0_usize..10, any::<bool>());
    let ran = runner.run(&story, |(kinds, count, blocking)| {
        let gate = Gate::new();
        let refs: Vec<_> = runtime.block_on(async {
            let mut refs = Vec::new();
            for (index, kind) in kinds.iter().enumerate() {
                refs.push(match kind {
                    Kind::Ready => raytree::put(index as u64).await.expect("a runtime"),
                    Kind::Failed => failed(index as u64).await,
                    Kind::Pending => pass::remote(gate, index as u64),
                });
            }
            refs
        });
        let there = kinds.iter().filter(|kind| !matches!(kind, Kind::Pending)).count();
        let enough = there >= count.min(kinds.len());
        // With enough of them there it never waits; else its time is over at once.
        let wait = raytree::wait(&refs).count(count);
        let wait = if enough { wait } else { wait.timeout(Duration::ZERO) };
        let waited = if blocking { wait.get() } else { runtime.block_on(wait) };
        let waited = waited.expect("the runtime lives");
        let (ready, pending) = model(&kinds, count);
        let of = |indices: &[usize]| indices.iter().map(|i| refs[*i].clone()).collect::<Vec<_>>();
        prop_assert!(waited.ready == of(&ready), "ready: {:?}", waited.ready);
        prop_assert!(waited.pending == of(&pending), "pending: {:?}", waited.pending);
        // And with the gate opened meanwhile exactly as many as were asked for, in order.
        let opener = std::thread::spawn(move || gate.open());
        let wait = raytree::wait(&refs).count(count).timeout(HOUR);
        let waited = if blocking { wait.get() } else { runtime.block_on(wait) };
        let waited = waited.expect("the runtime lives");
        opener.join().expect("no panic");
        prop_assert_eq!(waited.ready.len(), count.min(refs.len()));
        prop_assert!(waited.ready.iter().all(ObjectRef::is_ready));
        let place = |one: &ObjectRef<u64>| refs.iter().position(|other| other == one);
        for part in [&waited.ready, &waited.pending] {
            let places: Vec<_> = part.iter().map(place).collect();
            prop_assert!(places.is_sorted(), "out of order: {:?}", places);
        }
        prop_assert_eq!(waited.ready.len() + waited.pending.len(), refs.len());
        Ok(())
    });
    assert!(ran.is_ok(), "{}", ran.unwrap_err());
    Ok(())
}

/// A waker that can be counted.
struct Counting;

impl Wake for Counting {
    fn wake(self: Arc<Self>) {}
}

/// Polls `wait` and its like with a waker of their own each time, as in a program whose tasks come and go.
fn give_up_often(slow: &ObjectRef<u64>) {
    for _ in 0..100 {
        let own = Arc::new(Counting);
        let waker = Waker::from(Arc::clone(&own));
        let mut cx = Context::from_waker(&waker);
        let mut wait = raytree::wait([slow, slow]).count(2).timeout(HOUR);
        assert!(Pin::new(&mut wait).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut wait).poll(&mut cx).is_pending());
        let mut all = raytree::get_all([slow]);
        assert!(Pin::new(&mut all).poll(&mut cx).is_pending());
        let mut shared = Box::pin(slow.shared());
        assert!(shared.as_mut().poll(&mut cx).is_pending());
        let mut limited = Box::pin(slow.clone().timeout(HOUR));
        assert!(limited.as_mut().poll(&mut cx).is_pending());
        assert!(Arc::strong_count(&own) > 2, "they do wait");
        drop((wait, all, shared, limited));
        assert_eq!(Arc::strong_count(&own), 2, "somebody still keeps its waker");
    }
}

fn poll_often(slow: &ObjectRef<u64>, counting: &Arc<Counting>) {
    let waker = Waker::from(Arc::clone(counting));
    let mut cx = Context::from_waker(&waker);
    for _ in 0..100 {
        assert!(Pin::new(&mut &*slow).poll(&mut cx).is_pending());
    }
    assert_eq!(Arc::strong_count(counting), 3, "kept once");
}

#[raytree::test]
async fn nothing_stays_in_a_pending_object_of_those_who_gave_up() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let slow = pass::remote(gate, 1);
        give_up_often(&slow);
        let counting = Arc::new(Counting);
        poll_often(&slow, &counting);
        gate.open();
        assert_eq!((&slow).await?, 1);
        assert_eq!(Arc::strong_count(&counting), 1, "and not at all once it was told");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn waiting_again_and_again_finds_every_one_once() -> Result<()> {
    within(async {
        let gates: Vec<_> = (0..50).map(|_| Gate::new()).collect();
        let mut open: Vec<_> =
            gates.iter().enumerate().map(|(x, gate)| pass::remote(*gate, x as u64)).collect();
        let mut found = Vec::new();
        let order = [7, 3, 9, 1];
        for step in 0..50 {
            gates[(step * 21 + order[step % 4] * 10) % 50].open();
            let short = Duration::from_millis(1);
            let waited = raytree::wait(open).count(50).timeout(short).await?;
            found.extend(raytree::get_all(waited.ready).await?);
            open = waited.pending;
        }
        gates.iter().for_each(|gate| gate.open());
        found.extend(raytree::get_all(open).await?);
        found.sort_unstable();
        assert_eq!(found, (0..50).collect::<Vec<u64>>());
        Ok(())
    })
    .await
}
