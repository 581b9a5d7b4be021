//! Actors that this process has asked its program to make: a name is unique, and what is detached lives on, where the whole
//! program is, and not in one of its workers.

use std::sync::Arc;

use parking_lot::Mutex;
use raytree_types::{ActorOptions, Cause, Error, ExitKind, Result};

use super::constructor;
use crate::link::{Ask, ImportedActor, Link};
use crate::object::part::Part;
use crate::runtime::Shared;
use crate::task::args::Args;
use crate::task::definition::Info;
use crate::user::class::Given;

/// One of them, for all lives of its stand-in here.
pub(crate) struct Made {
    class: &'static Info,
    options: ActorOptions,
    arguments: Box<dyn Fn() -> Result<Vec<Part>> + Send + Sync>,
    standing: Mutex<Standing>,
}

enum Standing {
    /// The program knows nothing of it.
    NotYet,
    /// It was ended before.
    Never,
    /// Its answer has not come yet. Meanwhile it was ended: killed, or in order.
    Asked {
        end: Option<bool>,
    },
    There(Arc<ImportedActor>),
}

impl Made {
    pub(crate) fn new<A: Args>(
        class: &'static Info,
        given: Given<A>,
        options: ActorOptions,
    ) -> Self {
        let arguments = Box::new(move || A::write(given.lend()?, class.codec));
        Self { class, options, arguments, standing: Mutex::new(Standing::NotYet) }
    }

    /// What its stand-in has of its options.
    pub(crate) fn stand_in(&self, label: &str) -> ActorOptions {
        let label = self.options.given_label().unwrap_or(label);
        let options = ActorOptions::new().cpus(0.0).label(label);
        options.mailbox(self.options.mailbox_bound()).retries(self.options.retries_max())
    }

    /// Its end is wanted. False when the program has not been asked for it, and never will be; and when whoever calls it has
    /// it by now.
    pub(crate) fn end(&self, kill: bool) -> bool {
        let mut standing = self.standing.lock();
        match &mut *standing {
            Standing::NotYet => *standing = Standing::Never,
            Standing::Asked { end } => {
                *end = Some(end.unwrap_or_default() || kill);
                return true;
            }
            Standing::Never | Standing::There(_) => {}
        }
        false
    }

    /// Asks the program for it, once, and waits until its constructor has returned.
    ///
    /// # Errors
    /// How it has ended.
    pub(super) async fn ask(
        &self,
        runtime: &Shared,
    ) -> std::result::Result<Arc<ImportedActor>, ExitKind> {
        {
            let mut standing = self.standing.lock();
            match &*standing {
                Standing::There(imported) => return Ok(Arc::clone(imported)),
                Standing::NotYet => *standing = Standing::Asked { end: None },
                Standing::Never => {
                    let reason = "it was ended before it began".to_owned();
                    return Err(ExitKind::Stopped { reason });
                }
                Standing::Asked { .. } => {
                    let why = "who has asked for it ended before the answer came";
                    return Err(ExitKind::HostDied(Cause::message(why)));
                }
            }
        }
        let imported = self.asked(runtime).await?;
        let before = {
            let there = Standing::There(Arc::clone(&imported));
            std::mem::replace(&mut *self.standing.lock(), there)
        };
        if let Standing::Asked { end: Some(kill) } = before {
            imported.link.end_actor(imported.export, kill);
        }
        Ok(imported)
    }

    async fn asked(&self, runtime: &Shared) -> std::result::Result<Arc<ImportedActor>, ExitKind> {
        let gone = || ExitKind::HostDied(Cause::message("the program is gone"));
        let link = maker(runtime).ok_or_else(gone)?;
        let arguments = (self.arguments)().map_err(|error| constructor(&error))?;
        let (class, signature) = (self.class.name.to_owned(), self.class.signature.to_owned());
        let what = Ask::Make { class, signature, options: Box::new(self.options.clone()) };
        let answer = link.request_with(what, arguments).await.map_err(|error| match error {
            Error::ActorDied { kind, .. } => *kind,
            other => constructor(&other),
        })?;
        answer.into_actor().ok_or_else(gone)
    }
}

/// The link with whoever makes actors of names for this process.
pub(crate) fn maker(runtime: &Shared) -> Option<Arc<Link>> {
    let program = runtime.program.get().and_then(|program| program.link());
    program.or_else(|| runtime.parent.get().cloned())
}
