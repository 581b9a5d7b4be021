//! Who waits for whom, circles first: those never end by themselves.

use ratatui::style::Style;
use ratatui::text::Line;
use raytree_types::inspect::{Story, Waits};

use super::why::{steps, unheard};
use super::{instead, paragraph};
use crate::model::Model;
use crate::panes::Answered;
use crate::text;

pub(super) fn lines(model: &Model, waits: &Answered<Waits>, width: u16) -> Vec<Line<'static>> {
    let Some(Ok(Waits { stories, missing })) = waits else {
        return instead(model, waits.as_ref(), width);
    };
    let circles = stories.iter().filter(|story| story.is_cycle);
    let deadlocks = circles.clone().count() as u64;
    let theme = model.theme;
    let well = if missing.is_empty() { theme.good() } else { theme.warning() };
    let mut lines = vec![match (stories.len(), deadlocks) {
        (0, _) if !missing.is_empty() => Line::styled("of those who answer nobody waits", well),
        (0, _) => Line::styled("nobody waits for anybody", well),
        (all, 0) => Line::styled(format!("{}, no deadlock", many(all)), well),
        (all, some) => {
            Line::styled(format!("{}, {}", many(all), text::many(some, "deadlock")), theme.bad())
        }
    }];
    lines.extend(unheard(model, missing, width));
    for story in circles.chain(stories.iter().filter(|story| !story.is_cycle)) {
        lines.push(Line::default());
        lines.extend(one(model, story, width));
    }
    lines
}

fn many(count: usize) -> String {
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
