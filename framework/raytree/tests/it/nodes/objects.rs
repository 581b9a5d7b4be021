//! References on their way between processes.

use std::sync::atomic::{AtomicUsize, Ordering};

use raytree::prelude::*;
use raytree::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{abort, within};

#[derive(Clone, Serialize, Deserialize)]
struct Parcel {
    content: ObjectRef<Vec<u64>>,
    more: Vec<ObjectRef<u64>>,
}

#[remote]
async fn opens(parcel: Parcel) -> Result<u64> {
    let mut sum: u64 = parcel.content.await?.iter().sum();
    for one in parcel.more {
        sum += one.await?;
    }
    Ok(sum)
}

/// A reference to what this process has.
#[remote]
async fn stores(value: u64) -> Result<Parcel> {
    let content = raytree::put(vec![value; 3]).await?;
    Ok(Parcel { content, more: vec![doubles::remote(value)] })
}

#[remote]
fn doubles(x: u64) -> u64 {
    2 * x
}

#[remote]
async fn hands_on(parcel: Parcel) -> Result<u64> {
    opens::remote(parcel).await
}

#[remote]
async fn gives_back(parcel: Parcel) -> Parcel {
    parcel
}

#[remote]
async fn leaves_unread(_parcel: Parcel) -> u64 {
    1
}

#[raytree::test(nodes = 2)]
async fn references_in_values_are_read_by_whoever_gets_them() -> Result<()> {
    within(async {
        let content = raytree::put(vec![1, 2, 3]).await?;
        let parcel = Parcel { content, more: vec![doubles::remote(5), doubles::remote(6)] };
        assert_eq!(opens::remote(parcel.clone()).await?, 28);
        assert_eq!(hands_on::remote(parcel.clone()).await?, 28);
        assert_eq!(leaves_unread::remote(parcel.clone()).await?, 1);
        let back = gives_back::remote(parcel).await?;
        assert_eq!(back.content.await?, vec![1, 2, 3]);
        assert_eq!((&back.more[1]).await?, 12);
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 3)]
async fn what_one_node_has_another_one_reads() -> Result<()> {
    within(async {
        for value in 1..20 {
            let parcel = stores::remote(value).await?;
            // Through this process, and to any of them, the one that has it included.
            assert_eq!(opens::remote(parcel.clone()).await?, 5 * value);
            assert_eq!(parcel.content.await?, vec![value; 3]);
        }
        Ok(())
    })
    .await
}

/// Counts its ends, in each process by itself.
#[derive(Clone, Serialize, Deserialize)]
struct Counted(u64);

static ENDED: AtomicUsize = AtomicUsize::new(0);

impl Drop for Counted {
    fn drop(&mut self) {
        ENDED.fetch_add(1, Ordering::SeqCst);
    }
}

#[remote]
async fn reads(reference: ObjectRef<ObjectRef<Counted>>) -> Result<u64> {
    let inner = reference.await?;
    Ok(inner.await?.0)
}

#[remote]
async fn keeps_unread(inner: ObjectRef<ObjectRef<Counted>>) -> ObjectRef<ObjectRef<Counted>> {
    inner
}

#[raytree::test(nodes = 2, strict = false)]
async fn li_2_what_others_hold_is_freed_when_they_let_go() -> Result<()> {
    within(async {
        let inner = raytree::put(Counted(7)).await?;
        // A debug build writes and reads the first one of its type to see that it can travel.
        let before = ENDED.load(Ordering::SeqCst);
        let outer = raytree::put(inner).await?;
        let carrier = raytree::put(outer).await?;
        assert_eq!(reads::remote(carrier.clone()).await?, 7);
        let back = keeps_unread::remote(carrier).await?;
        // The one that was read over there was written here, and is still here.
        assert_eq!(ENDED.load(Ordering::SeqCst), before, "somebody holds it");
        drop(back);
        while ENDED.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        assert_eq!(ENDED.load(Ordering::SeqCst), before + 1);
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1)]
async fn an_object_dies_with_the_process_that_has_it() -> Result<()> {
    within(async {
        let parcel = stores::remote(7).await?;
        let once = TaskOptions::new().retries(0);
        assert!(abort::with(once).remote().await.is_err());
        let told = parcel.content.await.unwrap_err();
        assert!(matches!(told, Error::OwnerDied { .. }), "{told}");
        assert!(told.to_string().contains("node-1"), "{told}");
        Ok(())
    })
    .await
}

#[remote]
fn sum(one: &[u64], other: Vec<u64>) -> u64 {
    one.iter().chain(&other).sum()
}

struct Sums(u64);

#[remote]
impl Sums {
    fn new(first: Vec<u64>) -> Self {
        Self(first.iter().sum())
    }

    pub(crate) fn add(&mut self, more: &[u64]) -> u64 {
        self.0 += more.iter().sum::<u64>();
        self.0
    }
}

/// Each of these is the first to ask for its object, which is answered on the spot.
#[raytree::test(nodes = 1)]
async fn arguments_of_a_process_that_has_died_are_errors_of_whoever_needs_them() -> Result<()> {
    within(async {
        let mut parcels = Vec::new();
        for _ in 0..4 {
            parcels.push(stores::remote(7).await?);
        }
        let own = raytree::put(vec![1, 2]).await?;
        let once = TaskOptions::new().retries(0);
        assert!(abort::with(once).remote().await.is_err());
        let mut objects = parcels.into_iter().map(|parcel| parcel.content);
        let mut next = || objects.next().expect("there are four");
        // A node of its own comes back.
        let sums = Sums::with(ActorOptions::new().restarts(5)).remote(&own);
        sums.ready().await?;
        for told in [
            sum::remote(&own, next()).await.unwrap_err(),
            sum::remote(next(), &own).await.unwrap_err(),
            sums.add(next()).await.unwrap_err(),
        ] {
            assert!(matches!(told, Error::OwnerDied { .. }), "{told:?}");
        }
        let told = Sums::remote(next()).add(&own).await.unwrap_err();
        assert!(told.to_string().contains("node-1 died"), "{told}");
        Ok(())
    })
    .await
}
