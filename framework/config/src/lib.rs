//! The settings of the system, and where each of them comes from.
//!
//! Four layers, each over the one before: **defaults < file < environment < arguments**. [`Config::load`] is told all
//! of them ([`LoadFrom`]), so that a test has its own; [`LoadFrom::process`] gathers those of this process.
//!
//! ```
//! use raytree_config::{Config, LoadFrom, Origin};
//!
//! let from = LoadFrom::default()
//!     .variable("RAYTREE_LIVENESS__BEAT_EVERY", "50ms")
//!     .argument("liveness.suspect_after", "1.2s");
//! let config = Config::load(from)?;
//! assert_eq!(config.liveness().beat_every.as_millis(), 50);
//! assert_eq!(config.origin("liveness.suspect_after"), Some(&Origin::Argument));
//!
//! let wrong = Config::load(LoadFrom::default().argument("livenes.beat_every", "50ms"));
//! assert!(wrong.is_err_and(|error| error.to_string().contains("did you mean liveness.beat_every?")));
//! # Ok::<(), raytree_types::Error>(())
//! ```
//!
//! One table, in `settings.rs`, is the source of everything that is said about a setting: its type, meaning, unit,
//! range and default. The sections ([`Cluster`], [`Liveness`], ..), the checks, [`Config::explain`] and the page
//! `docs/configuration.md` are made of it.
//!
//! Nothing is lost in silence. A key that does not exist, a value that cannot be read or lies out of its range, and two
//! values for one setting in one layer are refused, in every layer, also where a higher layer has the last word.
//! Everything that is refused is an [`Error::BadOption`](raytree_types::Error::BadOption) which names the setting, the
//! value, what it may be, and where it was found.

mod check;
mod config;
mod environment;
mod file;
mod layer;
mod limits;
mod load;
mod memory;
mod near;
#[cfg(test)]
mod page;
mod places;
mod relations;
mod settings;
mod surroundings;
mod table;
mod value;
mod written;

pub use config::{Config, Origin, Setting};
pub use environment::{OTHERS, OtherVariable};
pub use load::{ContextSettings, LoadFrom, split_argument};
pub use memory::Memory;
pub use places::SpillPlaces;
pub use settings::{Calls, Cluster, Dashboard, Inspector, Liveness, Logs, Metrics, Node};
pub use surroundings::Machine;
pub use value::{Amount, ByteCount, HostPort, LogFormat};
