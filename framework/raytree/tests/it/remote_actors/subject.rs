//! The actor that most tests use: it does as it is told.

use futures_util::Stream;
use raytree::prelude::*;
use raytree::{Error, Result};

use super::{Counted, Key};

#[remote]
pub(crate) fn same(value: u64) -> u64 {
    value
}

/// A value that comes once its gate is open.
#[remote(cpus = 0)]
pub(crate) async fn late(desk: Key, gate: u64, value: u64) -> u64 {
    desk.desk().gate(gate).wait().await;
    value
}

/// An error that comes once its gate is open.
#[remote(cpus = 0)]
pub(crate) async fn failing(desk: Key, gate: u64) -> Result<u64, String> {
    desk.desk().gate(gate).wait().await;
    Err("no such value".to_owned())
}

/// Calls the actor itself, from a task.
#[remote(cpus = 0)]
pub(crate) async fn pushed(subject: SubjectHandle, value: u64) -> Result<u64> {
    subject.push(value).await
}

pub(crate) struct Subject {
    desk: Key,
    seen: Vec<u64>,
    kept: Vec<Counted>,
    child: Option<ToyHandle>,
}

/// Notes when it is gone.
struct Gone(Key, u64);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.desk().note(format!("dropped {}", self.1));
    }
}

#[remote(cpus = 0)]
impl Subject {
    pub(crate) fn new(desk: Key, ctx: &ActorContext<Self>) -> Self {
        desk.desk().note(format!("up {}", ctx.incarnation().restart));
        Self { desk, seen: Vec::new(), kept: Vec::new(), child: None }
    }

    pub(crate) fn push(&mut self, value: u64) -> u64 {
        self.seen.push(value);
        value
    }

    /// Says that it ran, and in which life.
    pub(crate) fn noted(&mut self, value: u64, ctx: &ActorContext<Self>) -> u64 {
        self.note(format!("ran {value} in {}", ctx.incarnation()));
        value
    }

    pub(crate) fn push_all(&mut self, values: Vec<u64>) {
        self.seen.extend(values);
    }

    pub(crate) fn push_lent(&mut self, values: &[u64], more: Shared<u64>) {
        self.seen.extend(values);
        self.seen.push(*more);
    }

    pub(crate) fn keep(&mut self, value: Counted) -> u64 {
        let number = value.value;
        self.kept.push(value);
        number
    }

    pub(crate) fn seen(&self) -> Vec<u64> {
        self.seen.clone()
    }

    /// Pushes once the gate is open.
    pub(crate) async fn push_later(&mut self, gate: u64, value: u64) -> u64 {
        self.note(format!("began {value}"));
        let gone = Gone(self.desk, value);
        self.desk.desk().gate(gate).wait().await;
        std::mem::forget(gone);
        self.push(value)
    }

    /// Pushes once the task has pushed the value before, by a call of its own.
    pub(crate) async fn take(&mut self, value: ObjectRef<u64>) -> Result<u64> {
        Ok(self.push(value.await?))
    }

    /// Runs beside others until the gate is open.
    pub(crate) async fn meet(&self, gate: u64) -> u64 {
        let _body = self.desk.desk().body();
        let gone = Gone(self.desk, gate);
        self.desk.desk().gate(gate).wait().await;
        std::mem::forget(gone);
        gate
    }

    /// The same on a thread of its own.
    #[remote(blocking)]
    pub(crate) fn block_beside(&self, gate: u64) -> u64 {
        let _body = self.desk.desk().body();
        self.note(format!("blocks {gate}"));
        self.desk.desk().gate(gate).block();
        gate
    }

    /// Holds its thread until the gate is open.
    #[remote(blocking)]
    pub(crate) fn block(&mut self, gate: u64) -> u64 {
        let _body = self.desk.desk().body();
        self.note(format!("blocks {gate}"));
        self.desk.desk().gate(gate).block();
        self.note(format!("unblocked {gate}"));
        self.push(gate)
    }

    /// Gets a value in synchronous code.
    pub(crate) fn get(&mut self, value: ObjectRef<u64>) -> Result<u64> {
        Ok(self.push(value.get()?))
    }

    #[remote(blocking)]
    pub(crate) fn get_beside(&self, value: ObjectRef<u64>) -> Result<u64> {
        let _body = self.desk.desk().body();
        value.get()
    }

    /// Tries the same in async code.
    pub(crate) async fn get_in_async(&self, value: ObjectRef<u64>) -> Result<u64> {
        value.get()
    }

    /// Calls the next of a chain, in synchronous code.
    pub(crate) fn chain(&mut self, mut others: Vec<SubjectHandle>) -> Result<u64> {
        match others.pop() {
            Some(next) => Ok(1 + next.chain(others).get()?),
            None => Ok(1),
        }
    }

    pub(crate) fn panic(&mut self, word: String) -> u64 {
        panic!("{word}")
    }

    /// Panics in every life but that one.
    pub(crate) fn panic_until(
        &mut self,
        life: u64,
        value: Counted,
        ctx: &ActorContext<Self>,
    ) -> u64 {
        let restart = u64::from(ctx.incarnation().restart);
        self.note(format!("tried {} in {restart}", value.value));
        assert!(restart >= life, "not yet");
        value.value
    }

    pub(crate) async fn panic_beside(&self, gate: u64) {
        let _body = self.desk.desk().body();
        self.desk.desk().gate(gate).wait().await;
        panic!("beside others");
    }

    pub(crate) fn life(&self, ctx: &ActorContext<Self>) -> u32 {
        ctx.incarnation().restart
    }

    /// Ends itself.
    pub(crate) fn leave(&mut self, ctx: &ActorContext<Self>) {
        ctx.stop("had enough");
    }

    pub(crate) fn fail(&mut self, ctx: &ActorContext<Self>) {
        ctx.fail("the shard is gone");
    }

    pub(crate) fn err(&self) -> Result<u64, String> {
        Err("it is an answer".to_owned())
    }

    /// A child of its own, made in this method.
    pub(crate) async fn adopt(&mut self, name: String, tell: bool) -> Result<ToyHandle> {
        let options = ActorOptions::new().label(name.clone());
        let options = if tell { options.tell_parent() } else { options };
        let child = Toy::with(options).remote(self.desk, name);
        child.ready().await?;
        self.child = Some(child.clone());
        Ok(child)
    }

    pub(crate) fn adopt_named(&mut self, name: String, detached: bool) -> ToyHandle {
        let options = ActorOptions::new().name(name.clone());
        let options = if detached { options.detached() } else { options };
        Toy::with(options).remote(self.desk, name)
    }

    pub(crate) fn upto(&mut self, to: u64) -> impl Iterator<Item = u64> {
        let desk = self.desk.desk();
        self.seen.push(to);
        (0..to).inspect(move |item| desk.note(format!("made {item}")))
    }

    pub(crate) fn upto_shared(&self, to: u64) -> impl Iterator<Item = u64> + use<> {
        let desk = self.desk.desk();
        (0..to).inspect(move |item| desk.note(format!("made {item}")))
    }

    /// An item each time the next gate opens.
    pub(crate) fn ticks(&mut self, to: u64) -> impl Stream<Item = u64> + use<> {
        ticks(self.desk, to)
    }

    pub(crate) fn ticks_shared(&self, to: u64) -> impl Stream<Item = u64> + use<> {
        ticks(self.desk, to)
    }

    /// Two items, then a panic.
    pub(crate) fn breaks(&mut self) -> impl Iterator<Item = u64> + use<> {
        (0..).inspect(|item| assert!(*item < 2, "it broke"))
    }

    /// An item, then nothing until the gate is open.
    pub(crate) fn stalls(&mut self, gate: u64) -> impl Iterator<Item = u64> + use<> {
        let desk = self.desk.desk();
        (0..2).inspect(move |item| {
            if *item == 1 {
                desk.note("stalls");
                desk.gate(gate).block();
            }
        })
    }

    #[remote(on_stop)]
    fn stopped(&mut self) {
        self.note("stopped".to_owned());
    }

    #[remote(on_child_exit)]
    fn heard(&mut self, exit: Exit) {
        self.note(format!("heard {}: {}", exit.name, exit.kind));
    }

    fn note(&self, note: String) {
        self.desk.desk().note(note);
    }
}

fn ticks(desk: Key, to: u64) -> impl Stream<Item = u64> {
    futures_util::stream::unfold(0, move |next| async move {
        desk.desk().gate(1000 + next).wait().await;
        (next < to).then_some((next, next + 1))
    })
}

/// A small one that notes its lives.
pub(crate) struct Toy {
    desk: Key,
    name: String,
}

#[remote(cpus = 0)]
impl Toy {
    pub(crate) fn new(desk: Key, name: String) -> Self {
        desk.desk().note(format!("{name} up"));
        Self { desk, name }
    }

    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    pub(crate) fn panic(&mut self) {
        panic!("{} broke", self.name);
    }

    #[remote(on_stop)]
    async fn farewell(&mut self) {
        tokio::task::yield_now().await;
        self.desk.desk().note(format!("{} stopped", self.name));
    }
}

/// Whether a call was lost with a life, and if so whether there was to be another.
pub(crate) fn died<T: std::fmt::Debug>(answer: Result<T>) -> (ExitKind, bool) {
    match answer {
        Err(Error::ActorDied { kind, will_restart, .. }) => (*kind, will_restart),
        other => panic!("no end of an actor: {other:?}"),
    }
}
