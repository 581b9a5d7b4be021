//! Everything that is known and chosen: what a screen is drawn from.

use std::collections::BTreeMap;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Rect, Size};
use raytree_types::inspect::{ActorDetail, Event, EventKind};
use raytree_types::limits;

use crate::ask::{Answer, Question};
use crate::fold::Fold;
use crate::list::List;
use crate::options::{Options, Theme};
use crate::panes::Pane;
use crate::source::{Moment, Summary};
use crate::{text, view};

/// What a key or an answer leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The source is to be asked.
    Ask(Question),
    /// This is to be put on the clipboard.
    Copy(String),
    /// The view ends.
    Quit,
}

/// The order of entries of the log: when, and which of which process.
pub(crate) type EventId = (Duration, u32, u64);

/// The state of the view: moments and keys go in, a screen and [`Effect`]s come out. It reads no clock and asks nobody.
///
/// ```
/// use std::time::Duration;
///
/// use ratatui::{Terminal, backend::TestBackend};
/// use raytree_top::{Answer, Demo, Model, Options, Source};
///
/// let mut model = Model::new(&Options::new(|| Duration::ZERO));
/// model.heard(Answer::Look(Demo::new(7).look()), Duration::from_secs(1));
/// let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
/// terminal.draw(|frame| model.draw(frame)).unwrap();
/// assert!(terminal.backend().to_string().contains("actor_host"));
/// ```
#[derive(Debug)]
pub struct Model {
    pub(crate) fold: Fold,
    pub(crate) list: List,
    pub(crate) summary: Option<Summary>,
    pub(crate) uptime: Duration,
    pub(crate) events: BTreeMap<EventId, Event>,
    pub(crate) detail: Option<(String, Result<Box<ActorDetail>, String>)>,
    pub(crate) pane: Option<Pane>,
    /// The first line of a pane that is on the screen.
    pub(crate) scroll: usize,
    /// The filter is being typed.
    pub(crate) typing: bool,
    pub(crate) filter: String,
    /// Since when nothing new is shown.
    pub(crate) frozen: Option<Duration>,
    /// Why the last look failed, and when the first one did since the last that did not.
    pub(crate) unreachable: Option<(String, Duration)>,
    /// When the moment that is shown was heard.
    pub(crate) heard_at: Option<Duration>,
    /// What was done, until when it is said.
    pub(crate) notice: Option<(String, Duration)>,
    /// Since when a question of each kind is under way.
    pub(crate) under_way: [Option<Duration>; Question::KINDS],
    pub(crate) now: Duration,
    pub(crate) interval: Duration,
    pub(crate) theme: Theme,
    pub(crate) size: Size,
}

impl Model {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self {
            fold: Fold::default(),
            list: List::ordered(options.order),
            summary: None,
            uptime: Duration::ZERO,
            events: BTreeMap::new(),
            detail: None,
            pane: None,
            scroll: 0,
            typing: false,
            filter: String::new(),
            frozen: None,
            unreachable: None,
            heard_at: None,
            notice: None,
            under_way: [None; Question::KINDS],
            now: Duration::ZERO,
            interval: options.interval,
            theme: options.theme,
            size: Size::new(80, 24),
        }
    }

    /// It is time for a look, unless one is under way or nothing new is to be shown.
    pub fn tick(&mut self, now: Duration) -> Vec<Effect> {
        self.now = now;
        if self.frozen.is_some() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        self.ask(Question::Look, &mut effects);
        effects
    }

    /// The source has answered.
    pub fn heard(&mut self, answer: Answer, now: Duration) -> Vec<Effect> {
        self.now = now;
        if let Some(under_way) = self.under_way.get_mut(answer.kind()) {
            *under_way = None;
        }
        let mut effects = Vec::new();
        match answer {
            // It was asked before the view was frozen.
            Answer::Look(_) if self.frozen.is_some() => {}
            Answer::Look(Ok(moment)) => {
                self.look(moment);
                self.ask_again(&mut effects);
            }
            Answer::Look(Err(why)) => {
                let since = self.unreachable.take().map_or(now, |(_, since)| since);
                self.unreachable = Some((text::plain(&why), since));
            }
            Answer::Detail(path, detail) => {
                self.detail = Some((path, detail));
                self.ask_detail(false, &mut effects);
            }
            Answer::Losses(path, losses) => self.may_kill(path, losses),
            Answer::Kill(path, done) => {
                let said = done.unwrap_or_else(|why| format!("{path} was not killed: {why}"));
                self.say(&text::plain(&said));
                self.ask(Question::Look, &mut effects);
            }
            Answer::Why(..) | Answer::Waits(_) | Answer::Logs(..) => {
                let unheard = self.pane.as_mut().is_some_and(|pane| !pane.hear(answer));
                if unheard && let Some(question) = self.pane.as_ref().and_then(Pane::question) {
                    self.ask(question, &mut effects);
                }
            }
        }
        effects
    }

    fn look(&mut self, moment: Moment) {
        (self.unreachable, self.heard_at) = (None, Some(self.now));
        (self.summary, self.uptime) = (moment.summary, moment.uptime);
        for event in moment.events {
            self.events.insert((event.at, event.pid, event.number), event);
        }
        while self.events.len() > limits::TOP_EVENTS_MAX {
            self.events.pop_first();
        }
        self.fold.take(moment.rows, moment.more, moment.captured_at);
        self.list.refresh(&self.fold);
    }

    /// What is shown beside the tree is as new as the tree.
    fn ask_again(&mut self, effects: &mut Vec<Effect>) {
        self.ask_detail(true, effects);
        if let Some(question) = self.pane.as_ref().and_then(Pane::question) {
            self.ask(question, effects);
        }
    }

    /// Asks for the details of the selected row, where they are seen: those of another row, or the same ones as they are now.
    pub(crate) fn ask_detail(&mut self, also_known: bool, effects: &mut Vec<Effect>) {
        let is_seen = view::shows_detail(self);
        let line = self.list.line().filter(|line| is_seen && self.fold.gone_for(*line).is_none());
        let Some(path) = line.map(|line| self.fold.path(line)) else { return };
        let is_known = self.detail.as_ref().is_some_and(|(known, _)| *known == path);
        if also_known || !is_known {
            self.ask(Question::Detail(path), effects);
        }
    }

    /// Asks, unless a question of this kind is under way.
    pub(crate) fn ask(&mut self, question: Question, effects: &mut Vec<Effect>) {
        let now = self.now;
        let Some(under_way) = self.under_way.get_mut(question.kind()) else { return };
        if under_way.is_none() {
            *under_way = Some(now);
            effects.push(Effect::Ask(question));
        }
    }

    /// A sentence is said for a while.
    pub(crate) fn say(&mut self, what: &str) {
        self.notice = Some((what.to_owned(), self.now + limits::TOP_NOTICE));
    }

    /// The details of a path, where they are known.
    pub(crate) fn detail_of(&self, path: &str) -> Option<&ActorDetail> {
        match &self.detail {
            Some((known, Ok(detail))) if known == path => Some(detail),
            _ => None,
        }
    }

    /// The newest entry of the log that tells of trouble.
    pub(crate) fn newest_trouble(&self) -> Option<&Event> {
        let is_trouble = |event: &&Event| !matches!(event.kind, EventKind::Up | EventKind::Ended);
        self.events.values().rev().find(is_trouble)
    }

    /// What is shown was so long ago.
    pub(crate) fn age(&self) -> Duration {
        self.heard_at.map_or(Duration::ZERO, |heard| self.now.saturating_sub(heard))
    }

    /// The time that goes with [`Event::at`], as far as it is known.
    pub(crate) fn unix_now(&self) -> Duration {
        self.fold.captured_at() + self.age()
    }

    /// The path of the selected row. There is one whenever a row is shown.
    #[must_use]
    pub fn selected_path(&self) -> Option<String> {
        self.list.line().map(|line| self.fold.path(line))
    }

    /// How many rows are shown, with those above and below the screen.
    #[must_use]
    pub fn shown_rows(&self) -> usize {
        self.list.len()
    }

    /// The screen has another size.
    pub fn resize(&mut self, size: Size, now: Duration) -> Vec<Effect> {
        self.now = now;
        self.fit(size);
        let mut effects = Vec::new();
        self.ask_detail(false, &mut effects);
        effects
    }

    fn fit(&mut self, size: Size) {
        self.size = size;
        self.list.resize(view::tree_lines(self));
    }

    /// Draws the screen. A frame of another size than before is a resize.
    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        let Rect { width, height, .. } = frame.area();
        if self.size != Size::new(width, height) || self.list.page() != view::tree_lines(self) {
            self.fit(Size::new(width, height));
        }
        if self.scroll > 0 {
            self.scroll = self.scroll.min(view::longest_scroll(self));
        }
        view::draw(self, frame);
    }
}
