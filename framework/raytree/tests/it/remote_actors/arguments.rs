//! What a method can be given: values, references of every kind, loans, handles inside values.

use std::collections::BTreeMap;

use raytree::prelude::*;
use raytree::{Error, Result, put};

use super::subject::{died, late, same};
use super::{Desk, Subject, Toy, ToyHandle, within};

#[raytree::test]
async fn arguments_are_values_references_loans_and_lists_of_references() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let one = same::remote(1);
        _ = subject.push(&one);
        _ = subject.push(one);
        _ = subject.push_all(vec![late::remote(desk.key(), 0, 2), same::remote(3)]);
        _ = subject.push_lent(put(vec![4, 5]).await?, put(6).await?.shared().await?);
        let call = subject.push_lent(vec![same::remote(7)], 8);
        desk.open(0);
        call.await?;
        assert_eq!(subject.seen().await?, [1, 1, 2, 3, 4, 5, 6, 7, 8]);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn results_of_an_actor_are_arguments_of_another() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let (first, second) = (Subject::remote(desk.key()), Subject::remote(desk.key()));
        let slow = first.push_later(0, 7);
        let passed = second.push(&slow);
        let again = first.push(&passed);
        desk.open(0);
        assert_eq!(again.await?, 7);
        assert_eq!(first.seen().await?, [7, 7]);
        // One that died before it answered is a failed argument like any other.
        let lost = second.push(first.panic("argument"));
        let (kind, will_restart) = died(lost.await);
        assert!(kind.to_string().contains("argument") && !will_restart, "{kind}");
        assert_eq!(second.seen().await?, [7]);
        Ok(())
    })
    .await
}

/// A value that holds handles and references.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Parcel {
    toys: BTreeMap<String, ToyHandle>,
    value: Option<ObjectRef<u64>>,
}

struct Carrier(Option<Parcel>);

#[remote]
impl Carrier {
    fn new() -> Self {
        Self(None)
    }

    pub(crate) fn keep(&mut self, parcel: Parcel) {
        self.0 = Some(parcel);
    }

    pub(crate) async fn read(&self) -> Result<(Vec<String>, u64)> {
        let parcel = self.0.clone().expect("a parcel");
        let mut names = Vec::new();
        for toy in parcel.toys.values() {
            names.push(toy.name().await?);
        }
        Ok((names, parcel.value.expect("a value").await?))
    }

    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

#[raytree::test]
async fn a_handle_inside_a_value_keeps_its_actor_alive_until_the_value_is_gone() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let toy = Toy::remote(desk.key(), "toy");
        let probe = toy.clone();
        let status = probe.inner().clone();
        let toys = BTreeMap::from([("one".to_owned(), toy.clone()), ("two".to_owned(), toy)]);
        let parcel = put(Parcel { toys, value: Some(same::remote(5)) }).await?;
        let carrier = Carrier::remote();
        carrier.keep(parcel).await?;
        drop((probe, status));
        assert_eq!(carrier.read().await?, (vec!["toy".to_owned(), "toy".to_owned()], 5));
        assert_eq!(raytree::current()?.actor_count(), 2);
        carrier.forget().await?;
        desk.hears("toy stopped").await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn an_argument_that_was_taken_by_another_await_is_told() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let mut one = same::remote(1);
        assert_eq!((&mut one).await?, 1);
        let told = subject.push(&one).await.unwrap_err();
        assert!(matches!(told, Error::ObjectTaken { .. }), "{told}");
        Ok(())
    })
    .await
}
