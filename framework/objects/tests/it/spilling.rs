//! A store that is too small for what is written to it.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use raytree_objects::{Lost, Need, NotStored, Refused, Session, SpillRules, SpillTerms, Stored};

use tempfile::TempDir;

use super::sessions::{Node, ROOM, until};

pub(crate) const MIB: usize = 1 << 20;

/// A store that spills from so many thousandths on, into this folder.
pub(crate) fn terms(at: u32, folder: &Path) -> SpillTerms {
    SpillTerms::new(at, vec![folder.to_owned()], &[], 0)
}

/// A place to spill to, which is looked at from outside. What is told of stores that spill holds for each.
pub(crate) trait Spot {
    /// A store that spills there, from so many thousandths on.
    fn terms(&self, at: u32) -> SpillTerms;

    /// Changes each of the files there, or leaves it.
    fn change(&self, change: &dyn Fn(&mut Vec<u8>));

    /// Whether nothing is left there.
    fn is_empty(&self) -> bool;
}

impl Spot for TempDir {
    fn terms(&self, at: u32) -> SpillTerms {
        terms(at, self.path())
    }

    fn change(&self, change: &dyn Fn(&mut Vec<u8>)) {
        for path in files(self.path()).into_iter().filter(|path| path.extension().is_some()) {
            let mut text = fs::read(&path).expect("it is there");
            change(&mut text);
            fs::write(&path, text).expect("it is written");
        }
    }

    fn is_empty(&self) -> bool {
        files(self.path()).is_empty()
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Bytes that tell which object they are of.
pub(crate) fn bytes(number: usize, len: usize) -> Vec<u8> {
    let first = number.wrapping_mul(2_654_435_761);
    (0..len).map(|at| (first ^ (at / 8 * 31)).to_le_bytes()[at % 8]).collect()
}

pub(crate) fn write(session: &Session, number: usize, len: usize) -> Arc<Stored> {
    session.write(&bytes(number, len)).expect("there is room, or it is made")
}

pub(crate) fn is_it(stored: &Arc<Stored>, number: usize, len: usize) {
    assert!(stored.bytes().expect("it is held")[..] == bytes(number, len), "object {number}");
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries =
        fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("one").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_times_what_there_is_room_for_is_written_and_all_of_it_is_read_as_it_was() {
    many_times(&folder()).await;
}

pub(crate) async fn many_times(place: &impl Spot) {
    let node = Node::with(Some(place.terms(800)));
    let session = node.session();
    // Small ones among the large.
    let len = |number: usize| if number.is_multiple_of(3) { 3_001 } else { 700_001 };
    let all: Vec<_> = (0..36).map(|number| write(&session, number, len(number))).collect();
    assert!(all.iter().map(|stored| stored.byte_count()).sum::<u64>() > 4 * ROOM);
    for _ in 0..2 {
        for (number, stored) in all.iter().enumerate() {
            is_it(stored, number, len(number));
        }
    }
    let row = node.depot.row();
    assert!(row.spilled_ever > 3 * ROOM && row.restored_ever > 3 * ROOM, "{row:?}");
    assert!(row.spilled_ever < 5 * ROOM, "what comes back is on disk already: {row:?}");
    assert_eq!(session.traffic().refused, 0);
    drop(all);
    node.has(0).await;
    until(|| node.depot.row().spilled == 0).await;
    assert_eq!(node.depot.row().spilled_objects, 0);
    drop(session);
    node.end().await;
    until(|| place.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dk_1_many_write_and_read_at_once_and_each_gets_room_in_the_end() {
    many_at_once(&folder()).await;
}

pub(crate) async fn many_at_once(place: &impl Spot) {
    let node = Node::with(Some(place.terms(500)));
    let many: Vec<_> = (0..6)
        .map(|who| {
            let session = node.session();
            thread::spawn(move || {
                let mut held: Vec<(usize, Arc<Stored>)> = Vec::new();
                for step in 0..40 {
                    let number = who * 1000 + step;
                    held.push((number, write(&session, number, 300_000 + number)));
                    let (number, stored) = &held[step * 7 % held.len()];
                    is_it(stored, *number, 300_000 + number);
                    if held.len() > 12 {
                        held.swap_remove(step % 12);
                    }
                }
                assert_eq!(session.traffic().refused, 0);
            })
        })
        .collect();
    tokio::task::spawn_blocking(move || {
        many.into_iter().for_each(|one| one.join().expect("it has ended well"));
    })
    .await
    .expect("all ended well");
    node.has(0).await;
    until(|| node.depot.row().spilled == 0).await;
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sg_1_who_writes_is_refused_where_all_is_looked_at_and_who_reads_has_a_copy() {
    all_is_looked_at(&folder()).await;
}

pub(crate) async fn all_is_looked_at(place: &impl Spot) {
    let node = Node::with(Some(place.terms(800)));
    let session = node.session();
    let spilled = write(&session, 0, MIB);
    let all: Vec<_> = (1..5).map(|number| write(&session, number, MIB - 5000)).collect();
    let looked: Vec<_> = all.iter().map(|stored| stored.bytes().expect("it is held")).collect();
    assert!(!spilled.is_here());
    let full = session.write(&bytes(9, MIB)).expect_err("all is looked at");
    assert!(matches!(full, NotStored::Refused(Refused::Full { .. })), "{full}");
    is_it(&spilled, 0, MIB);
    assert!(!spilled.is_here(), "there is no room for it");
    drop(looked);
    until(|| {
        is_it(&spilled, 0, MIB);
        spilled.is_here()
    })
    .await;
    write(&session, 9, MIB);
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sg_1_a_full_disk_is_said_with_sizes_and_what_was_stored_can_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = SpillRules { quota: Some(2 * MIB as u64), ..SpillRules::default() };
    let node = Node::with(Some(SpillTerms { rules, ..terms(800, folder.path()) }));
    let session = node.session();
    let mut all = Vec::new();
    let full = loop {
        match session.write(&bytes(all.len(), 900_000)) {
            Ok(stored) => all.push(stored),
            Err(full) => break full,
        }
    };
    let said = full.to_string();
    assert!(matches!(full, NotStored::Refused(Refused::OutOfDisk { .. })), "{said}");
    assert!(said.contains("900000") && said.contains("quota of 2097152"), "{said}");
    assert!(all.len() >= 6, "{} objects of 900 kB are there", all.len());
    for (number, stored) in all.iter().enumerate() {
        is_it(stored, number, 900_000);
    }
    let never = session.write(&bytes(0, 5 * MIB)).expect_err("it is larger than the store");
    assert!(matches!(never, NotStored::Refused(Refused::TooLarge { .. })), "{never}");
    all.truncate(2);
    until(|| session.write(&bytes(7, 900_000)).is_ok()).await;
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_said_and_harms_nothing_else() {
    is_damaged(&folder()).await;
}

pub(crate) async fn is_damaged(place: &impl Spot) {
    // Each in a file of its own.
    let rules = SpillRules { fused: 0, ..SpillRules::default() };
    let node = Node::with(Some(SpillTerms { rules, ..place.terms(500) }));
    let session = node.session();
    let all: Vec<_> = (0..8).map(|number| write(&session, number, 900_000)).collect();
    until(|| !all[0].is_here() && node.depot.row().waiting == 0).await;
    let (damaged, first) = (Cell::new(0), bytes(0, 900_000));
    place.change(&|text| {
        if text.windows(16).any(|part| *part == first[1000..1016]) {
            text[500_000] ^= 1;
            damaged.set(damaged.get() + 1);
        }
    });
    assert_eq!(damaged.get(), 1);
    let lost = all[0].bytes().expect_err("its file is damaged");
    let said = lost.to_string();
    assert!(matches!(lost, Lost::NotBrought(_)) && said.contains("have changed"), "{said}");
    for (number, stored) in all.iter().enumerate().skip(1) {
        is_it(stored, number, 900_000);
    }
    drop(all);
    node.has(0).await;
    until(|| node.depot.row().spilled == 0).await;
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dk_2_what_is_on_disk_goes_with_the_store_and_whoever_waits_hears_of_it() {
    goes_with_the_store(&folder()).await;
}

pub(crate) async fn goes_with_the_store(place: &impl Spot) {
    let node = Node::with(Some(place.terms(300)));
    let session = node.session();
    let all: Vec<_> = (0..8).map(|number| write(&session, number, 900_000)).collect();
    until(|| !all[0].is_here()).await;
    let Node { depot, root } = node;
    root.shutdown(std::time::Duration::from_secs(5)).await;
    drop(depot);
    until(|| session.is_gone()).await;
    assert!(matches!(all[0].bytes(), Err(Lost::StoreGone)));
    let here: Vec<_> = all.iter().filter(|stored| stored.is_here()).collect();
    assert!(!here.is_empty() && here.iter().all(|stored| stored.bytes().is_ok()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_for_ahead_is_there_when_it_is_said_to_be() {
    is_asked_for_ahead(&folder()).await;
}

pub(crate) async fn is_asked_for_ahead(place: &impl Spot) {
    let node = Node::with(Some(place.terms(500)));
    let session = node.session();
    let all: Vec<_> = (0..8).map(|number| write(&session, number, 900_000)).collect();
    until(|| !all[0].is_here()).await;
    let (tell, told) = tokio::sync::oneshot::channel();
    all[0].brings(Need::Wait, move |is_back| _ = tell.send(is_back));
    assert_eq!(told.await, Ok(true));
    assert!(all[0].is_here());
    is_it(&all[0], 0, 900_000);
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_node_that_is_short_of_memory_all_that_nobody_looks_at_goes_to_disk_and_comes_back() {
    let folder = folder();
    let node = Node::with(Some(folder.terms(800)));
    let session = node.session();
    let all: Vec<_> = (0..4).map(|number| write(&session, number, 300_001)).collect();
    let looked_at = all[0].bytes().expect("it is held");
    assert_eq!(node.depot.row().spilled, 0, "there is room for more");
    // Said again and again, as a node does while it lasts.
    until(|| {
        node.depot.is_short(true);
        node.depot.used().on_disk == 3 && node.depot.used().dying == 0
    })
    .await;
    assert_eq!(node.depot.used().objects, 1);
    assert!(looked_at[..] == bytes(0, 300_001));
    // Those who need them have them all the same.
    all.iter().enumerate().for_each(|(number, stored)| is_it(stored, number, 300_001));
    // What is written meanwhile goes as well, once that is said again.
    let late = write(&session, 9, 300_001);
    until(|| {
        node.depot.is_short(true);
        node.depot.used().on_disk == 4
    })
    .await;
    node.depot.is_short(false);
    is_it(&late, 9, 300_001);
    until(|| node.depot.used().on_disk == 3).await;
    assert_eq!(node.depot.used().objects, 2, "it stays");
    drop((looked_at, all, late, session));
    node.has(0).await;
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sp_6_files_of_which_little_is_needed_give_their_room_back_and_the_rest_is_read_as_it_was()
{
    let folder = folder();
    let node = Node::of(8 << 20, Some(folder.terms(100)));
    let session = node.session();
    let len = |number: usize| 10_000 + number;
    let mut all: Vec<_> =
        (0..2000).map(|number| (number, write(&session, number, len(number)))).collect();
    // Of each file there is something left.
    all.retain(|(number, _)| number % 20 == 0);
    let live: u64 = all.iter().map(|(_, stored)| stored.byte_count()).sum();
    let on_disk = || {
        let files = files(folder.path()).into_iter();
        files.map(|path| path.metadata().map_or(0, |known| known.len())).sum::<u64>()
    };
    assert!(node.depot.row().spilled_ever > 8 * live);
    until(|| on_disk() < 2 * live && node.depot.row().spilled < 2 * live).await;
    for (number, stored) in &all {
        is_it(stored, *number, len(*number));
    }
    drop(all);
    node.has(0).await;
    until(|| node.depot.row().spilled == 0).await;
    node.end().await;
    until(|| folder.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sp_6_a_quota_that_was_full_of_what_nobody_needs_takes_more() {
    let folder = folder();
    let rules = SpillRules { quota: Some(8 << 20), ..SpillRules::default() };
    let node = Node::with(Some(SpillTerms { rules, ..terms(300, folder.path()) }));
    let session = node.session();
    let mut all = Vec::new();
    while let Ok(stored) = session.write(&bytes(all.len(), 10_000)) {
        all.push((all.len(), stored));
    }
    all.retain(|(number, _)| number % 10 == 0);
    // Nothing of that fits but where the files were.
    for number in 10_000..10_600 {
        until(|| match session.write(&bytes(number, 10_000)) {
            Ok(stored) => {
                all.push((number, stored));
                true
            }
            Err(_) => false,
        })
        .await;
    }
    for (number, stored) in &all {
        is_it(stored, *number, 10_000);
    }
    node.end().await;
}
