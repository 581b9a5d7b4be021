//! What travels, how, and what cannot.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::sync::Arc;

use proptest::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::*;
use crate::array::Array;

pub(super) const CODECS: [Codec; 2] = [Codec::Compact, Codec::SelfDescribing];

#[track_caller]
fn travels<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(value: T) {
    for codec in CODECS {
        assert_eq!(round_trip(codec, &value).as_ref(), Ok(&value), "{codec:?}");
        assert_eq!(check(codec, &value), Ok(()), "{codec:?}");
    }
}

/// A handle that travels as a token, as the handles of the crates above do.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Handle(Arc<u64>);

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let token: RefToken = self.0.clone();
        let index = scope::put_ref(token).map_err(serde::ser::Error::custom)?;
        serializer.serialize_u32(index)
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = scope::take_ref(u32::deserialize(deserializer)?);
        let token = token.map_err(serde::de::Error::custom)?;
        token.downcast().map(Self).map_err(|_| serde::de::Error::custom("not a handle"))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Shape {
    Unit,
    New(Option<i128>),
    Pair(u8, char),
    Named { text: String, inner: Vec<Shape> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    id: u64,
    name: String,
    cpus: f64,
    flags: (bool, i8, i64, u128, f32),
    shapes: Vec<Shape>,
    labels: BTreeMap<String, i16>,
    unit: (),
    blob: Bytes,
    weights: Option<Array<f32>>,
}

prop_compose! {
    fn some_shape()(text in ".{0,9}", pair in any::<(u8, char)>(), new in any::<Option<i128>>()) -> Shape {
        let inner = vec![Shape::Unit, Shape::New(new), Shape::Pair(pair.0, pair.1)];
        Shape::Named { text, inner }
    }
}

prop_compose! {
    pub(super) fn some_task()(
        id in any::<u64>(),
        (name, cpus) in (".{0,40}", -1e300..1e300),
        flags in (any::<bool>(), any::<i8>(), any::<i64>(), any::<u128>(), -1e30_f32..1e30),
        shapes in proptest::collection::vec(some_shape(), 0..4),
        labels in proptest::collection::btree_map(".{0,4}", any::<i16>(), 0..4),
        blob in any::<Vec<u8>>(),
        weights in proptest::option::of(proptest::collection::vec(-1e9_f32..1e9, 0..9)),
    ) -> Task {
        let weights = weights.map(Array::from);
        Task { id, name, cpus, flags, shapes, labels, unit: (), blob: blob.into(), weights }
    }
}

proptest! {
    #[test]
    fn tasks_travel(task in some_task()) {
        travels(task);
    }

    #[test]
    fn bulk_travels(
        bytes in any::<Vec<u8>>(), shorts in any::<Vec<i16>>(), longs in any::<Vec<u64>>(),
        text in any::<String>(),
    ) {
        travels(longs.iter().map(|&long| long as f32).collect::<Vec<_>>());
        travels(longs.iter().map(|&long| long as f64).collect::<Vec<_>>());
        travels(Bytes::from(bytes.clone()));
        travels(Array::from(longs.clone()));
        travels(shorts.iter().map(|&short| short as u16).collect::<Vec<_>>());
        travels((bytes, shorts, longs, text));
    }

    #[test]
    fn compact_heads_are_bincodes(task in some_task()) {
        // Without buffers, which are this crate's own.
        let task = (task.id, task.name, task.cpus, task.flags, task.shapes, task.labels);
        let encoded = encode(Codec::Compact, &task).unwrap();
        let plain = bincode::serde::encode_to_vec(&task, bincode::config::standard()).unwrap();
        prop_assert_eq!(&encoded.head[1..], &plain[..]);
    }
}

#[test]
fn bulk_values_are_one_buffer_and_read_as_each_other() {
    for codec in CODECS {
        let encoded = encode(codec, &vec![1.5_f32, -2.0]).unwrap();
        assert_eq!(encoded.head, [codec.version(), 0]);
        assert_eq!(encoded.buffers[0][..], [0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0]);
        assert_eq!(encoded.byte_count(), 10);
        let array: Array<f32> = decode(codec, &encoded).unwrap();
        assert_eq!(array[..], [1.5, -2.0]);
        assert_eq!(array.as_ptr().addr(), encoded.buffers[0].as_ptr().addr());
        let encoded = encode(codec, &array).unwrap();
        assert_eq!(decode::<Vec<f32>>(codec, &encoded), Ok(vec![1.5, -2.0]));
        let encoded = encode(codec, &"grüß dich".to_owned()).unwrap();
        assert_eq!(encoded.buffers[0][..], *"grüß dich".as_bytes());
        assert_eq!(decode::<Bytes>(codec, &encoded).unwrap().len(), 11);
        assert!(decode::<Vec<u16>>(codec, &encoded).is_err());
        assert!(decode::<Vec<i8>>(codec, &Encoded { head: vec![], ..encoded }).is_err());
    }
}

#[test]
fn the_common_and_the_odd_travel() {
    travels(());
    travels(vec![(); 1000]);
    travels(Some(5_usize));
    travels(vec![Some(String::from("a")), None]);
    travels((1..300).map(|n| (n, n.to_string())).collect::<HashMap<u32, String>>());
    travels(('a'..='z').collect::<HashSet<char>>());
    travels(std::time::Duration::from_millis(1500));
    travels(std::path::PathBuf::from("a/b"));
    travels(Ok::<u8, String>(3));
    travels([[1_u64, u64::MAX], [251, 65_536]]);
    let buffers = (0..99).map(|n| (n, Bytes::from(vec![n; n.into()])));
    travels(buffers.collect::<HashMap<u8, Bytes>>());
}

#[test]
fn references_travel_beside_the_head_and_are_released() {
    let held = Arc::new(7);
    let value = vec![Handle(held.clone()), Handle(held.clone())];
    for codec in CODECS {
        let encoded = encode(codec, &value).unwrap();
        assert_eq!((encoded.refs.len(), Arc::strong_count(&held)), (2, 5));
        let back: Vec<Handle> = decode(codec, &encoded).unwrap();
        assert_eq!(back, value);
        // A frame of another type fails, and keeps nothing.
        drop(back);
        assert!(decode::<(Handle, Handle, Handle)>(codec, &encoded).is_err());
        assert_eq!(Arc::strong_count(&held), 5);
        drop(encoded);
        assert_eq!(Arc::strong_count(&held), 3);
        assert_eq!(check(codec, &value), Ok(()));
        assert_eq!(Arc::strong_count(&held), 3);
    }
}

#[test]
fn references_do_not_travel_elsewhere() {
    let handle = Handle(Arc::new(7));
    let error = serde_json::to_string(&handle).unwrap_err().to_string();
    assert!(error.starts_with("an ObjectRef or actor handle can only be serialised as"), "{error}");
    assert!(serde_json::from_str::<Handle>("0").is_err());
}

#[test]
fn a_reference_the_wrong_way_is_outside() {
    #[derive(Debug)]
    struct Backwards;
    impl Serialize for Backwards {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom(scope::take_ref(0).unwrap_err()))
        }
    }
    for codec in CODECS {
        let error = encode(codec, &Backwards).unwrap_err();
        assert!(
            matches!(&error, CodecError::OutsideScope { type_name } if type_name.contains("Backwards"))
        );
    }
}

#[test]
fn a_value_encoded_within_another_has_its_own_buffers() {
    struct Outer(Bytes);
    impl Serialize for Outer {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let inner = encode(Codec::SelfDescribing, &(self.0.clone(), 1)).unwrap();
            assert_eq!(inner.buffers.len(), 1);
            (&inner.head, &self.0).serialize(serializer)
        }
    }
    let encoded = encode(Codec::Compact, &Outer(vec![1, 2].into())).unwrap();
    assert_eq!(encoded.buffers, [Bytes::from(vec![1, 2])]);
}

#[test]
fn another_version_or_codec_is_said() {
    let mut encoded = encode(Codec::Compact, &(1, 2)).unwrap();
    let error = decode::<(i32, i32)>(Codec::SelfDescribing, &encoded).unwrap_err();
    assert!(error.to_string().contains("written by the other codec"), "{error}");
    encoded.head[0] = 9;
    let error = decode::<(i32, i32)>(Codec::Compact, &encoded).unwrap_err();
    let text = "a frame is not a (i32, i32): it has version 9 of the format, and this process reads version 1";
    assert_eq!(error.to_string(), text);
}

#[test]
fn codecs_have_names() {
    assert_eq!(serde_json::to_string(&Codec::SelfDescribing).unwrap(), "\"self_describing\"");
    assert_eq!(Codec::default(), Codec::Compact);
}

#[test]
fn a_type_of_another_crate_is_a_view_if_it_says_so() {
    struct Own;
    assert!(is_viewed::<Bytes>() && is_viewed::<Array<f32>>() && !is_viewed::<Own>());
    declare_viewed::<Own>();
    declare_viewed::<Own>();
    assert!(is_viewed::<Own>() && !is_viewed::<Vec<Own>>());
}
