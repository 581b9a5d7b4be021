//! A model with a source behind it and no threads, and its screen as text.

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use raytree_top::{Answer, Demo, Effect, Model, Moment, Options, Order, Question, Source};

/// A view of a source, asked at once.
pub(crate) struct View {
    pub(crate) model: Model,
    pub(crate) source: Box<dyn Source>,
    pub(crate) now: Duration,
    pub(crate) done: Vec<Effect>,
}

impl View {
    pub(crate) fn of(source: impl Source + 'static) -> Self {
        Self::with(source, &Options::new(|| Duration::ZERO))
    }

    fn with(source: impl Source + 'static, options: &Options) -> Self {
        let model = Model::new(options);
        let now = Duration::from_secs(100);
        Self { model, source: Box::new(source), now, done: Vec::new() }
    }

    /// The demo after so many seconds.
    pub(crate) fn demo(seconds: u64) -> Self {
        let mut view = Self::of(Demo::new(7));
        view.seconds(seconds);
        view
    }

    /// The same, that began with this order.
    pub(crate) fn ordered(seconds: u64, order: Order) -> Self {
        let mut view = Self::with(Demo::new(7), &Options::new(|| Duration::ZERO).order(order));
        view.seconds(seconds);
        view
    }

    pub(crate) fn seconds(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            let effects = self.model.tick(self.now);
            self.carry_out(effects);
        }
    }

    /// Types keys: letters as they are, others by their names in `<>`.
    pub(crate) fn keys(&mut self, keys: &str) {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            let (code, after) = match named {
                Some(("enter", after)) => (KeyCode::Enter, after),
                Some(("esc", after)) => (KeyCode::Esc, after),
                Some(("down", after)) => (KeyCode::Down, after),
                // Of any other name the `<` itself is typed.
                _ => (KeyCode::Char(first), &rest[first.len_utf8()..]),
            };
            self.press(KeyEvent::new(code, KeyModifiers::NONE));
            rest = after;
        }
    }

    pub(crate) fn press(&mut self, key: KeyEvent) {
        let effects = self.model.key(key, self.now);
        self.carry_out(effects);
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        let effects = self.model.resize((width, height).into(), self.now);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut left = effects;
        while let Some(effect) = left.pop() {
            if let Effect::Ask(question) = &effect {
                let answer = answer(&mut *self.source, question.clone());
                left.extend(self.model.heard(answer, self.now));
            }
            self.done.push(effect);
        }
    }

    pub(crate) fn buffer(&mut self, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| self.model.draw(frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The screen, without spaces at the ends of its lines.
    pub(crate) fn screen(&mut self, width: u16, height: u16) -> String {
        let buffer = self.buffer(width, height);
        let mut text = String::new();
        for y in 0..height {
            let mut line = String::new();
            let mut x = 0;
            while x < width {
                let symbol = buffer[(x, y)].symbol();
                line.push_str(symbol);
                // What follows a wide one is not there on a terminal.
                x += if ratatui::text::Span::raw(symbol).width() > 1 { 2 } else { 1 };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// The line of the screen that is marked as selected.
    pub(crate) fn selected(&mut self) -> String {
        let screen = self.screen(80, 24);
        let marked = screen.lines().find_map(|line| line.split_once('»'));
        marked.map_or_else(String::new, |(_, line)| line.trim_end_matches('│').trim().to_owned())
    }
}

fn answer(source: &mut dyn Source, question: Question) -> Answer {
    match question {
        Question::Look => Answer::Look(source.look()),
        Question::Detail(path) => {
            let detail = source.detail(&path).map(Box::new);
            Answer::Detail(path, detail)
        }
        Question::Why(path) => {
            let story = source.why(&path);
            Answer::Why(path, story)
        }
        Question::Waits => Answer::Waits(source.waits()),
        Question::Logs(path) => {
            let lines = source.logs(&path, 500);
            Answer::Logs(path, lines)
        }
        Question::Losses(path) => {
            let losses = source.losses(&path);
            Answer::Losses(path, losses)
        }
        Question::Kill(path) => {
            let done = source.kill(&path);
            Answer::Kill(path, done)
        }
    }
}

/// A source that gives these moments, one after the other, and then an error.
pub(crate) struct Script(pub(crate) Vec<Moment>);

impl Source for Script {
    fn look(&mut self) -> Result<Moment, String> {
        match self.0.is_empty() {
            true => Err("connection refused (os error 111)".to_owned()),
            false => Ok(self.0.remove(0)),
        }
    }

    fn detail(&mut self, path: &str) -> Result<raytree_types::inspect::ActorDetail, String> {
        Err(format!("{path} was not found"))
    }

    fn why(&mut self, path: &str) -> Result<raytree_types::inspect::Story, String> {
        Err(format!("{path} was not found"))
    }

    fn waits(&mut self) -> Result<raytree_types::inspect::Waits, String> {
        Ok(raytree_types::inspect::Waits::default())
    }

    fn losses(&mut self, path: &str) -> Result<Vec<String>, String> {
        Err(format!("{path} was not found"))
    }

    fn logs(&mut self, path: &str, _lines: usize) -> Result<Vec<String>, String> {
        Err(format!("{path} was not found"))
    }

    fn kill(&mut self, path: &str) -> Result<String, String> {
        Err(format!("{path} was not found"))
    }
}
