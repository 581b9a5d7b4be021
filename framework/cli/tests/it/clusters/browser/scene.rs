//! What there is to be seen: a head with a node of its own and one that joined, and a program that does a bit of everything.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use raytree::prelude::*;
use raytree::{Backoff, ObjectRef};

use super::super::dashboards::entrance;
use super::super::support::{Cluster, Driver, Plan};
use super::super::{square, waits};
use super::page::Page;

/// Stays down for as long as there is a file.
struct Scores {
    sum: u64,
}

#[remote(cpus = 0, restarts = 1000)]
impl Scores {
    fn new(shut: String) -> Self {
        assert!(!Path::new(&shut).exists(), "the shard map is not there");
        Self { sum: 0 }
    }

    pub(crate) fn add(&mut self, more: u64) -> u64 {
        self.sum += more;
        self.sum
    }

    pub(crate) fn fails(&self) {
        panic!("the shard map is bad");
    }
}

/// Has much patience, as has who asks it.
struct Keeper;

#[remote(cpus = 0)]
impl Keeper {
    fn new() -> Self {
        Self
    }

    /// Answers once there is a gate.
    pub(crate) async fn opens(&self, gate: String) -> u32 {
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        while !Path::new(&gate).exists() {
            looks.tick().await;
        }
        std::process::id()
    }

    pub(crate) async fn asks(&self, other: KeeperHandle, gate: String) -> raytree::Result<u32> {
        other.opens(gate).await
    }
}

/// Writes a line.
#[remote]
fn writes(line: String) -> u32 {
    eprintln!("{line}");
    std::process::id()
}

#[remote(retries = 0)]
fn fails() {
    panic!("there is no such shard");
}

pub(crate) struct Scene {
    scores: ScoresHandle,
    _open: [ObjectRef<u32>; 2],
    gate: PathBuf,
    shut: PathBuf,
    /// The process that has written [`Scene::LINE`].
    pub(crate) writer: u32,
    driver: Driver,
    pub(crate) cluster: Cluster,
}

impl Scene {
    pub(crate) const LINE: &str = "a line of a worker";

    pub(crate) fn start(plan: Plan) -> Self {
        let cluster = plan.nodes(1).start();
        let driver =
            cluster.driver_with(cluster.init().inspector(true).inspect_dir(cluster.sockets()));
        let own = |name: &str| cluster.folder.path().join(name);
        let (gate, shut) = (own("gate"), own("shut"));
        let text = |path: &Path| path.display().to_string();
        let second = Duration::from_secs(1);
        let backoff = Backoff { base: second, max: second };
        let named = |name: &str| ActorOptions::new().name(name);
        let (scores, writer, open) = driver.run(async {
            let scores = Scores::with(named("scores").backoff(backoff)).remote(text(&shut));
            assert_eq!(scores.add(7).await?, 7);
            assert!(scores.fails().await.is_err());
            scores.ready().await?;
            assert!(fails::remote().await.is_err());
            for side in 1..=6 {
                assert_eq!(square::remote(side).await?, side * side);
            }
            let writer = writes::remote(Self::LINE.to_owned()).await?;
            let keeper = Keeper::with(named("keeper")).remote();
            keeper.ready().await?;
            let asker = Keeper::with(named("asker")).remote();
            let call = asker.asks(keeper.clone(), text(&gate));
            Ok((scores, writer, [call, waits::remote(text(&gate))]))
        });
        Self { scores, _open: open, gate, shut, writer, driver, cluster }
    }

    /// Its dashboard, into which somebody has been let by the link that the command prints.
    pub(crate) fn page(&self) -> Page {
        let origin = format!("http://{}", entrance(&self.cluster).0);
        let pictures = env::var_os("RAYTREE_SCREENSHOTS").map(PathBuf::from);
        let pictures = pictures.unwrap_or_else(|| self.cluster.folder.path().join("pictures"));
        let mut page = Page::new(origin.clone(), pictures);
        page.goes_to(&origin);
        page.until("a door", "one('h1', 'You are not logged in.')");
        page.picture("door");
        // That nobody is let in is an error of the network, which the console has.
        page.has_complained();
        let (link, err, code) = self.cluster.raytree(&["dashboard"]);
        assert_eq!((&*err, code), ("", 0));
        page.goes_to(link.trim_end());
        page.until("the dashboard", "location.pathname === '/' && one('header .beat', 'live')");
        page
    }

    /// The actor fails, and fails again whenever it begins.
    pub(crate) fn breaks(&self) {
        fs::write(&self.shut, "").expect("a file");
        self.driver.run(async {
            assert!(self.scores.fails().await.is_err());
            Ok(())
        });
    }

    /// It may begin.
    pub(crate) fn mends(&self) {
        fs::remove_file(&self.shut).expect("a file");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // So that nobody has to be waited for.
        fs::write(&self.gate, "").expect("a file");
    }
}
