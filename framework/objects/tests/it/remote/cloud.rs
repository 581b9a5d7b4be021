//! Over a network, to a server that speaks S3 (`s3.rs`).

use std::path::Path;
use std::sync::Arc;

use raytree_objects::{Lost, NotStored, Refused, Session, SpillRules, SpillTerms, Stored};
use raytree_wire::Token;
use tempfile::TempDir;

use super::super::sessions::{Node, until};
use super::super::spilling::{self, MIB, Spot, bytes, is_it, write};
use super::super::transfer;
use super::s3::{Object, S3};
use super::{at_url, holds_for};

/// A bucket, and what is needed of a machine.
struct Bucket {
    s3: S3,
    aside: TempDir,
}

impl Bucket {
    fn new() -> Self {
        Self { s3: S3::start(), aside: tempfile::tempdir().expect("a folder") }
    }

    fn of(&self, at: u32, aside: &Path) -> SpillTerms {
        at_url(at, self.s3.url("/some/prefix"), aside)
    }

    /// The keys of files of objects.
    fn files(&self) -> Vec<String> {
        let is_file = |key: &&String| key.ends_with(".spill");
        self.s3.with(|inside| inside.objects.keys().filter(is_file).cloned().collect())
    }
}

impl Spot for Bucket {
    fn terms(&self, at: u32) -> SpillTerms {
        self.of(at, self.aside.path())
    }

    fn change(&self, change: &dyn Fn(&mut Vec<u8>)) {
        self.s3.with(|inside| {
            inside.objects.values_mut().for_each(|object| change(&mut object.bytes));
        });
    }

    fn is_empty(&self) -> bool {
        self.s3.with(|inside| inside.objects.is_empty()) && self.aside.is_empty()
    }
}

holds_for!(Bucket::new());

/// Objects of which each is spilled alone, and the first ones are.
async fn some_are_spilled(place: &Bucket) -> (Node, Session, Vec<Arc<Stored>>) {
    let rules = SpillRules { fused: 0, ..SpillRules::default() };
    let node = Node::with(Some(SpillTerms { rules, ..place.terms(500) }));
    let session = node.session();
    let all: Vec<_> = (0..8).map(|number| write(&session, number, 900_000)).collect();
    until(|| !all[0].is_here() && node.depot.row().waiting == 0).await;
    (node, session, all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_the_server_are_tried_again() {
    let place = Bucket::new();
    place.s3.with(|inside| inside.errors = 3);
    let (node, session, all) = some_are_spilled(&place).await;
    place.s3.with(|inside| inside.errors = 3);
    for (number, stored) in all.iter().enumerate() {
        is_it(stored, number, 900_000);
    }
    assert_eq!((session.traffic().refused, place.s3.with(|inside| inside.errors)), (0, 0));
    node.end().await;
}

/// What is true while nothing can be written there nor read, and after.
async fn is_away_for_a_while(close: fn(&S3, bool)) {
    let place = Bucket::new();
    let (node, session, mut all) = some_are_spilled(&place).await;
    close(&place.s3, true);
    let away = all[0].bytes().expect_err("it cannot be read");
    let said = away.to_string();
    let is_named = said.contains("cannot read s3://bucket/some/prefix/raytree-spill-");
    assert!(matches!(away, Lost::Away(_)) && is_named, "{said}");
    // Until the memory is full.
    let full = loop {
        match session.write(&bytes(all.len(), 900_000)) {
            Ok(stored) => all.push(stored),
            Err(full) => break full,
        }
    };
    let said = full.to_string();
    let is_named = said.contains("cannot write s3://bucket/some/prefix/raytree-spill-");
    assert!(matches!(full, NotStored::Refused(Refused::OutOfDisk { .. })) && is_named, "{said}");
    let here = all.iter().enumerate().filter(|(_, stored)| stored.is_here());
    let here: Vec<_> = here.map(|(number, stored)| is_it(stored, number, 900_000)).collect();
    assert!(here.len() >= 3, "{} are in memory", here.len());

    close(&place.s3, false);
    for (number, stored) in all.iter().enumerate() {
        is_it(stored, number, 900_000);
    }
    until(|| session.write(&bytes(0, 900_000)).is_ok()).await;
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_gone_is_named_and_what_is_in_memory_can_be_read() {
    is_away_for_a_while(|s3, is_gone| s3.with(|inside| inside.is_gone = is_gone)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_loses_anything_while_he_may_not_use_the_server() {
    is_away_for_a_while(|s3, is_closed| s3.with(|inside| inside.is_closed = is_closed)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_any_more_is_lost_and_what_is_cut_off_is_damaged() {
    let place = Bucket::new();
    let (node, _session, all) = some_are_spilled(&place).await;
    let [first, second] = [0, 1].map(|number| bytes(number, 900_000));
    let has =
        |object: &Object, of: &[u8]| object.bytes.windows(16).any(|part| *part == of[1000..1016]);
    place.s3.with(|inside| {
        inside.objects.retain(|_, object| !has(object, &first));
        for object in inside.objects.values_mut().filter(|object| has(object, &second)) {
            object.bytes.truncate(700_000);
        }
    });
    let lost = all[0].bytes().expect_err("it is gone");
    assert!(matches!(&lost, Lost::NotBrought(why) if why.contains("cannot read s3://")), "{lost}");
    let lost = all[1].bytes().expect_err("it is cut off");
    assert!(matches!(&lost, Lost::NotBrought(why) if why.contains("ends within")), "{lost}");
    // Nothing at all is left of it.
    place.change(&|bytes| bytes.clear());
    let lost = all[1].bytes().expect_err("it is cut off");
    assert!(matches!(&lost, Lost::NotBrought(why) if why.contains("ends within")), "{lost}");
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_is_written_and_read_in_parts() {
    let place = Bucket::new();
    let node = Node::of(64 << 20, Some(place.terms(300)));
    let session = node.session();
    let len = 20 * MIB + 5;
    let all: Vec<_> = (0..4).map(|number| write(&session, number, len)).collect();
    until(|| !all[0].is_here() && node.depot.row().waiting == 0).await;
    assert!(place.s3.with(|inside| inside.uploaded) >= 1);
    is_it(&all[0], 0, len);
    drop(all);
    node.has(0).await;
    until(|| place.files().is_empty()).await;
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_an_upload_that_fails_in_the_midst_of_it() {
    let place = Bucket::new();
    place.s3.with(|inside| inside.parts_left = Some(2));
    let node = Node::of(64 << 20, Some(place.terms(300)));
    let session = node.session();
    let len = 20 * MIB + 5;
    let all: Vec<_> = (0..3).map(|number| write(&session, number, len)).collect();
    let full = session.write(&bytes(3, len)).expect_err("nothing can be spilled");
    assert!(full.to_string().contains("cannot write s3://bucket/some/prefix/"), "{full}");
    until(|| place.s3.with(|inside| inside.uploaded > 0 && inside.uploads.is_empty())).await;
    assert!(place.files().is_empty());
    place.s3.with(|inside| inside.parts_left = None);
    until(|| session.write(&bytes(3, len)).is_ok()).await;
    for (number, stored) in all.iter().enumerate() {
        is_it(stored, number, len);
    }
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_node_cannot_read_now_is_asked_for_again() {
    let place = Bucket::new();
    let token = Token::random().expect("random bytes");
    let home = transfer::Node::with(&token, 4 * MIB, Some(place.terms(500)));
    let here = transfer::Node::with(&token, 4 * MIB, None);
    let session = home.session();
    let all: Vec<_> = (0..6).map(|number| write(&session, number, 900_000)).collect();
    until(|| !all[0].is_here() && home.depot.row().waiting == 0).await;
    place.s3.with(|inside| inside.is_closed = true);
    let far = here.session().far(home.place(&all[0]), Box::new(()));
    let wanted = Arc::clone(&far);
    let read = tokio::task::spawn_blocking(move || wanted.bytes());
    until(|| place.s3.with(|inside| inside.refused > 0)).await;
    place.s3.with(|inside| inside.is_closed = false);
    let come = read.await.expect("it does not panic").expect("it comes");
    assert!(come[..] == bytes(0, 900_000)[..]);
    home.end().await;
    here.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rl_1_rl_2_what_crashed_stores_have_left_in_a_bucket_is_removed_and_what_may_live_is_not() {
    let place = Bucket::new();
    let key = |life: &str, name: &str| format!("/bucket/some/prefix/{life}/{name}");
    place.s3.with(|inside| {
        for (life, hours) in [("raytree-spill-a", 25), ("raytree-spill-b", 23), ("others", 99)] {
            let at = inside.now - hours * 3600;
            // More than one page of a list has.
            let names = (0..8).map(|number| format!("{number}.spill")).chain(["owner".to_owned()]);
            for name in names {
                inside.objects.insert(key(life, &name), Object { bytes: vec![7; 9], at });
            }
        }
    });
    let one = Node::with(Some(place.terms(500)));
    let is_left = |life: &str| {
        let start = key(life, "");
        place.s3.with(|inside| inside.objects.keys().filter(|key| key.starts_with(&start)).count())
    };
    until(|| is_left("raytree-spill-a") == 0).await;
    assert_eq!([is_left("raytree-spill-b"), is_left("others")], [9, 9]);
    // A day later: the first one has not said so for a day, but its mark is of another machine.
    let other_machine = tempfile::tempdir().expect("a folder");
    place.s3.with(|inside| inside.now += 2 * 3600);
    let other = Node::with(Some(place.of(500, other_machine.path())));
    until(|| is_left("raytree-spill-b") == 0).await;
    assert_eq!(is_left("others"), 9);
    let owners = || {
        let is_one = |key: &&String| key.contains("raytree-spill-") && key.ends_with("/owner");
        place.s3.with(|inside| inside.objects.keys().filter(is_one).count())
    };
    assert_eq!(owners(), 2, "they leave each other alone");
    one.end().await;
    other.end().await;
    until(|| owners() == 0).await;
}
