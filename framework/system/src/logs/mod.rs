//! What the processes below this one write: kept in the files of the session, and passed up to the driver, which prints it.
//!
//! ```text
//! isolated ──pipe──▶ node-1 ──link──▶ the program ──▶ its own output: (sum#3 pid=71, node=node-1) half done
//!                    node-1 ──pipe──────▶ │
//! worker ──pipe──▶ its node ──▶ head ───▶ │
//! ```
//!
//! Everything on the way is bounded, and nobody waits: lines that find no room are dropped and counted, and are in the files.

mod printer;

use std::path::PathBuf;
use std::process::id as own_id;
use std::sync::Arc;

use parking_lot::Mutex;
use raytree_config::Config;
use raytree_engine::logs::{Allowance, Passed};
use raytree_process::logs::{Capture, Rotation, Session, Tell, Whose, answer};
use raytree_supervise::clock;
use raytree_types::inspect::{LogQuery, LogText, Refused};
use raytree_types::{LogLines, limits};

use crate::runtime::life::Life;
use printer::Printer;

/// How a program keeps what the processes below it write.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Its session lies below this folder.
    below: PathBuf,
    rotation: Rotation,
    to_driver: bool,
}

impl Plan {
    /// As the settings say, unless the program says otherwise whether it prints lines.
    pub(crate) fn of(config: &Config, to_driver: Option<bool>) -> Self {
        let logs = config.logs();
        let (bytes, files) = (logs.rotate_bytes.bytes(), logs.rotate_files);
        Self {
            below: logs.folder.clone().unwrap_or_else(std::env::temp_dir),
            rotation: Rotation { bytes, files },
            to_driver: to_driver.unwrap_or(logs.to_driver),
        }
    }
}

/// See the [module documentation](self). It belongs to the runtime.
pub(crate) struct Logs {
    /// None in a process that another one has started: that has said where.
    plan: Option<Plan>,
    /// From the first child on; none where nothing can be kept.
    session: Mutex<Option<Option<Arc<Session>>>>,
    printer: Printer,
    /// Of the runtime that it belongs to.
    life: &'static Life,
}

impl Logs {
    /// Of a program; without a plan, of a process that another one has started.
    pub(crate) fn new(plan: Option<Plan>, life: &'static Life) -> Arc<Self> {
        let session = plan.is_none().then(|| Session::of_parent().map(Arc::new));
        Arc::new(Self {
            plan,
            session: Mutex::new(session),
            printer: Printer::to_own_output(),
            life,
        })
    }

    /// What is written by others goes to the driver.
    pub(crate) fn to_driver(&self) -> bool {
        match &self.plan {
            Some(plan) => plan.to_driver,
            None => self.session().is_some_and(|session| session.to_driver()),
        }
    }

    /// The session, which begins with the first child; none where its folder cannot be made.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        let mut session = self.session.lock();
        if let Some(known) = &*session {
            return known.clone();
        }
        let plan = self.plan.as_ref()?;
        let begun = Session::begin(&plan.below, plan.rotation, plan.to_driver);
        let begun = begun.map(Arc::new).inspect_err(|error| {
            let folder = plan.below.display();
            tracing::warn!(%error, %folder, "what processes write is not kept");
        });
        session.insert(begun.ok()).clone()
    }

    /// What becomes of what a child writes, and what it finds of that in its environment: `node` is the one it is, or of
    /// which it is a part, where that is not this process's.
    pub(crate) fn captures(
        self: &Arc<Self>,
        node: Option<&str>,
    ) -> (Option<Capture>, Option<(std::ffi::OsString, std::ffi::OsString)>) {
        let Some(session) = self.session() else { return (None, None) };
        let told = session.for_child(node.or(session.node()), self.to_driver());
        let tell = self.to_driver().then(|| self.tell());
        (Some(Capture { session, tell, is_echoed: false }), Some(told))
    }

    fn tell(self: &Arc<Self>) -> Tell {
        let own = Arc::clone(self);
        if self.plan.is_some() {
            return Arc::new(move |lines| own.printer.give(lines));
        }
        let allowance = Allowance::new(limits::LOG_FORWARD_BYTES_PER_SECOND, clock::now());
        let allowance = Mutex::new(allowance);
        Arc::new(move |lines| {
            let mut allowance = allowance.lock();
            if let Passed::Pass(lines) = allowance.take(lines, clock::now())
                && let Err(lines) = own.passes_up(lines)
            {
                allowance.lost(&lines);
            }
        })
    }

    /// Lines of a process that is not this one's own child.
    pub(crate) fn hears(&self, lines: LogLines) {
        if self.plan.is_none() {
            // Those who wrote them have been cut; what finds no room here is lost.
            _ = self.passes_up(lines);
        } else if self.to_driver() {
            self.printer.give(lines);
        }
    }

    fn passes_up(&self, lines: LogLines) -> Result<(), LogLines> {
        let link = self.life.runtime().and_then(|runtime| {
            let program = runtime.program.get().and_then(|program| program.link());
            program.or_else(|| runtime.parent.get().cloned())
        });
        match link.filter(|link| link.has_room()) {
            Some(link) => {
                link.tell_lines(lines);
                Ok(())
            }
            None => Err(lines),
        }
    }

    /// What a process below this one, or this one, has written.
    ///
    /// # Errors
    /// [`Refused::NoLog`].
    pub(crate) fn read(
        &self,
        whose: raytree_inspector::Whose<'_>,
        query: &LogQuery,
    ) -> Result<LogText, Refused> {
        let whose = match whose {
            raytree_inspector::Whose::Own if self.plan.is_some() => {
                let reason = "it is the program, and writes to where it was started".to_owned();
                return Err(Refused::NoLog { who: format!("process {}", own_id()), reason });
            }
            raytree_inspector::Whose::Own => Whose::Pid(own_id()),
            raytree_inspector::Whose::Pid(pid) => Whose::Pid(pid),
            raytree_inspector::Whose::Child(name) => Whose::Named(name),
        };
        let session = self.session.lock().clone().flatten();
        answer(session.as_deref(), whose, query)
    }

    /// What was written by now is printed when this returns, or so much time has passed. Blocks.
    pub(crate) fn settle(&self) {
        crate::isolated::settle_logs();
        self.printer.settle(limits::LOG_SETTLES_WITHIN);
    }
}
