//! `raytree kill` and `raytree restart`: what is lost is said first, and nothing is done without `--yes`.

use std::io::{self, Write};
use std::path::Path;

use raytree_types::inspect::{Answer, EndHow, EndNote, Request};

use crate::Code;
use crate::args::EndArgs;
use crate::one::ask_one;
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
    let ask = |confirmed| Request::End { which: args.which.clone(), how, confirmed };
    let note = match ask_one(&args.place, folder, &ask(args.yes), err)? {
        Ok(Answer::End(note)) => note,
        Ok(_) => return Ok(Code::Partly),
        Err(code) => return Ok(code),
    };
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
