//! Rows under headings, as every command prints them, and lists of records: which of them, in which order, as text or as JSON.
//!
//! A record that is listed is a `Row`: it names its columns and fills them with `Cell`s. Everything else is the same for
//! every list (`list`): `--where`, `--sort`, `--limit`, `--json`.
//!
//! - **TB-1 (stable):** on a pipe nothing is cut; columns are two spaces or more apart, no cell has two spaces in a row, and
//!   an empty one is `-`.

mod cell;
mod select;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use clap::Args;
use raytree_types::limits;
use serde::Serialize;

use crate::Code;
use crate::args::whole;
use crate::text::{cut, grouped, plain, width};
use crate::tree::Style;
pub(crate) use cell::{Cell, amount, number};
use select::select;

/// What keeps columns apart.
const BETWEEN: &str = "  ";

/// Which rows of a list, and how.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct View {
    /// Only rows in which this holds, e.g. state=up or state!=up; if given more than once, all of it
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    pub conditions: Vec<String>,
    /// Sort by this column; with a minus before it the largest first, e.g. -age
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// At most so many rows
    #[arg(long, value_name = "N", default_value_t = limits::LIST_ROWS, value_parser = whole::<usize>)]
    pub limit: usize,
    /// Print the records as JSON, with all that is known of each
    #[arg(long)]
    pub json: bool,
}

impl Default for View {
    fn default() -> Self {
        Self { conditions: Vec::new(), sort: None, limit: limits::LIST_ROWS, json: false }
    }
}

/// A column of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// As it is typed; in capitals, its heading.
    pub(crate) name: &'static str,
    /// Numbers stand on the right.
    pub(crate) is_right: bool,
}

impl Column {
    /// Of words.
    pub(crate) const fn text(name: &'static str) -> Self {
        Self { name, is_right: false }
    }

    /// Of numbers, times, amounts.
    pub(crate) const fn number(name: &'static str) -> Self {
        Self { name, is_right: true }
    }
}

/// A record that can be listed. As JSON it is itself, whatever its columns say of it.
pub(crate) trait Row: Serialize {
    /// Its columns. Their names and order are what scripts rely on: new ones go to the end.
    const COLUMNS: &'static [Column];

    /// Those that a terminal shows that is too narrow for all, in this order; where there are none, all, cut on the right.
    const NARROW: &'static [&'static str] = &[];

    /// A cell for each column.
    fn cells(&self) -> Vec<Cell>;
}

/// A list as JSON.
#[derive(Debug, Serialize)]
struct Listed<'a, T> {
    /// The version of these fields.
    version: u32,
    /// The records that were asked for.
    rows: Vec<&'a T>,
    /// Others that were asked for, and did not fit.
    more: u64,
}

/// What this version of raytree writes.
const VERSION: u32 = 1;

/// Prints those of the records that are asked for. `more` is how many whoever sent them has kept back; `nothing` is said
/// where there is no record at all.
///
/// # Errors
/// `out` or `err` cannot be written.
pub(crate) fn list<T: Row>(
    records: &[T],
    more: u64,
    view: &View,
    (nothing, style): (&str, Style),
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let rows: Vec<Vec<Cell>> = records.iter().map(Row::cells).collect();
    let selected = match select(T::COLUMNS, &rows, view) {
        Ok(selected) => selected,
        Err(error) => {
            writeln!(err, "raytree: {error}")?;
            return Ok(Code::Nothing);
        }
    };
    let more = more.saturating_add(selected.more);
    if view.json {
        let rows = selected.rows.iter().map(|at| &records[*at]).collect();
        serde_json::to_writer_pretty(&mut *out, &Listed { version: VERSION, rows, more })?;
        writeln!(out)?;
        out.flush()?;
        return Ok(Code::Good);
    }
    // Headings alone are what a script can rely on; a person is told.
    if selected.rows.is_empty() && more == 0 && style.lines {
        let all = if records.is_empty() { nothing } else { "no row is so" };
        writeln!(out, "{all}")?;
        out.flush()?;
        return Ok(Code::Good);
    }
    let heads = T::COLUMNS.iter().map(|column| column.name.to_uppercase());
    let mut lines = vec![heads.collect::<Vec<_>>()];
    lines.extend(selected.rows.iter().map(|at| rows[*at].iter().map(shown).collect()));
    let mut is_right: Vec<_> = T::COLUMNS.iter().map(|column| column.is_right).collect();
    let wide: usize = widths(&lines).iter().map(|width| width + BETWEEN.len()).sum();
    if style.lines && wide > style.columns + BETWEEN.len() {
        let narrow = narrow::<T>();
        let of = |line: &Vec<String>| narrow.iter().map(|at| line[*at].clone()).collect();
        lines = lines.iter().map(of).collect();
        is_right = narrow.iter().map(|at| is_right[*at]).collect();
    }
    lay_out(&lines, &is_right, style.lines.then_some(style.columns), out)?;
    out.flush()?;
    if more > 0 {
        writeln!(err, "raytree: {} more are not shown: see --limit", grouped(more))?;
    }
    Ok(Code::Good)
}

/// Which columns a narrow terminal shows.
fn narrow<T: Row>() -> Vec<usize> {
    let at = |name: &&str| T::COLUMNS.iter().position(|column| column.name == *name);
    let chosen: Vec<_> = T::NARROW.iter().filter_map(at).collect();
    if chosen.is_empty() { (0..T::COLUMNS.len()).collect() } else { chosen }
}

/// How wide each column is.
fn widths(lines: &[Vec<String>]) -> Vec<usize> {
    let columns = lines.first().map_or(0, Vec::len);
    let widest =
        |at: usize| lines.iter().filter_map(move |line| line.get(at)).map(|cell| width(cell));
    (0..columns).map(|at| widest(at).max().unwrap_or(0)).collect()
}

fn shown(cell: &Cell) -> String {
    let text = plain(&cell.to_string());
    if text.is_empty() { "-".to_owned() } else { text }
}

/// Prints the rows below their headings, each column as wide as it has to be; what does not fit is cut on the right.
///
/// # Errors
/// `out` cannot be written.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    rows: Vec<[String; N]>,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let head = head.map(str::to_owned).to_vec();
    let lines: Vec<_> = [head].into_iter().chain(rows.into_iter().map(Vec::from)).collect();
    lay_out(&lines, &[false; N], Some(style.columns), out)
}

/// Brings columns under each other.
fn lay_out(
    lines: &[Vec<String>],
    is_right: &[bool],
    columns: Option<usize>,
    out: &mut impl Write,
) -> io::Result<()> {
    let widths = widths(lines);
    for line in lines {
        let cells = line.iter().zip(&widths).zip(is_right);
        let cells = cells.map(|((cell, width), is_right)| match is_right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        let line = cells.collect::<Vec<_>>().join(BETWEEN);
        writeln!(out, "{}", cut(line.trim_end(), columns.unwrap_or(usize::MAX)))?;
    }
    Ok(())
}
