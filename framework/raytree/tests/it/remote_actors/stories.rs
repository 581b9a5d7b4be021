//! Random stories over a few actors, held against what is promised: every call is answered once, each caller's calls
//! run in the order in which they were made (OR-1), a call runs at most once without retries (OC-2), nothing is left.

use std::collections::HashMap;

use proptest::prelude::*;
use raytree::prelude::*;
use raytree::{Backoff, Error, Init, Runtime};

use super::subject::{failing, late, same};
use super::{Desk, Subject, SubjectHandle};
use crate::support::until;

const ACTORS: usize = 3;
const GATES: u64 = 4;

/// One step of a story.
#[derive(Clone, Debug)]
enum Step {
    /// A call through a caller of an actor.
    Call {
        actor: usize,
        caller: usize,
        argument: Argument,
    },
    /// An overlapping one that waits for a gate.
    Meet {
        actor: usize,
        gate: u64,
    },
    /// A stream of which some items are read.
    Stream {
        actor: usize,
        items: u64,
        read: usize,
    },
    /// Cancels a call of before.
    Cancel {
        call: usize,
    },
    Panic {
        actor: usize,
    },
    Kill {
        actor: usize,
    },
    Stop {
        actor: usize,
    },
    Open {
        gate: u64,
    },
    /// One more caller.
    Clone {
        actor: usize,
    },
    /// One less.
    Drop {
        actor: usize,
    },
    Host,
    Yield,
}

#[derive(Clone, Debug)]
enum Argument {
    Ready,
    Task,
    Late(u64),
    Failing(u64),
    Counted,
    /// The answer to an earlier call.
    Answer(usize),
}

fn argument() -> impl Strategy<Value = Argument> {
    prop_oneof![
        4 => Just(Argument::Ready),
        2 => Just(Argument::Task),
        2 => (0..GATES).prop_map(Argument::Late),
        1 => (0..GATES).prop_map(Argument::Failing),
        3 => Just(Argument::Counted),
        1 => (0..40usize).prop_map(Argument::Answer),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let actor = || 0..ACTORS;
    prop_oneof![
        20 => (actor(), 0..4usize, argument())
            .prop_map(|(actor, caller, argument)| Step::Call { actor, caller, argument }),
        3 => (actor(), 0..GATES).prop_map(|(actor, gate)| Step::Meet { actor, gate }),
        2 => (actor(), 0..200u64, 0..100usize)
            .prop_map(|(actor, items, read)| Step::Stream { actor, items, read }),
        3 => (0..40usize).prop_map(|call| Step::Cancel { call }),
        2 => actor().prop_map(|actor| Step::Panic { actor }),
        1 => actor().prop_map(|actor| Step::Kill { actor }),
        1 => actor().prop_map(|actor| Step::Stop { actor }),
        2 => (0..GATES).prop_map(|gate| Step::Open { gate }),
        2 => actor().prop_map(|actor| Step::Clone { actor }),
        1 => actor().prop_map(|actor| Step::Drop { actor }),
        1 => Just(Step::Host),
        2 => Just(Step::Yield),
    ]
}

/// How the actors of a story are made.
fn options() -> impl Strategy<Value = ActorOptions> {
    let some = (0..4u32, 0..3u32, prop_oneof![Just(1usize), Just(3)]);
    some.prop_map(|(restarts, retries, overlapping)| {
        ActorOptions::new()
            .restarts(restarts)
            .retries(retries)
            .max_concurrency(overlapping)
            .cpus(0.25)
            .backoff(Backoff::NONE)
    })
}

/// A call with what it is about.
struct Made {
    answer: ObjectRef<u64>,
    /// Actor, caller and number of those that keep an order; none for others.
    value: Option<(usize, usize, u64)>,
}

struct Story {
    runtime: Runtime,
    desk: Desk,
    retries: Vec<u32>,
    callers: Vec<Vec<SubjectHandle>>,
    /// The number of each caller, over all that ever were.
    names: Vec<Vec<usize>>,
    next_name: usize,
    made: Vec<Made>,
    next: u64,
}

impl Story {
    async fn tell(&mut self, steps: Vec<Step>) {
        for step in steps {
            self.step(step).await;
        }
        (0..GATES).for_each(|gate| self.desk.open(gate));
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Call { actor, caller, argument } => self.call(actor, caller, argument),
            Step::Meet { actor, gate } => {
                let Some(handle) = self.callers[actor].first() else { return };
                self.made.push(Made { answer: handle.meet(gate), value: None });
            }
            Step::Stream { actor, items, read } => {
                let Some(handle) = self.callers[actor].first() else { return };
                let mut stream = handle.upto(items);
                // A gate may hold it up: what is not there at once is not read.
                for _ in 0..read {
                    tokio::select! {
                        biased;
                        item = stream.next() => if !matches!(item, Some(Ok(_))) { break },
                        () = tokio::task::yield_now() => break,
                    }
                }
            }
            Step::Cancel { call } => {
                if let Some(made) = self.made.get(call) {
                    made.answer.cancel();
                }
            }
            Step::Panic { actor } => {
                let Some(handle) = self.callers[actor].first() else { return };
                self.made.push(Made { answer: handle.panic("of a story"), value: None });
            }
            Step::Kill { actor } => {
                self.callers[actor].first().into_iter().for_each(|handle| drop(handle.kill()));
            }
            Step::Stop { actor } => {
                self.callers[actor].first().into_iter().for_each(|handle| drop(handle.stop()));
            }
            Step::Open { gate } => self.desk.open(gate),
            Step::Clone { actor } => {
                let Some(handle) = self.callers[actor].first().cloned() else { return };
                self.callers[actor].push(handle);
                self.names[actor].push(self.next_name);
                self.next_name += 1;
            }
            Step::Drop { actor } => {
                self.callers[actor].pop();
                self.names[actor].pop();
            }
            Step::Host => {
                if let Some(host) = self.runtime.probe("node/worker/actor_host")
                    && host.restarts() < 3
                {
                    host.panic_now();
                }
            }
            Step::Yield => tokio::task::yield_now().await,
        }
    }

    fn call(&mut self, actor: usize, caller: usize, argument: Argument) {
        let callers = &self.callers[actor];
        if callers.is_empty() {
            return;
        }
        let caller = caller % callers.len();
        let handle = &callers[caller];
        let (number, key) = (self.next, self.desk.key());
        self.next += 1;
        let (answer, ordered) = match argument {
            Argument::Ready => (handle.noted(number), true),
            Argument::Task => (handle.noted(same::remote(number)), true),
            Argument::Late(gate) => (handle.noted(late::remote(key, gate, number)), true),
            Argument::Failing(gate) => (handle.noted(failing::remote(key, gate)), false),
            Argument::Counted => (handle.keep(self.desk.counted(number)), false),
            Argument::Answer(call) => match self.made.get(call) {
                Some(made) => (handle.push(&made.answer), false),
                None => return,
            },
        };
        let value = ordered.then(|| (actor, self.names[actor][caller], number));
        self.made.push(Made { answer, value });
    }

    /// Everything that was asked is answered, and all is put away.
    async fn end(self) {
        let Self { runtime, desk, retries, callers, made, .. } = self;
        let mut succeeded = Vec::new();
        for Made { answer, value } in &made {
            match (answer.await, value) {
                (Ok(number), Some(value)) => {
                    assert_eq!(number, value.2);
                    succeeded.push(*value);
                }
                (Ok(_), None) | (Err(Error::Cancelled { .. } | Error::ActorDied { .. }), _) => {}
                (Err(Error::TaskFailed { .. }), None) => {}
                (Err(other), _) => panic!("{other}"),
            }
        }
        check_order(&desk, &retries, &made, &succeeded);
        drop((callers, made));
        until(|| runtime.actor_count() == 0 && runtime.task_count() == 0).await;
        until(|| runtime.available_resources() == runtime.cluster_resources()).await;
        desk.all_freed().await;
        desk.runs(0).await;
    }
}

/// What ran, against what was asked.
fn check_order(desk: &Desk, retries: &[u32], made: &[Made], succeeded: &[(usize, usize, u64)]) {
    let asked: HashMap<u64, (usize, usize)> =
        made.iter().filter_map(|made| made.value).map(|(a, caller, n)| (n, (a, caller))).collect();
    let mut runs: HashMap<u64, u32> = HashMap::new();
    // The last number that each caller had run in one life of the actor: a later life may repeat earlier ones.
    let mut last: HashMap<(usize, String), u64> = HashMap::new();
    for note in desk.notes() {
        let Some(ran) = note.strip_prefix("ran ") else { continue };
        let (number, life) = ran.split_once(" in ").expect("a number and a life");
        let number: u64 = number.parse().expect("a number");
        let Some(&(actor, caller)) = asked.get(&number) else { continue };
        let times = runs.entry(number).or_default();
        *times += 1;
        assert!(*times <= 1 + retries[actor], "{number} ran {times} times");
        let before = last.insert((caller, life.to_owned()), number);
        assert!(before.is_none_or(|before| before < number), "{before:?} before {number}");
    }
    for (_, _, number) in succeeded {
        assert!(runs.contains_key(number), "{number} was answered and never ran");
    }
}

fn tell(options: Vec<ActorOptions>, steps: Vec<Step>) {
    let runtime = Init::new().cpus(2.0).threads(2).strict(true).start().expect("a runtime");
    let own = runtime.clone();
    let story = async move {
        let desk = Desk::new();
        let retries = options.iter().map(ActorOptions::retries_max).collect();
        let callers = options
            .into_iter()
            .map(|options| vec![Subject::with(options).remote(desk.key())])
            .collect();
        let names = (0..ACTORS).map(|actor| vec![actor]).collect();
        let (made, next, next_name) = (Vec::new(), 1000, ACTORS);
        let mut story =
            Story { runtime: own, desk, retries, callers, names, next_name, made, next };
        story.tell(steps).await;
        story.end().await;
    };
    let told = runtime.block_on(runtime.tokio().spawn(async move {
        tokio::time::timeout(crate::support::GENEROUS, story).await.expect("nothing hangs");
    }));
    runtime.shutdown();
    if let Err(failed) = told {
        std::panic::resume_unwind(failed.into_panic());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn or_1_oc_1_oc_2_hold_in_every_story(
        options in prop::collection::vec(options(), ACTORS),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        tell(options, steps);
    }
}
