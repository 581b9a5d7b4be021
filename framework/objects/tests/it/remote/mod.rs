//! Stores that spill to object stores: all that holds for folders (`spilling.rs`), and what can happen to a network besides.

#[cfg(feature = "object-store-cloud")]
mod cloud;
#[cfg(feature = "object-store-cloud")]
mod dates;
#[cfg(feature = "object-store-cloud")]
mod s3;

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use raytree_objects::{SpillRules, SpillTerms, SpillUrl};
use tempfile::TempDir;

use super::sessions::{Node, until};
use super::spilling::{self, MIB, Spot, files, is_it, terms, write};

/// What is needed of a machine, in a folder that nobody else has.
pub(crate) fn at_url(at: u32, url: SpillUrl, aside: &Path) -> SpillTerms {
    let terms = SpillTerms::new(at, Vec::new(), &[], 0);
    SpillTerms { folders: Vec::new(), urls: vec![url], aside: aside.to_owned(), ..terms }
}

/// A folder, by way of a URL.
struct ByUrl {
    folder: TempDir,
    aside: TempDir,
}

impl ByUrl {
    fn new() -> Self {
        let [folder, aside] = [0; 2].map(|_| tempfile::tempdir().expect("a folder"));
        Self { folder, aside }
    }
}

impl Spot for ByUrl {
    fn terms(&self, at: u32) -> SpillTerms {
        let url = format!("file://{}", self.folder.path().display());
        at_url(at, SpillUrl::new(url), self.aside.path())
    }

    fn change(&self, change: &dyn Fn(&mut Vec<u8>)) {
        self.folder.change(change);
    }

    fn is_empty(&self) -> bool {
        let entries = fs::read_dir(self.folder.path()).expect("it is there").count();
        entries == 0 && self.aside.is_empty()
    }
}

/// All that holds for folders holds for such a place.
macro_rules! holds_for {
    ($place:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn many_times_what_there_is_room_for_is_written_and_all_of_it_is_read_as_it_was() {
            spilling::many_times(&$place).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn dk_1_many_write_and_read_at_once_and_each_gets_room_in_the_end() {
            spilling::many_at_once(&$place).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn sg_1_who_writes_is_refused_where_all_is_looked_at_and_who_reads_has_a_copy() {
            spilling::all_is_looked_at(&$place).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_damaged_object_is_said_and_harms_nothing_else() {
            spilling::is_damaged(&$place).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn dk_2_what_is_spilled_goes_with_the_store_and_whoever_waits_hears_of_it() {
            let place = $place;
            spilling::goes_with_the_store(&place).await;
            until(|| place.is_empty()).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn what_is_asked_for_ahead_is_there_when_it_is_said_to_be() {
            spilling::is_asked_for_ahead(&$place).await;
        }
    };
}
#[cfg(feature = "object-store-cloud")]
use holds_for;

holds_for!(ByUrl::new());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rl_1_rl_2_what_crashed_stores_have_left_is_removed_and_what_may_live_is_not() {
    let place = ByUrl::new();
    let at = |name: &str| place.folder.path().join(name);
    let left = |life: &str, hours: u64| {
        fs::create_dir(at(life)).expect("a folder");
        for name in ["1.spill", "2.spill", "owner"] {
            fs::write(at(life).join(name), "bytes").expect("a file");
        }
        let owner = File::options().write(true).open(at(life).join("owner")).expect("it is there");
        let now = owner.metadata().expect("it is there").modified().expect("its time");
        owner.set_modified(now - Duration::from_secs(hours * 60 * 60)).expect("its time");
    };
    left("raytree-spill-old", 25);
    left("raytree-spill-young", 23);
    left("raytree-spill-strange", 25);
    left("others", 25);
    fs::write(at("raytree-spill-strange/notes"), "mine").expect("a file");
    // One of this machine, of which it is known that it has died.
    left("raytree-spill-died", 0);
    let lives = place.aside.path().join("lives");
    fs::create_dir(&lives).expect("a folder");
    let url = format!("file://{}", place.folder.path().display());
    fs::write(lives.join("raytree-spill-died"), &url).expect("a mark");
    // And one that died in another place.
    fs::write(lives.join("raytree-spill-elsewhere"), "file:///elsewhere").expect("a mark");

    // And a copy of an object, in a folder whose owner is gone.
    let copies = place.aside.path().join("raytree-spill-1-0");
    fs::create_dir(&copies).expect("a folder");
    for name in ["owner", "0.spill"] {
        fs::write(copies.join(name), "").expect("a file");
    }

    let node = Node::with(Some(place.terms(500)));
    until(|| !copies.exists()).await;
    until(|| !at("raytree-spill-old").exists() && !at("raytree-spill-died").exists()).await;
    until(|| !at("raytree-spill-strange/1.spill").exists()).await;
    let kept = ["raytree-spill-young/1.spill", "others/1.spill"];
    let strange = ["raytree-spill-strange/notes", "raytree-spill-strange/owner"];
    for name in kept.into_iter().chain(strange) {
        assert!(at(name).exists(), "{name}");
    }
    until(|| fs::read_dir(&lives).expect("it is there").count() == 2).await;
    node.end().await;
    until(|| fs::read_dir(&lives).expect("it is there").count() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_their_user_may_read_what_is_spilled_to_a_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = ByUrl::new();
    let node = Node::with(Some(place.terms(300)));
    let session = node.session();
    let all: Vec<_> = (0..8).map(|number| write(&session, number, 900_000)).collect();
    until(|| !all[0].is_here()).await;
    let life = fs::read_dir(place.folder.path()).expect("it is there").next();
    let life = life.expect("there is a life").expect("it can be read");
    let mode = life.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_store_is_used_where_no_folder_has_room() {
    let (place, folder) = (ByUrl::new(), tempfile::tempdir().expect("a folder"));
    let rules = SpillRules { quota: Some(2 * MIB as u64), fused: 0 };
    let folders = terms(500, folder.path()).folders;
    let node = Node::with(Some(SpillTerms { rules, folders, ..place.terms(500) }));
    let session = node.session();
    let few: Vec<_> = (0..4).map(|number| write(&session, number, 900_000)).collect();
    until(|| node.depot.row().spilled_objects >= 2).await;
    let spilled = |at: &Path| {
        files(at).iter().filter(|path| path.extension().is_some_and(|end| end == "spill")).count()
    };
    assert_eq!(spilled(place.folder.path()), 0);
    let more: Vec<_> = (4..16).map(|number| write(&session, number, 900_000)).collect();
    until(|| spilled(place.folder.path()) >= 4).await;
    assert_eq!(spilled(folder.path()), 2);
    for (number, stored) in few.iter().chain(&more).enumerate() {
        is_it(stored, number, 900_000);
    }
    assert_eq!(session.traffic().refused, 0);
    node.end().await;
}
