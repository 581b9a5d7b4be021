//! Restarts: each life has a process of its own, and begins when the one before has surely ended. The constructor sees to
//! that: it fails where the process of the life before is still there.

use raytree::Error;

use super::*;

#[raytree::test]
async fn mr_3_each_life_has_a_process_of_its_own() -> Result<()> {
    within(async {
        let (hermit, book, _folder) = hermit(ActorOptions::new().restarts(4));
        for (life, how) in ["abort", "panic", "exit", "abort"].into_iter().enumerate() {
            assert_eq!(hermit.add(1).await?, 1, "a new value");
            assert_eq!(hermit.life().await?, (0, life as u32));
            let (calls, behind) = (hermit.ends(how.to_owned()), hermit.add(1));
            let (cause, again) = lost(calls.await);
            assert!(again, "{how}: {cause}");
            // It is of the life that was lost, or waits for the next one.
            _ = behind.await;
        }
        hermit.ready().await?;
        let lives = book.lives();
        assert_eq!(lives.len(), 5);
        assert_eq!(lives.iter().filter(|life| is_there(**life)).count(), 1);
        let (cause, again) = lost(hermit.ends("abort".to_owned()).await);
        assert!(!again && cause.contains("signal 6"), "{cause}");
        let exit = hermit.exited().await?;
        assert_eq!((exit.restarts, exit.will_restart), (4, false));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn calls_that_were_lost_are_made_again_where_that_was_asked_for() -> Result<()> {
    within(async {
        let (hermit, book, _folder) = hermit(ActorOptions::new().restarts(1).retries(1));
        let hangs = hermit.ends("hang".to_owned());
        let behind: Vec<_> = (0..10).map(|_| hermit.add(1)).collect();
        book.does("hang").await;
        book.write("doing", "nothing");
        let first = book.lives()[0];
        let id = rustix::process::Pid::from_raw(first as i32).expect("a process");
        rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it lives");
        // It hangs again in the second life, which only a kill ends.
        book.does("hang").await;
        assert!(!is_there(first));
        assert_ne!(book.lives()[1], first);
        hermit.kill().await?;
        for call in behind.into_iter().chain([hangs]) {
            assert_eq!(lost(call.await).0, "killed: killed by its user");
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn mr_3_whatever_of_the_tree_panics_there_are_never_two_processes() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let (hermit, book, _folder) = hermit(ActorOptions::new().restarts(6));
        let name = hermit.probe().expect("a probe").name().to_owned();
        let paths = [
            format!("node/worker/actor_host/{name}"),
            format!("node/processes/{name}"),
            "node/processes".to_owned(),
            "node/worker/actor_host".to_owned(),
            "node/worker".to_owned(),
            "node".to_owned(),
        ];
        for (index, path) in paths.iter().enumerate() {
            hermit.ready().await?;
            let life = hermit.life().await?;
            assert_eq!(book.lives().len(), index + 1, "{path}");
            runtime.probe(path).expect("a probe").panic_now();
            // Calls are refused by nobody, and answered by the next life.
            loop {
                match hermit.life().await {
                    Ok(other) if other != life => break assert!(other > life, "{path}"),
                    Ok(_) => {}
                    Err(Error::ActorDied { will_restart: true, .. }) => {}
                    Err(other) => panic!("{path}: {other}"),
                }
            }
        }
        let lives = book.lives();
        assert_eq!(lives.iter().filter(|life| is_there(**life)).count(), 1, "{lives:?}");
        Ok(())
    })
    .await
}

/// Whose constructor is what is tried.
struct Stillborn;

#[remote(isolated)]
impl Stillborn {
    fn new(how: String) -> Result<Self, String> {
        match how.as_str() {
            "abort" => std::process::abort(),
            "hang" => loop {
                std::thread::park();
            },
            _ => Err(how),
        }
    }

    pub(crate) fn nothing(&self) {}
}

#[raytree::test]
async fn a_constructor_that_fails_or_dies_says_so() -> Result<()> {
    within(async {
        let fails = Stillborn::remote("no such disk".to_owned());
        let (cause, _) = lost(fails.nothing().await);
        assert!(cause.starts_with("its constructor failed: no such disk"), "{cause}");
        let dies = Stillborn::with(ActorOptions::new().restarts(1)).remote("abort".to_owned());
        let (cause, again) = lost(dies.nothing().await);
        assert_eq!(cause, "what it lived in died: its process died: it was ended by signal 6");
        assert!(again || dies.exited().await?.restarts == 1);
        assert_eq!(dies.exited().await?.restarts, 1);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn one_that_is_killed_while_its_constructor_hangs_leaves_nothing() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let hangs = Stillborn::remote("hang".to_owned());
        until(|| !below(&runtime, "node/processes").is_empty()).await;
        let exit = hangs.kill().await?;
        assert!(matches!(exit.kind, ExitKind::Killed { .. }), "{exit}");
        until(|| below(&runtime, "node/processes").is_empty()).await;
        crate::tasks::gate::at_rest(&runtime).await;
        Ok(())
    })
    .await
}
