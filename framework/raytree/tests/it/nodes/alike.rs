//! One story of objects, wherever their values are: in this process, through the codec, sent over a socket, in memory that is shared, or
//! on disk. A program does not see which. It can ask, though: each place is seen to be that place.

use raytree::prelude::*;
use raytree::state::{self, ObjectPlace, StoreTraffic, store_traffic};
use raytree::{Array, Bytes, Error, Init, NdArray, ObjectRef, Result, get_all, put, wait};
use serde::{Deserialize, Serialize};

use super::{process, within};

/// Objects of each type.
const MANY: u64 = 24;
/// What is laid into a store at least is 100 KiB.
const LONG: usize = 300_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    seed: u64,
    pixels: Bytes,
    rewards: Array<f32>,
    notes: Vec<String>,
}

fn bytes(seed: u64) -> Bytes {
    (0..LONG).map(|at| (at as u64 ^ seed) as u8).collect::<Vec<_>>().into()
}

fn sample(seed: u64) -> Sample {
    let rewards = vec![seed as f32; LONG / 8].into();
    Sample { seed, pixels: bytes(seed), rewards, notes: vec![format!("of {seed}")] }
}

fn numbers(seed: u64) -> Vec<u64> {
    (seed..seed + LONG as u64 / 8).collect()
}

fn image(seed: u64) -> NdArray<f32> {
    let numbers = (0..LONG / 4).map(|at| (at as u64 ^ seed) as f32).collect();
    NdArray::from_vec([3, LONG / 12], numbers).expect("as many")
}

/// What is small, and has no place in a store.
fn small(seed: u64) -> String {
    format!("number {seed}")
}

/// Where the values are.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// In this process, as they are.
    Here,
    /// In this process, read from what was written of them.
    Codec,
    /// In two processes, each on its own heap.
    Socket,
    /// In memory that both share.
    Memory,
    /// There, as far as there is room.
    Disk,
}

#[remote]
fn address(own: Vec<u64>) -> usize {
    own.as_ptr().addr()
}

impl Place {
    /// The place of what is not read where it lies: it is copied to the heap when it comes.
    fn of_copies(self) -> Self {
        if self == Self::Disk { Self::Memory } else { self }
    }

    /// Waits until some of what has come, and was not read, is on disk, if this is that.
    async fn is_disk(self) -> Result<()> {
        let on_disk = state::objects().is("place", ObjectPlace::Disk.to_string());
        while self == Self::Disk && on_disk.clone().await?.total == 0 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Whether this is the place of what is large, once others have had what this process has made.
    async fn is_it(self) -> Result<()> {
        let is_here = process::remote().await? == std::process::id();
        assert_eq!(is_here, matches!(self, Self::Here | Self::Codec));
        if is_here {
            let own = numbers(0);
            let before = own.as_ptr().addr();
            assert_eq!(address::remote(own).await? == before, self == Self::Here);
        }
        match self {
            Self::Here | Self::Codec | Self::Socket => {
                assert_eq!(store_traffic()?, StoreTraffic::default());
            }
            Self::Memory | Self::Disk => assert!(store_traffic()?.written > 0),
        }
        Ok(())
    }
}

macro_rules! story {
    ($name:ident, $type:ty, $value:path) => {
        mod $name {
            use super::*;

            fn is_whole(seed: u64, own: &$type) -> bool {
                *own == $value(seed)
            }

            fn are_whole(own: &[$type]) -> bool {
                own.len() == MANY as usize && (0..).zip(own).all(|(seed, own)| is_whole(seed, own))
            }

            #[remote]
            fn makes(seed: u64) -> $type {
                $value(seed)
            }

            #[remote]
            fn passes(own: $type) -> $type {
                own
            }

            #[remote]
            fn takes(seed: u64, own: $type) -> bool {
                is_whole(seed, &own)
            }

            #[remote]
            fn borrows(seed: u64, own: &$type) -> bool {
                is_whole(seed, own)
            }

            #[remote]
            fn takes_all(own: Vec<$type>) -> bool {
                are_whole(&own)
            }

            #[remote]
            async fn reads_inside(own: Vec<ObjectRef<$type>>) -> Result<bool> {
                Ok(are_whole(&get_all(own).await?))
            }

            #[remote]
            fn fails(_own: &$type) -> Result<$type, String> {
                Err("it is not to be had".to_owned())
            }

            struct Keeper(Vec<$type>);

            #[remote]
            impl Keeper {
                fn new(first: $type) -> Self {
                    Self(vec![first])
                }

                pub(super) fn keep(&mut self, own: $type) {
                    self.0.push(own);
                }

                pub(super) fn gives(&self, at: u64) -> $type {
                    self.0[at as usize].clone()
                }
            }

            pub(super) async fn holds(place: Option<Place>) -> Result<()> {
                let mut objects: Vec<ObjectRef<$type>> = Vec::new();
                for seed in 0..MANY {
                    // Made by a task, put by this process, and both handed on: alike from then on.
                    objects.push(match seed % 3 {
                        0 => makes::remote(seed),
                        1 => put($value(seed)).await?,
                        _ => passes::remote(makes::remote(seed)),
                    });
                }
                let ready = wait(&objects).count(MANY as usize).await?;
                assert_eq!((ready.ready.len(), ready.pending.len()), (MANY as usize, 0));
                if let Some(place) = place {
                    place.is_disk().await?;
                }
                for (seed, object) in (0..).zip(&objects) {
                    assert!(
                        takes::remote(seed, object).await? && borrows::remote(seed, object).await?
                    );
                    assert!(is_whole(seed, &object.await?), "{seed}");
                    assert!(is_whole(seed, &*object.shared().await?), "{seed}");
                    assert!(is_whole(seed, &passes::remote(object).await?), "{seed}");
                }
                if let Some(place) = place {
                    place.is_it().await?;
                }
                assert!(are_whole(&get_all(&objects).await?));
                assert!(takes_all::remote(&objects[..]).await?);
                assert!(reads_inside::remote(objects.clone()).await?);
                let keeper = Keeper::remote(&objects[0]);
                objects[1..4].iter().for_each(|object| drop(keeper.keep(object)));
                for at in 0..4 {
                    assert!(is_whole(at, &keeper.gives(at).await?), "{at}");
                    assert!(takes::remote(at, keeper.gives(at)).await?, "{at}");
                }
                let failed = passes::remote(fails::remote(&objects[0])).await;
                let said = failed.expect_err("it has failed").to_string();
                assert!(said.contains("it is not to be had"), "{said}");
                let mut ready = ready.ready;
                ready.clear();
                // The last reference of each gives the value itself.
                for (seed, object) in (0..).zip(objects) {
                    assert!(is_whole(seed, &object.await?), "{seed}");
                }
                Ok(())
            }
        }
    };
}

story!(of_bytes, Bytes, bytes);
story!(of_samples, Sample, sample);
story!(of_images, NdArray<f32>, image);
story!(of_numbers, Vec<u64>, numbers);
story!(of_small, String, small);

fn told(init: Init, place: Place) {
    let runtime = init.cpus(2.0).threads(2).log_to_driver(false).start().expect("a runtime");
    runtime
        .block_on(within(async {
            of_bytes::holds(Some(place)).await?;
            of_samples::holds(Some(place)).await?;
            of_images::holds(Some(place)).await?;
            of_numbers::holds(Some(place.of_copies())).await?;
            let before = store_traffic()?.written;
            of_small::holds(None).await?;
            assert_eq!(store_traffic()?.written, before, "what is small is in no store");
            Ok::<_, Error>(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

fn with_store(store: &str) -> Init {
    raytree::init().nodes(1).setting("node.object_store_bytes", store)
}

#[test]
fn in_this_process() {
    told(raytree::init().strict(false), Place::Here);
}

#[test]
fn through_the_codec() {
    told(raytree::init().strict(true), Place::Codec);
}

#[test]
fn over_a_socket() {
    told(with_store("0B"), Place::Socket);
}

#[test]
fn in_memory_that_is_shared() {
    told(with_store("256MiB"), Place::Memory);
}

#[test]
fn on_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    told(with_store("4MiB").setting("node.spill_folders", path), Place::Disk);
}
