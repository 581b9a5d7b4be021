//! `raytree logs`: what the process has written in which somebody lives.

use std::io::{self, Write};
use std::path::Path;
use std::thread::park_timeout;

use clap::Args;
use raytree_inspector::client::AskError;
use raytree_types::inspect::{Answer, LogQuery, LogText, Request};
use raytree_types::{LogLine, Output, limits};

use crate::args::whole;
use crate::json;
use crate::one::{Only, only};
use crate::reach::{Where, Whom};
use crate::run::Code;
use crate::text::plain;
use crate::tree::Style;

/// Whose lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  it was printed
  1  there is no such thing, nothing of it is kept, or somebody who may have it did not answer
  2  nothing runs, or the head cannot be reached

Each line begins with `out` or `err`, unless one of them alone is asked for: standard output comes first. A program itself, and
a head or a node that was started by hand, write to where they were started. A process that has ended is found by its number.
Of a task all is printed that the process has written in which it ran last.")]
pub struct LogsArgs {
    /// Who lives there: a path of the tree, the name or the id of an actor, the id of a task, a node, or the number of the process
    pub which: String,
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// At most so many lines of each output, the last ones
    #[arg(long, value_name = "N", default_value_t = limits::LOG_TAIL_LINES, value_parser = whole::<usize>)]
    pub tail: usize,
    /// Go on printing what it writes, until it is interrupted
    #[arg(long, short)]
    pub follow: bool,
    /// Only what it wrote to standard output
    #[arg(long, conflicts_with = "err")]
    pub out: bool,
    /// Only what it wrote to standard error
    #[arg(long)]
    pub err: bool,
    /// Print the answer as JSON; with --follow one line each
    #[arg(long)]
    pub json: bool,
}

/// Prints the last lines, and with `--follow` what comes after them until it is interrupted.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn logs(
    args: &LogsArgs,
    folder: &Path,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let output = match (args.out, args.err) {
        (true, false) => Some(Output::Out),
        (false, true) => Some(Output::Err),
        _ => None,
    };
    let which = args.which.clone();
    let mut query = LogQuery { which, tail: args.tail, output, since: None };
    let whom = match only(&args.place, folder, &Request::Logs(query.clone()), err)? {
        Ok(Only { whom, answer: Answer::Logs(text) }) => {
            let next = text.next.clone();
            print(&text, args, style, out, err)?;
            query.since = Some(next);
            whom
        }
        Ok(_) => return nonsense(err),
        Err(code) => return Ok(code),
    };
    if args.follow { follow(whom, query, args, style, out, err) } else { Ok(Code::Good) }
}

/// Prints what comes from now on, until it is interrupted or whoever is asked is gone.
fn follow(
    mut whom: Whom,
    mut query: LogQuery,
    args: &LogsArgs,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    loop {
        out.flush()?;
        park_timeout(limits::LOG_FOLLOW_EVERY);
        match whom.ask(Request::Logs(query.clone())) {
            Ok(reply) => {
                let Answer::Logs(text) = reply.answer else { return nonsense(err) };
                text.lines.iter().try_for_each(|line| one(line, args, style, out))?;
                query.since = Some(text.next);
            }
            // It was asked while another life begins, say; what it writes is there the next time.
            Err(AskError::Silent { .. }) => {}
            Err(why) => {
                writeln!(err, "raytree: {why}")?;
                return Ok(Code::Partly);
            }
        }
    }
}

fn nonsense(err: &mut impl Write) -> io::Result<Code> {
    writeln!(err, "raytree: the answer makes no sense")?;
    Ok(Code::Partly)
}

fn print(
    text: &LogText,
    args: &LogsArgs,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<()> {
    if args.json && !args.follow {
        json::write("log", text, out)?;
        return out.flush();
    }
    text.lines.iter().try_for_each(|line| one(line, args, style, out))?;
    out.flush()?;
    if text.lines.is_empty() {
        writeln!(err, "raytree: {} has written nothing", text.source)?;
    }
    if text.is_cut {
        writeln!(err, "raytree: older lines are in {}, or shown with --tail", text.folder)?;
    }
    Ok(())
}

/// One line: of which output, unless one alone was asked for, and what it says.
fn one(line: &LogLine, args: &LogsArgs, style: Style, out: &mut impl Write) -> io::Result<()> {
    if args.json {
        return json::line(line, out);
    }
    // A pipe gets what was written.
    let text = if style.lines { plain(&line.text) } else { line.text.clone() };
    if args.out || args.err {
        writeln!(out, "{text}")
    } else {
        writeln!(out, "{}  {text}", line.output)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const PIPE: Style = Style { columns: 1 << 20, lines: false, colour: false };

    fn told(args: &LogsArgs) -> String {
        let mut out = Vec::new();
        for (output, text) in [(Output::Out, "the first line"), (Output::Err, "a\tsecond  one")] {
            one(&LogLine { output, text: text.to_owned() }, args, PIPE, &mut out).expect("memory");
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_line_says_of_which_output_it_is_unless_one_alone_was_asked_for() {
        assert_eq!(told(&LogsArgs::default()), "out  the first line\nerr  a\tsecond  one\n");
        let one = LogsArgs { err: true, ..LogsArgs::default() };
        assert_eq!(told(&one), "the first line\na\tsecond  one\n");
    }

    #[test]
    fn each_line_of_an_output_that_is_followed_has_a_version() {
        expect![[r#"
            {"version":1,"output":"out","text":"the first line"}
            {"version":1,"output":"err","text":"a\tsecond  one"}
        "#]]
        .assert_eq(&told(&LogsArgs { json: true, ..LogsArgs::default() }));
    }
}
