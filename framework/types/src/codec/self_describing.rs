//! MessagePack with the names of fields, through `rmp_serde`.

use rmp_serde::{decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Fault;
use super::guard::{Sink, Source, Stack};
use crate::limits::CODEC_DECODE_STACK_BYTES_MAX;

/// Appends `value` to `head`.
pub(super) fn write<T: Serialize>(head: Vec<u8>, value: &T) -> Result<Vec<u8>, Fault> {
    let mut serializer = encode::Serializer::new(Sink::new(head)).with_struct_map();
    let written = value.serialize(&mut serializer);
    serializer.into_inner().finish(written, |error| match error {
        encode::Error::UnknownLength => Fault::UnknownLength,
        encode::Error::DepthLimitExceeded => Fault::TooDeep,
        other => Fault::said(other),
    })
}

/// Reads a value that ends where `body` ends.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let source = Source::new(body, Stack::here(CODEC_DECODE_STACK_BYTES_MAX));
    let mut deserializer = decode::Deserializer::new(source);
    let value = T::deserialize(&mut deserializer);
    let source = deserializer.get_mut();
    match (source.fault(), value) {
        (Some(fault), _) => Err(fault),
        (None, Err(decode::Error::DepthLimitExceeded)) => Err(Fault::TooDeep),
        (None, Err(error)) => Err(Fault::said(error)),
        (None, Ok(_)) if source.left() > 0 => {
            Err(Fault::Other(format!("{} bytes follow the value", source.left())))
        }
        (None, Ok(value)) => Ok(value),
    }
}
