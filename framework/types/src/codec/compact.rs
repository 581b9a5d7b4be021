//! bincode 2 through serde. Writing is bincode's own; reading is ours, on bincode's numbers: its reader for serde has
//! no bound on nesting, allocates what a length says before it looks how much is there, and loops as often as a length
//! says over elements without a byte.

use bincode::config::{Configuration, standard};
use bincode::de::read::Reader;
use bincode::de::{Decode, Decoder, DecoderImpl};
use bincode::error::{DecodeError, EncodeError};
use serde::Serialize;
use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::error::Fault;
use super::guard::{Sink, Stack};
use crate::limits::{CODEC_DECODE_STACK_BYTES_MAX, CODEC_EMPTY_ELEMENTS_MAX};

/// Appends `value` to `head`.
pub(super) fn write<T: Serialize>(head: Vec<u8>, value: &T) -> Result<Vec<u8>, Fault> {
    let mut sink = Sink::new(head);
    let written = bincode::serde::encode_into_writer(value, &mut sink, standard());
    sink.finish(written, |error| match error {
        EncodeError::OtherString(reason) => Fault::Other(reason),
        // The only one there is.
        EncodeError::Serde(_) => Fault::UnknownLength,
        other => Fault::said(other),
    })
}

/// Reads a value that ends where `body` ends.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let mut reader = Compact {
        numbers: DecoderImpl::new(Rest(body), standard(), ()),
        stack: Stack::here(CODEC_DECODE_STACK_BYTES_MAX),
        empty_left: CODEC_EMPTY_ELEMENTS_MAX,
    };
    let value = T::deserialize(&mut reader)?;
    match reader.left() {
        0 => Ok(value),
        left => Err(Fault::Other(format!("{left} bytes follow the value"))),
    }
}

/// The bytes not read yet.
struct Rest<'de>(&'de [u8]);

impl Reader for Rest<'_> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> Result<(), DecodeError> {
        let Some((bytes, rest)) = self.0.split_at_checked(into.len()) else {
            return Err(DecodeError::UnexpectedEnd { additional: into.len() - self.0.len() });
        };
        into.copy_from_slice(bytes);
        self.0 = rest;
        Ok(())
    }

    #[inline]
    fn peek_read(&mut self, count: usize) -> Option<&[u8]> {
        self.0.get(..count)
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        self.0 = self.0.get(count..).unwrap_or_default();
    }
}

/// Reads one value.
struct Compact<'de> {
    numbers: DecoderImpl<Rest<'de>, Configuration, ()>,
    stack: Stack,
    /// Elements without a byte that may still come.
    empty_left: usize,
}

impl<'de> Compact<'de> {
    #[inline]
    fn left(&mut self) -> usize {
        self.numbers.reader().0.len()
    }

    #[inline]
    fn number<N: Decode<()>>(&mut self) -> Result<N, Fault> {
        N::decode(&mut self.numbers).map_err(fault_of)
    }

    #[inline]
    fn length(&mut self) -> Result<usize, Fault> {
        usize::try_from(self.number::<u64>()?).map_err(Fault::said)
    }

    /// A length and as many bytes.
    #[inline]
    fn bytes(&mut self) -> Result<&'de [u8], Fault> {
        let length = self.length()?;
        let rest = &mut self.numbers.reader().0;
        let Some((bytes, after)) = rest.split_at_checked(length) else {
            return Err(too_long(length, "bytes", rest.len()));
        };
        *rest = after;
        Ok(bytes)
    }

    /// The length of a sequence or map, which `left` bytes can hold.
    #[inline]
    fn elements(&mut self) -> Result<Elements<'_, 'de>, Fault> {
        self.stack.check()?;
        let length = self.length()?;
        let bytes = self.left();
        if length > bytes.saturating_add(self.empty_left) {
            return Err(too_long(length, "elements", bytes));
        }
        Ok(Elements { reader: self, left: length, hint_max: bytes, counted: true })
    }

    /// The fields of a struct or tuple.
    #[inline]
    fn fields(&mut self, count: usize) -> Result<Elements<'_, 'de>, Fault> {
        self.stack.check()?;
        Ok(Elements { reader: self, left: count, hint_max: count, counted: false })
    }
}

#[cold]
fn too_long(length: usize, what: &str, left: usize) -> Fault {
    Fault::Other(format!("it announces {length} {what} where {left} bytes are left"))
}

#[cold]
fn fault_of(error: DecodeError) -> Fault {
    match error {
        DecodeError::UnexpectedEnd { additional } => {
            Fault::Other(format!("it ends {additional} bytes or more too early"))
        }
        DecodeError::InvalidBooleanValue(byte) => Fault::Other(format!("{byte} is not a bool")),
        other => Fault::said(other),
    }
}

/// What cannot be read without knowing what was written.
fn not_described<'de, V: Visitor<'de>>(visitor: &V) -> Fault {
    Fault::NotDescribed((visitor as &dyn Expected).to_string())
}

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit(self.number::<$number>()?)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Compact<'de> {
    type Error = Fault;

    numbers! {
        deserialize_bool visit_bool bool;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_f32 visit_f32 f32;
        deserialize_f64 visit_f64 f64;
        deserialize_char visit_char char;
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(std::str::from_utf8(self.bytes()?).map_err(Fault::said)?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_bytes(self.bytes()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.stack.check()?;
        match self.number::<u8>()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            other => Err(Fault::Other(format!("{other} is neither None nor Some"))),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.stack.check()?;
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.elements()?)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.fields(count)?)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.fields(count)?)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(self.elements()?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.fields(fields.len())?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.stack.check()?;
        visitor.visit_enum(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        Err(not_described(&visitor))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        Err(not_described(&visitor))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        Err(not_described(&visitor))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Elements still to come.
struct Elements<'a, 'de> {
    reader: &'a mut Compact<'de>,
    left: usize,
    /// What readers may reserve memory for: one for each byte that was left.
    hint_max: usize,
    /// Their number came from the frame, not from the type.
    counted: bool,
}

impl<'de> Elements<'_, 'de> {
    #[inline]
    fn next<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let before = self.reader.left();
        let value = seed.deserialize(&mut *self.reader)?;
        if self.counted && self.reader.left() == before {
            let Some(empty_left) = self.reader.empty_left.checked_sub(1) else {
                return Err(Fault::Other(format!(
                    "it has more than {CODEC_EMPTY_ELEMENTS_MAX} elements without a byte"
                )));
            };
            self.reader.empty_left = empty_left;
        }
        Ok(Some(value))
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.hint_max))
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        self.next(seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.hint_max))
    }
}

impl<'de> EnumAccess<'de> for &mut Compact<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let index: U32Deserializer<Fault> = self.number::<u32>()?.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Compact<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.fields(count)?)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.fields(fields.len())?)
    }
}
