//! System actors of drivers and workers panic. Those of daemons have no hook from outside: they are told to by their own
//! crate's tests.

use raytree::prelude::*;
use raytree::{Result, get_all};

use super::support::{of, until};
use super::{Counter, square};

/// Lets a system actor of the process that it runs in panic, and waits until that is up again.
#[remote(cpus = 0, retries = 0)]
async fn panics(path: String) -> Result<u32> {
    let runtime = raytree::current()?;
    let probe = runtime.probe(&path).expect("such an actor");
    let before = probe.restarts();
    probe.panic_now();
    while probe.restarts() == before {
        tokio::task::yield_now().await;
    }
    Ok(std::process::id())
}

const OF_ALL: [&str; 6] = [
    "gcs/actor_directory",
    "gcs",
    "node/local_scheduler",
    "node/worker/actor_host",
    "node/worker",
    "node",
];

#[test]
fn every_system_actor_of_a_driver_panics_and_its_cluster_stays() {
    let plan = of(every_system_actor_of_a_driver_panics_and_its_cluster_stays);
    let cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    for path in OF_ALL.into_iter().chain(["cluster/head", "cluster"]) {
        let counter = driver.run(async { Ok(Counter::remote(3)) });
        let tasks = driver.run(async { Ok((0..50).map(square::remote).collect::<Vec<_>>()) });
        let probe = driver.0.probe(path).expect("such an actor");
        probe.panic_now();
        until(&format!("another life of {path}"), || probe.restarts() > 0);
        driver.run(async {
            get_all(tasks).await?;
            counter.ready().await?;
            get_all((0..50).map(square::remote)).await
        });
        let status = cluster.status();
        assert_eq!((status.jobs.len(), status.jobs[0].workers), (1, 2), "{path}");
    }
    drop(driver);
    cluster.until_free();
}

#[test]
fn every_system_actor_of_a_worker_panics_and_it_stays() {
    let cluster = of(every_system_actor_of_a_worker_panics_and_it_stays).start();
    let driver = cluster.driver();
    let mut pids = std::collections::BTreeSet::new();
    for path in OF_ALL.into_iter().chain(["cluster/dialer", "cluster"]) {
        let pid = driver.run(async {
            let counter = Counter::remote(3);
            counter.ready().await?;
            let pid = panics::remote(path.to_owned()).await?;
            assert_eq!(square::remote(5).await?, 25, "{path}");
            counter.ready().await?;
            Ok(pid)
        });
        pids.insert(pid);
    }
    assert_eq!(pids.len(), 1, "the process is the same");
}
