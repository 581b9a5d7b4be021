//! Asking about one actor, whoever has it.

use std::io::{self, Write};
use std::path::Path;

use raytree_inspector::client::AskError;
use raytree_types::inspect::{Answer, Reply, Request};

use crate::reach::{Found, Where, Whom, reach};
use crate::run::{Code, nothing, says_more};

/// The only one who has it, and what he says of it.
pub(crate) struct Only {
    pub(crate) whom: Whom,
    pub(crate) answer: Answer,
}

/// Asks everybody, one after the other, and finds the one who has it; else how this command ends, after it was said why. Nothing
/// may be asked so that would do something: several may have it.
///
/// # Errors
/// `err` cannot be written.
pub(crate) fn only(
    place: &Where,
    folder: &Path,
    request: &Request,
    err: &mut impl Write,
) -> io::Result<Result<Only, Code>> {
    let Some(found) = reach(place, folder, err)? else { return Ok(Err(Code::Nothing)) };
    let Found { whom, mut is_partial, place: looked } = found;
    let (mut have, mut refused) = (Vec::new(), None);
    for mut whom in whom {
        match whom.ask(request.clone()) {
            Ok(Reply { answer, .. }) => have.push(Only { whom, answer }),
            Err(AskError::Refused(why)) => {
                if refused.as_ref().is_none_or(|before| says_more(&why, before)) {
                    refused = Some(why);
                }
            }
            Err(error) => {
                is_partial = true;
                let Reply { runtime, pid, .. } = &whom.hello;
                writeln!(err, "raytree: {runtime} of pid {pid}: {error}")?;
            }
        }
    }
    if have.len() > 1 {
        let which = have.iter().map(|one| {
            let Reply { pid, runtime, program, .. } = &one.whom.hello;
            format!("{program} ({runtime} of pid {pid})")
        });
        let which = which.collect::<Vec<_>>().join(", ");
        writeln!(err, "raytree: several have one, say --pid or its id: {which}")?;
        return Ok(Err(Code::Partly));
    }
    Ok(match (have.pop(), refused) {
        (Some(only), _) => Ok(only),
        (None, Some(refused)) => {
            writeln!(err, "raytree: {refused}")?;
            Err(Code::Partly)
        }
        (None, None) if is_partial => Err(Code::Partly),
        (None, None) => Err(nothing(place.pid, &looked, err)?),
    })
}

/// What is said of it by the only one who has it.
///
/// # Errors
/// `err` cannot be written.
pub(crate) fn ask_one(
    place: &Where,
    folder: &Path,
    request: &Request,
    err: &mut impl Write,
) -> io::Result<Result<Answer, Code>> {
    Ok(only(place, folder, request, err)?.map(|only| only.answer))
}
