//! The terminal: taken, drawn on, and given back on every way out.

use std::io::{self, IsTerminal as _, Stdout, Write as _};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};
use ratatui::layout::Size;
use rustix::event::{PollFd, PollFlags, Timespec};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::model::Model;
use crate::options::Options;
use crate::run::{Input, Keyboard, Screen, run};
use crate::source::Source;
use crate::{ask, text};

/// Shows `source` on the terminal until it is left. The terminal is given back on every way out: a key, an error, a panic,
/// SIGTERM, SIGHUP and SIGINT; a second signal ends the process at once.
///
/// # Errors
/// Standard output is no terminal, or it has gone.
///
/// ```no_run
/// # fn clock() -> std::time::Duration { std::time::Duration::ZERO }
/// raytree_top::open(Box::new(raytree_top::Demo::new(1)), &raytree_top::Options::new(clock))?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn open(source: Box<dyn Source + Send>, options: &Options) -> io::Result<()> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(io::Error::other(
            "the live view needs a terminal to read from and to write to",
        ));
    }
    let stop = signals()?;
    stop.store(false, Ordering::Release);
    let result = show(source, options, &stop);
    // From here on signals do what they do without a view.
    stop.store(true, Ordering::Release);
    result
}

/// True from the first signal on; while it is true, signals do what they do without a view. They are hooked once for all views of
/// a process: what an earlier one has hooked would end a later one at once.
fn signals() -> io::Result<Arc<AtomicBool>> {
    static STOP: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);
    let mut hooked = STOP.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stop) = &*hooked {
        return Ok(Arc::clone(stop));
    }
    let stop = Arc::new(AtomicBool::new(true));
    for signal in [SIGTERM, SIGHUP, SIGINT] {
        flag::register_conditional_default(signal, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    *hooked = Some(Arc::clone(&stop));
    Ok(stop)
}

fn show(
    source: Box<dyn Source + Send>,
    options: &Options,
    stop: &Arc<AtomicBool>,
) -> io::Result<()> {
    let _hook = Hook::set();
    let mut taken = Taken::take()?;
    run(source, options, &mut taken, Box::new(Keys { stop: Arc::clone(stop) }))
}

/// The terminal while it is ours.
struct Taken {
    // Dropped first: it shows the cursor.
    terminal: Terminal<CrosstermBackend<Stdout>>,
    _given_back: GivesBack,
}

impl Taken {
    fn take() -> io::Result<Self> {
        // From the first change on, whatever fails gives it back.
        let given_back = GivesBack;
        IS_TAKEN.store(true, Ordering::Release);
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok(Self { terminal, _given_back: given_back })
    }
}

/// A process has one terminal.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

struct GivesBack;

impl Drop for GivesBack {
    fn drop(&mut self) {
        give_back();
    }
}

/// Once, since a second time would move the cursor onto what was written in the meantime; and as much of it as can be done, since
/// who has lost the terminal has nobody to tell.
fn give_back() {
    if IS_TAKEN.swap(false, Ordering::AcqRel) {
        _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        _ = disable_raw_mode();
    }
}

impl Screen for Taken {
    fn draw(&mut self, model: &mut Model) -> io::Result<()> {
        self.terminal.draw(|frame| model.draw(frame))?;
        Ok(())
    }

    fn copy(&mut self, copied: &str) -> io::Result<()> {
        let mut out = io::stdout();
        write!(out, "\x1b]52;c;{}\x07", text::base64(copied.as_bytes()))?;
        out.flush()
    }
}

/// The keys of the terminal, and the signals.
struct Keys {
    stop: Arc<AtomicBool>,
}

impl Keyboard for Keys {
    fn next(&mut self, within: Duration) -> io::Result<Option<Input>> {
        if self.stop.load(Ordering::Acquire) {
            return Ok(Some(Input::Stop));
        }
        wait(within)?;
        // Keys, and sizes, which come by a signal.
        let event = match event::poll(Duration::ZERO) {
            Ok(true) => event::read(),
            Ok(false) => return Ok(None),
            Err(error) => Err(error),
        };
        match event {
            Ok(Event::Key(key)) => Ok(Some(Input::Key(key))),
            Ok(Event::Resize(width, height)) => Ok(Some(Input::Resize(Size::new(width, height)))),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Waits for a key, and says when there will be none any more: whoever reads the events of a terminal that has gone waits for ever, and
/// does not rest while it does.
fn wait(within: Duration) -> io::Result<()> {
    let stdin = rustix::stdio::stdin();
    let mut terminal = [PollFd::new(&stdin, PollFlags::IN)];
    let within = Timespec::try_from(within).map_err(io::Error::other)?;
    match rustix::event::poll(&mut terminal, Some(&within)) {
        // A signal.
        Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => {
            let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
            if terminal[0].revents().intersects(gone) {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the terminal has gone"));
            }
            Ok(())
        }
    }
}

type Said = Box<dyn Fn(&panic::PanicHookInfo<'_>) + Sync + Send>;

/// While it is set, a panic of the thread that draws gives the terminal back before it is told, so that it can be read; one of
/// a question is shown as its answer, and not across the screen.
struct Hook {
    before: Arc<Said>,
}

impl Hook {
    fn set() -> Self {
        let before: Arc<Said> = Arc::new(panic::take_hook());
        let (then, own) = (Arc::clone(&before), thread::current().id());
        panic::set_hook(Box::new(move |info| {
            let current = thread::current();
            if current.name() == Some(ask::THREAD) {
                return;
            }
            if current.id() == own {
                give_back();
            }
            then(info);
        }));
        Self { before }
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        // A thread that panics must not change the hook; then the process is about to end anyway.
        if !thread::panicking() {
            let before = Arc::clone(&self.before);
            panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}
