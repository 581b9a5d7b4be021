//! `raytree why`: how something is, and the root cause of what is wrong with it.

use std::io::{self, Write};
use std::path::Path;

use raytree_types::inspect::{Answer, Request, Story, StoryStep};

use crate::Code;
use crate::args::OneArgs;
use crate::json;
use crate::one::ask_one;
use crate::run::tell_missing;
use crate::text::{cut, plain};
use crate::time::ago;
use crate::tree::Style;

/// Prints the story of an actor.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn why(
    args: &OneArgs,
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
