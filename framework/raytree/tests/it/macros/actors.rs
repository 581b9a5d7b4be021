//! Actors made by the attribute: what is a method, how it is run, what stays local.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use raytree::prelude::*;
use raytree::{Error, Result, put};
use tokio::sync::{Barrier, mpsc};

use super::{Empty, square};

/// A counter.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Counter {
    value: u64,
}

#[remote(restarts = 2, retries = 1, label = "sum", mailbox = 100, cpus = 0)]
impl Counter {
    /// What it starts with.
    const STEP: u64 = 1;

    /// Begins at `start`.
    pub(crate) fn new(start: u64) -> Self {
        Self { value: start }
    }

    /// Adds, and gives the sum.
    pub(crate) fn add(&mut self, amount: u64) -> u64 {
        self.value += amount;
        self.value
    }

    pub(crate) async fn add_later(&mut self, mut amount: u64, ctx: &ActorContext<Self>) -> String {
        tokio::task::yield_now().await;
        amount += Self::STEP;
        format!("{} {}", ctx.name(), self.add(amount))
    }

    #[remote(blocking)]
    pub(crate) fn add_all(
        &mut self,
        ctx: &ActorContext<Self>,
        amounts: &[u64],
        name: &str,
    ) -> String {
        self.value += amounts.iter().sum::<u64>();
        format!("{name} of {} is {}", ctx.name(), self.value)
    }

    pub(crate) fn value(&self) -> u64 {
        self.value
    }

    pub(crate) async fn difference(&self, other: &Counter) -> Result<u64, Empty> {
        self.value.checked_sub(other.value).ok_or(Empty(9))
    }

    pub(crate) fn copy(&self) -> Self {
        self.clone()
    }

    pub(crate) fn merge(&mut self, others: Vec<Self>, (left, _): (u64, u64)) -> Result<()> {
        self.value += left + others.iter().map(|other| other.value).sum::<u64>();
        Ok(())
    }

    pub(crate) fn down(&mut self, to: &u64) -> impl Iterator<Item = u64> {
        let from = std::mem::replace(&mut self.value, *to);
        (*to..from).rev()
    }

    pub(crate) fn up(
        &self,
        by: Shared<Vec<u64>>,
    ) -> impl Stream<Item = Result<u64, Empty>> + use<> {
        let value = self.value;
        let parts: Vec<_> =
            by.iter().map(|by| (*by > 0).then_some(value + by).ok_or(Empty(1))).collect();
        futures_util::stream::iter(parts)
    }

    pub(crate) fn panic(&mut self) {
        panic!("of a method");
    }

    #[remote(skip)]
    pub(crate) fn doubled<T: From<u64>>(&mut self) -> T {
        T::from(self.halved() * 4)
    }

    pub(crate) fn named(prefix: &str) -> Self {
        Self { value: prefix.len() as u64 }
    }

    fn halved(&self) -> u64 {
        self.value / 2
    }
}

#[raytree::test]
async fn methods_are_called_with_values_references_and_loans() -> Result<()> {
    let counter = Counter::remote(square::remote(2));
    assert_eq!(counter.add(1).await?, 5);
    assert_eq!(counter.add(square::remote(2)).await?, 9);
    assert_eq!(counter.add_later(&put(1).await?).await?, "sum 11");
    assert_eq!(counter.add_all(vec![1, 2], "one").await?, "one of sum is 14");
    assert_eq!(counter.add_all(vec![square::remote(1)], "two").await?, "two of sum is 15");
    assert_eq!(counter.value().await?, 15);
    assert_eq!(counter.difference(Counter { value: 5 }).await?, 10);
    let failed = counter.difference(Counter { value: 50 }).await.unwrap_err();
    assert_eq!(failed.downcast::<Empty>(), Some(Empty(9)));
    assert_eq!(failed.to_string(), "Counter::difference failed: cannot average 9 values");
    assert_eq!(counter.copy().await?, Counter { value: 15 });
    counter.merge(vec![counter.copy()], (1, 2)).await?;
    assert_eq!(counter.value().await?, 31);
    Ok(())
}

#[raytree::test]
async fn methods_may_return_many_values() -> Result<()> {
    let counter = Counter::remote(5);
    let down: Vec<_> = counter.down(2).collect().await;
    assert_eq!(down, [Ok(4), Ok(3), Ok(2)]);
    let mut up = counter.up(vec![1, 0, 2]);
    assert_eq!(up.next().await, Some(Ok(3)));
    let ended = up.next().await.expect("an error").unwrap_err();
    assert_eq!(ended.downcast::<Empty>(), Some(Empty(1)));
    assert_eq!(up.next().await, None);
    Ok(())
}

#[test]
fn what_is_not_a_remote_method_stays_local() {
    let mut counter = Counter::named("four");
    assert_eq!(counter.doubled::<u128>(), 8);
    assert_eq!(counter.add(1), 5);
}

#[raytree::test]
async fn options_of_the_attribute_reach_the_actor() -> Result<()> {
    let counter = Counter::remote(3);
    counter.add(1).await?;
    assert!(matches!(counter.panic().await, Err(Error::ActorDied { will_restart: true, .. })));
    assert_eq!(counter.value().await?, 3);

    let named = Counter::with(ActorOptions::new().name("named")).remote(1);
    assert_eq!(named.label(), "sum");
    let found = raytree::get_actor::<Counter>("named").await?;
    found.add(1).await?;
    assert_eq!(named.value().await?, 2);
    assert!(raytree::registered()?.contains(&"it::macros::actors::Counter"));
    named.kill().await?;
    Ok(())
}

#[remote]
async fn add_through(counter: CounterHandle, amount: u64) -> Result<u64> {
    counter.add(amount).await
}

#[raytree::test]
async fn handles_are_values() -> Result<()> {
    let counter = Counter::remote(1);
    assert_eq!(add_through::remote(counter.clone(), 2).await?, 3);
    let kept = put(counter).await?;
    assert_eq!(add_through::remote(kept, 2).await?, 5);
    Ok(())
}

/// Its methods have the names of verbs that every handle has.
struct Door;

#[remote]
impl Door {
    async fn new() -> Result<Door, Empty> {
        Ok(Self)
    }

    pub(crate) fn id(&self) -> String {
        "the door".to_owned()
    }

    pub(crate) fn stop(&mut self, hard: bool) -> bool {
        hard
    }
}

#[raytree::test]
async fn a_users_method_wins_over_the_verb_of_that_name() -> Result<()> {
    let door = Door::remote();
    assert_eq!(door.id().await?, "the door");
    assert!(door.stop(true).await?);
    assert!(Handle::id(&door).is_some());
    Handle::stop(&door).await?;
    Ok(())
}

struct Fragile;

#[remote]
impl Fragile {
    fn new(ctx: &ActorContext<Self>, name: &str) -> std::result::Result<Self, String> {
        Err(format!("{name} of {} is broken", ctx.name()))
    }

    pub(crate) fn touch(&self) {}
}

#[raytree::test]
async fn an_err_of_the_constructor_is_told_to_callers() {
    let fragile = Fragile::remote("the lens");
    let failed = fragile.touch().await.unwrap_err();
    let Error::ActorDied { kind, .. } = &failed else { panic!("{failed}") };
    assert_eq!(kind.cause().expect("a cause").message, "the lens of Fragile is broken");
}

/// Notes of lives and children, for the test to read.
type Notes = mpsc::Sender<String>;

static NOTES: std::sync::OnceLock<Notes> = std::sync::OnceLock::new();

fn note(text: String) {
    if let Some(notes) = NOTES.get() {
        notes.try_send(text).expect("room");
    }
}

struct Parent {
    child: Option<CounterHandle>,
}

#[remote]
impl Parent {
    fn new() -> Self {
        Self { child: None }
    }

    #[remote(on_stop)]
    async fn farewell(&mut self, ctx: &ActorContext<Self>) {
        tokio::task::yield_now().await;
        note(format!("{} stops", ctx.name()));
    }

    #[remote(on_child_exit)]
    fn heard(&mut self, exit: Exit) {
        note(format!("{}: {}", exit.name, exit.will_restart));
    }

    pub(crate) async fn adopt(&mut self) -> Result<()> {
        let options = ActorOptions::new().tell_parent().restarts(0);
        let child = Counter::with(options).remote(1);
        child.ready().await?;
        _ = child.panic().await;
        self.child = Some(child);
        Ok(())
    }
}

#[raytree::test]
async fn hooks_hear_of_ends() -> Result<()> {
    let (sender, mut notes) = mpsc::channel(16);
    NOTES.set(sender).expect("set once");
    let parent = Parent::remote();
    parent.adopt().await?;
    assert_eq!(notes.recv().await.as_deref(), Some("sum: false"));
    parent.stop().await?;
    assert_eq!(notes.recv().await.as_deref(), Some("Parent stops"));
    Ok(())
}

struct Family {
    child: CounterHandle,
}

#[remote]
impl Family {
    async fn new() -> Self {
        tokio::task::yield_now().await;
        Self { child: Counter::remote(1) }
    }

    pub(crate) fn child(&self) -> CounterHandle {
        self.child.clone()
    }
}

#[raytree::test]
async fn a_child_of_the_constructor_ends_with_its_parent() -> Result<()> {
    let family = Family::remote();
    let child = family.child().await?;
    assert_eq!(child.add(1).await?, 2);
    family.stop().await?;
    assert!(child.exited().await?.kind.is_normal());
    Ok(())
}

struct Meeting {
    all_here: Arc<Barrier>,
}

#[remote(max_concurrency = 8)]
impl Meeting {
    fn new(number: usize) -> Self {
        Self { all_here: Arc::new(Barrier::new(number)) }
    }

    pub(crate) async fn arrive(&self) -> bool {
        self.all_here.wait().await.is_leader()
    }
}

#[raytree::test]
async fn shared_methods_overlap_as_the_attribute_allows() -> Result<()> {
    let meeting = Meeting::remote(8);
    let arrived: Vec<_> = (0..8).map(|_| meeting.arrive()).collect();
    let mut leaders = 0;
    for one in arrived {
        leaders += usize::from(one.timeout(Duration::from_secs(60)).await?);
    }
    assert_eq!(leaders, 1);
    Ok(())
}
