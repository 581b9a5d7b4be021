//! The books of resources: whatever tasks do, at the end everything is there again, and never is more used than exists.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use raytree::Result;
use raytree::prelude::*;
use serde::{Deserialize, Serialize};

use super::gate::*;

/// What bodies of one story hold, and the most they ever held, in thousandths by name.
type Used = HashMap<String, (u64, u64)>;

static USED: LazyLock<Mutex<HashMap<Gate, Used>>> = LazyLock::new(Mutex::default);

/// A body that runs holds what its task asked for.
struct Holds(Gate, Resources);

impl Holds {
    fn begin(story: Gate, ctx: &TaskContext) -> Self {
        let held = ctx.resources();
        let mut used = USED.lock().unwrap_or_else(PoisonError::into_inner);
        let used = used.entry(story).or_default();
        for (name, amount) in held.iter() {
            let (now, most) = used.entry(name.to_owned()).or_default();
            *now += amount;
            *most = (*most).max(*now);
        }
        Self(story, held)
    }
}

impl Drop for Holds {
    fn drop(&mut self) {
        let mut used = USED.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, amount) in self.1.iter() {
            let (now, _) = used.entry(self.0).or_default().entry(name.to_owned()).or_default();
            *now -= amount;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Act {
    Return,
    Fail,
    Panic,
    /// Asks a child and waits for it.
    Wait,
    /// Does not end by itself.
    Hang,
}

#[derive(Clone, Copy, Debug)]
enum Demand {
    Plain,
    Half,
    Third,
    Two,
    Slot,
    Gpu,
    Nothing,
}

impl Demand {
    fn options(self) -> TaskOptions {
        let options = TaskOptions::new();
        match self {
            Self::Plain => options,
            Self::Half => options.cpus(0.5),
            Self::Third => options.cpus(0.333),
            Self::Two => options.cpus(2.0),
            Self::Slot => options.resource("slot", 1.0),
            Self::Gpu => options.cpus(0.0).gpus(0.4),
            Self::Nothing => options.cpus(0.0),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct One {
    demand: Demand,
    child: Demand,
    act: Act,
    is_sync: bool,
    retries: u32,
    cancel: bool,
    limit: bool,
}

#[remote]
fn leaf(story: Gate, ctx: &TaskContext) -> u64 {
    let _holds = Holds::begin(story, ctx);
    1
}

fn child(which: u8) -> Task<(Gate,), u64> {
    let demands = [
        Demand::Plain,
        Demand::Half,
        Demand::Third,
        Demand::Two,
        Demand::Slot,
        Demand::Gpu,
        Demand::Nothing,
    ];
    leaf::with(demands[which as usize].options())
}

#[remote]
fn act_sync(act: Act, which: u8, story: Gate, ctx: &TaskContext) -> Result<u64, BoxError> {
    let _holds = Holds::begin(story, ctx);
    match act {
        Act::Return => Ok(1),
        Act::Fail => Err("failed".into()),
        Act::Panic => panic!("on purpose"),
        Act::Wait => Ok(child(which).remote(story).get()?),
        Act::Hang => {
            while !ctx.is_cancelled() && !story.book().open {
                std::thread::yield_now();
            }
            Ok(1)
        }
    }
}

#[remote]
async fn act_async(act: Act, which: u8, story: Gate, ctx: &TaskContext) -> Result<u64, BoxError> {
    let _holds = Holds::begin(story, ctx);
    tokio::task::yield_now().await;
    match act {
        Act::Return => Ok(1),
        Act::Fail => Err("failed".into()),
        Act::Panic => panic!("on purpose"),
        Act::Wait => Ok(child(which).remote(story).await?),
        Act::Hang => {
            story.until(|book| book.open).await;
            Ok(1)
        }
    }
}

fn ones(waiting: bool) -> impl Strategy<Value = Vec<One>> {
    let of_cpu = || {
        prop_oneof![
            3 => Just(Demand::Plain),
            1 => Just(Demand::Half),
            1 => Just(Demand::Third),
            1 => Just(Demand::Two),
            1 => Just(Demand::Nothing)
        ]
    };
    let demand = prop_oneof![5 => of_cpu(), 1 => Just(Demand::Slot), 1 => Just(Demand::Gpu)];
    // Only CPUs are lent: one that waits with a slot for one that needs it waits for ever.
    let child = of_cpu();
    let waits = if waiting { Act::Wait } else { Act::Return };
    let act = prop_oneof![
        1 => Just(Act::Return),
        1 => Just(Act::Fail),
        1 => Just(Act::Panic),
        2 => Just(waits),
        1 => Just(Act::Hang)
    ];
    let one = (demand, child, act, any::<bool>(), 0_u32..3, any::<bool>(), any::<bool>()).prop_map(
        |(demand, child, act, is_sync, retries, cancel, limit)| One {
            demand,
            child,
            act,
            is_sync,
            retries,
            cancel,
            limit,
        },
    );
    prop::collection::vec(one, 1..40)
}

fn submit(one: One, story: Gate) -> ObjectRef<u64> {
    let mut options = one.demand.options().retry_errors(one.retries);
    if one.limit {
        options =
            options.timeout(Duration::from_micros(500)).queue_timeout(Duration::from_millis(2));
    }
    let task = if one.is_sync { act_sync::task() } else { act_async::task() };
    let reference = task.with(options).remote(one.act, one.child as u8, story);
    if one.cancel && one.act != Act::Return {
        reference.cancel();
    }
    reference
}

fn story(runtime: &Runtime, ones: &[One]) -> Used {
    let story = Gate::new();
    runtime.block_on(within(async {
        let refs: Vec<_> = ones.iter().map(|one| submit(*one, story)).collect();
        let ends = |one: &One| one.act != Act::Hang || one.cancel || one.limit;
        // Those that hang hold what they hold; the others may need just that.
        let hang = ones.iter().any(|one| !ends(one));
        if hang {
            story.open();
        }
        for reference in refs {
            // Any outcome is right; that there is one is what counts.
            _ = reference.await;
        }
        at_rest(runtime).await;
    }));
    USED.lock().unwrap_or_else(PoisonError::into_inner).remove(&story).unwrap_or_default()
}

#[raytree::test(cpus = 3, gpus = 1, resources(slot = 2))]
fn pl_1_never_is_more_in_use_than_there_is() -> Result<()> {
    let runtime = raytree::current()?;
    let total = runtime.cluster_resources();
    let mut runner =
        TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&ones(false), |ones| {
        for (name, (now, most)) in story(&runtime, &ones) {
            prop_assert!(most <= total.thousandths(&name), "{} thousandths of {}", most, name);
            prop_assert_eq!(now, 0);
        }
        Ok(())
    });
    assert!(ran.is_ok(), "{}", ran.unwrap_err());
    Ok(())
}

#[raytree::test(cpus = 3, gpus = 1, resources(slot = 2))]
fn nl_2_with_tasks_that_wait_everything_comes_back_too() -> Result<()> {
    let runtime = raytree::current()?;
    let total = runtime.cluster_resources();
    let mut runner =
        TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&ones(true), |ones| {
        let used = story(&runtime, &ones);
        // Only CPUs are lent.
        for (name, (_, most)) in used.iter().filter(|(name, _)| *name != "CPU") {
            prop_assert!(*most <= total.thousandths(name), "{} thousandths of {}", most, name);
        }
        Ok(())
    });
    assert!(ran.is_ok(), "{}", ran.unwrap_err());
    Ok(())
}

#[raytree::test(cpus = 2)]
async fn nl_1_no_cpu_idles_while_somebody_waits() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let story = Gate::new();
        for round in 0..200_u64 {
            let demands = [Demand::Plain, Demand::Two, Demand::Half, Demand::Plain, Demand::Third];
            let refs: Vec<_> = (0..10)
                .map(|index| {
                    let demand = demands[(round as usize + index) % demands.len()];
                    leaf::with(demand.options()).remote(story)
                })
                .collect();
            assert_eq!(raytree::get_all(refs).await?, [1; 10]);
        }
        at_rest(&runtime).await;
        Ok(())
    })
    .await
}
