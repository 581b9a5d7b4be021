//! The stand-in of an actor that lives in another process: its mailbox is here, its body is there.
//!
//! - **Parent:** `actor_host` (one-for-one; transient, within the actor's own restarts).
//! - **Children:** none linked.
//! - **After a restart:** the next life is begun anew, in whichever process has room for it then, or in a new one of its
//!   own where the actor is isolated. Queued calls of the old life are lost and their callers told.
//! - **Tells:** its callers, with the answers that come back or by ending.
//!
//! What an actor is to its callers is decided here, as for one that lives here: order, bounds, restarts, who is told of
//! what. The process over there knows one life of it, and never begins another one. Calls wait in its mailbox while the
//! link has no room for them.
//!
//! Invariants:
//! - **AW-1 (one-life):** a life here ends only when its body over there has ended, or the process that had it is dead; in
//!   a process of its own, only when that is dead.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use raytree_engine::route::Effect;
use raytree_supervise::{self as kit, Addr, Context, Failure, Part as OfLife};
use raytree_types::{ActorOptions, Cause, Error, Exit, ExitKind, Incarnation, limits};
use tokio::sync::{oneshot, watch};

use crate::cluster::peer::Seat;
use crate::cluster::peers;
use crate::isolated::actor::Own;
use crate::link::{Answer, Ask, Imported, ImportedActor, Landing, Link};
use crate::object::lineage::unless_again;
use crate::object::waiter::Needs;
use crate::runtime::burst;
use crate::task::args::Args;
use crate::task::definition::Info;
use crate::user::actor::Actor;
use crate::user::class::{Arguments, Given};
use crate::user::job::{HostedMsg, Ticket};
use crate::user::status::Cell;
use crate::worker::constructor;
use crate::worker::crossing::Passage;
use crate::worker::made::Made;
use crate::worker::ways::{Next, Ways};

/// Where the body of an actor comes from.
#[derive(Clone)]
pub(crate) enum Origin {
    /// It is begun from its kept arguments.
    Begun(Arc<Begun>),
    /// It is there already, and somebody else's.
    Imported(Arc<ImportedActor>),
    /// The program is to make it.
    Made(Arc<Made>),
}

/// What its lives are begun from.
pub(crate) struct Begun {
    class: &'static Info,
    arguments: Box<dyn Arguments>,
    /// Each has a process of its own, which this one starts; else it lives in one that is there already.
    pub(crate) is_own: bool,
}

impl Origin {
    /// From these arguments of its constructor.
    pub(crate) fn begun<A: Args>(class: &'static Info, given: Given<A>, is_own: bool) -> Self {
        let arguments = Box::new((given, class.codec));
        Self::Begun(Arc::new(Begun { class, arguments, is_own }))
    }
}

/// What each life is made from.
pub(crate) struct AwayArgs {
    pub(crate) cell: Arc<Cell>,
    pub(crate) origin: Origin,
    /// The first incarnation of this placement.
    pub(crate) first: Incarnation,
    /// The only one, where another process decides on its lives.
    pub(crate) given: Option<Incarnation>,
}

/// See the [module documentation](self).
pub(crate) struct Away<A: Actor> {
    there: There,
    host: Host,
    /// There where the actor is another process's and may live in a third one.
    ways: Option<Arc<Ways<A>>>,
    _actor: PhantomData<fn() -> A>,
}

/// What has the body.
enum Host {
    /// Whoever made it.
    Another,
    /// A process that others share: what the actor takes of it.
    Peer(#[expect(dead_code, reason = "given back when it is dropped")] Seat),
    /// A process of its own.
    Own(Own),
}

/// The body.
struct There {
    link: Arc<Link>,
    export: u64,
    /// True once it has ended.
    over: watch::Receiver<bool>,
    /// No other body has it: what is told of one reaches its own life only.
    number: u64,
    /// It lives for this stand-in alone.
    is_begun: bool,
}

/// The number of the next body.
fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl There {
    /// Waits until a call may be sent; false when the body has ended meanwhile. One that leaves takes nothing more (DR-1).
    async fn takes(&mut self) -> bool {
        if self.link.leaves() {
            // Without the one who would say so it is over as well.
            _ = self.over.wait_for(|over| *over).await.map(drop);
            return false;
        }
        if self.link.has_room() {
            return true;
        }
        burst::end_turn();
        tokio::select! {
            biased;
            // Without the one who would say so it is over as well.
            _ = self.over.wait_for(|over| *over) => false,
            () = self.link.wait_for_room() => true,
        }
    }

    fn is_over(&self) -> bool {
        // Without the one who would say so it is over as well.
        *self.over.borrow() || self.over.has_changed().is_err()
    }
}

impl Drop for There {
    fn drop(&mut self) {
        if !self.is_begun {
            return self.link.unwatch(self.export);
        }
        // It is let go of when its end is told.
        if !self.is_over() {
            self.link.end_actor(self.export, true);
        }
    }
}

impl<A: Actor> kit::Actor for Away<A> {
    type Msg = HostedMsg<A>;
    type Args = AwayArgs;

    async fn start(
        ctx: &Context<HostedMsg<A>>,
        AwayArgs { cell, origin, first, given }: AwayArgs,
    ) -> Result<Self, Failure> {
        let life = given.unwrap_or(Incarnation { restart: ctx.life(), ..first });
        cell.is_stood_in_for();
        cell.begins(life);
        let imported = match &origin {
            Origin::Imported(imported) => Some(Arc::clone(imported)),
            Origin::Made(made) => {
                made.ask(&*cell.runtime.upgrade().ok_or_else(ended)?, &cell);
                let id = made.ready().await.map_err(Failure::exit)?;
                let imported = cell.imported().ok_or_else(ended)?;
                imported.is(id);
                Some(Arc::clone(imported))
            }
            Origin::Begun(_) => None,
        };
        let (host, there) = match (origin, imported) {
            (_, Some(imported)) => {
                let (link, export) = (Arc::clone(&imported.link), imported.export);
                ctx.addr().probe().is_borrowed_from(link.peer.to_string());
                let number = number();
                let over = watches(&link, export, (number, ctx.addr()), None);
                let is_worker =
                    link.life.runtime().is_some_and(|own| own.neighbours.get().is_some());
                let ways = is_worker.then(|| Ways::new(&imported, ctx.addr()));
                let there = There { link, export, over, number, is_begun: false };
                return Ok(Self { there, host: Host::Another, ways, _actor: PhantomData });
            }
            (Origin::Begun(begun), _) => begin(ctx, (&cell, life), &begun).await?,
            (Origin::Imported(_) | Origin::Made(_), None) => return Err(ended()),
        };
        if let Host::Peer(_) = &host {
            ctx.addr().probe().is_hosted_by(Some(there.link.peer.to_string()));
        }
        cell.is_up_at(&there.link, life);
        Ok(Self { there, host, ways: None, _actor: PhantomData })
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
                match self.ways.clone() {
                    None => self.send(ticket).await,
                    Some(ways) => self.send_by(ctx, &ways, ticket).await,
                }
                Ok(())
            }
            HostedMsg::Gone(told) if told.0 == self.there.number => {
                self.hears_the_last().await;
                gone(ctx, told.1)
            }
            // Of the body of an earlier life.
            HostedMsg::Gone(_) => Ok(()),
            // Messages of hand-written actors cannot travel: dropped, they tell their callers. Children of the body are
            // told of there.
            HostedMsg::Call(_) | HostedMsg::Query(_) => Ok(()),
            HostedMsg::ChildExited(_) => Ok(()),
            HostedMsg::Stop => {
                self.there.link.end_actor(self.there.export, false);
                Ok(())
            }
            HostedMsg::Settle => {
                if let Some(ways) = self.ways.clone() {
                    self.does(ctx, &ways);
                }
                Ok(())
            }
        }
    }

    async fn stopped(&mut self, _ctx: &Context<HostedMsg<A>>) {
        burst::end_turn();
        if self.there.is_begun && !self.there.is_over() {
            // It finishes what is queued. What takes too long is ended by the stop's deadline.
            self.there.link.end_actor(self.there.export, false);
            _ = self.there.over.wait_for(|over| *over).await;
        }
        if let Host::Own(process) = &mut self.host {
            process.ends().await;
        }
    }
}

impl<A: Actor> Away<A> {
    async fn send(&mut self, ticket: Ticket<A>) {
        if !self.there.takes().await {
            // The ticket, dropped, says that the call is lost with this life.
            return;
        }
        if let Some(ticket) = ticket.in_turn(Needs::Value) {
            self.ship(ticket, None);
        }
    }

    fn ship(&self, ticket: Ticket<A>, retries: Option<u32>) {
        let There { link, export, is_begun, .. } = &self.there;
        let (export, is_begun) = (*export, *is_begun);
        ticket.job().ship(Passage::Plain { link, export, is_begun, retries }, ticket);
    }

    /// Sends a call the way that it has to go now; waits while there is none.
    async fn send_by(
        &mut self,
        ctx: &Context<HostedMsg<A>>,
        ways: &Arc<Ways<A>>,
        ticket: Ticket<A>,
    ) {
        let Some(ticket) = ticket.in_turn(Needs::Value) else { return };
        let (mut call, mut changed) = (None, None);
        loop {
            let full = match ways.next(&mut call) {
                Next::Owner => {
                    self.ship(ticket, None);
                    // It may be the one after which a way is sought.
                    return self.does(ctx, ways);
                }
                Next::Direct(call, link, export) => {
                    let crossing = ways.crossing(call);
                    let by = Passage::Kept { link: &link, export, crossing };
                    return ticket.job().ship(by, ticket);
                }
                Next::Todo => {
                    self.does(ctx, ways);
                    continue;
                }
                Next::Hold => None,
                Next::Full(link) => Some(link),
            };
            burst::end_turn();
            let Some(changed) = changed.take() else {
                // Before one more look, so that nothing is missed.
                changed = Some(ways.changed());
                continue;
            };
            let has_room = async {
                match &full {
                    Some(link) => link.wait_for_room().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                // Without the one who would say so it is over as well. The ticket, dropped, says that the call is lost.
                _ = self.there.over.wait_for(|over| *over) => return,
                () = changed => {}
                () = has_room => {}
            }
        }
    }

    /// What its ways want done.
    fn does(&self, ctx: &Context<HostedMsg<A>>, ways: &Arc<Ways<A>>) {
        while let Some(effect) = ways.todo() {
            match effect {
                Effect::Seek { way } => {
                    let ways = Arc::clone(ways);
                    ctx.pipe(async move {
                        ways.seek(way).await;
                        None
                    });
                }
                Effect::Settle(calls) => {
                    let (lost, error) = ways.settled(&calls);
                    for (ticket, left) in lost.into_iter().filter_map(|own| own.settle(&error)) {
                        self.ship(ticket, Some(left));
                    }
                    ways.has_settled();
                }
                _ => {}
            }
        }
    }

    /// What the last life has answered directly may still be on its way.
    async fn hears_the_last(&self) {
        let Some(ways) = &self.ways else { return };
        let answered = async {
            let mut looks = tokio::time::interval(limits::LOOK_AGAIN);
            while ways.are_open() {
                looks.tick().await;
            }
        };
        // An error is that it is too late.
        _ = tokio::time::timeout(limits::BEAT_EVERY, answered).await;
    }
}

impl<A: Actor> Drop for Away<A> {
    fn drop(&mut self) {
        if let Some(ways) = &self.ways {
            ways.close();
        }
    }
}

fn gone<A: Actor>(ctx: &Context<HostedMsg<A>>, how: Result<Exit, Cause>) -> Result<(), Failure> {
    match how.map(|exit| exit.kind) {
        Ok(ExitKind::Stopped { reason }) => {
            ctx.stop(&reason);
            Ok(())
        }
        Ok(kind) => Err(Failure::exit(kind)),
        Err(cause) => Err(Failure::exit(ExitKind::HostDied(cause))),
    }
}

/// Finds a place for a life, or makes one.
async fn place<A: Actor>(
    ctx: &Context<HostedMsg<A>>,
    (cell, life): (&Arc<Cell>, Incarnation),
    is_own: bool,
) -> Result<(Host, Arc<Link>, ActorOptions), Failure> {
    if is_own {
        let own = Own::begin(cell, life, ctx.part()).await.map_err(Failure::exit)?;
        let link = Arc::clone(own.link());
        return Ok((Host::Own(own), link, cell.options.clone().inside(&cell.name)));
    }
    let seat = peers::for_actor(cell.runtime.clone(), cell.options.demand()).await;
    let seat = seat.ok_or_else(ended)?;
    let link = Arc::clone(seat.link());
    Ok((Host::Peer(seat), link, cell.options.clone().elsewhere(&cell.name)))
}

/// Begins a life where there is a place for it.
async fn begin<A: Actor>(
    ctx: &Context<HostedMsg<A>>,
    (cell, life): (&Arc<Cell>, Incarnation),
    Begun { class, arguments, is_own }: &Begun,
) -> Result<(Host, There), Failure> {
    let (host, link, options, arguments) = loop {
        // It takes nothing while it waits: what makes an argument again may need just that.
        arguments.settled().await;
        let (host, link, options) = place(ctx, (cell, life), *is_own).await?;
        if let Some(written) = unless_again(arguments.write()) {
            let written = written.map_err(|error| Failure::exit(constructor(&error)))?;
            break (host, link, options, written);
        }
    };
    let (begun, answer) = oneshot::channel();
    let landing =
        Begins { link: Arc::clone(&link), addr: ctx.addr().clone(), part: ctx.part(), begun };
    let what = Ask::Create {
        class: class.name.to_owned(),
        signature: class.signature.to_owned(),
        id: cell.id,
        life,
        options: Box::new(options),
    };
    let call = link.ask(what, arguments, Box::new(landing));
    let withdraw = Withdraw { link: &link, call };
    let there = match answer.await {
        Ok(Ok(there)) => there,
        Ok(Err(kind)) => return Err(Failure::exit(kind)),
        Err(_) => return Err(ended()),
    };
    drop(withdraw);
    Ok((host, there))
}

fn ended() -> Failure {
    Failure::exit(ExitKind::HostDied(Cause::message("the runtime has ended")))
}

/// A life that is given up while it begins.
struct Withdraw<'a> {
    link: &'a Link,
    call: u64,
}

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        // Nothing when it was answered.
        self.link.withdraw(self.call, true);
    }
}

struct Begins<A: Actor> {
    link: Arc<Link>,
    addr: Addr<HostedMsg<A>>,
    part: OfLife,
    begun: oneshot::Sender<Result<There, ExitKind>>,
}

impl<A: Actor> Landing for Begins<A> {
    fn land(self: Box<Self>, answer: Answer) {
        let Self { link, addr, part, begun } = *self;
        let there = match answer {
            Answer::Value(born) => match born.into_import() {
                Some(born) => {
                    let (export, number) = (born.export(), number());
                    let over = watches(&link, export, (number, &addr), Some((part, born)));
                    Ok(There { link, export, over, number, is_begun: true })
                }
                None => Err(ExitKind::Failed(Cause::message("no actor came back"))),
            },
            // How its one life over there has ended is how this one ends.
            Answer::Failed(Error::ActorDied { kind, .. }) => Err(*kind),
            Answer::Failed(error) => Err(ExitKind::Constructor(Cause::message(error.to_string()))),
            Answer::Lost(cause) => Err(ExitKind::HostDied(cause)),
        };
        // One that nobody waits for any more ends as it is dropped.
        _ = begun.send(there);
    }
}

/// The stand-in hears of the end of its body. Until then its life is not over (AW-1).
fn watches<A: Actor>(
    link: &Link,
    export: u64,
    (number, addr): (u64, &Addr<HostedMsg<A>>),
    held: Option<(OfLife, Arc<Imported>)>,
) -> watch::Receiver<bool> {
    let (say, over) = watch::channel(false);
    let addr = addr.clone();
    link.watch(
        export,
        Box::new(move |how| {
            _ = say.send(true);
            // What was begun for this stand-in is let go.
            drop(held);
            // Refused when the stand-in has ended first.
            _ = addr.cast(HostedMsg::Gone(Box::new((number, how))));
        }),
    );
    over
}
