//! Is this one to be killed? What is lost with it stands above the answer.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::paragraph;
use crate::model::Model;
use crate::panes::Kill;

pub(super) fn lines(model: &Model, kill: &Kill, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let mut lines = paragraph("Kill ", &kill.path, theme.bad(), width);
    lines.push(Line::default());
    lines.push(Line::raw("This will be lost:"));
    for loss in &kill.losses {
        lines.extend(paragraph("  - ", loss, Style::new(), width));
    }
    lines.push(Line::default());
    lines.extend(paragraph(
        "Then: ",
        "it is ended for good: nobody starts it again",
        Style::new(),
        width,
    ));
    lines.push(Line::default());
    lines.push(Line::from(vec![
        Span::raw("Type "),
        Span::styled("y", theme.key()),
        Span::raw(" to kill it, "),
        Span::styled("n", theme.key()),
        Span::raw(" or "),
        Span::styled("Esc", theme.key()),
        Span::raw(" to leave it."),
    ]));
    lines
}
