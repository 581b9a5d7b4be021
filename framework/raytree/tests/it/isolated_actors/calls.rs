//! Calls, references, handles and streams.

use std::time::Duration;

use futures_util::StreamExt as _;
use raytree::{Error, get_all};

use super::*;

/// Holds what it was given, and gives what it holds.
struct Keeper {
    kept: Vec<FriendHandle>,
}

#[remote(isolated)]
impl Keeper {
    fn new() -> Self {
        Self { kept: Vec::new() }
    }

    pub(crate) async fn sum(&self, values: ObjectRef<Vec<u64>>) -> Result<u64> {
        Ok(values.await?.iter().sum())
    }

    pub(crate) async fn puts(&self, value: u64) -> Result<ObjectRef<Vec<u64>>> {
        raytree::put(vec![value; 1000]).await
    }

    pub(crate) fn makes(&mut self) -> FriendHandle {
        self.kept.push(Friend::remote());
        self.kept[self.kept.len() - 1].clone()
    }

    pub(crate) async fn calls(&self, friend: FriendHandle) -> Result<u32> {
        friend.visited().await
    }

    pub(crate) async fn finds(&self, name: String) -> Result<u32> {
        raytree::get_actor::<Friend>(&name).await?.visited().await
    }
}

struct Friend {
    visits: u32,
}

#[remote]
impl Friend {
    fn new() -> Self {
        Self { visits: 0 }
    }

    pub(crate) fn visited(&mut self) -> u32 {
        self.visits += 1;
        self.visits
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }
}

#[raytree::test]
async fn a_thousand_calls_arrive_in_order_in_a_process_of_their_own() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let (hermit, _book, _folder) = hermit(ActorOptions::new());
        let calls: Vec<_> = (0..1000).map(|_| hermit.add(1)).collect();
        assert_eq!(get_all(calls).await?, (1..=1000).collect::<Vec<_>>());
        let process = hermit.process().await?;
        assert_eq!(parent(process), std::process::id());
        let items: Vec<_> = hermit.counts(1010).collect().await;
        let items = items.into_iter().collect::<Result<Vec<_>>>()?;
        assert_eq!(items, (1000..1010).collect::<Vec<_>>());
        // The actor stands where all actors stand, its process where all processes do.
        let name = hermit.probe().expect("a probe").name().to_owned();
        assert_eq!(below(&runtime, "node/worker/actor_host"), [name.as_str()]);
        assert_eq!(below(&runtime, "node/processes"), [name]);
        drop(hermit);
        until(|| !is_there(process)).await;
        until(|| below(&runtime, "node/processes").is_empty()).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn references_and_handles_go_there_and_come_back() -> Result<()> {
    within(async {
        let keeper = Keeper::remote();
        let values = raytree::put((1..=100).collect::<Vec<u64>>()).await?;
        assert_eq!(keeper.sum(raytree::put(values.clone()).await?).await?, 5050);
        let theirs = keeper.puts(7).await?;
        assert_eq!(theirs.await?, vec![7; 1000]);
        let friend = Friend::with(ActorOptions::new().name("friend")).remote();
        assert_eq!(keeper.calls(friend.clone()).await?, 1);
        assert_eq!(keeper.finds("friend".to_owned()).await?, 2);
        assert_eq!(friend.visited().await?, 3);
        assert!(keeper.finds("nobody".to_owned()).await.is_err());
        Ok(())
    })
    .await
}

/// Each process counts its actors for itself.
#[raytree::test]
async fn what_two_of_them_have_made_are_two() -> Result<()> {
    within(async {
        let (first, second) = (Keeper::remote(), Keeper::remote());
        let friends =
            [first.makes().await?, first.makes().await?, second.makes().await?, Friend::remote()];
        for (index, friend) in friends.iter().enumerate() {
            for other in &friends[..index] {
                assert_ne!(friend.id(), other.id());
            }
            for _ in 0..index {
                friend.visited().await?;
            }
        }
        for (index, friend) in friends.iter().enumerate() {
            assert_eq!(friend.visited().await? as usize, index + 1);
        }
        assert_eq!(friends[0].process().await?, friends[1].process().await?);
        assert_ne!(friends[0].process().await?, friends[2].process().await?);
        assert_eq!(friends[3].process().await?, std::process::id());
        // It calls one of the other's, through this process.
        assert_eq!(first.calls(friends[2].clone()).await?, 4);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_call_that_nobody_wants_is_ended_there() -> Result<()> {
    within(async {
        let (hermit, _book, _folder) = hermit(ActorOptions::new());
        let waits = hermit.never();
        let timed = hermit.never().timeout(Duration::from_millis(50));
        waits.cancel();
        assert!(matches!(timed.await, Err(Error::Timeout { .. })));
        let other = hermit.add(1);
        assert!(!other.is_ready(), "the second one runs");
        hermit.kill().await?;
        assert!(other.await.is_err());
        Ok(())
    })
    .await
}

struct Handmade;

impl Actor for Handmade {
    type Args = ();

    async fn start(_: (), _ctx: &ActorContext<Self>) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

#[raytree::test]
async fn what_cannot_travel_cannot_be_isolated() -> Result<()> {
    let told = raytree::spawn::<Handmade>((), ActorOptions::new().isolated()).unwrap_err();
    let Error::BadOption { option, value, .. } = &told else { panic!("{told}") };
    assert_eq!((option.as_str(), value.as_str()), ("isolated", "Handmade"));
    Ok(())
}
