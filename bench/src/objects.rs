//! Rows of the store: objects in shared memory.

use anyhow::{Context as _, Result, ensure};
use raytree_store::{Client, ClientId, Location, Region, Space, Store, Terms};

use crate::report::{Report, Row, median, time};

/// All rows, in the order in which they are printed.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "put_100MB_shared", run: put_large },
    Row { name: "get_100MB_shared", run: get_large },
    Row { name: "put_1KB_shared_rate", run: put_small },
    Row { name: "spill_write", run: crate::spill::write },
    Row { name: "spill_read", run: crate::spill::read },
];

const LARGE: usize = 100_000_000;
const SMALL: usize = 1024;

/// A store over shared memory, and one who uses it.
struct Scene {
    store: Store,
    id: ClientId,
    client: Client,
}

impl Scene {
    fn new(capacity: usize) -> Result<Self> {
        let mut store = Store::new(Region::Shared, capacity as u64)?;
        let (id, memory) = store.join()?;
        store.touch_ahead(capacity as u64)?;
        Ok(Self { store, id, client: Client::new(memory) })
    }

    /// Room for an object.
    fn space(&mut self, len: usize) -> Result<Space> {
        let lease = self.store.lease(self.id, Terms::one(len as u64))?;
        self.client.lend_one(lease, len as u64).context("room")
    }

    /// What was written is the store's; what was lent goes back.
    fn tells(&mut self) -> Result<()> {
        Ok(self.store.written(self.id, &self.client.written())?)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<Location> {
        let mut space = self.space(bytes.len())?;
        space.fill(bytes);
        let at = space.seal();
        self.tells()?;
        Ok(at)
    }

    fn free(&mut self, objects: &[Location]) {
        self.store.free(objects);
        self.store.sweep();
    }
}

/// A warm arena: what is written was free before. The floor is the faster of two bare copies into the same memory.
fn put_large(report: &mut Report) -> Result<()> {
    let mut scene = Scene::new(2 * LARGE)?;
    let bytes = vec![7; LARGE];
    let (mut ours, mut plain, mut past_caches) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..report.repeats(15) {
        let (took, at) = time(|| scene.put(&bytes));
        let at = at?;
        ours.push(took.as_secs_f64());
        ensure!(scene.client.view(at)?.last() == Some(&7), "it was not written");
        scene.free(&[at]);
        // The same bytes of the arena again.
        let mut space = scene.space(LARGE)?;
        ensure!(space.last() == Some(&7), "it is other memory");
        plain.push(time(|| space.copy_from_slice(&bytes)).0.as_secs_f64());
        past_caches.push(time(|| raytree_store::copy(&mut space, &bytes)).0.as_secs_f64());
        let at = space.seal();
        scene.tells()?;
        scene.free(&[at]);
    }
    let rate = |seconds: Vec<f64>| LARGE as f64 / median(seconds) / 1e9;
    report.row("put_100MB_shared", rate(ours), "GB/s");
    report.row("put_100MB_shared.floor", rate(plain).max(rate(past_caches)), "GB/s");
    Ok(())
}

/// From the place of an object to its bytes. The floor is to count one more reference to bytes of the process.
fn get_large(report: &mut Report) -> Result<()> {
    let mut scene = Scene::new(2 * LARGE)?;
    let at = scene.put(&vec![7; LARGE])?;
    let own: std::sync::Arc<[u8]> = vec![7; LARGE].into();
    let gets = report.size(100_000);
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..report.repeats(15) {
        let (took, seen) = time(|| {
            (0..gets).try_fold(0, |sum, _| scene.client.view(at).map(|view| sum + view.len()))
        });
        ensure!(seen? == gets * LARGE, "they are not whole");
        ours.push(took.as_secs_f64() * 1e6 / gets as f64);
        let (took, seen) =
            time(|| (0..gets).fold(0, |sum, _| sum + std::hint::black_box(&own).clone().len()));
        ensure!(seen == gets * LARGE, "they are not whole");
        floor.push(took.as_secs_f64() * 1e6 / gets as f64);
    }
    report.row("get_100MB_shared", median(ours), "us");
    report.row("get_100MB_shared.floor", median(floor), "us");
    Ok(())
}

/// Into slabs, told to the store in batches, and freed. The floor are copies of as many bytes to as many places.
fn put_small(report: &mut Report) -> Result<()> {
    const BATCH: usize = 256;
    let count = report.size(20_000);
    let mut scene = Scene::new(2 * count.max(4096) * SMALL)?;
    let bytes = [7; SMALL];
    let mut to = vec![0; count * SMALL];
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..report.repeats(31) {
        let (took, objects) = time(|| -> Result<_> {
            let mut objects = Vec::with_capacity(count);
            while objects.len() < count {
                let Some(mut space) = scene.client.space(SMALL as u64) else {
                    scene.tells()?;
                    scene.client.lend(scene.store.lease(scene.id, Terms::small())?);
                    continue;
                };
                space.fill(&bytes);
                objects.push(space.seal());
                if objects.len().is_multiple_of(BATCH) {
                    scene.tells()?;
                }
            }
            scene.tells()?;
            Ok(objects)
        });
        let objects = objects?;
        ours.push(count as f64 / took.as_secs_f64());
        scene.free(&objects);
        let (took, ()) = time(|| {
            to.chunks_exact_mut(SMALL)
                .for_each(|one| one.copy_from_slice(std::hint::black_box(&bytes)))
        });
        floor.push(count as f64 / took.as_secs_f64());
    }
    report.row("put_1KB_shared_rate", median(ours), "/s");
    report.row("put_1KB_shared_rate.floor", median(floor), "/s");
    Ok(())
}
