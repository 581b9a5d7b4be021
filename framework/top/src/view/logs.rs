//! The last lines that a row has written.

use ratatui::text::Line;

use super::instead;
use crate::model::Model;
use crate::panes::Answered;
use crate::text;

pub(super) fn lines(
    model: &Model,
    written: &Answered<Vec<String>>,
    width: u16,
) -> Vec<Line<'static>> {
    match written {
        Some(Ok(written)) if written.is_empty() => {
            vec![Line::styled("it has written nothing", model.theme.dim())]
        }
        Some(Ok(written)) => {
            // The newest first, as in the supervision log.
            let newest = written.iter().rev();
            let lines =
                newest.flat_map(|line| text::wrap(&text::harmless(line), usize::from(width)));
            lines.map(Line::raw).collect()
        }
        other => instead(model, other.as_ref(), width),
    }
}
