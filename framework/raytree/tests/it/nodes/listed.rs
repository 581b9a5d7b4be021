//! Objects in the store, on disk and in other processes, as they are listed.

use std::time::Duration;

use raytree::prelude::*;
use raytree::state::{self, ObjectPlace, ObjectRecord, ObjectState};
use raytree::{Bytes, Result, Runtime};

use super::within;

const MIB: usize = 1 << 20;

/// Keeps references, as programs do that leak.
struct Hoard {
    all: Vec<ObjectRef<Bytes>>,
}

#[remote]
impl Hoard {
    fn new() -> Self {
        Self { all: Vec::new() }
    }

    pub(crate) fn add(&mut self, more: Vec<ObjectRef<Bytes>>) -> usize {
        self.all.extend(more);
        self.all.len()
    }

    pub(crate) fn clear(&mut self) {
        self.all.clear();
    }

    pub(crate) fn large(&self) -> Bytes {
        vec![3; MIB].into()
    }
}

#[remote]
fn length(bytes: &Bytes) -> usize {
    bytes.len()
}

#[remote]
fn makes(byte: u8) -> Bytes {
    vec![byte; MIB].into()
}

#[remote]
async fn waits_with(_bytes: Bytes, other: ObjectRef<u32>) -> Result<u32> {
    other.await
}

#[remote]
async fn takes_both(_bytes: Bytes, _number: u32) {}

#[remote]
async fn never() -> u32 {
    std::future::pending().await
}

fn runtime(store: &str, settings: &[(&str, &str)]) -> Runtime {
    let init = raytree::init().cpus(2.0).threads(2).nodes(1).log_to_driver(false);
    let init = init.setting("node.object_store_bytes", store);
    let with = |init: raytree::Init, (key, value): &(&str, &str)| init.setting(*key, *value);
    let runtime = settings.iter().fold(init, with).start().expect("a runtime");
    // Both sides know of the store then.
    let first = runtime.block_on(within(async { length::remote(Bytes::from(vec![1])).await }));
    assert_eq!(first, Ok(1));
    runtime
}

/// The objects with this name that this process has, once they are as they should be.
async fn listed(
    name: &str,
    are_right: impl Fn(&[ObjectRecord]) -> bool,
) -> Result<Vec<ObjectRecord>> {
    loop {
        let all = state::objects().is("name", name).is("pid", std::process::id().to_string());
        let rows = all.await?.rows;
        if are_right(&rows) {
            return Ok(rows);
        }
        tokio::task::yield_now().await;
    }
}

fn site(line: u32) -> Option<String> {
    Some(format!("{}:{line}", file!()))
}

#[test]
fn an_object_in_the_store_says_who_made_it_how_large_it_is_and_who_has_it() {
    let runtime = runtime("64MiB", &[]);
    runtime
        .block_on(within(async {
            let object = raytree::put(Bytes::from(vec![7u8; 3 * MIB])).await?;
            let line = line!() - 1;
            assert!(listed("put", |_| true).await?.is_empty(), "it is on the heap, and here alone");
            assert_eq!(length::remote(&object).await?, 3 * MIB);
            // What was lent is looked at until the other side says that it holds it.
            let is_at_rest = |rows: &[ObjectRecord]| {
                rows.len() == 1 && (rows[0].holders, rows[0].pins) == (0, 0)
            };
            let rows = listed("put", is_at_rest).await?;
            let row = &rows[0];
            assert_eq!((row.state, row.size), (ObjectState::Ready, Some(3 * MIB as u64)));
            assert_eq!((row.place, &row.store), (Some(ObjectPlace::Store), &None));
            assert_eq!((row.references, row.pins, row.used_by, row.waiters), (1, 0, 0, 0));
            assert_eq!(row.call_site, site(line));
            let program = std::env::current_exe().expect("a program");
            let program = program.file_name().expect("a file").to_string_lossy();
            assert_eq!((&*row.owner, row.pid), (&*program, std::process::id()));
            let since = row.since.expect("it is in the store");
            let later = since + Duration::from_secs(3);
            assert_eq!((row.age(later), since.as_secs() > 0), (Some(Duration::from_secs(3)), true));

            // Whoever has its bytes keeps it in memory, and who has a reference is counted.
            let (again, bytes) = (object.clone(), (&object).await?);
            let rows = listed("put", |_| true).await?;
            assert_eq!((rows[0].references, rows[0].pins), (2, 1));
            // Both are told by the clock of the day, which each query reads anew.
            let apart = rows[0].since.map(|again| again.abs_diff(since));
            assert!(apart.is_some_and(|apart| apart.as_secs() < 60), "it is as old as it was");
            drop((again, bytes));
            assert_eq!(listed("put", |_| true).await?[0].pins, 0);

            // A task that is still to begin has it as an argument.
            let to_come = never::remote();
            let waits = takes_both::remote(&object, &to_come);
            assert_eq!(listed("put", |_| true).await?[0].used_by, 1);
            let come = listed("never", |rows| rows.len() == 1).await?;
            let come = &come[0];
            assert_eq!(come.state, ObjectState::Pending);
            assert!(come.since.is_some() && come.place.is_none() && come.size.is_none());
            assert!(come.call_site.as_ref().is_some_and(|site| site.starts_with(file!())));
            waits.cancel();
            to_come.cancel();
            listed("put", |rows| rows[0].used_by == 0).await?;
            drop(object);
            listed("put", <[_]>::is_empty).await?;
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

/// What a reference says of itself in another process.
#[remote]
async fn looks_at(references: Vec<ObjectRef<Bytes>>) -> Result<Vec<(String, String, u64)>> {
    let look = || {
        let known = state::object(&references[0])?;
        let place = known.place.map(|place| place.to_string()).unwrap_or_default();
        Ok::<_, raytree::Error>((known.owner, place, known.size.unwrap_or(0)))
    };
    let before = look()?;
    let _bytes = (&references[0]).await?;
    Ok(vec![before, look()?])
}

#[test]
fn one_reference_says_where_its_value_is() {
    let runtime = runtime("64MiB", &[]);
    runtime
        .block_on(within(async {
            let object = raytree::put(Bytes::from(vec![7u8; MIB])).await?;
            let line = line!() - 1;
            let known = state::object(&object)?;
            assert_eq!(
                (known.place, known.size, known.since),
                (Some(ObjectPlace::Heap), None, None)
            );
            assert_eq!((known.references, &known.call_site), (1, &site(line)));
            let there = looks_at::remote(vec![object.clone()]).await?;
            let (before, after) = (&there[0], &there[1]);
            assert_eq!((&*before.0, &*before.1, before.2), ("its parent", "elsewhere", 0));
            assert_eq!((&*after.0, &*after.1, after.2), ("node-1", "store", MIB as u64));
            let known = state::object(&object)?;
            assert_eq!((known.place, known.size), (Some(ObjectPlace::Store), Some(MIB as u64)));
            let to_come = state::object(&never::remote())?;
            assert_eq!((to_come.state, to_come.place), (ObjectState::Pending, None));
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

#[test]
fn what_another_process_holds_and_what_methods_and_tasks_have_made_is_listed() {
    let runtime = runtime("64MiB", &[]);
    runtime
        .block_on(within(async {
            let hoard = Hoard::with(ActorOptions::new().cpus(0.0)).remote();
            let small = raytree::put(Bytes::from(vec![1u8; 10])).await?;
            let line = line!() - 1;
            hoard.add(vec![small.clone()]).await?;
            let rows = listed("put", |rows| rows.len() == 1 && rows[0].holders == 1).await?;
            let row = &rows[0];
            assert_eq!((&row.held_by[..], row.size), (&["node-1".to_owned()][..], None));
            assert_eq!((row.place, row.references), (Some(ObjectPlace::Heap), 2));
            assert_eq!((&row.call_site, row.since.is_some()), (&site(line), true));
            hoard.clear().await?;
            listed("put", <[_]>::is_empty).await?;

            let (made, answered) = (makes::remote(1), hoard.large());
            let line = line!() - 1;
            for (object, name) in [(&made, "makes"), (&answered, "Hoard::large")] {
                raytree::wait([object.clone()]).await?;
                let all = state::objects().await?.rows;
                let is_it = |row: &&ObjectRecord| row.name.ends_with(name);
                let row = all.iter().find(is_it).unwrap_or_else(|| panic!("{name}: {all:?}"));
                assert_eq!((row.size, row.place), (Some(MIB as u64), Some(ObjectPlace::Store)));
                assert_eq!(row.call_site, site(line), "{row:?}");
            }
            let passed_on: Vec<_> = (0..1).map(makes::remote).collect();
            raytree::wait(passed_on.clone()).await?;
            assert_eq!(state::object(&passed_on[0])?.call_site, None, "that line is not ours");
            let submitted = makes::submit(2).await?;
            let line = line!() - 1;
            raytree::wait([submitted.clone()]).await?;
            let all = state::objects().is("call_site", site(line).unwrap_or_default()).await?;
            assert_eq!(all.total, 1, "{:?}", state::objects().await?);
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

#[test]
fn what_is_on_disk_is_listed_as_that_and_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let runtime = runtime("16MiB", &[("node.spill_folders", &path)]);
    runtime
        .block_on(within(async {
            let all: Vec<_> = (0..40).map(|byte| makes::remote(byte)).collect();
            let line = line!() - 1;
            raytree::wait(all.clone()).count(all.len()).await?;
            let rows = state::objects().is("call_site", site(line).unwrap_or_default());
            let rows = rows.limit(100).await?.rows;
            assert_eq!(rows.len(), all.len());
            assert!(rows.iter().all(|row| row.size == Some(MIB as u64) && row.pins == 0));
            let on_disk = |rows: &[ObjectRecord]| {
                rows.iter().filter(|row| row.place == Some(ObjectPlace::Disk)).count()
            };
            assert!(on_disk(&rows) >= 24, "{rows:?}");
            let first = (&all[0]).await?;
            assert!(first.len() == MIB && on_disk(&rows) < all.len());
            let pinned = state::objects().is("pins", "1").await?;
            assert_eq!((pinned.total, pinned.rows[0].place), (1, Some(ObjectPlace::Store)));
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}
