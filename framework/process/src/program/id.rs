//! What a program is called by everybody: the hash of its bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of a hash.
const BYTES: usize = 32;

/// Hexadecimal digits of a hash in full.
const DIGITS: usize = 2 * BYTES;

/// Digits that people see: two programs of a cluster with the same 48 bits are not to be expected.
const DIGITS_FOR_PEOPLE: usize = 12;

/// The content hash of an executable: BLAKE3, 32 bytes. Equal ids are equal programs.
///
/// It is written as its first 12 hexadecimal digits, with `{:#}` as all 64, which is also how it is read and serialised.
///
/// ```
/// # use raytree_process::program::ProgramId;
/// let id = ProgramId::of(b"hello");
/// assert_eq!(id.to_string(), "ea8f163db386");
/// assert_eq!(format!("{id:#}").parse(), Ok(id));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgramId([u8; BYTES]);

/// A text that is no [`ProgramId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a program is {DIGITS} hexadecimal digits, without capitals")]
pub struct BadProgramId;

impl ProgramId {
    /// The id of a program with these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = Hash::default();
        hash.update(bytes);
        hash.id()
    }
}

impl fmt::Display for ProgramId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if f.alternate() { DIGITS } else { DIGITS_FOR_PEOPLE };
        self.0[..digits / 2].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ProgramId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProgramId({self})")
    }
}

impl FromStr for ProgramId {
    type Err = BadProgramId;

    fn from_str(text: &str) -> Result<Self, BadProgramId> {
        // One text for each id: it is also the name of a file.
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != DIGITS || !text.as_bytes().iter().all(is_digit) {
            return Err(BadProgramId);
        }
        let mut bytes = [0; BYTES];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| BadProgramId)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| BadProgramId)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for ProgramId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:#}"))
    }
}

impl<'de> Deserialize<'de> for ProgramId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An id in the making.
#[derive(Debug, Default)]
pub(super) struct Hash(blake3::Hasher);

impl Hash {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn id(&self) -> ProgramId {
        ProgramId(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_in_full_and_in_no_other_way() {
        let id = ProgramId::of(b"a program");
        let full = format!("{id:#}");
        assert_eq!((full.len(), full.parse()), (64, Ok(id)));
        assert!(full.starts_with(&id.to_string()));
        for wrong in [&full[1..], &full.to_uppercase(), &format!("+{}", &full[1..]), "", "é"] {
            assert_eq!(wrong.parse::<ProgramId>(), Err(BadProgramId), "{wrong}");
        }
    }

    #[test]
    fn an_id_travels_as_text() {
        let id = ProgramId::of(b"a program");
        let text = serde_json::to_string(&id).expect("text");
        assert_eq!(text, format!("\"{id:#}\""));
        assert_eq!(serde_json::from_str::<ProgramId>(&text).expect("an id"), id);
        assert!(serde_json::from_str::<ProgramId>("\"ea8f\"").is_err());
    }

    #[test]
    fn the_parts_of_a_program_have_the_id_of_the_whole() {
        let mut hash = Hash::default();
        hash.update(b"a pro");
        hash.update(b"gram");
        assert_eq!(hash.id(), ProgramId::of(b"a program"));
    }
}
