//! From an answer to lines of text. Pure: the same rows give the same lines.
//!
//! `fold` reads what the flat rows say of each other (who is the last child, below whom something is down), `cells`
//! turns one row into its columns, and here the columns are brought under each other.

mod cells;
mod fold;
mod text;

use std::io::{self, Write};

use raytree_types::inspect::{Answer, Reply, TreeRows};

use cells::{Cell, Colour, HEADINGS, NUMBERS};
use text::{cut, grouped, plain, uptime, width};

/// Columns that names and causes get where they need them; rather than that, others are not shown.
const NAME_COLUMNS: usize = 40;
const CAUSE_COLUMNS: usize = 16;

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

/// Writes one runtime: who it is, then its tree. `nothing` is said of a tree without rows.
///
/// # Errors
/// `out` cannot be written.
pub fn write(reply: &Reply, nothing: &str, style: Style, out: &mut impl Write) -> io::Result<()> {
    let head = format!(
        "raytree pid {} {} {} up {}",
        reply.pid,
        plain(&reply.program),
        reply.runtime,
        uptime(reply.uptime)
    );
    writeln!(out, "{}", painted(&cut(&head, style.columns), Some(Colour::Bold), style))?;
    let Answer::Tree(TreeRows { rows, more }) = &reply.answer else { return Ok(()) };
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

/// Columns of each cell, so that names and causes share what the others leave.
fn widths(folds: &[fold::Fold<'_>], style: Style) -> [usize; HEADINGS.len()] {
    let mut widths = HEADINGS.map(width);
    for fold in folds {
        for (at, cell) in cells::of(fold, style.columns, style.lines).iter().enumerate() {
            widths[at] = widths[at].max(width(&cell.text));
        }
    }
    let causes = HEADINGS.len() - 1;
    let name = widths[0].min(NAME_COLUMNS);
    // A narrow screen loses the columns on the right.
    for shown in (1..=HEADINGS.len()).rev() {
        let fixed = widths[1..shown.min(causes)].iter().sum::<usize>() + 2 * (shown - 1);
        let cause = if shown > causes { widths[causes].min(CAUSE_COLUMNS) } else { 0 };
        if shown == 1 || fixed + name + cause <= style.columns {
            let free = style.columns.saturating_sub(fixed);
            widths[0] = widths[0].min(free - cause.min(free));
            widths[causes] = free.saturating_sub(widths[0]);
            widths[shown..].fill(0);
            break;
        }
    }
    widths
}

fn line(
    cells: &[Cell; HEADINGS.len()],
    widths: &[usize; HEADINGS.len()],
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut line = String::new();
    for (at, (cell, columns)) in cells.iter().zip(widths).enumerate() {
        if *columns == 0 {
            break;
        }
        let text = cut(&cell.text, *columns);
        let pad = " ".repeat(columns.saturating_sub(width(&text)));
        let text = painted(&text, cell.colour, style);
        let between = if at == 0 { "" } else { "  " };
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
