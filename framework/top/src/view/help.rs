//! The keys, and how to read the tree.

use ratatui::text::{Line, Span};

use super::paragraph;
use crate::keys::HELP;
use crate::model::Model;

/// What the glyphs and columns say.
const READING: [(&str, &str); 8] = [
    ("● ○ ◇ ◑ □", "running, starting, waits for resources, stopping, stopped"),
    ("✗ ◌ ◐", "failed, waits for its next life, runs and something below it does not"),
    (
        "◍ ? †",
        "10 s or longer with one message, its process does not answer, gone 10 s ago at most",
    ),
    ("QUEUE", "waiting messages; ! from half of the bound on, ‼ from 85 % on"),
    ("BUSY%", "share of the time since the last look in which it handled messages"),
    ("RST", "restarts over its whole existence"),
    ("CPU% RSS", "processor time and memory of a process, in the row that begins it"),
    ("▸ +n", "rows folded away; what failed or restarts is shown nevertheless"),
];

pub(super) fn lines(model: &Model, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let sections = HELP.iter().map(|(title, keys)| (*title, *keys));
    let mut lines = Vec::new();
    for (title, entries) in sections.chain([("Read", &READING[..])]) {
        lines.push(Line::from(Span::styled(title, theme.strong())));
        for (key, what) in entries {
            for mut line in paragraph(&format!("  {key:<10} "), what, theme.dim(), width) {
                if let Some(first) = line.spans.first_mut() {
                    first.style = theme.key();
                }
                lines.push(line);
            }
        }
    }
    lines
}
