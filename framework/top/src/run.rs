//! The loop: keys and answers in, screens out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use ratatui::crossterm::event::KeyEvent;
use ratatui::layout::Size;
use raytree_types::limits;

use crate::ask::{self, Answer, Question};
use crate::model::{Effect, Model};
use crate::options::Options;
use crate::source::Source;

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key.
    Key(KeyEvent),
    /// The screen has another size.
    Resize(Size),
    /// The view is to end, e.g. by a signal.
    Stop,
}

/// Where keys come from. It is read by a thread of its own.
pub trait Keyboard: Send {
    /// What comes next, waiting for it no longer than this.
    ///
    /// # Errors
    /// The terminal is gone: the view ends.
    fn next(&mut self, within: Duration) -> io::Result<Option<Input>>;
}

/// What is drawn on.
pub trait Screen {
    /// Draws the model.
    ///
    /// # Errors
    /// The terminal is gone: the view ends.
    fn draw(&mut self, model: &mut Model) -> io::Result<()>;

    /// Puts a text on the clipboard.
    ///
    /// # Errors
    /// The terminal is gone: the view ends.
    fn copy(&mut self, text: &str) -> io::Result<()>;
}

/// What the loop hears.
#[derive(Debug)]
pub(crate) enum Heard {
    Input(Input),
    Answer(Box<Answer>),
    /// The keyboard is gone.
    Deaf(io::Error),
}

/// Shows `source` on `screen` until a key or the keyboard ends it. [`open`](crate::open) does so on the terminal.
///
/// # Errors
/// The keyboard or the screen is gone, or there is no thread to be had.
pub fn run(
    source: Box<dyn Source + Send>,
    options: &Options,
    screen: &mut dyn Screen,
    keyboard: Box<dyn Keyboard>,
) -> io::Result<()> {
    let (say, heard) = sync_channel(limits::TOP_INPUTS_MAX);
    let ask = ask::start(source, say.clone())?;
    let ended = Arc::new(AtomicBool::new(false));
    let typist = listen(keyboard, say, Arc::clone(&ended))?;
    let result = Shown { options, screen, ask, heard: &heard }.show();
    ended.store(true, Ordering::Release);
    // Whoever waits for room in the line is told that nobody reads it.
    drop(heard);
    // It reads its last key within `TOP_KEYS_WITHIN`; that it panicked was said by its hook.
    _ = typist.join();
    result
}

fn listen(
    mut keyboard: Box<dyn Keyboard>,
    say: SyncSender<Heard>,
    ended: Arc<AtomicBool>,
) -> io::Result<thread::JoinHandle<()>> {
    let body = move || {
        while !ended.load(Ordering::Acquire) {
            let heard = match keyboard.next(limits::TOP_KEYS_WITHIN) {
                Ok(None) => continue,
                Ok(Some(input)) => Heard::Input(input),
                Err(error) => Heard::Deaf(error),
            };
            let is_last = matches!(heard, Heard::Deaf(_));
            if say.send(heard).is_err() || is_last {
                break;
            }
        }
    };
    thread::Builder::new().name("raytree-top-keys".to_owned()).spawn(body)
}

/// A view under way.
struct Shown<'a> {
    options: &'a Options,
    screen: &'a mut dyn Screen,
    ask: SyncSender<Question>,
    heard: &'a Receiver<Heard>,
}

impl Shown<'_> {
    fn show(&mut self) -> io::Result<()> {
        let mut model = Model::new(self.options);
        let interval = self.options.interval;
        let mut next = self.options.now();
        loop {
            let now = self.options.now();
            if now >= next {
                // What was missed is not made up for.
                next = if next + interval > now { next + interval } else { now + interval };
                let effects = model.tick(now);
                if self.carry_out(effects)? {
                    return Ok(());
                }
            }
            self.screen.draw(&mut model)?;
            // Ages on the screen are counted in seconds, however seldom it is looked.
            let wait = next.saturating_sub(now).min(limits::TOP_REDRAW);
            let mut heard = match self.heard.recv_timeout(wait) {
                Ok(heard) => Some(heard),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::BrokenPipe.into()),
            };
            // Everything that has come is heard before the next screen, no more than the line holds.
            let mut left = limits::TOP_INPUTS_MAX;
            while let Some(one) = heard {
                let effects = self.hear(&mut model, one)?;
                if self.carry_out(effects)? {
                    return Ok(());
                }
                left -= 1;
                heard = if left > 0 { self.heard.try_recv().ok() } else { None };
            }
        }
    }

    fn hear(&self, model: &mut Model, heard: Heard) -> io::Result<Vec<Effect>> {
        let now = self.options.now();
        match heard {
            Heard::Input(Input::Key(key)) => Ok(model.key(key, now)),
            Heard::Input(Input::Resize(size)) => Ok(model.resize(size, now)),
            Heard::Input(Input::Stop) => Ok(vec![Effect::Quit]),
            Heard::Answer(answer) => Ok(model.heard(*answer, now)),
            Heard::Deaf(error) => Err(error),
        }
    }

    /// True when the view is to end.
    fn carry_out(&mut self, effects: Vec<Effect>) -> io::Result<bool> {
        for effect in effects {
            match effect {
                Effect::Quit => return Ok(true),
                Effect::Copy(text) => self.screen.copy(&text)?,
                // At most one of a kind is under way, so there is room for it.
                Effect::Ask(question) => {
                    self.ask.try_send(question).map_err(|_| io::ErrorKind::BrokenPipe)?;
                }
            }
        }
        Ok(false)
    }
}
