//! Large values between the processes of a machine: through the store of the node, over all that can end.

use raytree::prelude::*;
use raytree::state::store_traffic;
use raytree::{Bytes, Result, get_all};
use rustix::process::Signal;

use super::process;
use super::stores::{stores, until_empty};
use super::support::{Cluster, SAYS, of, send};

const LONG: usize = 1 << 20;

#[remote]
fn filled(byte: u8) -> Bytes {
    vec![byte; LONG].into()
}

#[remote]
fn is_filled(bytes: Bytes, byte: u8) -> bool {
    bytes.len() == LONG && bytes.iter().all(|own| *own == byte)
}

/// What the process that runs it has laid into the store.
#[remote]
fn written() -> u64 {
    store_traffic().map(|traffic| traffic.written_bytes).unwrap_or_default()
}

/// Hands on what it is given, to whoever holds it.
struct Shelf {
    bytes: Option<Bytes>,
}

#[remote]
impl Shelf {
    fn new() -> Self {
        Self { bytes: None }
    }

    pub(crate) fn lay(&mut self, bytes: Bytes) {
        self.bytes = Some(bytes);
    }

    pub(crate) fn given(&self) -> Option<Bytes> {
        self.bytes.clone()
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }
}

/// A neighbour's call, from its own worker to that of the shelf.
#[remote]
async fn fetches(shelf: ShelfHandle, byte: u8) -> Result<bool> {
    let bytes = shelf.given().await?;
    Ok(bytes.is_some_and(|bytes| bytes.iter().all(|own| *own == byte)))
}

/// The objects in the stores of all nodes, and how long they are.
fn held(cluster: &Cluster) -> Vec<(u64, u64)> {
    stores(cluster).iter().map(|store| (store.objects, store.sealed + store.dying)).collect()
}

#[test]
fn what_is_large_is_written_once_and_read_by_all_of_a_machine() {
    let plan = of(what_is_large_is_written_once_and_read_by_all_of_a_machine);
    let cluster = plan.no_own_node().nodes(1).start();
    let driver = cluster.driver();
    driver.run(async {
        // Both sides know of the store: they have said so before the first answer.
        assert_eq!(written::remote().await?, 0);
        let result = filled::remote(7);
        assert!(is_filled::remote(&result, 7).await?);
        let bytes = result.await?;
        assert_eq!((store_traffic()?.written, store_traffic()?.taken_bytes), (0, LONG as u64));
        // It goes on as what it is, as an object and as a value.
        let object = raytree::put(bytes.clone()).await?;
        let seen = get_all((0..4).map(|_| is_filled::remote(&object, 7))).await?;
        assert_eq!(seen, [true; 4]);
        assert!(is_filled::remote(bytes, 7).await?);
        assert_eq!((store_traffic()?.written, written::remote().await?), (0, LONG as u64));
        Ok(())
    });
    until_empty(&cluster, 1);
    drop(driver);
    cluster.until_free();
}

#[test]
fn objects_are_listed_with_the_node_in_whose_store_they_lie() {
    let plan = of(objects_are_listed_with_the_node_in_whose_store_they_lie);
    let cluster = plan.no_own_node().nodes(1).start();
    // One that is not looked at lists nothing.
    let init = cluster.init().inspector(true).inspect_dir(cluster.sockets());
    let driver = cluster.driver_with(init);
    driver.run(async {
        assert_eq!(written::remote().await?, 0);
        let result = filled::remote(7);
        raytree::wait([result.clone()]).await?;
        let (out, err, code) = cluster.raytree(&["objects", "--where", "size=1MiB", "--json"]);
        assert_eq!((&*err, code), ("", 0), "{out}");
        let listed: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        let row = &listed["rows"][0];
        assert_eq!((&row["place"], &row["store"]), (&"store".into(), &"node-1".into()), "{out}");
        assert_eq!(row["pid"], std::process::id());
        drop(result);
        Ok(())
    });
    until_empty(&cluster, 1);
    drop(driver);
    cluster.until_free();
}

#[test]
fn what_a_worker_made_outlives_it_in_the_hands_of_others() {
    let plan = of(what_a_worker_made_outlives_it_in_the_hands_of_others);
    let cluster = plan.no_own_node().nodes(1).start();
    let driver = cluster.driver();
    driver.run(async {
        let results: Vec<_> = (0..4).map(filled::remote).collect();
        let made = get_all(results).await?;
        let worker = process::remote().await?;
        send(worker, Signal::KILL);
        while process::remote().await? == worker {
            tokio::task::yield_now().await;
        }
        for (byte, bytes) in (0..).zip(made) {
            assert!(bytes.len() == LONG && bytes.iter().all(|own| *own == byte));
            assert!(is_filled::remote(bytes, byte).await?, "it is passed on all the same");
        }
        Ok(())
    });
    until_empty(&cluster, 1);
    drop(driver);
    cluster.until_free();
}

#[test]
fn what_an_actor_holds_is_free_when_its_worker_is_gone() {
    let plan = of(what_an_actor_holds_is_free_when_its_worker_is_gone);
    let cluster = plan.no_own_node().nodes(1).start();
    let driver = cluster.driver();
    driver.run(async {
        let shelf = Shelf::with(ActorOptions::new().cpus(0.0)).remote();
        let bytes = Bytes::from(vec![3u8; LONG]);
        shelf.lay(bytes).await?;
        assert!(fetches::remote(shelf.clone(), 3).await?);
        assert_eq!((store_traffic()?.written, held(&cluster)), (1, vec![(1, 1 << 20)]));
        send(shelf.process().await?, Signal::KILL);
        Ok(())
    });
    until_empty(&cluster, 1);
    drop(driver);
    cluster.until_free();
}

/// A program that has laid an object into the store and has a worker wait with it. Nothing when it is run as a test.
#[test]
fn has_laid_something_into_the_store() {
    let is_program = std::env::var_os("RAYTREE_TEST_PROGRAM").is_some();
    if std::env::var_os("RAYTREE_ROLE").is_none() && !is_program {
        return;
    }
    let runtime = raytree::init().threads(2).start().expect("a runtime");
    let seen = runtime.block_on(async {
        // From then on it knows of the store.
        written::remote().await?;
        let object = raytree::put(Bytes::from(vec![9u8; LONG])).await?;
        assert!(is_filled::remote(&object, 9).await?);
        let result = filled::remote(8).await?;
        println!("{SAYS}{}", result.len());
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).expect("an input");
        object.await
    });
    seen.expect("it is there");
}

#[test]
fn what_a_program_laid_there_is_free_when_it_is_killed() {
    let plan = of(what_a_program_laid_there_is_free_when_it_is_killed);
    let cluster = plan.no_own_node().nodes(1).start();
    let mut program = cluster.program(has_laid_something_into_the_store, 1);
    assert_eq!(program.says(), LONG.to_string());
    assert_eq!(held(&cluster), [(2, 2 << 20)]);
    send(program.pid(), Signal::KILL);
    until_empty(&cluster, 1);
    cluster.until_free();
}
