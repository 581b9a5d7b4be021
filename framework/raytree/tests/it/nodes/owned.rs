//! Objects that are handed to another owner outlive the one that made them.

use std::path::Path;

use futures_util::poll;
use raytree::prelude::*;
use raytree::{Bytes, Error, Result, state};
use rustix::process::{Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::spilled::{MIB, checksum, noise, sum};
use super::{pid, within};

/// One that lies in a store, one that goes with its message, and one that refers to another.
#[derive(Clone, Serialize, Deserialize)]
struct Parcel {
    large: ObjectRef<Bytes>,
    small: ObjectRef<Vec<u64>>,
    nested: ObjectRef<ObjectRef<u64>>,
}

impl Parcel {
    async fn new(seed: u64) -> Result<Self> {
        let inner = raytree::put(seed).await?;
        Ok(Self {
            large: raytree::put(noise(seed, MIB).into()).await?,
            small: raytree::put(vec![seed; 3]).await?,
            nested: raytree::put(inner).await?,
        })
    }

    async fn of_job(self) -> Result<Self> {
        Ok(Self {
            large: self.large.owned_by_job().await?,
            small: self.small.owned_by_job().await?,
            nested: self.nested.owned_by_job().await?,
        })
    }

    async fn of_actor(self, keeper: &KeeperHandle) -> Result<Self> {
        Ok(Self {
            large: self.large.owned_by(keeper).await?,
            small: self.small.owned_by(keeper).await?,
            nested: self.nested.owned_by(keeper).await?,
        })
    }

    async fn is_there(&self, seed: u64) -> Result<()> {
        let large = (&self.large).await?;
        assert_eq!((large.len(), sum(&large)), (MIB, sum(&noise(seed, MIB))));
        assert_eq!((&self.small).await?, vec![seed; 3]);
        Ok(())
    }

    /// All of it can be read, but for what only its maker has.
    async fn is_whole(&self, seed: u64) -> Result<()> {
        self.is_there(seed).await?;
        let of_its_maker = (&self.nested).await?.await.expect_err("its owner is gone");
        assert!(matches!(of_its_maker, Error::OwnerDied { .. }), "{of_its_maker}");
        Ok(())
    }

    async fn ends_with_its_owner(self) {
        let large = self.large.await.map(drop).expect_err("its owner is gone");
        assert!(matches!(large, Error::OwnerDied { .. }), "{large}");
        let small = self.small.await.expect_err("its owner is gone");
        assert!(matches!(small, Error::OwnerDied { .. }), "{small}");
    }
}

#[derive(Default)]
struct Keeper {
    parcels: Vec<Parcel>,
}

#[remote]
impl Keeper {
    fn new() -> Self {
        Self::default()
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    pub(crate) async fn makes(&mut self, seed: u64) -> Result<Parcel> {
        Parcel::new(seed).await
    }

    pub(crate) async fn makes_for_job(&mut self, seed: u64) -> Result<Parcel> {
        Parcel::new(seed).await?.of_job().await
    }

    pub(crate) async fn makes_for(&mut self, keeper: KeeperHandle, seed: u64) -> Result<Parcel> {
        Parcel::new(seed).await?.of_actor(&keeper).await
    }

    /// It waits for one who hands over to it.
    pub(crate) async fn has_made_by(
        &mut self,
        maker: KeeperHandle,
        own: KeeperHandle,
        seed: u64,
    ) -> Result<usize> {
        let parcel = maker.makes_for(own, seed).await?;
        self.parcels.push(parcel);
        Ok(self.parcels.len())
    }

    pub(crate) async fn numbers(&self) -> Result<ObjectRef<Vec<u64>>> {
        raytree::put(vec![7; MIB / 8]).await
    }

    /// What it keeps can be read here.
    pub(crate) async fn is_whole(&self, seed: u64) -> Result<()> {
        for parcel in &self.parcels {
            parcel.is_whole(seed).await?;
        }
        Ok(())
    }

    pub(crate) fn keeps(&mut self, parcel: Parcel) -> usize {
        self.parcels.push(parcel);
        self.parcels.len()
    }

    pub(crate) fn clear(&mut self) {
        self.parcels.clear();
    }
}

/// One in each of two nodes.
async fn two() -> Result<[KeeperHandle; 2]> {
    let two = [Keeper::remote(), Keeper::remote()];
    assert_ne!(two[0].process().await?, two[1].process().await?);
    Ok(two)
}

/// The process of an actor is killed.
async fn killed(actor: &KeeperHandle) -> Result<()> {
    kill_process(pid(actor.process().await?), Signal::KILL).expect("it lives");
    actor.exited().await.map(drop)
}

#[raytree::test(nodes = 2)]
async fn what_is_the_jobs_outlives_the_one_that_made_it() -> Result<()> {
    within(async {
        let [maker, _] = two().await?;
        let kept = maker.makes(1).await?;
        let handed = maker.makes_for_job(2).await?;
        // Also by the program itself.
        let taken = maker.makes(3).await?.of_job().await?;
        killed(&maker).await?;
        kept.ends_with_its_owner().await;
        handed.is_whole(2).await?;
        taken.is_whole(3).await?;
        // Others read it, too.
        let expected = sum(&noise(2, MIB));
        assert_eq!(checksum::remote(&handed.large).await?, expected);
        assert_eq!(checksum::remote(handed.large).await?, expected);
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn what_is_an_actors_outlives_its_maker_and_ends_with_the_actors_process() -> Result<()> {
    within(async {
        let [maker, keeper] = two().await?;
        let handed = maker.makes_for(keeper.clone(), 4).await?;
        let taken = maker.makes(5).await?.of_actor(&keeper).await?;
        // What is somebody's already is so still.
        let own = keeper.makes_for(keeper.clone(), 6).await?;
        assert_eq!(keeper.keeps(handed.clone()).await?, 1);
        killed(&maker).await?;
        handed.is_whole(4).await?;
        taken.is_whole(5).await?;
        let (large, later) = (taken.large.clone(), maker.makes(7));
        assert!(matches!(later.await, Err(Error::ActorDied { .. })));
        assert_eq!(checksum::remote(large).await?, sum(&noise(5, MIB)));
        assert_eq!((&own.nested).await?.await?, 6);
        // Here nobody has read these two.
        let unread = keeper.makes_for(keeper.clone(), 8).await?;
        killed(&keeper).await?;
        unread.ends_with_its_owner().await;
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn who_waits_for_the_one_who_hands_over_is_handed_it_and_reads_it() -> Result<()> {
    within(async {
        let [maker, keeper] = two().await?;
        assert_eq!(keeper.has_made_by(maker.clone(), keeper.clone(), 21).await?, 1);
        killed(&maker).await?;
        keeper.is_whole(21).await?;
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn a_third_one_hands_over_what_it_has_not_read() -> Result<()> {
    within(async {
        let [maker, keeper] = two().await?;
        let numbers = maker.numbers().await?;
        let handed = numbers.owned_by(&keeper).await?;
        let again = handed.owned_by(&keeper).await?;
        killed(&maker).await?;
        assert_eq!(handed.await?, vec![7; MIB / 8]);
        assert_eq!(again.await?, vec![7; MIB / 8]);
        assert!(matches!(numbers.await, Err(Error::OwnerDied { .. })), "nobody has read it here");
        Ok(())
    })
    .await
}

/// No object of this job is in a store, as far as its processes know.
async fn none_is_left() -> Result<()> {
    while state::objects().is("state", "ready").await?.total > 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[raytree::test(nodes = 2)]
async fn what_was_handed_over_is_freed_with_its_last_reference() -> Result<()> {
    within(async {
        let [maker, keeper] = two().await?;
        let parcel = maker.makes_for(keeper.clone(), 9).await?;
        assert_eq!(keeper.keeps(parcel.clone()).await?, 1);
        let of_job = maker.makes_for_job(10).await?;
        let listed = state::objects().is("state", "ready").await?.rows;
        let large = listed.iter().filter(|row| row.size.is_some_and(|own| own >= MIB as u64));
        assert_eq!(large.count(), 2, "{listed:#?}");
        drop((parcel, of_job));
        keeper.clear().await?;
        none_is_left().await
    })
    .await
}

#[remote]
async fn fails() -> Result<u64, String> {
    Err("no luck".to_owned())
}

#[remote]
fn after(gate: String) -> u64 {
    while !Path::new(&gate).exists() {
        std::thread::yield_now();
    }
    7
}

#[raytree::test(nodes = 2)]
async fn what_is_not_there_yet_is_waited_for_and_what_failed_says_so() -> Result<()> {
    within(async {
        let [maker, keeper] = two().await?;
        let folder = tempfile::tempdir().expect("a folder");
        let gate = folder.path().join("gate");
        let seven = after::remote(gate.display().to_string());
        let mut handed = Box::pin(seven.owned_by(&keeper));
        assert!(poll!(&mut handed).is_pending());
        keeper.process().await?;
        assert!(poll!(&mut handed).is_pending() && !seven.is_ready());
        std::fs::write(&gate, "").expect("a file");
        assert_eq!(handed.await?.await?, 7);
        let told = fails::remote().owned_by(&keeper).await.expect_err("it failed");
        assert!(matches!(told, Error::TaskFailed { .. }), "{told}");
        let told = fails::remote().owned_by_job().await.expect_err("it failed");
        assert!(matches!(told, Error::TaskFailed { .. }), "{told}");
        let object = raytree::put(1).await?;
        killed(&maker).await?;
        let told = object.owned_by(&maker).await.expect_err("the actor is dead");
        assert!(matches!(told, Error::ActorDied { .. }), "{told}");
        assert_eq!(object.await?, 1, "it stays what it is");
        Ok(())
    })
    .await
}

#[remote(isolated)]
async fn makes_in_a_process_of_its_own(seed: u64) -> Result<Parcel> {
    Parcel::new(seed).await?.of_job().await
}

#[remote]
async fn lets_others_make(seed: u64) -> Result<Parcel> {
    makes_in_a_process_of_its_own::remote(seed).await
}

#[raytree::test(nodes = 1)]
async fn what_a_process_of_its_own_has_made_for_the_job_outlives_it() -> Result<()> {
    within(async {
        makes_in_a_process_of_its_own::remote(11).await?.is_there(11).await?;
        // Its parent is a worker.
        lets_others_make::remote(12).await?.is_there(12).await
    })
    .await
}

#[raytree::test]
async fn in_one_process_it_is_the_same_object() -> Result<()> {
    within(async {
        let keeper = Keeper::remote();
        let parcel = keeper.makes_for(keeper.clone(), 13).await?.of_job().await?;
        assert_eq!((&parcel.nested).await?.await?, 13);
        let large = parcel.large.shared().await?;
        let same = parcel.large.owned_by(&keeper).await?.owned_by_job().await?;
        assert_eq!(same.shared().await?.as_ptr(), large.as_ptr());
        // As elsewhere, what failed is nobody's.
        for told in [fails::remote().owned_by(&keeper).await, fails::remote().owned_by_job().await]
        {
            assert!(matches!(told, Err(Error::TaskFailed { .. })), "{told:?}");
        }
        Ok(())
    })
    .await
}
