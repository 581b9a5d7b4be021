//! The supervision kit: what turns `ractor` actors into one tree that heals, explains itself and shuts down in order.
//!
//! ractor gives links, panic capture and four-level priority. It has no restart strategies, its mailboxes are
//! unbounded and cannot be measured, and a raw reference dies with the actor. This crate adds:
//!
//! - [`Supervisor`]: child specs, the three strategies, restart intensity, backoff, ordered shutdown.
//! - [`Addr`]: a stable address that survives restarts, with bounded admission.
//! - [`Actor`] and [`Context`]: how a system actor is written. [`Instrumented`] runs it on ractor and keeps its probe.
//! - [`Probe`]: counters, current message, causes and a flight recorder of every actor; [`Probe::snapshot`] walks the
//!   tree without a message to anybody.
//!
//! No actor gets a ractor name and none joins a process group: both are process-global, and any number of runtimes
//! share a process.

mod actor;
mod addr;
pub mod clock;
mod envelope;
mod events;
mod instrumented;
mod life;
pub mod panics;
mod ping;
mod probe;
mod recorder;
mod spans;
mod supervisor;
mod ticks;

pub use actor::{Actor, Context, Failure, Message};
pub use addr::{Addr, CallError, Refused, SendError, short_type_name};
pub use envelope::{Credit, Reply};
pub use events::EventLog;
pub use instrumented::Instrumented;
pub use life::Part;
pub use ping::ping_all;
pub use probe::{Kind, NoWay, Passage, Probe, Sight};
pub use spans::{Handled, Moved, SpanLog};
pub use supervisor::observer::{BeforeRestart, Observer};
pub use supervisor::root::Root;
pub use supervisor::spec::{ChildSpec, SupervisorSpec};
pub use supervisor::{Supervisor, SupervisorMsg};
