//! What is large goes from process to process through the memory that those of a node share.

use raytree::prelude::*;
use raytree::state::{StoreTraffic, store_traffic};
use raytree::{Array, Bytes, Result, Runtime};
use serde::{Deserialize, Serialize};

use super::within;

/// A million bytes, or numbers: far above what goes through a socket.
const LONG: usize = 1 << 20;

#[derive(Clone, Serialize, Deserialize)]
struct Batch {
    step: u64,
    pixels: Bytes,
    weights: Array<f32>,
}

impl Batch {
    fn new(step: u64) -> Self {
        let pixels = vec![u8::try_from(step).unwrap_or(u8::MAX); LONG].into();
        Self { step, pixels, weights: vec![step as f32; LONG / 4].into() }
    }

    fn is_whole(&self) -> bool {
        let byte = u8::try_from(self.step).unwrap_or(u8::MAX);
        self.pixels.len() == LONG
            && self.pixels.iter().all(|own| *own == byte)
            && self.weights.len() == LONG / 4
            && self.weights.iter().all(|own| *own == self.step as f32)
    }
}

#[remote]
fn sums(bytes: &Bytes) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}

#[remote]
fn makes(step: u64) -> Batch {
    Batch::new(step)
}

#[remote]
fn checks(batch: Batch) -> bool {
    batch.is_whole()
}

#[remote]
fn adds(numbers: Vec<f64>) -> f64 {
    numbers.iter().sum()
}

/// What this very process has laid into the store, and taken out.
#[remote]
fn traffic() -> (u64, u64) {
    let StoreTraffic { written_bytes, taken_bytes, .. } = store_traffic().unwrap_or_default();
    (written_bytes, taken_bytes)
}

/// One node, so that it is known which process does the work; both sides know of the store: they have said so before the first answer.
fn runtime(store: &str) -> Runtime {
    let init = raytree::init().cpus(2.0).threads(2).nodes(1).log_to_driver(false);
    let runtime = init.setting("node.object_store_bytes", store).start().expect("a runtime");
    let nothing = runtime.block_on(within(async { traffic::remote().await }));
    assert_eq!(nothing, Ok((0, 0)));
    runtime
}

#[test]
fn an_object_is_laid_into_the_store_once_for_all_who_read_it() {
    let runtime = runtime("64MiB");
    runtime
        .block_on(within(async {
            let object = raytree::put(Bytes::from(vec![1u8; LONG])).await?;
            assert_eq!(store_traffic()?, StoreTraffic::default(), "nobody else has it");
            for _ in 0..5 {
                assert_eq!(sums::remote(&object).await?, LONG as u64);
            }
            let own = store_traffic()?;
            assert_eq!((own.written, own.written_bytes, own.refused), (1, LONG as u64, 0));
            let (written, taken) = traffic::remote().await?;
            assert_eq!((written, taken % LONG as u64), (0, 0), "it was read where it lies");
            assert!(taken >= LONG as u64);
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

#[test]
fn what_has_less_than_100_kib_goes_with_its_message_and_other_things_through_the_store() {
    let runtime = runtime("64MiB");
    runtime
        .block_on(within(async {
            for (kibibytes, objects) in [(99, 0), (100, 1), (101, 2)] {
                let long = kibibytes << 10;
                let object = raytree::put(Bytes::from(vec![1u8; long])).await?;
                assert_eq!(sums::remote(&object).await?, long as u64);
                assert_eq!(store_traffic()?.written, objects, "{kibibytes} KiB");
            }
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

#[test]
fn a_result_goes_on_to_others_without_being_written_again() {
    let runtime = runtime("64MiB");
    runtime
        .block_on(within(async {
            let batch = makes::remote(7);
            assert!(checks::remote(&batch).await?);
            let batch = batch.await?;
            assert!(batch.is_whole());
            // As a value, and it is still the same memory.
            assert!(checks::remote(batch).await?);
            let own = store_traffic()?;
            assert_eq!((own.written, own.taken_bytes), (0, 2 * LONG as u64));
            let (written, _) = traffic::remote().await?;
            assert_eq!(written, 2 * LONG as u64, "its maker wrote it, once");
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

#[test]
fn what_cannot_be_read_where_it_lies_is_laid_there_once_all_the_same() {
    let runtime = runtime("64MiB");
    runtime
        .block_on(within(async {
            let numbers = raytree::put(vec![0.5f64; LONG / 8]).await?;
            for _ in 0..3 {
                assert_eq!(adds::remote(&numbers).await?, LONG as f64 / 16.0);
            }
            assert_eq!(store_traffic()?.written_bytes, LONG as u64);
            assert_eq!(numbers.await?.len(), LONG / 8);
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

#[test]
fn what_does_not_fit_is_made_room_for_and_nothing_is_lost() {
    let runtime = runtime("6MiB");
    runtime
        .block_on(within(async {
            let all: Vec<_> = (0..8).map(makes::remote).collect();
            for (step, batch) in (0..).zip(all) {
                let batch = batch.await?;
                assert!(batch.step == step && batch.is_whole());
            }
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

#[test]
fn without_a_store_all_goes_through_sockets() {
    let runtime = runtime("0B");
    runtime
        .block_on(within(async {
            assert!(checks::remote(Batch::new(9)).await?);
            assert!(makes::remote(3).await?.is_whole());
            assert_eq!(store_traffic()?, StoreTraffic::default());
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

#[remote(isolated)]
fn inverts(bytes: &Bytes) -> Bytes {
    bytes.iter().map(|byte| !byte).collect::<Vec<_>>().into()
}

#[remote]
async fn has_it_inverted(bytes: Bytes) -> Result<Bytes> {
    inverts::remote(bytes).await
}

#[test]
fn a_process_of_a_tasks_own_is_one_of_its_node() {
    let runtime = runtime("64MiB");
    runtime
        .block_on(within(async {
            let bytes = has_it_inverted::remote(Bytes::from(vec![2u8; LONG])).await?;
            assert!(bytes.len() == LONG && bytes.iter().all(|byte| *byte == !2));
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}
