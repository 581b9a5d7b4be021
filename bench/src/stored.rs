//! Rows of the store as processes use it: through its door, and by tasks on a node.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use raytree::prelude::*;
use raytree::{Bytes, Runtime};
use raytree_objects::{Depot, ObjectStore, Session};
use raytree_supervise::{Addr, ChildSpec, Root, SupervisorSpec};
use raytree_types::Strategy;

use crate::core::Sides;
use crate::report::{Report, Row, median, now, p99, time};

/// All rows, in the order in which they are printed.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "session_put_100MB", run: put_large },
    Row { name: "session_get_100MB", run: get_large },
    Row { name: "session_put_1KB_rate", run: put_small },
    Row { name: "ref_drop_to_free_p99", run: freed },
    Row { name: "task_100MB_shared", run: task },
];

const LARGE: usize = 100_000_000;

/// A store that is looked after, and a process of its node; both are this process.
struct Scene {
    depot: Arc<Depot>,
    session: Session,
    root: Root,
    tokio: tokio::runtime::Runtime,
}

impl Scene {
    fn new(capacity: usize) -> Result<Self> {
        let mut tokio = tokio::runtime::Builder::new_multi_thread();
        let tokio = tokio.worker_threads(1).enable_time().build()?;
        let addr = Addr::system::<ObjectStore>("object_store");
        let depot = Depot::open(capacity as u64, None, addr.clone())?;
        let own = Arc::clone(&depot);
        let child = ChildSpec::actor::<ObjectStore>(&addr, move || Arc::clone(&own));
        let spec = SupervisorSpec::new(Strategy::OneForOne).child(child);
        let entered = tokio.enter();
        let root = Root::start("raytree", spec).ok().context("a tree")?;
        drop(entered);
        let session = Session::join(depot.door())?;
        Ok(Self { depot, session, root, tokio })
    }

    /// Waits until what was let go of is free.
    fn is_empty(&self) {
        loop {
            let used = self.depot.used();
            if used.sealed + used.dying == 0 {
                return;
            }
            std::thread::yield_now();
        }
    }

    fn end(self) {
        let Self { session, root, tokio, .. } = self;
        drop(session);
        tokio.block_on(root.shutdown(std::time::Duration::from_secs(5)));
    }
}

/// Room is asked for, lent, written and sealed. The floor is a bare copy past the caches into memory that is warm as well.
fn put_large(report: &mut Report) -> Result<()> {
    let scene = Scene::new(2 * LARGE)?;
    let bytes = vec![7; LARGE];
    let mut warm = vec![1; LARGE];
    drop(scene.session.write(&bytes)?);
    let mut sides = Sides::default();
    for _ in 0..report.repeats(15) {
        scene.is_empty();
        let (took, stored) = time(|| scene.session.write(&bytes));
        ensure!(stored?.bytes()?.last() == Some(&7), "it was not written");
        sides.ours.push(LARGE as f64 / took.as_secs_f64() / 1e9);
        let plain = time(|| warm.copy_from_slice(std::hint::black_box(&bytes))).0;
        let past = time(|| raytree_store::copy(&mut warm, std::hint::black_box(&bytes))).0;
        sides.bare.push(LARGE as f64 / plain.min(past).as_secs_f64() / 1e9);
    }
    scene.end();
    sides.report(report, "session_put_100MB", "GB/s");
    Ok(())
}

/// From the place of an object of another process to its bytes, held by this one; and let go of. The floor is one more count of bytes of
/// the process.
fn get_large(report: &mut Report) -> Result<()> {
    let scene = Scene::new(2 * LARGE)?;
    let stored = scene.session.write(&vec![7; LARGE])?;
    let at = stored.location().context("a place")?;
    let other = Session::join(scene.depot.door())?;
    let own: Arc<[u8]> = vec![7; LARGE].into();
    let gets = report.size(2000);
    let mut sides = Sides::default();
    for _ in 0..report.repeats(15) {
        let (took, seen) = time(|| -> Result<usize> {
            let mut seen = 0;
            for _ in 0..gets {
                seen += other.take(at, Box::new(()))?.bytes()?.len();
            }
            Ok(seen)
        });
        ensure!(seen? == gets * LARGE, "they are not whole");
        sides.ours.push(took.as_secs_f64() * 1e6 / gets as f64);
        let (took, seen) =
            time(|| (0..gets).fold(0, |sum, _| sum + std::hint::black_box(&own).clone().len()));
        ensure!(seen == gets * LARGE, "they are not whole");
        sides.bare.push(took.as_secs_f64() * 1e6 / gets as f64);
    }
    drop((stored, other));
    scene.end();
    sides.report(report, "session_get_100MB", "us");
    Ok(())
}

/// Objects of 1 KiB, each held by itself. The floor is as many boxes of as many bytes.
fn put_small(report: &mut Report) -> Result<()> {
    let count = report.size(20_000);
    let scene = Scene::new(64 << 20)?;
    let bytes = [7u8; 1024];
    let mut sides = Sides::default();
    for _ in 0..report.repeats(15) {
        let (took, all) =
            time(|| (0..count).map(|_| scene.session.write(&bytes)).collect::<Vec<_>>());
        ensure!(all.iter().all(Result::is_ok), "there was no room");
        sides.ours.push(count as f64 / took.as_secs_f64());
        drop(all);
        scene.is_empty();
        let (took, all) = time(|| {
            (0..count)
                .map(|_| Box::<[u8]>::from(std::hint::black_box(&bytes[..])))
                .collect::<Vec<_>>()
        });
        sides.bare.push(count as f64 / took.as_secs_f64());
        drop(all);
    }
    scene.end();
    sides.report(report, "session_put_1KB_rate", "/s");
    Ok(())
}

/// From the drop of the last reference to its memory being free; one at a time. The floor is a thread that is woken and wakes this one.
fn freed(report: &mut Report) -> Result<()> {
    let scene = Scene::new(64 << 20)?;
    let bytes = vec![7u8; 200_000];
    let (ask, asked) = std::sync::mpsc::sync_channel(0);
    let (tell, told) = std::sync::mpsc::sync_channel(0);
    let echo = std::thread::spawn(move || while asked.recv().is_ok() && tell.send(()).is_ok() {});
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..report.size(2000) {
        let stored = scene.session.write(&bytes)?;
        while scene.depot.used().objects == 0 {
            std::thread::yield_now();
        }
        let began = now();
        drop(stored);
        scene.is_empty();
        ours.push(began.elapsed().as_secs_f64() * 1e3);
        let (took, heard) = time(|| ask.send(()).is_ok() && told.recv().is_ok());
        ensure!(heard, "nobody answers");
        bare.push(took.as_secs_f64() * 1e3);
    }
    drop(ask);
    ensure!(echo.join().is_ok(), "it panicked");
    scene.end();
    report.row("ref_drop_to_free_p99", p99(ours), "ms");
    report.row("ref_drop_to_free_p99.floor", p99(bare), "ms");
    Ok(())
}

#[remote]
fn length(bytes: &Bytes) -> usize {
    bytes.len()
}

fn node(store: &str) -> Result<Runtime> {
    let again = vec!["--child".into(), "node".into()];
    let init = raytree::init().nodes(1).cpus(2.0).threads(1).again(again);
    Ok(init.setting("node.object_store_bytes", store).start()?)
}

/// A task on a node whose argument is an object of 100 MB, one after the other; beside it the same without a store, through a socket. The
/// floor is the same task with an object of one byte.
fn task(report: &mut Report) -> Result<()> {
    for (store, name) in [("512MiB", "task_100MB_shared"), ("0B", "task_100MB_socket")] {
        let runtime = node(store)?;
        let (ours, bare) = runtime.block_on(async {
            let large = raytree::put(Bytes::from(vec![7u8; LARGE])).await?;
            let small = raytree::put(Bytes::from(vec![7u8; 1])).await?;
            ensure!(length::remote(&large).await? == LARGE, "it is not whole");
            let (mut ours, mut bare) = (Vec::new(), Vec::new());
            for _ in 0..report.repeats(31) {
                let began = now();
                ensure!(length::remote(&large).await? == LARGE, "it is not whole");
                ours.push(began.elapsed().as_secs_f64() * 1e3);
                let began = now();
                ensure!(length::remote(&small).await? == 1, "it is not whole");
                bare.push(began.elapsed().as_secs_f64() * 1e3);
            }
            Ok((ours, bare))
        })?;
        runtime.shutdown();
        report.row(name, median(ours), "ms");
        report.row(&format!("{name}.floor"), median(bare), "ms");
    }
    Ok(())
}
