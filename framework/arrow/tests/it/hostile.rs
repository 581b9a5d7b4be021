//! Frames that are none.

use arrow_array::Array;
use arrow_schema::DataType;
use proptest::prelude::*;
use raytree_arrow::{Batch, Column};
use raytree_types::Bytes;
use raytree_types::codec::{self, Codec, CodecError, Encoded};
use serde::{Deserialize, Serialize};

use crate::arrays::{Dice, array, batch, flat_kinds, kind, nested_kinds};

/// What a frame may have gone through.
fn spoil(dice: &mut Dice, encoded: &mut Encoded) {
    match dice.below(6) {
        0 | 1 if !encoded.head.is_empty() => {
            let at = dice.below(encoded.head.len());
            let change = [1, 2, 0x80, 0xff][dice.below(4)];
            encoded.head[at] ^= change;
        }
        2 => encoded.head.truncate(dice.below(encoded.head.len() + 1)),
        3 if !encoded.buffers.is_empty() => {
            let at = dice.below(encoded.buffers.len());
            let count = dice.below(encoded.buffers[at].len() + 1);
            encoded.buffers[at] = Bytes::from(encoded.buffers[at][..count].to_vec());
        }
        4 if !encoded.buffers.is_empty() => {
            let at = dice.below(encoded.buffers.len());
            let mut bytes = encoded.buffers[at].to_vec();
            if !bytes.is_empty() {
                let place = dice.below(bytes.len());
                bytes[place] ^= 1 << dice.below(8);
            }
            encoded.buffers[at] = bytes.into();
        }
        _ if encoded.buffers.len() > 1 => {
            let (a, b) = (dice.below(encoded.buffers.len()), dice.below(encoded.buffers.len()));
            encoded.buffers.swap(a, b);
        }
        _ => encoded.buffers.clear(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn av_2_a_spoilt_frame_is_an_array_or_an_error(seed in any::<u64>(), rows in 0usize..60) {
        let mut dice = Dice::new(seed);
        let kind = kind(&mut dice, 4);
        let column = Column::from(array(&mut dice, &kind, rows));
        let mut encoded = codec::encode(Codec::Compact, &column).unwrap();
        for _ in 0..1 + dice.below(3) {
            spoil(&mut dice, &mut encoded);
        }
        match codec::decode::<Column>(Codec::Compact, &encoded) {
            Ok(column) => {
                column.to_data().validate_full().unwrap();
                prop_assert!(codec::encode(Codec::Compact, &column).is_ok());
            }
            Err(CodecError::BadFrame { .. }) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn av_2_a_spoilt_batch_is_a_batch_or_an_error(seed in any::<u64>(), rows in 0usize..30) {
        let mut dice = Dice::new(seed);
        let batch = Batch::from(batch(&mut dice, rows));
        let mut encoded = codec::encode(Codec::SelfDescribing, &batch).unwrap();
        spoil(&mut dice, &mut encoded);
        if let Ok(batch) = codec::decode::<Batch>(Codec::SelfDescribing, &encoded) {
            for column in batch.columns() {
                column.to_data().validate_full().unwrap();
            }
        }
    }
}

/// What is said of a frame with these buffers instead of its own.
fn refusal(column: &Column, change: impl FnOnce(&mut Vec<Bytes>)) -> String {
    let mut encoded = codec::encode(Codec::Compact, column).unwrap();
    change(&mut encoded.buffers);
    codec::decode::<Column>(Codec::Compact, &encoded).unwrap_err().to_string()
}

#[test]
fn av_2_a_wrong_length_is_an_error_for_every_kind() {
    let mut dice = Dice::new(9);
    for kind in flat_kinds() {
        let column = Column::from(array(&mut dice, &kind, 100));
        let count = codec::encode(Codec::Compact, &column).unwrap().buffers.len();
        let first = usize::from(column.null_count() > 0);
        for wrong in [-1, 1] {
            if count > first && kind != DataType::FixedSizeBinary(0) {
                let change = |all: &mut Vec<Bytes>| {
                    let mut bytes = all[first].to_vec();
                    bytes.resize(bytes.len().saturating_add_signed(wrong), 0);
                    all[first] = bytes.into();
                };
                let is_right = kind == DataType::Boolean && wrong > 0;
                if !is_right {
                    let error = refusal(&column, change);
                    assert!(error.contains("bytes are no"), "{error}");
                }
            }
        }
        if count > 0 {
            let error = refusal(&column, |all| all.truncate(count - 1));
            assert!(error.contains("the frame names buffer"), "{error}");
        }
    }
}

#[test]
fn av_2_text_that_is_none_and_keys_to_nowhere_are_errors() {
    let text = Column::new(arrow_array::StringArray::from(vec!["ab", "cd"]));
    let error = refusal(&text, |all| all[1] = vec![b'a', 0xff, b'c', b'd'].into());
    assert!(error.contains("UTF8") || error.contains("utf-8"), "{error}");
    let keys = arrow_array::Int8Array::from(vec![0, 1]);
    let dictionary = arrow_array::DictionaryArray::new(keys, text.into());
    let error = refusal(&Column::new(dictionary), |all| all[0] = vec![0, 2].into());
    assert!(error.contains("dictionary key"), "{error}");
}

/// A column as it is written, to be told lies about.
#[derive(Serialize, Deserialize)]
struct Frame {
    kind: DataType,
    array: Node,
}

#[derive(Serialize, Deserialize)]
struct Node {
    rows: usize,
    first: usize,
    valid: Option<(usize, Bytes)>,
    buffers: Vec<Bytes>,
    children: Vec<Node>,
}

impl Node {
    /// Itself, or one of those within it.
    fn any(&mut self, dice: &mut Dice) -> &mut Self {
        if self.children.is_empty() || dice.is_even() {
            return self;
        }
        let at = dice.below(self.children.len());
        self.children[at].any(dice)
    }
}

/// Counts at which sums and products go wrong.
const WRONG: [usize; 9] = [
    1,
    8,
    1 << 31,
    (1 << 31) + 1,
    1 << 60,
    (1 << 61) + 1,
    i64::MAX as usize,
    usize::MAX - 7,
    usize::MAX,
];

#[test]
fn av_2_counts_that_lie_are_errors() {
    let mut dice = Dice::new(11);
    let mut kinds = flat_kinds();
    kinds.extend((0..20).flat_map(|_| nested_kinds(&mut dice, 2)));
    for kind in kinds {
        for _ in 0..20 {
            let column = Column::from(array(&mut dice, &kind, 9));
            let encoded = codec::encode(Codec::Compact, &column).unwrap();
            let mut frame: Frame = codec::decode(Codec::Compact, &encoded).unwrap();
            let node = frame.array.any(&mut dice);
            let number = WRONG[dice.below(WRONG.len())];
            match (dice.below(3), &mut node.valid) {
                (0, _) => node.first = number,
                (1, Some((first, _))) => *first = number,
                _ => node.rows = number,
            }
            let spoilt = codec::encode(Codec::Compact, &frame).unwrap();
            match codec::decode::<Column>(Codec::Compact, &spoilt) {
                // Nulls and structs without fields may be as many as they want to, up to the bound.
                Ok(column) => assert!(column.len() <= 1 << 31, "{kind}"),
                Err(CodecError::BadFrame { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// What is said of a type that no array has.
fn kind_refusal(kind: DataType) -> String {
    let node = Node { rows: 0, first: 0, valid: None, buffers: vec![], children: vec![] };
    let encoded = codec::encode(Codec::Compact, &Frame { kind, array: node }).unwrap();
    codec::decode::<Column>(Codec::Compact, &encoded).unwrap_err().to_string()
}

#[test]
fn av_2_types_that_there_are_not_are_errors() {
    use arrow_schema::{Field, TimeUnit};
    let field = |kind| std::sync::Arc::new(Field::new("f", kind, false));
    let deep = (0..32).fold(DataType::Int8, |kind, _| DataType::List(field(kind)));
    for (kind, why) in [
        (deep, "more than 32 levels"),
        (DataType::Time32(TimeUnit::Nanosecond), "there is no type Time32(ns)"),
        (DataType::Time64(TimeUnit::Second), "there is no type Time64(s)"),
        (DataType::FixedSizeBinary(-1), "there is no type FixedSizeBinary(-1)"),
        (DataType::FixedSizeList(field(DataType::Int8), -3), "there is no type FixedSizeList"),
        (DataType::Decimal128(39, 0), "precision 39 is greater than max 38"),
        (DataType::Map(field(DataType::Int8), true), "no structs of two fields"),
        (
            DataType::Dictionary(Box::new(DataType::Utf8), Box::new(DataType::Int8)),
            "Utf8 is no key of a dictionary",
        ),
        (
            DataType::RunEndEncoded(field(DataType::Int8), field(DataType::Int8)),
            "Int8 is no end of a run",
        ),
    ] {
        let error = kind_refusal(kind);
        assert!(error.contains(why), "{error}");
    }
}
