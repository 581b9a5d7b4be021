//! Constructors: arguments that are still to come, failures, waits.

use raytree::prelude::*;
use raytree::{Error, Lifecycle, Result};

use super::subject::{died, failing, late, same};
use super::{Desk, Key, within};

struct Made {
    parts: Vec<u64>,
}

#[remote]
impl Made {
    async fn new(desk: Key, gate: u64, first: u64, rest: Vec<u64>) -> Result<Self, String> {
        desk.desk().note(format!("constructing {first}"));
        desk.desk().gate(gate).wait().await;
        match first {
            0 => Err("nothing comes of nothing".to_owned()),
            1 => panic!("no good"),
            _ => Ok(Self { parts: [vec![first], rest].concat() }),
        }
    }

    pub(crate) fn parts(&self) -> Vec<u64> {
        self.parts.clone()
    }

    pub(crate) fn panic(&mut self) {
        panic!("of a method");
    }
}

#[raytree::test]
async fn an_actor_is_placed_once_the_arguments_of_its_constructor_are_there() -> Result<()> {
    within(async {
        let (desk, runtime) = (Desk::new(), raytree::current()?);
        let slow = late::remote(desk.key(), 7, 2);
        let made = Made::with(ActorOptions::new().cpus(1.0).restarts(1)).remote(
            desk.key(),
            0,
            slow,
            vec![same::remote(3), late::remote(desk.key(), 8, 4)],
        );
        let parts = made.parts();
        desk.open(7);
        assert_eq!(made.status()?.lifecycle, Lifecycle::Pending);
        desk.open(8);
        desk.hears("constructing 2").await;
        assert_eq!(made.status()?.lifecycle, Lifecycle::Starting);
        assert!(!parts.is_ready());
        desk.open(0);
        assert_eq!(parts.await?, [2, 3, 4]);
        // The arguments are kept for each life.
        assert!(died(made.panic().await).1);
        assert_eq!(made.parts().await?, [2, 3, 4]);
        made.kill().await?;
        crate::support::until(|| runtime.available_resources().to_string() == "2 CPU").await;
        Ok(())
    })
    .await
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[error("there is no model {0}")]
struct NoModel(u32);

/// As many parameters as there may be.
struct Wide(u32);

#[remote]
impl Wide {
    #[expect(clippy::too_many_arguments, reason = "that is what is tried")]
    fn new(
        a: u32,
        b: u32,
        c: u32,
        d: u32,
        e: u32,
        f: u32,
        g: u32,
        h: u32,
        i: u32,
        j: u32,
        k: u32,
        l: u32,
    ) -> Result<Self, NoModel> {
        let sum = a + b + c + d + e + f + g + h + i + j + k + l;
        if sum > 12 { Err(NoModel(sum)) } else { Ok(Self(sum)) }
    }

    pub(crate) fn sum(&self) -> u32 {
        self.0
    }

    pub(crate) fn give_up(&mut self, ctx: &ActorContext<Self>) {
        ctx.fail(NoModel(self.0));
    }
}

#[raytree::test]
async fn the_error_of_a_constructor_comes_back_as_it_was() -> Result<()> {
    within(async {
        let wide = Wide::remote(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
        assert_eq!(wide.sum().await?, 12);
        wide.give_up().await?;
        let exit = wide.exited().await?;
        let cause = exit.kind.cause().expect("a cause");
        assert_eq!(cause.type_name, std::any::type_name::<NoModel>());
        assert_eq!(cause.message, "there is no model 12");
        let none = Wide::with(ActorOptions::new().label("wide"))
            .remote(2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
        let error = none.sum().await.unwrap_err();
        assert_eq!(error.downcast::<NoModel>(), Some(NoModel(13)), "{error}");
        assert!(error.to_string().contains("there is no model 13"), "{error}");
        let ready = none.ready().await.unwrap_err();
        assert_eq!(ready.downcast::<NoModel>(), Some(NoModel(13)), "{ready}");
        Ok(())
    })
    .await
}

/// Its first life begins, no other one does.
struct Fickle;

#[remote(restarts = 1, retries = 2)]
impl Fickle {
    fn new(ctx: &ActorContext<Self>) -> Result<Self, String> {
        match ctx.incarnation().restart {
            0 => Ok(Self),
            _ => Err("once is enough".to_owned()),
        }
    }

    pub(crate) fn falls(&mut self) {
        panic!("it falls");
    }
}

#[raytree::test]
async fn a_call_that_no_life_had_is_told_the_last_end() -> Result<()> {
    within(async {
        for _ in 0..20 {
            let fickle = Fickle::remote();
            let (kind, will_restart) = died(fickle.falls().await);
            assert!(
                matches!(&kind, ExitKind::Constructor(cause) if cause.message == "once is enough"),
                "{kind}"
            );
            assert!(!will_restart);
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn one_that_waits_for_arguments_can_be_killed_stopped_or_dropped() -> Result<()> {
    within(async {
        let (desk, runtime) = (Desk::new(), raytree::current()?);
        let slow = late::remote(desk.key(), 7, 2);
        let make = || Made::remote(desk.key(), 0, &slow, Vec::<u64>::new());
        let (killed, stopped, dropped) = (make(), make(), make());
        let (one, two) = (killed.parts(), stopped.parts());
        assert!(matches!(killed.kill().await?.kind, ExitKind::Killed { .. }));
        assert!(matches!(stopped.stop().await?.kind, ExitKind::Stopped { .. }));
        assert!(matches!(died(one.await), (ExitKind::Killed { .. }, false)));
        assert!(matches!(died(two.await), (ExitKind::Stopped { .. }, false)));
        drop(dropped);
        crate::support::until(|| runtime.actor_count() == 0).await;
        // Nothing comes of the arguments now.
        desk.open(7);
        slow.await?;
        assert_eq!(desk.notes(), [""; 0]);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn calls_made_before_the_last_handle_of_a_waiting_one_was_dropped_are_answered() -> Result<()>
{
    within(async {
        let desk = Desk::new();
        desk.open(0);
        let slow = late::remote(desk.key(), 7, 2);
        let parts = Made::remote(desk.key(), 0, &slow, Vec::<u64>::new()).parts();
        desk.open(7);
        assert_eq!(parts.await?, [2]);
        crate::support::until(|| raytree::current().is_ok_and(|own| own.actor_count() == 0)).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_failed_argument_is_the_constructors_failure() -> Result<()> {
    within(async {
        let desk = Desk::new();
        desk.open(0);
        let made = Made::remote(desk.key(), 0, failing::remote(desk.key(), 7), vec![1]);
        let calls: Vec<_> = (0..3).map(|_| made.parts()).collect();
        let ready = made.ready();
        desk.open(7);
        for call in calls {
            let (kind, will_restart) = died(call.await);
            assert!(matches!(kind, ExitKind::Constructor(_)) && !will_restart, "{kind}");
            assert!(kind.to_string().contains("no such value"), "{kind}");
        }
        assert!(matches!(ready.await, Err(Error::ActorDied { .. })));
        assert!(matches!(made.parts().await, Err(Error::ActorDied { .. })));
        assert_eq!(desk.notes(), [""; 0]);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn an_err_or_panic_of_the_constructor_is_told_to_every_waiting_call() -> Result<()> {
    within(async {
        let desk = Desk::new();
        for (first, said) in [(0, "nothing comes of nothing"), (1, "no good")] {
            let made = Made::remote(desk.key(), first, first, Vec::<u64>::new());
            let calls: Vec<_> = (0..10).map(|_| made.parts()).collect();
            let after_late = made.panic();
            desk.open(first);
            for call in calls {
                let (kind, will_restart) = died(call.await);
                assert!(matches!(kind, ExitKind::Constructor(_)) && !will_restart, "{kind}");
                assert!(kind.to_string().contains(said), "{kind}");
            }
            assert!(!died(after_late.await).1);
            assert!(died(made.ready().await).0.to_string().contains(said));
        }
        assert_eq!(raytree::current()?.actor_count(), 0);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn one_that_is_killed_in_its_constructor_ends_there() -> Result<()> {
    within(async {
        let desk = Desk::new();
        let made = Made::remote(desk.key(), 0, 5, Vec::<u64>::new());
        let parts = made.parts();
        desk.hears("constructing 5").await;
        assert!(matches!(made.kill().await?.kind, ExitKind::Killed { .. }));
        assert!(matches!(died(parts.await), (ExitKind::Killed { .. }, false)));
        Ok(())
    })
    .await
}

/// Its constructor is synchronous and waits.
struct Waits(u64);

#[remote]
impl Waits {
    fn new(value: ObjectRef<u64>) -> Result<Self> {
        value.get().map(Self)
    }

    pub(crate) fn value(&self) -> u64 {
        self.0
    }
}

#[raytree::test(cpus = 1, threads = 1)]
async fn a_synchronous_constructor_may_wait_for_a_task() -> Result<()> {
    within(async {
        assert_eq!(Waits::remote(same::remote(4)).value().await?, 4);
        Ok(())
    })
    .await
}
