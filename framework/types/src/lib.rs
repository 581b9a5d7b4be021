//! What every floor above speaks of: ids, resources, supervision policies, exits, errors, limits and the records an
//! inspector reads.
//!
//! This crate decides nothing and starts nothing. It knows neither tokio nor ractor, so that a client of a cluster
//! (a command line, a dashboard) can read its records without linking the system.

pub mod abandoned;
pub mod array;
pub mod bytes;
pub mod codec;
pub mod codes;
pub mod error;
pub mod exit;
pub mod ids;
pub mod inspect;
pub mod limits;
pub mod logs;
pub mod lost;
pub mod nd_array;
pub mod options;
pub mod resources;
pub mod state;
pub mod supervision;
mod way;

pub use abandoned::AbandonedThreads;
pub use array::Array;
pub use bytes::Bytes;
pub use codec::Codec;
pub use error::{Error, Result};
pub use exit::{Cause, Exit, ExitKind};
pub use ids::{ActorId, ActorIds, Incarnation, JobId, ProcessIncarnation, RuntimeId, TaskId};
pub use logs::{LogLine, LogLines, LogSource, Output};
pub use lost::Unrebuilt;
pub use nd_array::{NdArray, ShapeError};
pub use options::{ActorOptions, Isolation, TaskOptions};
pub use resources::{Demand, Resources};
pub use supervision::{Backoff, Restart, RestartLimit, Shutdown, Strategy};
pub use way::{WayStep, shortened};
