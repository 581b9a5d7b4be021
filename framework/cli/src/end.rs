//! `raytree kill` and `raytree restart`: what is lost is said first, and nothing is done without `--yes`.

use std::io::{self, Write};
use std::path::Path;

use raytree_types::inspect::{Answer, EndHow, EndNote, Reply, Request};

use crate::Code;
use crate::args::EndArgs;
use crate::json;
use crate::one::{Only, only};
use crate::text::plain;

/// Ends an actor, or says what would be lost.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn end(
    args: &EndArgs,
    how: EndHow,
    folder: &Path,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let ask = |which: &str, confirmed| Request::End { which: which.to_owned(), how, confirmed };
    // Several may have one of this name: nothing is done before it is clear who is meant.
    let Only { mut whom, answer } = match only(&args.place, folder, &ask(&args.which, false), err)?
    {
        Ok(only) => only,
        Err(code) => return Ok(code),
    };
    let Answer::End(mut note) = answer else { return Ok(Code::Partly) };
    if args.yes {
        // That very one, by its path.
        match whom.ask(ask(&note.path, true)) {
            Ok(Reply { answer: Answer::End(done), .. }) => note = done,
            Ok(_) => return Ok(Code::Partly),
            Err(error) => {
                writeln!(err, "raytree: {error}")?;
                return Ok(Code::Partly);
            }
        }
    }
    if args.json {
        json::write("end", &note, out)?;
        out.flush()?;
        return Ok(if note.is_done { Code::Good } else { Code::Partly });
    }
    let EndNote { path, lost, is_done } = note;
    let path = plain(&path);
    let (done, would) = match how {
        EndHow::Kill => ("was killed", "killing"),
        EndHow::Restart => ("restarts", "restarting"),
    };
    if is_done {
        writeln!(out, "{path} {done}; lost with it:")?;
    } else {
        writeln!(err, "raytree: {would} {path} would lose:")?;
    }
    for one in lost {
        let line = format!("  {}", plain(&one));
        if is_done { writeln!(out, "{line}")? } else { writeln!(err, "{line}")? }
    }
    if is_done {
        out.flush()?;
        return Ok(Code::Good);
    }
    writeln!(err, "nothing was done: say --yes to do it")?;
    Ok(Code::Partly)
}
