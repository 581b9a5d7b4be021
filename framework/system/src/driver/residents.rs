//! The residents that a driver follows: detached actors, which belong to the head of the cluster and outlive every driver.
//!
//! The head says of each what becomes of it; what it said last stands here. Belongs to the runtime, as all that a driver
//! knows.
//!
//! Invariants:
//! - **RF-1 (told-when-ended):** a call that was lost with the link to a resident is lost for its caller when the head has said
//!   that that life has ended; or, where the head still has it as living, after [`limits::RESIDENT_FATE_WITHIN`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use raytree_process::cluster::{
    About, FromDriver, Resident as Described, ResidentNews, ResidentWish, Worker,
};
use raytree_process::program::Program;
use raytree_types::{ActorId, Cause, Error, ExitKind, Result, limits};
use tokio::sync::watch;

use super::Driver;
use super::lines::Line;
use crate::runtime::Shared;

/// See the [module documentation](self).
#[derive(Default)]
pub(super) struct Residents {
    next: AtomicU64,
    followed: Mutex<Followed>,
}

#[derive(Default)]
struct Followed {
    by_ticket: HashMap<u64, watch::Sender<State>>,
    /// Nobody will say anything of them any more, for this reason.
    lost: Option<String>,
}

/// What is known of a resident.
#[derive(Clone, Debug, Default)]
struct State {
    /// Who it is, once the head has said so.
    is: Option<(ActorId, Arc<About>)>,
    standing: Standing,
}

/// How it stands with a resident.
#[derive(Clone, Debug, Default)]
enum Standing {
    /// It has no life now, or nothing was said yet.
    #[default]
    Waits,
    Up(Home),
    /// Nothing follows.
    Over(Over),
}

/// Where a life of a resident is.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) worker: Worker,
    pub(crate) life: u32,
    pub(crate) address: SocketAddr,
}

/// The last that is heard of a resident.
#[derive(Clone, Debug)]
pub(crate) enum Over {
    /// There is none, or it cannot be followed.
    Refused(Refused),
    /// It has ended for good.
    Dead { cause: Cause, in_order: bool },
}

/// Why there is nobody to be followed.
#[derive(Clone, Debug)]
pub(crate) enum Refused {
    /// Nobody has the name.
    Missing,
    /// Somebody else has the name.
    NameTaken,
    /// Something else.
    Error(Error),
}

/// A resident that this process follows for as long as this is held.
pub(crate) struct Resident {
    driver: Arc<Driver>,
    ticket: u64,
    state: watch::Receiver<State>,
    /// What this process has called it before the head knew of it.
    wished: Option<(ActorId, Arc<About>)>,
    asked: Mutex<Asked>,
    /// This process has had it killed.
    is_killed: AtomicBool,
    /// This process wants its end, behind what it has called before.
    stops: AtomicBool,
}

/// Whether the head knows that this process follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    #[default]
    NotYet,
    Yes,
    /// It was ended before: it is never asked for.
    Never,
}

impl Residents {
    fn follow(&self) -> (u64, watch::Receiver<State>) {
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        let (say, state) = watch::channel(State::default());
        let followed = &mut *self.followed.lock();
        match &followed.lost {
            Some(reason) => _ = say.send(State { is: None, standing: head_lost(reason) }),
            None => _ = followed.by_ticket.insert(ticket, say),
        }
        (ticket, state)
    }

    /// The head has said what becomes of one.
    pub(super) fn hear(&self, ticket: u64, news: ResidentNews) {
        let is_last = news.is_last();
        let mut followed = self.followed.lock();
        let Some(say) = followed.by_ticket.get(&ticket) else { return };
        say.send_modify(|state| match news {
            ResidentNews::Is { id, program, about } => match check(&program.id, &about) {
                Ok(()) => state.is = Some((id, Arc::new(about))),
                Err(error) => state.standing = Standing::Over(Over::Refused(error)),
            },
            // What cannot be called here is over, wherever it lives.
            _ if matches!(state.standing, Standing::Over(_)) => {}
            ResidentNews::Up { worker, life, address } => {
                state.standing = Standing::Up(Home { worker, life, address });
            }
            ResidentNews::Down { .. } => state.standing = Standing::Waits,
            ResidentNews::Dead { cause, in_order } => {
                state.standing = Standing::Over(Over::Dead { cause, in_order });
            }
            ResidentNews::Missing => state.standing = refused(Refused::Missing),
            ResidentNews::NameTaken => state.standing = refused(Refused::NameTaken),
            ResidentNews::Refused { reason } => {
                state.standing = refused(Refused::Error(Error::StartFailed { reason }));
            }
        });
        if is_last {
            followed.by_ticket.remove(&ticket);
        }
    }

    /// The head is lost: nobody will say anything of them any more.
    pub(super) fn lost(&self, reason: &str) {
        let lost = Some(reason.to_owned());
        let before =
            std::mem::replace(&mut *self.followed.lock(), Followed { lost, ..Followed::default() });
        for say in before.by_ticket.into_values() {
            say.send_modify(|state| state.standing = head_lost(reason));
        }
    }

    /// The head is never asked for this one.
    fn is_over(&self, ticket: u64, over: Over) {
        if let Some(say) = self.followed.lock().by_ticket.remove(&ticket) {
            say.send_modify(|state| state.standing = Standing::Over(over));
        }
    }
}

fn head_lost(reason: &str) -> Standing {
    refused(Refused::Error(Error::HeadLost { reason: reason.to_owned() }))
}

fn refused(why: Refused) -> Standing {
    Standing::Over(Over::Refused(why))
}

/// Only the same program reads what it wrote.
fn check(
    program: &raytree_process::program::ProgramId,
    about: &About,
) -> std::result::Result<(), Refused> {
    let own = Program::of_this_process().and_then(Program::id);
    let own = own.map_err(|error| {
        Refused::Error(Error::StartFailed {
            reason: format!("this program cannot be read: {error}"),
        })
    })?;
    if own == *program {
        return Ok(());
    }
    Err(Refused::Error(Error::ProgramsDiffer {
        name: about.class.clone(),
        asking: "this program".to_owned(),
        wanted: format!("that of program {own}"),
        asked: about.label.clone(),
        found: format!("that of program {program}"),
    }))
}

impl Driver {
    /// One that does not exist yet: it does once [`Resident::create`] was said.
    pub(crate) fn new_resident(self: &Arc<Self>, id: ActorId, about: About) -> Resident {
        self.followed(Some((id, Arc::new(about))))
    }

    /// The one of this name, wherever it came from.
    pub(crate) async fn find_resident(
        self: &Arc<Self>,
        namespace: &str,
        name: &str,
    ) -> std::result::Result<Resident, Refused> {
        let resident = self.followed(None);
        *resident.asked.lock() = Asked::Yes;
        let (ticket, namespace, name) = (resident.ticket, namespace.to_owned(), name.to_owned());
        self.wish(ResidentWish::Find { ticket, namespace, name });
        let mut state = resident.state.clone();
        let told =
            |state: &State| state.is.is_some() || matches!(state.standing, Standing::Over(_));
        let said = state.wait_for(told).await.map(|state| state.clone());
        match said.map(|state| state.standing) {
            Ok(Standing::Over(Over::Refused(why))) => Err(why),
            Ok(_) => Ok(resident),
            Err(_) => Err(Refused::Missing),
        }
    }

    fn followed(self: &Arc<Self>, wished: Option<(ActorId, Arc<About>)>) -> Resident {
        let (ticket, state) = self.residents.follow();
        let (asked, is_killed, stops) = Default::default();
        Resident { driver: Arc::clone(self), ticket, state, wished, asked, is_killed, stops }
    }

    fn wish(&self, what: ResidentWish) {
        self.say(&FromDriver::Resident(what));
    }
}

impl Resident {
    /// The head is asked for it, the first time that this is called.
    pub(crate) fn create(&self, described: Described, get_if_exists: bool) {
        let mut asked = self.asked.lock();
        if *asked == Asked::NotYet {
            *asked = Asked::Yes;
            let (ticket, resident) = (self.ticket, Box::new(described));
            self.driver.wish(ResidentWish::Create { ticket, resident, get_if_exists });
        }
    }

    pub(crate) fn is_asked(&self) -> bool {
        *self.asked.lock() != Asked::NotYet
    }

    fn is(&self) -> Option<(ActorId, Arc<About>)> {
        self.state.borrow().is.clone().or_else(|| self.wished.clone())
    }

    /// The id that the whole cluster knows it by.
    pub(crate) fn id(&self) -> Option<ActorId> {
        self.is().map(|(id, _)| id)
    }

    /// How it is called. There is something once the head has said who it is, or this process has.
    pub(crate) fn about(&self) -> Option<Arc<About>> {
        self.is().map(|(_, about)| about)
    }

    /// Waits for a life after that one, or the end.
    pub(crate) async fn lives_after(&self, life: Option<u32>) -> std::result::Result<Home, Over> {
        let mut state = self.state.clone();
        let told = |state: &State| match &state.standing {
            Standing::Waits => false,
            Standing::Up(home) => life.is_none_or(|life| home.life > life),
            Standing::Over(_) => true,
        };
        let said = state.wait_for(told).await.map(|state| state.standing.clone());
        match said {
            Ok(Standing::Up(home)) => Ok(home),
            Ok(Standing::Over(over)) => Err(over),
            Ok(Standing::Waits) | Err(_) => Err(gone()),
        }
    }

    /// Whether that life is the one which the head has as living.
    pub(crate) fn lives(&self, life: u32) -> bool {
        matches!(&self.state.borrow().standing, Standing::Up(home) if home.life == life)
    }

    /// Waits until the head says that this life is over.
    pub(crate) fn ended(&self, life: u32) -> impl Future<Output = ()> + Send + use<> {
        let mut state = self.state.clone();
        async move {
            let other =
                |state: &State| !matches!(&state.standing, Standing::Up(home) if home.life == life);
            // An error is that nobody follows it any more.
            _ = state.wait_for(other).await.map(drop);
        }
    }

    /// Waits for the end of it all.
    pub(crate) async fn over(&self) -> Over {
        let mut state = self.state.clone();
        let said = state.wait_for(|state| matches!(state.standing, Standing::Over(_))).await;
        match said.map(|state| state.standing.clone()) {
            Ok(Standing::Over(over)) => over,
            Ok(_) | Err(_) => gone(),
        }
    }

    /// How a life has ended whose link is lost, and whether another one follows (RF-1).
    pub(crate) async fn fate(&self, life: u32) -> (ExitKind, bool) {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| match &state.standing {
            Standing::Up(home) => home.life > life,
            Standing::Waits | Standing::Over(_) => true,
        });
        let said = tokio::time::timeout(limits::RESIDENT_FATE_WITHIN, settled).await;
        let lost = |what: &str| ExitKind::HostDied(Cause::message(what));
        match said.map(|said| said.map(|state| state.standing.clone())) {
            Ok(Ok(Standing::Over(over))) => (self.exit_of(over), false),
            Ok(Ok(_)) => (lost("its process died"), true),
            // It lives: whether it has done what it was asked nobody can say.
            Err(_) => (lost("the link with it was lost, and it lives"), true),
            Ok(Err(_)) => (self.exit_of(gone()), false),
        }
    }

    /// The end of one that is over.
    pub(crate) fn exit_of(&self, over: Over) -> ExitKind {
        match over {
            Over::Dead { .. } if self.is_killed.load(Ordering::Acquire) => {
                ExitKind::Killed { reason: "killed by its user".to_owned() }
            }
            Over::Dead { cause, in_order: true } => ExitKind::Stopped { reason: cause.message },
            Over::Dead { cause, .. } => ExitKind::HostDied(cause),
            Over::Refused(why) => ExitKind::Constructor(Cause::message(why.to_string())),
        }
    }

    /// Its end in order is wanted behind what was called before. False when it has no life now that could come to that.
    pub(crate) fn stops_behind(&self) -> bool {
        self.stops.store(true, Ordering::Release);
        // After the mark: who waits for the next life from now on sees it.
        matches!(self.state.borrow().standing, Standing::Up(_))
    }

    /// As of [`Self::stops_behind`].
    pub(crate) fn is_stopping(&self) -> bool {
        self.stops.load(Ordering::Acquire)
    }

    /// Its end, for good, for everybody. False when the head has not been asked for it, and never will be: then there is
    /// nobody but its stand-in.
    pub(crate) fn end(&self, kill: bool) -> bool {
        self.is_killed.fetch_or(kill, Ordering::AcqRel);
        let mut asked = self.asked.lock();
        if *asked == Asked::Yes {
            // After the question, which it may have overtaken no more than the answer has: the head knows who is meant.
            self.driver.wish(ResidentWish::End { ticket: self.ticket, kill });
            return true;
        }
        *asked = Asked::Never;
        let cause = Cause::message("it was ended before it began");
        self.driver.residents.is_over(self.ticket, Over::Dead { cause, in_order: true });
        false
    }

    /// The link with a life of it.
    ///
    /// # Errors
    /// A sentence: it cannot be dialed.
    pub(crate) async fn line(
        &self,
        home: &Home,
        runtime: &Arc<Shared>,
    ) -> std::result::Result<Line, String> {
        self.driver.line(home, runtime).await
    }
}

fn gone() -> Over {
    Over::Refused(Refused::Error(Error::RuntimeGone { reason: "it has ended".to_owned() }))
}

impl Refused {
    /// What whoever looked for this name is told.
    pub(crate) fn of_name(self, namespace: &str, name: &str) -> Error {
        match self {
            Self::Error(error) => error,
            Self::Missing | Self::NameTaken => {
                let (name, namespace) = (name.to_owned(), namespace.to_owned());
                Error::ActorNotFound { name, namespace }
            }
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("nobody has this name"),
            Self::NameTaken => f.write_str("a detached actor of the cluster has this name already"),
            Self::Error(error) => error.fmt(f),
        }
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        let followed = self.driver.residents.followed.lock().by_ticket.remove(&self.ticket);
        if followed.is_some() && *self.asked.lock() == Asked::Yes {
            self.driver.wish(ResidentWish::Unfollow { ticket: self.ticket });
        }
    }
}

impl std::fmt::Debug for Resident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resident").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// What is known of one, for whoever makes its stand-in.
pub(crate) fn known(resident: &Resident) -> Result<Arc<About>> {
    resident
        .about()
        .ok_or_else(|| Error::RuntimeGone { reason: "nothing is known of it".to_owned() })
}
