//! Arrays of any kind, drawn by lot.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow_data::{ArrayData, ArrayDataBuilder};
use arrow_schema::{
    DataType, Field, Fields, IntervalUnit, Schema, TimeUnit, UnionFields, UnionMode,
};

/// A source of numbers.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit.max(1)
    }

    pub(crate) fn is_even(&mut self) -> bool {
        self.below(2) == 0
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}

const UNITS: [TimeUnit; 4] =
    [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];

const KEYS: [DataType; 8] = [
    DataType::Int8,
    DataType::Int16,
    DataType::Int32,
    DataType::Int64,
    DataType::UInt8,
    DataType::UInt16,
    DataType::UInt32,
    DataType::UInt64,
];

/// Kinds without others within them: all.
pub(crate) fn flat_kinds() -> Vec<DataType> {
    use DataType::*;
    let mut kinds = vec![
        Null,
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Date32,
        Date64,
        Binary,
        LargeBinary,
        BinaryView,
        Utf8,
        LargeUtf8,
        Utf8View,
    ];
    kinds.extend(UNITS.map(Duration));
    kinds.extend(UNITS.map(|unit| Timestamp(unit, None)));
    kinds.extend(UNITS.map(|unit| Timestamp(unit, Some("Europe/Zurich".into()))));
    kinds.extend([Time32(UNITS[0]), Time32(UNITS[1]), Time64(UNITS[2]), Time64(UNITS[3])]);
    use IntervalUnit::{DayTime, MonthDayNano, YearMonth};
    kinds.extend([YearMonth, DayTime, MonthDayNano].map(Interval));
    kinds.extend([FixedSizeBinary(0), FixedSizeBinary(5)]);
    kinds.extend([Decimal32(9, 2), Decimal64(18, -3), Decimal128(38, 10), Decimal256(76, 0)]);
    kinds
}

/// Kinds with others within them: one of each, and of these any.
pub(crate) fn nested_kinds(dice: &mut Dice, levels: usize) -> Vec<DataType> {
    use DataType::*;
    let mut item = || Arc::new(field(dice, "item", levels));
    let mut kinds = vec![
        List(item()),
        LargeList(item()),
        ListView(item()),
        LargeListView(item()),
        FixedSizeList(item(), 3),
        FixedSizeList(item(), 0),
        Struct(Fields::empty()),
    ];
    let fields: Fields = ["x", "y", "x"].iter().map(|name| field(dice, name, levels)).collect();
    kinds.push(Struct(fields));
    let value = field(dice, "values", levels).with_nullable(true);
    let key = Field::new("keys", Utf8, false);
    let entries = Field::new("entries", Struct(vec![key, value].into()), false);
    kinds.push(Map(Arc::new(entries), dice.is_even()));
    for mode in [UnionMode::Sparse, UnionMode::Dense] {
        let fields = [field(dice, "a", levels), field(dice, "b", levels)];
        kinds.push(Union(UnionFields::try_new([3, 120], fields).expect("a union"), mode));
    }
    let key = Box::new(dice.one_of(&KEYS));
    kinds.push(Dictionary(key, Box::new(kind(dice, levels))));
    let ends = Field::new("ends", dice.one_of(&[Int16, Int32, Int64]), false);
    let values = field(dice, "values", levels).with_nullable(true);
    kinds.push(RunEndEncoded(Arc::new(ends), Arc::new(values)));
    kinds
}

/// Any kind, of so many levels at most.
pub(crate) fn kind(dice: &mut Dice, levels: usize) -> DataType {
    if levels > 1 && dice.is_even() {
        let kinds = nested_kinds(dice, levels - 1);
        return dice.one_of(&kinds);
    }
    dice.one_of(&flat_kinds())
}

fn field(dice: &mut Dice, name: &str, levels: usize) -> Field {
    let kind = kind(dice, levels);
    // Of others it is not they who say what is null.
    use DataType::{Dictionary, Null, RunEndEncoded};
    let others = kind.is_nested() || matches!(kind, Null | Dictionary(..) | RunEndEncoded(..));
    let nullable = others || dice.is_even();
    let field = Field::new(name, kind, nullable);
    let count = dice.below(3);
    field.with_metadata((0..count).map(|at| (format!("key {at}"), name.to_owned())).collect())
}

/// An array of this kind, a slice of a longer one.
pub(crate) fn array(dice: &mut Dice, kind: &DataType, rows: usize) -> ArrayRef {
    let (before, after) = (dice.below(20), dice.below(20));
    let whole = make_array(data(dice, kind, before + rows + after, true));
    whole.slice(before, rows)
}

/// A batch of any columns.
pub(crate) fn batch(dice: &mut Dice, rows: usize) -> RecordBatch {
    let count = dice.below(5);
    let fields: Vec<Field> = (0..count).map(|at| field(dice, &at.to_string(), 3)).collect();
    let columns = fields
        .iter()
        .map(|field| {
            let whole = make_array(data(dice, field.data_type(), rows + 5, field.is_nullable()));
            whole.slice(3, rows)
        })
        .collect();
    let metadata = [("made".to_owned(), "by lot".to_owned()), (String::new(), "ß".to_owned())];
    let schema = Schema::new_with_metadata(fields, metadata.into());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options).expect("a batch")
}

fn data(dice: &mut Dice, kind: &DataType, rows: usize, nullable: bool) -> ArrayData {
    use DataType::*;
    let mut own = ArrayDataBuilder::new(kind.clone()).len(rows);
    if nullable && dice.is_even() && !matches!(kind, Null | Union(..) | RunEndEncoded(..)) {
        let offset = dice.below(9);
        let bits: BooleanBuffer = (0..rows + offset).map(|_| dice.below(4) > 0).collect();
        own = own.nulls(Some(NullBuffer::new(bits.slice(offset, rows))));
    }
    let own = match kind {
        Null => own,
        Boolean => own.add_buffer(dice.bytes(rows / 8 + 1).into()),
        Binary | Utf8 => texts(dice, own, rows, 4),
        LargeBinary | LargeUtf8 => texts(dice, own, rows, 8),
        Utf8View | BinaryView => views(dice, own, rows),
        List(_) | LargeList(_) | Map(..) | ListView(_) | LargeListView(_) => {
            lists(dice, own, kind, rows)
        }
        Union(fields, mode) => union(dice, own, fields, *mode, rows),
        FixedSizeList(item, size) => {
            let child = of(dice, item, rows * *size as usize);
            own.add_child_data(child)
        }
        Struct(fields) => {
            own.child_data(fields.iter().map(|field| of(dice, field, rows)).collect())
        }
        Dictionary(key, value) => {
            let count = 1 + dice.below(100);
            let keys: Vec<usize> = (0..rows).map(|_| dice.below(count)).collect();
            let values = data(dice, value, count, true);
            own.add_buffer(ints(&keys, key.primitive_width().expect("a key")))
                .add_child_data(values)
        }
        RunEndEncoded(ends, values) => {
            let mut at = vec![1 + dice.below(4)];
            while at[at.len() - 1] < rows {
                at.push(at[at.len() - 1] + 1 + dice.below(4));
            }
            let width = ends.data_type().primitive_width().expect("an end");
            let ends = ArrayDataBuilder::new(ends.data_type().clone()).len(at.len());
            let ends = ends.add_buffer(ints(&at, width)).build().expect("ends");
            let values = of(dice, values, at.len());
            own.add_child_data(ends).add_child_data(values)
        }
        FixedSizeBinary(size) => own.add_buffer(dice.bytes(rows * *size as usize).into()),
        numbers => {
            let width = numbers.primitive_width().expect("numbers");
            own.add_buffer(dice.bytes(rows * width).into())
        }
    };
    own.align_buffers(true).build().expect("an array")
}

/// An array for a field.
fn of(dice: &mut Dice, field: &Field, rows: usize) -> ArrayData {
    data(dice, field.data_type(), rows, field.is_nullable())
}

/// Text of one to four bytes a letter.
fn texts(dice: &mut Dice, own: ArrayDataBuilder, rows: usize, width: usize) -> ArrayDataBuilder {
    let text =
        "a ß € 😀 long enough for more than one".chars().cycle().skip(dice.below(9)).take(3 * rows);
    let text: String = text.collect();
    let mut ends: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
    ends.truncate(rows + 1);
    while ends.len() <= rows {
        ends.push(ends[ends.len() - 1]);
    }
    own.add_buffer(ints(&ends, width)).add_buffer(text.into_bytes().into())
}

fn lists(dice: &mut Dice, own: ArrayDataBuilder, kind: &DataType, rows: usize) -> ArrayDataBuilder {
    use DataType::*;
    match kind {
        List(item) | LargeList(item) | Map(item, _) => {
            let ends = offsets(dice, rows);
            let width = if matches!(kind, LargeList(_)) { 8 } else { 4 };
            let extra = dice.below(3);
            let child = of(dice, item, ends[rows] + extra);
            own.add_buffer(ints(&ends, width)).add_child_data(child)
        }
        ListView(item) | LargeListView(item) => {
            let sizes: Vec<usize> = (0..rows).map(|_| dice.below(4)).collect();
            let base = dice.below(40);
            let from: Vec<usize> = (0..rows).map(|_| base + dice.below(30)).collect();
            let child = of(dice, item, base + 40);
            let width = if matches!(kind, LargeListView(_)) { 8 } else { 4 };
            own.add_buffer(ints(&from, width)).add_buffer(ints(&sizes, width)).add_child_data(child)
        }
        other => panic!("{other} is no list"),
    }
}

fn union(
    dice: &mut Dice,
    own: ArrayDataBuilder,
    fields: &UnionFields,
    mode: UnionMode,
    rows: usize,
) -> ArrayDataBuilder {
    let all: Vec<i8> = fields.iter().map(|(id, _)| id).collect();
    let ids: Vec<u8> = (0..rows).map(|_| dice.one_of(&all) as u8).collect();
    let own = own.add_buffer(ids.into());
    let base = dice.below(40);
    let child_rows = if mode == UnionMode::Dense { base + 10 } else { rows };
    let own = if mode == UnionMode::Dense {
        let at: Vec<usize> = (0..rows).map(|_| base + dice.below(10)).collect();
        own.add_buffer(ints(&at, 4))
    } else {
        own
    };
    own.child_data(fields.iter().map(|(_, field)| of(dice, field, child_rows)).collect())
}

/// Ends of rows that have 0 to 3 elements, the first of which may begin late.
fn offsets(dice: &mut Dice, rows: usize) -> Vec<usize> {
    let mut ends = vec![if dice.is_even() { dice.below(100) } else { 0 }];
    for at in 0..rows {
        ends.push(ends[at] + dice.below(4));
    }
    ends
}

/// Texts in the views themselves, and in two buffers that begin late.
fn views(dice: &mut Dice, own: ArrayDataBuilder, rows: usize) -> ArrayDataBuilder {
    let buffers = [dice.below(500), 0].map(|from| {
        let text: String = "0123456789 abcdefghijklm ".chars().cycle().take(from + 200).collect();
        (from, text.into_bytes())
    });
    let mut views = Vec::new();
    for _ in 0..rows {
        let index = dice.below(2);
        let (from, buffer) = &buffers[index];
        let (at, len) = (from + dice.below(100), dice.below(40));
        let text = &buffer[at..at + len];
        let mut view = (len as u128).to_le_bytes();
        if len <= 12 {
            view[4..4 + len].copy_from_slice(text);
        } else {
            view[4..8].copy_from_slice(&text[..4]);
            view[8..12].copy_from_slice(&(index as u32).to_le_bytes());
            view[12..].copy_from_slice(&(at as u32).to_le_bytes());
        }
        views.extend(view);
    }
    own.add_buffer(views.into()).add_buffers(buffers.map(|(_, buffer)| buffer.into()))
}

/// Numbers of so many bytes each.
fn ints(numbers: &[usize], width: usize) -> Buffer {
    let bytes = numbers.iter().flat_map(|number| number.to_le_bytes().into_iter().take(width));
    bytes.collect::<Vec<u8>>().into()
}
