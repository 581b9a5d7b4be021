//! From a command line to an exit code.

use std::io::{self, Write};
use std::path::Path;

use raytree_types::inspect::{Refused, Reply, Request};

use crate::args::TreeArgs;
use crate::client::{self, AskError};
use crate::tree::{self, Style};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Everything was shown.
    Good = 0,
    /// Something was not: a runtime that did not answer, a path that is not there.
    Partly = 1,
    /// Nothing runs, or there is no such code.
    Nothing = 2,
}

/// Prints the trees of the programs, heads and nodes in `folder` to `out`; what stands in the way, one sentence each, to `err`.
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
    let mut found = match client::find(folder) {
        Ok(found) => found,
        Err(error) => {
            writeln!(err, "raytree: {error}")?;
            return Ok(Code::Nothing);
        }
    };
    found.retain(|(name, _)| args.pid.is_none_or(|pid| pid == name.pid));
    let (mut replies, mut nowhere, mut silent) = (Vec::new(), None, false);
    for (name, path) in found {
        match client::ask(&path, Request::Tree(args.selection())) {
            Ok(reply) => replies.push(reply),
            Err(AskError::Gone) => {}
            Err(AskError::Refused(refused @ Refused::NoSuchPath { .. })) => nowhere = Some(refused),
            // Others may have owners; a path that is nowhere says more.
            Err(AskError::Refused(refused @ Refused::NoOwners { .. })) => {
                nowhere = nowhere.or(Some(refused));
            }
            Err(error) => {
                silent = true;
                writeln!(err, "raytree: runtime-{} of pid {}: {error}", name.runtime, name.pid)?;
            }
        }
    }
    if !replies.is_empty() {
        print(&replies, args, style, out)?;
    } else if let Some(refused) = nowhere {
        writeln!(err, "raytree: {refused}")?;
        return Ok(Code::Partly);
    } else if !silent {
        let whose = args.pid.map_or_else(String::new, |pid| format!(" in process {pid}"));
        writeln!(err, "raytree: nothing runs{whose} (looked in {})", folder.display())?;
        return Ok(Code::Nothing);
    }
    Ok(if silent { Code::Partly } else { Code::Good })
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
