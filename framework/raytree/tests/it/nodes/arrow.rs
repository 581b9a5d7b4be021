//! Columns go from process to process through the memory that those of a node share, and are read there.

use std::sync::Arc;

use raytree::Result;
use raytree::prelude::*;
use raytree::state::store_traffic;
use raytree_arrow::arrow_array::cast::AsArray as _;
use raytree_arrow::arrow_array::types::Float64Type;
use raytree_arrow::arrow_array::{ArrayRef, Float64Array, LargeStringArray};
use raytree_arrow::{Batch, Column, RecordBatch};
use serde::{Deserialize, Serialize};

use super::{is_shared, within};

/// Rows, of which each has eight bytes of numbers and more of text.
const ROWS: usize = 200_000;

/// Numbers with nulls, and text: five buffers, all but the nulls' above what goes through a socket.
fn batch() -> Batch {
    let numbers = (0..ROWS).map(|row| (row % 4 > 0).then_some(row as f64));
    let texts = LargeStringArray::from_iter_values((0..ROWS).map(|row| format!("row {row:06}")));
    let columns: [(&str, ArrayRef); 2] =
        [("numbers", Arc::new(Float64Array::from_iter(numbers))), ("texts", Arc::new(texts))];
    RecordBatch::try_from_iter(columns).expect("a batch").into()
}

/// What of it is laid into the store: numbers, offsets and text.
const STORED: u64 = (ROWS * 8 + (ROWS + 1) * 8 + ROWS * 10) as u64;

fn sum(column: &ArrayRef) -> f64 {
    column.as_primitive::<Float64Type>().iter().flatten().sum()
}

fn are_shared(column: &ArrayRef) -> bool {
    is_shared(column.as_primitive::<Float64Type>().values())
}

/// What a process saw of a batch, and what it has had to do with the store since it began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Seen {
    sum: f64,
    last: String,
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

    pub(crate) fn reads(&self, batch: &Batch) -> Result<Seen> {
        let traffic = store_traffic()?;
        let texts = batch.column(1).as_string::<i64>();
        Ok(Seen {
            sum: sum(batch.column(0)),
            last: texts.value(batch.num_rows() - 1).to_owned(),
            is_shared: are_shared(batch.column(0)),
            written: traffic.written_bytes,
            taken: traffic.taken_bytes,
        })
    }

    pub(crate) fn numbers(&self, batch: Batch) -> Column {
        batch.column(0).clone().into()
    }
}

/// A reader in each of two nodes, which know of the store: they have said so before their first answer.
async fn two_readers() -> Result<[ReaderHandle; 2]> {
    let readers = [Reader::remote(), Reader::remote()];
    let processes = [readers[0].process().await?, readers[1].process().await?];
    assert_ne!(processes[0], processes[1]);
    Ok(readers)
}

#[raytree::test(nodes = 2, strict = false)]
async fn a_batch_is_laid_into_the_store_once_and_read_there_by_two_nodes() -> Result<()> {
    within(async {
        let readers = two_readers().await?;
        let whole = batch();
        let sum = sum(whole.column(0));
        let object = raytree::put(whole).await?;
        for reader in &readers {
            let seen = reader.reads(&object).await?;
            let last = format!("row {:06}", ROWS - 1);
            assert_eq!(
                seen,
                Seen { sum, last, is_shared: true, written: 0, taken: STORED },
                "it was read where it lies"
            );
        }
        let own = store_traffic()?;
        assert_eq!((own.written, own.written_bytes, own.refused), (3, STORED, 0));
        // The copy on the heap of this process is gone: what it has is what the others have.
        let here = object.await?;
        assert!(are_shared(here.column(0)) && here == batch());
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2, strict = false)]
async fn a_column_of_a_batch_goes_on_as_the_memory_that_it_is() -> Result<()> {
    within(async {
        let [maker, reader] = two_readers().await?;
        let column = maker.numbers(batch()).await?;
        assert!(are_shared(&column), "it was taken out of the batch over there, and came back");
        let written = store_traffic()?.written_bytes;
        assert_eq!(written, STORED);
        let again = RecordBatch::try_from_iter([
            ("numbers", column.into()),
            ("texts", Arc::clone(batch().column(1))),
        ]);
        let seen = reader.reads(Batch::from(again.expect("a batch"))).await?;
        assert!(seen.is_shared);
        let text = STORED - (ROWS * 8) as u64;
        assert_eq!(store_traffic()?.written_bytes, written + text, "the numbers were there");
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2, strict = false)]
async fn of_a_slice_only_the_slice_goes() -> Result<()> {
    within(async {
        let readers = two_readers().await?;
        let slice = Batch::from(batch().slice(ROWS - 10, 10));
        let seen = readers[0].reads(slice.clone()).await?;
        assert_eq!((seen.sum, seen.is_shared), (sum(slice.column(0)), false));
        assert_eq!(store_traffic()?.written, 0, "too little for the store");
        Ok(())
    })
    .await
}
