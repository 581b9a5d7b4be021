//! Cancelling calls: queued, waiting, running, retried. The actor lives on.

use raytree::prelude::*;
use raytree::{Backoff, Error, Result};

use super::subject::late;
use super::{Desk, Subject, within};

fn cancelled<T: std::fmt::Debug>(answer: Result<T>) {
    assert!(matches!(answer, Err(Error::Cancelled { .. })), "{answer:?}");
}

#[raytree::test]
async fn a_queued_call_that_is_cancelled_never_begins() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let running = subject.push_later(0, 0);
        let calls: Vec<_> = (1..10).map(|value| subject.push(value)).collect();
        calls.iter().step_by(2).for_each(ObjectRef::cancel);
        desk.open(0);
        running.await?;
        for (at, call) in calls.into_iter().enumerate() {
            match at % 2 {
                0 => cancelled(call.await),
                _ => drop(call.await?),
            }
        }
        assert_eq!(subject.seen().await?, [0, 2, 4, 6, 8]);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_running_async_call_that_is_cancelled_is_dropped_at_its_await() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let running = subject.push_later(0, 7);
        desk.hears("began 7").await;
        running.cancel();
        desk.hears("dropped 7").await;
        cancelled(running.await);
        assert_eq!(subject.push(1).await?, 1);
        assert_eq!(subject.seen().await?, [1]);
        assert_eq!(subject.life().await?, 0);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn overlapping_calls_are_cancelled_one_by_one_and_make_room() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(ActorOptions::new().max_concurrency(2)).remote(desk.key());
        let calls: Vec<_> = (0..4).map(|gate| subject.meet(gate)).collect();
        desk.runs(2).await;
        calls[0].cancel();
        desk.hears("dropped 0").await;
        desk.runs(2).await;
        calls[3].cancel();
        desk.open(1);
        desk.open(2);
        for (at, call) in calls.into_iter().enumerate() {
            match at {
                0 | 3 => cancelled(call.await),
                _ => assert_eq!(call.await?, at as u64),
            }
        }
        // All turns are free again.
        assert_eq!(subject.push(1).await?, 1);
        assert!(!desk.notes().contains(&"dropped 3".to_owned()));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_call_that_waits_for_its_argument_can_be_cancelled_and_holds_up_nobody() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let options = ActorOptions::new().mailbox(2);
        let subject = Subject::with(options).remote(desk.key());
        let never = late::remote(desk.key(), 0, 1);
        let waits = subject.push(&never);
        let behind = subject.push(2);
        waits.cancel();
        assert_eq!(behind.await?, 2);
        cancelled(waits.await);
        // Nor does it keep its place in the mailbox.
        for _ in 0..3 {
            let waits = subject.push(&never);
            waits.cancel();
            cancelled(waits.await);
        }
        let both = [subject.push(3), subject.push(4)];
        raytree::get_all(both).await?;
        assert_eq!(subject.seen().await?, [2, 3, 4]);
        desk.open(0);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_cancelled_call_is_not_made_again_by_the_next_life() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let options =
            ActorOptions::new().restarts(1).retries(5).backoff(Backoff::NONE).max_concurrency(2);
        let subject = Subject::with(options).remote(desk.key());
        let (kept, dropped) = (subject.meet(0), subject.meet(1));
        desk.runs(2).await;
        dropped.cancel();
        let broken = subject.panic_until(1, desk.counted(1));
        let queued = subject.push(1);
        queued.cancel();
        desk.open(0);
        assert_eq!(kept.await?, 0);
        assert_eq!(broken.await?, 1);
        cancelled(dropped.await);
        cancelled(queued.await);
        assert_eq!(subject.seen().await?, [0u64; 0]);
        desk.all_freed().await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_synchronous_call_goes_on_and_its_result_is_dropped() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let running = subject.block(0);
        desk.hears("blocks 0").await;
        running.cancel();
        cancelled(running.await);
        let next = subject.push(1);
        desk.open(0);
        next.await?;
        // It could not be stopped, and the next one waited for it.
        assert_eq!(subject.seen().await?, [0, 1]);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_call_that_is_over_cannot_be_cancelled() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let call = subject.push(1);
        (&call).await?;
        call.cancel();
        assert_eq!(call.await?, 1);
        Ok(())
    })
    .await
}
