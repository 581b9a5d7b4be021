//! Whether a type can travel at all: some attributes of serde need a format that describes itself.

use std::any::type_name;
use std::cmp::Reverse;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Fault;
use super::{Codec, Encoded, try_decode, try_encode};
use crate::bytes::Bytes;

/// Why values of a type cannot travel, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{type_name} cannot travel: {reason}")]
pub struct CannotTravel {
    /// The Rust type.
    pub type_name: String,
    /// The attribute that is likely to blame, e.g. `#[serde(untagged)]`; `None` if it is something else.
    pub attribute: Option<String>,
    /// What happened, and what to do.
    pub reason: String,
}

impl From<CannotTravel> for crate::Error {
    fn from(why: CannotTravel) -> Self {
        let CannotTravel { type_name, attribute, reason } = why;
        Self::CannotTravel { type_name, attribute, reason }
    }
}

/// Writes a value, reads it and writes what was read: values of a type that can travel come out the same.
///
/// Only this value is tried. An attribute that did nothing for it (`skip_serializing_if` where nothing was skipped)
/// may still fail another one.
///
/// # Errors
/// [`CannotTravel`], with the attribute that is most likely to blame.
pub fn check<T>(codec: Codec, value: &T) -> Result<(), CannotTravel>
where
    T: Serialize + DeserializeOwned + 'static,
{
    let Err(trouble) = attempt(codec, value) else { return Ok(()) };
    let other = codec == Codec::Compact && attempt(Codec::SelfDescribing, value).is_ok();
    let attribute = trouble.attribute();
    let advice = match (other, attribute) {
        (true, Some(_)) => {
            "; use `#[remote(codec = \"self_describing\")]`, or do without the attribute"
        }
        (true, None) => "; use `#[remote(codec = \"self_describing\")]`",
        (false, Some(_)) => "; do without the attribute",
        (false, None) => "; write `Serialize` and `Deserialize` so that they fit each other",
    };
    Err(CannotTravel {
        type_name: type_name::<T>().to_owned(),
        attribute: attribute.map(str::to_owned),
        reason: trouble.sentence() + advice,
    })
}

/// What failed, and how.
enum Trouble {
    Write(Fault),
    Read(Fault),
    Differs,
}

fn attempt<T>(codec: Codec, value: &T) -> Result<(), Trouble>
where
    T: Serialize + DeserializeOwned + 'static,
{
    let first = try_encode(codec, value).map_err(Trouble::Write)?;
    let back: T = try_decode(codec, &first).map_err(Trouble::Read)?;
    let second = try_encode(codec, &back).map_err(Trouble::Write)?;
    if same(&first, &second) { Ok(()) } else { Err(Trouble::Differs) }
}

const UNTAGGED: &str = "#[serde(untagged)]";
const TAG: &str = "#[serde(tag = \"..\")]";
const FLATTEN: &str = "#[serde(flatten)]";
const SKIP: &str = "#[serde(skip_serializing_if = \"..\")]";

impl Trouble {
    /// The attribute that makes serde do what failed. What a reader of serde's own expected tells the first two apart.
    fn attribute(&self) -> Option<&'static str> {
        match self {
            Self::Write(Fault::UnknownLength) => Some(FLATTEN),
            Self::Read(Fault::NotDescribed(expected)) if expected == "any value" => Some(UNTAGGED),
            Self::Read(Fault::NotDescribed(expected)) if expected.contains("tagged enum") => {
                Some(TAG)
            }
            Self::Read(Fault::Other(_)) | Self::Differs => Some(SKIP),
            _ => None,
        }
    }

    fn sentence(&self) -> String {
        let attribute = self.attribute().unwrap_or_default();
        match self {
            Self::Write(Fault::UnknownLength) => {
                format!("it has a map or sequence of unknown length, as `{attribute}` makes one")
            }
            Self::Write(fault) => format!("it cannot be written, {fault}"),
            Self::Read(Fault::NotDescribed(_)) if !attribute.is_empty() => {
                format!("`{attribute}` asks the bytes what they hold, and compact ones do not say")
            }
            Self::Read(Fault::NotDescribed(expected)) => format!(
                "it holds something that asks the bytes what they are, such as a serde_json::Value \
                 (it expects {expected}), and compact ones do not say"
            ),
            Self::Read(Fault::Other(reason)) => format!(
                "what was written cannot be read ({reason}), probably since `{attribute}` left out a field"
            ),
            Self::Read(fault) => format!("what was written cannot be read, {fault}"),
            Self::Differs => format!(
                "what was read is not what was written, probably since `{attribute}` left out a field"
            ),
        }
    }
}

/// Whether two written forms are of equal values. The entries of hash maps and sets are written in any order, so it
/// asks for the same bytes and buffers in any order.
fn same(first: &Encoded, second: &Encoded) -> bool {
    let counts = |head: &[u8]| {
        let mut counts = [0_usize; 256];
        head.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
        counts
    };
    let heads = first.head == second.head || counts(&first.head) == counts(&second.head);
    heads && first.refs.len() == second.refs.len() && sorted(first) == sorted(second)
}

fn sorted(encoded: &Encoded) -> Vec<&Bytes> {
    let mut buffers: Vec<&Bytes> = encoded.buffers.iter().collect();
    buffers.sort_unstable_by_key(|buffer| (Reverse(buffer.len()), *buffer));
    buffers
}
