//! The door of the head: where nodes, drivers and whoever asks come in.
//!
//! - **Parent:** the root (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** none; the listener and its threads, which end with it. Connections that were handed on stay.
//! - **After a restart:** the same port is listened to again. It starts again when the operating system takes the port away, and
//!   the head ends when that goes on.
//! - **Tells:** the supervisors of mirrors and drivers, whom to start.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use raytree_process::cluster::{Greeting, MESSAGE_BYTES_MAX, ToDriver};
use raytree_supervise::{Actor, Addr, ChildSpec, Context, Failure, Kind, SupervisorMsg};
use raytree_types::{Cause, Restart, limits};
use raytree_wire::{BindTo, Hello, Listener, Plane, Stream, write_frame};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::cluster::Cluster;
use super::driver::{self, Driver};
use super::mirror::{self, NodeMirror};
use super::{beats, status};
use crate::programs;
use crate::session::SessionsMsg;

/// What the door can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum DoorMsg {
    /// Nobody comes in any more, as the operating system says.
    Deaf(io::Error),
}

/// Where a door leads.
pub(crate) struct House {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) sessions: Addr<SessionsMsg>,
    pub(crate) bind: BindTo,
    /// Told when somebody wants the cluster to end.
    pub(crate) stop: tokio::sync::mpsc::Sender<()>,
    /// Transfers under way.
    pub(crate) transfers: Places,
    /// Those who are told that there are too many of them.
    pub(crate) busy: Places,
    /// Those who are told how the cluster is.
    pub(crate) answers: Places,
    /// Those who look at the cluster.
    pub(crate) lookers: Places,
    /// Drivers without a job.
    pub(crate) new_drivers: Places,
    /// Connections for beats.
    pub(crate) beats: Places,
}

/// So many of something may be here at once.
#[derive(Debug)]
pub(crate) struct Places(Arc<Semaphore>);

/// One of them, until this is dropped.
pub(crate) type Place = OwnedSemaphorePermit;

impl Places {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Semaphore::new(limit)))
    }

    fn take(&self) -> Option<Place> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// See the [module documentation](self).
pub(crate) struct Door {
    _listener: Listener,
}

impl Actor for Door {
    type Msg = DoorMsg;
    type Args = Arc<House>;

    async fn start(ctx: &Context<DoorMsg>, house: Arc<House>) -> Result<Self, Failure> {
        let mut bind = house.bind.clone();
        if let Some(address) = house.cluster.address.get() {
            bind.address = *address;
        }
        let own = Arc::clone(&house);
        let accepted = move |hello: Hello, stream, from| own.receive(&hello, stream, from);
        let addr = ctx.addr().clone();
        // Refused when this has ended.
        let deaf = move |error| _ = addr.cast(DoorMsg::Deaf(error));
        let listener = Listener::bind_and_tell(bind, accepted, deaf)?;
        // Set once, by the first life.
        _ = house.cluster.address.set(listener.local_addr());
        Ok(Self { _listener: listener })
    }

    async fn handle(&mut self, _ctx: &Context<DoorMsg>, message: DoorMsg) -> Result<(), Failure> {
        match message {
            DoorMsg::Deaf(error) => Err(Failure::of(Cause::of_error(&error, "PortLost"))),
        }
    }
}

impl House {
    /// Somebody who knows the token. Called on the thread of the handshake.
    fn receive(self: &Arc<Self>, hello: &Hello, stream: Stream, from: SocketAddr) {
        let greeting = match serde_json::from_slice::<Greeting>(hello.details()) {
            Ok(greeting) => greeting,
            Err(error) => {
                let who = hello.name();
                tracing::warn!(%from, who, %error, "somebody came in and said nothing sensible");
                return;
            }
        };
        let cluster = &self.cluster;
        let name: Arc<str> = hello.name().into();
        match (hello.plane(), greeting) {
            (Plane::Control, Greeting::Node { process }) => {
                let (sessions, stream) = (self.sessions.clone(), Mutex::new(Some(stream)));
                let cluster = Arc::clone(cluster);
                let own = mirror::Arrival { cluster, sessions, name, process, from, stream };
                let own = Arc::new(own);
                let addr = Addr::system::<NodeMirror>(&own.name);
                let spec = ChildSpec::actor::<NodeMirror>(&addr, move || Arc::clone(&own));
                start(&self.cluster.node_pool, spec);
            }
            (Plane::Control, Greeting::Driver) => {
                let Some(place) = self.new_drivers.take() else { return crowded(stream) };
                self.driver(&name, stream, place);
            }
            (Plane::Control, Greeting::Status) => {
                let cluster = Arc::clone(cluster);
                aside(&self.answers, move || status::tell(&cluster, stream));
            }
            (Plane::Control, Greeting::Inspect) => {
                let cluster = Arc::clone(cluster);
                aside(&self.lookers, move || cluster.windows.show(stream));
            }
            (Plane::Control, Greeting::Window { ticket, opens }) => {
                cluster.windows.arrived(ticket, opens.then_some(stream));
            }
            (Plane::Control, Greeting::Stop) => {
                // Full when somebody has said it already.
                _ = self.stop.try_send(());
                aside(&self.answers, move || _ = stream.split().1.finish());
            }
            (Plane::Beats, Greeting::Beats { process }) => {
                let Some(place) = self.beats.take() else {
                    tracing::warn!(%from, "closed: too many connections for beats");
                    return;
                };
                let heard = beats::hear(Arc::clone(cluster), (name, process), stream, place);
                if let Err(error) = heard {
                    tracing::error!(%error, "no thread for the beats of a node");
                }
            }
            (Plane::Bytes, Greeting::Fetch { program }) => {
                let cluster = Arc::clone(cluster);
                self.transfer(stream, move |stream| {
                    programs::send(&cluster.programs, program, stream);
                });
            }
            (Plane::Bytes, Greeting::Store { manifest }) => {
                let cluster = Arc::clone(cluster);
                self.transfer(stream, move |stream| {
                    programs::receive(&cluster.programs, &manifest, stream);
                });
            }
            (plane, greeting) => {
                tracing::warn!(%from, ?plane, ?greeting, "somebody came in by the wrong plane");
            }
        }
    }

    fn driver(&self, name: &str, stream: Stream, place: Place) {
        let cluster = Arc::clone(&self.cluster);
        let own = Arc::new(driver::Arrival { cluster, taken: Mutex::new(Some((stream, place))) });
        let addr = Addr::new(name, "Driver", limits::DRIVER_INBOX_MAX, Kind::System);
        let spec = ChildSpec::actor::<Driver>(&addr, move || Arc::clone(&own));
        start(&self.cluster.drivers, spec);
    }

    /// A transfer, or the word that there are too many: then it is to be tried again.
    fn transfer(&self, stream: Stream, work: impl FnOnce(Stream) + Send + 'static) {
        match self.transfers.take() {
            Some(place) => on_thread(place, move || work(stream)),
            None => aside(&self.busy, move || programs::is_busy(stream)),
        }
    }
}

/// On a thread of its own, of which there are not too many: who comes then is closed, and comes again.
fn aside(places: &Places, work: impl FnOnce() + Send + 'static) {
    match places.take() {
        Some(place) => on_thread(place, work),
        None => tracing::warn!("closed: too many ask at once"),
    }
}

fn on_thread(place: Place, work: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().name("raytree-transfer".to_owned());
    let started = thread.spawn(move || {
        let _place = place;
        work();
    });
    if let Err(error) = started {
        tracing::error!(%error, "no thread for a transfer");
    }
}

/// There are too many drivers that have said nothing yet.
fn crowded(stream: Stream) {
    let limit = limits::DRIVERS_NEW_MAX;
    let reason =
        format!("{limit} programs are about to open their jobs, which is the bound: try again");
    let (_reads, mut writes) = stream.split();
    if let Ok(told) = serde_json::to_vec(&ToDriver::Refused { reason }) {
        // There is room for so little; broken when it has left.
        _ = write_frame(&mut writes, &told, MESSAGE_BYTES_MAX);
    }
}

fn start(parent: &Addr<SupervisorMsg>, spec: ChildSpec) {
    let spec = spec.restart(Restart::Temporary);
    // Refused only when the head ends: then the connection is dropped.
    _ = parent.cast(SupervisorMsg::StartChild(Box::new(spec)));
}
