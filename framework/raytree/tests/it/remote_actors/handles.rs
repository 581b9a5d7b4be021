//! Handles and mailboxes: what keeps an actor alive, what is refused.

use raytree::prelude::*;
use raytree::{Error, Result, put};

use super::subject::{died, late};
use super::{Desk, Subject, SubjectHandle, Toy, ToyHandle, within};

#[remote(cpus = 0)]
async fn hold(toy: ToyHandle, gate: u64, desk: super::Key) -> Result<String> {
    desk.desk().gate(gate).wait().await;
    toy.name().await
}

struct Holder(Option<ToyHandle>);

#[remote]
impl Holder {
    fn new(toy: ToyHandle) -> Self {
        Self(Some(toy))
    }

    pub(crate) async fn ask(&mut self) -> Result<String> {
        self.0.take().expect("a toy").name().await
    }
}

/// Counts down through calls of its own.
struct Countdown(u64);

#[remote]
impl Countdown {
    fn new(from: u64) -> Self {
        Self(from)
    }

    pub(crate) fn step(&mut self, ctx: &ActorContext<Self>) -> Option<ObjectRef<u64>> {
        self.0 = self.0.checked_sub(1)?;
        Some(ctx.handle().left())
    }

    pub(crate) fn me(&self, ctx: &ActorContext<Self>) -> CountdownHandle {
        ctx.handle()
    }

    pub(crate) fn left(&self) -> u64 {
        self.0
    }
}

#[raytree::test]
async fn an_actor_gives_handles_on_itself_away() -> Result<()> {
    within(async {
        let countdown = Countdown::remote(2);
        let left = countdown.step().await?.expect("two are left");
        assert_eq!(left.await?, 1);
        let other = countdown.me().await?;
        assert_eq!(other.id(), countdown.id());
        drop(countdown);
        assert_eq!(other.step().await?.expect("one is left").await?, 0);
        assert!(other.step().await?.is_none());
        drop(other);
        crate::support::until(|| raytree::current().is_ok_and(|own| own.actor_count() == 0)).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn the_last_drop_drains_what_is_queued_and_then_ends_the_actor() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let running = subject.push_later(0, 0);
        let queued: Vec<_> = (1..50).map(|value| subject.push(value)).collect();
        drop(subject);
        desk.open(0);
        assert_eq!(running.await?, 0);
        assert_eq!(raytree::get_all(&queued).await?, (1..50).collect::<Vec<_>>());
        desk.hears("stopped").await;
        crate::support::until(|| raytree::current().is_ok_and(|own| own.actor_count() == 0)).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn calls_that_wait_for_arguments_are_drained_too() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let waits = subject.push(late::remote(desk.key(), 0, 1));
        let behind = subject.push(2);
        drop(subject);
        desk.open(0);
        assert_eq!((waits.await?, behind.await?), (1, 2));
        // A handle that was never kept at all.
        let only = Subject::remote(desk.key()).push(late::remote(desk.key(), 0, 3));
        assert_eq!(only.await?, 3);
        desk.hears_times("stopped", 2).await;
        // One that was cancelled keeps nobody alive.
        let gone = Subject::remote(desk.key()).push(late::remote(desk.key(), 1, 3));
        gone.cancel();
        desk.hears_times("stopped", 3).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn tasks_actors_and_objects_keep_an_actor_alive() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let toy = Toy::remote(desk.key(), "held");
        let task = hold::remote(toy.clone(), 0, desk.key());
        let holder = Holder::remote(toy.clone());
        let object = put(toy).await?;
        desk.open(0);
        assert_eq!(task.await?, "held");
        assert_eq!(holder.ask().await?, "held");
        assert_eq!((&object).await?.name().await?, "held");
        assert!(!desk.notes().contains(&"held stopped".to_owned()));
        holder.kill().await?;
        drop(object);
        desk.hears("held stopped").await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn the_mailbox_bound_counts_queued_running_and_waiting_calls() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::with(ActorOptions::new().mailbox(4)).remote(desk.key());
        let other = subject.clone();
        let running = subject.push_later(0, 0);
        desk.hears("began 0").await;
        let queued = subject.push(1);
        // These wait for arguments, and count all the same.
        let deferred = [other.push(late::remote(desk.key(), 1, 2)), other.push(3)];
        let told = subject.push(9).await.unwrap_err();
        assert!(matches!(told, Error::Overloaded { limit: 4, .. }), "{told}");
        let mut stream = subject.upto(3);
        assert!(matches!(stream.next().await, Some(Err(Error::Overloaded { .. }))));
        let mut room = std::pin::pin!(subject.room());
        assert!(futures_util::poll!(&mut room).is_pending());
        desk.open(1);
        desk.open(0);
        room.await?;
        running.await?;
        queued.await?;
        raytree::get_all(&deferred).await?;
        assert_eq!(subject.push(4).await?, 4);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn whoever_has_an_answer_finds_room_for_the_next_call() -> Result<()> {
    within(async {
        let desk = Desk::new();
        for overlapping in [1, 4] {
            let options = ActorOptions::new().mailbox(1).max_concurrency(overlapping);
            let subject = Subject::with(options).remote(desk.key());
            desk.open(7);
            for value in 0..300 {
                assert_eq!(subject.push(value).await?, value);
                assert_eq!(subject.meet(7).await?, 7);
                assert_eq!(subject.block_beside(7).await?, 7);
                assert_eq!(subject.push(late::remote(desk.key(), 7, value)).await?, value);
            }
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_dead_actor_refuses_in_every_way_with_the_way_it_died() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        assert!(died(subject.panic("the root of it").await).0.to_string().contains("the root"));
        let never = late::remote(desk.key(), 0, 1);
        for call in [subject.push(1), subject.push(&never), subject.clone().push(2)] {
            assert!(died(call.await).0.to_string().contains("the root"));
        }
        assert!(died(subject.ready().await).0.to_string().contains("the root"));
        assert!(subject.exited().await?.kind.to_string().contains("the root"));
        assert!(died(subject.upto(1).next().await.expect("one")).0.to_string().contains("root"));
        assert!(Handle::stop(&subject).await.is_ok() && Handle::kill(&subject).await.is_ok());
        let passed = put(subject).await?.await?;
        assert!(died(passed.push(1).await).0.to_string().contains("the root"));
        Ok(())
    })
    .await
}

#[remote]
fn first(handles: Vec<SubjectHandle>) -> SubjectHandle {
    handles[0].clone()
}

#[raytree::test]
async fn a_handle_comes_back_from_a_task_as_the_same_actor() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let subject = Subject::remote(desk.key());
        let same = first::remote(vec![subject.clone()]).await?;
        assert_eq!(Handle::id(&same), Handle::id(&subject));
        same.push(1).await?;
        assert_eq!(subject.seen().await?, [1]);
        Ok(())
    })
    .await
}
