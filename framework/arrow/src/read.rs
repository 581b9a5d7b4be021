//! From what an array is made of to the array: views of its buffers, checked.
//!
//! Nested arrays are made by the constructors of arrow that check, and do so once for each; what these take for granted (alignment, lengths of
//! bitmaps, offsets that grow, no overflow) is looked at before.

use std::sync::Arc;

use arrow_array::types::{
    ArrowDictionaryKeyType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, FixedSizeListArray, GenericListArray,
    GenericListViewArray, MapArray, NullArray, OffsetSizeTrait, PrimitiveArray, StructArray,
    UnionArray, cast::AsArray, make_array,
};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer,
};
use arrow_data::ArrayDataBuilder;
use arrow_schema::{ArrowError, DataType, FieldRef, UnionFields, UnionMode};
use raytree_types::Bytes;
use raytree_types::limits::ARROW_BARE_ROWS_MAX;

use crate::kinds::{self, refused};
use crate::node::{Bits, Node};

/// An array of this type.
///
/// # Errors
/// It is none.
pub(crate) fn array(kind: &DataType, node: Node) -> Result<ArrayRef, ArrowError> {
    kinds::check(kind)?;
    of_kind(kind, node)
}

/// As [`array`], of a type that is known to be one.
fn of_kind(kind: &DataType, node: Node) -> Result<ArrayRef, ArrowError> {
    Ok(match kind {
        DataType::Null => Arc::new(NullArray::new(Parts::of(node)?.bare_rows()?)),
        DataType::Boolean => Arc::new(boolean(node)?),
        DataType::List(item) => Arc::new(list::<i32>(item, node)?),
        DataType::LargeList(item) => Arc::new(list::<i64>(item, node)?),
        DataType::ListView(item) => Arc::new(list_view::<i32>(item, node)?),
        DataType::LargeListView(item) => Arc::new(list_view::<i64>(item, node)?),
        DataType::FixedSizeList(item, size) => Arc::new(fixed_size_list(item, *size, node)?),
        DataType::Map(entries, ordered) => Arc::new(map(entries, *ordered, node)?),
        DataType::Struct(fields) => {
            let kinds = fields.iter().map(|field| field.data_type());
            let mut parts = Parts::of(node)?;
            let rows = if fields.is_empty() { parts.bare_rows()? } else { parts.rows };
            let ([], children, valid) = parts.own(kinds)?;
            Arc::new(StructArray::try_new_with_length(fields.clone(), children, valid, rows)?)
        }
        DataType::Union(fields, mode) => Arc::new(union(fields, *mode, node)?),
        DataType::Dictionary(key, values) => match **key {
            DataType::Int8 => Arc::new(dictionary::<Int8Type>(values, node)?),
            DataType::Int16 => Arc::new(dictionary::<Int16Type>(values, node)?),
            DataType::Int32 => Arc::new(dictionary::<Int32Type>(values, node)?),
            DataType::Int64 => Arc::new(dictionary::<Int64Type>(values, node)?),
            DataType::UInt8 => Arc::new(dictionary::<UInt8Type>(values, node)?),
            DataType::UInt16 => Arc::new(dictionary::<UInt16Type>(values, node)?),
            DataType::UInt32 => Arc::new(dictionary::<UInt32Type>(values, node)?),
            DataType::UInt64 => Arc::new(dictionary::<UInt64Type>(values, node)?),
            _ => return Err(refused(format_args!("{key} is no key of a dictionary"))),
        },
        DataType::RunEndEncoded(ends, values) => run(kind, ends, values, node)?,
        _ => flat(kind, node)?,
    })
}

/// A node whose first row is 0.
struct Parts(Node);

impl std::ops::Deref for Parts {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.0
    }
}

impl Parts {
    fn of(node: Node) -> Result<Self, ArrowError> {
        if node.first != 0 {
            return Err(refused(format_args!("its first row is {}", node.first)));
        }
        Ok(Self(node))
    }

    /// The rows of an array whose rows take no bytes.
    fn bare_rows(&self) -> Result<usize, ArrowError> {
        bare(self.rows)
    }

    /// Its buffers, its children, which are of these kinds, and which of its rows are not null.
    #[expect(clippy::type_complexity, reason = "three parts that each caller names at once")]
    fn own<'k, const N: usize>(
        &mut self,
        kinds: impl ExactSizeIterator<Item = &'k DataType>,
    ) -> Result<([Bytes; N], Vec<ArrayRef>, Option<NullBuffer>), ArrowError> {
        let Node { rows, valid, buffers, children, .. } = std::mem::take(&mut self.0);
        let count = buffers.len();
        let wrong = |_| refused(format_args!("it has {count} buffers, and not {N}"));
        let buffers = <[Bytes; N]>::try_from(buffers).map_err(wrong)?;
        if children.len() != kinds.len() {
            let (own, due) = (children.len(), kinds.len());
            return Err(refused(format_args!("it has {own} arrays within it, and not {due}")));
        }
        let children = kinds.zip(children).map(|(kind, node)| of_kind(kind, node));
        let children = children.collect::<Result<_, _>>()?;
        Ok((buffers, children, nulls(valid, rows)?))
    }
}

fn bare(rows: usize) -> Result<usize, ArrowError> {
    if rows > ARROW_BARE_ROWS_MAX {
        let most = ARROW_BARE_ROWS_MAX;
        return Err(refused(format_args!("{rows} rows take no bytes, and {most} is the bound")));
    }
    Ok(rows)
}

fn bits(bits: Bits, rows: usize) -> Result<BooleanBuffer, ArrowError> {
    let Bits { first, bytes } = bits;
    let end = first.checked_add(rows).filter(|end| end.div_ceil(8) <= bytes.len());
    if first > 7 || end.is_none() {
        let bytes = bytes.len();
        return Err(refused(format_args!("{bytes} bytes are no {rows} bits from bit {first} on")));
    }
    Ok(BooleanBuffer::new(buffer(bytes), first, rows))
}

fn nulls(valid: Option<Bits>, rows: usize) -> Result<Option<NullBuffer>, ArrowError> {
    let nulls = valid.map(|valid| bits(valid, rows)).transpose()?.map(NullBuffer::new);
    Ok(nulls.filter(|nulls| nulls.null_count() > 0))
}

/// A view of the bytes, wherever they are.
fn buffer(bytes: Bytes) -> Buffer {
    Buffer::from(Into::<bytes::Bytes>::into(bytes))
}

/// So many numbers: a view of the bytes, or a copy where numbers cannot be.
fn numbers<N: ArrowNativeType>(bytes: Bytes, count: usize) -> Result<ScalarBuffer<N>, ArrowError> {
    if count.checked_mul(size_of::<N>()) != Some(bytes.len()) {
        let (bytes, each) = (bytes.len(), size_of::<N>());
        return Err(refused(format_args!("{bytes} bytes are no {count} numbers of {each} bytes")));
    }
    let buffer = buffer(bytes);
    let is_aligned = buffer.as_ptr().align_offset(align_of::<N>()) == 0;
    Ok(if is_aligned { buffer } else { Buffer::from_slice_ref(&*buffer) }.into())
}

/// Offsets of so many rows: none is negative, none less than the one before.
fn offsets<O: OffsetSizeTrait>(bytes: Bytes, rows: usize) -> Result<OffsetBuffer<O>, ArrowError> {
    let count = rows.checked_add(1).ok_or_else(|| refused("it has too many rows"))?;
    let numbers = numbers::<O>(bytes, count)?;
    let grows = numbers.windows(2).all(|pair| pair[0] <= pair[1]);
    if !grows || numbers.first().is_none_or(|first| *first < O::zero()) {
        return Err(refused("an offset is less than the one before it"));
    }
    Ok(OffsetBuffer::new(numbers))
}

/// One that has no others within it: arrow's own checks are enough.
fn flat(kind: &DataType, node: Node) -> Result<ArrayRef, ArrowError> {
    let Node { rows, valid, buffers, children, .. } = Parts::of(node)?.0;
    if matches!(kind, DataType::FixedSizeBinary(0)) {
        bare(rows)?;
    }
    if !children.is_empty() {
        return Err(refused("it has others within it"));
    }
    if let Some(own) = buffers.first().map(|own| own.len())
        && Some(own) != bytes_of_rows(kind, rows)
    {
        return Err(refused(format_args!("{own} bytes are no {rows} rows of {kind}")));
    }
    let data = ArrayDataBuilder::new(kind.clone()).len(rows).nulls(nulls(valid, rows)?);
    let data = data.buffers(buffers.into_iter().map(buffer).collect()).align_buffers(true);
    Ok(make_array(data.build()?))
}

/// The bytes that each row has in the first buffer, for all rows. Arrow asks for no less, and fails where it is not a whole number of them.
fn bytes_of_rows(kind: &DataType, rows: usize) -> Option<usize> {
    match kind {
        DataType::Utf8 | DataType::Binary => rows.checked_add(1)?.checked_mul(4),
        DataType::LargeUtf8 | DataType::LargeBinary => rows.checked_add(1)?.checked_mul(8),
        DataType::Utf8View | DataType::BinaryView => rows.checked_mul(16),
        DataType::FixedSizeBinary(size) => rows.checked_mul(usize::try_from(*size).ok()?),
        numbers => rows.checked_mul(numbers.primitive_width()?),
    }
}

fn boolean(mut node: Node) -> Result<BooleanArray, ArrowError> {
    let first = std::mem::take(&mut node.first);
    let rows = node.rows;
    if let Some(valid) = node.valid.as_mut()
        && valid.bytes.len() + 1 == first.saturating_add(rows).div_ceil(8)
    {
        // Arrow takes them to begin at the same bit where it checks that there are enough.
        let mut bytes = valid.bytes.to_vec();
        bytes.push(0);
        valid.bytes = bytes.into();
    }
    let ([bytes], _, valid) = Parts(node).own([].into_iter())?;
    Ok(BooleanArray::new(bits(Bits { first, bytes }, rows)?, valid))
}

fn list<O: OffsetSizeTrait>(
    item: &FieldRef,
    node: Node,
) -> Result<GenericListArray<O>, ArrowError> {
    let rows = node.rows;
    let ([ends], values, valid) = Parts::of(node)?.own([item.data_type()].into_iter())?;
    GenericListArray::try_new(item.clone(), offsets(ends, rows)?, only(values)?, valid)
}

fn list_view<O: OffsetSizeTrait>(
    item: &FieldRef,
    node: Node,
) -> Result<GenericListViewArray<O>, ArrowError> {
    let rows = node.rows;
    let ([from, sizes], values, valid) = Parts::of(node)?.own([item.data_type()].into_iter())?;
    let (from, sizes) = (numbers::<O>(from, rows)?, numbers::<O>(sizes, rows)?);
    if from.iter().chain(&sizes).any(|number| *number < O::zero()) {
        return Err(refused("an offset or a size is negative"));
    }
    GenericListViewArray::try_new(item.clone(), from, sizes, only(values)?, valid)
}

fn fixed_size_list(
    item: &FieldRef,
    size: i32,
    node: Node,
) -> Result<FixedSizeListArray, ArrowError> {
    let rows = if size == 0 { bare(node.rows)? } else { node.rows };
    let ([], values, valid) = Parts::of(node)?.own([item.data_type()].into_iter())?;
    let values = only(values)?;
    let due = usize::try_from(size).ok().and_then(|size| size.checked_mul(rows));
    if due != Some(values.len()) {
        let own = values.len();
        return Err(refused(format_args!("{rows} lists of {size} have {own} elements")));
    }
    FixedSizeListArray::try_new_with_length(item.clone(), size, values, valid, rows)
}

fn map(entries: &FieldRef, ordered: bool, node: Node) -> Result<MapArray, ArrowError> {
    let rows = node.rows;
    let ([ends], values, valid) = Parts::of(node)?.own([entries.data_type()].into_iter())?;
    let values = only(values)?;
    let values = values.as_struct_opt().ok_or_else(|| refused("its entries are no structs"))?;
    MapArray::try_new(entries.clone(), offsets(ends, rows)?, values.clone(), valid, ordered)
}

fn union(fields: &UnionFields, mode: UnionMode, node: Node) -> Result<UnionArray, ArrowError> {
    let rows = node.rows;
    let parts = Parts::of(node)?;
    let kinds: Vec<_> = fields.iter().map(|(_, field)| field.data_type()).collect();
    let kinds = kinds.into_iter();
    let (ids, offsets, children, valid) = match mode {
        UnionMode::Sparse => {
            let ([ids], children, valid) = { parts }.own(kinds)?;
            (ids, None, children, valid)
        }
        UnionMode::Dense => {
            let ([ids, offsets], children, valid) = { parts }.own(kinds)?;
            (ids, Some(numbers::<i32>(offsets, rows)?), children, valid)
        }
    };
    has_no(valid)?;
    UnionArray::try_new(fields.clone(), numbers::<i8>(ids, rows)?, offsets, children)
}

fn dictionary<K: ArrowDictionaryKeyType>(
    values: &DataType,
    node: Node,
) -> Result<DictionaryArray<K>, ArrowError> {
    let rows = node.rows;
    let ([keys], values, valid) = Parts::of(node)?.own([values].into_iter())?;
    let keys = PrimitiveArray::<K>::try_new(numbers::<K::Native>(keys, rows)?, valid)?;
    DictionaryArray::try_new(keys, only(values)?)
}

/// Arrow's constructor makes fields of its own; this keeps those of the type, and arrow checks the rest.
fn run(
    kind: &DataType,
    ends: &FieldRef,
    values: &FieldRef,
    node: Node,
) -> Result<ArrayRef, ArrowError> {
    let (rows, first) = (bare(node.rows)?, bare(node.first)?);
    let kinds = [ends.data_type(), values.data_type()];
    let ([], children, valid) = Parts(node).own(kinds.into_iter())?;
    has_no(valid)?;
    let children = children.iter().map(|child| child.to_data()).collect();
    let data = ArrayDataBuilder::new(kind.clone()).len(rows).offset(first).child_data(children);
    Ok(make_array(data.build()?))
}

fn only(values: Vec<ArrayRef>) -> Result<ArrayRef, ArrowError> {
    values.into_iter().next().ok_or_else(|| refused("there is no array within it"))
}

/// What says of each of its rows by others whether it is null.
fn has_no(valid: Option<NullBuffer>) -> Result<(), ArrowError> {
    match valid {
        Some(_) => Err(refused("it has a bitmap of its own, and its type has none")),
        None => Ok(()),
    }
}
