//! More is held than the store of a node has room for.

use raytree::prelude::*;
use raytree::state::store_traffic;
use raytree::{Array, Bytes, Error, Result, Runtime};
use serde::{Deserialize, Serialize};

use super::within;

pub(super) const MIB: usize = 1 << 20;
const MANY: u64 = 48;

/// A value of which only parts are read where they lie.
#[derive(Clone, Serialize, Deserialize)]
struct Sample {
    step: u64,
    pixels: Bytes,
    rewards: Array<f32>,
}

pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..len.div_ceil(8)).flat_map(next).take(len).collect()
}

pub(super) fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(7, |sum: u64, byte| sum.rotate_left(5) ^ u64::from(*byte))
}

#[remote]
pub(super) fn makes(seed: u64) -> Bytes {
    noise(seed, MIB).into()
}

#[remote]
fn samples(step: u64) -> Sample {
    let rewards = vec![step as f32; MIB / 8].into();
    Sample { step, pixels: noise(step, MIB / 2).into(), rewards }
}

#[remote]
pub(super) fn checksum(bytes: &Bytes) -> u64 {
    sum(bytes)
}

#[remote]
fn is_whole(sample: Sample) -> bool {
    let Sample { step, pixels, rewards } = sample;
    pixels[..] == noise(step, MIB / 2) && rewards.iter().all(|reward| *reward == step as f32)
}

pub(super) fn runtime(store: &str, settings: &[(&str, &str)]) -> Runtime {
    let init = raytree::init().cpus(2.0).threads(2).nodes(1).log_to_driver(false);
    let init = init.setting("node.object_store_bytes", store);
    let with = |init: raytree::Init, (key, value): &(&str, &str)| init.setting(*key, *value);
    let runtime = settings.iter().fold(init, with).start().expect("a runtime");
    // Both sides know of the store then.
    let first = runtime.block_on(within(async { checksum::remote(Bytes::from(vec![1])).await }));
    assert_eq!(first, Ok(sum(&[1])));
    runtime
}

/// The settings of a folder for what is spilled.
pub(super) fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    (folder, path)
}

#[test]
fn three_times_what_the_store_has_room_for_is_held_and_read_back_with_checksums() {
    let (_folder, path) = folder();
    let runtime = runtime("16MiB", &[("node.spill_folders", &path)]);
    runtime
        .block_on(within(async {
            let all: Vec<_> = (0..MANY).map(makes::remote).collect();
            // By others, from where it lies, and by this process; twice, so that all has to come back.
            for round in 0..2 {
                for (seed, object) in (0..).zip(&all) {
                    let expected = sum(&noise(seed, MIB));
                    assert_eq!(checksum::remote(object).await?, expected, "{seed} in {round}");
                    assert_eq!(sum(&object.await?), expected, "{seed} in {round}");
                }
            }
            assert_eq!(store_traffic()?.refused, 0);
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

#[test]
fn values_with_parts_that_are_read_where_they_lie_give_way_too() {
    let (_folder, path) = folder();
    let runtime = runtime("16MiB", &[("node.spill_folders", &path)]);
    runtime
        .block_on(within(async {
            let all: Vec<_> = (0..MANY).map(samples::remote).collect();
            let waited = raytree::wait(all.clone()).count(MANY as usize).await?;
            assert_eq!(waited.ready.len(), MANY as usize, "on disk they are ready, too");
            for (step, object) in (0..).zip(&all) {
                assert_eq!(object.await?.step, step);
                assert!(is_whole::remote(object).await?, "{step}");
            }
            // By value, and as the last one who has it.
            for (step, object) in (0..).zip(all) {
                let sample = object.await?;
                assert!(sample.step == step && sample.pixels[..] == noise(step, MIB / 2));
            }
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

#[test]
fn what_is_larger_than_the_store_is_said_with_its_sizes() {
    let runtime = runtime("4MiB", &[]);
    let told: Result<()> = runtime.block_on(within(async {
        let large = raytree::put(Bytes::from(vec![2u8; 5 * MIB])).await?;
        let error = checksum::remote(&large).await.expect_err("it is too large");
        let sizes = (5 * MIB as u64, 4 * MIB as u64);
        let is_it = matches!(&error, Error::ObjectStoreFull { size, capacity, .. } if (*size, *capacity) == sizes);
        assert!(is_it, "{error}");
        assert_eq!(large.await?.len(), 5 * MIB, "here it is as it was");
        assert_eq!(makes::remote(3).await?.len(), MIB);
        Ok(())
    }));
    assert_eq!(told, Ok(()));
    runtime.shutdown();
}

#[test]
fn a_full_disk_is_said_and_what_was_stored_can_be_read() {
    let (_folder, path) = folder();
    let settings = [("node.spill_folders", &*path), ("node.spill_bytes", "4MiB")];
    let runtime = runtime("16MiB", &settings);
    let told: Result<()> = runtime.block_on(within(async {
        let all: Vec<_> = (0..MANY).map(makes::remote).collect();
        let (mut whole, mut refused) = (0, 0);
        for (seed, object) in (0..).zip(&all) {
            match object.await {
                Ok(bytes) => {
                    assert_eq!(sum(&bytes), sum(&noise(seed, MIB)), "{seed}");
                    whole += 1;
                }
                Err(error) => {
                    assert!(matches!(error, Error::OutOfDisk { .. }), "{error}");
                    assert!(error.to_string().contains("quota of 4194304"), "{error}");
                    refused += 1;
                }
            }
        }
        assert!(whole >= 16 && refused > 0, "{whole} are there, {refused} are not");
        Ok(())
    }));
    assert_eq!(told, Ok(()));
    runtime.shutdown();
}

#[test]
fn without_spilling_what_does_not_fit_goes_another_way() {
    let runtime = runtime("4MiB", &[("node.spill", "false")]);
    let told: Result<()> = runtime.block_on(within(async {
        let all: Vec<_> = (0..12).map(makes::remote).collect();
        for (seed, object) in (0..).zip(&all) {
            assert_eq!(sum(&object.await?), sum(&noise(seed, MIB)), "{seed}");
        }
        Ok(())
    }));
    assert_eq!(told, Ok(()));
    runtime.shutdown();
}

#[test]
fn a_url_to_spill_to_is_refused_at_the_start_where_the_program_cannot_use_it() {
    let start = |url: &str| {
        let init = raytree::init().cpus(1.0).threads(1).nodes(1).log_to_driver(false);
        let started = init.setting("node.spill_folders", url).start();
        started.map(Runtime::shutdown).expect_err("it is refused")
    };
    if cfg!(not(feature = "object-store-cloud")) {
        let refused = start("s3://bucket/prefix");
        let said = refused.to_string();
        assert!(matches!(refused, Error::StartFailed { .. }), "{said}");
        assert!(said.contains("`object-store-cloud`"), "{said}");
        assert!(
            said.contains("node.spill_folders") && said.contains("s3://bucket/prefix"),
            "{said}"
        );
    }
    let refused = start("ftp://example.org/path");
    assert!(refused.to_string().contains("`ftp` is none of file, s3"), "{refused}");
    let refused = start("s3://key:hidden@bucket/prefix");
    let said = refused.to_string();
    assert!(matches!(refused, Error::BadOption { .. }), "{said}");
    assert!(said.contains("environment alone") && !said.contains("hidden"), "{said}");
}

#[cfg(feature = "object-store")]
#[test]
fn an_object_store_holds_what_a_folder_would() {
    let (folder, path) = folder();
    let runtime = runtime("16MiB", &[("node.spill_folders", &format!("file://{path}"))]);
    runtime
        .block_on(within(async {
            let all: Vec<_> = (0..MANY).map(makes::remote).collect();
            for (seed, object) in (0..).zip(&all) {
                let expected = sum(&noise(seed, MIB));
                assert_eq!(checksum::remote(object).await?, expected, "{seed}");
                assert_eq!(sum(&object.await?), expected, "{seed}");
            }
            assert_eq!(store_traffic()?.refused, 0);
            let lives = std::fs::read_dir(folder.path()).expect("it is there").count();
            assert_eq!(lives, 1);
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
    let lives = std::fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(lives, 0, "nothing is left");
}
