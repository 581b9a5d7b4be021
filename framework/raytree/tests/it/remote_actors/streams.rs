//! Methods that give items one after the other.

use raytree::prelude::*;
use raytree::{Backoff, Error, Result};

use super::subject::died;
use super::{Desk, Subject, within};

async fn all(mut stream: ObjectStream<u64>) -> Result<Vec<u64>> {
    let mut items = Vec::new();
    while let Some(item) = stream.next().await {
        items.push(item?);
    }
    Ok(items)
}

#[raytree::test(threads = 1)]
async fn every_kind_of_generator_gives_all_its_items() -> Result<()> {
    within(async {
        let desk = Desk::new();
        (1000..1004).for_each(|gate| desk.open(gate));
        for overlapping in [1, 4] {
            let options = ActorOptions::new().max_concurrency(overlapping);
            let subject = Subject::with(options).remote(desk.key());
            assert_eq!(all(subject.upto(200)).await?, (0..200).collect::<Vec<_>>());
            assert_eq!(all(subject.upto_shared(200)).await?, (0..200).collect::<Vec<_>>());
            assert_eq!(all(subject.ticks(3)).await?, [0, 1, 2]);
            assert_eq!(all(subject.ticks_shared(3)).await?, [0, 1, 2]);
            assert_eq!(subject.push(1).await?, 1);
        }
        Ok(())
    })
    .await
}

#[raytree::test(threads = 1)]
async fn a_generator_is_never_further_ahead_than_its_window() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let window = raytree::limits::STREAM_WINDOW as u64;
        let mut stream = subject.upto(10 * window);
        for item in 0..3 {
            assert_eq!(stream.next().await, Some(Ok(item)));
            // As many as there is room for, and one that waits for room.
            desk.hears(&format!("made {}", item + window)).await;
        }
        assert!(!desk.notes().contains(&format!("made {}", window + 4)));
        // It holds up its actor, and nobody else.
        let waits = subject.push(1);
        assert_eq!(Subject::remote(desk.key()).push(1).await?, 1);
        assert!(!waits.is_ready());
        assert_eq!(all(stream).await?.len() as u64, 10 * window - 3);
        waits.await?;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn dropping_the_stream_ends_the_body_and_the_actor_goes_on() -> Result<()> {
    within(async {
        let desk = Desk::new();
        for overlapping in [1, 4] {
            let options = ActorOptions::new().max_concurrency(overlapping);
            let subject = Subject::with(options).remote(desk.key());
            for stream in [subject.upto(1 << 40), subject.ticks(9), subject.upto_shared(1 << 40)] {
                drop(stream);
            }
            let mut stream = subject.ticks_shared(9);
            desk.open(1000);
            assert_eq!(stream.next().await, Some(Ok(0)));
            drop(stream);
            let mut stream = subject.upto(1 << 40);
            assert_eq!(stream.next().await, Some(Ok(0)));
            drop(stream);
            assert_eq!(subject.push(1).await?, 1);
            assert_eq!(subject.life().await?, 0);
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn the_death_of_the_actor_is_the_last_item() -> Result<()> {
    within(async {
        let desk = Desk::new();
        for retries in [0, 3] {
            let options = ActorOptions::new().restarts(5).retries(retries).backoff(Backoff::NONE);
            let subject = Subject::with(options).remote(desk.key());
            // Its items may have been read: it is not made again, whatever the retries.
            let mut stream = subject.breaks();
            assert_eq!(stream.next().await, Some(Ok(0)));
            assert_eq!(stream.next().await, Some(Ok(1)));
            let (kind, will_restart) = died(stream.next().await.expect("an end"));
            assert!(kind.to_string().contains("it broke") && will_restart, "{kind}");
            assert_eq!(stream.next().await, None);
            assert_eq!(subject.push(1).await?, 1);
            // One that had not begun is lost too.
            let (running, queued) = (subject.breaks(), subject.upto(3));
            assert!(matches!(all(running).await, Err(Error::ActorDied { .. })));
            assert!(matches!(all(queued).await, Err(Error::ActorDied { .. })));
            subject.kill().await?;
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_kill_ends_streams_of_every_kind() -> Result<()> {
    within(async {
        let desk = Desk::new();
        desk.open(1000);
        for kind in 0..4 {
            let options = ActorOptions::new().max_concurrency(1 + kind % 2);
            let subject = Subject::with(options).remote(desk.key());
            let mut stream = match kind {
                0 | 1 => subject.ticks(9),
                2 => subject.upto(1 << 40),
                _ => subject.upto_shared(1 << 40),
            };
            assert_eq!(stream.next().await, Some(Ok(0)));
            let killed = subject.kill();
            // A synchronous one that waits for room is let go by its reader.
            let told = loop {
                match stream.next().await.expect("an end") {
                    Ok(_) => {}
                    Err(error) => break error,
                }
            };
            let (kind, will_restart) = died::<()>(Err(told));
            assert!(matches!(kind, ExitKind::Killed { .. }) && !will_restart, "{kind}");
            assert_eq!(stream.next().await, None);
            killed.await?;
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn oc_1_a_stream_whose_body_hangs_ends_with_its_actor() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let mut stream = subject.stalls(0);
        assert_eq!(stream.next().await, Some(Ok(0)));
        desk.hears("stalls").await;
        subject.kill().await?;
        let (kind, _) = died(stream.next().await.expect("an end"));
        assert!(matches!(kind, ExitKind::Killed { .. }), "{kind}");
        assert_eq!(stream.next().await, None);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_cancelled_stream_ends_with_that_word() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        desk.open(1000);
        for endless in [false, true] {
            let mut stream = if endless { subject.upto(1 << 40) } else { subject.ticks(9) };
            assert_eq!(stream.next().await, Some(Ok(0)));
            stream.cancel();
            let ended = all(stream).await;
            assert!(matches!(ended, Err(Error::Cancelled { .. })), "{ended:?}");
            assert_eq!(subject.push(1).await?, 1);
        }
        Ok(())
    })
    .await
}
