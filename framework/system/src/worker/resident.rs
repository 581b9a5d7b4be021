//! The stand-in of a resident, a detached actor of the cluster: its mailbox is here, its body in a process of its own, which
//! belongs to the head.
//!
//! - **Parent:** `actor_host` (one-for-one; transient, without restarts: it outlives the lives that it stands for).
//! - **Children:** none linked; the link with the resident's process.
//! - **After a restart:** there is none.
//! - **Tells:** its callers, with the answers that come back; the head, at its beginning, that the resident is wanted.
//!
//! Which lives the resident has, and how each has ended, is the head's word. Calls wait here while it has none. What a life
//! has lost is dealt with before anything goes to the next one.
//!
//! Invariants:
//! - **RA-1 (later-lives):** it never goes back to a life that was over, and calls of one caller go to each life in their order.
//! - **RA-2 (as-often-as-asked):** a call that a life has lost is made again, on the next one and before all that was called
//!   later, as often as the actor's `retries` allow; else its caller is told how that life has ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_process::cluster::{About, Hex, Resident as Described};
use raytree_supervise::{self as kit, Addr, Context, Failure};
use raytree_types::{ActorOptions, Cause, Error, Exit, ExitKind, Incarnation, Result, limits};
use tokio::sync::Notify;

use crate::driver::lines::Line;
use crate::driver::residents::{Home, Over, Resident};
use crate::link::{Ask, ImportedActor};
use crate::object::part::Part;
use crate::object::waiter::Needs;
use crate::runtime::burst;
use crate::user::actor::Actor;
use crate::user::job::{HostedMsg, Ticket};
use crate::user::status::Cell;
use crate::worker::constructor;
use crate::worker::crossing::{Crossing, Keeper, Lost, Number, Passage};

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
    addr: Addr<HostedMsg<A>>,
    there: Option<There<A>>,
    /// The newest life that was reached, and is over.
    last: Option<u32>,
    /// What goes to the next life before all else, in this order.
    again: Vec<Ticket<A>>,
    /// The life that was reached last, and how its actor has ended, as its process has said.
    exit: (u32, Arc<Mutex<Option<ExitKind>>>),
}

/// One life, over one link.
struct There<A: Actor> {
    line: Line,
    actor: Arc<ImportedActor>,
    life: u32,
    asked: Arc<Asked<A>>,
}

/// What was asked over one link.
struct Asked<A: Actor> {
    calls: Mutex<Calls<A>>,
    /// Every call is answered or lost.
    settled: Notify,
}

struct Calls<A: Actor> {
    made: Number,
    open: usize,
    lost: BTreeMap<Number, Lost<A>>,
}

impl<A: Actor> Default for Asked<A> {
    fn default() -> Self {
        let calls = Calls { made: 0, open: 0, lost: BTreeMap::new() };
        Self { calls: Mutex::new(calls), settled: Notify::new() }
    }
}

impl<A: Actor> Asked<A> {
    fn crossing(self: &Arc<Self>) -> Crossing<A> {
        let own = Arc::clone(self);
        let calls = &mut *self.calls.lock();
        calls.made += 1;
        calls.open += 1;
        Crossing::new(own, calls.made)
    }

    /// Waits until nothing has an answer on its way.
    async fn is_settled(&self) {
        while self.calls.lock().open > 0 {
            self.settled.notified().await;
        }
    }

    /// What has no answer, once nothing has one on its way any more.
    async fn lost(&self) -> BTreeMap<Number, Lost<A>> {
        self.is_settled().await;
        std::mem::take(&mut self.calls.lock().lost)
    }

    fn settles(&self, lost: Option<(Number, Lost<A>)>) {
        let is_last = {
            let calls = &mut *self.calls.lock();
            calls.open -= 1;
            calls.lost.extend(lost);
            calls.open == 0
        };
        if is_last {
            self.settled.notify_one();
        }
    }
}

impl<A: Actor> Keeper<A> for Asked<A> {
    fn answered(&self, _call: Number) {
        self.settles(None);
    }

    fn lost(&self, call: Number, lost: Lost<A>) {
        self.settles(Some((call, lost)));
    }
}

impl<A: Actor> There<A> {
    /// The link says nothing more, or the head has said that this life is over.
    fn is_over(&self, resident: &Resident) -> bool {
        self.line.is_cut() || !resident.lives(self.life)
    }

    /// Waits until a call may be sent; false when it is over.
    async fn takes(&self, resident: &Resident) -> bool {
        if self.is_over(resident) {
            return false;
        }
        if self.line.link.has_room() {
            return true;
        }
        tokio::select! {
            biased;
            () = self.line.cut() => false,
            () = resident.ended(self.life) => false,
            () = self.line.link.wait_for_room() => true,
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
            let described =
                describe(&resident, &wish).map_err(|error| Failure::exit(constructor(&error)))?;
            resident.create(described, wish.options.gets_if_exists());
        }
        let (addr, there, last, exit) = (ctx.addr().clone(), None, None, Default::default());
        let mut own = Self { cell, resident, addr, there, last, again: Vec::new(), exit };
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
        if !matches!(message, HostedMsg::Method(_)) {
            burst::end_turn();
        }
        match message {
            HostedMsg::Method(ticket) => {
                if let Err(over) = self.reach().await {
                    return self.ends(ctx, over).await;
                }
                if let Some(ticket) = ticket.in_turn(Needs::Value) {
                    self.ship(ticket);
                }
                Ok(())
            }
            HostedMsg::Gone(_) => {
                let over = self.resident.over().await;
                self.ends(ctx, over).await
            }
            // Messages of hand-written actors cannot travel: dropped, they tell their callers.
            HostedMsg::Call(_) | HostedMsg::Query(_) => Ok(()),
            HostedMsg::ChildExited(_) => Ok(()),
            HostedMsg::Stop => {
                self.asked_is_settled().await;
                self.resident.end(false);
                Ok(())
            }
            HostedMsg::Settle => {
                if let Some(there) = self.there.take_if(|there| there.is_over(&self.resident)) {
                    self.leave(there).await;
                }
                if !self.again.is_empty()
                    && let Err(over) = self.reach().await
                {
                    return self.ends(ctx, over).await;
                }
                Ok(())
            }
        }
    }
}

impl<A: Actor> Follows<A> {
    /// Waits until there is a life that takes a call; the end, when there is none any more.
    async fn reach(&mut self) -> std::result::Result<(), Over> {
        loop {
            if let Some(there) = self.there.take() {
                if there.takes(&self.resident).await {
                    self.there = Some(there);
                    return Ok(());
                }
                self.leave(there).await;
            }
            burst::end_turn();
            if self.resident.is_stopping() {
                // Between two lives: there need not be another one.
                self.resident.end(false);
            }
            let home = self.resident.lives_after(self.last).await?;
            if home.life != self.exit.0 {
                self.exit = (home.life, Arc::default());
            }
            match self.attach(&home).await {
                Ok(there) => {
                    self.there = Some(there);
                    let again = std::mem::take(&mut self.again).into_iter();
                    again
                        .filter_map(|lost| lost.in_turn(Needs::Value))
                        .for_each(|lost| self.ship(lost));
                }
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

    /// Waits for what this life was asked: the end that the head sends goes another way, and would overtake it.
    async fn asked_is_settled(&self) {
        if let Some(there) = &self.there {
            tokio::select! {
                () = there.asked.is_settled() => {}
                () = self.resident.ended(there.life) => {}
            }
        }
    }

    fn ship(&self, ticket: Ticket<A>) {
        if let Some(There { line, actor, asked, .. }) = &self.there {
            let crossing = asked.crossing();
            let by = Passage::Kept { link: &line.link, export: actor.export, crossing };
            ticket.job().ship(by, ticket);
        }
    }

    /// It takes nothing more. Waits until all that it was asked is settled (RA-2).
    async fn leave(&mut self, there: There<A>) {
        let There { line, life, asked, .. } = there;
        self.cell.has_left();
        if !line.is_cut() && !self.resident.lives(life) {
            // It may be alive, where its node is cut off from the head: nobody is to listen to it any more.
            line.end_soon(Cause::message(format!("life {life} of {} is over", self.cell.name)));
        }
        let lost = asked.lost().await;
        if !lost.is_empty() {
            let (kind, will_restart) = self.resident.fate(life).await;
            let (actor, name) = (self.cell.known_as(), self.cell.name.clone());
            let died = Error::ActorDied { actor, name, kind: Box::new(kind), will_restart };
            let again = |lost: Lost<A>| lost.settle(&died).map(|(ticket, _)| ticket);
            self.again.extend(lost.into_values().filter_map(again));
        }
        // One whose link was lost may live: then it is dialed again, and is the same.
        self.last = if self.resident.lives(life) { life.checked_sub(1) } else { Some(life) };
    }

    /// Dials a life, and waits until its constructor has returned.
    async fn attach(&self, home: &Home) -> std::result::Result<There<A>, String> {
        let runtime = self.cell.runtime.upgrade().ok_or("the runtime has ended")?;
        let line = self.resident.line(home, &runtime).await?;
        let (cut, ended, addr) = (line.cut(), self.resident.ended(home.life), self.addr.clone());
        let asked = tokio::select! {
            biased;
            () = self.resident.ended(home.life) => return Err("it is over".to_owned()),
            asked = line.link.request(Ask::Resident) => asked,
        };
        let actor = asked.map_err(|error| self.unborn(error))?.into_actor();
        let actor = actor.ok_or("no actor came back")?;
        let exit = Arc::clone(&self.exit.1);
        let heard = move |how: Result<Exit, Cause>| {
            if let Ok(own) = how {
                *exit.lock() = Some(own.kind);
            }
        };
        line.link.watch(actor.export, Box::new(heard));
        // Nobody has to call first for those who wait to be told.
        runtime.system.spawn(async move {
            tokio::select! {
                () = cut => {}
                () = ended => {}
            }
            // Refused when the stand-in has ended.
            _ = addr.cast(HostedMsg::Settle);
        });
        self.cell.is_up_at(&line.link, Incarnation::default());
        Ok(There { line, actor, life: home.life, asked: Arc::default() })
    }

    /// Its constructor has not returned: why is known, if that was why.
    fn unborn(&self, error: Error) -> String {
        let why = error.to_string();
        if let Error::ActorDied { actor, kind, .. } = error
            && actor == self.cell.known_as()
        {
            *self.exit.1.lock() = Some(*kind);
        }
        why
    }

    /// How this one ends when the resident is over.
    fn end_of(&self, over: Over) -> ExitKind {
        let own = self.exit.1.lock().take();
        match (&over, own) {
            (Over::Dead { .. }, Some(kind)) => kind,
            _ => self.resident.exit_of(over),
        }
    }

    async fn ends(&mut self, ctx: &Context<HostedMsg<A>>, over: Over) -> Result<(), Failure> {
        if let Some(there) = self.there.take() {
            // Its last answers are answers.
            self.leave(there).await;
        }
        match self.end_of(over) {
            ExitKind::Stopped { reason } => {
                ctx.stop(&reason);
                Ok(())
            }
            kind => Err(Failure::exit(kind)),
        }
    }
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
    if parts.iter().any(|part| !part.written.refs.is_empty()) {
        return Err(Error::CannotTravel {
            type_name: about.label.clone(),
            attribute: None,
            reason: "it outlives this program, so its constructor takes no references and no handles: give it values, or \
                     call it with them once it lives"
                .to_owned(),
        });
    }
    let size: usize = parts.iter().map(|part| part.written.byte_count()).sum();
    if size > limits::RESIDENT_ARGUMENT_BYTES_MAX {
        return Err(Error::TooLarge {
            what: format!("the arguments of {}", about.label),
            size: size as u64,
            unit: "bytes".to_owned(),
            limit: limits::RESIDENT_ARGUMENT_BYTES_MAX as u64,
        });
    }
    let arguments = parts.into_iter().map(|Part { written, .. }| {
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
