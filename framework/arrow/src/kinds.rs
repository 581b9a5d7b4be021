//! Which types can travel: those that arrow can make arrays of, and not too deep.

use arrow_array::types::{
    Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    validate_decimal_precision_and_scale as decimal,
};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use raytree_types::limits::ARROW_LEVELS_MAX;

/// Whether arrays of this type can be made. Arrow's functions panic at types that cannot be, as the schema of a broken frame may have.
pub(crate) fn check(kind: &DataType) -> Result<(), ArrowError> {
    at_level(kind, 1)
}

fn at_level(kind: &DataType, level: usize) -> Result<(), ArrowError> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    if level > ARROW_LEVELS_MAX {
        return Err(refused(format_args!("its type has more than {ARROW_LEVELS_MAX} levels")));
    }
    let next = |inner: &DataType| at_level(inner, level + 1);
    match kind {
        DataType::Time32(Microsecond | Nanosecond)
        | DataType::Time64(Second | Millisecond)
        | DataType::FixedSizeBinary(..0)
        | DataType::FixedSizeList(_, ..0) => Err(refused(format_args!("there is no type {kind}"))),
        DataType::Decimal32(precision, scale) => decimal::<Decimal32Type>(*precision, *scale),
        DataType::Decimal64(precision, scale) => decimal::<Decimal64Type>(*precision, *scale),
        DataType::Decimal128(precision, scale) => decimal::<Decimal128Type>(*precision, *scale),
        DataType::Decimal256(precision, scale) => decimal::<Decimal256Type>(*precision, *scale),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => next(item.data_type()),
        DataType::Map(entries, _) => {
            let fields =
                matches!(entries.data_type(), DataType::Struct(fields) if fields.len() == 2);
            let sorry = || refused("the entries of a map are no structs of two fields");
            fields.then_some(()).ok_or_else(sorry)?;
            next(entries.data_type())
        }
        DataType::Struct(fields) => fields.iter().try_for_each(|field| next(field.data_type())),
        DataType::Union(fields, _) => {
            fields.iter().try_for_each(|(_, field)| next(field.data_type()))
        }
        DataType::Dictionary(key, value) => {
            let sorry = || refused(format_args!("{key} is no key of a dictionary"));
            key.is_dictionary_key_type().then_some(()).ok_or_else(sorry)?;
            next(value)
        }
        DataType::RunEndEncoded(ends, values) => {
            let sorry = || refused(format_args!("{} is no end of a run", ends.data_type()));
            ends.data_type().is_run_ends_type().then_some(()).ok_or_else(sorry)?;
            next(values.data_type())
        }
        _ => Ok(()),
    }
}

/// What an array cannot be.
pub(crate) fn refused(what: impl std::fmt::Display) -> ArrowError {
    ArrowError::InvalidArgumentError(what.to_string())
}
