//! Shapes against naive ones.

use std::panic::catch_unwind;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::codec::{self, Codec, CodecError};

const CODECS: [Codec; 2] = [Codec::Compact, Codec::SelfDescribing];

/// 0, 1, 2 and so on.
fn counted(shape: &[usize]) -> NdArray<u32> {
    let len = shape.iter().product::<usize>() as u32;
    NdArray::from_vec(shape, (0..len).collect()).unwrap()
}

/// A shape of few numbers, some with none.
fn some_shape() -> impl Strategy<Value = Vec<usize>> {
    vec(0_usize..5, 0..5)
}

/// Every index within a shape, the last one fastest: counted up like the digits of a number.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let add = |all: Vec<Vec<usize>>, dim: &usize| {
        let longer = |start: &Vec<usize>| {
            let start = start.clone();
            (0..*dim).map(move |own| [&start[..], &[own]].concat())
        };
        all.iter().flat_map(longer).collect()
    };
    shape.iter().fold(vec![Vec::new()], add)
}

/// How many numbers a shape has, and how many it would have without what is 0, in numbers that do not overflow.
fn lens(shape: &[usize]) -> (u128, u128) {
    let of = |dims: &mut dyn Iterator<Item = &usize>| {
        dims.fold(1_u128, |len, dim| len.saturating_mul(*dim as u128))
    };
    (of(&mut shape.iter()), of(&mut shape.iter().filter(|dim| **dim > 0)))
}

proptest! {
    #[test]
    fn na_1_the_last_index_runs_fastest(shape in some_shape()) {
        let array = counted(&shape);
        let all = indices(&shape);
        prop_assert_eq!((array.len(), array.ndim()), (all.len(), shape.len()));
        prop_assert_eq!(array.is_empty(), all.is_empty());
        for (number, index) in (0..).zip(&all) {
            prop_assert_eq!(array.get(index), Some(&number));
        }
        prop_assert!(array.iter().copied().eq(0..all.len() as u32));
    }

    #[test]
    fn outside_of_the_shape_there_is_nothing(
        shape in some_shape(), index in vec(prop_oneof![0_usize..6, Just(usize::MAX)], 0..6),
    ) {
        let array = counted(&shape);
        let is_there = indices(&shape).contains(&index);
        prop_assert_eq!(array.get(&index).is_some(), is_there);
    }

    #[test]
    fn na_2_parts_along_the_first_axis_are_where_they_were(
        shape in some_shape(), from in 0_usize..6, to in 0_usize..6,
    ) {
        let array = counted(&shape);
        let outer = shape.first().copied();
        for at in 0..outer.unwrap_or(0) + 2 {
            let part = array.outer(at);
            prop_assert_eq!(part.is_some(), outer.is_some_and(|outer| at < outer));
            prop_assert_eq!(part.as_ref().map(NdArray::as_slice), array.row(at));
            let Some(part) = part else { continue };
            prop_assert_eq!(part.shape(), &shape[1..]);
            for index in indices(&shape[1..]) {
                let whole = array.get([&[at][..], &index].concat());
                prop_assert!(std::ptr::eq(part.get(&index).unwrap(), whole.unwrap()));
            }
        }
        prop_assert_eq!(array.outer_iter().count(), outer.unwrap_or(0));
        let parts: Vec<u32> = array.outer_iter().flat_map(NdArray::into_vec).collect();
        prop_assert_eq!(&parts[..], if shape.is_empty() { &[] } else { array.as_slice() });
        let slice = array.slice(from..to);
        prop_assert_eq!(slice.is_some(), from <= to && outer.is_some_and(|outer| to <= outer));
        if let Some(slice) = slice {
            prop_assert_eq!(slice.shape()[0], to - from);
            prop_assert!(slice.outer_iter().eq((from..to).filter_map(|at| array.outer(at))));
        }
    }

    #[test]
    fn na_2_what_is_read_is_what_was_written_where_it_lies(shape in some_shape(), at in 0_usize..5) {
        let value = (1_u8, Some(counted(&shape)), counted(&shape).outer(at));
        for codec in CODECS {
            let back = codec::round_trip(codec, &value).unwrap();
            prop_assert_eq!(&back, &value);
            for (own, back) in [(&value.1, &back.1), (&value.2, &back.2)] {
                let address = |array: &Option<NdArray<u32>>| {
                    array.as_ref().filter(|own| !own.is_empty()).map(|own| own.as_slice().as_ptr())
                };
                prop_assert_eq!(address(own), address(back));
            }
            prop_assert_eq!(codec::check(codec, &value), Ok(()));
        }
        let json = serde_json::to_string(&value.1).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Option<NdArray<u32>>>(&json).unwrap(), &value.1);
    }

    #[test]
    fn na_3_a_shape_that_is_not_that_of_the_numbers_is_refused_wherever_it_comes_from(
        shape in vec(prop_oneof![9 => 0_usize..4, 1 => any::<usize>()], 0..11),
        len in proptest::option::of(0_usize..30),
    ) {
        let wanted = usize::try_from(lens(&shape).0).unwrap_or(0).min(10_000);
        let len = len.unwrap_or(wanted);
        let numbers = Array::from(vec![0.5_f64; len]);
        let made = NdArray::from_array(&shape, numbers.clone());
        let (wanted, most) = lens(&shape);
        let is_whole = shape.len() <= NDARRAY_DIMS_MAX
            && usize::try_from(most).is_ok()
            && wanted == len as u128;
        prop_assert_eq!(made.is_ok(), is_whole, "{:?}", made);
        for codec in CODECS {
            let said = In { shape: shape.clone(), numbers: numbers.clone() };
            let frame = codec::encode(codec, &said).unwrap();
            match (&made, codec::decode::<NdArray<f64>>(codec, &frame)) {
                (Ok(made), Ok(read)) => prop_assert_eq!(made, &read),
                (Ok(made), Err(_)) => {
                    prop_assert!(made.is_empty() && most > CODEC_EMPTY_ELEMENTS_MAX as u128);
                }
                (Err(why), Err(CodecError::BadFrame { reason, .. })) => {
                    prop_assert_eq!(&why.to_string(), &reason);
                }
                (made, read) => prop_assert!(false, "{:?} and {:?}", made, read),
            }
        }
    }
}

#[test]
fn na_2_another_shape_is_the_same_memory() {
    let images = counted(&[2, 3, 4]);
    for shape in [&[24][..], &[4, 6], &[1, 24, 1], &[2, 1, 3, 1, 4, 1, 1, 1]] {
        let other = images.reshape(shape).unwrap();
        assert_eq!((other.shape(), other.as_slice().as_ptr()), (shape, images.as_slice().as_ptr()));
        assert_eq!(other == images, shape == images.shape());
    }
    assert_eq!(images.reshape([2, 3, 4]).as_ref(), Ok(&images));
    let back = images.clone().into_array();
    assert_eq!(back.as_ptr(), images.as_slice().as_ptr());
    assert_eq!(images.into_vec(), back.to_vec());
}

#[test]
fn na_3_what_is_wrong_is_said_with_the_shape_and_the_length() {
    let said =
        |shape: &[usize]| NdArray::from_vec(shape, vec![1.5_f32; 5]).unwrap_err().to_string();
    assert_eq!(said(&[2, 3]), "there are 5 numbers, and the shape [2, 3] has room for 6");
    assert_eq!(said(&[]), "there are 5 numbers, and the shape [] has room for 1");
    assert_eq!(said(&[1; 9]), "a shape has at most 8 dimensions, and this one has 9");
    let huge = [usize::MAX, 0, 2];
    assert_eq!(said(&huge), format!("the shape {huge:?} is larger than any memory"));
    let error = NdArray::<f32>::default().reshape([1]).unwrap_err();
    assert_eq!(error, ShapeError::OtherLength { shape: vec![1], wanted: 1, len: 0 });
}

#[test]
fn na_3_of_a_frame_the_codec_says_what_is_wrong() {
    let whole = codec::encode(Codec::Compact, &counted(&[2, 3])).unwrap();
    assert_eq!(whole.head, [1, 2, 2, 3, 0], "version, dimensions, each of them, the buffer");
    let mut other = whole.clone();
    other.head[3] = 4;
    let error = codec::decode::<NdArray<u32>>(Codec::Compact, &other).unwrap_err().to_string();
    assert!(error.ends_with("there are 6 numbers, and the shape [2, 4] has room for 8"), "{error}");
    assert!(codec::decode::<NdArray<u64>>(Codec::Compact, &whole).is_err());
    let text = r#"{"shape":[3,3],"numbers":[1,2]}"#;
    assert!(serde_json::from_str::<NdArray<u8>>(text).is_err());
}

#[test]
fn it_is_known_to_be_a_view() {
    assert!(codec::is_viewed::<NdArray<u8>>() && codec::is_viewed::<NdArray<f64>>());
    assert!(!codec::is_viewed::<Vec<NdArray<f64>>>());
}

#[test]
fn without_dimensions_there_is_one_number_and_with_a_zero_there_is_none() {
    let one = NdArray::from_vec([], vec![7_i8]).unwrap();
    assert_eq!(
        (one[[]], one.ndim(), one.outer(0), one.row(0), one.slice(..)),
        (7, 0, None, None, None)
    );
    assert_eq!(one.outer_iter().count(), 0);
    let none = NdArray::from_vec([usize::MAX, 0], Vec::<i8>::new()).unwrap();
    assert_eq!(none.outer(usize::MAX - 1).unwrap().shape(), [0]);
    assert!(none.is_empty() && none.get([0, 0]).is_none());
    assert_eq!(none.slice(3..).unwrap().shape(), [usize::MAX - 3, 0]);
    assert_eq!(NdArray::<i8>::default().shape(), [0]);
}

#[test]
fn an_index_outside_panics_as_that_of_a_slice_and_says_both() {
    let array = NdArray::from([[1, 2, 3], [4, 5, 6]]);
    assert_eq!((array[[1, 2]], array.shape()), (6, &[2, 3][..]));
    assert_eq!(NdArray::from([1, 2, 3]).shape(), [3]);
    let said = catch_unwind(|| array[[0, 3]]).unwrap_err().downcast::<String>().unwrap();
    assert_eq!(*said, "the index [0, 3] is outside of the shape [2, 3]");
}

#[test]
fn debug_is_short() {
    assert_eq!(format!("{:?}", counted(&[10, 10])), "NdArray([10, 10]: [0, 1, 2, 3], ..)");
    assert_eq!(format!("{:?}", NdArray::from([[1.5]])), "NdArray([1, 1]: [1.5])");
    assert_eq!((&counted(&[2, 2])).into_iter().sum::<u32>(), 6);
}
