use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;
use raytree_store::{Lease, Location};
use raytree_supervise::Addr;
use raytree_types::limits;
use raytree_wire::{BindTo, Hello, Listener, ReadHalf, Stream, Token, WriteHalf};

use super::words::{self, Gives, Wants};
use super::{Exchange, Origin, Place, Reach};
use crate::{Depot, Need, ObjectStore, Puller, Pusher, Session, Stored};

const LONG: usize = 3 * limits::PULL_PIECE as usize;

/// A node where nobody fetches but who is told to.
struct Node {
    depot: Arc<Depot>,
    exchange: Arc<Exchange>,
    session: Session,
}

impl Node {
    fn new(token: &Token) -> Self {
        let looks_after = Addr::system::<ObjectStore>("object_store");
        let depot = Depot::open(64 << 20, None, looks_after).unwrap();
        let reach = Reach { token: token.clone(), tls: None, name: "a node".to_owned() };
        let actors = (Addr::system::<Puller>("puller"), Addr::system::<Pusher>("pusher"));
        let to = BindTo::loopback(token.clone());
        let exchange = Exchange::open(&depot, to, reach, actors).unwrap();
        let session = Session::join(depot.door()).unwrap();
        Self { depot, exchange, session }
    }

    /// Somebody wants an object: what is to be fetched.
    fn wants(&self, place: &Place) -> (Arc<Stored>, Lease) {
        let far = self.session.far(place.clone(), Box::new(()));
        far.brings(Need::Wait, |_| ());
        loop {
            match self.depot.next_pull() {
                Some((next, room)) => {
                    assert_eq!(next, *place);
                    return (far, room);
                }
                None => thread::yield_now(),
            }
        }
    }

    /// Who wants it ends.
    fn ends(&self) {
        self.session.hangs_up_as_the_dead_do();
        while self.depot.clients() > 1 {
            thread::yield_now();
        }
    }
}

/// An object of a node.
fn of(origin: Origin) -> Place {
    Place { origin, object: Location { slot: 0, generation: 1, offset: 0, len: LONG as u64 } }
}

/// A node that answers as it likes.
fn answers(
    token: &Token,
    answer: impl Fn(Wants, &mut WriteHalf) -> io::Result<()> + Send + Sync + 'static,
) -> (Listener, Origin) {
    let answer = Arc::new(answer);
    let accepted = move |_: Hello, stream: Stream, _| {
        let answer = Arc::clone(&answer);
        thread::spawn(move || {
            let (mut reads, mut writes): (ReadHalf, _) = stream.split();
            while let Ok(Some(wants)) = words::read(&mut reads) {
                if answer(wants, &mut writes).is_err() {
                    return;
                }
            }
        });
    };
    let listener = Listener::bind(BindTo::loopback(token.clone()), accepted).unwrap();
    let origin = Origin { door: "of its own".to_owned(), at: listener.local_addr() };
    (listener, origin)
}

#[test]
fn pu_2_what_nobody_wants_any_more_is_let_be_while_the_other_side_says_that_it_waits() {
    let token = Token::random().unwrap();
    let here = Node::new(&token);
    let said = Arc::new(AtomicUsize::new(0));
    let says = Arc::clone(&said);
    let (_listener, origin) = answers(&token, move |_, to| {
        loop {
            words::write(to, &Gives::Wait)?;
            says.fetch_add(1, Ordering::SeqCst);
        }
    });
    let place = of(origin);
    let (_far, room) = here.wants(&place);
    assert_eq!(here.depot.row().lent, LONG as u64);
    let exchange = Arc::clone(&here.exchange);
    let fetches = thread::spawn(move || exchange.fetches(&place, room));
    while said.load(Ordering::SeqCst) == 0 {
        thread::yield_now();
    }
    here.ends();
    fetches.join().unwrap();
    assert_eq!(here.depot.row().lent, 0, "its room is free");
}

#[test]
fn a_copy_that_gives_nothing_holds_nobody_up_and_is_named_to_nobody_else() {
    let token = Token::random().unwrap();
    let here = Node::new(&token);
    let asked = Arc::new(AtomicUsize::new(0));
    let asks = Arc::clone(&asked);
    // It says that it gives the object, and is silent then.
    let (_silent, origin) = answers(&token, move |wants, to| {
        if let Wants::Open { .. } = wants {
            return words::write(to, &Gives::Opened { copies: Vec::new() });
        }
        asks.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let copy = of(origin);
    let (named, lacks) = (copy.clone(), Arc::new(Mutex::new(Vec::new())));
    let hears = Arc::clone(&lacks);
    // It gives nothing before the copy was asked for some of it.
    let (_home, origin) = answers(&token, move |wants, to| match wants {
        Wants::Open { .. } => words::write(to, &Gives::Opened { copies: vec![named.clone()] }),
        Wants::Piece { len, .. } => {
            while asked.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            words::write(to, &Gives::Piece { len })?;
            to.write_all(&vec![7; len as usize])
        }
        Wants::Lacks { copy, .. } => {
            hears.lock().push(copy);
            Ok(())
        }
        Wants::Close | Wants::Has { .. } => Ok(()),
    });
    let place = of(origin);
    let (far, room) = here.wants(&place);
    here.exchange.fetches(&place, room);
    assert!(far.bytes().unwrap()[..] == vec![7; LONG][..]);
    while lacks.lock().is_empty() {
        thread::yield_now();
    }
    assert_eq!(*lacks.lock(), [copy]);
}
