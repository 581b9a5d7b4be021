//! The door of the head: where nodes, drivers and whoever asks come in.
//!
//! - **Parent:** the root (one-for-one; permanent; 5 restarts in 30 s).
//! - **Children:** none; the listener and its threads, which end with it. Connections that were handed on stay.
//! - **After a restart:** the same port is listened to again.
//! - **Tells:** the supervisors of mirrors and drivers, whom to start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;
use raytree_process::cluster::Greeting;
use raytree_supervise::{Actor, Addr, ChildSpec, Context, Failure, SupervisorMsg};
use raytree_types::{Restart, limits};
use raytree_wire::{BindTo, Hello, Listener, Plane, Stream};

use super::cluster::Cluster;
use super::driver::{self, Driver};
use super::mirror::{self, NodeMirror};
use super::{beats, status};
use crate::programs;
use crate::session::SessionsMsg;

/// What the door can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum DoorMsg {}

/// Where a door leads.
pub(crate) struct House {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) sessions: Addr<SessionsMsg>,
    pub(crate) bind: BindTo,
    /// Told when somebody wants the cluster to end.
    pub(crate) stop: tokio::sync::mpsc::Sender<()>,
    /// Transfers under way.
    pub(crate) transfers: AtomicUsize,
}

/// See the [module documentation](self).
pub(crate) struct Door {
    _listener: Listener,
}

impl Actor for Door {
    type Msg = DoorMsg;
    type Args = Arc<House>;

    async fn start(_ctx: &Context<DoorMsg>, house: Arc<House>) -> Result<Self, Failure> {
        let mut bind = house.bind.clone();
        if let Some(address) = house.cluster.address.get() {
            bind.address = *address;
        }
        let own = Arc::clone(&house);
        let accepted = move |hello: Hello, stream, from| own.receive(&hello, stream, from);
        let listener = Listener::bind(bind, accepted)?;
        // Set once, by the first life.
        _ = house.cluster.address.set(listener.local_addr());
        Ok(Self { _listener: listener })
    }

    async fn handle(&mut self, _ctx: &Context<DoorMsg>, message: DoorMsg) -> Result<(), Failure> {
        match message {}
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
                let own = mirror::Arrival { cluster, sessions, name, process, stream };
                let own = Arc::new(own);
                let addr = Addr::system::<NodeMirror>(&own.name);
                let spec = ChildSpec::actor::<NodeMirror>(&addr, move || Arc::clone(&own));
                start(&self.cluster.node_pool, spec);
            }
            (Plane::Control, Greeting::Driver) => {
                let cluster = Arc::clone(cluster);
                let own = driver::Arrival { cluster, stream: Mutex::new(Some(stream)) };
                let own = Arc::new(own);
                let addr = Addr::system::<Driver>(&name);
                let spec = ChildSpec::actor::<Driver>(&addr, move || Arc::clone(&own));
                start(&self.cluster.drivers, spec);
            }
            (Plane::Control, Greeting::Status) => {
                let cluster = Arc::clone(cluster);
                self.aside(move || status::tell(&cluster, stream));
            }
            (Plane::Control, Greeting::Stop) => {
                // Full when somebody has said it already.
                _ = self.stop.try_send(());
                self.aside(move || _ = stream.split().1.finish());
            }
            (Plane::Beats, Greeting::Beats { .. }) => {
                if let Err(error) = beats::hear(Arc::clone(cluster), name, stream) {
                    tracing::error!(%error, "no thread for the beats of a node");
                }
            }
            (Plane::Bytes, Greeting::Fetch { program }) => {
                let cluster = Arc::clone(cluster);
                self.aside(move || programs::send(&cluster.programs, program, stream));
            }
            (Plane::Bytes, Greeting::Store { manifest }) => {
                let cluster = Arc::clone(cluster);
                self.aside(move || programs::receive(&cluster.programs, &manifest, stream));
            }
            (plane, greeting) => {
                tracing::warn!(%from, ?plane, ?greeting, "somebody came in by the wrong plane");
            }
        }
    }

    /// On a thread of its own, of which there are not too many: who comes then is sent away, and comes again.
    fn aside(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) {
        struct Leaves(Arc<House>);
        impl Drop for Leaves {
            fn drop(&mut self) {
                self.0.transfers.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let before = self.transfers.fetch_add(1, Ordering::Relaxed);
        let leaves = Leaves(Arc::clone(self));
        if before >= limits::HEAD_TRANSFERS_MAX {
            return;
        }
        let thread = thread::Builder::new().name("raytree-transfer".to_owned());
        let started = thread.spawn(move || {
            let _leaves = leaves;
            work();
        });
        if let Err(error) = started {
            tracing::error!(%error, "no thread for a transfer");
        }
    }
}

fn start(parent: &Addr<SupervisorMsg>, spec: ChildSpec) {
    let spec = spec.restart(Restart::Temporary);
    // Refused only when the head ends: then the connection is dropped.
    _ = parent.cast(SupervisorMsg::StartChild(Box::new(spec)));
}
