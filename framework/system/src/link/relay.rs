//! References of one worker that this process, the owner of both, holds for another one ([`super::neighbour`]). What they are
//! of is not known here: values and calls go through as they were written.

use std::pin::Pin;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use raytree_types::codec::{Codec, RefToken};
use raytree_types::{ActorId, Cause, Error, Exit, ExitKind, Incarnation, Result};
use tokio::sync::{mpsc, oneshot};

use super::adopt::{self, Adopting};
use super::answer::Asks;
use super::export::{Called, Callee, Held, Object, Token, unknown};
use super::import::{Home, Imported, ImportedActor, owner_died};
use super::serve::{Begun, Items, NextItem, Served};
use super::{Answer, Ask, Landing, Link};
use crate::object::any::AnyObject;
use crate::object::cell::Standing;
use crate::object::part::Part;
use crate::object::seen::Seen;
use crate::object::waiter::{Waiter, tell_all};
use crate::user::remote::Ending;
use crate::user::status::Cell;

/// What came over a link, as something that is held for the other end of another one.
///
/// # Errors
/// [`Error::CannotTravel`] for what did not come over a link.
pub(super) fn token(came: RefToken) -> Result<Arc<Token>> {
    let typed = Arc::clone(&came);
    let held = match came.downcast::<Imported>() {
        Ok(imported) => Held::Object(Arc::new(Relayed::object(imported))),
        Err(other) => {
            let imported = other.downcast::<ImportedActor>().map_err(|_| unknown())?;
            let id = imported.id().ok_or_else(unknown)?;
            Held::Actor(Arc::new(RelayedActor(imported, id)))
        }
    };
    Ok(Arc::new(Token { typed, held }))
}

/// What has come back: such a thing as it came at first, which becomes whatever it is here.
pub(super) fn came_back(token: Arc<Token>) -> RefToken {
    let is_import = token.typed.is::<Imported>() || token.typed.is::<ImportedActor>();
    if is_import { Arc::clone(&token.typed) } else { token }
}

/// A value of another process, once somebody wants it.
struct Relayed {
    came: Arc<Came>,
    /// Where it is.
    from: From,
}

enum From {
    Object(Arc<Imported>),
    Call(Arc<Link>, u64),
}

#[derive(Default)]
struct Came(Mutex<State>);

#[derive(Default)]
struct State {
    is_asked: bool,
    /// What came could not be fetched from where it is, and it is asked for anew.
    is_lost: bool,
    result: Option<Result<Part>>,
    waiters: Vec<Waiter>,
}

impl State {
    fn standing(&self) -> Standing {
        match &self.result {
            None => Standing::Pending,
            Some(Ok(_)) => Standing::Ready,
            Some(Err(_)) => Standing::Failed,
        }
    }
}

impl Came {
    fn settle(&self, result: Result<Part>) {
        let (waiters, ok) = {
            let mut state = self.0.lock();
            let ok = result.is_ok();
            state.result = Some(result);
            state.is_lost = false;
            (std::mem::take(&mut state.waiters), ok)
        };
        tell_all(waiters, ok);
    }
}

impl Relayed {
    fn object(imported: Arc<Imported>) -> Self {
        Self { came: Arc::default(), from: From::Object(imported) }
    }
}

impl Object for Relayed {
    fn ask(&self, waiter: Waiter) -> Standing {
        let (wanted, anew) = {
            let mut state = self.came.0.lock();
            if state.result.is_some() && !state.is_lost {
                return state.standing();
            }
            state.waiters.push(waiter);
            (!std::mem::replace(&mut state.is_asked, true), state.is_lost)
        };
        if let (true, From::Object(imported)) = (wanted, &self.from) {
            let (came, link) = (Arc::clone(&self.came), Arc::clone(imported.link()));
            let what = Ask::Fetch { export: imported.export(), anew };
            let (of, lost) = (Arc::downgrade(imported), move |cause| owner_died(&link, cause));
            imported.link().ask(what, Vec::new(), Box::new(Lands { came, of, lost }));
        }
        // Whoever waits is told, also when it is there by now.
        Standing::Pending
    }

    fn part(&self) -> Result<Part> {
        let state = self.came.0.lock();
        state.result.clone().unwrap_or_else(|| Err(unknown()))
    }

    fn is_lost(&self) {
        let mut state = self.came.0.lock();
        let is_far =
            state.result.as_ref().is_some_and(|came| came.as_ref().is_ok_and(Part::is_far));
        // What nobody here has asked for yet was told to somebody else, who could not fetch it.
        let is_new = state.result.is_none() && !state.is_asked;
        // What a call has answered is not asked for again.
        if (is_far || is_new) && matches!(self.from, From::Object(_)) && !state.is_lost {
            (state.is_lost, state.is_asked) = (true, false);
        }
    }

    fn cancel(&self, recursive: bool) {
        match &self.from {
            From::Object(imported) => imported.cancel(recursive),
            From::Call(link, call) => link.withdraw(*call, recursive),
        }
    }

    fn seen(&self) -> Seen {
        let state = self.came.0.lock();
        let label = "an object of another process";
        let at = Arc::as_ptr(&self.came).addr();
        Seen::of(label, (state.standing().into(), state.waiters.len()), at)
    }

    fn home(&self) -> Option<Home> {
        match &self.from {
            From::Object(imported) => Some(Home::Object(Arc::clone(imported))),
            From::Call(..) => None,
        }
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        if let From::Call(link, call) = &self.from {
            // Nothing when it was answered.
            link.withdraw(*call, true);
        }
    }
}

struct Lands<F> {
    came: Arc<Came>,
    /// The object, where it is one.
    of: Weak<Imported>,
    /// What is said when the link has ended.
    lost: F,
}

impl<F: FnOnce(Cause) -> Error + Send> Landing for Lands<F> {
    fn land(self: Box<Self>, answer: Answer) {
        if let Some(imported) = self.of.upgrade() {
            imported.has_come();
        }
        let result = match answer {
            Answer::Value(part) => Ok(part),
            Answer::Failed(error) => Err(error),
            Answer::Lost(cause) => Err((self.lost)(cause)),
        };
        self.came.settle(result);
    }
}

/// An actor of another process.
struct RelayedActor(Arc<ImportedActor>, ActorId);

impl RelayedActor {
    /// It has ended with its process.
    fn exit(&self, cause: Cause) -> Exit {
        Exit {
            actor: self.1,
            name: self.0.label.clone(),
            incarnation: Incarnation::default(),
            kind: ExitKind::HostDied(cause),
            restarts: 0,
            will_restart: false,
        }
    }
}

fn died(exit: Exit) -> Error {
    let Exit { actor, name, kind, will_restart, .. } = exit;
    Error::ActorDied { actor, name, kind: Box::new(kind), will_restart }
}

impl Callee for RelayedActor {
    fn id(&self) -> Result<ActorId> {
        Ok(self.1)
    }

    fn label(&self) -> String {
        self.0.label.clone()
    }

    fn mailbox(&self) -> usize {
        self.0.mailbox
    }

    fn retries(&self) -> u32 {
        self.0.retries
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
        Box::pin(async { Ok(()) })
    }

    fn call(&self, to: &Called, arguments: Vec<Part>) -> Result<Served> {
        let ImportedActor { link, export, .. } = &*self.0;
        let (method, signature) = (to.method.clone(), to.signature.clone());
        let what = Ask::Call { export: *export, method, signature, terms: to.terms };
        let exit = Self(Arc::clone(&self.0), self.1);
        let lost = move |cause| died(exit.exit(cause));
        let Some(window) = to.terms.window else {
            let came: Arc<Came> = Arc::default();
            let landing = Lands { came: Arc::clone(&came), of: Weak::new(), lost };
            let call = link.ask(what, arguments, Box::new(landing));
            let from = From::Call(Arc::clone(link), call);
            return Ok(Served(Begun::One(Arc::new(Relayed { came, from }))));
        };
        // The end has a place of its own.
        let (says, said) = mpsc::channel(window.max(1) as usize + 1);
        let call = link.ask(what, arguments, Box::new(Pours { says, lost }));
        let items = RelayedItems { said, link: Arc::clone(link), call };
        Ok(Served(Begun::Many(Box::new(items), window)))
    }

    fn end(&self, kill: bool) {
        self.0.link.end_actor(self.0.export, kill);
    }

    fn exited(&self) -> Ending {
        // Asked and not watched: others may watch the same import.
        let (says, said) = oneshot::channel();
        let ImportedActor { link, export, .. } = &*self.0;
        let never = Incarnation { placement: u32::MAX, restart: u32::MAX };
        let what = Ask::Over { export: *export, life: never };
        let call = link.ask(what, Vec::new(), Box::new(Ends(says)));
        let (link, own) = (Arc::clone(link), Self(Arc::clone(&self.0), self.1));
        let asks = Asks { link, call };
        Box::pin(async move {
            let answer = said.await;
            drop(asks);
            let cause = match answer {
                Ok(Answer::Value(part)) => match part.value::<Error>(Codec::Compact) {
                    Ok(Error::ActorDied { kind, .. }) => {
                        return Ok(Exit { kind: *kind, ..own.exit(Cause::message("")) });
                    }
                    Ok(error) | Err(error) => Cause::message(error.to_string()),
                },
                Ok(Answer::Failed(error)) => Cause::message(error.to_string()),
                Ok(Answer::Lost(cause)) => cause,
                Err(_) => Cause::message("nobody says how it has ended"),
            };
            Ok(own.exit(cause))
        })
    }

    fn adopts(&self, object: AnyObject) -> Adopting {
        let imported = Arc::clone(&self.0);
        Box::pin(async move { adopt::by_imported(&imported, object).await })
    }

    fn home(&self) -> Option<Home> {
        Some(Home::Actor(Arc::clone(&self.0)))
    }

    fn cell(&self) -> Option<Arc<Cell>> {
        None
    }
}

struct Ends(oneshot::Sender<Answer>);

impl Landing for Ends {
    fn land(self: Box<Self>, answer: Answer) {
        // Whoever waited may have left.
        _ = self.0.send(answer);
    }
}

/// The items of a call that has many.
struct Pours<F> {
    says: mpsc::Sender<Result<Option<Part>>>,
    lost: F,
}

impl<F: FnOnce(Cause) -> Error + Send> Landing for Pours<F> {
    fn item(&self, item: Part) -> Option<Part> {
        // There is a place for each item that room was given for; one who sends more is not heard.
        self.says.try_send(Ok(Some(item))).err()?.into_inner().ok()?
    }

    fn land(self: Box<Self>, answer: Answer) {
        let end = match answer {
            Answer::Value(_) => Ok(None),
            Answer::Failed(error) => Err(error),
            Answer::Lost(cause) => Err((self.lost)(cause)),
        };
        _ = self.says.try_send(end);
    }
}

struct RelayedItems {
    said: mpsc::Receiver<Result<Option<Part>>>,
    link: Arc<Link>,
    call: u64,
}

impl Items for RelayedItems {
    fn next(&mut self) -> NextItem<'_> {
        Box::pin(async move {
            let item = self.said.recv().await?.transpose()?;
            self.link.give_room(self.call, 1);
            Some(item)
        })
    }
}

impl Drop for RelayedItems {
    fn drop(&mut self) {
        // Nothing when it has ended.
        self.link.withdraw(self.call, true);
    }
}
