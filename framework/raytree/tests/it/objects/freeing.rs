//! Freeing: every value exactly once, at the moment the last reference to it goes.

use std::thread;

use raytree::Result;
use raytree::prelude::*;

use crate::support::until;
use crate::tasks::gate::*;

#[remote]
fn make(gate: Gate) -> Counted {
    Counted::new(gate)
}

#[remote]
fn make_many(count: usize, gate: Gate) -> Vec<Counted> {
    (0..count).map(|_| Counted::new(gate)).collect()
}

#[remote(window = 16)]
fn stream(count: usize, gate: Gate) -> impl Iterator<Item = Counted> {
    (0..count).map(move |_| Counted::new(gate))
}

#[remote]
fn look(value: &Counted) -> bool {
    value.0.book().freed < value.0.book().made
}

#[remote(retry_errors = 3)]
fn look_again(value: &Counted, ctx: &TaskContext) -> Result<u32, String> {
    let _ = value;
    if ctx.run() < 3 { Err("again".to_owned()) } else { Ok(ctx.run()) }
}

#[remote]
async fn pass(gate: Gate, value: Counted) -> u64 {
    gate.pass().await;
    drop(value);
    1
}

fn alive(gate: Gate) -> usize {
    let book = gate.book();
    assert!(book.freed <= book.made, "freed twice");
    book.made - book.freed
}

#[raytree::test]
async fn ob_2_a_hundred_thousand_objects_are_freed_exactly_once() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let gate = Gate::new();
        let mut puts = Vec::new();
        for _ in 0..40_000 {
            puts.push(raytree::put(Counted::new(gate)).await?);
        }
        assert_eq!(alive(gate), 40_000);
        let clones = puts.clone();
        drop(puts);
        assert_eq!(alive(gate), 40_000);
        drop(clones);
        assert_eq!(alive(gate), 0, "at once");
        for _ in 0..4 {
            let made: Vec<_> = (0..10_000).map(|_| make::remote(gate)).collect();
            // A part is dropped before it is made, a part after.
            drop(made.into_iter().step_by(2).collect::<Vec<_>>());
        }
        let mut items = stream::remote(20_000, gate);
        while let Some(item) = items.next().await {
            drop(item?);
        }
        drop(items);
        at_rest(&runtime).await;
        until(|| alive(gate) == 0).await;
        let book = gate.book();
        assert!(book.made >= 100_000 && book.made == book.freed, "{book:?}");
        Ok(())
    })
    .await
}

#[raytree::test(strict = false)]
async fn ob_2_with_the_last_reference_it_is_gone_at_once() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let reference = make::remote(gate);
        let view = reference.shared().await?;
        let clone = reference.clone();
        drop(reference);
        assert_eq!(alive(gate), 1);
        drop(clone);
        assert_eq!(alive(gate), 1, "somebody reads it");
        drop(view);
        assert_eq!(alive(gate), 0);
        let whole = make_many::remote(4, gate);
        whole.shared().await?;
        let mut parts = whole.elements(4);
        for left in (0..4).rev() {
            drop(parts.pop());
            assert_eq!(alive(gate), left);
        }
        // Nobody wants it any more before it is there.
        drop(make::remote(gate));
        at_rest(&raytree::current()?).await;
        assert_eq!(alive(gate), 0);
        assert_eq!(gate.book().clones, 0);
        Ok(())
    })
    .await
}

#[raytree::test(strict = false)]
async fn arguments_are_freed_before_the_result_is_there() -> Result<()> {
    within(async {
        let gate = Gate::new();
        assert!(look::remote(Counted::new(gate)).await?);
        assert_eq!(alive(gate), 0);
        assert!(look::remote(make::remote(gate)).await?);
        assert_eq!(alive(gate), 0);
        assert_eq!(look_again::remote(Counted::new(gate)).await?, 3);
        assert_eq!(alive(gate), 0, "kept for another run, and no longer");
        let closed = Gate::new();
        let never = pass::remote(closed, Counted::new(gate));
        closed.begun(1).await;
        never.cancel();
        closed.until(|book| book.left == 1).await;
        at_rest(&raytree::current()?).await;
        assert_eq!(alive(gate), 0);
        let never = pass::remote(closed, Counted::new(gate));
        let waits = look::remote(raytree::put(Counted::new(gate)).await?);
        never.cancel();
        assert!(waits.await?);
        at_rest(&raytree::current()?).await;
        assert_eq!(alive(gate), 0);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn ob_2_references_may_be_dropped_on_any_thread() -> Result<()> {
    within(async {
        let gate = Gate::new();
        for _ in 0..20 {
            let refs: Vec<_> = (0..200).map(|_| make::remote(gate)).collect();
            let threads: Vec<_> = (0..4)
                .map(|offset| {
                    let mut own = refs.clone();
                    own.rotate_left(offset * 50);
                    thread::spawn(move || own.into_iter().for_each(drop))
                })
                .collect();
            drop(refs);
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        }
        at_rest(&raytree::current()?).await;
        until(|| alive(gate) == 0).await;
        assert!(gate.book().made >= 4000);
        Ok(())
    })
    .await
}

#[test]
fn objects_of_a_runtime_that_has_ended_are_freed_too() {
    let runtime = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
    let gate = Gate::new();
    let refs = {
        let _here = runtime.enter();
        let put = raytree::put(Counted::new(gate)).get().expect("a runtime");
        let pending = pass::with(TaskOptions::new().cpus(0.0)).remote(Gate::new(), &put);
        (put, pending)
    };
    runtime.shutdown();
    drop(refs);
    in_its_own_time(gate);
}

/// What a torn down runtime still held is freed on its own threads.
fn in_its_own_time(gate: Gate) {
    gate.await_blocking(|book| book.made == book.freed);
}
