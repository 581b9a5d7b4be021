//! The beats of a node: a connection and a thread of their own, so that nothing else delays them. The thread lets time pass
//! for the lease.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use raytree_engine::membership::{ChildEffect, ChildInput, Standing};
use raytree_process::BEAT_THREAD;
use raytree_process::cluster::{Beat, Greeting};
use raytree_types::limits;
use raytree_wire::{Closer, Hello, Plane, Stream, WriteHalf, dial};

use super::station::Station;

/// What the node's system runtime has got done: one that beats and gets nothing done is stuck.
pub(super) type Progress = AtomicU64;

/// Beats until the lease ends the node.
///
/// # Errors
/// What the operating system said: there is no thread.
pub(super) fn begin(station: Arc<Station>, every: Duration) -> std::io::Result<()> {
    let thread = thread::Builder::new().name(BEAT_THREAD.to_owned());
    thread.spawn(move || {
        let mut line = Line::None;
        while station.standing() != Some(Standing::Exited) {
            for effect in station.lease(ChildInput::Tick) {
                let ChildEffect::Beat { incarnation, seq } = effect else { continue };
                let progress = station.progress.load(Ordering::Relaxed);
                line.send(&station, Beat::Of { incarnation, seq, progress });
            }
            // Earlier is no harm.
            thread::park_timeout(every / 4);
        }
    })?;
    Ok(())
}

/// The connection that beats go over.
enum Line {
    None,
    Dialing(Receiver<Option<Stream>>),
    Open { writes: WriteHalf, is_cut: Arc<AtomicBool>, closer: Closer },
}

impl Line {
    /// A beat that finds no connection is lost: the next one may find it.
    fn send(&mut self, station: &Arc<Station>, beat: Beat) {
        if let Self::Open { is_cut, closer, .. } = self {
            // While it is isolated nothing comes back over this one, and it may be full.
            let is_deaf = station.standing() == Some(Standing::Isolated);
            if is_cut.load(Ordering::Acquire) || is_deaf {
                closer.shutdown();
                *self = Self::None;
            }
        }
        if let Self::None = self {
            *self = dialing(station).map_or(Self::None, Self::Dialing);
        }
        if let Self::Dialing(dialed) = self {
            match dialed.try_recv() {
                Ok(Some(stream)) => *self = open(station, stream),
                Ok(None) | Err(std::sync::mpsc::TryRecvError::Disconnected) => *self = Self::None,
                Err(std::sync::mpsc::TryRecvError::Empty) => {}
            }
        }
        if let Self::Open { writes, is_cut, .. } = self
            && writes.write_all(&beat.written()).is_err()
        {
            is_cut.store(true, Ordering::Release);
        }
    }
}

/// Dials on a thread of its own: that takes as long as it takes.
fn dialing(station: &Arc<Station>) -> Option<Receiver<Option<Stream>>> {
    let (tell, dialed) = sync_channel(1);
    let own = Arc::clone(station);
    let thread = thread::Builder::new().name("raytree-dial".to_owned());
    thread
        .spawn(move || {
            let details = serde_json::to_vec(&Greeting::Beats { process: own.process });
            let hello =
                details.ok().and_then(|told| Hello::new(Plane::Beats, &*own.name, told).ok());
            let (secrets, within) = (&own.secrets, limits::WIRE_HANDSHAKE_WITHIN);
            let stream = hello.and_then(|hello| {
                dial(own.head, &secrets.token, secrets.tls.as_ref(), &hello, within).ok()
            });
            // Received, or the node has ended.
            _ = tell.send(stream);
        })
        .ok()?;
    Some(dialed)
}

fn open(station: &Arc<Station>, stream: Stream) -> Line {
    let (mut reads, writes) = stream.split();
    let (closer, is_cut) = (writes.closer(), Arc::new(AtomicBool::new(false)));
    let (own, cut) = (Arc::clone(station), Arc::clone(&is_cut));
    let thread = thread::Builder::new().name("raytree-beats".to_owned());
    let hears = thread.spawn(move || {
        let mut bytes = [0; Beat::BYTES];
        while reads.read_exact(&mut bytes).is_ok() {
            let input = match Beat::read(&bytes) {
                Some(Beat::Heard { incarnation, seq }) => ChildInput::Answered { incarnation, seq },
                Some(Beat::Exit { incarnation }) => ChildInput::ToldToExit { incarnation },
                Some(Beat::Of { .. }) | None => break,
            };
            // Answers lead to no beats.
            _ = own.lease(input);
        }
        cut.store(true, Ordering::Release);
    });
    if hears.is_err() { Line::None } else { Line::Open { writes, is_cut, closer } }
}
