//! Every way in which such an actor ends.

use std::time::Duration;

use raytree::Error;

use super::*;

#[raytree::test]
async fn mr_2_a_process_that_dies_is_a_typed_end_with_its_cause() -> Result<()> {
    within(async {
        for (how, cause) in [
            ("abort", "what it lived in died: its process died: it was ended by signal 6"),
            ("exit", "what it lived in died: its process died: it exited with code 3"),
        ] {
            let (hermit, book, _folder) = hermit(ActorOptions::new());
            let (lost_with, behind) = (hermit.ends(how.to_owned()), hermit.add(1));
            assert_eq!(lost(lost_with.await), (cause.to_owned(), false));
            assert_eq!(lost(behind.await), (cause.to_owned(), false));
            assert!(!is_there(book.lives()[0]));
            assert_eq!(hermit.exited().await?.kind.to_string(), cause);
            assert_eq!(lost(hermit.add(1).await).0, cause);
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_panic_ends_a_life_with_its_place() -> Result<()> {
    within(async {
        let (hermit, book, _folder) = hermit(ActorOptions::new());
        let (cause, again) = lost(hermit.ends("panic".to_owned()).await);
        assert!(cause.starts_with("panicked: of a hermit at "), "{cause}");
        assert!(cause.contains("isolated_actors/mod.rs") && !again, "{cause}");
        assert!(!is_there(book.lives()[0]), "its process went with it");
        Ok(())
    })
    .await
}

/// In this process it would be an abandoned thread.
#[raytree::test]
async fn aw_1_a_kill_ends_synchronous_code_at_once() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        for how in ["hang", "spin"] {
            let (hermit, book, _folder) = hermit(ActorOptions::new());
            let (hangs, behind) = (hermit.ends(how.to_owned()), hermit.add(1));
            book.does(how).await;
            let exit = hermit.kill().await?;
            assert_eq!(exit.kind.to_string(), "killed: killed by its user");
            assert!(!is_there(book.lives()[0]), "{how}");
            for answer in [hangs, behind] {
                assert_eq!(lost(answer.await).0, "killed: killed by its user");
            }
            assert_eq!(runtime.abandoned_tasks(), 0);
        }
        until(|| below(&runtime, "node/processes").is_empty()).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn aw_1_a_stop_is_in_order_and_its_process_is_gone_then() -> Result<()> {
    within(async {
        let (hermit, book, _folder) = hermit(ActorOptions::new());
        let calls: Vec<_> = (0..100).map(|_| hermit.add(1)).collect();
        let exit = hermit.stop().await?;
        assert_eq!(exit.kind.to_string(), "stopped: stopped by its user");
        assert!(!is_there(book.lives()[0]));
        assert_eq!(raytree::get_all(calls).await?[99], 100, "what was queued is done");
        assert_eq!(book.read("stopped").as_deref(), Some("100"));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_stop_that_takes_too_long_becomes_a_kill() -> Result<()> {
    within(async {
        let options = ActorOptions::new().stop_within(Duration::from_millis(200));
        let (hermit, book, _folder) = hermit(options);
        let hangs = hermit.ends("hang".to_owned());
        book.does("hang").await;
        let exit = hermit.stop().await?;
        assert!(matches!(exit.kind, ExitKind::Killed { .. }), "{exit}");
        assert!(!is_there(book.lives()[0]));
        assert!(hangs.await.is_err());
        assert_eq!(book.read("stopped"), None);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn one_that_uses_too_much_memory_is_ended() -> Result<()> {
    within(async {
        let options = ActorOptions::new().memory_max(300 << 20);
        let (hermit, book, _folder) = hermit(options);
        assert_eq!(hermit.add(1).await?, 1);
        let cause = lost(hermit.ends("eat".to_owned()).await).0;
        assert!(cause.ends_with("bytes of memory, where it may use 314572800"), "{cause}");
        assert!(!is_there(book.lives()[0]));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn mr_2_one_that_was_stopped_from_outside_is_given_up() -> Result<()> {
    within(async {
        let (hermit, _book, _folder) = hermit(ActorOptions::new());
        let process = hermit.process().await?;
        let stopped =
            std::process::Command::new("kill").args(["-STOP", &process.to_string()]).status();
        assert!(stopped.expect("a program").success());
        let cause = lost(hermit.add(1).await).0;
        assert!(cause.contains("it was stopped from outside, and silent for "), "{cause}");
        assert!(!is_there(process));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn its_last_handle_ends_it_after_its_last_call() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let (hermit, book, _folder) = hermit(ActorOptions::new());
        let (last, exited) = (hermit.add(5), hermit.exited());
        drop(hermit);
        assert_eq!(last.await?, 5);
        assert!(exited.await?.kind.is_normal());
        assert!(!is_there(book.lives()[0]));
        assert_eq!(runtime.actor_count(), 0);
        Ok(())
    })
    .await
}

#[test]
fn a_shutdown_ends_it_in_order() {
    let path = "it::isolated_actors::ends::a_shutdown_ends_it_in_order";
    let runtime = raytree::__macro::test_init(path).start().expect("a runtime");
    let (hermit, book, _folder) = {
        let _here = runtime.enter();
        hermit(ActorOptions::new())
    };
    let _call = hermit.add(3);
    runtime.block_on(hermit.ready()).expect("it begins");
    runtime.shutdown();
    assert_eq!(book.read("stopped").as_deref(), Some("3"));
    assert!(!is_there(book.lives()[0]));
    let told = hermit.add(1).get().unwrap_err();
    assert!(matches!(told, Error::RuntimeGone { .. } | Error::ActorDied { .. }), "{told}");
}

#[test]
fn a_runtime_that_is_dropped_takes_it_with_it() {
    let path = "it::isolated_actors::ends::a_runtime_that_is_dropped_takes_it_with_it";
    let runtime = raytree::__macro::test_init(path).start().expect("a runtime");
    let (hermit, book, _folder) = {
        let _here = runtime.enter();
        hermit(ActorOptions::new())
    };
    let hangs = hermit.ends("hang".to_owned());
    runtime.block_on(book.does("hang"));
    drop(runtime);
    assert!(hangs.get().is_err());
    let other = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
    other.block_on(until(|| !is_there(book.lives()[0])));
    other.shutdown();
}

/// In which a program writes down its actor's process.
const FOLDER: &str = "RAYTREE_TEST_HERMITAGE";

/// A program of its own, for the next test.
#[test]
#[ignore = "it hangs until it is killed"]
fn a_program_with_a_hermit() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let path = "it::isolated_actors::ends::a_program_with_a_hermit";
    let runtime = raytree::__macro::test_init(path).start().expect("a runtime");
    let _here = runtime.enter();
    let hermit = Hermit::remote(PathBuf::from(folder));
    _ = hermit.ends("hang".to_owned()).get();
}

#[raytree::test]
async fn no_orphan_is_left_when_a_program_is_killed() -> Result<()> {
    within(async {
        let folder = tempfile::tempdir().expect("a folder");
        let book = Book(folder.path().to_owned());
        let program = std::env::current_exe().expect("this program");
        let mut driver = std::process::Command::new(program)
            .args(["--exact", "isolated_actors::ends::a_program_with_a_hermit"])
            .args(["--nocapture", "--include-ignored"])
            .env(FOLDER, folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("a program");
        book.does("hang").await;
        let process = book.lives()[0];
        assert_eq!(parent(process), driver.id());
        driver.kill().expect("it lives");
        driver.wait().expect("it ends");
        until(|| !is_there(process)).await;
        Ok(())
    })
    .await
}
