//! One row as its columns.

use raytree_types::inspect::{ActorState, TreeRow};

use super::fold::{Fold, LEVELS};
use crate::text::{cut, grouped, plain, width};

/// The columns.
pub(super) const HEADINGS: [&str; 9] =
    ["NAME", "HOST", "STRATEGY", "STATE", "QUEUE", "HANDLED", "RST", "PID", "LAST CAUSE"];

/// Where some of them stand.
pub(super) const HOST: usize = 1;
pub(super) const STRATEGY: usize = 2;
pub(super) const PID: usize = 7;
pub(super) const CAUSE: usize = 8;

/// Those that hold numbers.
pub(super) const NUMBERS: std::ops::Range<usize> = 4..8;

/// ANSI codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
    Yellow = 33,
}

/// One cell, not yet cut or filled.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) colour: Option<Colour>,
}

pub(super) fn of(fold: &Fold<'_>, name_columns: usize, lines: bool) -> [Cell; HEADINGS.len()] {
    let row = fold.row;
    let bare = |text: String| Cell { text, colour: None };
    let or_nothing = |text: Option<&str>| match text.map(plain).filter(|text| !text.is_empty()) {
        Some(text) => text,
        None if lines => String::new(),
        None => "-".to_owned(),
    };
    let pid = row.process.as_ref().map(|process| process.pid.to_string());
    let restarts = Cell { text: grouped(u64::from(row.restarts)), colour: warn(row.restarts > 0) };
    [
        bare(name(fold, name_columns, lines)),
        bare(or_nothing(row.host.as_deref())),
        bare(or_nothing(row.strategy.as_deref())),
        state(row.state, fold.down_below, lines),
        queue(row),
        bare(grouped(row.handled)),
        restarts,
        bare(or_nothing(pid.as_deref())),
        said(row, or_nothing(row.last_cause.as_deref())),
    ]
}

/// Lines or spaces, the name, and how many rows were left out below it. The number stays when the name is cut.
fn name(fold: &Fold<'_>, columns: usize, lines: bool) -> String {
    let hidden = match fold.row.hidden {
        0 => String::new(),
        hidden => format!(" +{}", grouped(hidden)),
    };
    let room = columns.saturating_sub(width(&hidden));
    let name = plain(&fold.row.name);
    // All its levels where they fit; else half of the room, so that something of the name is seen.
    let step = if lines { 3 } else { 2 };
    let levels = room.saturating_sub(width(&name)).max(room / 2) / step;
    let levels = u32::try_from(levels).unwrap_or(LEVELS).clamp(1, LEVELS);
    format!("{}{hidden}", cut(&format!("{}{name}", indent(fold, levels, lines)), room))
}

/// Of a row deeper than `levels` only the nearest of them are drawn, after a `…`.
fn indent(fold: &Fold<'_>, levels: u32, lines: bool) -> String {
    let depth = fold.row.depth;
    let mut text = if depth > levels { "…".to_owned() } else { String::new() };
    if !lines {
        text.push_str(&"  ".repeat(depth.min(levels) as usize));
        return text;
    }
    // The level of the top rows has no lines of its own.
    for above in (1..depth.min(levels)).rev() {
        let follows = fold.open >> (above - 1) & 1 == 1;
        text.push_str(if follows { "│  " } else { "   " });
    }
    match (depth, fold.is_last) {
        (0, _) => {}
        (_, true) => text.push_str("└─ "),
        (_, false) => text.push_str("├─ "),
    }
    text
}

fn state(state: ActorState, down_below: bool, lines: bool) -> Cell {
    let (glyph, colour) = match state {
        ActorState::Running if down_below => {
            let text = if lines { "◐ child down" } else { "◐ child-down" };
            return Cell { text: text.to_owned(), colour: Some(Colour::Yellow) };
        }
        ActorState::Running => ('●', Some(Colour::Green)),
        ActorState::Starting => ('○', None),
        ActorState::Pending => ('◇', None),
        ActorState::Restarting => ('◌', Some(Colour::Yellow)),
        ActorState::Stopping => ('◑', None),
        ActorState::Stopped => ('□', None),
        ActorState::Failed => ('✗', Some(Colour::Red)),
    };
    Cell { text: format!("{glyph} {state}"), colour }
}

/// What is to be said of it now comes before how it ended last.
fn said(row: &TreeRow, cause: String) -> Cell {
    let Some(remark) = &row.remark else { return Cell { text: cause, colour: None } };
    let cause = row.last_cause.as_ref().map_or(String::new(), |_| format!("; {cause}"));
    Cell { text: format!("{}{cause}", plain(remark)), colour: Some(Colour::Yellow) }
}

/// Yellow at half of its bound, red at 85 %.
fn queue(row: &TreeRow) -> Cell {
    let share = row.queued as f64 / row.queue_limit.max(1) as f64;
    let colour = if share >= 0.85 { Some(Colour::Red) } else { warn(share >= 0.5) };
    Cell { text: grouped(row.queued), colour }
}

fn warn(when: bool) -> Option<Colour> {
    when.then_some(Colour::Yellow)
}
