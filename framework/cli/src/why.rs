//! `raytree why`: how something is, and the root cause of what is wrong with it.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use raytree_types::inspect::{Answer, Request, Story, StoryStep};

use crate::Code;
use crate::json;
use crate::one::ask_one;
use crate::reach::Where;
use crate::run::tell_missing;
use crate::text::{cut, plain};
use crate::time::ago;
use crate::tree::Style;

/// Which actor, or which task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  it was found
  1  there is no such actor or task, there are several, or somebody who may have it did not answer
  2  nothing runs, or the head cannot be reached

Without --address it is looked for in everything of this user that runs on this machine, and in the processes below. A task is
known by its id alone, while it is under way and for as long as it is remembered: raytree tasks lists the ids.")]
pub struct WhyArgs {
    /// The actor: its path in the tree, its name, or its id; or the id of a task, e.g. scores, actor-1-2a or task-1-7
    pub which: String,
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Prints the story of an actor or of a task.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn why(
    args: &WhyArgs,
    folder: &Path,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let request = Request::Why { which: args.which.clone() };
    let answer = match ask_one(&args.place, folder, &request, err)? {
        Ok(Answer::Why(story)) => story,
        Ok(_) => return Ok(Code::Partly),
        Err(code) => return Ok(code),
    };
    if args.json {
        json::write("story", &answer, out)?;
    } else {
        print(&answer, style, out)?;
    }
    out.flush()?;
    tell_missing(&answer.missing, err)?;
    Ok(if answer.missing.is_empty() { Code::Good } else { Code::Partly })
}

/// The root cause first; what it led to is indented below it.
pub(crate) fn print(story: &Story, style: Style, out: &mut impl Write) -> io::Result<()> {
    let mut line = |text: String| writeln!(out, "{}", cut(text.trim_end(), style.columns));
    line(plain(&story.about))?;
    line(format!("  now    {}", plain(&story.now)))?;
    if story.is_cycle {
        line("  DEADLOCK: these wait for each other in a circle".to_owned())?;
    }
    let many = story.steps.len() > 1;
    for (number, step) in story.steps.iter().enumerate() {
        let StoryStep { who, what, age, goes_on, place } = step;
        let mark = match number {
            _ if story.is_cycle && *goes_on => "stuck",
            0 if many => "root",
            0 => "cause",
            _ => "then",
        };
        let age = match age {
            Some(age) if *goes_on => format!(" (for {})", ago(*age)),
            Some(age) => format!(" ({} ago)", ago(*age)),
            None => String::new(),
        };
        if *who == story.about {
            line(format!("  {mark:<5}  {}{age}", plain(what)))?;
        } else {
            line(format!("  {mark:<5}  {}{age}", plain(who)))?;
            line(format!("         {}", plain(what)))?;
        }
        if let Some(place) = place.as_ref().filter(|place| !what.contains(&***place)) {
            line(format!("         at {}", plain(place)))?;
        }
    }
    Ok(())
}
