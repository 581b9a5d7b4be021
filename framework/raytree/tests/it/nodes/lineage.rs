//! Objects whose bytes are lost: what a task has made is made again, and of everything else it is said why not.

mod callers;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use raytree::prelude::*;
use raytree::{Bytes, Error, Result, Runtime, Unrebuilt, get_all, put, state};

use super::spilled::{MIB, checksum, folder, makes, noise, runtime, sum};
use super::{pid, process, within};

/// A runtime with a small store that spills into a folder of its own, and a file in which tasks write that they ran.
struct World {
    runtime: Runtime,
    spilled: tempfile::TempDir,
    notes: tempfile::TempDir,
}

impl World {
    fn new(settings: &[(&str, &str)]) -> Self {
        let ((spilled, path), (notes, _)) = (folder(), folder());
        let all = [&[("node.spill_folders", &*path)], settings].concat();
        Self { runtime: runtime("16MiB", &all), spilled, notes }
    }

    fn run(self, test: impl AsyncFnOnce(&Self) -> Result<()>) {
        let told = self.runtime.block_on(within(test(&self)));
        assert_eq!(told, Ok(()));
        self.runtime.shutdown();
    }

    /// Where tasks that are called like this write that they ran.
    fn notes(&self, name: &str) -> String {
        self.notes.path().join(name).display().to_string()
    }

    /// How often they ran.
    fn runs(&self, name: &str) -> usize {
        runs(&self.notes(name))
    }

    /// Has these objects spilled, and damages what was written of them.
    async fn loses(&self, all: &[&[u8]]) -> Result<()> {
        self.loses_by(all, |seed| makes::remote(seed)).await
    }

    /// The same, with what fills the store made like this.
    async fn loses_by(&self, all: &[&[u8]], makes: impl Fn(u64) -> ObjectRef<Bytes>) -> Result<()> {
        let (mut left, mut fill, mut seed) = (all.to_vec(), Vec::new(), 1000);
        while !left.is_empty() {
            for _ in 0..8 {
                seed += 1;
                fill.push(makes(seed));
            }
            raytree::wait(fill.clone()).count(fill.len()).await?;
            left.retain(|bytes| !damages(self.spilled.path(), bytes));
        }
        Ok(())
    }
}

fn runs(notes: &str) -> usize {
    fs::read_to_string(notes).unwrap_or_default().lines().count()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            all.extend(files(&entry.path()));
        } else {
            all.push(entry.path());
        }
    }
    all
}

/// Changes a byte of each copy of these that is found in files of this folder; whether there was any.
fn damages(folder: &Path, bytes: &[u8]) -> bool {
    let sign = &bytes[4096..4128];
    let mut found = false;
    for path in files(folder) {
        let text = fs::read(&path).unwrap_or_default();
        for at in (0..text.len().saturating_sub(32)).step_by(8) {
            if text[at..at + 32] == *sign {
                let file = OpenOptions::new().write(true).open(&path).expect("it is there");
                file.write_all_at(&[!sign[0]], at as u64).expect("it is written");
                found = true;
            }
        }
    }
    found
}

fn notes_a_run(notes: &str) -> usize {
    let file = OpenOptions::new().create(true).append(true).open(notes);
    writeln!(file.expect("a file"), "{}", std::process::id()).expect("it is written");
    runs(notes)
}

#[remote]
fn counted(notes: String, seed: u64) -> Bytes {
    notes_a_run(&notes);
    noise(seed, MIB).into()
}

fn turned(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte.rotate_left(3) ^ 0x5a).collect()
}

#[remote]
fn turns(notes: String, bytes: &Bytes) -> Bytes {
    notes_a_run(&notes);
    turned(bytes).into()
}

#[remote]
fn turns_its_own(notes: String, bytes: Bytes) -> Bytes {
    notes_a_run(&notes);
    turned(&bytes).into()
}

#[remote]
fn joins(notes: String, all: Vec<Bytes>) -> Bytes {
    notes_a_run(&notes);
    all.iter().map(|bytes| &bytes[..]).collect::<Vec<_>>().concat().into()
}

/// Why it is not made again.
fn why(read: Result<Bytes>) -> Unrebuilt {
    match read {
        Err(Error::ObjectLost { lost, why, .. }) => {
            assert!(lost.contains("damaged") || lost.contains("freed"), "{lost}");
            why
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lost_result_is_made_again_once_however_many_read_it_and_is_the_same() {
    World::new(&[]).run(async |world| {
        let expected = noise(7, MIB);
        let object = counted::remote(world.notes("once"), 7);
        assert_eq!(sum(&(&object).await?), sum(&expected));
        world.loses(&[&expected]).await?;
        let tasks: Vec<_> = (0..4).map(|_| checksum::remote(&object)).collect();
        let mut threads = Vec::new();
        for _ in 0..4 {
            let object = object.clone();
            let reads = move || object.get_shared().map(|bytes| sum(&bytes));
            threads.push(std::thread::spawn(reads));
        }
        let (one, other, shared) = tokio::join!(object.clone(), &object, object.shared());
        assert_eq!(
            (sum(&one?), sum(&other?), sum(&shared?)),
            (sum(&expected), sum(&expected), sum(&expected))
        );
        for thread in threads {
            assert_eq!(thread.join().expect("it ends"), Ok(sum(&expected)));
        }
        assert_eq!(get_all(tasks).await?, vec![sum(&expected); 4]);
        let both = get_all([&object, &object]).await?;
        assert!(both.iter().all(|bytes| bytes[..] == expected));
        assert_eq!(world.runs("once"), 2);
        // Who looks sees two runs of one task.
        let rows = state::tasks().is("name", "counted").await?.rows;
        let attempts: Vec<_> = rows.iter().map(|row| (row.attempt, row.id)).collect();
        assert_eq!(attempts.len(), 2, "{attempts:?}");
        assert!(attempts.iter().any(|(attempt, _)| *attempt == 1), "{attempts:?}");
        assert_eq!(attempts[0].1, attempts[1].1);
        Ok(())
    });
}

#[test]
fn a_chain_of_lost_results_is_made_again_whether_they_are_held_or_not() {
    for are_held in [true, false] {
        World::new(&[]).run(async |world| {
            let one = counted::remote(world.notes("one"), 3);
            let two = turns::remote(world.notes("two"), &one);
            let three = turns::remote(world.notes("three"), &two);
            let first = noise(3, MIB);
            let (second, third) = (turned(&first), turned(&turned(&first)));
            assert_eq!(sum(&(&three).await?), sum(&third));
            if are_held {
                world.loses(&[&first, &second, &third]).await?;
            } else {
                drop((one, two));
                world.loses(&[&third]).await?;
            }
            assert_eq!(sum(&(&three).await?), sum(&third));
            for name in ["one", "two", "three"] {
                assert_eq!(world.runs(name), 2, "{name}");
            }
            Ok(())
        });
    }
}

#[test]
fn arguments_by_value_are_there_when_a_task_runs_again() {
    World::new(&[]).run(async |world| {
        // One that lies in the store, one of this process, and several references.
        let first = noise(4, MIB);
        let stored = counted::remote(world.notes("stored"), 4).await?;
        let objects = [
            turns_its_own::remote(world.notes("own"), stored),
            turns_its_own::remote(world.notes("own"), Bytes::from(noise(5, MIB))),
        ];
        let joined = joins::remote(world.notes("joined"), &objects[..]);
        let expected = [turned(&first), turned(&noise(5, MIB))];
        for (object, expected) in objects.iter().zip(&expected) {
            assert_eq!(sum(&object.await?), sum(expected));
        }
        assert_eq!(sum(&(&joined).await?), sum(&expected.concat()));
        drop(objects);
        world.loses(&[&expected.concat()]).await?;
        assert_eq!(sum(&(&joined).await?), sum(&expected.concat()));
        assert_eq!((world.runs("own"), world.runs("joined"), world.runs("stored")), (4, 2, 1));
        Ok(())
    });
}

#[test]
fn what_was_put_or_answered_by_an_actor_is_not_made_again() {
    World::new(&[]).run(async |world| {
        let bytes = noise(1, MIB);
        let own = put(Bytes::from(bytes.clone())).await?;
        assert_eq!(checksum::remote(&own).await?, sum(&bytes));
        let actor = Keeper::remote();
        let answer = actor.noise(2);
        let turned_own = turns::remote(world.notes("turned"), &own);
        assert_eq!(sum(&(&turned_own).await?), sum(&turned(&bytes)));
        assert_eq!(sum(&(&answer).await?), sum(&noise(2, MIB)));
        world.loses(&[&bytes, &noise(2, MIB), &turned(&bytes)]).await?;
        assert_eq!(why((&own).await), Unrebuilt::Put);
        assert_eq!(why((&answer).await), Unrebuilt::ActorResult);
        // The reason is that of what it was made of, which is named.
        let told = (&turned_own).await;
        assert!(matches!(&told, Err(Error::ObjectLost { object, .. }) if object == "put"));
        assert_eq!(why(told), Unrebuilt::Put);
        Ok(())
    });
}

struct Keeper;

#[remote]
impl Keeper {
    fn new() -> Self {
        Self
    }

    pub(crate) fn noise(&self, seed: u64) -> Bytes {
        noise(seed, MIB).into()
    }

    pub(crate) fn sum(&self, bytes: &Bytes) -> u64 {
        sum(bytes)
    }

    /// What it has itself.
    pub(crate) async fn puts(&self, seed: u64) -> Result<Vec<ObjectRef<Bytes>>> {
        Ok(vec![put(noise(seed, MIB).into()).await?])
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    /// Reads what is not its own.
    pub(crate) async fn sum_of(&self, object: Vec<ObjectRef<Bytes>>) -> Result<u64> {
        Ok(sum(&(&object[0]).await?))
    }
}

#[test]
fn a_task_runs_again_within_its_retries() {
    World::new(&[]).run(async |world| {
        let with = |retries| counted::with(TaskOptions::new().retries(retries));
        let never = with(0).remote(world.notes("never"), 11);
        let once = with(1).remote(world.notes("once"), 12);
        let bytes = [noise(11, MIB), noise(12, MIB)];
        assert_eq!(sum(&(&once).await?), sum(&bytes[1]));
        assert_eq!(sum(&(&never).await?), sum(&bytes[0]));
        world.loses(&[&bytes[0], &bytes[1]]).await?;
        assert_eq!(why((&never).await), Unrebuilt::RetriesDisabled);
        assert_eq!(sum(&(&once).await?), sum(&bytes[1]));
        world.loses(&[&bytes[1]]).await?;
        assert_eq!(why((&once).await), Unrebuilt::RetriesUsedUp { runs: 2 });
        assert_eq!((world.runs("never"), world.runs("once")), (1, 2));
        Ok(())
    });
}

#[test]
fn beyond_the_bound_the_oldest_lineage_is_given_up() {
    World::new(&[("calls.lineage_bytes", "110KiB")]).run(async |world| {
        let label = |name: &str| format!("{}{}", world.notes(name), "/".repeat(40 << 10));
        let mut objects = Vec::new();
        for seed in 0..3 {
            let object = labelled::remote(label("runs"), seed);
            // One after the other: the oldest is the one that ended first.
            (&object).await?;
            objects.push(object);
        }
        let all: Vec<_> = (0..3).map(|seed| noise(seed, MIB)).collect();
        world.loses(&all.iter().map(Vec::as_slice).collect::<Vec<_>>()).await?;
        assert_eq!(why((&objects[0]).await), Unrebuilt::LineageGivenUp { bound: 110 << 10 });
        assert_eq!(sum(&(&objects[1]).await?), sum(&all[1]));
        assert_eq!(sum(&(&objects[2]).await?), sum(&all[2]));
        assert_eq!(world.runs("runs"), 5);
        Ok(())
    });
}

/// Its argument is a file's name, and much more.
#[remote]
fn labelled(label: String, seed: u64) -> Bytes {
    notes_a_run(label.trim_end_matches('/'));
    noise(seed, MIB).into()
}

#[test]
fn nothing_is_kept_where_that_is_switched_off() {
    World::new(&[("calls.lineage_bytes", "0B")]).run(async |world| {
        let object = counted::remote(world.notes("runs"), 1);
        (&object).await?;
        world.loses(&[&noise(1, MIB)]).await?;
        assert_eq!(why((&object).await), Unrebuilt::LineageOff);
        Ok(())
    });
}

/// Ends at once when it runs first, and not before it is cancelled later.
#[remote]
fn hangs_later(context: &TaskContext, notes: String, seed: u64) -> Result<Bytes> {
    if notes_a_run(&notes) == 1 {
        return Ok(noise(seed, MIB).into());
    }
    loop {
        context.check_cancelled()?;
        std::thread::yield_now();
    }
}

#[remote]
fn fails_later(notes: String, seed: u64) -> Bytes {
    assert_eq!(notes_a_run(&notes), 1, "it has run before");
    noise(seed, MIB).into()
}

#[test]
fn one_that_is_cancelled_or_fails_when_it_runs_again_says_so() {
    World::new(&[]).run(async |world| {
        let cancelled = hangs_later::remote(world.notes("cancelled"), 21);
        let failed = fails_later::remote(world.notes("failed"), 22);
        (&cancelled).await?;
        (&failed).await?;
        world.loses(&[&noise(21, MIB), &noise(22, MIB)]).await?;
        let object = cancelled.clone();
        let reader = std::thread::spawn(move || object.get());
        while world.runs("cancelled") < 2 {
            tokio::task::yield_now().await;
        }
        // Meanwhile it can be seen why there is no value.
        let story = state::why_object(&cancelled).await?;
        let said = format!("{story:?}");
        assert!(said.contains("it runs again, for its result is lost"), "{said}");
        cancelled.cancel();
        assert_eq!(why(reader.join().expect("it ends")), Unrebuilt::Cancelled);
        match why((&failed).await) {
            Unrebuilt::Failed { error } => {
                assert!(error.to_string().contains("it has run before"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    });
}

#[remote]
fn with_handle(notes: String, actor: KeeperHandle) -> Bytes {
    drop(actor);
    notes_a_run(&notes);
    noise(31, MIB).into()
}

#[test]
fn what_would_hold_more_than_bytes_is_not_kept() {
    World::new(&[]).run(async |world| {
        let object = with_handle::remote(world.notes("runs"), Keeper::remote());
        (&object).await?;
        world.loses(&[&noise(31, MIB)]).await?;
        assert_eq!(why((&object).await), Unrebuilt::NotKept);
        Ok(())
    });
}

#[test]
fn who_has_borrowed_an_object_asks_its_owner_again() {
    World::new(&[]).run(async |world| {
        let object = counted::remote(world.notes("runs"), 41);
        let expected = sum(&noise(41, MIB));
        let actor = Keeper::remote();
        assert_eq!(actor.sum_of(vec![object.clone()]).await?, expected);
        world.loses(&[&noise(41, MIB)]).await?;
        assert_eq!(actor.sum_of(vec![object.clone()]).await?, expected);
        assert_eq!(world.runs("runs"), 2);
        // A call whose argument it is waits for it as well.
        world.loses(&[&noise(41, MIB)]).await?;
        assert_eq!(actor.sum(&object).await?, expected);
        assert_eq!(world.runs("runs"), 3);
        Ok(())
    });
}

#[test]
fn an_object_of_a_process_that_has_ended_is_not_made_again() {
    World::new(&[]).run(async |world| {
        let bytes = noise(51, MIB);
        let keeper = Keeper::remote();
        let object = keeper.puts(51).await?.remove(0);
        assert_eq!(sum(&(&object).await?), sum(&bytes));
        let owner = keeper.process().await?;
        rustix::process::kill_process(pid(owner), rustix::process::Signal::KILL).expect("it lives");
        // Another process has come in its place.
        while process::remote().await? == owner {}
        world.loses(&[&bytes]).await?;
        let told = why((&object).await);
        assert!(matches!(&told, Unrebuilt::Borrowed { owner } if owner == "node-1"), "{told:?}");
        Ok(())
    });
}

/// Holds a CPU until there is a file.
#[remote]
fn waits(gate: String) {
    while !Path::new(&gate).exists() {
        std::thread::yield_now();
    }
}

#[test]
fn a_task_in_line_waits_again_when_an_argument_is_lost_that_was_there() {
    World::new(&[]).run(async |world| {
        let bytes = noise(61, MIB);
        let keeper = Keeper::remote();
        let object = counted::remote(world.notes("runs"), 61);
        assert_eq!(keeper.sum_of(vec![object.clone()]).await?, sum(&bytes));
        let gates: Vec<_> = (0..2).map(|_| waits::remote(world.notes("gate"))).collect();
        let once = TaskOptions::new().retries(0);
        let sums = [checksum::remote(&object), checksum::with(once).remote(&object)];
        // Nothing runs beside what holds both CPUs, but the actor.
        world.loses_by(&[&bytes], |seed| keeper.noise(seed)).await?;
        assert_eq!(world.runs("runs"), 1);
        fs::write(world.notes("gate"), "").expect("a file");
        get_all(gates).await?;
        assert_eq!(get_all(sums).await?, [sum(&bytes); 2]);
        assert_eq!(world.runs("runs"), 2);
        Ok(())
    });
}

#[test]
fn a_chain_of_any_length_is_made_again_and_let_go() {
    const LEN: usize = 300;
    World::new(&[]).run(async |world| {
        let mut last = counted::remote(world.notes("runs"), 71);
        let mut bytes = noise(71, MIB);
        for _ in 0..LEN {
            last = eighth::remote(world.notes("runs"), &last);
            bytes = turned(&bytes[..MIB / 8]);
        }
        assert_eq!(sum(&(&last).await?), sum(&bytes));
        world.loses(&[&bytes]).await?;
        assert_eq!(sum(&(&last).await?), sum(&bytes));
        assert_eq!(world.runs("runs"), 2 * (LEN + 1));
        Ok(())
    });
}

#[remote]
fn eighth(notes: String, bytes: &Bytes) -> Bytes {
    notes_a_run(&notes);
    turned(&bytes[..MIB / 8]).into()
}
