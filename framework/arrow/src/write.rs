//! From an array to what it is made of: its buffers as they are, cut to its rows.

use arrow_array::types::{
    BinaryType, BinaryViewType, ByteArrayType, ByteViewType, Int16Type, Int32Type, Int64Type,
    LargeBinaryType, LargeUtf8Type, RunEndIndexType, StringViewType, Utf8Type,
};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, UnionArray, cast::AsArray};
use arrow_buffer::{ArrowNativeType, Buffer, OffsetBuffer, ScalarBuffer};
use arrow_data::{ByteView, MAX_INLINE_VIEW_LEN};
use arrow_schema::{ArrowError, DataType};

use crate::kinds::{self, refused};
use crate::node::{Bits, Node, lent};

/// What an array is made of.
///
/// # Errors
/// A type that cannot be read again, or an array that is not what its type says.
pub(crate) fn written(array: &dyn Array) -> Result<Node, ArrowError> {
    kinds::check(array.data_type())?;
    node(array)
}

fn node(array: &dyn Array) -> Result<Node, ArrowError> {
    let mut node =
        Node { rows: array.len(), valid: Bits::of_nulls(array.nulls()), ..Node::default() };
    match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean().values();
            let bits = Bits::of(values.inner(), values.offset(), values.len());
            node.first = bits.first;
            node.buffers.push(bits.bytes);
        }
        DataType::Utf8 => texts::<Utf8Type>(array, &mut node),
        DataType::LargeUtf8 => texts::<LargeUtf8Type>(array, &mut node),
        DataType::Binary => texts::<BinaryType>(array, &mut node),
        DataType::LargeBinary => texts::<LargeBinaryType>(array, &mut node),
        DataType::Utf8View => views::<StringViewType>(array, &mut node),
        DataType::BinaryView => views::<BinaryViewType>(array, &mut node),
        DataType::List(_) => lists::<i32>(array, &mut node)?,
        DataType::LargeList(_) => lists::<i64>(array, &mut node)?,
        DataType::ListView(_) => list_views::<i32>(array, &mut node)?,
        DataType::LargeListView(_) => list_views::<i64>(array, &mut node)?,
        DataType::Map(_, _) => {
            let map = array.as_map();
            let (from, to) = offsets(map.offsets(), 1, &mut node);
            node.children.push(self::node(&map.entries().slice(from, to - from))?);
        }
        DataType::FixedSizeList(_, _) => {
            node.children.push(self::node(array.as_fixed_size_list().values())?);
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            node.children = columns.map(|column| self::node(column)).collect::<Result<_, _>>()?;
        }
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            node.buffers = self::node(dictionary.keys())?.buffers;
            node.children.push(self::node(dictionary.values())?);
        }
        DataType::Union(_, _) => unions(array.as_union(), &mut node)?,
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => runs::<Int16Type>(array, &mut node)?,
            DataType::Int32 => runs::<Int32Type>(array, &mut node)?,
            _ => runs::<Int64Type>(array, &mut node)?,
        },
        // Numbers, and bytes of one length: cut already.
        _ => node.buffers = array.to_data().buffers().iter().cloned().map(lent).collect(),
    }
    Ok(node)
}

fn texts<T: ByteArrayType>(array: &dyn Array, node: &mut Node) {
    let array = array.as_bytes::<T>();
    let (from, to) = offsets(array.offsets(), size_of::<T::Offset>(), node);
    node.buffers.push(lent(array.values().slice_with_length(from, to - from)));
}

fn lists<O: OffsetSizeTrait>(array: &dyn Array, node: &mut Node) -> Result<(), ArrowError> {
    let array = array.as_list::<O>();
    let (from, to) = offsets(array.offsets(), 1, node);
    node.children.push(self::node(&array.values().slice(from, to - from))?);
    Ok(())
}

/// Puts offsets in, and says which elements they are of. They are written anew if the elements before them are worth more, where
/// an offset is worth `worth` of these.
fn offsets<O: OffsetSizeTrait>(
    offsets: &OffsetBuffer<O>,
    worth: usize,
    node: &mut Node,
) -> (usize, usize) {
    let first = offsets.first().copied().unwrap_or_default();
    let to = offsets.last().map_or(0, |last| last.as_usize());
    let anew = first.as_usize() > offsets.len().saturating_mul(worth);
    let buffer = if anew {
        offsets.iter().map(|offset| *offset - first).collect()
    } else {
        offsets.inner().inner().clone()
    };
    node.buffers.push(lent(buffer));
    (if anew { first.as_usize() } else { 0 }, to)
}

/// The least range that covers others.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    from: usize,
    to: usize,
}

impl Used {
    fn cover(&mut self, from: usize, to: usize) {
        let from = if self.to == 0 { from } else { self.from.min(from) };
        *self = Self { from, to: self.to.max(to) };
    }

    /// The same from 0 on, unless what is before it is worth more than `than`.
    fn from_0_unless(all: &mut [Self], than: usize) {
        let before = all.iter().fold(0_usize, |sum, used| sum.saturating_add(used.from));
        if before <= than {
            all.iter_mut().for_each(|used| used.from = 0);
        }
    }

    fn of(self, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        if self.to > values.len() {
            return Err(refused("it points to elements that are not there"));
        }
        Ok(values.slice(self.from, self.to - self.from))
    }
}

/// Numbers with one subtracted from each of them; as they are if that is 0.
fn moved<N: ArrowNativeType>(numbers: &ScalarBuffer<N>, by: impl Fn(usize) -> usize) -> Buffer {
    let less = |(at, number): (usize, &N)| N::usize_as(number.as_usize().wrapping_sub(by(at)));
    numbers.iter().enumerate().map(less).collect()
}

fn list_views<O: OffsetSizeTrait>(array: &dyn Array, node: &mut Node) -> Result<(), ArrowError> {
    let array = array.as_list_view::<O>();
    let (offsets, sizes) = (array.offsets(), array.sizes());
    let mut used = Used::default();
    for (offset, size) in offsets.iter().zip(sizes) {
        if *size > O::zero() {
            used.cover(offset.as_usize(), offset.as_usize().saturating_add(size.as_usize()));
        }
    }
    Used::from_0_unless(std::slice::from_mut(&mut used), offsets.len());
    // Of a list without elements the offset means nothing, and need only be one that there is.
    let is_beyond = |(offset, size): (&O, &O)| {
        *size == O::zero() && !(used.from..=used.to).contains(&offset.as_usize())
    };
    let buffer = if used.from == 0 && !offsets.iter().zip(sizes).any(is_beyond) {
        offsets.inner().clone()
    } else {
        moved(offsets, |at| if sizes[at] > O::zero() { used.from } else { offsets[at].as_usize() })
    };
    node.buffers = vec![lent(buffer), lent(sizes.inner().clone())];
    node.children.push(self::node(&used.of(array.values())?)?);
    Ok(())
}

fn views<T: ByteViewType>(array: &dyn Array, node: &mut Node) {
    let array = array.as_byte_view::<T>();
    let views = array.views();
    let buffers = array.data_buffers();
    let mut used = vec![Used::default(); buffers.len()];
    let long = |view: &u128| (*view as u32 > MAX_INLINE_VIEW_LEN).then(|| ByteView::from(*view));
    for view in views.iter().filter_map(long).filter(|_| !buffers.is_empty()) {
        let from = view.offset as usize;
        if let Some(used) = used.get_mut(view.buffer_index as usize) {
            used.cover(from, from.saturating_add(view.length as usize));
        }
    }
    Used::from_0_unless(&mut used, views.inner().len());
    let anew = used.iter().any(|used| used.from > 0);
    let shifted = |view: &u128| match long(view) {
        Some(long) => {
            let by = used.get(long.buffer_index as usize).map_or(0, |used| used.from);
            long.with_offset(long.offset.wrapping_sub(by as u32)).as_u128()
        }
        None => *view,
    };
    let own = if anew { views.iter().map(shifted).collect() } else { views.inner().clone() };
    node.buffers.push(lent(own));
    node.buffers.extend(buffers.iter().zip(&used).map(|(buffer, used)| {
        let to = used.to.min(buffer.len());
        lent(buffer.slice_with_length(used.from.min(to), to.saturating_sub(used.from)))
    }));
}

fn unions(array: &UnionArray, node: &mut Node) -> Result<(), ArrowError> {
    let DataType::Union(fields, _) = array.data_type() else { return Ok(()) };
    let kinds = array.type_ids();
    node.buffers.push(lent(kinds.inner().clone()));
    let Some(offsets) = array.offsets() else {
        let children = fields.iter().map(|(kind, _)| self::node(array.child(kind)));
        node.children = children.collect::<Result<_, _>>()?;
        return Ok(());
    };
    // By kind, which is 0 to 127.
    let mut used = [Used::default(); 128];
    let place = |kind: i8| usize::from(kind.unsigned_abs() & 127);
    for (kind, offset) in kinds.iter().zip(offsets) {
        used[place(*kind)].cover(offset.as_usize(), offset.as_usize().saturating_add(1));
    }
    Used::from_0_unless(&mut used, offsets.len());
    let buffer = if used.iter().all(|used| used.from == 0) {
        offsets.inner().clone()
    } else {
        moved(offsets, |at| used[place(kinds[at])].from)
    };
    node.buffers.push(lent(buffer));
    let children =
        fields.iter().map(|(kind, _)| self::node(&used[place(kind)].of(array.child(kind))?));
    node.children = children.collect::<Result<_, _>>()?;
    Ok(())
}

/// Ends of runs count from where the whole array began, so a slice of them is right as it is.
fn runs<R: RunEndIndexType>(array: &dyn Array, node: &mut Node) -> Result<(), ArrowError> {
    let array = array.as_run::<R>();
    let ends = array.run_ends();
    let (mut from, mut to) = (0, 0);
    if !ends.is_empty() {
        node.first = ends.offset();
        (from, to) = (ends.get_start_physical_index(), ends.get_end_physical_index() + 1);
    }
    let own = ends.inner().slice(from, to - from).into_inner();
    let own = Node { rows: to - from, buffers: vec![lent(own)], ..Node::default() };
    node.children = vec![own, self::node(&array.values().slice(from, to - from))?];
    Ok(())
}
