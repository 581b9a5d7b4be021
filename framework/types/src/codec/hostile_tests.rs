//! Broken and hostile frames: an error each, never a panic, a hang or memory out of proportion.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use proptest::prelude::*;

use super::tests::{CODECS, Handle, Task, some_task};
use super::*;
use crate::array::Array;
use crate::nd_array::NdArray;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum List {
    Nil,
    Cons(Box<List>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tree {
    name: String,
    below: Vec<Tree>,
    next: Option<Box<Tree>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Guess {
    Number(i64),
    Blob(Bytes, u8),
    Many(Vec<Guess>),
}

/// Reads a frame as many types. Whatever it is, reading ends.
fn read_as_all(codec: Codec, encoded: &Encoded) {
    fn read<T: DeserializeOwned + 'static>(codec: Codec, encoded: &Encoded) {
        if let Err(error) = decode::<T>(codec, encoded) {
            assert!(!error.to_string().is_empty());
        }
    }
    read::<Task>(codec, encoded);
    read::<Tree>(codec, encoded);
    read::<List>(codec, encoded);
    read::<Guess>(codec, encoded);
    read::<Vec<Handle>>(codec, encoded);
    read::<Vec<Vec<()>>>(codec, encoded);
    read::<Vec<Option<String>>>(codec, encoded);
    read::<HashMap<String, Array<u64>>>(codec, encoded);
    read::<BTreeMap<u16, (f32, char, Bytes)>>(codec, encoded);
    read::<Result<i128, std::time::Duration>>(codec, encoded);
    read::<serde_json::Value>(codec, encoded);
    read::<crate::Exit>(codec, encoded);
    read::<String>(codec, encoded);
    read::<Vec<f64>>(codec, encoded);
    read::<Array<f64>>(codec, encoded);
    read::<Vec<NdArray<u8>>>(codec, encoded);
}

/// A frame with this body, with two buffers and a reference.
fn frame(codec: Codec, body: impl IntoIterator<Item = u8>) -> Encoded {
    let head = std::iter::once(codec.version()).chain(body).collect();
    let token: RefToken = Arc::new(7_u64);
    let buffers = vec![vec![1; 16].into(), vec![2; 3].into()];
    Encoded { head, buffers, refs: vec![token] }
}

#[track_caller]
fn refused<T: DeserializeOwned + 'static>(codec: Codec, body: Vec<u8>, reason: &str) {
    match decode::<T>(codec, &frame(codec, body)) {
        Err(CodecError::BadFrame { reason: said, .. }) => assert!(said.contains(reason), "{said}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was read"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn random_bytes_are_read_or_refused(body in any::<Vec<u8>>()) {
        for codec in CODECS {
            read_as_all(codec, &frame(codec, body.clone()));
        }
    }

    #[test]
    fn small_bytes_are_read_or_refused(body in proptest::collection::vec(0_u8..4, 0..40)) {
        read_as_all(Codec::Compact, &frame(Codec::Compact, body));
    }

    #[test]
    fn markers_are_read_or_refused(body in proptest::collection::vec(0x80_u8..0xe0, 0..40)) {
        read_as_all(Codec::SelfDescribing, &frame(Codec::SelfDescribing, body));
    }
}

proptest! {
    #[test]
    fn broken_frames_are_read_or_refused(
        task in some_task(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        for codec in CODECS {
            let whole = encode(codec, &task).unwrap();
            let at = at.index(whole.head.len());
            let mut changed = whole.clone();
            changed.head[at] = byte;
            read_as_all(codec, &changed);
            let mut grown = whole.clone();
            grown.head.insert(at, byte);
            read_as_all(codec, &grown);
            let mut cut = whole.clone();
            cut.head.truncate(at);
            prop_assert!(decode::<Task>(codec, &cut).is_err());
            let mut longer = whole.clone();
            longer.head.push(byte);
            prop_assert!(decode::<Task>(codec, &longer).is_err());
            let bare = Encoded { head: whole.head, ..Encoded::default() };
            prop_assert!(decode::<Task>(codec, &bare).is_err());
        }
    }
}

#[test]
fn lengths_are_compared_with_what_is_there() {
    let huge = |marker: &[u8], ones: usize| [marker, &vec![0xff; ones][..]].concat();
    let compact = huge(&[253], 8);
    refused::<(String,)>(Codec::Compact, compact.clone(), "announces");
    refused::<Vec<(u8, u8)>>(Codec::Compact, compact.clone(), "announces");
    refused::<HashMap<u8, u8>>(Codec::Compact, compact.clone(), "announces");
    refused::<Option<Vec<()>>>(Codec::Compact, [vec![1], compact].concat(), "announces");
    for marker in [0xdb, 0xdd, 0xdf, 0xc6, 0xc9] {
        let body = huge(&[marker], 4);
        read_as_all(Codec::SelfDescribing, &frame(Codec::SelfDescribing, body));
    }
}

#[test]
fn elements_without_a_byte_are_counted_in_all() {
    let all = [252, 0, 0, 16, 0];
    let more = [&all[..], &[3, 1, 1, 1]].concat();
    refused::<(Vec<()>, Vec<()>)>(Codec::Compact, more, "elements without a byte");
    // 200 sequences of 65,535 units each.
    let many = [vec![200], [251, 0xff, 0xff].repeat(200)].concat();
    refused::<Vec<Vec<()>>>(Codec::Compact, many, "announces 65535 elements");
    let all = frame(Codec::Compact, all);
    assert_eq!(decode::<Vec<()>>(Codec::Compact, &all).map(|units| units.len()), Ok(1 << 20));
}

#[test]
fn nesting_stops_before_the_stack_does() {
    let levels = 1_000_000;
    refused::<List>(Codec::Compact, vec![1; levels], "too deeply");
    refused::<Tree>(Codec::Compact, [0, 1].repeat(levels), "too deeply");
    refused::<Tree>(Codec::Compact, [0, 0, 1].repeat(levels), "too deeply");
    refused::<List>(Codec::SelfDescribing, b"\x81\xa4Cons".repeat(levels), "too deeply");
    refused::<serde_json::Value>(Codec::SelfDescribing, vec![0x91; levels], "too deeply");
    refused::<Guess>(Codec::SelfDescribing, vec![0x91; levels], "too deeply");
    let ignored = [b"\x81\xa1x".to_vec(), vec![0x91; levels]].concat();
    refused::<Tree>(Codec::SelfDescribing, ignored, "too deeply");
}

#[test]
fn what_can_be_written_can_be_read() {
    fn list(levels: usize) -> List {
        (0..levels).fold(List::Nil, |list, _| List::Cons(Box::new(list)))
    }
    fn tree(levels: usize) -> Tree {
        let leaf = Tree { name: "leaf".into(), below: Vec::new(), next: None };
        (0..levels).fold(leaf, |tree, level| match level % 2 {
            0 => Tree { name: "even".into(), below: vec![tree], next: None },
            _ => Tree { name: "odd".into(), below: Vec::new(), next: Some(tree.into()) },
        })
    }
    fn deepest<T: Serialize + DeserializeOwned + 'static>(codec: Codec, of: fn(usize) -> T) {
        let mut levels = 16;
        while let Ok(encoded) = encode(codec, &of(levels)) {
            assert!(decode::<T>(codec, &encoded).is_ok(), "{codec:?}: {levels} levels");
            levels += levels / 4;
        }
        assert!((64..50_000).contains(&levels), "{codec:?}: {levels} levels");
        let error = encode(codec, &of(levels)).err().unwrap().to_string();
        assert!(error.ends_with("nested too deeply"), "{error}");
    }
    for codec in CODECS {
        deepest(codec, list);
        deepest(codec, tree);
    }
}

#[test]
fn numbers_of_parts_are_looked_up() {
    refused::<Handle>(Codec::Compact, vec![1], "reference 1 and has 1");
    refused::<(Bytes, u8)>(Codec::Compact, vec![2, 0], "buffer 2 and has 2");
    refused::<(Array<u64>, u8)>(Codec::Compact, vec![1, 0], "not whole numbers");
    refused::<Vec<f32>>(Codec::Compact, vec![0], "not one buffer");
    // The same number twice gives the same thing twice.
    let twice: (Handle, Handle) = decode(Codec::Compact, &frame(Codec::Compact, [0, 0])).unwrap();
    assert_eq!(twice.0, twice.1);
}
