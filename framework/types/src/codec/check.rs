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
    let attribute = trouble.attribute(other);
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
        reason: trouble.sentence(attribute) + advice,
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
const ADJACENT: &str = "#[serde(tag = \"..\", content = \"..\")]";
const FLATTEN: &str = "#[serde(flatten)]";
const SKIP: &str = "#[serde(skip_serializing_if = \"..\")]";

impl Trouble {
    /// The attribute that makes serde do what failed, and works where `names` are written. What serde's own reader
    /// expected tells three of them apart.
    fn attribute(&self, names: bool) -> Option<&'static str> {
        match self {
            Self::Write(Fault::UnknownLength) => Some(FLATTEN),
            Self::Read(Fault::NotDescribed(expected)) => match expected.as_str() {
                "any value" => Some(UNTAGGED),
                "variant identifier" => Some(ADJACENT),
                other if other.starts_with("internally tagged enum ") => Some(TAG),
                _ => None,
            },
            Self::Read(Fault::Other(_)) | Self::Differs if names => Some(SKIP),
            Self::Read(Fault::Other(reason)) if reason.starts_with("missing field") => Some(SKIP),
            _ => None,
        }
    }

    fn sentence(&self, attribute: Option<&str>) -> String {
        match (self, attribute) {
            (Self::Write(Fault::UnknownLength), _) => {
                format!("it has a map or sequence of unknown length, as `{FLATTEN}` makes one")
            }
            (Self::Write(fault), _) => format!("it cannot be written: {fault}"),
            (Self::Read(Fault::NotDescribed(_)), Some(attribute)) => {
                format!("`{attribute}` asks the bytes what they hold, and compact ones do not say")
            }
            (Self::Read(Fault::NotDescribed(expected)), None) => format!(
                "it holds something that asks the bytes what they are, such as a serde_json::Value \
                 (it expects {expected}), and compact ones do not say"
            ),
            (Self::Read(fault), Some(attribute)) => format!(
                "what was written cannot be read ({fault}), probably since `{attribute}` left out a field"
            ),
            (Self::Read(fault), None) => format!("what was written cannot be read: {fault}"),
            (Self::Differs, Some(attribute)) => format!(
                "what was read is not what was written, probably since `{attribute}` left out a field"
            ),
            (Self::Differs, None) => "what was read is not what was written".to_owned(),
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};

    use serde::Deserialize;

    use super::*;

    /// What is said of a value that only the compact codec cannot carry.
    #[track_caller]
    fn blamed<T: Serialize + DeserializeOwned + 'static>(
        value: &T,
        attribute: Option<&str>,
    ) -> String {
        let why = check(Codec::Compact, value).unwrap_err();
        assert_eq!(why.attribute.as_deref(), attribute, "{why}");
        assert!(why.reason.contains(attribute.unwrap_or_default()), "{why}");
        assert!(why.reason.contains("#[remote(codec = \"self_describing\")]"), "{why}");
        assert_eq!(check(Codec::SelfDescribing, value), Ok(()));
        why.to_string()
    }

    #[derive(Serialize, Deserialize)]
    struct Inner {
        a: u8,
    }

    #[test]
    fn untagged_is_blamed() {
        #[derive(Serialize, Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u32),
            Text(String),
        }
        blamed(&Either::Number(7), Some(UNTAGGED));
        blamed(&vec![Either::Text("a".into())], Some(UNTAGGED));
    }

    #[test]
    fn an_internal_tag_is_blamed() {
        #[derive(Serialize, Deserialize)]
        #[serde(tag = "kind")]
        enum Tagged {
            A(Inner),
            B { x: i32 },
            C,
        }
        blamed(&Tagged::A(Inner { a: 1 }), Some(TAG));
        blamed(&Tagged::B { x: 1 }, Some(TAG));
        let text = blamed(&Some(Tagged::C), Some(TAG));
        assert!(text.starts_with("core::option::Option<raytree_types::codec::check::"), "{text}");
        assert!(
            text.ends_with(
                "cannot travel: `#[serde(tag = \"..\")]` asks the bytes what they hold, and compact \
                 ones do not say; use `#[remote(codec = \"self_describing\")]`, or do without the attribute"
            ),
            "{text}"
        );
    }

    #[test]
    fn an_adjacent_tag_is_blamed() {
        #[derive(Serialize, Deserialize)]
        #[serde(tag = "kind", content = "is")]
        enum Adjacent {
            A(Inner),
            B { x: i32 },
            C,
        }
        blamed(&Adjacent::A(Inner { a: 1 }), Some(ADJACENT));
        blamed(&vec![Adjacent::B { x: 1 }], Some(ADJACENT));
        blamed(&(Adjacent::C, 1), Some(ADJACENT));
    }

    #[test]
    fn flatten_is_blamed() {
        #[derive(Serialize, Deserialize)]
        struct Flat {
            id: u8,
            #[serde(flatten)]
            inner: Inner,
            #[serde(flatten)]
            rest: BTreeMap<String, u8>,
        }
        let rest = BTreeMap::from([("b".to_owned(), 2)]);
        blamed(&Flat { id: 1, inner: Inner { a: 1 }, rest }, Some(FLATTEN));
    }

    #[test]
    fn skipping_is_blamed_where_something_was_skipped() {
        #[derive(Serialize, Deserialize)]
        struct Sparse {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            hint: Option<u8>,
            count: u32,
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            more: Vec<u8>,
        }
        let sparse = |hint, count, more| Sparse { hint, count, more };
        // It ends too early; a field is taken for another; bytes are left over.
        blamed(&sparse(Some(1), 5, vec![]), Some(SKIP));
        blamed(&sparse(None, 5, vec![1, 2]), Some(SKIP));
        blamed(&vec![sparse(None, 0, vec![0, 0])], Some(SKIP));
        assert_eq!(check(Codec::Compact, &sparse(Some(1), 5, vec![1])), Ok(()));
        // Without a default, names do not help either.
        #[derive(Serialize, Deserialize)]
        struct Strict {
            #[serde(skip_serializing_if = "String::is_empty")]
            name: String,
        }
        let why = check(Codec::SelfDescribing, &Strict { name: String::new() }).unwrap_err();
        assert_eq!(why.attribute.as_deref(), Some(SKIP), "{why}");
    }

    #[test]
    fn a_value_that_describes_itself_is_named() {
        let value = serde_json::json!({ "a": [1, "b", null] });
        let text = blamed(&value, None);
        assert!(text.contains("such as a serde_json::Value"), "{text}");
    }

    #[test]
    fn what_no_codec_carries_gets_no_false_hope() {
        #[derive(Serialize)]
        struct Fussy(u8);
        impl<'de> Deserialize<'de> for Fussy {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                u8::deserialize(from)?;
                Err(serde::de::Error::custom("not today"))
            }
        }
        for codec in [Codec::Compact, Codec::SelfDescribing] {
            let why = check(codec, &Fussy(1)).unwrap_err();
            assert!(why.reason.contains("not today") && !why.reason.contains("#["), "{why}");
            assert_eq!(why.attribute, None);
        }
    }

    #[test]
    fn what_changes_on_the_way_is_found() {
        #[derive(Deserialize)]
        struct Growing(u64);
        impl Serialize for Growing {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_newtype_struct("Growing", &(self.0 + 1))
            }
        }
        let why = check(Codec::Compact, &Growing(1)).unwrap_err();
        assert!(why.reason.starts_with("what was read is not what was written"), "{why}");
    }

    #[test]
    fn the_order_of_hashing_is_no_difference() {
        for codec in [Codec::Compact, Codec::SelfDescribing] {
            for _ in 0..20 {
                let map: HashMap<u32, String> = (0..300).map(|n| (n, n.to_string())).collect();
                let set: HashSet<i64> = (0..300).map(|n| n * 1_000_003).collect();
                assert_eq!(check(codec, &(map, set)), Ok(()));
            }
        }
    }

    #[test]
    fn it_becomes_the_systems_error() {
        let why = check(Codec::Compact, &serde_json::Value::Null).unwrap_err();
        assert_eq!(crate::Error::from(why.clone()).to_string(), why.to_string());
    }
}
