//! Why something is as it is: the root cause first, then what it led to.

use ratatui::style::Style;
use ratatui::text::Line;
use raytree_types::inspect::{Missing, Story, StoryStep};

use super::{instead, paragraph};
use crate::model::Model;
use crate::panes::Answered;
use crate::text;

pub(super) fn lines(model: &Model, story: &Answered<Story>, width: u16) -> Vec<Line<'static>> {
    let Some(Ok(story)) = story else { return instead(model, story.as_ref(), width) };
    let mut lines = paragraph("", &format!("{}: {}", story.about, story.now), Style::new(), width);
    if story.steps.is_empty() && story.missing.is_empty() {
        lines.push(Line::styled("nothing is wrong with it", model.theme.good()));
    }
    lines.extend(unheard(model, &story.missing, width));
    if story.is_cycle {
        lines.push(Line::styled("a deadlock: these wait for each other", model.theme.bad()));
    }
    for (at, step) in story.steps.iter().enumerate() {
        lines.push(Line::default());
        let title = match at {
            0 if !story.is_cycle => "root cause",
            0 => "first",
            _ if story.is_cycle => "waits for",
            _ => "so",
        };
        let style = if at == 0 { model.theme.bad() } else { Style::new() };
        lines.extend(steps(model, title, step, style, width));
    }
    lines
}

/// Processes of which it is not known.
pub(super) fn unheard(model: &Model, missing: &[Missing], width: u16) -> Vec<Line<'static>> {
    let lines = missing.iter().flat_map(|Missing { path, why }| {
        let said = format!("{} is missing: {}", text::plain(path), text::plain(why));
        paragraph("", &said, model.theme.warning(), width)
    });
    lines.collect()
}

/// One step: who, what, how long ago, where.
pub(super) fn steps(
    model: &Model,
    title: &str,
    step: &StoryStep,
    style: Style,
    width: u16,
) -> Vec<Line<'static>> {
    let before = format!("{title:<11}");
    let age = step.age.map_or_else(String::new, |age| format!("  ({})", text::span(age)));
    let mut lines = paragraph(&before, &format!("{}{age}", step.who), model.theme.strong(), width);
    lines.extend(paragraph(&" ".repeat(11), &step.what, style, width));
    if let Some(place) = &step.place {
        lines.extend(paragraph(&" ".repeat(11), &format!("at {place}"), model.theme.dim(), width));
    }
    lines
}
