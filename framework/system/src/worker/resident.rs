//! The stand-in of a resident, a detached actor of the cluster: its mailbox is here, its body in a process of its own, which
//! belongs to the head.
//!
//! - **Parent:** `actor_host` (one-for-one; transient, without restarts: it outlives the lives that it stands for).
//! - **Children:** none linked; the link with the resident's process.
//! - **After a restart:** there is none.
//! - **Tells:** its callers, with the answers that come back; the head, at its beginning, that the resident is wanted.
//!
//! Which lives the resident has, and how each has ended, is the head's word. Calls wait here while it has none.
//!
//! Invariants:
//! - **RA-1 (later-lives):** it never goes back to a life that was over, and calls of one caller go to each life in their order.

use std::marker::PhantomData;
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_process::cluster::{About, Hex, Resident as Described};
use raytree_supervise::{self as kit, Context, Failure};
use raytree_types::{ActorOptions, Cause, Error, Exit, ExitKind, Incarnation, Result, limits};
use tokio::sync::watch;

use crate::driver::residents::{Home, Over, Resident};
use crate::link::{Ask, ImportedActor, Link};
use crate::object::part::Part;
use crate::runtime::Shared;
use crate::user::actor::Actor;
use crate::user::job::HostedMsg;
use crate::user::status::Cell;
use crate::worker::ways::Passage;

/// What a resident is made of that does not exist yet.
pub(crate) struct Wish {
    pub(crate) options: ActorOptions,
    pub(crate) namespace: String,
    /// Writes the arguments of its constructor.
    pub(crate) arguments: Box<dyn Fn() -> Result<Vec<Part>> + Send + Sync>,
}

/// Whom a stand-in follows.
#[derive(Clone)]
pub(crate) struct Followed {
    pub(crate) resident: Arc<Resident>,
    /// What is to be created first, if it does not exist yet.
    pub(crate) wish: Option<Arc<Wish>>,
}

/// What its life is made from.
pub(crate) struct FollowArgs {
    pub(crate) cell: Arc<Cell>,
    pub(crate) followed: Followed,
}

/// See the [module documentation](self).
pub(crate) struct Follows<A: Actor> {
    cell: Arc<Cell>,
    resident: Arc<Resident>,
    there: Option<There>,
    /// The newest life that was reached, and is over.
    last: Option<u32>,
    /// How its actor has ended, as its process has said.
    exit: Arc<Mutex<Option<ExitKind>>>,
    _actor: PhantomData<fn() -> A>,
}

/// One life.
struct There {
    link: Arc<Link>,
    actor: Arc<ImportedActor>,
    life: u32,
    /// True once the link says nothing more.
    cut: watch::Receiver<bool>,
}

impl There {
    fn is_cut(&self) -> bool {
        // Without the one who would say so it is over as well.
        *self.cut.borrow() || self.cut.has_changed().is_err()
    }

    /// Waits until a call may be sent; false when it is over.
    async fn takes(&mut self) -> bool {
        if self.is_cut() || self.link.leaves() {
            return false;
        }
        if self.link.has_room() {
            return true;
        }
        tokio::select! {
            biased;
            _ = self.cut.wait_for(|cut| *cut) => false,
            () = self.link.wait_for_room() => true,
        }
    }
}

impl<A: Actor> kit::Actor for Follows<A> {
    type Msg = HostedMsg<A>;
    type Args = FollowArgs;

    async fn start(
        ctx: &Context<HostedMsg<A>>,
        FollowArgs { cell, followed }: FollowArgs,
    ) -> Result<Self, Failure> {
        cell.begins(Incarnation::default());
        let Followed { resident, wish } = followed;
        if let Some(wish) = wish.filter(|_| !resident.is_asked()) {
            let described = describe(&resident, &wish).map_err(|error| constructor(&error))?;
            resident.create(described, wish.options.gets_if_exists());
        }
        let exit = Arc::default();
        let (there, last) = (None, None);
        let mut own = Self { cell, resident, there, last, exit, _actor: PhantomData };
        if let Err(over) = own.reach().await {
            return Err(Failure::exit(own.end_of(over)));
        }
        let resident = Arc::clone(&own.resident);
        ctx.pipe(async move {
            let over = resident.over().await;
            Some(HostedMsg::Gone(Box::new((0, Err(cause_of(&over))))))
        });
        Ok(own)
    }

    async fn handle(
        &mut self,
        ctx: &Context<HostedMsg<A>>,
        message: HostedMsg<A>,
    ) -> Result<(), Failure> {
        match message {
            HostedMsg::Method(ticket) => {
                if let Err(over) = self.reach().await {
                    return self.ends(ctx, over);
                }
                if let Some(There { link, actor, life, .. }) = &self.there {
                    let (export, resident) = (actor.export, &self.resident);
                    let by = Passage::Resident { link, export, resident, life: *life };
                    ticket.job().ship(by, ticket);
                }
                Ok(())
            }
            HostedMsg::Gone(_) => {
                let over = self.resident.over().await;
                self.ends(ctx, over)
            }
            // Messages of hand-written actors cannot travel: dropped, they tell their callers.
            HostedMsg::Call(_) | HostedMsg::Query(_) => Ok(()),
            HostedMsg::ChildExited(_) | HostedMsg::Settle => Ok(()),
        }
    }
}

impl<A: Actor> Follows<A> {
    /// Waits until there is a life that takes a call; the end, when there is none any more.
    async fn reach(&mut self) -> std::result::Result<(), Over> {
        loop {
            if let Some(there) = &mut self.there {
                if there.takes().await {
                    return Ok(());
                }
                // One whose link was lost may live: then it is dialed again, and is the same.
                let lives = self.resident.lives(there.life) && !there.link.leaves();
                self.last = if lives { there.life.checked_sub(1) } else { Some(there.life) };
                self.there = None;
            }
            let home = self.resident.lives_after(self.last).await?;
            match self.attach(&home).await {
                Ok(there) => self.there = Some(there),
                Err(why) => {
                    self.cell.note(&format!("life {} is not reached: {why}", home.life));
                    // Its end is told; else it is dialed again.
                    _ = tokio::time::timeout(
                        limits::DIAL_AGAIN,
                        self.resident.lives_after(Some(home.life)),
                    )
                    .await;
                }
            }
        }
    }

    /// Dials a life, and waits until its constructor has returned.
    async fn attach(&self, home: &Home) -> std::result::Result<There, String> {
        let (resident, own) = (Arc::clone(&self.resident), home.clone());
        let dialed = tokio::task::spawn_blocking(move || resident.dial(&own)).await;
        let stream = dialed.map_err(|error| error.to_string())??;
        let runtime = self.cell.runtime.upgrade().ok_or("the runtime has ended")?;
        let (say, cut) = watch::channel(false);
        let link = start(&self.cell.name, stream, &runtime, say)?;
        drop(runtime);
        let asked = link.request(Ask::Resident).await;
        let actor = asked.map_err(|error| self.unborn(error))?.into_actor();
        let actor = actor.ok_or("no actor came back")?;
        let exit = Arc::clone(&self.exit);
        let heard = move |how: Result<Exit, Cause>| {
            if let Ok(own) = how {
                *exit.lock() = Some(own.kind);
            }
        };
        link.watch(actor.export, Box::new(heard));
        Ok(There { link, actor, life: home.life, cut })
    }

    /// Its constructor has not returned: why is known, if that was why.
    fn unborn(&self, error: Error) -> String {
        let why = error.to_string();
        if let Error::ActorDied { actor, kind, .. } = error
            && actor == self.cell.known_as()
        {
            *self.exit.lock() = Some(*kind);
        }
        why
    }

    /// How this one ends when the resident is over.
    fn end_of(&self, over: Over) -> ExitKind {
        let own = self.exit.lock().take();
        match (&over, own) {
            (Over::Dead { .. }, Some(kind)) => kind,
            _ => self.resident.exit_of(over),
        }
    }

    fn ends(&self, ctx: &Context<HostedMsg<A>>, over: Over) -> Result<(), Failure> {
        match self.end_of(over) {
            ExitKind::Stopped { reason } => {
                ctx.stop(&reason);
                Ok(())
            }
            kind => Err(Failure::exit(kind)),
        }
    }
}

/// A link that ends when the other side does: what was asked over it is told so.
fn start(
    name: &str,
    stream: raytree_wire::Stream,
    runtime: &Arc<Shared>,
    say: watch::Sender<bool>,
) -> std::result::Result<Arc<Link>, String> {
    let own: Arc<Mutex<std::sync::Weak<Link>>> = Arc::default();
    let (ends, user) = (Arc::clone(&own), runtime.user.clone());
    let hung_up = move |cause: Cause| {
        // Nobody waits for it when the stand-in has ended.
        _ = say.send(true);
        let link = ends.lock().upgrade();
        // Values are dropped there, which is the user's code.
        _ = user.spawn_blocking(move || link.inspect(|link| link.end(&cause)));
    };
    // Whoever hangs up at once finds the link there.
    let mut known = own.lock();
    let link = Link::start(name, stream, runtime, hung_up).map_err(|error| error.to_string())?;
    *known = Arc::downgrade(&link);
    Ok(link)
}

fn cause_of(over: &Over) -> Cause {
    match over {
        Over::Dead { cause, .. } => cause.clone(),
        Over::Refused(why) => Cause::message(why.to_string()),
    }
}

/// What the head has to know of one that is to be created.
fn describe(resident: &Resident, wish: &Wish) -> Result<Described> {
    let about = crate::driver::residents::known(resident)?;
    let id = resident.id().ok_or(Error::NoRuntime)?;
    let parts = (wish.arguments)()?;
    if parts.iter().any(|part| !part.0.refs.is_empty()) {
        return Err(Error::CannotTravel {
            type_name: about.label.clone(),
            attribute: None,
            reason: "it outlives this program, so its constructor takes no references and no handles: give it values, or \
                     call it with them once it lives"
                .to_owned(),
        });
    }
    let size: usize = parts.iter().map(|part| part.0.byte_count()).sum();
    if size > limits::RESIDENT_ARGUMENT_BYTES_MAX {
        return Err(Error::TooLarge {
            what: format!("the arguments of {}", about.label),
            size: size as u64,
            unit: "bytes".to_owned(),
            limit: limits::RESIDENT_ARGUMENT_BYTES_MAX as u64,
        });
    }
    let arguments = parts.into_iter().map(|Part(written)| {
        let buffers = written.buffers.iter().map(|buffer| Hex(buffer.to_vec()));
        (Hex(written.head), buffers.collect())
    });
    let options = &wish.options;
    Ok(Described {
        id,
        namespace: wish.namespace.clone(),
        name: options.given_name().map(str::to_owned),
        about: About::clone(&about),
        wants: options.demand().running,
        restarts: options.restarts_max(),
        options: Box::new(options.clone().inside(&about.label)),
        arguments: arguments.collect(),
    })
}

fn constructor(error: &Error) -> Failure {
    let cause = error.cause().cloned().unwrap_or_else(|| Cause::message(error.to_string()));
    Failure::exit(ExitKind::Constructor(cause))
}
