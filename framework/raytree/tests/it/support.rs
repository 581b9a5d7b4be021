//! One actor that does everything the tests need, and a private runtime for each test.

use std::future::Future;
use std::time::Duration;

use raytree::prelude::*;
use raytree::{Incarnation, Result};
use tokio::sync::{mpsc, oneshot};

pub(crate) const GENEROUS: Duration = Duration::from_secs(60);

/// Runs a test on a private runtime with `cpus` CPUs and 2 threads; nothing may hang.
pub(crate) fn with_runtime<F>(cpus: f64, test: impl FnOnce(Runtime) -> F)
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let runtime = raytree::init().cpus(cpus).threads(2).start().expect("a runtime");
    let body = test(runtime.clone());
    let outcome = runtime.block_on(async { tokio::time::timeout(GENEROUS, body).await });
    runtime.shutdown();
    outcome.expect("the test ends in time").expect("the test succeeds");
}

/// An actor that notes its lives and does as it is told.
#[derive(Clone)]
pub(crate) struct Notes(pub(crate) mpsc::Sender<String>);

impl Notes {
    pub(crate) fn new() -> (Self, mpsc::Receiver<String>) {
        let (sender, receiver) = mpsc::channel(1 << 16);
        (Self(sender), receiver)
    }

    pub(crate) fn add(&self, note: impl Into<String>) {
        self.0.try_send(note.into()).expect("room for notes");
    }
}

pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) notes: Notes,
    pub(crate) seen: Vec<u64>,
}

pub(crate) struct Push(pub(crate) u64);
pub(crate) struct Seen;
pub(crate) struct Which;
pub(crate) struct Panic;
pub(crate) struct Gate(pub(crate) oneshot::Receiver<()>);
pub(crate) struct GateQuery(pub(crate) oneshot::Receiver<()>, pub(crate) u64);
pub(crate) struct Hang;
pub(crate) struct Quit;
pub(crate) struct Fail;
pub(crate) struct Child(pub(crate) &'static str, pub(crate) ActorOptions);

impl Actor for Subject {
    type Args = (&'static str, Notes);

    async fn start((name, notes): Self::Args, ctx: &ActorContext<Self>) -> Result<Self, BoxError> {
        if name == "stillborn" {
            return Err(Box::new(std::io::Error::other("no such disk")));
        }
        notes.add(format!("{name} up {}", ctx.incarnation()));
        Ok(Self { name, notes, seen: Vec::new() })
    }

    async fn stopped(&mut self, _ctx: &ActorContext<Self>) {
        self.notes.add(format!("{} stopped", self.name));
    }

    async fn child_exited(&mut self, exit: Exit, _ctx: &ActorContext<Self>) {
        let again = if exit.will_restart { ", again" } else { "" };
        self.notes.add(format!("{} heard: {} {}{again}", self.name, exit.name, exit.kind));
    }
}

impl Call<Push> for Subject {
    type Reply = usize;
    async fn call(&mut self, Push(value): Push, _ctx: &ActorContext<Self>) -> usize {
        self.seen.push(value);
        self.seen.len()
    }
}

impl Query<Seen> for Subject {
    type Reply = Vec<u64>;
    async fn query(&self, _: Seen, _ctx: &ActorContext<Self>) -> Vec<u64> {
        self.seen.clone()
    }
}

impl Query<Which> for Subject {
    type Reply = Incarnation;
    async fn query(&self, _: Which, ctx: &ActorContext<Self>) -> Incarnation {
        ctx.incarnation()
    }
}

impl Call<Panic> for Subject {
    type Reply = ();
    async fn call(&mut self, _: Panic, _ctx: &ActorContext<Self>) {
        panic!("index out of bounds");
    }
}

impl Call<Gate> for Subject {
    type Reply = ();
    async fn call(&mut self, Gate(gate): Gate, _ctx: &ActorContext<Self>) {
        _ = gate.await;
    }
}

impl Query<GateQuery> for Subject {
    type Reply = u64;
    async fn query(&self, GateQuery(gate, id): GateQuery, _ctx: &ActorContext<Self>) -> u64 {
        self.notes.add(format!("query {id}"));
        if gate.await.is_err() {
            panic!("the gate was dropped");
        }
        id
    }
}

impl Call<Hang> for Subject {
    type Reply = ();
    async fn call(&mut self, _: Hang, _ctx: &ActorContext<Self>) {
        std::future::pending().await
    }
}

impl Call<Quit> for Subject {
    type Reply = ();
    async fn call(&mut self, _: Quit, ctx: &ActorContext<Self>) {
        ctx.stop("had enough");
    }
}

impl Call<Fail> for Subject {
    type Reply = ();
    async fn call(&mut self, _: Fail, ctx: &ActorContext<Self>) {
        ctx.fail(std::io::Error::other("the shard is gone"));
    }
}

impl Call<Child> for Subject {
    type Reply = Result<ActorHandle<Subject>>;
    async fn call(
        &mut self,
        Child(name, options): Child,
        ctx: &ActorContext<Self>,
    ) -> Result<ActorHandle<Subject>> {
        ctx.spawn((name, self.notes.clone()), options.label(name))
    }
}

/// The next notes are exactly these.
pub(crate) async fn expect(notes: &mut mpsc::Receiver<String>, expected: &[&str]) {
    for note in expected {
        assert_eq!(notes.recv().await.as_deref(), Some(*note));
    }
}

/// Waits until a condition holds that is brought about elsewhere; the test's own deadline bounds it.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}
