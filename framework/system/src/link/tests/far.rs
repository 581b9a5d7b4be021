//! Sides that have a store each, between which objects are fetched.

use parking_lot::Mutex;
use raytree_objects::{Depot, Exchange, ObjectStore, Puller, Pusher, Reach};
use raytree_supervise::{Addr, ChildSpec, Root, SupervisorSpec, clock};
use raytree_types::Strategy;
use raytree_wire::{BindTo, Token};

use super::*;
use crate::object::waiter::Needs;
use crate::task::args;

const LONG: usize = 3 << 20;

static MAKES: Info = info("link::makes");
static GIVES_BACK: Info = info("link::gives_back");
static KEEPS: Info = info("link::keeps");
inventory::submit! { Entry::new(&KEEPS, Way::Function(keeps)) }
inventory::submit! { Entry::new(&MAKES, Way::Function(makes)) }
inventory::submit! { Entry::new(&GIVES_BACK, Way::Function(gives_back)) }

/// What was made, for as long as a test wants it to be there.
static MADE: Mutex<Vec<ObjectRef<Bytes>>> = Mutex::new(Vec::new());

/// What was given to somebody who does not look at it.
static READ_LATER: Mutex<Vec<ObjectRef<Bytes>>> = Mutex::new(Vec::new());

fn makes(parts: Vec<Part>, _terms: Terms) -> Result<Served> {
    let is_held = argument::<u64>(parts)? == 1;
    let (life, bytes) = (crate::current()?.shared().life, Bytes::from(vec![7_u8; LONG]));
    let object = ObjectRef::first(ObjectCell::ready("made", life, bytes));
    if is_held {
        MADE.lock().push(object.clone());
    }
    Ok(Served::one(object, COMPACT))
}

/// Without looking at it.
fn gives_back(parts: Vec<Part>, _terms: Terms) -> Result<Served> {
    let part = Part::next::<Bytes>(&mut parts.into_iter())?;
    assert!(part.is_far());
    let object: Arc<ObjectCell<Bytes>> = ObjectCell::far(crate::current()?.shared().life, part);
    Ok(Served::one(ObjectRef::first(object), COMPACT))
}

/// Not yet.
fn keeps(parts: Vec<Part>, _terms: Terms) -> Result<Served> {
    let part = Part::next::<Bytes>(&mut parts.into_iter())?;
    let object = ObjectCell::far(crate::current()?.shared().life, part);
    READ_LATER.lock().push(ObjectRef::first(object));
    Ok(Served::one(put(0_u64).get()?, COMPACT))
}

/// A runtime whose node has a store.
struct Node {
    runtime: Runtime,
    depot: Arc<Depot>,
    root: Root,
}

impl Node {
    fn start(token: &Token) -> Self {
        Self::with(token, true)
    }

    /// `fetches`: not one that never gets to it.
    fn with(token: &Token, fetches: bool) -> Self {
        let start = Init::new().cpus(1.0).threads(1).inspector(false).start();
        let runtime = start.expect("a runtime");
        let store = Addr::system::<ObjectStore>("object_store");
        let (puller, pusher) = (Addr::system::<Puller>("puller"), Addr::system::<Pusher>("pusher"));
        let depot = Depot::open(16 << 20, None, store.clone()).expect("a store");
        let reach = Reach { token: token.clone(), tls: None, name: "a node".to_owned() };
        let actors = (puller.clone(), pusher.clone());
        let to = BindTo::loopback(token.clone());
        let exchange = Exchange::open(&depot, to, reach, actors).expect("a port");
        let (own, [pulls, pushes]) = (Arc::clone(&depot), [(); 2].map(|()| Arc::clone(&exchange)));
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .child(ChildSpec::actor::<ObjectStore>(&store, move || Arc::clone(&own)))
            .child(ChildSpec::actor::<Pusher>(&pusher, move || Arc::clone(&pushes)));
        let puller = ChildSpec::actor::<Puller>(&puller, move || Arc::clone(&pulls));
        let spec = if fetches { spec.child(puller) } else { spec };
        let entered = runtime.tokio().enter();
        let root = Root::start("raytree", spec).expect("a tree");
        drop(entered);
        let stores = &runtime.shared().stores;
        stores.join(depot.door()).expect("its own store");
        stores.is_at(depot.door(), exchange.origin().at);
        Self { runtime, depot, root }
    }

    fn until(&self, is: impl Fn(&Depot) -> bool) {
        let end = clock::now() + GENEROUS;
        while !is(&self.depot) {
            assert!(clock::now() < end, "{:?}", self.depot.row());
            std::thread::yield_now();
        }
    }

    fn end(self) {
        let tokio = self.runtime.tokio().clone();
        tokio.block_on(self.root.shutdown(GENEROUS));
        self.runtime.shutdown();
    }
}

/// Both sides of a link between them, which know of each other's stores.
fn between(near: &Node, far: &Node) -> (Side, Side) {
    let (_, here, there) = pairs().into_iter().next().expect("a channel");
    let sides = (Side::of(&near.runtime, "far", here), Side::of(&far.runtime, "near", there));
    while !(sides.0.link.reaches_far() && sides.1.link.reaches_far()) {
        std::thread::yield_now();
    }
    sides
}

fn ask(function: &str) -> Ask {
    let (function, signature) = (function.to_owned(), NUMBER.to_owned());
    Ask::Run { function, signature, terms: Terms::default() }
}

#[test]
fn what_nobody_has_read_comes_when_the_one_who_has_told_of_it_ends() {
    let token = Token::random().expect("random bytes");
    let [here, there, third] = [(); 3].map(|()| Node::start(&token));
    let (near, far) = between(&here, &there);
    let (at_third, _third) = between(&here, &third);
    let told = part(&near.runs("link::makes", &1u64));
    assert!(told.is_far());
    assert_eq!(value::<u64>(&at_third.asks(ask("link::keeps"), vec![told.clone()])), 0);
    let object: ObjectRef<Bytes> =
        ObjectRef::first(ObjectCell::far(here.runtime.shared().life, told));
    for node in [&here, &third] {
        assert_eq!(node.depot.row().pulled_ever, 0);
    }
    near.link.end(&Cause::message("the other side is gone"));
    // To the one who was told of it by the other one, too.
    for node in [&here, &third] {
        node.until(|depot| depot.row().pulled_ever == LONG as u64);
    }
    MADE.lock().clear();
    last(&far.hung_up);
    far.link.end(&Cause::message("the other side is gone"));
    there.until(|depot| depot.used().objects == 0);
    let late = READ_LATER.lock().pop().expect("it was kept");
    for (node, object) in [(&here, object), (&third, late)] {
        assert_eq!(node.runtime.block_on(object), Ok(Bytes::from(vec![7_u8; LONG])));
        node.until(|depot| depot.used().objects == 0);
    }
    here.end();
    there.end();
    third.end();
}

#[test]
fn nobody_holds_an_object_for_the_one_who_holds_it_for_him() {
    let token = Token::random().expect("random bytes");
    let [here, home, third] = [(); 3].map(|()| Node::start(&token));
    let (at_home, _home) = between(&here, &home);
    let (at_third, _third) = between(&here, &third);
    for _ in 0..3 {
        let told = part(&at_home.runs("link::makes", &0u64));
        let object: ObjectRef<Bytes> =
            ObjectRef::first(ObjectCell::far(here.runtime.shared().life, told.clone()));
        let back = part(&at_third.asks(ask("link::gives_back"), vec![told]));
        assert!(back.is_far());
        let again = part(&at_third.asks(ask("link::gives_back"), vec![back]));
        // It comes here from where it is, though others have told of it.
        let again: Bytes = again.value(COMPACT).expect("it comes");
        assert!(again.len() == LONG && object.is_ready());
    }
    for node in [&here, &home, &third] {
        node.until(|depot| depot.used().objects == 0);
    }
    assert_eq!(here.depot.row().pulled_ever, 3 * LONG as u64);
    assert_eq!(third.depot.row().pulled_ever, 0);
    here.end();
    home.end();
    third.end();
}

#[test]
fn who_waits_for_an_object_of_another_node_can_ask_why() {
    let token = Token::random().expect("random bytes");
    let [here, there] = [false, true].map(|fetches| Node::with(&token, fetches));
    let (near, _far) = between(&here, &there);
    let told = part(&near.runs("link::makes", &0u64));
    let object: ObjectRef<Bytes> =
        ObjectRef::first(ObjectCell::far(here.runtime.shared().life, told));
    let why = || here.runtime.block_on(crate::state::why_object(&object)).expect("it says so").now;
    assert_eq!(why(), "it is there", "nobody wants it here");
    let reader = here.runtime.tokio().spawn(object.clone().into_future());
    while object.cell.comes().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(why(), "it comes from another node");
    // It is not lost: whoever sends it as an argument does so from where it is.
    let sent = args::pinned(Needs::Value, |visit| visit(&object));
    assert!(sent.is_some_and(|pinned| pinned.is_empty()));
    reader.abort();
    here.end();
    there.end();
}
