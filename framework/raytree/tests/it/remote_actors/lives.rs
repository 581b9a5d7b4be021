//! Restarts and ends: OC-1 (always-answered), OC-2 (at-most-once).

use raytree::prelude::*;
use raytree::{Backoff, Error, Result};

use super::subject::{died, late, same};
use super::{Desk, Subject, within};

fn restarts(restarts: u32) -> ActorOptions {
    ActorOptions::new().restarts(restarts).backoff(Backoff::NONE)
}

#[raytree::test]
async fn oc_2_without_retries_a_call_that_was_lost_is_told_and_not_made_again() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(restarts(3)).remote(desk.key());
        let running = subject.push_later(0, 1);
        desk.hears("began 1").await;
        let queued: Vec<_> = (2..5).map(|value| subject.push(value)).collect();
        let probe = subject.probe().expect("a probe");
        probe.panic_now();
        desk.open(0);
        // The one that runs ends in order; the next one meets the panic, and the others are lost with it.
        assert_eq!(running.await?, 1);
        for call in queued {
            let (kind, will_restart) = died(call.await);
            assert!(matches!(kind, ExitKind::Panicked(_)) && will_restart, "{kind}");
        }
        assert_eq!(subject.seen().await?, [0u64; 0]);
        assert_eq!(subject.life().await?, 1);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn oc_2_with_retries_a_lost_call_runs_once_more_for_each_life() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(restarts(5).retries(3)).remote(desk.key());
        let call = subject.panic_until(2, desk.counted(9));
        assert_eq!(call.await?, 9);
        let tried = |life| format!("tried 9 in {life}");
        let notes: Vec<_> =
            desk.notes().into_iter().filter(|note| note.starts_with("tried")).collect();
        assert_eq!(notes, [tried(0), tried(1), tried(2)]);
        desk.all_freed().await;

        // One life more than it has retries.
        let call = subject.panic_until(9, desk.counted(7));
        let (kind, will_restart) = died(call.await);
        assert!(matches!(kind, ExitKind::Panicked(_)) && !will_restart, "{kind}");
        let count = |notes: &[String]| notes.iter().filter(|n| n.starts_with("tried 7")).count();
        assert_eq!(count(&desk.notes()), 4);
        desk.all_freed().await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn or_1_retried_calls_keep_their_order_and_their_arguments() -> Result<()> {
    within(async {
        let desk = Desk::new();
        for round in 0..20 {
            let subject = Subject::with(restarts(1).retries(1)).remote(desk.key());
            // Some that are answered leave places that later ones take.
            let early: Vec<_> = (0..7).map(|value| subject.push(value)).collect();
            raytree::get_all(&early).await?;
            let (gate, value) = (100 + round, 1000 + round);
            let running = subject.push_later(gate, value);
            desk.hears(&format!("began {value}")).await;
            let queued: Vec<_> = (0..20)
                .map(|value| match value % 3 {
                    0 => subject.keep(desk.counted(value)),
                    1 => subject.push(same::remote(value)),
                    _ => subject.push(value),
                })
                .collect();
            raytree::get_all(queued.iter().filter(|_| false).cloned().collect::<Vec<_>>()).await?;
            subject.probe().expect("a probe").panic_now();
            desk.open(gate);
            assert_eq!(running.await?, value);
            assert_eq!(raytree::get_all(&queued).await?, (0..20).collect::<Vec<_>>());
            let expected: Vec<u64> = (0..20).filter(|value| value % 3 != 0).collect();
            assert_eq!(subject.seen().await?, expected, "round {round}");
            subject.kill().await?;
        }
        desk.all_freed().await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn or_1_calls_made_while_a_life_ends_stay_behind_those_that_are_retried() -> Result<()> {
    within(async {
        let desk = Desk::new();
        for round in 0..50 {
            let subject = Subject::with(restarts(1).retries(1)).remote(desk.key());
            let running = subject.push_later(round, 0);
            let queued: Vec<_> = (1..10).map(|value| subject.push(value)).collect();
            desk.hears_times("began 0", round as usize + 1).await;
            subject.probe().expect("a probe").panic_now();
            desk.open(round);
            running.await?;
            let later: Vec<_> = (10..200).map(|value| subject.push(value)).collect();
            raytree::get_all(&queued).await?;
            raytree::get_all(&later).await?;
            let seen = subject.seen().await?;
            assert!(seen.is_sorted(), "round {round}: {seen:?}");
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_call_that_waits_for_its_argument_outlives_a_life() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(restarts(2)).remote(desk.key());
        let waits = subject.push(late::remote(desk.key(), 0, 4));
        let other = subject.clone();
        assert!(died(other.panic("first life").await).1);
        desk.open(0);
        assert_eq!(waits.await?, 4);
        assert_eq!(subject.seen().await?, [4]);
        // What it is told later is of its own life, not of the first one.
        let waits = subject.push_later(late::remote(desk.key(), 1, 1), 5);
        let later = subject.push(6);
        desk.open(1);
        assert_eq!((waits.await?, later.await?), (5, 6));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn each_life_is_blamed_for_its_own_losses() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(restarts(3)).remote(desk.key());
        for word in ["one", "two", "three"] {
            let lost = late::remote(desk.key(), 9, 1);
            let deferred = subject.clone();
            let waits = deferred.push(&lost);
            let running = subject.panic(word);
            let queued = subject.push(1);
            for call in [running, queued] {
                let (kind, will_restart) = died(call.await);
                assert!(kind.to_string().contains(word) && will_restart, "{kind}");
            }
            drop(waits);
        }
        let (kind, will_restart) = died(subject.panic("four").await);
        assert!(kind.to_string().contains("four") && !will_restart, "{kind}");
        assert!(!died(subject.push(1).await).1);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_panic_beside_others_ends_the_life_and_all_of_them_are_told() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let options = restarts(1).max_concurrency(4);
        let subject = Subject::with(options).remote(desk.key());
        let beside: Vec<_> = (0..3).map(|_| subject.meet(1)).collect();
        let broken = subject.panic_beside(0);
        desk.runs(4).await;
        desk.open(0);
        for call in beside {
            assert!(died(call.await).1);
        }
        let (kind, will_restart) = died(broken.await);
        assert!(kind.to_string().contains("beside others") && will_restart, "{kind}");
        desk.runs(0).await;
        assert_eq!(subject.push(1).await?, 1);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_life_may_end_itself_in_order_or_by_failing() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(restarts(1)).remote(desk.key());
        subject.fail().await?;
        crate::support::until(|| subject.status().is_ok_and(|status| status.exits == 1)).await;
        assert_eq!(subject.life().await?, 1);
        subject.leave().await?;
        let lost = subject.push(1).await;
        assert!(!died(lost).1);
        assert!(matches!(subject.exited().await?.kind, ExitKind::Stopped { .. }));
        desk.hears("stopped").await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn oc_1_calls_are_answered_also_when_a_hung_thread_keeps_the_mailbox() -> Result<()> {
    within(async {
        let desk = Desk::new();
        for overlapping in [1, 4] {
            let gate = overlapping as u64;
            let options = restarts(5).retries(5).max_concurrency(overlapping);
            let subject = Subject::with(options).remote(desk.key());
            let running = subject.block(gate);
            desk.hears(&format!("blocks {gate}")).await;
            let queued: Vec<_> = (0..5).map(|value| subject.push(value)).collect();
            let deferred = subject.push(late::remote(desk.key(), 99, 1));
            let mut stream = subject.upto(5);
            // Its thread is abandoned after the grace of a kill.
            assert!(matches!(subject.kill().await?.kind, ExitKind::Killed { .. }));
            for call in queued.into_iter().chain([running, deferred]) {
                assert!(matches!(died(call.await), (ExitKind::Killed { .. }, false)));
            }
            assert!(!died(stream.next().await.expect("an end")).1);
            assert_eq!(stream.next().await, None);
            // Nothing else comes of it.
            desk.open(gate);
            desk.hears(&format!("unblocked {gate}")).await;
        }
        desk.runs(0).await;
        assert_eq!(desk.notes().iter().filter(|note| note.starts_with("up")).count(), 2);
        assert_eq!(raytree::current()?.actor_count(), 0);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn oc_1_blocking_methods_beside_others_are_answered_when_their_threads_hang() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let options = ActorOptions::new().max_concurrency(4);
        let subject = Subject::with(options).remote(desk.key());
        let running: Vec<_> = (0..4).map(|_| subject.block_beside(1)).collect();
        desk.runs(4).await;
        let queued = subject.push(1);
        subject.kill().await?;
        for call in running.into_iter().chain([queued]) {
            assert!(matches!(died(call.await), (ExitKind::Killed { .. }, false)));
        }
        desk.open(1);
        desk.runs(0).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn an_err_is_an_answer_and_the_actor_lives_on() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(restarts(1).retries(1)).remote(desk.key());
        let told = subject.err().await;
        assert!(matches!(told, Err(Error::TaskFailed { .. })), "{told:?}");
        assert_eq!(subject.life().await?, 0);
        Ok(())
    })
    .await
}
