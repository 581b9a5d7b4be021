//! `raytree tasks`, `raytree actors` and `raytree objects`: what there is, as tables; and `raytree timeline`.

mod args;
mod leaks;
mod objects;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use raytree_config::ByteCount;
use raytree_inspector::chrome;
use raytree_types::inspect::{Answer, Request};
use raytree_types::limits;
use raytree_types::state::{
    ActorRecord, Count, Filter, Listing, Record, Rows, Sort, StateQuery, TaskKind, TaskRecord,
    Trace, TraceQuery, What,
};
use serde::{Serialize, Serializer};

pub use args::{LeakArgs, ObjectsArgs, StateArgs, TimelineArgs};
pub use leaks::leaks;

use crate::Code;
use crate::reach::{Where, reach};
use crate::run::{Asked, ask_all, nothing, tell_missing};
use crate::table::{Cell, Column, Row, View, list, number};
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
        sort: sort(&args.view, what),
        summary: args.summary,
        ..StateQuery::all(what)
    };
    let (all, now, is_whole) = match gather(&query, &args.place, folder, err)? {
        Ok(Gathered { rows, now, is_whole }) => (rows, now, is_whole),
        Err(code) => return Ok(code),
    };
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

/// What all that were asked have said.
struct Gathered {
    rows: Rows,
    /// When that was, since 1970.
    now: Duration,
    is_whole: bool,
}

/// Asks everybody for one list; the code with which the command ends where there is none.
fn gather(
    query: &StateQuery,
    place: &Where,
    folder: &Path,
    err: &mut impl Write,
) -> io::Result<Result<Gathered, Code>> {
    let Some(found) = reach(place, folder, err)? else { return Ok(Err(Code::Nothing)) };
    let asked = ask_all(found, &Request::State(query.clone()), err)?;
    let Asked { replies, refused, is_partial, place: looked_in } = asked;
    if replies.is_empty() {
        return Ok(Err(match refused {
            Some(refused) => {
                writeln!(err, "raytree: {refused}")?;
                Code::Partly
            }
            None if is_partial => Code::Partly,
            None => nothing(place.pid, &looked_in, err)?,
        }));
    }
    let now = replies.iter().map(|reply| reply.captured_at).max().unwrap_or_default();
    let mut rows = Rows::none(query.what);
    let mut is_whole = !is_partial;
    for reply in replies {
        is_whole &= match reply.answer {
            Answer::State(other) => rows.join(other, query),
            _ => false,
        };
    }
    Ok(Ok(Gathered { rows, now, is_whole }))
}

/// The conditions that those far away look at, so that a limit cuts only what is wanted: those on words and on numbers, not on times.
/// All of them are looked at here, where mistakes are told.
fn far(view: &View, what: What) -> Vec<Filter> {
    let read = view.conditions.iter().filter_map(|text| text.parse::<Filter>().ok());
    read.filter_map(|filter| far_one(filter, what)).collect()
}

fn far_one(mut filter: Filter, what: What) -> Option<Filter> {
    filter.column.make_ascii_lowercase();
    let column = &*filter.column;
    if !what.columns().contains(&column) || TIMES.contains(&column) {
        return None;
    }
    // It stands for an empty one here, and for itself elsewhere.
    if filter.value == "-" {
        filter.value.clear();
    } else if column == "size" && !filter.value.is_empty() {
        filter.value = filter.value.parse::<ByteCount>().ok()?.bytes().to_string();
    } else if what.numbers().contains(&column) && !filter.value.is_empty() {
        filter.value = number(&filter.value)?.to_string();
    }
    Some(filter)
}

/// Columns that are times: they are compared as they are shown.
const TIMES: &[&str] = &["age", "ran"];

/// By what those far away sort before they cut. Whether there is such a column is told here.
fn sort(view: &View, what: What) -> Option<Sort> {
    let text = view.sort.as_deref()?;
    let (column, is_down) = text.strip_prefix('-').map_or((text, false), |column| (column, true));
    let column = column.to_ascii_lowercase();
    let now = crate::time::now();
    what.is_sorted_by(&column).then_some(Sort { column, is_down, now })
}

/// The conditions that were looked at when the list had been cut.
fn late(view: &View) -> Vec<String> {
    let is_late = |text: &&String| {
        let filter = text.parse::<Filter>();
        filter.is_ok_and(|filter| TIMES.contains(&&*filter.column.to_ascii_lowercase()))
    };
    view.conditions.iter().filter(is_late).cloned().collect()
}

/// What is left of a view for a summary: the conditions on records have been looked at where these are.
fn of_summary(view: &View, what: What) -> View {
    left::<Count>(view, &far(view, what))
}

/// What is left of a view for rows of another kind: the conditions that are looked at far away have been, but those on columns that
/// these have as well.
fn left<T: Row>(view: &View, far: &[Filter]) -> View {
    let columns: Vec<&str> = T::COLUMNS.iter().map(|column| column.name).collect();
    let is_left = |text: &&String| match text.parse::<Filter>() {
        Ok(filter) => {
            columns.contains(&&*filter.column)
                || !far.iter().any(|other| other.column.eq_ignore_ascii_case(&filter.column))
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
    let late = late(&args.view);
    if more > 0 && !late.is_empty() {
        let (rows, late) = (grouped(listing.rows.len() as u64), late.join(" and "));
        let more = grouped(more);
        writeln!(err, "raytree: {rows} rows were looked at for {late}, and {more} more were not")?;
    }
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
    let code = save(&trace, &args.out, out, err)?;
    Ok(if code == Code::Good && is_partial { Code::Partly } else { code })
}

/// Writes it into a file, and says what is in it.
fn save(
    trace: &Trace,
    path: &Path,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let file = path.display();
    let written = File::create(path).and_then(|file| {
        let mut file = BufWriter::new(file);
        chrome::write(trace, &mut file)?;
        file.into_inner()?.sync_all()
    });
    if let Err(error) = written {
        writeln!(err, "raytree: {file} cannot be written: {error}")?;
        return Ok(Code::Nothing);
    }
    let spans: u64 = trace.processes.iter().map(|process| process.spans.len() as u64).sum();
    let dropped: u64 = trace.processes.iter().map(|process| process.dropped).sum();
    let processes = trace.processes.len();
    writeln!(out, "{} spans of {processes} processes are in {file}", grouped(spans))?;
    if dropped > 0 {
        writeln!(out, "{} older ones are not", grouped(dropped))?;
    }
    out.flush()?;
    Ok(if trace.missing.is_empty() { Code::Good } else { Code::Partly })
}
