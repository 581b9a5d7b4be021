//! The state of a row as a glyph, a word and a colour.

use ratatui::style::Style;
use raytree_types::inspect::ActorState;

use crate::fold::is_stuck;
use crate::model::Model;
use crate::text;

/// Glyph and word, and how they are drawn.
pub(super) fn of(model: &Model, line: usize) -> (String, Style) {
    let theme = model.theme;
    let (own, row) = (&model.fold.lines()[line], model.fold.row(line));
    if own.is_gone() {
        return (format!("† {}", row.state), theme.dim());
    }
    let stale = row.process.as_ref().and_then(|process| process.stale);
    if let Some(age) = stale {
        return (format!("? {} old", text::brief(age)), theme.warning());
    }
    if own.is_stale {
        return (format!("? {}", row.state), theme.dim());
    }
    let style = Style::new();
    match row.state {
        ActorState::Running if own.down_below => ("◐ child down".to_owned(), theme.warning()),
        ActorState::Running if is_stuck(row) => {
            let busy = row.busy_for.unwrap_or_default();
            (format!("◍ busy {}", text::brief(busy)), theme.warning())
        }
        ActorState::Running => ("● running".to_owned(), theme.good()),
        ActorState::Starting => ("○ starting".to_owned(), style),
        ActorState::Pending => ("◇ pending".to_owned(), style),
        ActorState::Restarting => ("◌ restarting".to_owned(), theme.warning()),
        ActorState::Stopping => ("◑ stopping".to_owned(), style),
        ActorState::Stopped => ("□ stopped".to_owned(), style),
        ActorState::Failed => ("✗ failed".to_owned(), theme.bad()),
    }
}
