//! Of a slice goes what it has.

use std::sync::Arc;

use arrow_array::builder::{GenericListBuilder, StringBuilder, StringViewBuilder};
use arrow_array::types::Int64Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeListArray, Float64Array, Int64Array,
    LargeStringArray, ListViewArray, RunArray, StringArray, StructArray, UnionArray,
};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{DataType, Field, UnionFields};
use raytree_arrow::Column;
use raytree_types::codec::{self, Codec};

/// Rows of each array that is cut.
const ROWS: usize = 100_000;

/// Long enough for a view not to have it within itself.
fn texts() -> impl Iterator<Item = String> {
    (0..ROWS).map(|row| format!("this is the text of row {row:06}"))
}

fn numbers() -> ArrayRef {
    Arc::new(Int64Array::from_iter((0..ROWS as i64).map(|n| (n % 3 > 0).then_some(n))))
}

fn item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Int64, true))
}

fn list_view() -> ListViewArray {
    let from: ScalarBuffer<i32> = (0..ROWS as i32).collect();
    ListViewArray::new(item(), from, vec![1; ROWS].into(), numbers(), None)
}

fn union() -> UnionArray {
    let fields = [Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)];
    let kinds: ScalarBuffer<i8> = (0..ROWS).map(|row| (row % 2) as i8).collect();
    let at: ScalarBuffer<i32> = (0..ROWS as i32).map(|row| row / 2).collect();
    let children = vec![numbers(), Arc::new(StringArray::from_iter_values(texts())) as ArrayRef];
    let fields = UnionFields::try_new([0, 1], fields).expect("a union");
    UnionArray::try_new(fields, kinds, Some(at), children).expect("a union")
}

fn list() -> ArrayRef {
    let mut lists = GenericListBuilder::<i64, _>::new(StringBuilder::new());
    for text in texts() {
        lists.values().append_value(text);
        lists.append(true);
    }
    Arc::new(lists.finish())
}

fn views() -> ArrayRef {
    let mut views = StringViewBuilder::new();
    texts().for_each(|text| views.append_value(text));
    Arc::new(views.finish())
}

fn runs() -> ArrayRef {
    let ends = Int64Array::from_iter_values(1..=ROWS as i64);
    Arc::new(RunArray::<Int64Type>::try_new(&ends, &numbers()).expect("runs"))
}

fn all() -> Vec<ArrayRef> {
    let field = Arc::new(Field::new("n", DataType::Int64, true));
    vec![
        numbers(),
        Arc::new(BooleanArray::from_iter((0..ROWS).map(|n| Some(n % 7 == 0)))),
        Arc::new(StringArray::from_iter_values(texts())),
        Arc::new(LargeStringArray::from_iter_values(texts())),
        Arc::new(BinaryArray::from_iter_values(texts())),
        views(),
        list(),
        Arc::new(list_view()),
        Arc::new(FixedSizeListArray::new(item(), 4, numbers(), None)),
        Arc::new(StructArray::from(vec![(field, numbers())])),
        Arc::new(union()),
        runs(),
    ]
}

#[test]
fn av_3_ten_rows_of_many_are_ten_rows() {
    for array in all() {
        let whole = codec::encode(Codec::Compact, &Column::from(Arc::clone(&array))).unwrap();
        assert!(whole.byte_count() > ROWS / 8, "{}", array.data_type());
        let rows = array.len();
        for from in [0, rows / 2 - 3, rows - 10] {
            let slice = Column::from(array.slice(from, 10));
            let encoded = codec::encode(Codec::Compact, &slice).unwrap();
            let bytes = encoded.byte_count();
            assert!(bytes < 2_000, "{bytes} bytes of {}", array.data_type());
            let back: Column = codec::decode(Codec::Compact, &encoded).unwrap();
            assert_eq!(&*back, &*slice);
        }
    }
}

#[test]
fn av_3_offsets_are_left_where_they_are_if_nearly_all_goes() {
    let text = StringArray::from_iter_values(texts());
    let slice = Column::new(text.slice(1, ROWS - 1));
    let encoded = codec::encode(Codec::Compact, &slice).unwrap();
    assert_eq!(encoded.buffers[0].as_ptr(), text.offsets().inner().inner()[4..].as_ptr());
    assert_eq!(encoded.buffers[1].as_ptr(), text.values().as_ptr());
    assert_eq!(codec::decode::<Column>(Codec::Compact, &encoded).unwrap(), slice);
}

#[test]
fn a_bitmap_that_says_nothing_is_not_sent() {
    let numbers = Float64Array::from(vec![None, Some(1.0), Some(2.0)]);
    let column = |array: Float64Array| codec::encode(Codec::Compact, &Column::new(array)).unwrap();
    assert_eq!(column(numbers.slice(1, 2)).buffers.len(), 1);
    assert_eq!(column(numbers).buffers.len(), 2);
}
