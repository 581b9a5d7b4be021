//! What must hold, by what really runs.

use super::super::super::{Event, Phase};
use super::{Call, End, Outcome, TaskId, World};

impl World {
    pub(super) fn check_begin(&self, id: TaskId) {
        let story = &self.tasks[id];
        assert!(!story.cancelled, "TK-4: task {id} runs after it was cancelled");
        assert_eq!(story.missing, 0, "task {id} begins without its arguments");
        let runs = story.errors + story.lost;
        assert_eq!(story.task.run(), runs, "task {id} has miscounted its runs");
        let within = |bound: u32, used: u32| bound == u32::MAX || used <= bound;
        let bounded =
            within(story.retries.errors, story.errors) && within(story.retries.lost, story.lost);
        assert!(bounded, "TK-3: task {id} after {} errors and {} losses", story.errors, story.lost);
        assert!(self.bodies_of(id).is_empty(), "TK-2: task {id} runs already");
    }

    /// Bodies of a task that may still do something to the world of the owner.
    pub(super) fn bodies_of(&self, id: TaskId) -> Vec<Call> {
        let living = self.workers.iter().filter(|worker| worker.alive && !worker.fenced);
        let bodies = living.flat_map(|worker| worker.bodies.iter().copied());
        bodies.filter(|call| self.calls[*call as usize].0 == id).collect()
    }

    /// What somebody wants is done, unless the task has ended, or it is too late for it.
    pub(super) fn check_ignored(&self, id: TaskId, event: Event) {
        let story = &self.tasks[id];
        let fine = story.end.is_some()
            || match event {
                Event::ArgumentReady => story.missing > 0,
                Event::QueueExpired => story.call.is_some() || story.errors + story.lost > 0,
                Event::RunExpired { .. } => true,
                _ => false,
            };
        assert!(fine, "{event:?} is ignored by task {id}: {:?}", story.task);
    }

    /// What a task is resolved with is what the body of its last run came to.
    pub(super) fn check_answer(&self, end: End) {
        match end {
            End::Value(call) => {
                assert_eq!(self.calls[call as usize].1, Some(Outcome::Value), "TK-1: call {call}");
            }
            End::Error(call) => {
                let error = matches!(self.calls[call as usize].1, Some(Outcome::Error { .. }));
                assert!(error, "TK-1: call {call}");
            }
            End::Lost => {}
            other => panic!("{other:?} is no answer"),
        }
    }

    /// After every event.
    pub(super) fn check_all(&self) {
        for (id, story) in self.tasks.iter().enumerate() {
            let done = story.task.phase() == Phase::Done;
            assert_eq!(story.end.is_some(), done, "TK-1: task {id} is {:?}", story.task);
            let running = story.task.phase() == Phase::Running;
            assert_eq!(story.call.is_some(), running, "task {id} is {:?}", story.task);
            let in_line = self.line.contains(&id);
            assert_eq!(
                in_line,
                story.task.phase() == Phase::Queued,
                "task {id} in line: {in_line}"
            );
        }
        let mut running: Vec<TaskId> = Vec::new();
        for worker in self.workers.iter().filter(|worker| worker.alive && !worker.fenced) {
            running.extend(worker.bodies.iter().map(|call| self.calls[*call as usize].0));
        }
        running.retain(|id| self.tasks[*id].end.is_none());
        let bodies = running.len();
        running.sort_unstable();
        running.dedup();
        assert_eq!(running.len(), bodies, "TK-2: two bodies of one task run");
    }

    /// When the faults are long over everything is resolved, and every body that was given up has ended.
    pub(super) fn check_the_end(&self) {
        for (id, story) in self.tasks.iter().enumerate() {
            assert!(story.end.is_some(), "TK-1: task {id} was forgotten: {:?}", story.task);
        }
        assert_eq!(self.asked.len(), 0, "a landing is left");
        assert_eq!(self.abandoned, 0, "a body that was given up is still counted");
    }
}
