//! Where they live, and what they take there.

use std::collections::BTreeSet;

use raytree::Error;

use super::*;

#[raytree::test]
async fn a_process_has_the_surroundings_of_its_actor() -> Result<()> {
    within(async {
        let folder = tempfile::tempdir().expect("a folder");
        let options =
            ActorOptions::new().env("RAYTREE_TEST_COLOUR", "red").working_dir(folder.path());
        let (dressed, _book, _folder) = hermit(options);
        let name = "RAYTREE_TEST_COLOUR".to_owned();
        let (colour, place) = dressed.surroundings(name.clone()).await?;
        assert_eq!(colour.as_deref(), Some("red"));
        assert_eq!(place, folder.path().canonicalize().expect("a folder"));
        let (plain, _plain_book, _plain_folder) = hermit(ActorOptions::new());
        let (colour, place) = plain.surroundings(name).await?;
        assert_eq!((colour, place), (None, std::env::current_dir().expect("a folder")));
        let (nowhere, _book, _folder) =
            hermit(ActorOptions::new().working_dir("/no/such/folder").restarts(1));
        let told = nowhere.exited().await?;
        assert!(matches!(told.kind, ExitKind::Constructor(_)), "{told}");
        assert!(told.to_string().contains("/no/such/folder"), "{told}");
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 3, gpus = 1)]
async fn what_it_takes_is_taken_here_and_given_back() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let (wide, _book, _folder) = hermit(ActorOptions::new().cpus(2.0).gpus(1.0));
        wide.ready().await?;
        assert_eq!(runtime.available_resources().to_string(), "1 CPU");
        // A second one waits until there is room.
        let (second, _second_book, _second_folder) = hermit(ActorOptions::new().cpus(2.0));
        let waits = second.add(1);
        assert!(!waits.is_ready());
        wide.kill().await?;
        assert_eq!(waits.await?, 1);
        drop(second);
        crate::tasks::gate::at_rest(&runtime).await;
        let (never, _book, _folder) = hermit(ActorOptions::new().gpus(2.0));
        assert!(matches!(never.add(1).await, Err(Error::Infeasible { .. })));
        Ok(())
    })
    .await
}

/// Makes one where it runs.
#[remote]
async fn makes(folder: PathBuf) -> HermitHandle {
    Hermit::remote(folder)
}

#[remote]
fn process() -> u32 {
    std::process::id()
}

/// The processes of all nodes.
async fn nodes() -> Result<BTreeSet<u32>> {
    let tasks: Vec<_> = (0..200).map(|_| process::remote()).collect();
    Ok(raytree::get_all(tasks).await?.into_iter().collect())
}

#[raytree::test(nodes = 2)]
async fn with_nodes_its_process_belongs_to_a_node() -> Result<()> {
    within(async {
        let nodes = nodes().await?;
        let (hermit, book, _folder) = hermit(ActorOptions::new().restarts(3));
        let calls: Vec<_> = (0..1000).map(|_| hermit.add(1)).collect();
        assert_eq!(raytree::get_all(calls).await?, (1..=1000).collect::<Vec<_>>());
        let own = hermit.process().await?;
        assert!(nodes.contains(&parent(own)), "{nodes:?}");
        assert_eq!(hermit.life().await?, (0, 0));
        // The program decides on its lives, whatever ended them: its process, or its node.
        let (cause, again) = lost(hermit.ends("abort".to_owned()).await);
        assert!(again && cause.contains("signal 6"), "{cause}");
        assert_eq!(hermit.life().await?, (0, 1));
        let second = hermit.process().await?;
        let node = rustix::process::Pid::from_raw(parent(second) as i32).expect("a node");
        rustix::process::kill_process(node, rustix::process::Signal::KILL).expect("it lives");
        let (cause, again) = lost(loop {
            let answer = hermit.add(1).await;
            if answer.is_err() {
                break answer;
            }
        });
        assert!(again && cause.contains("node-"), "{cause}");
        assert_eq!(hermit.life().await?, (0, 2));
        assert!(!may_run(second), "it went with its node");
        assert!(hermit.stop().await?.kind.is_normal());
        assert_eq!(book.lives().iter().filter(|life| may_run(**life)).count(), 0);
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn with_nodes_a_kill_ends_synchronous_code_too() -> Result<()> {
    within(async {
        let (hermit, book, _folder) = hermit(ActorOptions::new());
        let hangs = hermit.ends("hang".to_owned());
        book.does("hang").await;
        hermit.kill().await?;
        assert!(!is_there(book.lives()[0]));
        assert!(hangs.await.is_err());
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn one_that_a_task_on_a_node_makes_is_known_everywhere() -> Result<()> {
    within(async {
        let nodes = nodes().await?;
        let folder = tempfile::tempdir().expect("a folder");
        let hermit = makes::remote(folder.path().to_owned()).await?;
        assert_eq!(hermit.add(1).await?, 1);
        let own = hermit.process().await?;
        assert!(!nodes.contains(&own) && nodes.contains(&parent(own)));
        let (cause, _) = lost(hermit.ends("abort".to_owned()).await);
        assert!(cause.contains("signal 6"), "{cause}");
        Ok(())
    })
    .await
}
