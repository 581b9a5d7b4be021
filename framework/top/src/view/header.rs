//! The lines above the tree: who is looked at, what it uses, the newest trouble.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::Model;
use crate::source::Usage;
use crate::text;

pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let lines = [who(model, width), uses(model, width), trouble(model, width)];
    // Where there is one line alone, what is wrong stands in it.
    let single = area.height == 1 && (model.unreachable.is_some() || model.frozen.is_some());
    let lines = lines.into_iter().skip(if single { 2 } else { 0 });
    for (line, y) in lines.zip(area.y..area.bottom()) {
        buffer.set_line(area.x, y, &line, area.width);
    }
}

/// A part of a line, and how much it matters where not all have room.
struct Part {
    matters: u8,
    text: String,
    style: Style,
}

/// `head 10.0.0.1:6379  3/3 nodes  96 actors  1 restarting ..`
fn who(model: &Model, width: usize) -> Line<'static> {
    let theme = model.theme;
    let totals = model.fold.totals();
    let mut parts = Vec::new();
    let mut add = |matters, text: String, style| parts.push(Part { matters, text, style });
    let plain = Style::new();
    add(9, "raytree".to_owned(), theme.strong());
    if let Some(summary) = &model.summary {
        if let Some(address) = &summary.address {
            add(5, text::plain(address), plain);
        }
        if let Some(nodes) = summary.nodes {
            let style = if nodes.up < nodes.total { theme.warning() } else { plain };
            add(7, format!("{}/{} nodes", nodes.up, nodes.total), style);
        }
    }
    if model.heard_at.is_some() {
        add(6, text::many(totals.actors, "actor"), plain);
        let troubles = [
            (totals.restarting, "restarting", theme.warning()),
            (totals.failed, "failed", theme.bad()),
            (totals.stuck, "stuck", theme.warning()),
        ];
        for (count, what, style) in troubles {
            let (matters, style) = if count == 0 { (1, theme.dim()) } else { (8, style) };
            add(matters, format!("{} {what}", text::grouped(count)), style);
        }
        add(2, format!("up {}", text::span(model.uptime)), plain);
    }
    add(0, format!("every {}", every(model)), theme.dim());
    fit(parts, "  ", width)
}

/// As many parts as have room, those that matter most.
fn fit(mut parts: Vec<Part>, between: &str, width: usize) -> Line<'static> {
    let one = |part: &Part| text::width(&part.text) + text::width(between);
    while parts.iter().map(one).sum::<usize>() > width + text::width(between).saturating_sub(1) {
        let least = parts.iter().map(|part| part.matters).min().unwrap_or_default();
        match parts.iter().rposition(|part| part.matters == least) {
            Some(at) if parts.len() > 1 => parts.remove(at),
            _ => break,
        };
    }
    let mut spans = Vec::new();
    for part in parts {
        let before = if spans.is_empty() { " " } else { between };
        spans.push(Span::styled(format!("{before}{}", part.text), part.style));
    }
    Line::from(spans)
}

fn every(model: &Model) -> String {
    format!("{} s", text::amount(model.interval.as_secs_f64()))
}

/// `CPU 41/96   store 18.2/64.0 GiB   tasks 1,204 running, 88 queued   3,410 msg/s`
fn uses(model: &Model, width: usize) -> Line<'static> {
    let mut parts = Vec::new();
    let mut add = |matters, text| parts.push(Part { matters, text, style: Style::new() });
    if let Some(summary) = &model.summary {
        for Usage { name, used, total } in &summary.resources {
            let (used, total) = (text::amount(*used), text::amount(*total));
            add(3, format!("{} {used}/{total}", text::plain(name)));
        }
        if let Some(store) = summary.store {
            let (used, total) = (text::bytes(store.used), text::bytes(store.total));
            // One unit is enough where it is the same.
            let unit = total.rsplit(' ').next().unwrap_or_default();
            let used = used.strip_suffix(unit).map_or(&*used, str::trim_end);
            add(2, format!("store {used}/{total}"));
        }
        if let Some(tasks) = summary.tasks {
            let (running, queued) = (text::grouped(tasks.running), text::grouped(tasks.queued));
            add(4, format!("tasks {running} running, {queued} queued"));
        }
    }
    if model.heard_at.is_some() {
        add(1, format!("{} msg/s", text::rate(model.fold.totals().messages)));
    }
    fit(parts, "   ", width)
}

/// That nothing new is shown, or else the newest trouble.
fn trouble(model: &Model, width: usize) -> Line<'static> {
    let theme = model.theme;
    let shown = model.heard_at.map_or_else(String::new, |_| {
        let at = text::time_of_day(model.fold.captured_at());
        format!("; shown is {at} UTC, {} ago", text::span(model.age()))
    });
    if let Some(since) = model.frozen {
        let frozen = text::span(model.now.saturating_sub(since));
        return line(vec![(format!(" ‖ frozen for {frozen}{shown}  (p: go on)"), theme.warning())]);
    }
    if let Some((why, since)) = &model.unreachable {
        let since = text::span(model.now.saturating_sub(*since));
        let before = format!(" ✗ no answer for {since}: ");
        let room = width.saturating_sub(text::width(&before) + text::width(&shown));
        return line(vec![(format!("{before}{}{shown}", text::cut(why, room)), theme.bad())]);
    }
    if let Some(asked) = model.under_way[0].filter(|_| model.age() >= model.interval * 3) {
        let waiting = text::span(model.now.saturating_sub(asked));
        return line(vec![(format!(" … an answer takes {waiting}{shown}"), theme.warning())]);
    }
    newest(model, width)
}

/// The newest trouble, with the newest cause that is known of it.
fn newest(model: &Model, width: usize) -> Line<'static> {
    let theme = model.theme;
    let Some(event) = model.newest_trouble() else { return Line::default() };
    let age = text::span(model.unix_now().saturating_sub(event.at));
    let of_it = model.events.values().rev().filter(|other| other.path == event.path);
    let cause = of_it.filter_map(|event| event.cause.as_ref()).next();
    let said = match cause.map(|cause| &*cause.message) {
        Some(cause) if !event.what.contains(cause) => format!("{}: {cause}", event.what),
        _ => event.what.clone(),
    };
    let before = format!(" ⚠ {age} ago  ");
    let after = if width < 120 { "" } else { "  (n: go there, x: why)" };
    let room = width.saturating_sub(text::width(&before) + text::width(after));
    let path = text::path(&event.path, (room / 3).max(12));
    let said = text::cut(&text::plain(&said), room.saturating_sub(text::width(&path) + 2));
    line(vec![
        (before, theme.warning()),
        (path, theme.strong()),
        (format!(": {said}"), theme.warning()),
        (after.to_owned(), theme.dim()),
    ])
}

fn line(parts: Vec<(String, Style)>) -> Line<'static> {
    Line::from_iter(parts.into_iter().map(|(text, style)| Span::styled(text, style)))
}
