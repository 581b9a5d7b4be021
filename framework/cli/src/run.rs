//! `raytree tree`: the supervision tree of everybody who is found, once.

use std::io::{self, Write};
use std::path::Path;

use raytree_inspector::client::AskError;
use raytree_types::inspect::{Answer, Missing, Refused, Reply, Request, TreeRows};

use crate::args::TreeArgs;
use crate::reach::{Found, reach};
use crate::text::plain;
use crate::tree::{self, Style};

/// How a command ended: its exit code, which means the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// It was done, and all is well.
    Good = 0,
    /// It was done in part, or not done, or what was asked about is not well.
    Partly = 1,
    /// Nothing could be done: nothing runs, nobody can be reached, or the command line is wrong.
    Nothing = 2,
}

/// Prints the trees of the programs, heads and nodes in `folder`, or of a cluster, to `out`; what stands in the way, one
/// sentence each, to `err`.
///
/// # Errors
/// `out` or `err` cannot be written; the caller knows whether that matters.
pub fn run(
    args: &TreeArgs,
    folder: &Path,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let Some(found) = reach(&args.place, folder, err)? else { return Ok(Code::Nothing) };
    let answers = ask_all(found, &Request::Tree(args.selection()), err)?;
    let Asked { replies, refused, mut is_partial, place } = answers;
    if !replies.is_empty() {
        print(&replies, args, style, out)?;
        for reply in &replies {
            let Answer::Tree(TreeRows { missing, .. }) = &reply.answer else { continue };
            tell_missing(missing, err)?;
            is_partial |= !missing.is_empty();
        }
    } else if let Some(refused) = refused {
        writeln!(err, "raytree: {refused}")?;
        return Ok(Code::Partly);
    } else if !is_partial {
        return nothing(args.place.pid, &place, err);
    }
    Ok(if is_partial { Code::Partly } else { Code::Good })
}

/// Says which processes gave no answer.
pub(crate) fn tell_missing(missing: &[Missing], err: &mut impl Write) -> io::Result<()> {
    missing.iter().try_for_each(|Missing { path, why }| {
        writeln!(err, "raytree: {} is missing: {}", plain(path), plain(why))
    })
}

/// Nobody is there.
pub(crate) fn nothing(pid: Option<u32>, place: &str, err: &mut impl Write) -> io::Result<Code> {
    let whose = pid.map_or_else(String::new, |pid| format!(" in process {pid}"));
    writeln!(err, "raytree: nothing runs{whose} (looked in {place})")?;
    Ok(Code::Nothing)
}

/// What everybody said to one question.
pub(crate) struct Asked {
    pub(crate) replies: Vec<Reply>,
    /// Why somebody refused; of several reasons the one that says most.
    pub(crate) refused: Option<Refused>,
    pub(crate) is_partial: bool,
    pub(crate) place: String,
}

/// Asks everybody who was found.
///
/// # Errors
/// `err` cannot be written.
pub(crate) fn ask_all(found: Found, request: &Request, err: &mut impl Write) -> io::Result<Asked> {
    let Found { whom, is_partial, place } = found;
    let mut asked = Asked { replies: Vec::new(), refused: None, is_partial, place };
    for mut one in whom {
        match one.ask(request.clone()) {
            Ok(reply) => asked.replies.push(reply),
            Err(AskError::Refused(refused)) => {
                if asked.refused.as_ref().is_none_or(|before| says_more(&refused, before)) {
                    asked.refused = Some(refused);
                }
            }
            Err(error) => {
                asked.is_partial = true;
                let Reply { runtime, pid, .. } = one.hello;
                writeln!(err, "raytree: {runtime} of pid {pid}: {error}")?;
            }
        }
    }
    Ok(asked)
}

/// One refusal helps more than the other: others may have owners, and names that are like it help most.
pub(crate) fn says_more(refused: &Refused, before: &Refused) -> bool {
    near(refused) > near(before)
}

/// How much a refusal helps.
fn near(refused: &Refused) -> usize {
    match refused {
        Refused::NoOwners { .. } => 0,
        Refused::NoSuchPath { near, .. } => 1 + near.len(),
        _ => usize::MAX,
    }
}

fn print(replies: &[Reply], args: &TreeArgs, style: Style, out: &mut impl Write) -> io::Result<()> {
    if args.json {
        serde_json::to_writer_pretty(&mut *out, replies)?;
        writeln!(out)?;
    } else {
        let nothing = match (args.failed, args.owners) {
            (true, _) => "nothing is in trouble",
            (false, true) => "no actors",
            (false, false) => "an empty tree",
        };
        for (at, reply) in replies.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            tree::write(reply, nothing, style, out)?;
        }
    }
    out.flush()
}
