//! The last line: the keys, what is typed, or what was done.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::Model;
use crate::panes::Pane;
use crate::text;

/// Keys of the tree; the last ones are left out where there is no room, but never how to get help.
const TREE: [(&str, &str); 11] = [
    ("?", "help"),
    ("q", "quit"),
    ("jk", "move"),
    ("hl", "fold"),
    ("/", "filter"),
    ("o", "sort"),
    ("x", "why"),
    ("e", "events"),
    ("w", "waits"),
    ("f", "trouble"),
    ("p", "freeze"),
];

pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let theme = model.theme;
    let width = usize::from(area.width);
    let line = if model.typing {
        let typed = text::cut_front(&text::plain(&model.filter), width.saturating_sub(30).max(1));
        Line::from(vec![
            Span::styled(" /", theme.key()),
            Span::raw(typed),
            Span::styled("▏", theme.key()),
            Span::styled("  Enter: keep  Esc: drop", theme.dim()),
        ])
    } else if let Some((said, until)) = &model.notice
        && model.now < *until
    {
        Line::styled(format!(" {said}"), theme.strong())
    } else {
        keys(model, keys_of(model), width)
    };
    buffer.set_line(area.x, area.y, &line, area.width);
}

fn keys_of(model: &Model) -> &'static [(&'static str, &'static str)] {
    match &model.pane {
        None => &TREE,
        Some(Pane::Kill(_)) => &[("y", "kill it"), ("n", "leave it"), ("Esc", "leave it")],
        Some(Pane::Events { .. }) => {
            &[("Esc", "close"), ("jk", "move"), ("Enter", "go to its row"), ("q", "close")]
        }
        Some(_) => &[("Esc", "close"), ("jk", "scroll"), ("q", "close"), ("Ctrl-C", "quit")],
    }
}

fn keys(model: &Model, keys: &[(&'static str, &'static str)], width: usize) -> Line<'static> {
    let mut line = Line::default();
    for (key, what) in keys {
        if line.width() + 3 + text::width(key) + text::width(what) > width {
            break;
        }
        line.push_span(Span::raw(if line.spans.is_empty() { " " } else { "  " }));
        line.push_span(Span::styled(*key, model.theme.key()));
        line.push_span(Span::styled(format!(" {what}"), model.theme.dim()));
    }
    line
}
