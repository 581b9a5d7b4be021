//! What is read is what was written.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use proptest::prelude::*;
use raytree_arrow::{Batch, Column};
use raytree_types::codec::{self, Codec};
use raytree_types::limits;

use crate::arrays::{Dice, array, batch, flat_kinds, kind, nested_kinds};

const CODECS: [Codec; 2] = [Codec::Compact, Codec::SelfDescribing];

#[track_caller]
fn travels(array: ArrayRef) {
    let column = Column::from(array);
    for codec in CODECS {
        let back = codec::round_trip(codec, &column).unwrap();
        assert_eq!(back.data_type(), column.data_type());
        assert_eq!(&*back, &*column, "{column:?}");
        back.to_data().validate_full().unwrap();
        codec::check(codec, &column).unwrap();
    }
}

#[test]
fn every_kind_travels() {
    let mut dice = Dice::new(1);
    let mut kinds = flat_kinds();
    for _ in 0..20 {
        kinds.extend(nested_kinds(&mut dice, 1));
    }
    for kind in kinds {
        for rows in [0, 1, 7, 64, 300] {
            travels(array(&mut dice, &kind, rows));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn av_1_arrays_in_arrays_travel(seed in any::<u64>(), rows in 0usize..200) {
        let mut dice = Dice::new(seed);
        let kind = kind(&mut dice, 4);
        travels(array(&mut dice, &kind, rows));
    }

    #[test]
    fn batches_travel(seed in any::<u64>(), rows in 0usize..100) {
        let batch = Batch::from(batch(&mut Dice::new(seed), rows));
        for codec in CODECS {
            let back = codec::round_trip(codec, &batch).unwrap();
            prop_assert_eq!(back.schema(), batch.schema());
            prop_assert_eq!(back.num_rows(), rows);
            prop_assert!(back == batch);
            codec::check(codec, &batch).unwrap();
        }
    }
}

#[test]
fn other_serializers_write_it_in_place() {
    let mut dice = Dice::new(5);
    let batch = Batch::from(batch(&mut dice, 10));
    let json = serde_json::to_string(&batch).unwrap();
    assert!(serde_json::from_str::<Batch>(&json).unwrap() == batch);
}

#[test]
fn names_within_a_column_may_differ_from_those_of_its_field() {
    let named = |name: &str| Fields::from(vec![Field::new(name, DataType::Int32, false)]);
    let column = StructArray::new(named("own"), vec![Arc::new(Int32Array::from(vec![4]))], None);
    let field = Field::new("column", DataType::Struct(named("other")), false);
    let schema = Arc::new(Schema::new(vec![field]));
    let options = arrow_array::RecordBatchOptions::new().with_match_field_names(false);
    let batch = RecordBatch::try_new_with_options(schema, vec![Arc::new(column)], &options);
    let batch = Batch::from(batch.unwrap());
    let back = codec::round_trip(Codec::Compact, &batch).unwrap();
    assert_eq!(back.column(0).data_type(), &DataType::Struct(named("own")));
    assert_eq!(back.schema(), batch.schema());
    assert!(back == batch);
}

#[test]
fn what_is_shown_is_short() {
    let column = Column::new(Int32Array::from(vec![0; 1000]));
    assert_eq!(format!("{column:?}"), "Column(1000 rows of Int32)");
    let batch = RecordBatch::try_from_iter([("n", column.into())]).unwrap();
    assert_eq!(format!("{:?}", Batch::from(batch)), r#"Batch(1000 rows of {"n": Int32})"#);
}

#[test]
fn a_type_has_32_levels_and_no_more() {
    let within = |array: ArrayRef| -> ArrayRef {
        let field = Field::new("in", array.data_type().clone(), false);
        Arc::new(StructArray::new(vec![field].into(), vec![array], None))
    };
    let number: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let array = (1..limits::ARROW_LEVELS_MAX).fold(number, |array, _| within(array));
    travels(Arc::clone(&array));
    let array = within(array);
    let error = codec::encode(Codec::Compact, &Column::from(array)).unwrap_err();
    assert!(error.to_string().contains("more than 32 levels"), "{error}");
}
