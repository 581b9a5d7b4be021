//! The supervision log, the newest first: one line each, and the whole of the selected one.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use raytree_types::inspect::{Event, EventKind};

use super::paragraph;
use crate::model::{EventId, Model};
use crate::text;

pub(super) fn lines(model: &Model, selected: Option<EventId>, width: u16) -> Vec<Line<'static>> {
    if model.events.is_empty() {
        return vec![Line::styled("nothing has happened yet", model.theme.dim())];
    }
    let chosen = place_of(model, selected);
    let mut lines = Vec::with_capacity(model.events.len() + 8);
    for (at, event) in model.events.values().rev().enumerate() {
        let mut line = one(model, event, width);
        if at != chosen {
            lines.push(line);
            continue;
        }
        if let Some(time) = line.spans.first_mut() {
            time.content = format!("»{}", time.content.trim_start()).into();
        }
        lines.push(line.style(Style::new().add_modifier(Modifier::BOLD)));
        lines.extend(whole(model, event, width));
    }
    lines
}

/// So that the selected one and what is said of it are seen.
pub(super) fn scroll(
    model: &Model,
    selected: Option<EventId>,
    lines: usize,
    height: usize,
) -> usize {
    let whole = (lines.saturating_sub(model.events.len())).min(height.saturating_sub(1));
    let last = place_of(model, selected) + whole;
    (last + 1).saturating_sub(height).min(lines.saturating_sub(height))
}

fn place_of(model: &Model, selected: Option<EventId>) -> usize {
    selected.map_or(0, |id| model.events.range(id..).skip(1).count())
}

fn style(model: &Model, kind: EventKind) -> Style {
    match kind {
        EventKind::Failed | EventKind::GaveUp => model.theme.bad(),
        EventKind::Restart | EventKind::Warning => model.theme.warning(),
        EventKind::Up => model.theme.good(),
        EventKind::Ended => Style::new(),
    }
}

fn one(model: &Model, event: &Event, width: u16) -> Line<'static> {
    let room = usize::from(width).saturating_sub(1 + 9 + 9);
    let path = text::path(&event.path, (room / 2).max(8));
    let what = text::cut(&text::plain(&event.what), room.saturating_sub(text::width(&path) + 2));
    Line::from(vec![
        Span::styled(format!(" {} ", text::time_of_day(event.at)), model.theme.dim()),
        Span::styled(format!("{:<8} ", event.kind), style(model, event.kind)),
        Span::raw(path),
        Span::raw(format!("  {what}")),
    ])
}

fn whole(model: &Model, event: &Event, width: u16) -> Vec<Line<'static>> {
    let indent = "           ";
    let ago = text::span(model.unix_now().saturating_sub(event.at));
    let at = format!("{} UTC, {ago} ago, in process {}", text::exact_time(event.at), event.pid);
    let mut lines = paragraph(indent, &event.path, Style::new(), width);
    lines.extend(paragraph(indent, &event.what, style(model, event.kind), width));
    if let Some(cause) = event.cause.as_ref().filter(|cause| !event.what.contains(&cause.message)) {
        lines.extend(paragraph(indent, &format!("cause: {cause}"), Style::new(), width));
    }
    lines.extend(paragraph(indent, &at, model.theme.dim(), width));
    lines
}
