//! What an error code means, and what to do about it.

use std::io::{self, Write};

use raytree_types::codes::{self, CODES};

use crate::Code;
use crate::args::ExplainArgs;
use crate::text::{cut, width};
use crate::tree::Style;

/// Columns of a text that is read line by line: longer lines are hard to follow.
pub(crate) const COLUMNS_MAX: usize = 100;

/// Prints one code with its meaning and its advice, or all of them, one a line.
///
/// # Errors
/// `out` or `err` cannot be written; the caller knows whether that matters.
pub fn explain(
    args: &ExplainArgs,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let Some(asked) = &args.code else {
        let names = CODES.iter().map(|known| width(known.name)).max().unwrap_or_default();
        for codes::Code { code, name, when, .. } in CODES {
            writeln!(out, "{}", cut(&format!("{code}  {name:<names$}  {when}"), style.columns))?;
        }
        return Ok(Code::Good);
    };
    let by_name = || CODES.iter().find(|known| known.name.eq_ignore_ascii_case(asked));
    let Some(known) = codes::explain(asked).or_else(by_name) else {
        writeln!(
            err,
            "raytree: there is no code `{asked}`: `raytree explain` lists those there are"
        )?;
        return Ok(Code::Nothing);
    };
    let columns = style.columns.min(COLUMNS_MAX);
    writeln!(out, "{} {}\n", known.code, known.name)?;
    wrap(known.when, columns, out)?;
    writeln!(out)?;
    wrap(&format!("What to do: {}", known.advice), columns, out)?;
    Ok(Code::Good)
}

/// As many words a line as fit.
pub(crate) fn wrap(text: &str, columns: usize, out: &mut impl Write) -> io::Result<()> {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            writeln!(out, "{line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{line}")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(asked: Option<&str>, columns: usize, expected: Expect) {
        let args = ExplainArgs { code: asked.map(str::to_owned) };
        let style = Style { columns, lines: false, colour: false };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = explain(&args, style, &mut out, &mut err).expect("memory");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let (out, err) = (text(out), text(err));
        assert!(out.lines().all(|line| width(line) <= columns), "{out}");
        expected.assert_eq(&format!("{out}{err}code {}\n", code as u8));
    }

    #[test]
    fn a_code_is_explained() {
        check(
            Some("RT0012"),
            100,
            expect![[r#"
            RT0012 Timeout

            It did not finish in time: a run took longer than the task's `timeout`, or the wait for it was
            limited.

            What to do: Synchronous code goes on after its timeout until it returns (`Runtime::abandoned_tasks`
            counts such bodies): call `ctx.check_cancelled()?` in long loops, or make the function async.
            code 0
        "#]],
        );
    }

    #[test]
    fn case_does_not_matter_and_a_name_will_do() {
        check(
            Some("rt0015"),
            60,
            expect![[r#"
            RT0015 Overloaded

            Too many calls wait already: a million tasks in the runtime,
            or the actor's `mailbox` bound. The call was not made.

            What to do: `submit(..).await` waits for room instead. A
            caller this far ahead should wait for results as it goes
            (`raytree::wait`).
            code 0
        "#]],
        );
        check(
            Some("norUntime"),
            200,
            expect![[r#"
            RT0001 NoRuntime

            Something asked for the current runtime where there is none: no runtime runs this thread, none was
            entered, and the process has no default.

            What to do: Call `raytree::init().start()` first, or write `#[raytree::main]` over `main`. Remote
            calls start the default runtime by themselves; `raytree::current()` and `get_actor` do not.
            code 0
        "#]],
        );
    }

    #[test]
    fn an_unknown_code_is_a_sentence_and_code_2() {
        check(
            Some("RT9999"),
            100,
            expect![[r#"
            raytree: there is no code `RT9999`: `raytree explain` lists those there are
            code 2
        "#]],
        );
    }

    #[test]
    fn all_codes_one_a_line() {
        check(
            None,
            80,
            expect![[r#"
                RT0001  NoRuntime        Something asked for the current runtime where there is…
                RT0002  StartFailed      The runtime could not be started: the operating system…
                RT0003  RuntimeGone      The runtime a reference or handle belongs to was shut…
                RT0004  BadOption        An option has a value it cannot have: a negative or Na…
                RT0005  DuplicateName    Two functions or actor types marked `#[remote]` have t…
                RT0006  HeadLost         The head of the cluster ended, was stopped, or could n…
                RT0007  CannotLook       A list of what there is (`raytree::state`), or the tim…
                RT0008  UnknownName      `raytree::state::why` was asked about a task or an act…
                RT0010  TaskFailed       The user's function returned an `Err` or panicked, and…
                RT0011  Cancelled        The task or call was cancelled before it had a result,…
                RT0012  Timeout          It did not finish in time: a run took longer than the…
                RT0013  QueueTimeout     The task did not begin within its `queue_timeout`: its…
                RT0014  Infeasible       It asks for more of a resource than there is in all, s…
                RT0015  Overloaded       Too many calls wait already: a million tasks in the ru…
                RT0016  WorkerDied       The process that ran the task died, and no `retries` w…
                RT0017  OutOfMemory      A node was short of memory and has ended the process t…
                RT0020  ActorDied        The actor ended before it answered: a panic, a failed…
                RT0021  CallDropped      The handler ended without an answer, with its actor's…
                RT0022  TooManyActors    There are a million actors in this runtime already.
                RT0023  NameTaken        A living actor has this name in this namespace already.
                RT0024  ActorNotFound    No living actor has this name in this namespace.
                RT0025  WrongActorType   There is an actor of this name, of another type.
                RT0030  ObjectTaken      The value was moved out by an earlier await of the sam…
                RT0031  CannotTravel     A value cannot be sent to another process: its serde a…
                RT0032  OwnerDied        The process that had the object died, and the object w…
                RT0033  TooLarge         The arguments of one call, its result, or one item of…
                RT0034  ProgramsDiffer   A function, an actor type or a method has another sign…
                RT0035  ObjectStoreFull  A value is larger than the whole object store of its n…
                RT0036  OutOfDisk        The object store of a node is full, and what is in it…
                RT0037  ObjectLost       An object is there no more: what was written of it to…
                RT0040  BlockingInAsync  A blocking call was made in async code, where it would…
                RT0041  TooManyThreads   So many synchronous tasks block in `get()` that no fur…
                RT0042  Deadlock         Methods of actors wait for each other's answers in a c…
                code 0
            "#]],
        );
    }
}
