//! From an answer to lines of text. Pure: the same rows give the same lines.
//!
//! `fold` reads what the flat rows say of each other (who is the last child, below whom something is down), `cells`
//! turns one row into its columns, and here the columns are brought under each other.

mod cells;
mod fold;

use std::io::{self, Write};

use raytree_types::inspect::{Answer, Reply, Role, TreeRows};

use crate::text::{cut, grouped, plain, uptime, width};
use cells::{CAUSE, Cell, Colour, HEADINGS, HOST, NUMBERS, PID, STRATEGY};

/// Columns that names and causes get where they need them; rather than that, others are not shown.
const NAME_COLUMNS: usize = 40;
const CAUSE_COLUMNS: usize = 16;
/// Where causes would get less than this, they get the columns of the strategies too.
const CAUSE_COLUMNS_WISHED: usize = 20;
/// What keeps columns apart.
const BETWEEN: &str = "  ";

/// How it is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Longer names and causes are cut.
    pub columns: usize,
    /// Lines that join parents and children; else plain indentation, and `-` where there is nothing.
    pub lines: bool,
    /// ANSI colours.
    pub colour: bool,
}

/// Writes one process: who it is, then its tree. `nothing` is said of a tree without rows.
///
/// # Errors
/// `out` cannot be written.
pub fn write(reply: &Reply, nothing: &str, style: Style, out: &mut impl Write) -> io::Result<()> {
    let who = match &reply.role {
        Role::Program => format!("{} {}", plain(&reply.program), reply.runtime),
        Role::Head | Role::Node { .. } | Role::Part { .. } => plain(&reply.role.to_string()),
    };
    let head = format!("raytree pid {} {who} up {}", reply.pid, uptime(reply.uptime));
    writeln!(out, "{}", painted(&cut(&head, style.columns), Some(Colour::Bold), style))?;
    let Answer::Tree(TreeRows { rows, more, .. }) = &reply.answer else { return Ok(()) };
    if rows.is_empty() && *more == 0 {
        return writeln!(out, "{nothing}");
    }
    let folds = fold::fold(rows);
    let widths = widths(&folds, style);
    let headings = HEADINGS.map(|name| Cell { text: name.to_owned(), colour: Some(Colour::Dim) });
    line(&headings, &widths, style, out)?;
    for fold in &folds {
        line(&cells::of(fold, widths[0], style.lines), &widths, style, out)?;
    }
    if *more > 0 {
        writeln!(out, "… and {} more", grouped(*more))?;
    }
    Ok(())
}

/// Columns of each cell; one without any is not shown.
type Widths = [usize; HEADINGS.len()];

/// Columns of each cell, so that names and causes share what the others leave.
fn widths(folds: &[fold::Fold<'_>], style: Style) -> Widths {
    let mut widths = HEADINGS.map(width);
    for fold in folds {
        for (at, cell) in cells::of(fold, style.columns, style.lines).iter().enumerate() {
            widths[at] = widths[at].max(width(&cell.text));
        }
    }
    // Whoever reads a pipe counts on every column; a person has no use for empty ones.
    let has_host = folds.iter().any(|fold| fold.row.host.is_some());
    let processes = folds.iter().filter(|fold| fold.row.process.is_some()).count();
    for (at, is_said) in [(HOST, has_host), (PID, processes > 1)] {
        if style.lines && !is_said {
            widths[at] = 0;
        }
    }
    let (name, cause) = (widths[0].min(NAME_COLUMNS), widths[CAUSE]);
    let takes = |widths: &Widths, causes: usize| {
        let causes = if widths[CAUSE] > 0 { BETWEEN.len() + cause.min(causes) } else { 0 };
        name + others(widths) + causes
    };
    let fits = |widths: &Widths| takes(widths, CAUSE_COLUMNS) <= style.columns;
    // Why something failed is worth more than what its supervisor does about it.
    let mut without_strategies = widths;
    without_strategies[STRATEGY] = 0;
    let is_said =
        |fold: &fold::Fold<'_>| fold.row.last_cause.is_some() || fold.row.remark.is_some();
    let any_cause = folds.iter().any(is_said);
    let is_tight = takes(&widths, CAUSE_COLUMNS_WISHED) > style.columns;
    if any_cause && is_tight && fits(&without_strategies) {
        widths = without_strategies;
    }
    // A narrow screen loses the columns on the right.
    for at in (1..widths.len()).rev() {
        if !fits(&widths) {
            widths[at] = 0;
        }
    }
    let free = style.columns.saturating_sub(others(&widths));
    let has_room = takes(&widths, CAUSE_COLUMNS_WISHED) <= style.columns;
    let least = if has_room { CAUSE_COLUMNS_WISHED } else { CAUSE_COLUMNS };
    let causes = takes(&widths, least) - name - others(&widths);
    widths[0] = widths[0].min(free.saturating_sub(causes));
    if widths[CAUSE] > 0 {
        widths[CAUSE] = free.saturating_sub(widths[0] + BETWEEN.len());
    }
    widths
}

/// Columns of what stands between names and causes.
fn others(widths: &Widths) -> usize {
    let shown = widths[1..CAUSE].iter().filter(|columns| **columns > 0);
    shown.map(|columns| BETWEEN.len() + columns).sum()
}

fn line(
    cells: &[Cell; HEADINGS.len()],
    widths: &Widths,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut line = String::new();
    for (at, (cell, columns)) in cells.iter().zip(widths).enumerate() {
        if *columns == 0 {
            continue;
        }
        let text = cut(&cell.text, *columns);
        let pad = " ".repeat(columns.saturating_sub(width(&text)));
        let text = painted(&text, cell.colour, style);
        let between = if at == 0 { "" } else { BETWEEN };
        line += &match NUMBERS.contains(&at) {
            true => format!("{between}{pad}{text}"),
            false => format!("{between}{text}{pad}"),
        };
    }
    writeln!(out, "{}", line.trim_end())
}

fn painted(text: &str, colour: Option<Colour>, style: Style) -> String {
    match colour {
        Some(colour) if style.colour && !text.is_empty() => {
            format!("\x1b[{}m{text}\x1b[0m", colour as u8)
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
