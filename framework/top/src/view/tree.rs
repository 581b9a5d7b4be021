//! The tree: only the rows on the screen are laid out.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::columns::{Column, Columns};
use super::{frame_block, inside, is_framed};
use crate::list::{LEVELS, Order, Shown};
use crate::model::Model;
use crate::text;

/// Of a name that stands deep in the tree so much is seen.
const NAME_LEAST: usize = 12;

/// The line with the headings, where there is room for it.
pub(super) fn heading_lines(area: Rect) -> u16 {
    u16::from(is_framed(area))
}

pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let inner = inside(area);
    if is_framed(area) {
        let title = match model.list.order() {
            Order::Tree => "Tree".to_owned(),
            order => format!("By {}", order.name()),
        };
        let place = Line::from(footer(model)).right_aligned();
        frame_block(&title, model).title_bottom(place).render(area, buffer);
    }
    // One column at the left is for the mark of the selected row.
    let wanted = match model.list.order() {
        Order::Tree => None,
        Order::Queue => Some(Column::Queue),
        Order::Busy => Some(Column::Busy),
        Order::Memory => Some(Column::Memory),
        Order::Restarts => Some(Column::Restarts),
    };
    let columns = Columns::fit(inner.width.saturating_sub(1), model.list.longest_name(), wanted);
    let top = inner.y + heading_lines(area);
    if top > inner.y {
        headings(model, &columns, inner, buffer);
    }
    let (first, shown) = model.list.on_screen();
    for ((at, shown), y) in shown.iter().enumerate().zip(top..inner.bottom()) {
        let line = Rect { y, height: 1, ..inner };
        row(model, &columns, *shown, first + at == model.list.at(), line, buffer);
    }
    if shown.is_empty() && inner.height > inner.y.abs_diff(top) {
        let said = text::cut(&nothing(model), usize::from(inner.width.saturating_sub(2)));
        buffer.set_stringn(inner.x + 1, top, said, usize::from(inner.width), model.theme.dim());
    }
}

/// Why there is no row.
fn nothing(model: &Model) -> String {
    if model.heard_at.is_none() {
        return "no answer yet".to_owned();
    }
    match (model.fold.lines().is_empty(), model.filter.is_empty()) {
        (true, _) => "the tree is empty".to_owned(),
        (false, false) => format!("nothing matches `{}`", text::plain(&model.filter)),
        (false, true) if model.list.only_trouble() => "nothing is in trouble".to_owned(),
        (false, true) => "nothing of this kind".to_owned(),
    }
}

fn footer(model: &Model) -> String {
    let mut text = String::new();
    if model.list.only_trouble() {
        text.push_str(" only trouble ·");
    }
    if !model.filter.is_empty() {
        text.push_str(&format!(" /{} ·", text::cut(&text::plain(&model.filter), 20)));
    }
    let (shown, all) = (model.list.len() as u64, model.fold.totals().actors);
    let at = text::grouped((model.list.at() as u64 + 1).min(shown));
    let of = if shown < all { format!(" of {}", text::grouped(all)) } else { String::new() };
    format!("{text} {at}/{}{of} ", text::grouped(shown))
}

fn headings(model: &Model, columns: &Columns, inner: Rect, buffer: &mut Buffer) {
    let style = model.theme.strong();
    buffer.set_stringn(inner.x + 1, inner.y, "NAME", usize::from(columns.name), style);
    let mut x = inner.x + 1 + columns.name;
    for (column, heading, width) in &columns.others {
        put(buffer, x + 1, inner.y, *width, heading, style, column.is_number());
        x += width + 1;
    }
}

fn row(
    model: &Model,
    columns: &Columns,
    shown: Shown,
    is_selected: bool,
    area: Rect,
    buffer: &mut Buffer,
) {
    let line = shown.line as usize;
    let own = &model.fold.lines()[line];
    if is_selected {
        buffer.set_stringn(area.x, area.y, "»", usize::from(area.width), model.theme.strong());
    }
    name(model, columns, shown, Rect { x: area.x + 1, width: columns.name, ..area }, buffer);
    let mut x = area.x + 1 + columns.name;
    for (column, _, width) in &columns.others {
        let (text, style) = column.text(model, line);
        put(buffer, x + 1, area.y, *width, &text, style, column.is_number());
        x += width + 1;
    }
    if own.is_gone() || own.is_stale {
        buffer.set_style(area, model.theme.dim());
    }
    if is_selected {
        buffer.set_style(area, model.theme.selected());
    }
}

/// A text in its column; a number that is too long is cut at its end like any text.
fn put(buffer: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style, right: bool) {
    let cut = text::cut(text, usize::from(width));
    let gap = if right { usize::from(width).saturating_sub(text::width(&cut)) } else { 0 };
    let at = x.saturating_add(u16::try_from(gap).unwrap_or(u16::MAX));
    if buffer.area.contains((at, y).into()) {
        buffer.set_stringn(at, y, cut, usize::from(width), style);
    }
}

/// Lines or the path above it, the name, how many rows are folded away; then what its process uses, if that has no columns.
fn name(model: &Model, columns: &Columns, shown: Shown, area: Rect, buffer: &mut Buffer) {
    let line = shown.line as usize;
    let (own, row) = (&model.fold.lines()[line], model.fold.row(line));
    let room = usize::from(area.width);
    let hidden = match shown.folded_away + row.hidden {
        0 => String::new(),
        hidden => format!(" +{}", text::grouped(hidden)),
    };
    let name = text::plain(&row.name);
    let name_room = room.saturating_sub(text::width(&hidden));
    let before = match model.list.order() {
        Order::Tree => text::cut_front(
            &lines_before(model, shown),
            // As much for every row, so that those of one depth stand below each other.
            room.saturating_sub(NAME_LEAST).max(room / 2).min(name_room),
        ),
        _ => {
            let path = model.fold.path(line);
            let above = path.strip_suffix(&*row.name).unwrap_or_default();
            text::path(above, name_room.saturating_sub(text::width(&name)))
        }
    };
    let name = text::cut(&name, name_room.saturating_sub(text::width(&before)));
    let style = match row.process {
        Some(_) => model.theme.strong(),
        None => Style::new(),
    };
    let (mut x, y) = (area.x, area.y);
    for (text, style) in [(before, model.theme.dim()), (name, style), (hidden, model.theme.dim())] {
        let left = usize::from(area.right().saturating_sub(x));
        x = if left == 0 { x } else { buffer.set_stringn(x, y, text, left, style).0 };
    }
    if let (Some(process), false) = (&row.process, columns.has(Column::Memory)) {
        let cpu = own.rates.and_then(|rates| rates.cpu);
        let cpu = cpu.map_or_else(String::new, |cpu| format!("{}% ", text::percent(cpu)));
        let used = format!("{cpu}{}", text::bytes(process.memory).replace(' ', ""));
        let width = text::width(&used);
        let left = usize::from(area.right().saturating_sub(x));
        if left > width + 1 {
            let x = area.right() - u16::try_from(width).unwrap_or(0);
            buffer.set_stringn(x, y, used, width, model.theme.dim());
        }
    }
}

/// `│ ├─ `: which rows above it go on below it, and whether anything is below itself.
fn lines_before(model: &Model, shown: Shown) -> String {
    let line = shown.line as usize;
    let own = &model.fold.lines()[line];
    let depth = own.depth.min(LEVELS);
    let mut text = if own.depth > depth { "…".to_owned() } else { String::new() };
    // The tops have no lines of their own.
    for above in (1..depth).rev() {
        text.push_str(if shown.open >> (above - 1) & 1 == 1 { "│ " } else { "  " });
    }
    if depth > 0 {
        text.push(if shown.is_last { '└' } else { '├' });
    }
    text.push_str(match (own.below(line), shown.folded_away) {
        (0, _) if depth == 0 => "",
        (0, _) => "─ ",
        (_, 0) => "▾ ",
        _ => "▸ ",
    });
    text
}
