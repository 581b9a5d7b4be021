//! Calls: order, overlap, bounds, timeouts, readiness, ends.

use std::time::Duration;

use raytree::prelude::*;
use raytree::{Error, Lifecycle};
use tokio::sync::oneshot;

use crate::support::*;

#[test]
fn ha_2_calls_of_one_caller_are_handled_in_order() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let subject = runtime.spawn::<Subject>(("a", notes), ActorOptions::new())?;
        let answers: Vec<_> = (0..1000).map(|n| subject.call(Push(n))).collect();
        for (n, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.await?, n + 1);
        }
        assert_eq!(subject.query(Seen).await?, (0..1000).collect::<Vec<_>>());
        Ok(())
    });
}

#[test]
fn ha_1_ha_2_queries_overlap_up_to_max_concurrency_and_calls_run_alone() {
    with_runtime(1.0, |runtime| async move {
        let (notes, mut heard) = Notes::new();
        let options = ActorOptions::new().max_concurrency(2);
        let subject = runtime.spawn::<Subject>(("a", notes), options)?;
        let (open, gates): (Vec<_>, Vec<_>) = (0..3).map(|_| oneshot::channel()).unzip();
        let queries: Vec<_> =
            gates.into_iter().zip(0..).map(|(gate, n)| subject.query(GateQuery(gate, n))).collect();
        let push = subject.call(Push(7));
        expect(&mut heard, &["a up 0.0", "query 0", "query 1"]).await;
        assert!(heard.try_recv().is_err(), "the third waits for a place");
        let mut open = open.into_iter();
        // The second ends first: they overlap.
        let (first, second) = (open.next().unwrap(), open.next().unwrap());
        second.send(()).unwrap();
        expect(&mut heard, &["query 2"]).await;
        first.send(()).unwrap();
        open.next().unwrap().send(()).unwrap();
        for (query, n) in queries.into_iter().zip(0..) {
            assert_eq!(query.await?, n);
        }
        assert_eq!(push.await?, 1, "the call ran after all queries before it");
        Ok(())
    });
}

#[test]
fn a_full_mailbox_refuses_with_its_bound_and_submit_waits() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let subject = runtime.spawn::<Subject>(("a", notes), ActorOptions::new().mailbox(2))?;
        let (open, gate) = oneshot::channel();
        let running = subject.call(Gate(gate));
        let waiting = subject.call(Push(1));
        match subject.call(Push(2)).await {
            Err(Error::Overloaded { limit: 2, .. }) => {}
            other => panic!("{other:?}"),
        }
        let submitted = subject.submit(Push(3));
        let release = async { open.send(()).unwrap() };
        let (submitted, ()) = tokio::join!(submitted, release);
        assert_eq!((running.await?, waiting.await?, submitted?.await?), ((), 1, 2));
        Ok(())
    });
}

#[test]
fn a_call_that_takes_too_long_times_out_and_still_runs() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let subject = runtime.spawn::<Subject>(("a", notes), ActorOptions::new())?;
        let (open, gate) = oneshot::channel();
        let error = subject.call(Gate(gate)).timeout(Duration::from_millis(5)).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
        open.send(()).expect("the handler still waits");
        assert_eq!(subject.call(Push(1)).await?, 1);
        Ok(())
    });
}

#[test]
fn stop_handles_what_is_queued_and_kill_does_not() {
    with_runtime(1.0, |runtime| async move {
        let (notes, mut heard) = Notes::new();
        let stopped = runtime.spawn::<Subject>(("a", notes.clone()), ActorOptions::new())?;
        stopped.ready().await?;
        let answers: Vec<_> = (0..100).map(|n| stopped.call(Push(n))).collect();
        assert!(stopped.stop().await?.kind.is_normal());
        for answer in answers {
            answer.await?;
        }
        expect(&mut heard, &["a up 0.0", "a stopped"]).await;

        let killed = runtime.spawn::<Subject>(("b", notes), ActorOptions::new().restarts(9))?;
        let hanging = killed.call(Hang);
        let behind = killed.call(Push(1));
        killed.ready().await?;
        killed.kill();
        for error in [hanging.await.unwrap_err(), behind.await.unwrap_err()] {
            let Error::ActorDied { kind, will_restart: false, .. } = error else {
                panic!("{error:?}")
            };
            assert!(matches!(*kind, ExitKind::Killed { .. }), "{kind}");
        }
        assert!(matches!(killed.exited().await?.kind, ExitKind::Killed { .. }));
        assert_eq!(killed.status().lifecycle, Lifecycle::Dead);
        assert!(matches!(killed.call(Push(2)).await, Err(Error::ActorDied { .. })));
        expect(&mut heard, &["b up 0.0"]).await;
        Ok(())
    });
}

#[test]
fn dropping_the_last_handle_drains_then_ends_the_actor() {
    with_runtime(1.0, |runtime| async move {
        let (notes, mut heard) = Notes::new();
        let subject = runtime.spawn::<Subject>(("a", notes.clone()), ActorOptions::new())?;
        let clone = subject.clone();
        let answers: Vec<_> = (0..100).map(|n| subject.call(Push(n))).collect();
        drop(subject);
        assert_eq!(clone.call(Push(100)).await?, 101, "a clone keeps it alive");
        drop(clone);
        for answer in answers {
            answer.await?;
        }
        expect(&mut heard, &["a up 0.0", "a stopped"]).await;
        let detached = runtime.spawn::<Subject>(("d", notes), ActorOptions::new().detached())?;
        detached.ready().await?;
        drop(detached);
        expect(&mut heard, &["d up 0.0"]).await;
        // The detached one lives on, the other is gone.
        until(|| runtime.actor_count() == 1).await;
        Ok(())
    });
}

#[test]
fn an_actor_may_end_itself() {
    with_runtime(1.0, |runtime| async move {
        let (notes, mut heard) = Notes::new();
        let subject = runtime.spawn::<Subject>(("a", notes), ActorOptions::new().restarts(1))?;
        subject.call(Quit).await?;
        let exit = subject.exited().await?;
        assert_eq!(exit.kind, ExitKind::Stopped { reason: "had enough".to_owned() });
        expect(&mut heard, &["a up 0.0", "a stopped"]).await;
        Ok(())
    });
}

#[test]
fn ten_thousand_actors_start_answer_and_end() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let subjects = (0..10_000)
            .map(|_| runtime.spawn::<Subject>(("a", notes.clone()), ActorOptions::new()))
            .collect::<Result<Vec<_>, _>>()?;
        for subject in &subjects {
            assert_eq!(subject.call(Push(1)).await?, 1);
        }
        let last = subjects.last().expect("many").clone();
        drop(subjects);
        last.stop().await?;
        Ok(())
    });
}
