//! Parents and children, and the hooks that hear of ends.

use raytree::prelude::*;
use raytree::{Backoff, Error, Result, get_actor};

use super::subject::died;
use super::{Desk, Key, Subject, Toy, ToyHandle, within};

fn position(notes: &[String], note: &str) -> usize {
    notes.iter().position(|one| one == note).unwrap_or_else(|| panic!("no {note} in {notes:?}"))
}

#[raytree::test]
async fn an_actor_made_in_a_method_ends_before_its_parent() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let parent = Subject::remote(desk.key());
        let child = parent.adopt("child", false).await?;
        assert_eq!(child.name().await?, "child");
        parent.stop().await?;
        let notes = desk.notes();
        assert!(position(&notes, "child stopped") < position(&notes, "stopped"), "{notes:?}");
        assert!(!died(child.name().await).1);
        // A kill takes it along, without its hook.
        let parent = Subject::remote(desk.key());
        let child = parent.adopt("young", false).await?;
        parent.kill().await?;
        assert!(matches!(child.exited().await?.kind, ExitKind::Killed { .. }));
        assert!(!desk.notes().contains(&"young stopped".to_owned()));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn the_children_of_a_life_end_before_the_next_one_begins() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let options = ActorOptions::new().restarts(1).backoff(Backoff::NONE);
        let parent = Subject::with(options).remote(desk.key());
        let child = parent.adopt("child", false).await?;
        assert!(died(parent.panic("gone").await).1);
        assert_eq!(parent.life().await?, 1);
        assert!(!died(child.name().await).1);
        let notes = desk.notes();
        assert!(position(&notes, "child stopped") < position(&notes, "up 1"), "{notes:?}");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_parent_that_asked_hears_of_every_end_of_its_child() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let parent = Subject::remote(desk.key());
        let loud = parent.adopt("loud", true).await?;
        assert!(!died(loud.panic().await).1);
        desk.hears_of("heard loud: ").await;
        let quiet = parent.adopt("quiet", false).await?;
        quiet.kill().await?;
        assert_eq!(parent.push(1).await?, 1);
        assert!(!desk.notes().iter().any(|note| note.starts_with("heard quiet")));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_named_child_ends_with_its_parent_and_a_detached_one_does_not() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let parent = Subject::remote(desk.key());
        let named = parent.adopt_named("named", false).await?;
        let detached = parent.adopt_named("detached", true).await?;
        named.ready().await?;
        detached.ready().await?;
        drop((named, detached));
        assert_eq!(get_actor::<Toy>("named").await?.name().await?, "named");
        parent.stop().await?;
        assert!(matches!(get_actor::<Toy>("named").await, Err(Error::ActorNotFound { .. })));
        let detached = get_actor::<Toy>("detached").await?;
        assert_eq!(detached.name().await?, "detached");
        detached.kill().await?;
        assert_eq!(raytree::current()?.actor_count(), 0);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_detached_actor_without_a_name_outlives_its_handles() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let toy = Toy::with(ActorOptions::new().detached()).remote(desk.key(), "free");
        toy.ready().await?;
        drop(toy);
        let other = Toy::remote(desk.key(), "bound");
        other.ready().await?;
        let ended = other.exited();
        drop(other);
        ended.await?;
        desk.hears("bound stopped").await;
        crate::support::until(|| raytree::current().is_ok_and(|own| own.actor_count() == 1)).await;
        assert!(!desk.notes().contains(&"free stopped".to_owned()));
        Ok(())
    })
    .await
}

/// Has its child from its constructor, and another from the hook that hears of its end.
struct Nest {
    desk: Key,
    child: ToyHandle,
}

#[remote(restarts = 1)]
impl Nest {
    fn new(desk: Key) -> Self {
        let options = ActorOptions::new().label("egg").tell_parent();
        Self { desk, child: Toy::with(options).remote(desk, "egg") }
    }

    pub(crate) fn child(&self) -> ToyHandle {
        self.child.clone()
    }

    pub(crate) fn panic(&mut self) {
        panic!("the nest fell");
    }

    #[remote(on_child_exit)]
    fn heard(&mut self, _: Exit) {
        self.child = Toy::with(ActorOptions::new().label("second")).remote(self.desk, "second");
        self.desk.desk().note("heard");
    }
}

#[raytree::test]
async fn actors_made_in_a_constructor_or_a_hook_are_children_too() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let nest = Nest::remote(desk.key());
        let egg = nest.child().await?;
        assert!(!died(egg.panic().await).1);
        desk.hears("heard").await;
        let second = nest.child().await?;
        assert_eq!(second.name().await?, "second");
        assert!(died(nest.panic().await).1);
        let third = nest.child().await?;
        assert_eq!(third.name().await?, "egg");
        assert!(!died(second.name().await).1);
        nest.stop().await?;
        assert!(!died(third.name().await).1);
        assert_eq!(raytree::current()?.actor_count(), 0);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn on_stop_runs_after_stop_and_last_drop_and_not_after_kill_or_panic() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let make = |name: &str| Toy::remote(desk.key(), name.to_owned());
        let (stopped, dropped, killed, broken) =
            (make("one"), make("two"), make("three"), make("four"));
        stopped.stop().await?;
        dropped.ready().await?;
        drop(dropped);
        desk.hears("two stopped").await;
        killed.ready().await?;
        killed.kill().await?;
        assert!(broken.panic().await.is_err());
        broken.exited().await?;
        let notes = desk.notes();
        assert!(notes.contains(&"one stopped".to_owned()));
        assert!(!notes.iter().any(|note| note == "three stopped" || note == "four stopped"));
        Ok(())
    })
    .await
}

#[test]
fn on_stop_runs_in_a_shutdown() {
    let desk = Desk::new();
    let runtime = raytree::init().cpus(1.0).start().expect("a runtime");
    runtime.block_on(async {
        let (parent, toy) = (Subject::remote(desk.key()), Toy::remote(desk.key(), "toy"));
        let child = parent.adopt("child", false).await.expect("a child");
        toy.ready().await.expect("a toy");
        std::mem::forget((parent, toy, child));
    });
    runtime.shutdown();
    let notes = desk.notes();
    assert!(position(&notes, "child stopped") < position(&notes, "stopped"), "{notes:?}");
    position(&notes, "toy stopped");
}
