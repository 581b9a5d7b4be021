//! A driver as its head knows it: the program at the other end of one connection, and its job.
//!
//! - **Parent:** `drivers` (one-for-one; temporary: the connection is the driver's life).
//! - **Children:** none; the job's workers are its nodes'.
//! - **After a restart:** there is none. When this ends, however, the job is closed and its workers are stopped.
//! - **Tells:** the driver, what becomes of its workers; the cluster, what the driver wants.
//!
//! Invariants:
//! - **HD-1 (job-with-driver):** a job is closed when its driver has left, has died, or does not listen any more.
//! - **HD-2 (bounded):** a driver without a job takes one of few places and has little time; one that says more than is handled
//!   waits; what its workers are started with is bounded.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use raytree_process::cluster::{FromDriver, MESSAGE_BYTES_MAX, Template, ToDriver};
use raytree_supervise::{Actor, Addr, Context, Failure, clock};
use raytree_types::{JobId, Resources, limits};
use raytree_wire::{Messages, Said, Stream};
use tokio::runtime::Handle;

use super::cluster::Cluster;
use super::door::Place;
use crate::programs::Hold;

/// What a driver's actor can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum DriverMsg {
    /// The driver was heard.
    Heard(Box<Said<FromDriver>>),
    /// Its program was looked for, and is there or is to be stored.
    Looked(Box<Wanted>),
    /// The driver is to be told.
    Tell(Box<ToDriver>),
    /// Timer: it is told that the head is still there.
    Beat,
}

/// What a driver's actor is made of.
pub(crate) struct Arrival {
    pub(crate) cluster: Arc<Cluster>,
    /// Taken by its one life.
    pub(crate) taken: Mutex<Option<(Stream, Place)>>,
}

/// See the [module documentation](self).
pub(crate) struct Driver {
    cluster: Arc<Cluster>,
    line: Messages<ToDriver>,
    stage: Stage,
    /// It has a job by then.
    open_by: Duration,
    /// How often it was asked for its program.
    lacked: u32,
    /// Its place among those without a job.
    place: Option<Place>,
}

/// How far a driver has come.
enum Stage {
    New,
    /// Its program is looked for.
    Looking,
    /// Its program is on its way, and stays once it is there.
    Storing(Box<Wanted>),
    Open(JobId),
}

/// What a driver wants.
pub(crate) struct Wanted {
    template: Template,
    wants: Option<Resources>,
    program: Hold,
}

impl Actor for Driver {
    type Msg = DriverMsg;
    type Args = Arc<Arrival>;

    async fn start(ctx: &Context<DriverMsg>, arrival: Arc<Arrival>) -> Result<Self, Failure> {
        let taken = arrival.taken.lock().take();
        let (stream, place) = taken.ok_or_else(|| Failure::message("its connection is used up"))?;
        let (addr, runtime) = (ctx.addr().clone(), Handle::current());
        let heard = move |said| hand_on(&runtime, &addr, said);
        let line = Messages::start(stream, MESSAGE_BYTES_MAX, heard)?;
        ctx.send_after(limits::HEAD_BEAT_EVERY, DriverMsg::Beat);
        let asked = ctx.addr().clone();
        let ask =
            move |ticket| asked.cast(DriverMsg::Tell(Box::new(ToDriver::Look { ticket }))).is_ok();
        ctx.addr().probe().leads_to(Some(arrival.cluster.windows.way(ask)));
        Ok(Self {
            cluster: Arc::clone(&arrival.cluster),
            line,
            stage: Stage::New,
            open_by: clock::now() + limits::DRIVER_OPENS_WITHIN,
            lacked: 0,
            place: Some(place),
        })
    }

    async fn handle(
        &mut self,
        ctx: &Context<DriverMsg>,
        message: DriverMsg,
    ) -> Result<(), Failure> {
        match message {
            DriverMsg::Heard(said) => match *said {
                Said::Message(said) => self.said(ctx, said),
                Said::Over(_) => {
                    ctx.stop("the driver is gone");
                    Ok(())
                }
            },
            DriverMsg::Looked(wanted) => self.open(ctx, wanted),
            // Those that find no room are in the files.
            DriverMsg::Tell(what)
                if matches!(*what, ToDriver::Lines(_)) && !self.line.has_room() =>
            {
                Ok(())
            }
            DriverMsg::Tell(what) => {
                self.say(&what)?;
                if let ToDriver::Refused { .. } = *what {
                    ctx.stop("the driver was refused");
                }
                Ok(())
            }
            DriverMsg::Beat => {
                ctx.send_after(limits::HEAD_BEAT_EVERY, DriverMsg::Beat);
                if !matches!(self.stage, Stage::Open(_)) && clock::now() > self.open_by {
                    return Err(Failure::message("the driver opened no job in its time"));
                }
                self.say(&ToDriver::Beat)
            }
        }
    }
}

/// On the thread that reads: it waits for room, and so does the driver (HD-2).
fn hand_on(runtime: &Handle, addr: &Addr<DriverMsg>, said: Said<FromDriver>) {
    let is_last = matches!(said, Said::Over(_));
    let message = DriverMsg::Heard(Box::new(said));
    // Refused when this has ended.
    if is_last {
        _ = addr.cast(message);
    } else {
        _ = runtime.block_on(addr.send(message));
    }
}

impl Driver {
    fn say(&self, what: &ToDriver) -> Result<(), Failure> {
        Ok(self.line.say(what)?)
    }

    fn refuse(&self, ctx: &Context<DriverMsg>, reason: String) -> Result<(), Failure> {
        ctx.stop("the driver was refused");
        self.say(&ToDriver::Refused { reason })
    }

    fn said(&mut self, ctx: &Context<DriverMsg>, said: FromDriver) -> Result<(), Failure> {
        match (said, std::mem::replace(&mut self.stage, Stage::New)) {
            (FromDriver::Open { template, wants }, Stage::New) => self.look(ctx, *template, wants),
            (FromDriver::Stored, Stage::Storing(wanted)) => self.open(ctx, wanted),
            (FromDriver::Lost { worker, why }, Stage::Open(job)) if worker.job == job => {
                self.stage = Stage::Open(job);
                self.cluster.replaces(&worker, why);
                Ok(())
            }
            (FromDriver::Resident(wish), Stage::Open(job)) => {
                self.stage = Stage::Open(job);
                self.cluster.wishes(job, wish);
                Ok(())
            }
            (FromDriver::Close, stage) => {
                self.stage = stage;
                ctx.stop("the driver left");
                Ok(())
            }
            (other, stage) => {
                self.stage = stage;
                let mut why = format!("it says what it may not: {other:?}");
                why.truncate(why.floor_char_boundary(limits::INSPECT_CAUSE_CHARS_MAX));
                Err(Failure::message(why))
            }
        }
    }

    /// Looks for its program, which reads and hashes files.
    fn look(
        &mut self,
        ctx: &Context<DriverMsg>,
        template: Template,
        wants: Option<Resources>,
    ) -> Result<(), Failure> {
        if let Err(reason) = check_size(&template, wants.as_ref()) {
            return self.refuse(ctx, reason);
        }
        self.stage = Stage::Looking;
        let (programs, addr) = (Arc::clone(&self.cluster.programs), ctx.addr().clone());
        ctx.pipe(async move {
            let looked = tokio::task::spawn_blocking(move || {
                let program = programs.look(&template);
                DriverMsg::Looked(Box::new(Wanted { template, wants, program }))
            });
            let over = |error: tokio::task::JoinError| {
                DriverMsg::Heard(Box::new(Said::Over(error.to_string())))
            };
            // Refused when this has ended.
            _ = addr.cast(looked.await.unwrap_or_else(over));
            None
        });
        Ok(())
    }

    fn open(&mut self, ctx: &Context<DriverMsg>, wanted: Box<Wanted>) -> Result<(), Failure> {
        if wanted.program.executable().is_none() {
            self.lacked += 1;
            if self.lacked > limits::DRIVER_LACKS_MAX {
                return self.refuse(ctx, "its program was stored, and is not there".to_owned());
            }
            self.open_by = clock::now() + limits::PROGRAM_FETCH_WITHIN;
            self.stage = Stage::Storing(wanted);
            return self.say(&ToDriver::Lacks);
        }
        let Wanted { template, wants, program } = *wanted;
        match self.cluster.admits(ctx.addr().clone(), template, wants, program) {
            Some(job) => {
                self.stage = Stage::Open(job);
                self.place = None;
                Ok(())
            }
            None => self.refuse(ctx, "the cluster ends".to_owned()),
        }
    }
}

/// Whether it can be told with every worker.
fn check_size(template: &Template, wants: Option<&Resources>) -> Result<(), String> {
    let max = limits::TEMPLATE_BYTES_MAX;
    let unsayable = |error: serde_json::Error| format!("it cannot be told to nodes: {error}");
    let bytes = serde_json::to_vec(&(template, wants)).map_err(unsayable)?.len();
    if bytes <= max {
        return Ok(());
    }
    Err(format!("its arguments and names have {bytes} bytes, where at most {max} are allowed"))
}

impl Drop for Driver {
    fn drop(&mut self) {
        // HD-1, whatever it died of.
        if let Stage::Open(job) = self.stage {
            self.cluster.closes(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use raytree_process::cluster::{Host, Terms};
    use raytree_process::program::Program;

    use super::*;

    #[test]
    fn hd_2_what_every_worker_is_told_is_bounded() {
        let manifest = Program::of_this_process().and_then(Program::manifest).expect("a manifest");
        let terms = Terms {
            threads: None,
            strict: false,
            namespace: String::new(),
            log_to_driver: false,
            lineage_bytes: 0,
        };
        let args = vec!["x".repeat(60 << 10)];
        let mut template = Template { manifest, args, host: Host::default(), pid: 0, terms };
        assert_eq!(check_size(&template, None), Ok(()));
        template.args.push("y".repeat(8 << 10));
        let why = check_size(&template, None).expect_err("too much");
        assert!(why.contains("65536"), "{why}");
    }
}
