//! The end of a runtime, with actors in every state: everybody is told.

use raytree::prelude::*;
use raytree::{Error, Init, Lifecycle, Result, Runtime};

use super::subject::{late, same};
use super::{Desk, Subject, Toy};

fn runtime() -> Runtime {
    Init::new().cpus(2.0).threads(2).strict(true).start().expect("a runtime")
}

fn is_told<T: std::fmt::Debug>(answer: &Result<T>) {
    let told = matches!(answer, Err(Error::RuntimeGone { .. } | Error::ActorDied { .. }));
    assert!(told, "{answer:?}");
}

#[test]
fn after_a_shutdown_calls_and_handles_say_that_the_runtime_is_gone() {
    let desk = Desk::new();
    let runtime = runtime();
    let (subject, restarting, pending, refused) = runtime.block_on(async {
        let subject = Subject::remote(desk.key());
        subject.ready().await.expect("it starts");
        let restarting = Subject::with(ActorOptions::new().restarts(3)).remote(desk.key());
        restarting.ready().await.expect("it starts");
        let pending = Toy::remote(desk.key(), "x");
        let refused = Subject::with(ActorOptions::new().cpus(99.0)).remote(desk.key());
        (subject, restarting, pending, refused)
    });
    let other = runtime.clone();
    let value = {
        let _entered = runtime.enter();
        same::remote(1)
    };
    runtime.shutdown();
    let _entered = other.enter();
    for handle in [&subject, &restarting, &subject.clone()] {
        is_told(&handle.push(1).get());
        is_told(&handle.push(&value).get());
        is_told(&handle.upto(3).next_blocking().expect("a word"));
        assert!(other.block_on(handle.ready()).is_err());
        assert_eq!(handle.status().expect("it was alive").lifecycle, Lifecycle::Dead);
    }
    is_told(&pending.name().get());
    is_told(&refused.push(1).get());
    assert!(matches!(
        Subject::remote(desk.key()).push(1).get(),
        Err(Error::RuntimeGone { .. } | Error::NoRuntime) | Ok(1)
    ));
    assert_eq!(other.actor_count(), 0);
}

#[test]
fn a_shutdown_with_a_thousand_actors_mid_call_answers_every_call() {
    let desk = Desk::new();
    let runtime = runtime();
    let calls: Vec<_> = runtime.block_on(async {
        let holder = Toy::with(ActorOptions::new().cpus(1.0).name("h")).remote(desk.key(), "h");
        holder.ready().await.expect("it starts");
        let mut calls = Vec::new();
        let never = late::remote(desk.key(), 9, 1);
        for at in 0..1000 {
            let options = ActorOptions::new().max_concurrency(1 + at % 2).retries(2).restarts(2);
            // Some wait for CPUs that nobody gives back, some for arguments.
            let options = if at % 10 == 9 { options.cpus(2.0) } else { options };
            let subject = Subject::with(options).remote(desk.key());
            if at % 10 != 9 {
                calls.push(subject.push(at as u64));
            }
            calls.push(subject.push(&never));
            std::mem::forget(subject);
        }
        calls
    });
    let stopping = std::thread::spawn(move || runtime.shutdown());
    for call in calls {
        match call.get() {
            Ok(_) => {}
            told => is_told(&told),
        }
    }
    stopping.join().expect("no panic");
}

#[test]
fn a_shutdown_waits_for_what_is_queued_and_for_handlers_that_run() {
    let desk = Desk::new();
    let runtime = runtime();
    let (running, queued, subject) = runtime.block_on(async {
        let subject = Subject::remote(desk.key());
        let running = subject.push_later(0, 1);
        let queued: Vec<_> = (2..20).map(|value| subject.push(value)).collect();
        desk.hears("began 1").await;
        (running, queued, subject)
    });
    let stopping = std::thread::spawn(move || runtime.shutdown());
    // It has begun to end: no new actor can be born.
    while subject.status().is_ok_and(|_| !desk.notes().contains(&"stopped".to_owned())) {
        desk.open(0);
        std::thread::yield_now();
    }
    stopping.join().expect("no panic");
    // All values were made before the end; after it nothing can be read.
    for call in queued.into_iter().chain([running]) {
        is_told(&call.get());
    }
    assert!(desk.notes().contains(&"stopped".to_owned()));
}
