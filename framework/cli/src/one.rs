//! Asking about one actor, whoever has it.

use std::io::{self, Write};
use std::path::Path;

use raytree_types::inspect::{Answer, Request};

use crate::reach::{Where, reach};
use crate::run::{Asked, Code, ask_all, nothing};

/// What is said of it by the one who has it; else how this command ends, after it was said why.
///
/// # Errors
/// `err` cannot be written.
pub(crate) fn ask_one(
    place: &Where,
    folder: &Path,
    request: &Request,
    err: &mut impl Write,
) -> io::Result<Result<Answer, Code>> {
    let Some(found) = reach(place, folder, err)? else { return Ok(Err(Code::Nothing)) };
    let Asked { mut replies, refused, is_partial, place: looked } = ask_all(found, request, err)?;
    if replies.len() > 1 {
        let which = replies.iter().map(|reply| format!("--pid {}", reply.pid));
        let which = which.collect::<Vec<_>>().join(", ");
        writeln!(err, "raytree: several programs have one, say which: {which}")?;
        return Ok(Err(Code::Partly));
    }
    Ok(match (replies.pop(), refused) {
        (Some(reply), _) => Ok(reply.answer),
        (None, Some(refused)) => {
            writeln!(err, "raytree: {refused}")?;
            Err(Code::Partly)
        }
        (None, None) if is_partial => Err(Code::Partly),
        (None, None) => Err(nothing(place.pid, &looked, err)?),
    })
}
