//! Keys, and what they do.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use raytree_types::limits;

use crate::ask::Question;
use crate::model::{Effect, EventId, Model};
use crate::panes::{Kill, Pane};
use crate::{text, view};

/// What is on the help pane: sections of keys and what they do.
pub(crate) const HELP: [(&str, &[(&str, &str)]); 4] = [
    (
        "Move",
        &[
            ("j k ↓ ↑", "one line down, up"),
            ("PgDn PgUp", "one page down, up"),
            ("g G", "to the first, to the last line"),
            ("h l ← →", "fold or go up, unfold or go down"),
            ("space", "fold or unfold"),
            ("E C", "unfold everything, fold everything"),
            ("n", "to the next row in trouble"),
        ],
    ),
    (
        "Find",
        &[
            ("/", "filter by name, type, host or actor id; Enter keeps it, Esc drops it"),
            ("o", "order: tree, queue, busy, memory, restarts; all but the first are flat lists"),
            ("f", "only what is in trouble"),
        ],
    ),
    (
        "Ask",
        &[
            ("Enter", "all there is to say of the row"),
            ("x", "why is it so? the root cause first"),
            ("e", "the supervision log; Enter goes to the row of an entry"),
            ("w", "who waits for whom; a circle is a deadlock"),
            ("L", "the last lines that it has written"),
        ],
    ),
    (
        "Do",
        &[
            ("p", "freeze what is shown, and go on"),
            ("y", "copy the id, or else the path"),
            ("K", "kill it; asks first"),
            ("Esc", "close what is open, drop the filter; with nothing open, quit"),
            ("q Ctrl-C", "quit"),
        ],
    ),
];

impl Model {
    /// A key was pressed.
    pub fn key(&mut self, key: KeyEvent, now: Duration) -> Vec<Effect> {
        self.now = now;
        let mut effects = Vec::new();
        if key.kind == KeyEventKind::Release {
            return effects;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return vec![Effect::Quit];
        }
        if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return effects;
        }
        if self.typing {
            self.type_filter(key.code);
        } else if matches!(self.pane, Some(Pane::Kill(_))) {
            self.answer_kill(key.code, &mut effects);
        } else if !self.pane_key(key.code) {
            self.tree_key(key.code, &mut effects);
        }
        self.ask_detail(false, &mut effects);
        effects
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Esc => {
                self.filter.clear();
                self.typing = false;
            }
            KeyCode::Enter => self.typing = false,
            KeyCode::Backspace if self.filter.pop().is_none() => self.typing = false,
            KeyCode::Char(c) if self.filter.chars().count() < limits::TOP_FILTER_CHARS_MAX => {
                self.filter.push(c);
            }
            KeyCode::Down => return self.list.go(&self.fold, 1),
            KeyCode::Up => return self.list.go(&self.fold, -1),
            _ => {}
        }
        self.list.set_filter(&self.fold, &self.filter);
    }

    /// Only a typed `y` is a yes. Keys that move do nothing: who holds one down has not read the question.
    fn answer_kill(&mut self, code: KeyCode, effects: &mut Vec<Effect>) {
        let Some(Pane::Kill(kill)) = &self.pane else { return };
        match code {
            KeyCode::Char('y') => {
                let question = Question::Kill(kill.path.clone());
                let said = format!("killing {} …", text::plain(&kill.path));
                self.pane = None;
                self.say(&said);
                self.ask(question, effects);
            }
            KeyCode::Char('n' | 'q') | KeyCode::Esc => self.pane = None,
            _ => {}
        }
    }

    /// A key that means something to the pane that is open.
    fn pane_key(&mut self, code: KeyCode) -> bool {
        let page = isize::try_from(view::pane_lines(self)).unwrap_or(isize::MAX).max(1);
        let lines = match code {
            KeyCode::Char('j') | KeyCode::Down => 1,
            KeyCode::Char('k') | KeyCode::Up => -1,
            KeyCode::PageDown => page,
            KeyCode::PageUp => -page,
            KeyCode::Char('g') | KeyCode::Home => isize::MIN,
            KeyCode::Char('G') | KeyCode::End => isize::MAX,
            code => return self.pane_command(code),
        };
        match &self.pane {
            None => return false,
            Some(Pane::Events { selected }) => {
                let selected = self.event_near(*selected, lines);
                self.pane = Some(Pane::Events { selected });
            }
            Some(_) => {
                let most = view::longest_scroll(self);
                self.scroll = self.scroll.min(most).saturating_add_signed(lines).min(most);
            }
        }
        true
    }

    fn pane_command(&mut self, code: KeyCode) -> bool {
        let Some(pane) = &self.pane else { return false };
        let same = match (pane, code) {
            (_, KeyCode::Esc | KeyCode::Char('q')) => true,
            (Pane::Events { selected }, KeyCode::Enter) => {
                self.go_to_event(*selected);
                return true;
            }
            (Pane::Help, KeyCode::Char('?'))
            | (Pane::Detail, KeyCode::Enter)
            | (Pane::Why { .. }, KeyCode::Char('x'))
            | (Pane::Events { .. }, KeyCode::Char('e'))
            | (Pane::Waits { .. }, KeyCode::Char('w'))
            | (Pane::Logs { .. }, KeyCode::Char('L')) => true,
            _ => false,
        };
        if same {
            self.pane = None;
        }
        same
    }

    /// The entry so many lines below this one; the newest is the first.
    fn event_near(&self, selected: Option<EventId>, lines: isize) -> Option<EventId> {
        let at = selected.map_or(0, |id| self.events.range(id..).skip(1).count());
        let last = self.events.len().saturating_sub(1);
        let at = at.saturating_add_signed(lines).min(last);
        // The first line follows the log.
        (at > 0).then(|| self.events.keys().rev().nth(at).copied()).flatten()
    }

    fn go_to_event(&mut self, selected: Option<EventId>) {
        let event = match selected {
            Some(id) => self.events.get(&id),
            None => self.events.values().next_back(),
        };
        let Some(path) = event.map(|event| event.path.clone()) else { return };
        match self.fold.at_path(&path) {
            Some(line) => {
                self.pane = None;
                self.list.go_to(&self.fold, line);
            }
            None => self.say(&format!("{} is no more", text::plain(&path))),
        }
    }

    fn tree_key(&mut self, code: KeyCode, effects: &mut Vec<Effect>) {
        let page = isize::try_from(self.list.page()).unwrap_or(isize::MAX).max(1);
        match code {
            KeyCode::Char('p') => self.freeze(effects),
            KeyCode::Char('y') => self.copy(effects),
            // What nobody sees does not move.
            code if !view::shows_tree(self) => self.open_pane(code, effects),
            KeyCode::Char('j') | KeyCode::Down => self.list.go(&self.fold, 1),
            KeyCode::Char('k') | KeyCode::Up => self.list.go(&self.fold, -1),
            KeyCode::PageDown => self.list.go(&self.fold, page),
            KeyCode::PageUp => self.list.go(&self.fold, -page),
            KeyCode::Char('g') | KeyCode::Home => self.list.go(&self.fold, isize::MIN),
            KeyCode::Char('G') | KeyCode::End => self.list.go(&self.fold, isize::MAX),
            KeyCode::Char('h') | KeyCode::Left => self.list.fold(&self.fold, Some(true)),
            KeyCode::Char('l') | KeyCode::Right => self.list.fold(&self.fold, Some(false)),
            KeyCode::Char(' ') => self.list.fold(&self.fold, None),
            KeyCode::Char('E') => self.list.fold_all(&self.fold, false),
            KeyCode::Char('C') => self.list.fold_all(&self.fold, true),
            KeyCode::Char('n') => self.list.go_to_trouble(&self.fold),
            KeyCode::Char('o') => self.list.next_order(&self.fold),
            KeyCode::Char('f') => self.list.toggle_trouble(&self.fold),
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char('q') => effects.push(Effect::Quit),
            KeyCode::Esc if self.filter.is_empty() => effects.push(Effect::Quit),
            KeyCode::Esc => {
                self.filter.clear();
                self.list.set_filter(&self.fold, "");
            }
            code => self.open_pane(code, effects),
        }
    }

    fn open_pane(&mut self, code: KeyCode, effects: &mut Vec<Effect>) {
        let path = self.list.line().map(|line| self.fold.path(line));
        let pane = match (code, path) {
            (KeyCode::Char('?'), _) => Pane::Help,
            (KeyCode::Char('e'), _) => Pane::Events { selected: None },
            (KeyCode::Char('w'), _) => Pane::Waits { stories: None },
            (KeyCode::Enter, Some(_)) => Pane::Detail,
            (KeyCode::Char('x'), Some(path)) => Pane::Why { path, story: None },
            (KeyCode::Char('L'), Some(path)) => Pane::Logs { path, lines: None },
            (KeyCode::Char('K'), Some(path)) => return self.ask_kill(path, effects),
            _ => return,
        };
        self.scroll = 0;
        if let Some(question) = pane.question() {
            self.ask(question, effects);
        }
        self.pane = Some(pane);
    }

    fn freeze(&mut self, effects: &mut Vec<Effect>) {
        self.frozen = match self.frozen {
            Some(_) => None,
            None => Some(self.now),
        };
        if self.frozen.is_none() {
            self.ask(Question::Look, effects);
        }
    }

    /// The id, where it has one: it is how an actor is called in other commands.
    fn copy(&mut self, effects: &mut Vec<Effect>) {
        let Some(line) = self.list.line() else { return };
        let id = self.fold.row(line).id;
        let copied = id.map_or_else(|| self.fold.path(line), |id| id.to_string());
        self.say(&format!("copied {}", text::plain(&copied)));
        effects.push(Effect::Copy(copied));
    }

    /// Whoever decides on its life says first what would be lost, and whether it may be killed at all.
    fn ask_kill(&mut self, path: String, effects: &mut Vec<Effect>) {
        let Some(line) = self.list.line() else { return };
        if self.fold.gone_for(line).is_some() {
            return self.say(&format!("{} is gone already", text::plain(&path)));
        }
        self.ask(Question::Losses(path), effects);
    }

    /// It was said what would be lost. Who has gone on to something else meanwhile is not asked.
    pub(crate) fn may_kill(&mut self, path: String, losses: Result<Vec<String>, String>) {
        match losses {
            Err(why) => self.say(&text::plain(&format!("{path} is not killed: {why}"))),
            Ok(losses) => {
                let is_selected = self.selected_path().is_some_and(|selected| selected == path);
                if is_selected && self.pane.is_none() && !self.typing {
                    self.scroll = 0;
                    self.pane = Some(Pane::Kill(Kill { path, losses }));
                }
            }
        }
    }
}
