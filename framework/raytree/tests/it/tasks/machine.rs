//! The task table and the engine's task tell the same story: random events through both.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use raytree::prelude::*;
use raytree::{Error, Result};
use raytree_engine::task::{Effect, Event, Phase, Retries, Task as Machine};
use serde::{Deserialize, Serialize};

use super::gate::*;
use crate::support::until;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("worth another run")]
struct Worth;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("not worth another run")]
struct Worthless;

/// What a run does when it is let go.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Act {
    Return,
    Worth,
    Worthless,
    Panic,
}

fn perform(acts: &[Act], run: u32) -> Result<u32, BoxError> {
    match acts[run as usize] {
        Act::Return => Ok(run),
        Act::Worth => Err(Box::new(Worth)),
        Act::Worthless => Err(Box::new(Worthless)),
        Act::Panic => panic!("on purpose"),
    }
}

/// The kind of its error is what the policy knows it by.
fn sorted(acts: &[Act], run: u32) -> Result<Result<u32, Worth>, Worthless> {
    match perform(acts, run) {
        Ok(run) => Ok(Ok(run)),
        Err(error) if error.is::<Worth>() => Ok(Err(Worth)),
        Err(_) => Err(Worthless),
    }
}

#[remote(cpus = 0)]
async fn act_async(
    args: Vec<u64>,
    gates: Vec<Gate>,
    acts: Vec<Act>,
    ctx: &TaskContext,
) -> Result<u32, Worth> {
    drop(args);
    gates[ctx.run() as usize].pass().await;
    sorted(&acts, ctx.run()).unwrap_or_else(|error| panic!("{error}"))
}

#[remote(cpus = 0)]
fn act_sync(
    args: Vec<u64>,
    gates: Vec<Gate>,
    acts: Vec<Act>,
    ctx: &TaskContext,
) -> Result<u32, Worth> {
    drop(args);
    gates[ctx.run() as usize].pass_blocking();
    sorted(&acts, ctx.run()).unwrap_or_else(|error| panic!("{error}"))
}

#[remote(cpus = 0)]
async fn argument(gate: Gate, ok: bool) -> Result<u64, Worthless> {
    gate.pass().await;
    if ok { Ok(1) } else { Err(Worthless) }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Expiry {
    Never,
    InLine,
    Running,
}

#[derive(Clone, Debug)]
struct Story {
    /// Whether each argument comes or fails.
    args: Vec<bool>,
    acts: Vec<Act>,
    retries: u32,
    /// Only `Worth` is worth another run; else everything is.
    picky: bool,
    is_sync: bool,
    cancel_after: Option<usize>,
    expiry: Expiry,
}

fn stories() -> impl Strategy<Value = Story> {
    let act = prop_oneof![
        2 => Just(Act::Return), 3 => Just(Act::Worth), 1 => Just(Act::Worthless), 1 => Just(Act::Panic)
    ];
    let expiry = prop_oneof![
        6 => Just(Expiry::Never), 1 => Just(Expiry::InLine), 1 => Just(Expiry::Running)
    ];
    (
        prop::collection::vec(prop::bool::weighted(0.85), 0..4),
        prop::collection::vec(act, 4),
        0_u32..3,
        any::<bool>(),
        any::<bool>(),
        prop::option::weighted(0.3, 0_usize..6),
        expiry,
    )
        .prop_map(|(args, acts, retries, picky, is_sync, cancel_after, expiry)| Story {
            args,
            acts,
            retries,
            picky,
            is_sync,
            cancel_after: cancel_after.filter(|_| expiry == Expiry::Never),
            expiry,
        })
}

/// Both sides of one story.
struct Drive<'a> {
    story: &'a Story,
    machine: Machine,
    retries: Retries,
    gates: Vec<Gate>,
    reference: ObjectRef<u32>,
    /// The event that resolved it, and in which run.
    end: Option<(Event, u32)>,
}

impl Drive<'_> {
    /// The engine first; then the runtime is waited for to be where the engine says.
    async fn apply(&mut self, event: Event) {
        let run = self.machine.run();
        let (next, effect) = self.machine.step(event, self.retries);
        self.machine = next;
        if matches!(effect, Effect::Resolve | Effect::Abandon) {
            assert!(self.end.is_none(), "TK-1");
            self.end = Some((event, run));
            until(|| self.reference.is_ready()).await;
        }
        self.begin().await;
    }

    /// There is room, so whoever may run runs.
    async fn begin(&mut self) {
        if self.machine.phase() == Phase::Queued && self.story.expiry != Expiry::InLine {
            let (next, effect) = self.machine.step(Event::Begin, self.retries);
            assert_eq!(effect, Effect::Run);
            self.machine = next;
            let gate = self.gates[self.machine.run() as usize];
            // So short a limit may be over before the body begins.
            let is_over = || self.story.expiry == Expiry::Running && self.reference.is_ready();
            until(|| gate.book().begun > 0 || is_over()).await;
        }
        // A limit of time may be over before the engine hears of it.
        if self.story.expiry == Expiry::Never {
            assert_eq!(self.reference.is_ready(), self.machine.phase() == Phase::Done);
        }
    }

    fn worth(&self, act: Act) -> bool {
        self.retries.errors > 0 && (!self.story.picky || act == Act::Worth)
    }

    async fn maybe_cancel(&mut self, step: usize) {
        if self.story.cancel_after == Some(step) {
            self.reference.cancel();
            self.apply(Event::Cancel).await;
        }
    }

    /// Lets the present run go on.
    async fn let_go(&mut self) {
        let run = self.machine.run() as usize;
        let act = self.story.acts[run];
        self.gates[run].open();
        let event = match act {
            Act::Return => Event::Returned,
            act => Event::Failed { worth_a_retry: self.worth(act) },
        };
        self.apply(event).await;
    }
}

/// Plays the story, and gives back how it ended.
async fn play(story: &Story) -> (Option<(Event, u32)>, Result<u32>, usize) {
    let arg_gates: Vec<_> = story.args.iter().map(|_| Gate::new()).collect();
    let args: Vec<_> =
        story.args.iter().zip(&arg_gates).map(|(ok, gate)| argument::remote(*gate, *ok)).collect();
    let gates: Vec<_> = story.acts.iter().map(|_| Gate::new()).collect();
    let mut options = TaskOptions::new().retry_errors(story.retries);
    if story.picky {
        options = options.retry_on::<Worth>();
    }
    options = match story.expiry {
        Expiry::Never => options,
        Expiry::InLine => options.queue_timeout(Duration::from_millis(1)),
        Expiry::Running => options.timeout(Duration::from_millis(1)),
    };
    let task = if story.is_sync { act_sync::task() } else { act_async::task() };
    let reference = task.with(options).remote(args.clone(), gates.clone(), story.acts.clone());
    let retries = Retries { lost: 3, errors: story.retries };
    let machine = Machine::new(u32::try_from(args.len()).expect("few"));
    let mut drive = Drive { story, machine, retries, gates: gates.clone(), reference, end: None };
    if story.expiry == Expiry::InLine {
        if machine.phase() == Phase::Waiting {
            drive.apply(Event::QueueExpired).await;
        }
    } else {
        drive.begin().await;
        drive.maybe_cancel(0).await;
        for (index, (ok, gate)) in story.args.iter().zip(&arg_gates).enumerate() {
            gate.open();
            until(|| args[index].is_ready()).await;
            drive.apply(if *ok { Event::ArgumentReady } else { Event::ArgumentFailed }).await;
            drive.maybe_cancel(index + 1).await;
        }
        if story.expiry == Expiry::Running {
            let run = drive.machine.run();
            drive.apply(Event::RunExpired { run }).await;
        }
        let mut step = story.args.len() + 1;
        while drive.machine.phase() == Phase::Running {
            drive.maybe_cancel(step).await;
            step += 1;
            if drive.machine.phase() == Phase::Running {
                drive.let_go().await;
            }
        }
    }
    // Whatever still runs or waits is let go.
    gates.iter().chain(&arg_gates).for_each(|gate| gate.open());
    let result = (&drive.reference).await;
    let runs = gates.iter().map(|gate| gate.book().begun).sum();
    (drive.end, result, runs)
}

/// What a caller is told when `event` was the last one.
fn fits(story: &Story, end: (Event, u32), result: &Result<u32>) -> bool {
    let (event, run) = end;
    match (event, result) {
        (Event::Returned, Ok(value)) => *value == run,
        (Event::ArgumentFailed, Err(error)) => error.downcast::<Worthless>().is_some(),
        (Event::Cancel, Err(Error::Cancelled { .. }))
        | (Event::QueueExpired, Err(Error::QueueTimeout { .. }))
        | (Event::RunExpired { .. }, Err(Error::Timeout { .. })) => true,
        (Event::Failed { .. }, Err(error @ Error::TaskFailed { .. })) => {
            let is_worth = story.acts[run as usize] == Act::Worth;
            error.downcast::<Worth>().is_some() == is_worth
        }
        _ => false,
    }
}

#[raytree::test]
fn tk_1_2_3_4_the_runtime_and_the_engine_tell_one_story() -> Result<()> {
    let runtime = raytree::current()?;
    let mut runner =
        TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&stories(), |story| {
        let (end, result, runs) = runtime.block_on(within(play(&story)));
        match end {
            Some(end) => {
                prop_assert!(fits(&story, end, &result), "{:?}: {:?}", end, result);
                let begun = end.1 as usize + 1;
                let never_ran = matches!(end.0, Event::ArgumentFailed | Event::QueueExpired);
                let may_not_run = story.expiry == Expiry::Running;
                if !never_ran && !may_not_run && !matches!(end.0, Event::Cancel) {
                    prop_assert_eq!(runs, begun, "TK-3");
                } else {
                    prop_assert!(runs <= begun, "TK-4: {} runs", runs);
                }
            }
            None => prop_assert!(story.expiry == Expiry::InLine, "it never ended: {:?}", result),
        }
        runtime.block_on(at_rest(&runtime));
        Ok(())
    });
    assert!(ran.is_ok(), "{}", ran.unwrap_err());
    Ok(())
}
