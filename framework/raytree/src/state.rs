//! What there is, and what has run: lists of tasks, actors, objects, nodes and jobs, with conditions and limits, and the timeline.
//!
//! ```
//! use raytree::prelude::*;
//! use raytree::state;
//!
//! #[remote]
//! fn square(x: u64) -> u64 {
//!     x * x
//! }
//!
//! #[raytree::main(cpus = 2)]
//! async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//!     raytree::get_all((0..20).map(square::remote)).await?;
//!
//!     let squares = state::tasks().is("name", "square").limit(5).await?;
//!     assert_eq!((squares.rows.len(), squares.total, squares.more()), (5, 20, 15));
//!     for count in state::tasks().summary().await? {
//!         println!("{} {} {}", count.count, count.name, count.state);
//!     }
//!
//!     let trace = state::timeline().await?;
//!     # let folder = tempfile::tempdir()?;
//!     # let path = folder.path().join("timeline.json");
//!     # /*
//!     state::write_timeline(&trace, "timeline.json")?; // opens in Perfetto
//!     # */
//!     # state::write_timeline(&trace, path)?;
//!     Ok(())
//! }
//! ```
//!
//! In a program that uses a cluster all of this is the whole cluster's; in a task or an actor of a cluster it is what its worker
//! knows. Tasks that are over are remembered up to [`TASK_HISTORY`](crate::limits::TASK_HISTORY) in each process; a list says how many
//! were forgotten, how many more rows there are, and which processes gave no answer. Nothing is gathered while nobody asks.

pub use raytree_system::state::{
    Get, Kind, List, StoreTraffic, actors, jobs, nodes, object, objects, store_traffic, tasks,
    timeline, why, why_object, write_timeline,
};
pub use raytree_types::inspect::{JobStatus, Missing, NodePhase, NodeStatus, Story, StoryStep};
pub use raytree_types::state::{
    ActorRecord, Count, Filter, Listing, ObjectPlace, ObjectRecord, ObjectState, ProcessTrace,
    Record, Span, SpanKind, Summary, TaskKind, TaskRecord, TaskState, Trace,
};
