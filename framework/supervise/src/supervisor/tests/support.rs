//! What the tests of the kit share: an actor that does as it is told, and a log of what happened.

use std::time::Duration;

use raytree_types::{Backoff, Strategy};
use tokio::sync::mpsc;

use super::super::*;
use crate::Root;
use crate::addr::Addr;
use crate::envelope::Reply;

pub(super) const GENEROUS: Duration = Duration::from_secs(20);

/// An actor that notes its lives and does as it is told.
pub(super) struct Dummy {
    name: &'static str,
    log: Log,
}

#[derive(strum::IntoStaticStr)]
pub(super) enum DummyMsg {
    Life(Reply<u32>),
    Panic,
    PanicHolding(Reply<()>),
    HangHolding(Reply<()>),
    Leave(&'static str),
    Fail,
    Quit,
    Hang,
    PanicInPipe,
    Echo(u32, Reply<u32>),
    Wait(tokio::sync::oneshot::Receiver<()>, Reply<()>),
}

#[derive(Clone)]
pub(super) struct Log(mpsc::Sender<String>);

impl Log {
    pub(super) fn new() -> (Self, Events) {
        let (sender, receiver) = mpsc::channel(1 << 16);
        (Self(sender), Events(receiver))
    }

    pub(super) fn note(&self, what: String) {
        self.0.try_send(what).expect("room in the log");
    }
}

pub(super) struct Events(mpsc::Receiver<String>);

struct NoteOnDrop(Log, &'static str);

impl Drop for NoteOnDrop {
    fn drop(&mut self) {
        self.0.note(self.1.to_owned());
    }
}

impl Events {
    pub(super) async fn next(&mut self) -> String {
        let next = tokio::time::timeout(GENEROUS, self.0.recv()).await;
        next.expect("an event in time").expect("someone who notes")
    }

    /// Whether another end stands among the notes that nobody has read yet.
    pub(super) fn hold_an_end(&mut self) -> bool {
        let mut unread = std::iter::from_fn(|| self.0.try_recv().ok());
        unread.any(|note| note.starts_with("ended"))
    }

    pub(super) async fn expect(&mut self, events: &[&str]) {
        for expected in events {
            assert_eq!(&self.next().await, expected);
        }
    }

    pub(super) async fn until(&mut self, event: &str) {
        while self.next().await != event {}
    }
}

pub(super) type Make = (&'static str, Log, fn(u32) -> Result<(), &'static str>);

impl Actor for Dummy {
    type Msg = DummyMsg;
    type Args = Make;

    async fn start(ctx: &Context<DummyMsg>, (name, log, check): Make) -> Result<Self, Failure> {
        check(ctx.life()).map_err(Failure::message)?;
        log.note(format!("{name} up {}", ctx.life()));
        Ok(Self { name, log })
    }

    async fn handle(&mut self, ctx: &Context<DummyMsg>, message: DummyMsg) -> Result<(), Failure> {
        match message {
            DummyMsg::Life(reply) => reply.send(ctx.life()),
            DummyMsg::Panic => panic!("bad shard map"),
            DummyMsg::HangHolding(_reply) => std::future::pending().await,
            DummyMsg::Leave(note) => {
                let note = NoteOnDrop(self.log.clone(), note);
                ctx.pipe(async move {
                    std::future::pending::<()>().await;
                    drop(note);
                    None
                });
            }
            DummyMsg::PanicHolding(_reply) => panic!("with a caller waiting"),
            DummyMsg::Fail => return Err(Failure::message("no such shard")),
            DummyMsg::Quit => ctx.stop("had enough"),
            DummyMsg::Hang => std::future::pending().await,
            DummyMsg::PanicInPipe => ctx.pipe(async { panic!("in the pipe") }),
            DummyMsg::Echo(value, reply) => reply.send(value),
            DummyMsg::Wait(gate, reply) => {
                _ = gate.await;
                reply.send(());
            }
        }
        Ok(())
    }

    async fn stopped(&mut self, _ctx: &Context<DummyMsg>) {
        self.log.note(format!("{} stopped", self.name));
    }
}

pub(super) type DummyAddr = Addr<DummyMsg>;

pub(super) fn dummy(name: &'static str, log: &Log) -> (DummyAddr, ChildSpec) {
    dummy_that(name, log, |_| Ok(()))
}

pub(super) fn dummy_that(
    name: &'static str,
    log: &Log,
    check: fn(u32) -> Result<(), &'static str>,
) -> (DummyAddr, ChildSpec) {
    let addr = Addr::system::<Dummy>(name);
    let log = log.clone();
    let spec = ChildSpec::actor::<Dummy>(&addr, move || (name, log.clone(), check));
    (addr, spec.backoff(Backoff::NONE))
}

/// A supervisor `inner` with one child `a`.
pub(super) fn nested(log: &Log, limit: u32) -> (DummyAddr, Addr<SupervisorMsg>, ChildSpec) {
    let (a, _) = dummy("a", log);
    let inner = Addr::system::<Supervisor>("inner");
    let again = (a.clone(), log.clone());
    let spec = ChildSpec::supervisor(&inner, move || {
        let (addr, log) = again.clone();
        let make = move || -> Make { ("a", log.clone(), |_| Ok(())) };
        let child = ChildSpec::actor::<Dummy>(&addr, make).backoff(Backoff::NONE);
        SupervisorSpec::new(Strategy::OneForOne).limit(limit, GENEROUS).child(child)
    });
    (a, inner, spec)
}

pub(super) fn three(strategy: Strategy) -> (Root, [DummyAddr; 3], Events) {
    let (log, events) = Log::new();
    let [(a, sa), (b, sb), (c, sc)] = ["a", "b", "c"].map(|name| dummy(name, &log));
    let spec = SupervisorSpec::new(strategy).child(sa).child(sb).child(sc);
    let root = Root::start("root", spec).expect("a root");
    (root, [a, b, c], events)
}

pub(super) async fn life(addr: &DummyAddr) -> u32 {
    addr.call(DummyMsg::Life, GENEROUS).await.expect("an answer")
}

pub(super) fn tell(addr: &DummyAddr, message: DummyMsg) {
    addr.cast(message).expect("accepted");
}
