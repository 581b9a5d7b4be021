//! Numbers with a shape go from process to process through the memory that those of a node share, and are read there.

use raytree::prelude::*;
use raytree::state::{ObjectPlace, StoreTraffic, store_traffic};
use raytree::{NdArray, Result};
use serde::{Deserialize, Serialize};

use super::{is_shared, within};

/// A batch of images.
const SHAPE: [usize; 4] = [4, 3, 128, 128];
/// Numbers of one of them.
const IMAGE: usize = 3 * 128 * 128;
/// What one of them takes, which is more than goes through a socket, and all of them.
const BYTES: [u64; 2] = [IMAGE as u64 * 4, 4 * IMAGE as u64 * 4];

fn images() -> NdArray<f32> {
    let numbers = (0..4 * IMAGE).map(|n| n as f32).collect();
    NdArray::from_vec(SHAPE, numbers).expect("as many")
}

/// What a process saw of an array, and what it has had to do with the store since it began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Seen {
    shape: Vec<usize>,
    first: f32,
    last: f32,
    is_shared: bool,
    written: u64,
    taken: u64,
}

struct Reader;

#[remote]
impl Reader {
    fn new() -> Self {
        Self
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    pub(crate) fn makes(&self) -> NdArray<f32> {
        images()
    }

    pub(crate) fn reads(&self, own: &NdArray<f32>) -> Result<Seen> {
        let StoreTraffic { written_bytes: written, taken_bytes: taken, .. } = store_traffic()?;
        let numbers = own.as_slice();
        let (first, last) = (numbers[0], numbers[own.len() - 1]);
        let is_shared = is_shared(numbers);
        Ok(Seen { shape: own.shape().to_vec(), first, last, is_shared, written, taken })
    }
}

/// A reader in each of two nodes, which know of the store: they have said so before their first answer.
async fn two_readers() -> Result<[ReaderHandle; 2]> {
    let readers = [Reader::remote(), Reader::remote()];
    let processes = [readers[0].process().await?, readers[1].process().await?];
    assert_ne!(processes[0], processes[1]);
    assert!(!processes.contains(&std::process::id()));
    Ok(readers)
}

#[raytree::test(nodes = 2, strict = false)]
async fn an_array_with_a_shape_is_laid_into_the_store_once_and_read_there_by_two_nodes()
-> Result<()> {
    within(async {
        let readers = two_readers().await?;
        let object = raytree::put(images()).await?;
        let seen = Seen {
            shape: SHAPE.to_vec(),
            first: 0.0,
            last: (4 * IMAGE - 1) as f32,
            is_shared: true,
            written: 0,
            taken: BYTES[1],
        };
        for reader in &readers {
            assert_eq!(reader.reads(&object).await?, seen, "it was read where it lies");
        }
        let own = store_traffic()?;
        assert_eq!((own.written, own.written_bytes, own.refused), (1, BYTES[1], 0));
        // The copy on the heap of this process is gone: what it has is what the others have.
        assert_eq!(raytree::state::object(&object)?.place, Some(ObjectPlace::Store));
        let here = object.await?;
        assert!(is_shared(here.as_slice()) && here == images());
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2, strict = false)]
async fn a_part_of_what_another_process_has_made_goes_on_as_the_memory_that_it_is() -> Result<()> {
    within(async {
        let [maker, reader] = two_readers().await?;
        let made = maker.makes().await?;
        assert!(is_shared(made.as_slice()) && made == images());
        let third = made.outer(2).expect("there are four");
        let seen = reader.reads(third.clone()).await?;
        assert_eq!(seen.shape, SHAPE[1..]);
        assert_eq!((seen.first, seen.last), (2.0 * IMAGE as f32, (3 * IMAGE - 1) as f32));
        assert!(seen.is_shared, "it was read where it lies");
        let flat = reader.reads(third.reshape([IMAGE]).expect("as many")).await?;
        assert_eq!((flat.shape, flat.is_shared), (vec![IMAGE], true));
        assert_eq!(store_traffic()?.written, 0, "it was there");
        // Of what is on the heap the part alone is written.
        let seen = reader.reads(images().outer(2).expect("there are four")).await?;
        assert_eq!((seen.is_shared, store_traffic()?.written_bytes), (true, BYTES[0]));
        Ok(())
    })
    .await
}
