//! Nothing is copied.

use std::ops::Range;

use arrow_array::Array;
use arrow_data::ArrayData;
use raytree_arrow::{Batch, Column};
use raytree_types::Bytes;
use raytree_types::codec::{self, Codec, Encoded};

use crate::arrays::{Dice, array, batch, flat_kinds, nested_kinds};

fn range(bytes: &[u8]) -> Range<usize> {
    let range = bytes.as_ptr_range();
    range.start as usize..range.end as usize
}

/// Where the buffers of an array are, empty ones aside.
fn places(data: &ArrayData) -> Vec<Range<usize>> {
    let mut all: Vec<_> = data.buffers().iter().map(|buffer| range(buffer)).collect();
    all.extend(data.nulls().map(|nulls| range(nulls.validity())));
    all.extend(data.child_data().iter().flat_map(places));
    all.retain(|place| !place.is_empty());
    all
}

fn are_within(inner: &[Range<usize>], outer: &[Range<usize>]) -> bool {
    let lies = |place: &Range<usize>| {
        outer.iter().any(|outer| outer.start <= place.start && place.end <= outer.end)
    };
    inner.iter().all(lies)
}

fn buffers(encoded: &Encoded) -> Vec<Range<usize>> {
    let all = encoded.buffers.iter().map(|buffer| range(buffer));
    all.filter(|place| !place.is_empty()).collect()
}

#[test]
fn av_1_what_is_read_is_the_memory_that_arrived() {
    let mut dice = Dice::new(3);
    let mut kinds = flat_kinds();
    kinds.extend((0..10).flat_map(|_| nested_kinds(&mut dice, 1)));
    for kind in kinds {
        let column = Column::from(array(&mut dice, &kind, 50));
        let encoded = codec::encode(Codec::Compact, &column).unwrap();
        let back: Column = codec::decode(Codec::Compact, &encoded).unwrap();
        assert!(are_within(&places(&back.to_data()), &buffers(&encoded)), "{kind}");
    }
}

#[test]
fn av_1_what_is_sent_is_the_memory_of_the_array() {
    let mut dice = Dice::new(4);
    for kind in flat_kinds() {
        let column = Column::from(array(&mut dice, &kind, 50));
        let encoded = codec::encode(Codec::Compact, &column).unwrap();
        assert!(are_within(&buffers(&encoded), &places(&column.to_data())), "{kind}");
    }
}

/// The same bytes elsewhere: at an address that is no multiple of anything.
fn shifted(encoded: &Encoded) -> Encoded {
    let shift = |bytes: &Bytes| {
        let mut memory = vec![0; bytes.len() + 128];
        let from = (0..64).find(|at| (memory.as_ptr() as usize + at) % 64 == 1).unwrap_or_default();
        memory[from..from + bytes.len()].copy_from_slice(bytes);
        Bytes::from(memory).slice(from..from + bytes.len()).unwrap()
    };
    Encoded {
        head: encoded.head.clone(),
        buffers: encoded.buffers.iter().map(shift).collect(),
        refs: vec![],
    }
}

#[test]
fn where_numbers_cannot_be_they_are_copied() {
    for seed in 0..200 {
        let batch = Batch::from(batch(&mut Dice::new(seed), 40));
        let encoded = codec::encode(Codec::Compact, &batch).unwrap();
        let back: Batch = codec::decode(Codec::Compact, &shifted(&encoded)).unwrap();
        assert!(back == batch);
    }
}

#[test]
fn the_memory_is_there_until_the_last_array_goes() {
    let encoded = {
        let numbers = arrow_array::Int64Array::from_iter_values(0..1000);
        codec::encode(Codec::Compact, &Column::new(numbers)).unwrap()
    };
    let back: Column = codec::decode_owned(Codec::Compact, encoded).unwrap();
    let slice = back.slice(990, 10);
    drop(back);
    assert_eq!(&*slice, &arrow_array::Int64Array::from_iter_values(990..1000) as &dyn Array);
}

#[test]
fn they_are_known_to_be_views() {
    assert!(codec::encode(Codec::Compact, &Column::new(arrow_array::NullArray::new(1))).is_ok());
    assert!(codec::is_viewed::<Column>());
    assert!(!codec::is_viewed::<Option<Column>>());
}
