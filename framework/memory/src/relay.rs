//! The memory relay: what the monitor of a machine is in a process below it, which has isolated processes of its own.
//!
//! - **Parent:** `node` of a worker, or of a program's own node (one-for-one; permanent).
//! - **Children:** none.
//! - **After a restart:** it knows of no shortage: what was held back goes on until the next word of it, which comes with the next
//!   reading.
//! - **Tells:** the household, what to hold back and what to end; its parent, which of its processes it would end first.
//!
//! Invariants:
//! - **MW-6 (no-pause-for-ever):** what is held back goes on at the latest [`SHORT_FOR`] after the last word of a shortage.

use std::sync::Arc;
use std::time::Duration;

use raytree_engine::memory::{self, Process, Reading, Shortage};
use raytree_process::{Offer, SHORT_FOR};
use raytree_supervise::{Actor, Context, Failure};
use tokio::task::AbortHandle;

use crate::household::Household;
use crate::meter::{Machine, Meter};

/// What it can be told.
#[derive(Debug, strum::IntoStaticStr)]
pub enum RelayMsg {
    /// The machine is short of memory: of so many bytes so many are in use.
    Short {
        /// In bytes.
        used: u64,
        /// In bytes.
        total: u64,
    },
    /// It is so no more.
    Eased,
    /// This process of its own is to end, for that limit.
    Sacrifice {
        /// Which.
        process: u32,
        /// In bytes.
        limit: u64,
    },
    /// Its processes were looked at.
    Weighed(Option<Process>),
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<RelayMsg>() <= 64);

/// What each life is made from.
#[derive(Clone)]
pub struct RelayArgs {
    /// What it looks after.
    pub household: Arc<dyn Household>,
    /// Says to the parent which process it would end first.
    pub offer: Arc<dyn Fn(Offer) + Send + Sync>,
}

impl std::fmt::Debug for RelayArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayArgs").finish_non_exhaustive()
    }
}

/// The actor that answers, in a process below, for the isolated processes that could be ended there.
#[derive(Debug)]
pub struct MemoryRelay {
    args: RelayArgs,
    /// What was heard last.
    heard: Option<Reading>,
    /// When that is believed no longer.
    until: Option<AbortHandle>,
}

impl Actor for MemoryRelay {
    type Msg = RelayMsg;
    type Args = RelayArgs;

    async fn start(ctx: &Context<RelayMsg>, args: RelayArgs) -> Result<Self, Failure> {
        args.household.holds_back(None);
        ctx.addr().probe().remark(None);
        Ok(Self { args, heard: None, until: None })
    }

    async fn handle(&mut self, ctx: &Context<RelayMsg>, message: RelayMsg) -> Result<(), Failure> {
        match message {
            RelayMsg::Short { used, total } => self.is_short(ctx, used, total),
            RelayMsg::Eased => self.is_eased(ctx),
            RelayMsg::Sacrifice { process, limit } => self.end(ctx, process, limit),
            RelayMsg::Weighed(process) => self.offer(process),
        }
        Ok(())
    }
}

impl MemoryRelay {
    fn is_short(&mut self, ctx: &Context<RelayMsg>, used: u64, total: u64) {
        let reading = Reading { used, total };
        self.heard = Some(reading);
        self.args.household.holds_back(Some(reading));
        ctx.addr().probe().remark(Some(format!("its machine is short of memory: {reading}")));
        // MW-6
        self.believes(ctx, SHORT_FOR);
        let household = Arc::clone(&self.args.household);
        ctx.pipe(async move {
            let weigh = move || {
                let all = household.processes(&Machine as &dyn Meter);
                memory::first(&all, total).copied()
            };
            let weighed = tokio::task::spawn_blocking(weigh).await;
            weighed.ok().map(RelayMsg::Weighed)
        });
    }

    fn believes(&mut self, ctx: &Context<RelayMsg>, within: Duration) {
        let until = ctx.send_after(within, RelayMsg::Eased);
        if let Some(before) = self.until.replace(until) {
            before.abort();
        }
    }

    fn is_eased(&mut self, ctx: &Context<RelayMsg>) {
        self.heard = None;
        if let Some(until) = self.until.take() {
            until.abort();
        }
        self.args.household.holds_back(None);
        ctx.addr().probe().remark(None);
    }

    /// None is said as the number 0: whoever asked waits for one word.
    fn offer(&self, process: Option<Process>) {
        let none = Offer { process: 0, is_idle: false, is_retriable: false, age: 0, own: 0 };
        let offer = process.map_or(none, |process| Offer {
            process: process.id,
            is_idle: process.is_idle,
            is_retriable: process.is_retriable,
            age: u32::try_from(process.age.as_millis() / 100).unwrap_or(Offer::AGE_MAX),
            own: process.own,
        });
        (self.args.offer)(offer);
    }

    fn end(&self, ctx: &Context<RelayMsg>, process: u32, limit: u64) {
        // It is over by now: then nobody has to end.
        let Some(Reading { used, total }) = self.heard else { return };
        let shortage = Shortage { used, total, limit };
        let Some(own) = Machine.process(process) else { return };
        if let Some(lost) = self.args.household.end(process, own, shortage) {
            let what = format!(
                "{} (process {process}) was ended for its {own} bytes of memory: {shortage}",
                lost.name
            );
            tracing::warn!("{what}");
            ctx.addr().probe().warn(what);
        }
    }
}
