//! `raytree tasks`, `raytree actors` and `raytree objects`: what there is, as tables; and `raytree timeline`.

mod args;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use raytree_inspector::chrome;
use raytree_types::inspect::{Answer, Missing, Request};
use raytree_types::limits;
use raytree_types::state::{
    ActorRecord, Count, Filter, Listing, ObjectRecord, Record, Rows, StateQuery, TaskKind,
    TaskRecord, Trace, TraceQuery, What,
};
use serde::{Serialize, Serializer};

pub use args::{StateArgs, TimelineArgs};

use crate::Code;
use crate::reach::reach;
use crate::run::{Asked, ask_all, nothing};
use crate::table::{Cell, Column, Row, View, list};
use crate::text::grouped;
use crate::tree::Style;

/// A record, looked at now. As JSON it is the record.
#[derive(Debug)]
struct Seen<R> {
    record: R,
    now: Duration,
}

impl<R: Serialize> Serialize for Seen<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.record.serialize(serializer)
    }
}

fn text(value: Option<impl ToString>) -> Cell {
    value.map_or(Cell::None, |value| Cell::Text(value.to_string()))
}

impl Row for Seen<TaskRecord> {
    const COLUMNS: &'static [Column] = &[
        Column::text("id"),
        Column::text("kind"),
        Column::text("name"),
        Column::text("state"),
        Column::number("attempt"),
        Column::number("age"),
        Column::number("ran"),
        Column::text("wants"),
        Column::text("actor"),
        Column::text("job"),
        Column::number("pid"),
        Column::text("host"),
        Column::text("error"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self { record, now } = self;
        let since = |at: Option<Duration>| at.map(|at| now.saturating_sub(at));
        let ran = record.ran().or(since(record.began));
        let wants = (!record.wants.is_none()).then_some(&record.wants);
        vec![
            text(record.id),
            text(Some(record.cell("kind"))),
            text(Some(&record.name)),
            text(Some(record.state)),
            if record.kind == TaskKind::Task {
                Cell::Number(record.attempt.into())
            } else {
                Cell::None
            },
            since(record.submitted).map_or(Cell::None, Cell::Span),
            ran.map_or(Cell::None, Cell::Span),
            text(wants),
            text(record.actor),
            text(record.job),
            Cell::Number(record.pid.into()),
            text(record.host.as_ref()),
            text(record.error.as_ref()),
        ]
    }
}

impl Row for Seen<ActorRecord> {
    const COLUMNS: &'static [Column] = &[
        Column::text("id"),
        Column::text("name"),
        Column::text("class"),
        Column::text("state"),
        Column::number("restarts"),
        Column::number("queued"),
        Column::number("handled"),
        Column::text("wants"),
        Column::text("owner"),
        Column::text("job"),
        Column::number("pid"),
        Column::text("host"),
        Column::text("cause"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self { record, .. } = self;
        let wants = (!record.wants.is_none()).then_some(&record.wants);
        vec![
            text(Some(record.id)),
            text(Some(&record.name)),
            text(Some(&record.class)),
            text(Some(record.state)),
            Cell::Number(record.restarts.into()),
            Cell::Number(record.queued),
            Cell::Number(record.handled),
            text(wants),
            text(record.owner),
            text(record.job),
            Cell::Number(record.pid.into()),
            text(record.host.as_ref()),
            text(record.cause.as_ref()),
        ]
    }
}

impl Row for Seen<ObjectRecord> {
    const COLUMNS: &'static [Column] = &[
        Column::text("name"),
        Column::text("state"),
        Column::text("held_by"),
        Column::number("waiters"),
        Column::number("pid"),
        Column::number("holders"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self { record, .. } = self;
        vec![
            text(Some(&record.name)),
            text(Some(record.state)),
            text(Some(record.held_by.join(", "))),
            Cell::Number(record.waiters),
            Cell::Number(record.pid.into()),
            Cell::Number(record.holders),
        ]
    }
}

impl Row for Count {
    const COLUMNS: &'static [Column] =
        &[Column::text("name"), Column::text("state"), Column::number("count")];

    fn cells(&self) -> Vec<Cell> {
        let Self { name, state, count } = self;
        vec![Cell::Text(name.clone()), Cell::Text(state.clone()), Cell::Number(*count)]
    }
}

/// Prints a list of one kind, over all processes of whoever is asked.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn state(
    what: What,
    args: &StateArgs,
    folder: &Path,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let query = StateQuery {
        filters: far(&args.view, what),
        limit: limits::STATE_ROWS_MAX,
        summary: args.summary,
        ..StateQuery::all(what)
    };
    let Some(found) = reach(&args.place, folder, err)? else { return Ok(Code::Nothing) };
    let asked = ask_all(found, &Request::State(query.clone()), err)?;
    let Asked { replies, refused, is_partial, place } = asked;
    if replies.is_empty() {
        return match refused {
            Some(refused) => {
                writeln!(err, "raytree: {refused}")?;
                Ok(Code::Partly)
            }
            None if is_partial => Ok(Code::Partly),
            None => nothing(args.place.pid, &place, err),
        };
    }
    let now = replies.iter().map(|reply| reply.captured_at).max().unwrap_or_default();
    let mut all = Rows::none(what);
    let mut is_whole = !is_partial;
    for reply in replies {
        is_whole &= match reply.answer {
            Answer::State(rows) => all.join(rows, &query),
            _ => false,
        };
    }
    let summed = of_summary(&args.view, what);
    let shown = match all {
        Rows::Tasks(list) => show(list, (args, &summed, now, "no tasks"), style, out, err)?,
        Rows::Actors(list) => show(list, (args, &summed, now, "no actors"), style, out, err)?,
        Rows::Objects(list) => show(list, (args, &summed, now, "no objects"), style, out, err)?,
    };
    Ok(match shown {
        Shown { code: Code::Good, is_whole: all_answered } if !(is_whole && all_answered) => {
            Code::Partly
        }
        Shown { code, .. } => code,
    })
}

/// The conditions that those far away look at, so that a limit cuts only what is wanted: those on words. All of them are looked at
/// here, where mistakes are told.
fn far(view: &View, what: What) -> Vec<Filter> {
    const NUMBERS: &[&str] =
        &["attempt", "age", "ran", "pid", "restarts", "queued", "handled", "waiters", "holders"];
    let read = view.conditions.iter().filter_map(|text| text.parse::<Filter>().ok());
    let mut filters: Vec<Filter> = read.collect();
    filters.retain(|filter| {
        let column = &*filter.column;
        what.columns().contains(&column) && !NUMBERS.contains(&column)
    });
    // It stands for an empty one here, and for itself elsewhere.
    for filter in filters.iter_mut().filter(|filter| filter.value == "-") {
        filter.value.clear();
    }
    filters
}

/// What is left of a view for a summary: the conditions on records have been looked at where these are.
fn of_summary(view: &View, what: What) -> View {
    let far = far(view, what);
    let columns: Vec<&str> = <Count as Row>::COLUMNS.iter().map(|column| column.name).collect();
    let is_left = |text: &&String| match text.parse::<Filter>() {
        Ok(filter) => {
            columns.contains(&&*filter.column)
                || !far.iter().any(|other| other.column == filter.column)
        }
        Err(_) => true,
    };
    View { conditions: view.conditions.iter().filter(is_left).cloned().collect(), ..view.clone() }
}

/// What was printed, and whether everybody answered.
struct Shown {
    code: Code,
    is_whole: bool,
}

fn show<R>(
    listing: Listing<R>,
    (args, summed, now, none): (&StateArgs, &View, Duration, &str),
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Shown>
where
    R: Record,
    Seen<R>: Row,
{
    let (more, dropped) = (listing.more(), listing.dropped);
    tell_missing(&listing.missing, err)?;
    let is_whole = listing.missing.is_empty();
    let code = if args.summary {
        list(&listing.counts, 0, summed, (none, style), out, err)?
    } else {
        let seen = listing.rows.into_iter().map(|record| Seen { record, now });
        let seen: Vec<_> = seen.collect();
        list(&seen, more, &args.view, (none, style), out, err)?
    };
    if dropped > 0 {
        writeln!(err, "raytree: {} older ones were forgotten", grouped(dropped))?;
    }
    Ok(Shown { code, is_whole })
}

fn tell_missing(missing: &[Missing], err: &mut impl Write) -> io::Result<()> {
    for Missing { path, why } in missing {
        writeln!(err, "raytree: {path} is missing: {why}")?;
    }
    Ok(())
}

/// Writes what has run when into a file that Perfetto opens.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn timeline(
    args: &TimelineArgs,
    folder: &Path,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let since = args.since.as_deref().map(crate::time::span);
    let since = match since.transpose() {
        Ok(since) => since.map(|since| crate::time::now().saturating_sub(since)),
        Err(why) => {
            writeln!(err, "raytree: --since: {why}")?;
            return Ok(Code::Nothing);
        }
    };
    let query = TraceQuery { since, limit: args.limit };
    let Some(found) = reach(&args.place, folder, err)? else { return Ok(Code::Nothing) };
    let Asked { replies, is_partial, place, .. } =
        ask_all(found, &Request::Timeline(query.clone()), err)?;
    if replies.is_empty() {
        return if is_partial { Ok(Code::Partly) } else { nothing(args.place.pid, &place, err) };
    }
    let mut trace = Trace::default();
    for reply in replies {
        let Answer::Timeline(one) = reply.answer else { continue };
        trace.processes.extend(one.processes);
        trace.missing.extend(one.missing);
    }
    trace.keep(&query);
    tell_missing(&trace.missing, err)?;
    let written = File::create(&args.out).and_then(|file| {
        let mut file = BufWriter::new(file);
        chrome::write(&trace, &mut file)?;
        file.into_inner()?.sync_all()
    });
    if let Err(error) = written {
        writeln!(err, "raytree: {} cannot be written: {error}", args.out.display())?;
        return Ok(Code::Nothing);
    }
    let spans: u64 = trace.processes.iter().map(|process| process.spans.len() as u64).sum();
    let dropped: u64 = trace.processes.iter().map(|process| process.dropped).sum();
    let (processes, file) = (trace.processes.len(), args.out.display());
    writeln!(out, "{} spans of {processes} processes are in {file}", grouped(spans))?;
    if dropped > 0 {
        writeln!(out, "{} older ones are not", grouped(dropped))?;
    }
    out.flush()?;
    let is_whole = !is_partial && trace.missing.is_empty();
    Ok(if is_whole { Code::Good } else { Code::Partly })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use raytree_types::state::TaskState;
    use raytree_types::{Resources, RuntimeId, TaskId};

    use super::*;

    const PIPE: Style = Style { columns: 40, lines: false, colour: false };

    fn task(number: u64, state: TaskState) -> TaskRecord {
        let over = state.is_over();
        TaskRecord {
            id: Some(TaskId::new(RuntimeId::given(1), number)),
            kind: TaskKind::Task,
            name: "load".to_owned(),
            state,
            attempt: 0,
            parent: None,
            actor: None,
            job: None,
            pid: 7,
            host: (state == TaskState::Sent).then(|| "node-1".to_owned()),
            submitted: Some(Duration::from_secs(100)),
            began: Some(Duration::from_secs(130)),
            ended: over.then(|| Duration::from_secs(131)),
            wants: Resources::cpus(1.0),
            error: (state == TaskState::Failed).then(|| "no such file".to_owned()),
        }
    }

    fn told(args: &StateArgs) -> (String, String) {
        let rows = [task(1, TaskState::Sent), task(2, TaskState::Failed)];
        let listing =
            Listing { rows: rows.to_vec(), total: 5, dropped: 4000, ..Listing::default() };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let now = Duration::from_secs(160);
        let shown = show(
            listing,
            (args, &of_summary(&args.view, What::Tasks), now, "none"),
            PIPE,
            &mut out,
            &mut err,
        )
        .expect("memory");
        assert_eq!((shown.code, shown.is_whole), (Code::Good, true));
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (text(out), text(err))
    }

    #[test]
    fn tb_1_tasks_have_stable_columns() {
        let (out, err) = told(&StateArgs::default());
        expect![[r#"
            ID        KIND  NAME  STATE   ATTEMPT    AGE     RAN  WANTS  ACTOR  JOB  PID  HOST    ERROR
            task-1-1  task  load  sent          0  1 min  30.0 s  1 CPU  -      -      7  node-1  -
            task-1-2  task  load  failed        0  1 min   1.0 s  1 CPU  -      -      7  -       no such file
        "#]].assert_eq(&out);
        expect![[r#"
            raytree: 3 more are not shown: see --limit
            raytree: 4,000 older ones were forgotten
        "#]]
        .assert_eq(&err);
        let failed =
            View { json: true, conditions: vec!["state=failed".to_owned()], ..View::default() };
        let (out, _) = told(&StateArgs { view: failed, ..StateArgs::default() });
        expect![[r#"
            {
              "version": 1,
              "rows": [
                {
                  "id": {
                    "runtime": 1,
                    "number": 2
                  },
                  "kind": "task",
                  "name": "load",
                  "state": "failed",
                  "attempt": 0,
                  "pid": 7,
                  "submitted": {
                    "secs": 100,
                    "nanos": 0
                  },
                  "began": {
                    "secs": 130,
                    "nanos": 0
                  },
                  "ended": {
                    "secs": 131,
                    "nanos": 0
                  },
                  "wants": {
                    "amounts": {
                      "CPU": 1000
                    }
                  },
                  "error": "no such file"
                }
              ],
              "more": 3
            }
        "#]]
        .assert_eq(&out);
    }

    #[test]
    fn conditions_on_words_go_with_the_question() {
        let conditions = ["state=failed", "pid=7", "name!=load", "colour=red", "nonsense"];
        let view = View { conditions: conditions.map(str::to_owned).to_vec(), ..View::default() };
        let sent: Vec<String> = far(&view, What::Tasks).iter().map(ToString::to_string).collect();
        assert_eq!(sent, ["state=failed", "name!=load"]);
    }
}
