//! What the lists of records and the timeline are told.

use std::path::PathBuf;

use clap::Args;
use raytree_types::limits;

use crate::args::whole;
use crate::reach::Where;
use crate::table::View;

/// Of what, and which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  the list was printed, however long it is
  1  somebody did not answer, so that a part is missing
  2  nothing runs, the head cannot be reached, or there is no such column

What matters most comes first, unless --sort says otherwise: what has trouble, what is under way, then the newest. At most 10,000
rows are fetched, the first ones in that order of those that meet all conditions but those on `age` and `ran`. Each process
remembers its last 100,000 attempts of tasks that are over. On a pipe nothing is cut: columns are two spaces or more apart, and an
empty one is `-`.")]
pub struct StateArgs {
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// Count them by name and state, instead
    #[arg(long)]
    pub summary: bool,
    /// Which rows
    #[command(flatten)]
    pub view: View,
}

/// Which part of the timeline, and where it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  it was written
  1  it was written, and somebody did not answer, so that a part is missing
  2  nothing runs, the head cannot be reached, or the file cannot be written

It has the bodies of tasks, and the messages of actors that took 10 us or more, their constructors (`new`) among them, by one clock.
The file is that of Chrome's trace events: open it in Perfetto, or in the tracing page of Chrome.")]
pub struct TimelineArgs {
    /// The file that gets it
    #[arg(long, short, value_name = "FILE", default_value = "timeline.json")]
    pub out: PathBuf,
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// Only what ran within this time, e.g. 500ms, 30s, 5m, 2h or 1d
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// At most so many spans, the newest
    #[arg(long, default_value_t = limits::TIMELINE_SPANS, value_name = "N", value_parser = whole::<usize>)]
    pub limit: usize,
}
