//! Two actors, of which one calls the other.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use futures_util::{Stream, stream};
use raytree::prelude::*;
use raytree::{Error, Result};

use super::super::doors::cut;
use super::super::{Counter, CounterHandle};

/// What is called.
pub(crate) struct Recorder {
    seen: Mutex<Vec<u64>>,
}

#[remote(cpus = 0, restarts = 100, max_concurrency = 8)]
impl Recorder {
    pub(crate) fn new() -> Self {
        Self { seen: Mutex::default() }
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    pub(crate) fn note(&self, number: u64) -> u64 {
        self.seen.lock().expect("a lock").push(number);
        number
    }

    pub(crate) fn seen(&self) -> Vec<u64> {
        self.seen.lock().expect("a lock").clone()
    }

    /// Leaves a line.
    pub(crate) fn writes(&self, file: String) {
        let mut file = OpenOptions::new().create(true).append(true).open(file).expect("a file");
        file.write_all(b"x\n").expect("room");
    }

    /// Says that it has begun, and answers once there is a gate.
    pub(crate) async fn waits(&self, began: String, gate: String) -> u32 {
        fs::write(began, "").expect("a file");
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(5));
        while !Path::new(&gate).exists() {
            looks.tick().await;
        }
        std::process::id()
    }

    pub(crate) fn fails(&self) {
        panic!("it was told to");
    }

    /// References to the same objects, the other way round, and one to an object of its own.
    pub(crate) async fn turns(&self, given: Vec<ObjectRef<u64>>) -> Result<Vec<ObjectRef<u64>>> {
        let mut given = given;
        given.reverse();
        given.push(raytree::put(7_u64).await?);
        Ok(given)
    }

    pub(crate) fn counts(&self, to: u64) -> impl Iterator<Item = u64> {
        0..to
    }

    pub(crate) fn counts_beside(&self, to: u64) -> impl Stream<Item = u64> {
        stream::iter(0..to)
    }

    /// An actor of its own.
    pub(crate) async fn makes(&self) -> Result<CounterHandle> {
        let made = Counter::with(ActorOptions::new().cpus(0.0)).remote(3);
        made.ready().await?;
        Ok(made)
    }
}

/// Who calls.
pub(crate) struct Caller {
    recorder: RecorderHandle,
}

#[remote(cpus = 0, restarts = 100, max_concurrency = 8)]
impl Caller {
    pub(crate) fn new(recorder: RecorderHandle) -> Self {
        Self { recorder }
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }

    /// These numbers, so many of them under way at once.
    pub(crate) async fn notes(&self, from: u64, to: u64, window: usize) -> Result<()> {
        let mut under_way = std::collections::VecDeque::new();
        for number in from..to {
            under_way.push_back((number, self.recorder.note(number)));
            if under_way.len() == window
                && let Some((number, answer)) = under_way.pop_front()
            {
                assert_eq!(answer.await?, number);
            }
        }
        for (number, answer) in under_way {
            assert_eq!(answer.await?, number);
        }
        Ok(())
    }

    /// Goes on and on until there is a gate.
    pub(crate) async fn writes(&self, file: String, gate: String) -> Result<()> {
        while !Path::new(&gate).exists() {
            self.recorder.writes(file.clone()).await?;
        }
        Ok(())
    }

    /// Calls, and says how it has ended.
    pub(crate) async fn waits(&self, began: String, gate: String) -> String {
        told(self.recorder.waits(began, gate).await)
    }

    pub(crate) async fn fails(&self) -> String {
        told(self.recorder.fails().await)
    }

    pub(crate) async fn counts(&self, to: u64) -> Result<u64> {
        let mut items = self.recorder.counts(to);
        let mut sum = 0;
        while let Some(item) = items.next().await {
            sum += item?;
        }
        Ok(sum)
    }

    /// A stream that nobody reads while its life ends and the next one is called; then what has come of it, and how it ends.
    pub(crate) async fn reads_late(&self) -> Result<(u64, String)> {
        let mut items = self.recorder.counts_beside(100_000);
        assert_eq!(items.next().await.transpose()?, Some(0));
        _ = self.recorder.fails().await;
        while self.recorder.note(1).await.is_err() {}
        for next in 1.. {
            match items.next().await.expect("an end with an error") {
                Ok(item) => assert_eq!(item, next, "nothing is left out"),
                Err(error) => return Ok((next, told::<()>(Err(error)))),
            }
        }
        unreachable!("its body goes on and on")
    }

    pub(crate) async fn turns(&self, given: Vec<ObjectRef<u64>>) -> Result<Vec<ObjectRef<u64>>> {
        self.recorder.turns(given).await
    }

    /// What an object and an actor of the other side's own have to say.
    pub(crate) async fn asks_theirs(&self) -> Result<(u64, u64, u64)> {
        let objects = self.recorder.turns(Vec::<ObjectRef<u64>>::new()).await?;
        let own = objects[0].clone().await?;
        let made = self.recorder.makes().await?;
        let sum = made.add(4).await?;
        let mut items = made.counts(10);
        let mut count = 0;
        while let Some(item) = items.next().await {
            count += item?;
        }
        Ok((own, sum, count))
    }

    /// Cuts its connection with whoever listens at a port: how many there were.
    pub(crate) fn cuts(&self, port: u16) -> usize {
        cut(std::process::id(), port)
    }
}

pub(super) fn told<T: std::fmt::Debug>(answer: Result<T>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(Error::ActorDied { will_restart, .. }) => format!("died, will_restart={will_restart}"),
        Err(other) => other.to_string(),
    }
}
