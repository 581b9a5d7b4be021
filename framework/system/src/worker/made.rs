//! Actors that this process has its program make: a name is unique, and what is detached lives on, where the whole program is,
//! and not in one of its workers.
//!
//! Whoever asks chooses the number under which the actor is held for him ([`made_by`]), so everything that he says of it goes
//! behind the question, at once: calls, its end, references to it. The answer says who it is, once its constructor has returned.

use std::sync::Arc;

use parking_lot::Mutex;
use raytree_types::codec::Codec;
use raytree_types::{ActorId, ActorOptions, Cause, Error, ExitKind, Result};
use tokio::sync::watch;

use super::constructor;
use crate::link::{Answer, Ask, ImportedActor, Landing, Link, made_by};
use crate::object::part::Part;
use crate::runtime::Shared;
use crate::runtime::create::Line;
use crate::task::args::Args;
use crate::task::definition::Info;
use crate::user::class::Given;
use crate::user::status::Cell;

/// One of them, for all lives of its stand-in here.
pub(crate) struct Made {
    class: &'static Info,
    options: ActorOptions,
    /// The line that wants it.
    place: String,
    arguments: Box<dyn Fn() -> Result<Vec<Part>> + Send + Sync>,
    standing: Mutex<Standing>,
    told: watch::Receiver<Told>,
}

/// Who it is, or why it is not; none yet.
type Told = Option<std::result::Result<ActorId, Refused>>;

#[derive(Clone, Debug)]
enum Refused {
    Error(Error),
    Lost(Cause),
}

enum Standing {
    /// The program knows nothing of it. Who will tell the answer.
    NotYet(watch::Sender<Told>),
    Asked,
    /// It was ended before.
    Never,
}

impl Made {
    pub(crate) fn new<A: Args>(
        class: &'static Info,
        given: Given<A>,
        (options, place): (ActorOptions, &Line),
    ) -> Self {
        let arguments = Box::new(move || A::write(given.lend()?, class.codec));
        let (tells, told) = watch::channel(None);
        let (place, standing) = (place.to_string(), Mutex::new(Standing::NotYet(tells)));
        Self { class, options, place, arguments, standing, told }
    }

    /// What its stand-in has of its options.
    pub(crate) fn stand_in(&self, label: &str) -> ActorOptions {
        let label = self.options.given_label().unwrap_or(label);
        let options = ActorOptions::new().cpus(0.0).label(label);
        options.mailbox(self.options.mailbox_bound()).retries(self.options.retries_max())
    }

    /// Its end is wanted. True when the program has not been asked for it: then it never will be.
    pub(crate) fn ends_unasked(&self) -> bool {
        let mut standing = self.standing.lock();
        match &*standing {
            Standing::NotYet(_) => *standing = Standing::Never,
            Standing::Never => {}
            Standing::Asked => return false,
        }
        true
    }

    /// Asks the program for it, the first time that this is called. Its arguments are there.
    pub(crate) fn ask(&self, runtime: &Shared, cell: &Cell) {
        // It is the types' own code: before the lock.
        let arguments = (self.arguments)();
        let mut standing = self.standing.lock();
        if !matches!(&*standing, Standing::NotYet(_)) {
            return;
        }
        let Standing::NotYet(tells) = std::mem::replace(&mut *standing, Standing::Asked) else {
            return;
        };
        let refused = match (maker(runtime), arguments) {
            (Some(link), Ok(arguments)) => return self.asks(&link, arguments, tells, cell),
            (None, _) => Refused::Lost(Cause::message("the program is gone")),
            (_, Err(error)) => Refused::Error(error),
        };
        // Nobody waits for one whose stand-in has ended.
        _ = tells.send(Some(Err(refused)));
    }

    fn asks(
        &self,
        link: &Arc<Link>,
        arguments: Vec<Part>,
        tells: watch::Sender<Told>,
        cell: &Cell,
    ) {
        let (class, signature) = (self.class.name.to_owned(), self.class.signature.to_owned());
        let (options, place) = (Box::new(self.options.clone()), self.place.clone());
        let what = Ask::Make { class, signature, options, place };
        let call = link.ask(what, arguments, Box::new(Tells(tells)));
        let known = (cell.name.clone(), self.options.mailbox_bound(), self.options.retries_max());
        cell.comes_from(Arc::new(ImportedActor::made(link, made_by(call), known)));
    }

    /// Waits until its constructor has returned: who it is.
    ///
    /// # Errors
    /// How it has ended.
    pub(super) async fn ready(&self) -> std::result::Result<ActorId, ExitKind> {
        if matches!(&*self.standing.lock(), Standing::Never) {
            let reason = "it was ended before it began".to_owned();
            return Err(ExitKind::Stopped { reason });
        }
        let mut told = self.told.clone();
        let told = told.wait_for(Option::is_some).await.map(|told| told.clone());
        match told {
            Ok(Some(Ok(id))) => Ok(id),
            Ok(Some(Err(Refused::Error(Error::ActorDied { kind, .. })))) => Err(*kind),
            Ok(Some(Err(Refused::Error(error)))) => Err(constructor(&error)),
            Ok(Some(Err(Refused::Lost(cause)))) => Err(ExitKind::HostDied(cause)),
            Ok(None) | Err(_) => Err(ExitKind::HostDied(Cause::message("nobody has answered"))),
        }
    }

    /// Why the program has not made it.
    pub(crate) fn refused(&self) -> Option<Error> {
        match &*self.told.borrow() {
            Some(Err(Refused::Error(error))) if !matches!(error, Error::ActorDied { .. }) => {
                Some(error.clone())
            }
            _ => None,
        }
    }
}

struct Tells(watch::Sender<Told>);

impl Landing for Tells {
    fn land(self: Box<Self>, answer: Answer) {
        let told = match answer {
            Answer::Value(part) => part.value::<ActorId>(Codec::Compact).map_err(Refused::Error),
            Answer::Failed(error) => Err(Refused::Error(error)),
            Answer::Lost(cause) => Err(Refused::Lost(cause)),
        };
        // Nobody waits for one whose stand-in has ended.
        _ = self.0.send(Some(told));
    }
}

/// The link with whoever makes actors of names for this process.
pub(crate) fn maker(runtime: &Shared) -> Option<Arc<Link>> {
    let program = runtime.program.get().and_then(|program| program.link());
    program.or_else(|| runtime.parent.get().cloned())
}
