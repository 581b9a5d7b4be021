//! How often it is looked, what time it is, and which colours there are.

use std::fmt;
use std::time::Duration;

use ratatui::style::{Color, Modifier, Style};
use raytree_types::limits;

use crate::list::Order;

/// How the view is run.
#[derive(Clone)]
pub struct Options {
    pub(crate) interval: Duration,
    pub(crate) theme: Theme,
    pub(crate) order: Order,
    clock: fn() -> Duration,
}

impl Options {
    /// A look every second, in colours. `clock` says how much time has passed since any moment, always the same one, and never
    /// goes back.
    #[must_use]
    pub fn new(clock: fn() -> Duration) -> Self {
        Self {
            interval: Duration::from_secs(1),
            theme: Theme::colours(),
            order: Order::Tree,
            clock,
        }
    }

    /// The time between two looks; default 1 s, at least [`limits::TOP_INTERVAL_MIN`].
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(limits::TOP_INTERVAL_MIN);
        self
    }

    /// The colours; default [`Theme::colours`].
    #[must_use]
    pub fn theme(mut self, theme: Theme) -> Self {
        self.theme = theme;
        self
    }

    /// The order that rows have at first; default [`Order::Tree`].
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    pub(crate) fn now(&self) -> Duration {
        (self.clock)()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("interval", &self.interval)
            .field("theme", &self.theme)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

/// The colours of the view. Whatever they say is said by a glyph or a word, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    coloured: bool,
}

impl Theme {
    /// The sixteen colours that every terminal lets its user choose.
    #[must_use]
    pub fn colours() -> Self {
        Self { coloured: true }
    }

    /// No colours, for who has set `NO_COLOR`: bold, dim and reversed alone.
    #[must_use]
    pub fn plain() -> Self {
        Self { coloured: false }
    }

    fn colour(self, colour: Color) -> Style {
        if self.coloured { Style::new().fg(colour) } else { Style::new() }
    }

    pub(crate) fn good(self) -> Style {
        self.colour(Color::Green)
    }

    pub(crate) fn warning(self) -> Style {
        self.colour(Color::Yellow)
    }

    pub(crate) fn bad(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(crate) fn key(self) -> Style {
        self.colour(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    pub(crate) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(crate) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(crate) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
