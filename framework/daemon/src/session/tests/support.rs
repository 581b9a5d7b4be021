//! What the tests share: processes, connections between them, and one in the middle who does harm.

use std::io::{Read as _, Write as _};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use raytree_supervise::{Addr, ChildSpec, Root, SupervisorSpec};
use raytree_types::Strategy;
use raytree_wire::{BindTo, Closer, Hello, Listener, Plane, Stream, Tls, Token, WriteHalf, dial};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::session::{Session, SessionEnd, SessionEvent, Sessions, SessionsMsg, Side, open};

/// Far beyond what anything here takes.
pub(super) const GENEROUS: Duration = Duration::from_secs(60);

/// What a process is but for the operating system: a runtime, a tree, its sessions.
pub(super) struct Process {
    runtime: tokio::runtime::Runtime,
    root: Root,
    pub(super) sessions: Addr<SessionsMsg>,
}

impl Process {
    pub(super) fn start() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self::on(builder.worker_threads(1))
    }

    /// Whose clock jumps to the next timer whenever nothing else is to be done.
    pub(super) fn impatient() -> Self {
        Self::on(tokio::runtime::Builder::new_current_thread().start_paused(true))
    }

    fn on(builder: &mut tokio::runtime::Builder) -> Self {
        let runtime = builder.enable_all().build().unwrap();
        let sessions = Addr::system::<Sessions>("sessions");
        let child = ChildSpec::actor::<Sessions>(&sessions, || ());
        let spec = SupervisorSpec::new(Strategy::OneForOne).child(child);
        let root = runtime.block_on(async { Root::start("process", spec) }).unwrap();
        Self { runtime, root, sessions }
    }

    pub(super) fn open<M>(&self, stream: Stream, side: Side) -> (Session<M>, Events<M>)
    where
        M: Serialize + DeserializeOwned + Send + 'static,
    {
        let (tell, events) = sync_channel(1 << 16);
        let peer = if side == Side::Dialed { "head" } else { "node-1" };
        let heard = move |event| tell.try_send(event).expect("room for an event");
        (open(&self.sessions, peer, stream, side, heard), Events(events))
    }

    pub(super) fn shutdown(&self) {
        self.runtime.block_on(self.root.shutdown(GENEROUS));
    }

    /// Lets a runtime with one thread go on until something has happened.
    pub(super) fn run_until<T: Send + 'static>(
        &self,
        wait: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (tell, done) = tokio::sync::oneshot::channel();
        let waits = thread::spawn(move || _ = tell.send(wait()));
        let value = self.runtime.block_on(done).unwrap();
        waits.join().unwrap();
        value
    }
}

/// What one side of a session has heard.
pub(super) struct Events<In>(Receiver<SessionEvent<In>>);

impl<In> Events<In> {
    pub(super) fn next(&self) -> SessionEvent<In> {
        self.0.recv_timeout(GENEROUS).expect("an event in time")
    }

    pub(super) fn opened(&self) {
        assert!(matches!(self.next(), SessionEvent::Opened), "first of all it is opened");
    }

    pub(super) fn said(&self) -> In {
        let SessionEvent::Said(message) = self.next() else { panic!("a message comes next") };
        message
    }

    /// Why the session ended, however much was said before; and that nothing comes after that.
    pub(super) fn lost(&self) -> SessionEnd {
        let cause = loop {
            if let SessionEvent::Lost(cause) = self.next() {
                break cause;
            }
        };
        let after = self.0.recv_timeout(GENEROUS);
        assert!(after.is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Disconnected));
        cause.value().expect("the cause has its value")
    }
}

/// The door of a head, and how one dials it.
pub(super) struct Door {
    token: Token,
    tls: Option<Tls>,
    listener: Listener,
    arrivals: Receiver<Stream>,
}

impl Door {
    pub(super) fn plain() -> Self {
        Self::of(BindTo::loopback(Token::random().unwrap()))
    }

    pub(super) fn encrypted() -> Self {
        let token = Token::random().unwrap();
        let tls = Some(Tls::of_token(&token).unwrap());
        Self::of(BindTo { tls, ..BindTo::loopback(token) })
    }

    fn of(to: BindTo) -> Self {
        let (tell, arrivals) = sync_channel(64);
        let (token, tls) = (to.token.clone(), to.tls.clone());
        let listener = Listener::bind(to, move |_, stream, _| _ = tell.send(stream)).unwrap();
        Self { token, tls, listener, arrivals }
    }

    /// The dialer's end, and the listener's.
    pub(super) fn connection(&self) -> (Stream, Stream) {
        let hello = Hello::new(Plane::Control, "node-1", b"").unwrap();
        let address = self.listener.local_addr();
        let dialed = dial(address, &self.token, self.tls.as_ref(), &hello, GENEROUS).unwrap();
        (dialed, self.arrivals.recv_timeout(GENEROUS).unwrap())
    }

    /// As [`Door::connection`], with somebody in between.
    pub(super) fn connection_through(&self) -> (Stream, Stream, Middle) {
        let (dialed, left) = self.connection();
        let (right, accepted) = self.connection();
        (dialed, accepted, Middle::of(left, right))
    }
}

/// One in the middle of a connection.
pub(super) struct Middle {
    closers: [Closer; 2],
    to_dialer: Arc<Mutex<WriteHalf>>,
}

impl Middle {
    fn of(left: Stream, right: Stream) -> Self {
        let closers = [left.closer(), right.closer()];
        let (left_reads, left_writes) = left.split();
        let (right_reads, right_writes) = right.split();
        let to_dialer = Arc::new(Mutex::new(left_writes));
        let ways = [
            (left_reads, Arc::new(Mutex::new(right_writes))),
            (right_reads, Arc::clone(&to_dialer)),
        ];
        for (mut reads, writes) in ways {
            let closers = closers.clone();
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(read @ 1..) = reads.read(&mut bytes) {
                    if writes.lock().unwrap().write_all(&bytes[..read]).is_err() {
                        break;
                    }
                }
                closers.iter().for_each(Closer::shutdown);
            });
        }
        Self { closers, to_dialer }
    }

    /// Cuts the connection.
    pub(super) fn cut(&self) {
        self.closers.iter().for_each(Closer::shutdown);
    }

    /// Says something to the dialer that the other side never said.
    pub(super) fn inject(&self, bytes: &[u8]) {
        self.to_dialer.lock().unwrap().write_all(bytes).unwrap();
    }
}

/// Two processes and an open session between them.
pub(super) struct Couple {
    pub(super) node: Process,
    pub(super) head: Process,
    pub(super) door: Door,
    pub(super) at_node: (Session<String>, Events<String>),
    pub(super) at_head: (Session<String>, Events<String>),
    pub(super) middle: Middle,
}

impl Couple {
    pub(super) fn meet() -> Self {
        let (node, head, door) = (Process::start(), Process::start(), Door::plain());
        let (dialed, accepted, middle) = door.connection_through();
        let at_node = node.open(dialed, Side::Dialed);
        let at_head = head.open(accepted, Side::Accepted);
        at_node.1.opened();
        at_head.1.opened();
        Self { node, head, door, at_node, at_head, middle }
    }

    /// One more session between the two, over a connection of its own.
    pub(super) fn another(&self) -> Talk {
        let (dialed, accepted) = self.door.connection();
        let at_node = self.node.open(dialed, Side::Dialed);
        let at_head = self.head.open(accepted, Side::Accepted);
        at_node.1.opened();
        at_head.1.opened();
        Talk { at_node, at_head }
    }
}

/// Both ends of a session.
pub(super) struct Talk {
    pub(super) at_node: (Session<String>, Events<String>),
    pub(super) at_head: (Session<String>, Events<String>),
}

impl Talk {
    /// What either side says arrives.
    pub(super) fn works(&self) {
        self.at_node.0.say(&"up".to_owned()).unwrap();
        assert_eq!(self.at_head.1.said(), "up");
        self.at_head.0.say(&"down".to_owned()).unwrap();
        assert_eq!(self.at_node.1.said(), "down");
    }
}
