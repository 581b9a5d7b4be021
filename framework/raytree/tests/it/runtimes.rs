//! Runtimes: many in one process, which one is meant, what remains after the end.

use raytree::Error;
use raytree::prelude::*;

use crate::support::*;

#[test]
fn runtimes_in_one_process_know_nothing_of_each_other() {
    let runtimes: Vec<Runtime> =
        (0..8).map(|_| raytree::init().cpus(1.0).threads(1).start().expect("a runtime")).collect();
    for (number, runtime) in runtimes.iter().enumerate() {
        runtime.block_on(async {
            let (notes, _heard) = Notes::new();
            // All eight actors have the same name.
            let options = ActorOptions::new().label("same");
            let subject = runtime.spawn::<Subject>(("a", notes), options).expect("an actor");
            assert_eq!(subject.call(Push(number as u64)).await, Ok(1));
            assert_eq!(runtime.actor_count(), 1);
        });
    }
    let ids: std::collections::BTreeSet<_> = runtimes.iter().map(Runtime::id).collect();
    assert_eq!(ids.len(), 8);
    runtimes.into_iter().for_each(Runtime::shutdown);
}

#[test]
fn the_current_runtime_is_the_threads_then_the_entered_one() {
    let outer = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
    let inner = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
    let _entered = outer.enter();
    assert_eq!(raytree::current().map(|r| r.id()), Ok(outer.id()));
    {
        let _deeper = inner.enter();
        assert_eq!(raytree::current().map(|r| r.id()), Ok(inner.id()));
    }
    let on_thread = inner.tokio().spawn(async { raytree::current().map(|r| r.id()) });
    assert_eq!(outer.block_on(on_thread).expect("no panic"), Ok(inner.id()));
    inner.shutdown();
    outer.shutdown();
}

#[test]
fn where_a_runtime_was_entered_no_other_one_is_meant_after_its_end() {
    let default = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
    let entered = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
    let _here = entered.enter();
    entered.shutdown();
    assert!(matches!(raytree::current().map(|r| r.id()), Err(Error::RuntimeGone { .. })));
    default.shutdown();
}

#[test]
fn after_the_end_everything_says_so_and_nothing_hangs() {
    let runtime = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
    let other = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
    let (notes, mut heard) = Notes::new();
    let subject = runtime.spawn::<Subject>(("a", notes), ActorOptions::new()).expect("an actor");
    runtime.block_on(subject.ready()).expect("up");
    let clone = runtime.clone();
    runtime.shutdown();
    assert_eq!(heard.blocking_recv().as_deref(), Some("a up 0.0"));
    assert_eq!(heard.blocking_recv().as_deref(), Some("a stopped"), "it ended in order");
    other.block_on(async {
        assert!(matches!(subject.call(Push(1)).await, Err(Error::ActorDied { .. })));
        subject.exited().await.expect("it did exit");
    });
    let (notes, _heard) = Notes::new();
    let late = clone.spawn::<Subject>(("b", notes), ActorOptions::new());
    assert!(matches!(late, Err(Error::RuntimeGone { .. })));
    other.shutdown();
}

#[test]
fn dropping_a_runtime_ends_it_also_in_async_code() {
    let outer = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
    outer.block_on(async {
        let inner = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
        let (notes, _heard) = Notes::new();
        let subject = inner.spawn::<Subject>(("a", notes), ActorOptions::new()).expect("an actor");
        let hanging = subject.call(Hang);
        subject.ready().await.expect("up");
        drop(inner);
        assert!(matches!(hanging.await, Err(Error::ActorDied { .. } | Error::RuntimeGone { .. })));
    });
    outer.shutdown();
}

#[test]
fn the_tree_shows_system_and_user_actors() {
    with_runtime(1.0, |runtime| async move {
        let (notes, _heard) = Notes::new();
        let options = ActorOptions::new().label("scores");
        let subject = runtime.spawn::<Subject>(("a", notes), options)?;
        subject.call(Push(1)).await?;
        // Its start and the call are counted when they have returned.
        until(|| subject.probe().handled() == 2).await;
        let root = runtime.tree().root;
        for path in ["gcs/actor_directory", "node/local_scheduler", "node/worker/actor_host"] {
            assert!(root.find(path).is_some(), "{path} in\n{}", root.to_text());
        }
        let host = root.find("node/worker/actor_host").expect("a host");
        assert_eq!(host.children.len(), 1);
        assert!(host.children[0].name.starts_with("scores#"));
        assert_eq!(host.children[0].type_name, "Subject");
        Ok(())
    });
}

#[test]
fn run_gives_the_value_and_the_panic_of_main() {
    assert_eq!(raytree::run(async { raytree::current().is_ok() }), Ok(true));
    let panicked = std::panic::catch_unwind(|| raytree::run(async { panic!("of main") }));
    assert!(panicked.is_err());
}

#[test]
fn settings_count_where_the_program_says_nothing_itself() {
    let total = |init: raytree::Init| {
        let runtime = init.threads(1).inspector(false).start().expect("a runtime");
        let total = runtime.cluster_resources();
        runtime.shutdown();
        total
    };
    let set = || raytree::init().setting("node.cpus", "3").setting("node.resources", "lens=2");
    let lens = |resources: raytree::Resources| resources.custom("lens", 2.0);
    assert_eq!(total(set()), lens(raytree::Resources::cpus(3.0)));
    assert_eq!(total(set().cpus(1.0)), raytree::Resources::cpus(1.0));
    let sieve = total(set().resource("sieve", 1.0));
    assert_eq!(sieve, raytree::Resources::cpus(3.0).custom("sieve", 1.0));
    // Of a program's own nodes each has so much.
    let nodes = raytree::init().address("nodes:0").setting("node.cpus", "2");
    assert_eq!(total(nodes), raytree::Resources::cpus(2.0));
    let refused = raytree::init().setting("node.cpu", "3").start().unwrap_err();
    assert!(matches!(refused, Error::BadOption { .. }), "{refused}");
    assert!(refused.to_string().contains("node.cpus"), "the nearest name: {refused}");
    let refused = raytree::init().setting("calls.strict", "perhaps").start().unwrap_err();
    assert!(refused.to_string().contains("perhaps"), "{refused}");
}
