//! The screen: where everything stands, and one file for each pane.

mod columns;
mod detail;
mod events;
mod header;
mod help;
mod keyline;
mod kill;
mod logs;
mod state;
mod tree;
mod waits;
mod why;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect, Size};
use ratatui::style::Style;
use ratatui::symbols::merge::MergeStrategy;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget};

use crate::model::Model;
use crate::panes::Pane;
use crate::text;

/// From this width on the details stand beside the tree.
const BESIDE_FROM: u16 = 100;

/// From this width on what is asked for stands beside the tree, too; else it takes its place.
const HALVES_FROM: u16 = 140;

/// Where everything stands. Parts for which there is no room are empty.
#[derive(Clone, Copy, Debug, Default)]
struct Areas {
    header: Rect,
    tree: Rect,
    /// Details, or the pane that is open.
    side: Rect,
    keys: Rect,
}

fn areas(model: &Model) -> Areas {
    let Size { width, height } = model.size;
    let header = match height {
        0..5 => 0,
        5..12 => 1,
        _ => 3,
    };
    let keys = u16::from(height >= 3);
    let body = Rect::new(0, header, width, height - header - keys);
    let (tree, side) = split(body, model);
    Areas {
        header: Rect::new(0, 0, width, header),
        tree,
        side,
        keys: Rect::new(0, height - keys, width, keys),
    }
}

/// The tree and what stands beside it, or in its place. The two share the line between them.
fn split(body: Rect, model: &Model) -> (Rect, Rect) {
    let lies_beside = match &model.pane {
        None | Some(Pane::Help | Pane::Kill(_)) => {
            let width = (u32::from(body.width) * 32 / 100).clamp(32, 64) as u16;
            (body.width >= BESIDE_FROM && body.height >= 8).then_some(width)
        }
        Some(_) if body.width < HALVES_FROM => return (Rect::default(), body),
        Some(_) => Some(body.width / 2),
    };
    let Some(width) = lies_beside else { return (body, Rect::default()) };
    let at = body.width.saturating_sub(width);
    (Rect { width: at + 1, ..body }, Rect { x: body.x + at, width: body.width - at, ..body })
}

/// Whether the tree is on the screen, and nothing in its place.
pub(crate) fn shows_tree(model: &Model) -> bool {
    model.pane.is_none() || !areas(model).tree.is_empty()
}

/// Lines of the tree on the screen.
pub(crate) fn tree_lines(model: &Model) -> usize {
    let tree = areas(model).tree;
    usize::from(inside(tree).height.saturating_sub(tree::heading_lines(tree)))
}

/// Lines of the open pane on the screen.
pub(crate) fn pane_lines(model: &Model) -> usize {
    usize::from(inside(pane_area(model)).height)
}

/// How far the open pane can be scrolled.
pub(crate) fn longest_scroll(model: &Model) -> usize {
    let area = inside(pane_area(model));
    pane_text(model, area.width).1.len().saturating_sub(usize::from(area.height))
}

/// Whether there is room for the details of the selected row.
pub(crate) fn shows_detail(model: &Model) -> bool {
    match model.pane {
        Some(Pane::Detail | Pane::Kill(_)) => true,
        Some(Pane::Help) | None => !areas(model).side.is_empty(),
        Some(_) => false,
    }
}

/// A frame is drawn only where something fits into it.
fn inside(area: Rect) -> Rect {
    if is_framed(area) { area.inner(Margin::new(1, 1)) } else { area }
}

fn is_framed(area: Rect) -> bool {
    area.height >= 5 && area.width >= 10
}

fn pane_area(model: &Model) -> Rect {
    let areas = areas(model);
    let body = areas.tree.union(areas.side);
    match &model.pane {
        Some(Pane::Help) => centred(body, 84, help::lines(model, 80).len()),
        Some(Pane::Kill(kill)) => {
            let width = body.width.min(72).saturating_sub(2);
            centred(body, 72, kill::lines(model, kill, width).len())
        }
        _ => areas.side,
    }
}

/// A frame with room for so many lines in the middle of `body`, as far as it fits.
fn centred(body: Rect, width: u16, lines: usize) -> Rect {
    let height = u16::try_from(lines + 2).unwrap_or(u16::MAX).min(body.height);
    let width = width.min(body.width);
    Rect {
        x: body.x + (body.width - width) / 2,
        y: body.y + (body.height - height) / 2,
        width,
        height,
    }
}

/// The title and the lines of what is open.
fn pane_text(model: &Model, width: u16) -> (String, Vec<Line<'static>>) {
    match &model.pane {
        None | Some(Pane::Detail) => ("Detail".to_owned(), detail::lines(model, width)),
        Some(Pane::Help) => ("Help".to_owned(), help::lines(model, width)),
        Some(Pane::Why { path, story }) => {
            (format!("Why {}", text::plain(path)), why::lines(model, story, width))
        }
        Some(Pane::Events { selected }) => {
            ("Events (newest first, UTC)".to_owned(), events::lines(model, *selected, width))
        }
        Some(Pane::Waits { stories }) => {
            ("Who waits for whom".to_owned(), waits::lines(model, stories, width))
        }
        Some(Pane::Logs { path, lines }) => {
            let title = format!("Log of {} (newest first)", text::plain(path));
            (title, logs::lines(model, lines, width))
        }
        Some(Pane::Kill(kill)) => ("Kill?".to_owned(), kill::lines(model, kill, width)),
    }
}

/// Draws everything.
pub(crate) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let areas = areas(model);
    let buffer = frame.buffer_mut();
    header::draw(model, areas.header, buffer);
    tree::draw(model, areas.tree, buffer);
    match &model.pane {
        None | Some(Pane::Help | Pane::Kill(_)) if areas.side.is_empty() => {}
        None | Some(Pane::Help | Pane::Kill(_)) => {
            let lines = detail::lines(model, inside(areas.side).width);
            framed("Detail", &lines, 0, areas.side, model, buffer);
        }
        Some(_) => {}
    }
    if let Some(pane) = &model.pane {
        let area = pane_area(model);
        let (title, lines) = pane_text(model, inside(area).width);
        if matches!(pane, Pane::Help | Pane::Kill(_)) {
            Clear.render(area, buffer);
        }
        let scroll = match pane {
            Pane::Events { selected } => {
                events::scroll(model, *selected, lines.len(), usize::from(inside(area).height))
            }
            _ => model.scroll.min(lines.len().saturating_sub(usize::from(inside(area).height))),
        };
        framed(&title, &lines, scroll, area, model, buffer);
    }
    keyline::draw(model, areas.keys, buffer);
}

/// Lines in a frame with a title, from line `scroll` on.
fn framed(
    title: &str,
    lines: &[Line<'static>],
    scroll: usize,
    area: Rect,
    model: &Model,
    buffer: &mut Buffer,
) {
    let inner = inside(area);
    if is_framed(area) {
        let title = text::cut(title, usize::from(inner.width.saturating_sub(2)));
        let mut block = frame_block(&title, model);
        let (from, to) = (scroll, (scroll + usize::from(inner.height)).min(lines.len()));
        if lines.len() > usize::from(inner.height) {
            let place = format!(" {}-{to}/{} ", from + 1, lines.len());
            block = block.title_bottom(Line::from(place).right_aligned());
        }
        block.render(area, buffer);
    }
    for (line, y) in lines.iter().skip(scroll).zip(inner.y..inner.bottom()) {
        buffer.set_line(inner.x, y, line, inner.width);
    }
}

fn frame_block<'a>(title: &str, model: &Model) -> Block<'a> {
    Block::bordered()
        .border_style(model.theme.dim())
        .merge_borders(MergeStrategy::Exact)
        .title(Span::styled(format!(" {title} "), model.theme.strong()))
}

/// A text in lines of this width, the later ones indented like what stands before the first.
fn paragraph(before: &str, said: &str, style: Style, width: u16) -> Vec<Line<'static>> {
    let indent = text::width(before);
    let room = usize::from(width).saturating_sub(indent).max(8);
    let wrapped = text::wrap(&text::plain(said), room);
    let lines = wrapped.into_iter().enumerate().map(|(at, line)| {
        let before = if at == 0 { before.to_owned() } else { " ".repeat(indent) };
        Line::from(vec![Span::raw(before), Span::styled(line, style)])
    });
    lines.collect()
}

/// What stands in a pane until there is an answer, or instead of one.
fn instead<T>(model: &Model, answer: Option<&Result<T, String>>, width: u16) -> Vec<Line<'static>> {
    match answer {
        Some(Err(why)) => paragraph("✗ ", why, model.theme.bad(), width),
        _ => vec![Line::styled("asking …", model.theme.dim())],
    }
}
