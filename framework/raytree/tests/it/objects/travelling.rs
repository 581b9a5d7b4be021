//! Values that cannot cross a process boundary are refused before they are on a cluster.

use std::collections::BTreeMap;

use raytree::prelude::*;
use raytree::{Error, Result, Value};
use serde::{Deserialize, Serialize};

use crate::tasks::gate::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    x: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    name: String,
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Skips {
    #[serde(skip_serializing_if = "Option::is_none")]
    maybe: Option<u64>,
    always: u64,
}

#[remote]
fn untagged(value: Untagged) -> Untagged {
    value
}

#[remote]
fn flat(value: Flat) -> Flat {
    value
}

#[remote]
fn skips(value: Skips) -> Skips {
    value
}

#[remote(codec = "self_describing")]
fn untagged_described(value: Untagged) -> Untagged {
    value
}

#[remote(codec = "self_describing")]
fn flat_described(value: Flat) -> Flat {
    value
}

#[remote]
fn makes_untagged() -> Untagged {
    Untagged::Number(1)
}

#[remote]
fn untagged_items() -> impl Iterator<Item = Untagged> {
    std::iter::once(Untagged::Number(1))
}

fn a_flat() -> Flat {
    Flat { name: "flat".to_owned(), inner: Inner { x: 3 } }
}

/// The error names the type and the attribute.
#[track_caller]
fn refused<T: Value + std::fmt::Debug>(told: Result<T>, attribute: &str) {
    let error = told.expect_err("it cannot travel");
    assert!(error.to_string().starts_with(std::any::type_name::<T>()), "{error}");
    match error {
        Error::CannotTravel { type_name, attribute: Some(named), .. } => {
            assert_eq!(type_name, std::any::type_name::<T>());
            assert!(named.contains(attribute), "{named}");
        }
        other => panic!("{other:?}"),
    }
}

async fn each_is_refused() -> Result<()> {
    refused(untagged::remote(Untagged::Number(1)).await, "untagged");
    refused(flat::remote(a_flat()).await, "flatten");
    refused(skips::remote(Skips { maybe: None, always: 1 }).await, "skip_serializing_if");
    refused(makes_untagged::remote().await, "untagged");
    let put = raytree::put(Untagged::Text("x".to_owned())).await;
    assert!(matches!(put, Err(Error::CannotTravel { .. })));
    let item = untagged_items::remote().next().await.expect("its failure");
    refused(item, "untagged");
    assert_eq!(untagged_described::remote(Untagged::Number(1)).await?, Untagged::Number(1));
    let text = Untagged::Text("x".to_owned());
    assert_eq!(untagged_described::remote(text.clone()).await?, text);
    assert_eq!(flat_described::remote(a_flat()).await?, a_flat());
    at_rest(&raytree::current()?).await;
    Ok(())
}

#[raytree::test]
async fn strict_mode_names_the_type_and_the_attribute() -> Result<()> {
    within(each_is_refused()).await
}

#[raytree::test(strict = false)]
async fn debug_builds_check_without_being_strict() -> Result<()> {
    within(each_is_refused()).await
}

/// References in every place a value can have.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Holder {
    one: ObjectRef<u64>,
    many: Vec<ObjectRef<Counted>>,
    named: BTreeMap<String, Option<ObjectRef<Vec<u64>>>>,
}

#[remote]
async fn opens(holder: Holder, again: Vec<Holder>) -> Result<u64> {
    let mut sum = holder.one.await?;
    sum += holder.many.len() as u64;
    for list in holder.named.into_values().flatten() {
        sum += list.await?.iter().sum::<u64>();
    }
    sum += again.len() as u64;
    Ok(sum)
}

#[remote]
fn hands_on(holder: Holder) -> Holder {
    holder
}

#[remote(codec = "self_describing")]
fn hands_on_described(holder: Holder) -> Holder {
    holder
}

#[remote]
fn makes(gate: Gate) -> Counted {
    Counted::new(gate)
}

#[raytree::test]
async fn ob_2_references_inside_values_survive_the_journey_and_hold_their_object() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let named =
            [("a".to_owned(), Some(raytree::put(vec![1, 2]).await?)), ("b".to_owned(), None)];
        let holder = Holder {
            one: raytree::put(10).await?,
            many: (0..3).map(|_| makes::remote(gate)).collect(),
            named: named.into_iter().collect(),
        };
        for handed in [hands_on::remote(holder.clone()), hands_on_described::remote(holder.clone())]
        {
            let back = (&handed).await?;
            assert!(back.one == holder.one && back.many == holder.many);
            assert_eq!(opens::remote(&handed, vec![back]).await?, 17);
        }
        let one = holder.many[0].clone();
        drop(holder);
        assert_eq!(one.shared().await?.0, gate, "somebody still holds it");
        at_rest(&raytree::current()?).await;
        gate.until(|book| book.made == book.freed + 1).await;
        drop(one);
        gate.until(|book| book.made == book.freed).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn outside_of_a_call_a_reference_cannot_be_written() -> Result<()> {
    let reference = raytree::put(1).await?;
    assert!(serde_json_like(&reference).is_err());
    Ok(())
}

/// Any serializer of somebody else.
fn serde_json_like<T: Serialize>(value: &T) -> Result<(), std::fmt::Error> {
    struct Nowhere;
    impl std::fmt::Write for Nowhere {
        fn write_str(&mut self, _: &str) -> std::fmt::Result {
            Ok(())
        }
    }
    // `fmt::Formatter` is a serializer of simple values.
    struct Shown<'a, T>(&'a T);
    impl<T: Serialize> std::fmt::Display for Shown<'_, T> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.serialize(f)
        }
    }
    std::fmt::write(&mut Nowhere, format_args!("{}", Shown(value)))
}
