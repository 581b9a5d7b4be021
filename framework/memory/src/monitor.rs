//! The memory monitor: reads how much memory the node has left, and has done what follows from that.
//!
//! - **Parent:** `node` in a program that is one, or has nodes of its own; the root in a node of a cluster (one-for-one; permanent).
//! - **Children:** none.
//! - **After a restart:** it knows of no shortage. So what was held back goes on, and is held back again at the next reading, if there
//!   still is one; nothing is ended before the one after that.
//! - **Tells:** the household, what to hold back and what to end; the supervision log, of every beginning and end of a shortage and of
//!   every process that was ended, with all sizes and what was lost.

use std::sync::Arc;
use std::time::Duration;

use raytree_engine::memory::{Decision, Process, Reading, Settings, Shortage, Watch};
use raytree_supervise::{Actor, Context, Failure};

use crate::household::{Household, Lost};
use crate::meter::Meter;

/// What it can be told.
#[derive(Debug, strum::IntoStaticStr)]
pub enum MonitorMsg {
    /// Timer: how much is in use?
    Look,
    /// So much is.
    Seen(Box<Seen>),
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<MonitorMsg>() <= 64);

/// One reading.
#[derive(Debug)]
pub struct Seen {
    reading: Reading,
    /// Those that may be ended; asked for only where it matters.
    processes: Vec<Process>,
    /// The one that was told to end is still there.
    is_there: bool,
    /// The store of the node wrote to disk.
    spills: bool,
}

/// What each life is made from.
#[derive(Clone)]
pub struct MonitorArgs {
    /// What it looks after.
    pub household: Arc<dyn Household>,
    /// By what it measures.
    pub meter: Arc<dyn Meter>,
    /// The bounds.
    pub settings: Settings,
    /// The time between two readings.
    pub every: Duration,
}

impl std::fmt::Debug for MonitorArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MonitorArgs").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The actor that watches over the memory of a node, reading by reading, and has done what is decided.
#[derive(Debug)]
pub struct MemoryMonitor {
    args: MonitorArgs,
    watch: Watch,
    is_short: bool,
}

impl Actor for MemoryMonitor {
    type Msg = MonitorMsg;
    type Args = MonitorArgs;

    async fn start(ctx: &Context<MonitorMsg>, args: MonitorArgs) -> Result<Self, Failure> {
        args.household.holds_back(None);
        ctx.addr().probe().remark(None);
        ctx.send_after(args.every, MonitorMsg::Look);
        Ok(Self { watch: Watch::new(args.settings), args, is_short: false })
    }

    async fn handle(
        &mut self,
        ctx: &Context<MonitorMsg>,
        message: MonitorMsg,
    ) -> Result<(), Failure> {
        match message {
            MonitorMsg::Look => self.look(ctx),
            MonitorMsg::Seen(seen) => self.seen(ctx, &seen),
        }
        Ok(())
    }

    /// Nobody would say any more when it may go on.
    async fn stopped(&mut self, _ctx: &Context<MonitorMsg>) {
        self.args.household.holds_back(None);
    }
}

impl MemoryMonitor {
    /// Reads on a thread of its own: the operating system may take its time.
    fn look(&self, ctx: &Context<MonitorMsg>) {
        let (args, watch) = (self.args.clone(), self.watch.clone());
        ctx.pipe(async move {
            let seen = tokio::task::spawn_blocking(move || {
                // Before the node: what a process that is seen to be gone had is free in what is read then; and what was written.
                let spills = args.household.spills();
                let is_there = watch.ending().is_some_and(|one| args.meter.process(one).is_some());
                let reading = args.meter.node();
                let is_above = watch.is_above(reading);
                let processes = is_above.then(|| args.household.processes(&*args.meter));
                Seen { reading, processes: processes.unwrap_or_default(), is_there, spills }
            });
            // Without a thread for it there is no reading: the next one is due then.
            let seen = seen.await.ok().map(|seen| MonitorMsg::Seen(Box::new(seen)));
            Some(seen.unwrap_or(MonitorMsg::Look))
        });
    }

    fn seen(&mut self, ctx: &Context<MonitorMsg>, seen: &Seen) {
        let Seen { reading, processes, is_there, spills } = seen;
        self.watch.store_spills(*spills);
        match self.watch.read(*reading, processes, *is_there, self.args.meter.now()) {
            Decision::Calm => self.is_calm(ctx),
            Decision::Refuse(shortage) => self.is_short(ctx, shortage),
            Decision::End(shortage, process) => {
                self.is_short(ctx, shortage);
                self.end(ctx, &process, shortage);
            }
        }
        ctx.send_after(self.args.every, MonitorMsg::Look);
    }

    fn is_calm(&mut self, ctx: &Context<MonitorMsg>) {
        if std::mem::take(&mut self.is_short) {
            ctx.addr().probe().remark(None);
            ctx.addr().probe().warn("the node is not short of memory any more");
            self.args.household.holds_back(None);
        }
    }

    fn is_short(&mut self, ctx: &Context<MonitorMsg>, shortage: Shortage) {
        if !std::mem::replace(&mut self.is_short, true) {
            let what = format!("the node is short of memory and begins nothing new: {shortage}");
            tracing::warn!("{what}");
            ctx.addr().probe().warn(what);
        }
        ctx.addr().probe().remark(Some(format!("short of memory: {shortage}")));
        self.args.household.holds_back(Some(shortage.reading()));
    }

    fn end(&self, ctx: &Context<MonitorMsg>, process: &Process, shortage: Shortage) {
        // It may have ended meanwhile, which is as good.
        let Process { id, own, .. } = *process;
        let Some(Lost { name, things }) = self.args.household.end(id, own, shortage) else {
            return;
        };
        let lost = match &things[..] {
            [] => String::new(),
            things => format!("; lost with it: {}", things.join(", ")),
        };
        let what = format!(
            "{name} (process {id}) was ended for its {own} bytes of memory: {shortage}{lost}"
        );
        tracing::warn!("{what}");
        ctx.addr().probe().warn(what);
    }
}
