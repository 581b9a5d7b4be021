//! What processes have written to their standard output and error, read again.

use raytree_types::inspect::LogQuery;
use raytree_types::{Error, Result};

pub use raytree_types::inspect::{LogMark, LogText};
pub use raytree_types::{LogLine, LogSource, Output};

use crate::current;

/// The last lines, at most so many of each output, of the process that somebody of the current runtime lives in: a path of the
/// tree, a name or an id of an actor, a node, or the number of a process. Of a cluster the driver sees its own processes;
/// `raytree logs` sees all of them. Blocks.
///
/// The program itself has no log: what it prints goes to where it was started.
///
/// # Errors
/// [`Error::NoRuntime`]; [`Error::BadOption`] with the reason when there is no such thing, or nothing of it is kept.
///
/// ```no_run
/// use raytree::prelude::*;
///
/// #[remote]
/// fn says(what: String) {
///     println!("{what}");
/// }
///
/// # #[raytree::main]
/// # async fn main() -> raytree::Result<()> {
/// // With nodes, e.g. `RAYTREE_ADDRESS=nodes:2`.
/// says::remote("hello".to_owned()).await?;
/// for line in raytree::logs::tail("node-1", 100)?.lines {
///     println!("{} {}", line.output, line.text);
/// }
/// # Ok(())
/// # }
/// ```
pub fn tail(which: &str, lines: usize) -> Result<LogText> {
    let query = LogQuery { tail: lines, ..LogQuery::of(which) };
    current()?.read_log(&query).map_err(|refused| Error::BadOption {
        option: "which".to_owned(),
        value: which.to_owned(),
        reason: refused.to_string(),
    })
}
