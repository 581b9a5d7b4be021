//! The owner of the tasks: what the shell around their words does.

use super::super::super::{Effect, Event, Phase, Retries, Task};
use super::{Call, End, Happens, Outcome, PLACES, Pid, Story, TaskId, Worker, World};
use crate::sim::{MILLI, SECOND};

impl World {
    pub(super) fn submit(&mut self) {
        self.figures.count("tasks");
        let id = self.tasks.len();
        let missing = if self.rng.percent(40) { self.rng.between(1, 3) as u32 } else { 0 };
        let retries = Retries {
            lost: [0, 1, 3, u32::MAX][self.rng.index(4)],
            errors: [0, 0, 1, 3][self.rng.index(4)],
        };
        let limit = self.rng.between(10 * MILLI, 400 * MILLI);
        self.tasks.push(Story {
            task: Task::new(missing),
            retries,
            call: None,
            run_limit: self.rng.percent(30).then_some(limit),
            errors: 0,
            lost: 0,
            missing,
            may_follow: false,
            cancelled: false,
            end: None,
        });
        for _ in 0..missing {
            let (delay, fine) = (self.rng.between(0, 500 * MILLI), self.rng.percent(93));
            self.after(delay, Happens::Argument(id, fine));
        }
        if missing == 0 {
            self.line.push_back(id);
        }
        if self.rng.percent(20) {
            let delay = self.rng.between(0, SECOND);
            self.after(delay, Happens::Cancel(id));
        }
        if self.rng.percent(20) {
            let delay = self.rng.between(MILLI, 600 * MILLI);
            self.after(delay, Happens::QueueTimer(id));
        }
        if self.rng.percent(20) {
            let delay = self.rng.between(0, 600 * MILLI);
            self.after(delay, Happens::Waited(id));
        }
    }

    /// Tells a task, as its cell does; what is left to do is the caller's.
    pub(super) fn step(&mut self, id: TaskId, event: Event) -> Effect {
        let story = &mut self.tasks[id];
        let before = story.task;
        let (next, effect) = before.step(event, story.retries);
        assert_eq!(Task::from_bits(next.to_bits()), next);
        story.task = next;
        if self.tells {
            println!("          task {id}: {event:?} in {:?}: {effect:?}", before.phase());
        }
        effect
    }

    /// An event from outside: of its arguments, of whoever wants it no more, of a clock.
    pub(super) fn bring(&mut self, id: TaskId, event: Event, end: End) {
        match self.step(id, event) {
            Effect::Queue => self.line.push_back(id),
            Effect::Resolve => self.resolve(id, end),
            Effect::Abandon => {
                self.abandoned += 1;
                self.resolve(id, end);
                let (pid, call) = self.tasks[id].call.take().expect("a run to abandon");
                let delay = self.delay();
                self.after(delay, Happens::Withdraw(pid, call));
                // With its landing goes the run, as far as the owner is concerned.
                if self.asked.remove(&call).is_some() {
                    self.workers[pid].taken -= 1;
                    self.run_over(id, call, Event::Returned);
                }
            }
            Effect::None => self.check_ignored(id, event),
            Effect::Run | Effect::Ask | Effect::Discard => {
                panic!("{event:?} of task {id}: {:?}", Effect::Run)
            }
        }
    }

    pub(super) fn resolve(&mut self, id: TaskId, end: End) {
        let running = self.tasks[id].call.is_some();
        self.figures.count(match end {
            End::Value(_) => "returned",
            End::Error(_) => "failed for good",
            End::ArgumentFailed => "arguments failed",
            End::Lost => "lost for good",
            End::Cancelled if running => "cancelled running",
            End::Cancelled => "cancelled waiting",
            End::QueueExpired => "queued too long",
            End::RunExpired => "ran too long",
        });
        let story = &mut self.tasks[id];
        assert_eq!(story.end, None, "TK-1: task {id} is resolved again: {end:?}");
        assert_eq!(story.task.phase(), Phase::Done, "TK-1: task {id}");
        if end == End::QueueExpired {
            assert_eq!((story.errors, story.lost), (0, 0), "task {id} had run");
        }
        story.cancelled |= end == End::Cancelled;
        story.end = Some(end);
        self.line.retain(|waiting| *waiting != id);
    }

    /// Gives the free places to those in line.
    pub(super) fn give_out(&mut self) {
        let free = |worker: &Worker| worker.alive && !worker.fenced && worker.taken < PLACES;
        while let Some(pid) = self.workers.iter().position(free) {
            let Some(id) = self.line.front().copied() else { return };
            assert!(self.begins(id, pid), "task {id} was in line");
        }
    }

    /// Somebody begins a task whose result he waits for, out of its turn; it may be anywhere in its life.
    pub(super) fn begins_in_a_wait(&mut self, id: TaskId) {
        let place = self.workers.iter().position(|worker| worker.alive && !worker.fenced);
        if let Some(pid) = place {
            let queued = self.line.contains(&id);
            assert_eq!(self.begins(id, pid), queued, "TK-2: task {id} begins");
        }
    }

    fn begins(&mut self, id: TaskId, pid: Pid) -> bool {
        let before = self.tasks[id].task;
        if self.step(id, Event::Begin) != Effect::Run {
            assert_eq!(self.tasks[id].task, before, "nothing has begun, and task {id} has changed");
            return false;
        }
        self.check_begin(id);
        self.figures.count("runs");
        self.line.retain(|waiting| *waiting != id);
        let call = self.calls.len() as Call;
        self.calls.push((id, None));
        self.asked.insert(call, (id, pid));
        self.workers[pid].taken += 1;
        let story = &mut self.tasks[id];
        story.call = Some((pid, call));
        story.may_follow = story.task.may_run_again(story.retries);
        if let Some(limit) = story.run_limit {
            let run = story.task.run();
            self.after(limit, Happens::RunTimer(id, run, call));
        }
        for _ in 0..=u64::from(self.rng.percent(15)) {
            let delay = self.delay();
            self.after(delay, Happens::Order(pid, call));
        }
        true
    }

    /// A timer that nobody has taken back counts for the run that it was set for.
    pub(super) fn run_timer(&mut self, id: TaskId, run: u32, call: Call) {
        let present = self.tasks[id].call.is_some_and(|(_, present)| present == call);
        let before = self.tasks[id].end;
        self.bring(id, Event::RunExpired { run }, End::RunExpired);
        let after = self.tasks[id].end;
        if present {
            assert_eq!((before, after), (None, Some(End::RunExpired)), "task {id} runs on");
        } else {
            assert_eq!(before, after, "a timer of run {run} ended task {id}");
            self.figures.count("old timers");
        }
    }

    /// An answer counts once, and only for the run that it is of.
    pub(super) fn answered(&mut self, call: Call, outcome: Outcome) {
        let Some((id, pid)) = self.asked.remove(&call) else {
            let gone = self.tasks[self.calls[call as usize].0].call;
            let late = gone.is_some_and(|(_, newer)| newer != call);
            self.figures.count(if late { "answers too late" } else { "repeated answers" });
            return;
        };
        self.workers[pid].taken -= 1;
        self.run_over(
            id,
            call,
            match outcome {
                Outcome::Value => Event::Returned,
                Outcome::Error { worth_a_retry } => Event::Failed { worth_a_retry },
            },
        );
    }

    /// A run has ended: with an answer, with its worker, or because nobody waits for it.
    pub(super) fn run_over(&mut self, id: TaskId, call: Call, event: Event) {
        let story = &mut self.tasks[id];
        story.errors += u32::from(event == Event::Failed { worth_a_retry: true });
        story.lost += u32::from(event == Event::WorkerLost);
        match self.step(id, event) {
            Effect::Queue => {
                assert!(self.tasks[id].may_follow, "TK-3: task {id} was not kept for another run");
                self.tasks[id].call = None;
                self.figures.count(match event {
                    Event::WorkerLost => "run again",
                    _ => "tried again",
                });
                self.line.push_back(id);
            }
            Effect::Resolve => {
                let end = match event {
                    Event::Returned => End::Value(call),
                    Event::WorkerLost => End::Lost,
                    _ => End::Error(call),
                };
                self.resolve(id, end);
                self.check_answer(end);
                self.tasks[id].call = None;
            }
            Effect::Discard => {
                self.figures.count("discarded");
                self.abandoned -= 1;
            }
            other => panic!("{event:?} of task {id}: {other:?}"),
        }
    }
}
