//! All there is to say of the selected row.

use std::time::Duration;

use ratatui::style::Style;
use ratatui::text::Line;
use raytree_types::inspect::{ActorDetail, TreeRow};

use super::columns::fullness;
use super::{paragraph, state};
use crate::model::Model;
use crate::text;

/// Columns of what a line is about.
const LABEL: usize = 10;

pub(super) fn lines(model: &Model, width: u16) -> Vec<Line<'static>> {
    let Some(line) = model.list.line() else {
        return vec![Line::styled("no row is selected", model.theme.dim())];
    };
    let (row, path) = (model.fold.row(line), model.fold.path(line));
    let mut page = Page { model, width, lines: Vec::new() };
    page.lines.extend(paragraph("", &path, model.theme.strong(), width));
    let id = row.id.map_or_else(String::new, |id| format!("{id}   "));
    page.say(model.theme.dim(), &format!("{id}{}", row.type_name));
    page.state(line, row);
    page.numbers(line, row);
    page.process(line);
    if let Some(detail) = model.detail_of(&path) {
        page.policy(detail);
    }
    if let Some(remark) = &row.remark {
        page.pair("remark", remark, model.theme.warning());
    }
    let known = model.detail.as_ref().filter(|(known, _)| *known == path);
    match known {
        Some((_, Ok(detail))) => page.past(row, detail),
        Some((_, Err(why))) => {
            page.cause(row);
            page.pair("details", why, model.theme.bad());
        }
        None => page.cause(row),
    }
    page.lines
}

struct Page<'a> {
    model: &'a Model,
    width: u16,
    lines: Vec<Line<'static>>,
}

impl Page<'_> {
    fn say(&mut self, style: Style, said: &str) {
        if !said.trim().is_empty() {
            self.lines.extend(paragraph("", said, style, self.width));
        }
    }

    fn pair(&mut self, label: &str, said: &str, style: Style) {
        self.lines.extend(paragraph(&format!("{label:<LABEL$}"), said, style, self.width));
    }

    fn section(&mut self, title: &str) {
        let line = "─".repeat(usize::from(self.width).saturating_sub(text::width(title) + 4));
        self.lines.push(Line::styled(format!("── {title} {line}"), self.model.theme.dim()));
    }

    fn state(&mut self, line: usize, row: &TreeRow) {
        let (state, style) = state::of(self.model, line);
        match self.model.fold.gone_for(line) {
            Some(gone) => {
                let gone = format!("gone for {}, was {}", text::span(gone), row.state);
                self.pair("state", &gone, style);
            }
            None => self.pair("state", &state, style),
        }
        let own = &self.model.fold.lines()[line];
        if own.is_stale {
            let process = self.model.fold.process_of(line).map(|at| self.model.fold.row(at));
            let age = process.and_then(|row| row.process.as_ref()?.stale).unwrap_or_default();
            let said = format!("its process does not answer: as it was {} ago", text::span(age));
            self.pair("stale", &said, self.model.theme.warning());
        }
    }

    fn numbers(&mut self, line: usize, row: &TreeRow) {
        let plain = Style::new();
        let rates = self.model.fold.lines()[line].rates;
        if let Some(strategy) = &row.strategy {
            self.pair("strategy", strategy, plain);
        }
        let queue = match row.queue_limit {
            0 => text::grouped(row.queued),
            limit => format!(
                "{} of {} ({} %)",
                text::grouped(row.queued),
                text::grouped(limit),
                text::percent(fullness(row.queued, limit))
            ),
        };
        self.pair("queue", &queue, plain);
        let per_second = rates
            .map_or_else(String::new, |rates| format!(", {} a second", text::rate(rates.messages)));
        self.pair("handled", &format!("{}{per_second}", text::grouped(row.handled)), plain);
        let share =
            rates.map_or_else(String::new, |rates| format!("{} %, ", text::percent(rates.busy)));
        self.pair(
            "busy",
            &format!("{share}{} in all", text::span(row.busy + row.busy_for.unwrap_or_default())),
            plain,
        );
        if let Some(current) = &row.current {
            let busy = row.busy_for.unwrap_or_default();
            self.pair("now", &format!("{current}, for {}", text::span(busy)), plain);
        }
        if row.refused > 0 {
            let refused = format!("{}, the queue was full", text::grouped(row.refused));
            self.pair("refused", &refused, self.model.theme.warning());
        }
        let style = if row.restarts > 0 { self.model.theme.warning() } else { plain };
        self.pair("restarts", &row.restarts.to_string(), style);
        if let Some(host) = &row.host {
            self.pair("host", host, plain);
        }
    }

    /// What the operating system says, of a row that begins a process.
    fn process(&mut self, line: usize) {
        let row = self.model.fold.row(line);
        let Some(process) = &row.process else { return };
        let cpu = self.model.fold.lines()[line].rates.and_then(|rates| rates.cpu);
        let cpu = cpu.map_or_else(String::new, |cpu| format!("{} %, ", text::percent(cpu)));
        let plain = Style::new();
        let who =
            format!("{} of {}, up {}", process.pid, process.program, text::span(process.uptime));
        self.pair("process", &who, plain);
        self.pair("role", &process.role.to_string(), plain);
        self.pair("cpu", &format!("{cpu}{} in all", text::span(process.cpu)), plain);
        let memory = format!("{}, {} threads", text::bytes(process.memory), process.threads);
        self.pair("memory", &memory, plain);
    }

    fn policy(&mut self, detail: &ActorDetail) {
        let plain = Style::new();
        if let Some(policy) = &detail.policy {
            let own = policy.own_restarts.map_or_else(String::new, |own| format!(", {own} in all"));
            self.pair("policy", &format!("{}{own}", policy.restart), plain);
            let (base, max) = (policy.backoff.base, policy.backoff.max);
            let backoff = match max {
                Duration::ZERO => "none".to_owned(),
                max => format!("{} to {}", text::span(base), text::span(max)),
            };
            self.pair("backoff", &backoff, plain);
        }
        if let Some(intensity) = detail.intensity {
            let allowed = format!("{} restarts in {}", intensity.max, text::span(intensity.within));
            self.pair("allows", &allowed, plain);
        }
        if let Some(next) = detail.next_life_in {
            let next = format!("in {}", text::span(next));
            self.pair("next life", &next, self.model.theme.warning());
        }
        if detail.children > 0 {
            self.pair("children", &text::grouped(detail.children), plain);
        }
    }

    fn cause(&mut self, row: &TreeRow) {
        if let Some(cause) = &row.last_cause {
            self.pair("last end", cause, Style::new());
        }
    }

    /// What has made room for what is shown.
    fn dropped(&mut self, count: u64) {
        if count > 0 {
            let said = format!("{} earlier ones dropped", text::grouped(count));
            self.lines.extend(paragraph("", &said, self.model.theme.dim(), self.width));
        }
    }

    /// How it ended, and what has happened to it, the newest first.
    fn past(&mut self, row: &TreeRow, detail: &ActorDetail) {
        if detail.ends.is_empty() {
            self.cause(row);
        } else {
            self.section("last ends, newest first");
        }
        for end in detail.ends.iter().rev() {
            let before = "";
            self.lines.extend(paragraph(before, &end.to_string(), Style::new(), self.width));
        }
        self.dropped(detail.ends_dropped);
        if !detail.recorder.is_empty() {
            self.section("flight recorder (UTC)");
        }
        for event in detail.recorder.iter().rev() {
            let at = format!("{}  ", text::exact_time(event.at));
            self.lines.extend(paragraph(&at, &event.what, Style::new(), self.width));
        }
        self.dropped(detail.recorder_dropped);
    }
}
