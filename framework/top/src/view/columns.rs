//! The columns of the tree: which of them fit, and what stands in them.

use std::borrow::Cow;

use ratatui::style::Style;

use crate::model::Model;
use crate::{text, view};

/// A column besides the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Strategy,
    State,
    Queue,
    Busy,
    Rate,
    Restarts,
    Cpu,
    Memory,
    Threads,
    Cause,
}

/// All of them in their order, each with its heading and width; those of numbers are right-aligned.
const ALL: [(Column, &str, u16); 9] = [
    (Column::Strategy, "STRATEGY", 12),
    (Column::State, "STATE", 12),
    (Column::Queue, "QUEUE", 6),
    (Column::Busy, "BUSY%", 5),
    (Column::Rate, "MSG/s", 6),
    (Column::Restarts, "RST", 4),
    (Column::Cpu, "CPU%", 5),
    (Column::Memory, "RSS", 8),
    (Column::Threads, "THR", 4),
];

/// Those that are left out where there is no room, the first ones first: what the other columns say with fewer words, what
/// does not change, and what is said of processes alone.
const LEFT_OUT: [Column; 9] = [
    Column::Threads,
    Column::Memory,
    Column::Cpu,
    Column::Busy,
    Column::Strategy,
    Column::Rate,
    Column::Restarts,
    Column::Queue,
    Column::State,
];

/// Before a column is left out, names have the room that the longest one wants, within these bounds.
const NAME: std::ops::RangeInclusive<u16> = 20..=26;

/// As wide as this names are where there is plenty of room.
const NAME_MOST: u16 = 42;

/// The last cause is worth showing from this width on.
const CAUSE_FROM: u16 = 16;

/// Columns that fit into a width.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// The width of the name.
    pub(super) name: u16,
    /// The others: heading and width.
    pub(super) others: Vec<(Column, &'static str, u16)>,
}

impl Columns {
    /// Those that fit into a width, and in any case the `wanted` one.
    pub(super) fn fit(width: u16, longest_name: usize, wanted: Option<Column>) -> Self {
        let longest_name = u16::try_from(longest_name).unwrap_or(u16::MAX);
        let name = longest_name.clamp(*NAME.start(), *NAME.end());
        let mut kept: Vec<Column> = ALL.iter().map(|(column, ..)| *column).collect();
        let taken = |kept: &[Column]| -> u16 {
            let own = ALL.iter().filter(|(column, ..)| kept.contains(column));
            own.map(|(_, _, width)| width + 1).sum()
        };
        let mut left_out = Vec::new();
        for column in LEFT_OUT {
            if taken(&kept) + name > width && wanted != Some(column) {
                kept.retain(|other| *other != column);
                left_out.push(column);
            }
        }
        // What a wide one has left may be enough for narrower ones; those of processes have their place beside the name.
        while let Some(column) = left_out.pop() {
            kept.push(column);
            if column.is_of_processes() || taken(&kept) + name > width {
                kept.pop();
            }
        }
        let mut others: Vec<_> =
            ALL.into_iter().filter(|(column, ..)| kept.contains(column)).collect();
        let room = width.saturating_sub(taken(&kept));
        let rest = room.saturating_sub(NAME_MOST + 1);
        if rest < CAUSE_FROM {
            return Self { name: room, others };
        }
        others.push((Column::Cause, "LAST CAUSE", rest));
        Self { name: NAME_MOST, others }
    }

    pub(super) fn has(&self, column: Column) -> bool {
        self.others.iter().any(|(own, ..)| *own == column)
    }
}

impl Column {
    /// Numbers stand at the right of their column.
    pub(super) fn is_number(self) -> bool {
        !matches!(self, Self::Strategy | Self::State | Self::Cause)
    }

    fn is_of_processes(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory | Self::Threads)
    }

    /// What stands in it.
    pub(super) fn text(self, model: &Model, line: usize) -> (Cow<'_, str>, Style) {
        let (own, row) = (&model.fold.lines()[line], model.fold.row(line));
        let theme = model.theme;
        let process = row.process.as_deref();
        let unknown = || Cow::Borrowed("–");
        let plain = Style::new();
        match self {
            Self::Strategy => (row.strategy.as_deref().unwrap_or_default().into(), plain),
            Self::State => {
                let (text, style) = view::state::of(model, line);
                (text.into(), style)
            }
            Self::Queue => queue(model, line),
            Self::Busy => {
                let busy = own.rates.map(|rates| text::percent(rates.busy).into());
                quiet(model, busy.unwrap_or_else(unknown))
            }
            Self::Rate => {
                let rate = own.rates.map(|rates| text::rate(rates.messages).into());
                quiet(model, rate.unwrap_or_else(unknown))
            }
            Self::Restarts => {
                let style = if row.restarts > 0 { theme.warning() } else { theme.dim() };
                let text = match row.restarts {
                    many @ 10_000.. => format!("{}k", (many / 1000).min(999)),
                    few => few.to_string(),
                };
                (text.into(), style)
            }
            Self::Cpu => {
                let cpu = own.rates.and_then(|rates| rates.cpu);
                let text = cpu.map_or_else(unknown, |cpu| text::percent(cpu).into());
                (if process.is_some() { text } else { "".into() }, plain)
            }
            Self::Memory => {
                (process.map_or_else(String::new, |own| text::bytes(own.memory)).into(), plain)
            }
            Self::Threads => {
                (process.map_or_else(String::new, |own| own.threads.to_string()).into(), plain)
            }
            Self::Cause => cause(model, line),
        }
    }
}

/// A number that draws no attention where it is nothing.
fn quiet<'a>(model: &Model, number: Cow<'a, str>) -> (Cow<'a, str>, Style) {
    let style = if matches!(&*number, "0" | "–") { model.theme.dim() } else { Style::new() };
    (number, style)
}

/// From half of its bound on with `!`, from 85 % on with `‼`.
fn queue(model: &Model, line: usize) -> (Cow<'_, str>, Style) {
    let row = model.fold.row(line);
    let number = match row.queued {
        few @ 0..10_000 => text::grouped(few),
        many => text::short(many / 1000 * 1000).replace(",000", "k"),
    };
    let (mark, style) = match fullness(row.queued, row.queue_limit) {
        share if share >= 0.85 => ("‼", model.theme.bad()),
        share if share >= 0.5 => ("!", model.theme.warning()),
        _ => ("", Style::new()),
    };
    let style = if row.queued == 0 { model.theme.dim() } else { style };
    (format!("{number}{mark}").into(), style)
}

/// The share of its bound that a queue has.
pub(super) fn fullness(queued: u64, limit: u64) -> f64 {
    if limit == 0 { 0.0 } else { queued as f64 / limit as f64 }
}

/// What is to be said of it now comes before how it ended last.
fn cause(model: &Model, line: usize) -> (Cow<'_, str>, Style) {
    let row = model.fold.row(line);
    match (&row.remark, &row.last_cause) {
        (Some(remark), _) => (text::plain(remark).into(), model.theme.warning()),
        (None, Some(cause)) => (text::plain(cause).into(), Style::new()),
        (None, None) => ("".into(), Style::new()),
    }
}
