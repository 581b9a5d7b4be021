//! The loop around the model: how it hears, asks and ends.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::KeyCode;
use raytree_top::{Demo, Input, Keyboard, Model, Moment, Options, Screen, Source, run};
use raytree_types::inspect::{ActorDetail, Story, Waits};

/// Types what a test says, when it says so.
struct Typist(Receiver<io::Result<Input>>);

impl Keyboard for Typist {
    fn next(&mut self, within: Duration) -> io::Result<Option<Input>> {
        self.0.recv_timeout(within).ok().transpose()
    }
}

/// Shows each screen to the test, which may type then.
struct Shown<F>(Terminal<TestBackend>, F);

impl<F: FnMut(&str)> Shown<F> {
    fn new(seen: F) -> Self {
        Self(Terminal::new(TestBackend::new(80, 24)).unwrap(), seen)
    }
}

impl<F: FnMut(&str)> Screen for Shown<F> {
    fn draw(&mut self, model: &mut Model) -> io::Result<()> {
        self.0.draw(|frame| model.draw(frame)).map_err(io::Error::other)?;
        let screen = self.0.backend().to_string();
        (self.1)(&screen);
        Ok(())
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        (self.1)(&format!("copied: {text}"));
        Ok(())
    }
}

/// Time goes on by a tenth of a second whenever somebody looks.
fn clock() -> Duration {
    static LOOKS: AtomicU64 = AtomicU64::new(0);
    Duration::from_millis(100 * LOOKS.fetch_add(1, Ordering::Relaxed))
}

fn typist() -> (SyncSender<io::Result<Input>>, Box<dyn Keyboard>) {
    let (keys, typed) = sync_channel(64);
    (keys, Box::new(Typist(typed)))
}

fn key(code: char) -> io::Result<Input> {
    Ok(Input::Key(KeyCode::Char(code).into()))
}

#[test]
fn what_is_copied_reaches_the_screen_and_q_ends_the_view() {
    let (keys, keyboard) = typist();
    let mut copied = None;
    let mut typed = false;
    let mut screen = Shown::new(|seen| {
        if seen.contains("actor_directory") && !typed {
            typed = true;
            keys.send(key('j')).unwrap();
            keys.send(key('y')).unwrap();
        }
        if let Some(text) = seen.strip_prefix("copied: ") {
            copied = Some(text.to_owned());
            keys.send(key('q')).unwrap();
        }
    });
    run(Box::new(Demo::new(1)), &Options::new(clock), &mut screen, keyboard).unwrap();
    assert_eq!(copied.as_deref(), Some("sessions"));
}

/// Never answers until it is dropped, or panics.
struct Hangs(Option<Receiver<()>>);

impl Source for Hangs {
    fn look(&mut self) -> Result<Moment, String> {
        match &self.0 {
            Some(never) => {
                Err(never.recv().map_or_else(|error| error.to_string(), |()| String::new()))
            }
            None => panic!("no such socket"),
        }
    }

    fn detail(&mut self, _: &str) -> Result<ActorDetail, String> {
        Err(String::new())
    }

    fn why(&mut self, _: &str) -> Result<Story, String> {
        Err(String::new())
    }

    fn waits(&mut self) -> Result<Waits, String> {
        Err(String::new())
    }

    fn losses(&mut self, _: &str) -> Result<Vec<String>, String> {
        Err(String::new())
    }

    fn logs(&mut self, _: &str, _: usize) -> Result<Vec<String>, String> {
        Err(String::new())
    }

    fn kill(&mut self, _: &str) -> Result<String, String> {
        Err(String::new())
    }
}

#[test]
fn keys_are_heard_while_an_answer_hangs() {
    let (keys, keyboard) = typist();
    let (hangs, never) = sync_channel(0);
    let mut helped = false;
    keys.send(key('?')).unwrap();
    let mut screen = Shown::new(|seen| {
        if seen.contains("unfold everything") {
            helped = true;
            keys.send(Ok(Input::Stop)).unwrap();
        }
    });
    run(Box::new(Hangs(Some(never))), &Options::new(clock), &mut screen, keyboard).unwrap();
    assert!(helped);
    drop(hangs);
}

#[test]
fn a_source_that_panics_is_shown_as_one_that_does_not_answer() {
    let (keys, keyboard) = typist();
    let mut shown = String::new();
    let mut screen = Shown::new(|seen| {
        if seen.contains("no answer for") && shown.is_empty() {
            shown = seen.to_owned();
            keys.send(key('q')).unwrap();
        }
    });
    run(Box::new(Hangs(None)), &Options::new(clock), &mut screen, keyboard).unwrap();
    assert!(shown.contains("the question panicked: no such socket"), "{shown}");
}

#[test]
fn a_terminal_that_is_gone_ends_the_view_with_its_error() {
    let (keys, keyboard) = typist();
    keys.send(Err(io::ErrorKind::UnexpectedEof.into())).unwrap();
    let mut screen = Shown::new(|_| {});
    let ended = run(Box::new(Demo::new(1)), &Options::new(clock), &mut screen, keyboard);
    assert_eq!(ended.map_err(|error| error.kind()), Err(io::ErrorKind::UnexpectedEof));
}
