//! A driver as its head knows it: the program at the other end of one connection, and its job.
//!
//! - **Parent:** `drivers` (one-for-one; temporary: the connection is the driver's life).
//! - **Children:** none; the job's workers are its nodes'.
//! - **After a restart:** there is none. When this ends, however, the job is closed and its workers are stopped.
//! - **Tells:** the driver, what becomes of its workers; the cluster, what the driver wants.
//!
//! Invariants:
//! - **HD-1 (job-with-driver):** a job is closed when its driver has left, has died, or does not listen any more.

use std::sync::Arc;

use parking_lot::Mutex;
use raytree_process::cluster::{FromDriver, MESSAGE_BYTES_MAX, Template, ToDriver};
use raytree_supervise::{Actor, Context, Failure};
use raytree_types::{JobId, Resources, limits};
use raytree_wire::{Messages, Said, Stream};

use super::cluster::Cluster;

/// What a driver's actor can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum DriverMsg {
    /// The driver was heard.
    Heard(Box<Said<FromDriver>>),
    /// The driver is to be told.
    Tell(Box<ToDriver>),
    /// Timer: it is told that the head is still there.
    Beat,
}

/// What a driver's actor is made of.
pub(crate) struct Arrival {
    pub(crate) cluster: Arc<Cluster>,
    /// Taken by its one life.
    pub(crate) stream: Mutex<Option<Stream>>,
}

/// See the [module documentation](self).
pub(crate) struct Driver {
    cluster: Arc<Cluster>,
    line: Messages<ToDriver>,
    stage: Stage,
}

/// How far a driver has come.
enum Stage {
    New,
    /// Its program is on its way.
    Storing(Box<Template>, Option<Resources>),
    Open(JobId),
}

impl Actor for Driver {
    type Msg = DriverMsg;
    type Args = Arc<Arrival>;

    async fn start(ctx: &Context<DriverMsg>, arrival: Arc<Arrival>) -> Result<Self, Failure> {
        let stream = arrival.stream.lock().take();
        let stream = stream.ok_or_else(|| Failure::message("its connection is used up"))?;
        let addr = ctx.addr().clone();
        // Refused when this has ended.
        let heard = move |said| _ = addr.cast(DriverMsg::Heard(Box::new(said)));
        let line = Messages::start(stream, MESSAGE_BYTES_MAX, heard)?;
        ctx.send_after(limits::HEAD_BEAT_EVERY, DriverMsg::Beat);
        Ok(Self { cluster: Arc::clone(&arrival.cluster), line, stage: Stage::New })
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
            DriverMsg::Tell(what) => {
                self.say(&what)?;
                if let ToDriver::Refused { .. } = *what {
                    ctx.stop("the driver was refused");
                }
                Ok(())
            }
            DriverMsg::Beat => {
                ctx.send_after(limits::HEAD_BEAT_EVERY, DriverMsg::Beat);
                self.say(&ToDriver::Beat)
            }
        }
    }
}

impl Driver {
    fn say(&self, what: &ToDriver) -> Result<(), Failure> {
        Ok(self.line.say(what)?)
    }

    fn said(&mut self, ctx: &Context<DriverMsg>, said: FromDriver) -> Result<(), Failure> {
        match (said, &self.stage) {
            (FromDriver::Open { template, wants }, Stage::New) => self.open(ctx, template, wants),
            (FromDriver::Stored, Stage::Storing(..)) => {
                let Stage::Storing(template, wants) =
                    std::mem::replace(&mut self.stage, Stage::New)
                else {
                    return Ok(());
                };
                self.open(ctx, template, wants)
            }
            (FromDriver::Lost { worker, why }, Stage::Open(job)) if worker.job == *job => {
                self.cluster.replaces(&worker, why);
                Ok(())
            }
            (FromDriver::Close, _) => {
                ctx.stop("the driver left");
                Ok(())
            }
            (other, _) => {
                let why = format!("it says what it may not: {other:?}");
                Err(Failure::message(why))
            }
        }
    }

    fn open(
        &mut self,
        ctx: &Context<DriverMsg>,
        template: Box<Template>,
        wants: Option<Resources>,
    ) -> Result<(), Failure> {
        if self.cluster.programs.lacks(&template) {
            self.stage = Stage::Storing(template, wants);
            return self.say(&ToDriver::Lacks);
        }
        self.stage = Stage::Open(self.cluster.admits(ctx.addr().clone(), *template, wants));
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // HD-1, whatever it died of.
        if let Stage::Open(job) = self.stage {
            self.cluster.closes(job);
        }
    }
}
