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

/// Of what, and which objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ObjectsArgs {
    /// Of what, and which rows
    #[command(flatten)]
    pub state: StateArgs,
    /// Whether only those are meant that nobody seems to use
    #[command(flatten)]
    pub leaks: LeakArgs,
}

/// Which objects seem to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  the list was printed, however long it is
  1  somebody did not answer, so that a part is missing
  2  nothing runs, the head cannot be reached, or there is no such column

Listed is what is still to come, what lies in the store of a node (a value with parts of 100 KiB and more, once it was sent or has
come from another process), and what other processes hold. What one process alone has on its heap is not.

  size        in the store and on disk; not known of what is on a heap
  place       heap, store, disk or elsewhere (in the store of another node); store: of which node
  owner, pid  the process that has it; held_by, holders: the others that hold it
  references  in its owner's process, those kept for others included
  pins        how many look at its bytes there, and keep them in memory
  used_by     tasks that are not over, and calls still to begin, with it as an argument
  age         since it is listed: submitted, laid into a store, or first held by another process
  call_site   the line that made it; not of what was fetched, and not of map(f::remote): write map(|x| f::remote(x))
  made_by     the task or the actor that is to make it, while it is not there: raytree why says why it is not

--leaks shows those that nobody seems to use, by the line and the name of what made them, those that take most first. Suspected is
what is ready, nobody waits for, no task or call has as an argument, nobody looks at, and is as old as --older-than says. It may
well be wanted: nobody can know what a program will still read. A terminal that is too narrow shows the most useful columns; on a
pipe there are all, and nothing is cut. At most 10,000 objects of those that meet the conditions are fetched.")]
pub struct LeakArgs {
    /// Only those that nobody seems to use, by the line that made them
    #[arg(long, conflicts_with = "summary")]
    pub leaks: bool,
    /// With --leaks: only what is at least as old, e.g. 30s, 5m or 2h
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "leaks")]
    pub older_than: String,
}

impl Default for LeakArgs {
    fn default() -> Self {
        Self { leaks: false, older_than: "60s".to_owned() }
    }
}

/// Which part of the timeline, and where it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  it was written
  1  it was written, and somebody did not answer, so that a part is missing
  2  nothing runs, the head cannot be reached, or the file cannot be written

It has, by one clock, the bodies of tasks, and what took 10 us or more of this: messages of actors, their constructors (`new`) among
them, and what the object store of a node wrote to disk (`spill`), read back (`restore`) and fetched from another node (`pull`).
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
