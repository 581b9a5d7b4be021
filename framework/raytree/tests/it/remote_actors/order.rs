//! OR-1 (in-order) and OR-2 (own-line).

use std::sync::Arc;

use raytree::Result;

use super::subject::{failing, late, pushed, same};
use super::{Desk, Subject, within};

#[raytree::test]
async fn or_1_calls_run_in_the_order_made_whichever_argument_is_ready_first() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let slow: Vec<_> = (0..10).map(|gate| late::remote(desk.key(), gate, gate)).collect();
        let calls: Vec<_> = slow
            .iter()
            .enumerate()
            .flat_map(|(at, slow)| [subject.push(slow), subject.push(100 + at as u64)])
            .collect();
        // Ready in the reverse order.
        for (gate, slow) in slow.iter().enumerate().rev() {
            desk.open(gate as u64);
            _ = slow.await?;
        }
        raytree::get_all(&calls).await?;
        let expected: Vec<u64> = (0..10).flat_map(|at| [at, 100 + at]).collect();
        assert_eq!(subject.seen().await?, expected);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn or_1_a_call_with_everything_there_waits_for_the_earlier_one_of_its_caller() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let first = subject.push(late::remote(desk.key(), 0, 1));
        let second = subject.push(2);
        // Another caller's calls pass both by (OR-2).
        assert_eq!(subject.clone().push(3).await?, 3);
        assert!(!first.is_ready() && !second.is_ready());
        desk.open(0);
        second.await?;
        assert_eq!(subject.seen().await?, [3, 1, 2]);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn or_1_a_call_whose_argument_fails_tells_and_lets_the_next_one_go() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let bad = subject.push(failing::remote(desk.key(), 0));
        let good = subject.push(2);
        desk.open(0);
        let told = bad.await.unwrap_err();
        assert_eq!(told.to_string(), "failing failed: no such value");
        assert_eq!(good.await?, 2);
        assert_eq!(subject.seen().await?, [2]);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn or_2_a_call_that_waits_for_a_task_that_calls_the_same_actor_does_not_hang() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        // The task's own call, through its clone, must not stand behind the call that waits for the task.
        let task = pushed::remote(subject.clone(), 1);
        let waits = subject.push(&task);
        let after = subject.push(5);
        assert_eq!((waits.await?, after.await?), (1, 5));
        assert_eq!(subject.seen().await?, [1, 1, 5]);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn or_2_each_clone_is_a_caller_of_its_own() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let clones: Vec<_> = (0..8).map(|_| subject.clone()).collect();
        let gates: Vec<_> = (0..8).map(|gate| late::remote(desk.key(), gate, gate * 10)).collect();
        let calls: Vec<_> = clones
            .iter()
            .zip(&gates)
            .flat_map(|(clone, gate)| [clone.push(gate), clone.push(same::remote(1000))])
            .collect();
        for gate in [5, 2, 7, 0, 1, 6, 3, 4] {
            desk.open(gate);
            (&calls[2 * gate as usize + 1]).await?;
        }
        let expected: Vec<u64> =
            [5, 2, 7, 0, 1, 6, 3, 4].into_iter().flat_map(|gate| [gate * 10, 1000]).collect();
        assert_eq!(subject.seen().await?, expected);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn or_1_holds_for_each_of_many_threads_that_call_at_once() -> Result<()> {
    let desk = Desk::new();
    let subject = Subject::remote(desk.key());
    let runtime = raytree::current()?;
    let threads: Vec<_> = (0..4u64)
        .map(|thread| {
            let (own, runtime, key) = (subject.clone(), runtime.clone(), desk.key());
            std::thread::spawn(move || {
                let _entered = runtime.enter();
                let calls: Vec<_> = (0..200)
                    .map(|number| {
                        let value = thread * 1000 + number;
                        match number % 3 {
                            0 => own.push(late::remote(key, 0, value)),
                            1 => own.push(same::remote(value)),
                            _ => own.push(value),
                        }
                    })
                    .collect();
                calls.into_iter().try_for_each(|call| call.get().map(drop))
            })
        })
        .collect();
    desk.open(0);
    let joined = tokio::task::spawn_blocking(move || -> Result<()> {
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    });
    within(async {
        joined.await.expect("no panic")?;
        let seen = subject.seen().await?;
        for thread in 0..4 {
            let own: Vec<_> = seen.iter().filter(|value| *value / 1000 == thread).collect();
            assert!(own.is_sorted() && own.len() == 200, "{own:?}");
        }
        Ok(())
    })
    .await
}

/// Several threads may share one handle: then they are one caller, whose calls all run.
#[raytree::test]
async fn or_1_a_handle_shared_by_threads_loses_no_call() -> Result<()> {
    let desk = Desk::new();
    let subject = Arc::new(Subject::remote(desk.key()));
    let runtime = raytree::current()?;
    let threads: Vec<_> = (0..4u64)
        .map(|thread| {
            let (own, runtime, key) = (Arc::clone(&subject), runtime.clone(), desk.key());
            std::thread::spawn(move || {
                let _entered = runtime.enter();
                let value = |number| thread * 1000 + number;
                (0..300)
                    .map(|number| match number % 2 {
                        0 => own.push(late::remote(key, 0, value(number))),
                        _ => own.push(value(number)),
                    })
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    desk.open(0);
    let calls = threads.into_iter().flat_map(|thread| thread.join().expect("no panic"));
    let calls: Vec<_> = calls.collect();
    within(async {
        raytree::get_all(&calls).await?;
        let seen = subject.seen().await?;
        assert_eq!(seen.len(), 1200);
        for thread in 0..4 {
            assert!(seen.iter().filter(|value| *value / 1000 == thread).is_sorted());
        }
        Ok(())
    })
    .await
}
