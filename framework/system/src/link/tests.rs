//! Two runtimes of one process, and what they do for each other over every kind of channel.

mod far;

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use raytree_process::cluster::Worker;
use raytree_types::codec::Codec;
use raytree_types::{
    ActorId, ActorOptions, Bytes, Exit, ExitKind, Incarnation, JobId, ProcessIncarnation,
};
use tokio::sync::watch;

use super::adopt::Adopting;
use super::channel::tests::pairs;
use super::*;
use crate::cluster::neighbours::Neighbours;
use crate::object::any::AnyObject;
use crate::object::cell::ObjectCell;
use crate::object::reference::ObjectRef;
use crate::runtime::Runtime;
use crate::task::by_bytes::{Birth, Born, Kin, Way};
use crate::task::definition::{Entry, Info};
use crate::user::remote::Ending;
use crate::{Init, put};

const GENEROUS: Duration = Duration::from_secs(60);
const COMPACT: Codec = Codec::Compact;
const NUMBER: &str = "u64 -> u64";

const fn info(name: &'static str) -> Info {
    Info { name, signature: NUMBER, file: "tests.rs", line: 1, codec: COMPACT }
}

static SQUARE: Info = info("link::square");
static LENDS: Info = info("link::lends");
static NEVER: Info = info("link::never");
static LENGTH: Info = info("link::length");
static ECHO: Info = info("link::Echo");
inventory::submit! { Entry::new(&SQUARE, Way::Function(square)) }
inventory::submit! { Entry::new(&LENDS, Way::Function(lends)) }
inventory::submit! { Entry::new(&NEVER, Way::Function(never)) }
inventory::submit! { Entry::new(&LENGTH, Way::Function(length)) }
inventory::submit! { Entry::new(&ECHO, Way::Class(echo)) }

fn argument<T: crate::Value>(parts: Vec<Part>) -> Result<T> {
    Part::next::<T>(&mut parts.into_iter())?.value(COMPACT)
}

fn square(parts: Vec<Part>, _terms: Terms) -> Result<Served> {
    let number: u64 = argument(parts)?;
    Ok(Served::one(put(number * number).get()?, COMPACT))
}

/// Gives a reference to an object of its own.
fn lends(parts: Vec<Part>, _terms: Terms) -> Result<Served> {
    let number: u64 = argument(parts)?;
    Ok(Served::one(put(put(number).get()?).get()?, COMPACT))
}

/// An object that will not be there, and a reference to it.
fn never(_parts: Vec<Part>, _terms: Terms) -> Result<Served> {
    let object = ObjectCell::<u64>::pending("never", crate::current()?.shared().life);
    Ok(Served::one(put(ObjectRef::first(object)).get()?, COMPACT))
}

fn length(parts: Vec<Part>, _terms: Terms) -> Result<Served> {
    let bytes: Bytes = argument(parts)?;
    Ok(Served::one(put(bytes.len() as u64).get()?, COMPACT))
}

/// An actor whose one method is [`square`].
struct Echo {
    id: ActorId,
    over: watch::Sender<bool>,
}

fn echo(_parts: Vec<Part>, birth: Birth) -> Result<Born> {
    let Kin::Life { id, .. } = birth.0 else { panic!("{birth:?} is not asked for here") };
    let echo = Arc::new(Echo { id, over: watch::channel(false).0 });
    Ok(Born(Arc::new(Token { typed: Arc::new(()), held: Held::Actor(echo) })))
}

fn exit(actor: ActorId) -> Exit {
    let kind = ExitKind::Stopped { reason: "it was told to".to_owned() };
    let (name, incarnation) = ("echo".to_owned(), Incarnation::default());
    Exit { actor, name, incarnation, kind, restarts: 0, will_restart: false }
}

impl Callee for Echo {
    fn id(&self) -> Result<ActorId> {
        Ok(self.id)
    }

    fn label(&self) -> String {
        "echo".to_owned()
    }

    fn mailbox(&self) -> usize {
        1
    }

    fn retries(&self) -> u32 {
        0
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
        Box::pin(async { Ok(()) })
    }

    fn call(&self, _to: &Called, arguments: Vec<Part>) -> Result<Served> {
        square(arguments, Terms::default())
    }

    fn adopts(&self, object: AnyObject) -> Adopting {
        Box::pin(async move { Ok(object) })
    }

    fn end(&self, _kill: bool) {
        _ = self.over.send_replace(true);
    }

    fn exited(&self) -> Ending {
        let (actor, mut over) = (self.id, self.over.subscribe());
        Box::pin(async move {
            _ = over.wait_for(|over| *over).await;
            Ok(exit(actor))
        })
    }

    fn home(&self) -> Option<Home> {
        None
    }

    fn cell(&self) -> Option<Arc<crate::user::status::Cell>> {
        None
    }
}

/// One side.
struct Side {
    link: Arc<Link>,
    hung_up: Receiver<Cause>,
}

impl Side {
    fn of(runtime: &Runtime, peer: &str, channel: Channel) -> Self {
        let (tell, hung_up) = sync_channel(1);
        let hangs_up = move |cause| _ = tell.send(cause);
        let link = Link::start(peer, channel, runtime.shared(), hangs_up).expect("a thread");
        Self { link, hung_up }
    }

    fn asks(&self, what: Ask, arguments: Vec<Part>) -> Receiver<Answer> {
        struct Tells(std::sync::mpsc::SyncSender<Answer>);
        impl Landing for Tells {
            fn land(self: Box<Self>, answer: Answer) {
                _ = self.0.send(answer);
            }
        }
        let (tells, told) = sync_channel(1);
        self.link.ask(what, arguments, Box::new(Tells(tells)));
        told
    }

    fn runs(&self, function: &str, argument: &impl crate::Value) -> Receiver<Answer> {
        let (function, signature) = (function.to_owned(), NUMBER.to_owned());
        let what = Ask::Run { function, signature, terms: Terms::default() };
        self.asks(what, vec![Part::of(COMPACT, argument).expect("it is written")])
    }

    fn begins(&self, id: ActorId) -> Arc<Imported> {
        let what = Ask::Create {
            class: "link::Echo".to_owned(),
            signature: NUMBER.to_owned(),
            id,
            life: Incarnation::default(),
            options: Box::new(ActorOptions::new()),
        };
        part(&self.asks(what, Vec::new())).into_import().expect("an actor")
    }

    fn watches(&self, actor: &Imported) -> Receiver<std::result::Result<Exit, Cause>> {
        let (tell, told) = sync_channel(1);
        self.link.watch(actor.export(), Box::new(move |end| _ = tell.send(end)));
        told
    }
}

fn last<T>(told: &Receiver<T>) -> T {
    told.recv_timeout(GENEROUS).expect("an answer")
}

fn part(answer: &Receiver<Answer>) -> Part {
    match last(answer) {
        Answer::Value(part) => part,
        other => panic!("{other:?}"),
    }
}

fn value<T: crate::Value>(answer: &Receiver<Answer>) -> T {
    part(answer).value(COMPACT).expect("it is read")
}

fn failed(answer: &Receiver<Answer>) -> Error {
    match last(answer) {
        Answer::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

/// For each kind of channel: its name, and both sides. The first one's runtime can be waited in.
fn each(test: impl Fn(&str, &Runtime, Side, Side)) {
    let start = || Init::new().cpus(1.0).threads(1).inspector(false).start().expect("a runtime");
    let (here, there) = (start(), start());
    for (name, near, far) in pairs() {
        test(name, &here, Side::of(&here, "far", near), Side::of(&there, "near", far));
    }
    here.shutdown();
    there.shutdown();
}

fn an_id(runtime: &Runtime) -> ActorId {
    runtime.shared().ids.next()
}

#[test]
fn functions_methods_and_references_go_over_every_kind_of_channel() {
    each(|name, here, near, far| {
        assert_eq!(value::<u64>(&near.runs("link::square", &12u64)), 144, "{name}");
        assert_eq!(value::<u64>(&far.runs("link::square", &5u64)), 25, "{name}");
        let large = Bytes::from(vec![7; 8 << 20]);
        assert_eq!(value::<u64>(&near.runs("link::length", &large)), 8 << 20, "{name}");
        let lent: ObjectRef<u64> = value(&near.runs("link::lends", &7u64));
        assert_eq!(here.block_on(lent), Ok(7), "{name}");
        let actor = near.begins(an_id(here));
        let (export, method) = (actor.export(), "square".to_owned());
        let what =
            Ask::Call { export, method, signature: NUMBER.to_owned(), terms: CallTerms::default() };
        let argument = Part::of(COMPACT, &9u64).expect("it is written");
        assert_eq!(value::<u64>(&near.asks(what, vec![argument])), 81, "{name}");
        let watched = near.watches(&actor);
        near.link.end_actor(actor.export(), false);
        assert!(last(&watched).is_ok_and(|exit| exit.kind.is_normal()), "{name}");
    });
}

#[test]
fn objects_of_the_other_side_are_owed_until_their_values_come() {
    each(|name, here, near, _far| {
        let lent: ObjectRef<u64> = value(&near.runs("link::lends", &7u64));
        let never: ObjectRef<u64> = value(&near.runs("link::never", &0u64));
        let _actor = near.begins(an_id(here));
        assert_eq!(near.link.owed(), 2, "{name}");
        assert_eq!(here.block_on(async { (&lent).await }), Ok(7), "{name}");
        assert_eq!(near.link.owed(), 1, "{name}");
        drop(never);
        while near.link.owed() > 0 {
            std::thread::yield_now();
        }
    });
}

#[test]
fn li_1_a_connection_that_is_cut_is_told_to_everybody_on_both_sides() {
    each(|name, here, near, far| {
        let object: ObjectRef<u64> = value(&near.runs("link::never", &0u64));
        let (tell, waits) = sync_channel(1);
        here.tokio().spawn(async move { tell.send(object.await) });
        let actor = near.begins(an_id(here));
        let watched = near.watches(&actor);
        far.link.end(&Cause::message("it is cut"));
        let cut = last(&near.hung_up);
        assert_eq!(cut.message, "the link to far was cut", "{name}");
        assert_eq!(last(&far.hung_up).message, "the link to near was cut", "{name}");
        near.link.end(&cut);
        let lost = Error::OwnerDied { owner: "far".to_owned(), cause: Box::new(cut.clone()) };
        assert_eq!(last(&waits), Err(lost), "{name}");
        assert_eq!(last(&watched).unwrap_err(), cut, "{name}");
        let late = last(&near.runs("link::square", &1u64));
        assert!(matches!(late, Answer::Lost(cause) if cause == cut), "{name}");
    });
}

#[test]
fn bw_4_an_end_that_is_told_after_the_actor_was_let_go_is_kept_by_nobody() {
    each(|name, here, near, _far| {
        let id = an_id(here);
        let actor = near.begins(id);
        let export = actor.export();
        drop(actor);
        // The other side had not heard that when it said so.
        near.link.exited(export, Box::new(exit(id)));
        let (tell, told) = sync_channel(1);
        near.link.watch(export, Box::new(move |end| _ = tell.send(end)));
        told.recv().expect_err(name);
    });
}

#[test]
fn bw_4_an_end_is_told_after_the_message_with_the_actor_and_not_before() {
    each(|name, here, _near, far| {
        let over = watch::channel(true).0;
        let echo = Held::Actor(Arc::new(Echo { id: an_id(here), over }));
        let token = Arc::new(Token { typed: Arc::new(()), held: echo });
        let mut kept = Kept::default();
        let word = far.link.refer(token, &mut kept).expect("it is held");
        let frame::WireRef::Actor { export, .. } = word else { panic!("{name}: {word:?}") };
        let another = || here.tokio().spawn(async {}).abort_handle();
        let tells = || far.link.tables.lock().exports.mourns(export, another()).is_some();
        assert!(!tells(), "{name}: the message is not given");
        far.link.said(&kept);
        assert!(tells(), "{name}: it is");
    });
}

#[test]
fn what_the_other_side_does_not_have_is_told_with_both_sides() {
    each(|_, _, near, far| {
        let told = failed(&near.runs("link::nowhere", &1u64)).to_string();
        assert_eq!(told, "link::nowhere is `u64 -> u64` in near, but missing in far");
        let told = failed(&far.runs("link::Echo", &1u64)).to_string();
        assert_eq!(told, "link::Echo is `u64 -> u64` in far, but no function in near");
        let (function, signature) = (SQUARE.name.to_owned(), "u32 -> u64".to_owned());
        let what = Ask::Run { function, signature, terms: Terms::default() };
        let told = failed(&near.asks(what, Vec::new()));
        assert_eq!(
            told.to_string(),
            "link::square is `u32 -> u64` in near, but `u64 -> u64` in far"
        );
    });
}

/// Two workers of one job.
fn neighbours(here: &Runtime, there: &Runtime) -> (Side, Side) {
    let worker = |node: &str| Worker {
        job: JobId(1),
        node: node.to_owned(),
        incarnation: ProcessIncarnation(1),
        life: 1,
    };
    let (near, far) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let side = |runtime: &Runtime, own: Worker, other: Worker, channel| {
        let token = raytree_wire::Token::random().expect("random bytes");
        let all = Neighbours::new(own, token, None, Arc::downgrade(runtime.shared()));
        let (tell, hung_up) = sync_channel(1);
        let hangs_up = move |cause| _ = tell.send(cause);
        let link =
            Link::start_between((&other, &Arc::new(all)), channel, runtime.shared(), hangs_up);
        Side { link: link.expect("a thread"), hung_up }
    };
    (
        side(here, worker("near"), worker("far"), near),
        side(there, worker("far"), worker("near"), far),
    )
}

#[test]
fn lb_1_a_neighbour_may_call_what_it_was_given_and_nothing_else() {
    let start = || Init::new().cpus(1.0).threads(1).inspector(false).start().expect("a runtime");
    let (here, there) = (start(), start());
    let (near, far) = neighbours(&here, &there);
    let refused = |answer: &Receiver<Answer>| failed(answer).to_string();
    assert!(refused(&near.runs("link::square", &3u64)).contains("whoever asks"));
    let id = an_id(&here);
    let create = Ask::Create {
        class: "link::Echo".to_owned(),
        signature: NUMBER.to_owned(),
        id,
        life: Incarnation::default(),
        options: Box::new(ActorOptions::new()),
    };
    let (namespace, name) = ("default".to_owned(), "somebody".to_owned());
    let nobodys = [
        create,
        Ask::Named { namespace, name },
        Ask::Fetch { export: 1, anew: false },
        Ask::Where { export: 1 },
        // Nobody has begun it there.
        Ask::Attach { id, life: Incarnation::default() },
    ];
    for what in nobodys {
        assert!(refused(&near.asks(what, Vec::new())).contains("whoever asks"));
    }
    // Nor does one who is no neighbour get what neighbours get.
    for (_, near, channel) in pairs() {
        let (near, _far) = (Side::of(&here, "far", near), Side::of(&there, "near", channel));
        let attach = Ask::Attach { id, life: Incarnation::default() };
        assert!(refused(&near.asks(attach, Vec::new())).contains("whoever asks"));
    }
    near.link.end(&Cause::message("it is enough"));
    last(&far.hung_up);
    here.shutdown();
    there.shutdown();
}
