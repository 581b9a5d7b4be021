//! What happens when an actor, its parent, its host or a part of the system fails.

use raytree::prelude::*;
use raytree::{Error, Incarnation};
use tokio::sync::oneshot;

use crate::support::*;

#[test]
fn a_panic_ends_one_life_and_the_handle_reaches_the_next() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let subject = runtime.spawn::<Subject>(("a", notes), ActorOptions::new().restarts(2))?;
        subject.call(Push(1)).await?;
        let error = subject.call(Panic).await.unwrap_err();
        let Error::ActorDied { kind, will_restart: true, .. } = &error else { panic!("{error:?}") };
        let ExitKind::Panicked(cause) = &**kind else { panic!("{kind}") };
        assert_eq!(cause.message, "index out of bounds");
        assert!(cause.place.as_ref().is_some_and(|place| place.contains("support.rs:")));
        assert_eq!(cause.during.as_deref(), Some("Panic"));
        assert_eq!(subject.query(Which).await?, Incarnation { placement: 0, restart: 1 });
        assert_eq!(subject.query(Seen).await?, Vec::<u64>::new(), "a new life begins anew");
        Ok(())
    });
}

#[test]
fn restarts_are_a_budget_for_life() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let subject = runtime.spawn::<Subject>(("a", notes), ActorOptions::new().restarts(2))?;
        for left in [true, true, false] {
            match subject.call(Panic).await.unwrap_err() {
                Error::ActorDied { will_restart, .. } => assert_eq!(will_restart, left),
                other => panic!("{other:?}"),
            }
        }
        let exit = subject.exited().await?;
        assert_eq!((exit.restarts, exit.will_restart), (2, false));
        assert_eq!(runtime.actor_count(), 0);
        Ok(())
    });
}

#[test]
fn a_failing_constructor_reaches_every_waiting_caller_with_its_cause() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let subject = runtime.spawn::<Subject>(("stillborn", notes), ActorOptions::new())?;
        let waiting = subject.call(Push(1));
        for error in [waiting.await.unwrap_err(), subject.ready().await.unwrap_err()] {
            let Error::ActorDied { kind, .. } = error else { panic!("{error:?}") };
            let ExitKind::Constructor(cause) = *kind else { panic!("{kind}") };
            assert_eq!(cause.message, "no such disk");
        }
        Ok(())
    });
}

#[test]
fn an_actor_may_fail_itself_and_is_restarted() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let subject = runtime.spawn::<Subject>(("a", notes), ActorOptions::new().restarts(1))?;
        subject.call(Fail).await?;
        // A call may still meet the life that is failing; its caller is told so.
        let which = loop {
            match subject.query(Which).await {
                Err(Error::ActorDied { will_restart: true, .. }) => {}
                other => break other?,
            }
        };
        assert_eq!(which.restart, 1);
        assert!(
            subject.last_exit().is_some_and(|kind| kind.to_string().contains("the shard is gone"))
        );
        Ok(())
    });
}

#[test]
fn a_panicking_overlapped_query_fails_the_actor() {
    with_runtime(1.0, |runtime| async move {
        let (notes, mut heard) = Notes::new();
        let options = ActorOptions::new().max_concurrency(4).restarts(1);
        let subject = runtime.spawn::<Subject>(("a", notes), options)?;
        let (close, gate) = oneshot::channel();
        let query = subject.query(GateQuery(gate, 1));
        expect(&mut heard, &["a up 0.0", "query 1"]).await;
        drop(close);
        let error = query.await.unwrap_err();
        assert!(error.to_string().contains("the gate was dropped"), "{error}");
        expect(&mut heard, &["a up 0.1"]).await;
        Ok(())
    });
}

#[test]
fn a_parent_that_asks_hears_of_every_end_of_its_child() {
    with_runtime(1.0, |runtime| async move {
        let (notes, mut heard) = Notes::new();
        let parent = runtime.spawn::<Subject>(("p", notes), ActorOptions::new())?;
        let options = ActorOptions::new().tell_parent().restarts(1);
        let child = parent.call(Child("c", options)).await??;
        child.ready().await?;
        expect(&mut heard, &["p up 0.0", "c up 0.0"]).await;
        _ = child.call(Panic).await;
        let told = heard.recv().await.unwrap_or_default();
        let restarted = heard.recv().await.unwrap_or_default();
        let mut both = [told, restarted];
        both.sort();
        assert_eq!(both[0], "c up 0.1");
        assert!(both[1].starts_with("p heard: c panicked: index out of bounds"), "{both:?}");
        assert!(both[1].ends_with(", again"), "{both:?}");
        child.stop().await?;
        expect(&mut heard, &["c stopped", "p heard: c stopped: stopped by its user"]).await;
        Ok(())
    });
}

#[test]
fn di_1_a_parent_ends_its_children_first_youngest_first() {
    with_runtime(1.0, |runtime| async move {
        let (notes, mut heard) = Notes::new();
        let parent = runtime.spawn::<Subject>(("p", notes), ActorOptions::new())?;
        let first = parent.call(Child("c1", ActorOptions::new())).await??;
        let second = parent.call(Child("c2", ActorOptions::new())).await??;
        let grandchild = second.call(Child("g", ActorOptions::new())).await??;
        let apart = parent.call(Child("d", ActorOptions::new().detached())).await??;
        for each in [&first, &second, &grandchild, &apart] {
            each.ready().await?;
        }
        parent.stop().await?;
        let mut order = Vec::new();
        while order.len() < 4 {
            let note = heard.recv().await.unwrap_or_default();
            if note.ends_with("stopped") {
                order.push(note);
            }
        }
        assert_eq!(order, ["g stopped", "c2 stopped", "c1 stopped", "p stopped"]);
        assert_eq!(apart.call(Push(1)).await?, 1, "a detached one lives on");
        Ok(())
    });
}

#[test]
fn ah_1_a_parent_that_panics_is_restarted_after_its_children_have_ended() {
    with_runtime(1.0, |runtime| async move {
        let (notes, mut heard) = Notes::new();
        let parent = runtime.spawn::<Subject>(("p", notes), ActorOptions::new().restarts(1))?;
        let child = parent.call(Child("c", ActorOptions::new())).await??;
        child.ready().await?;
        expect(&mut heard, &["p up 0.0", "c up 0.0"]).await;
        _ = parent.call(Panic).await;
        expect(&mut heard, &["c stopped", "p up 0.1"]).await;
        assert!(matches!(child.call(Push(1)).await, Err(Error::ActorDied { .. })));
        Ok(())
    });
}

#[test]
fn a_host_that_panics_loses_no_actor_that_has_restarts_left() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let lasting =
            runtime.spawn::<Subject>(("a", notes.clone()), ActorOptions::new().restarts(3))?;
        let fragile = runtime.spawn::<Subject>(("b", notes), ActorOptions::new().cpus(0.5))?;
        lasting.ready().await?;
        fragile.ready().await?;
        runtime.probe("node/worker/actor_host").expect("a host").panic_now();
        let exit = fragile.exited().await?;
        assert!(matches!(exit.kind, ExitKind::HostDied(_)), "{exit}");
        // A call may meet the old life's end; the next reaches the new placement.
        let which = loop {
            match lasting.query(Which).await {
                Ok(which) => break which,
                Err(Error::ActorDied { will_restart: true, .. }) => {}
                Err(other) => return Err(other),
            }
            tokio::task::yield_now().await;
        };
        let mut which = which;
        while which.placement == 0 {
            which = lasting.query(Which).await.unwrap_or(which);
        }
        // AH-2: the books balance.
        until(|| runtime.available_resources() == Resources::cpus(1.0)).await;
        Ok(())
    });
}

#[test]
fn every_system_actor_may_panic_and_the_runtime_goes_on() {
    for path in [
        "gcs",
        "gcs/actor_directory",
        "node",
        "node/local_scheduler",
        "node/worker",
        "node/worker/actor_host",
    ] {
        with_runtime(1.0, move |runtime| async move {
            let (notes, _heard) = Notes::new();
            let lasting =
                runtime.spawn::<Subject>(("a", notes.clone()), ActorOptions::new().restarts(5))?;
            lasting.ready().await?;
            let probe = runtime.probe(path).expect(path);
            probe.panic_now();
            until(|| probe.restarts() > 0).await;
            let fresh = runtime.spawn::<Subject>(("b", notes), ActorOptions::new())?;
            assert_eq!(fresh.call(Push(1)).await?, 1, "a new actor after {path} panicked");
            loop {
                match lasting.call(Push(1)).await {
                    Ok(_) => break,
                    Err(Error::ActorDied { will_restart: true, .. }) => {}
                    Err(other) => panic!("{path}: {other}"),
                }
            }
            fresh.stop().await?;
            Ok(())
        });
    }
}
