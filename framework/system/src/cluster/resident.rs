//! A worker that is one life of a resident: it has one actor, works for no driver, and is called by whoever dials it.
//!
//! It begins the actor before it listens, and ends with it: with [`ENDED`] when the actor ended in order, of its own will or
//! because one of its callers wanted it, else with [`LOST`]. Then the head decides whether another life follows. Before, its
//! callers are told how the actor has ended.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use raytree_process::ENDED;
use raytree_process::cluster::Residence;
use raytree_types::codec::Encoded;
use raytree_types::{Cause, ExitKind, Incarnation, Result, limits};
use raytree_wire::Stream;
use tokio::time::{interval, timeout};

use crate::link::{Held, Link, Token};
use crate::object::part::Part;
use crate::runtime::{Runtime, Shared};
use crate::task::by_bytes::{Birth, Kin, Way};
use crate::task::registry;

/// Its actor has failed, or it was told to end by its node.
pub(crate) const LOST: i32 = 73;

/// The actor of this process.
pub(crate) struct Residing {
    token: Arc<Token>,
    /// Somebody was told of it: that it is there, or how it could not begin.
    is_known: AtomicBool,
}

impl Residing {
    /// A handle on it. Whoever asks for it says when he has answered.
    pub(crate) fn token(&self) -> &Arc<Token> {
        &self.token
    }

    /// Somebody was told of it.
    pub(crate) fn gets_known(&self) {
        self.is_known.store(true, Ordering::Release);
    }
}

/// Those who call it.
#[derive(Default)]
pub(super) struct Callers {
    links: Mutex<Vec<Arc<Link>>>,
    /// Its node wants it to end: that is no end of the actor's own.
    is_told: AtomicBool,
}

impl Callers {
    /// What was left for them to be written with others goes.
    pub(super) fn flush(&self) {
        self.links.lock().iter().for_each(|link| link.flush());
    }
}

/// Begins the actor of this process.
///
/// # Errors
/// It cannot even be asked for: this program has no such type, or reads the arguments otherwise.
pub(super) fn begin(
    residence: &Residence,
    runtime: &Runtime,
    callers: &Arc<Callers>,
) -> Result<()> {
    let Residence { resident, life } = residence;
    let about = &resident.about;
    let Way::Class(create) = registry::way(&about.class, &about.signature)? else {
        return Err(registry::differs(&about.class, &about.signature, "no actor type"));
    };
    let part = |(head, buffers): &(raytree_process::cluster::Hex, Vec<_>)| {
        let buffers =
            buffers.iter().map(|buffer: &raytree_process::cluster::Hex| buffer.0.clone().into());
        let buffers = buffers.collect();
        Part::here(Encoded { head: head.0.clone(), buffers, refs: Vec::new() })
    };
    let kin = Kin::Life {
        id: resident.id,
        life: Incarnation { placement: *life, restart: 0 },
        options: (*resident.options).clone(),
    };
    let _here = runtime.enter();
    let token = create(resident.arguments.iter().map(part).collect(), Birth(kin))?.0;
    let shared = runtime.shared();
    if let Held::Actor(actor) = &token.held {
        let (ended, callers, own) = (actor.exited(), Arc::clone(callers), Arc::clone(shared));
        shared.system.spawn(async move {
            let kind = ended.await.map(|exit| exit.kind);
            // Who was told waits for the whole runtime.
            if !callers.is_told.load(Ordering::Acquire) {
                callers.hear_all(&own).await;
                let in_order = matches!(kind, Ok(ExitKind::Stopped { .. }));
                ends(if in_order { ENDED } else { LOST });
            }
        });
    }
    // Set once, here.
    _ = shared.resident.set(Residing { token, is_known: AtomicBool::new(false) });
    Ok(())
}

#[expect(clippy::exit, reason = "the program as such never runs in this process")]
fn ends(code: i32) -> ! {
    exit(code)
}

impl Callers {
    /// Its node wants it to end.
    pub(super) fn hears_of_the_end(&self) {
        self.is_told.store(true, Ordering::Release);
    }

    /// Somebody has dialed it.
    pub(super) fn serve(self: &Arc<Self>, runtime: &Runtime, name: &str, stream: Stream) {
        let mut links = self.links.lock();
        if links.len() >= limits::RESIDENT_CALLERS_MAX {
            tracing::warn!(who = name, "closed: too many call this actor");
            return;
        }
        let own: Arc<Mutex<std::sync::Weak<Link>>> = Arc::default();
        let (ends, callers, user) =
            (Arc::clone(&own), Arc::clone(self), runtime.shared().user.clone());
        let hung_up = move |cause: Cause| {
            let Some(link) = ends.lock().upgrade() else { return };
            callers.links.lock().retain(|other| !Arc::ptr_eq(other, &link));
            // Values are dropped there, which is the user's code.
            _ = user.spawn_blocking(move || link.end(&cause));
        };
        // Whoever hangs up at once finds the link there.
        let mut known = own.lock();
        match Link::start(name, stream, runtime.shared(), hung_up) {
            Ok(link) => {
                *known = Arc::downgrade(&link);
                links.push(link);
            }
            Err(error) => tracing::error!(%error, "no thread for one who calls this actor"),
        }
    }

    /// Waits until somebody knows of it and all that there is to say has gone out, or long enough.
    async fn hear_all(&self, runtime: &Shared) {
        let is_known = || {
            let own = runtime.resident.get();
            own.is_none_or(|own| own.is_known.load(Ordering::Acquire))
        };
        let all = async {
            let mut looks = interval(limits::LINK_LOOK_EVERY);
            // The first look is at once; the end is told by a task of its own.
            looks.tick().await;
            loop {
                looks.tick().await;
                if is_known() && self.links.lock().iter().all(|link| link.has_said_all()) {
                    return;
                }
            }
        };
        // An error is that somebody does not read.
        _ = timeout(limits::RESIDENT_LAST_WORD_WITHIN, all).await;
    }
}
