//! Who waits for whom, circles first: those never end by themselves.

use ratatui::style::Style;
use ratatui::text::Line;
use raytree_types::inspect::Story;

use super::why::steps;
use super::{instead, paragraph};
use crate::model::Model;
use crate::panes::Answered;
use crate::text;

pub(super) fn lines(
    model: &Model,
    stories: &Answered<Vec<Story>>,
    width: u16,
) -> Vec<Line<'static>> {
    let Some(Ok(stories)) = stories else { return instead(model, stories.as_ref(), width) };
    let circles = stories.iter().filter(|story| story.is_cycle);
    let deadlocks = circles.clone().count() as u64;
    let theme = model.theme;
    let mut lines = vec![match (stories.len(), deadlocks) {
        (0, _) => Line::styled("nobody waits for anybody", theme.good()),
        (all, 0) => Line::styled(format!("{}, no deadlock", waits(all)), theme.good()),
        (all, some) => {
            Line::styled(format!("{}, {}", waits(all), text::many(some, "deadlock")), theme.bad())
        }
    }];
    for story in circles.chain(stories.iter().filter(|story| !story.is_cycle)) {
        lines.push(Line::default());
        lines.extend(one(model, story, width));
    }
    lines
}

fn waits(count: usize) -> String {
    text::many(count as u64, "wait")
}

fn one(model: &Model, story: &Story, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let mut lines = if story.is_cycle {
        // The first one closes the circle.
        let names =
            story.steps.iter().chain(story.steps.first()).map(|step| text::plain(&step.who));
        let circle = names.collect::<Vec<_>>().join(" → ");
        paragraph("DEADLOCK   ", &circle, theme.bad(), width)
    } else {
        paragraph("", &format!("{}: {}", story.about, story.now), theme.strong(), width)
    };
    for (at, step) in story.steps.iter().enumerate() {
        let title = if at == 0 { "" } else { "waits for" };
        let title = if story.is_cycle { "" } else { title };
        lines.extend(steps(model, title, step, Style::new(), width));
    }
    lines
}
