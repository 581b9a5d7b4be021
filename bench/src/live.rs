//! What the live view costs, on both sides: `raytree top` on a program of 10,000 actors.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::spawn;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use raytree_cli::reach::Where;
use raytree_cli::{TopArgs, source};
use raytree_top::{Input, Keyboard, Model, Options, Screen};

use crate::child::Role;
use crate::look::Scene;
use crate::report::{Report, Row, idle, now};

pub(crate) const ROWS: &[Row] = &[Row { name: "top_10k_actors_cpu", run: looked }];

const ACTORS: usize = 10_000;
const TICK: Duration = Duration::from_secs(1);
const SIZE: Rect = Rect::new(0, 0, 200, 60);

/// A minute of a look each second on a screen of 200x60, all unfolded, 1 % of the actors doing something between two looks: the processor time
/// of the one who looks and of the one who is looked at, as shares of one core. The floors are the same view of a program of one actor, and the
/// same program when nobody looks.
fn looked(report: &mut Report) -> Result<()> {
    let long = Duration::from_secs(report.size(60) as u64);
    let looked_at = Looked::start(ACTORS)?;
    let (_, alone) = looked_at.share_while(|| {
        idle(long);
        Ok(())
    })?;
    let (looker, both) = looked_at.share_while(|| looked_at.is_viewed(long))?;
    looked_at.end()?;
    let single = Looked::start(1)?;
    let small = single.share_while(|| single.is_viewed(long))?.0;
    single.end()?;
    report.row("top_10k_actors_cpu.looker", looker, "%");
    report.row("top_10k_actors_cpu.looker.floor", small, "%");
    report.row("top_10k_actors_cpu.looked_at", both, "%");
    report.row("top_10k_actors_cpu.looked_at.floor", alone, "%");
    Ok(())
}

/// The child's side: as many actors as it is told, of which one in a hundred does something each second, until its input ends.
pub(crate) fn looked_at() -> Result<()> {
    let mut told = String::new();
    io::stdin().read_line(&mut told)?;
    let (actors, folder) = told.trim_end().split_once(' ').context("a number and a folder")?;
    let scene = Scene::new(Path::new(folder), actors.parse()?)?;
    println!("up");
    let (say, ends) = sync_channel::<()>(1);
    spawn(move || {
        // Whatever ends the input ends this.
        _ = io::stdin().read_line(&mut String::new());
        drop(say);
    });
    for round in 0.. {
        scene.works(round)?;
        if ends.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected) {
            break;
        }
    }
    Ok(())
}

/// A program that is looked at.
struct Looked {
    child: Child,
    tells: ChildStdin,
    folder: tempfile::TempDir,
    actors: usize,
}

impl Looked {
    fn start(actors: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Role::Looked.command()?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut tells = child.stdin.take().context("a child without input")?;
        writeln!(tells, "{actors} {}", folder.path().join("inspect").display())?;
        let mut said = String::new();
        BufReader::new(child.stdout.take().context("a child without output")?)
            .read_line(&mut said)?;
        ensure!(said.trim_end() == "up", "the program that is looked at said {said:?}");
        Ok(Self { child, tells, folder, actors })
    }

    /// The processor time of this process and of that one while something is done, in hundredths of one core.
    fn share_while(&self, done: impl FnOnce() -> Result<()>) -> Result<(f64, f64)> {
        let pids = [std::process::id(), self.child.id()];
        let (began, before) = (now(), [used(pids[0])?, used(pids[1])?]);
        done()?;
        let (took, after) = (began.elapsed().as_secs_f64(), [used(pids[0])?, used(pids[1])?]);
        let share = |at: usize| 100.0 * (after[at] - before[at]) / took;
        Ok((share(0), share(1)))
    }

    /// It is shown for so long, as `raytree top --pid` shows it.
    fn is_viewed(&self, long: Duration) -> Result<()> {
        let place = Where { pid: Some(self.child.id()), ..Where::default() };
        let args = TopArgs { place, interval: "1s".to_owned(), ..TopArgs::default() };
        let mut err = Vec::new();
        let found = source(&args, &self.folder.path().join("inspect"), &mut err)?;
        let source = found.ok().with_context(|| String::from_utf8_lossy(&err).into_owned())?;
        let began = now();
        let hand = Hand { unfolds_at: Some(began + 2 * TICK), until: began + long };
        let viewport = Viewport::Fixed(SIZE);
        let backend = CrosstermBackend::new(io::sink());
        let terminal = Terminal::with_options(backend, TerminalOptions { viewport })?;
        let mut paper = Paper { terminal, last: String::new() };
        raytree_top::run(source, &Options::new(elapsed), &mut paper, Box::new(hand))?;
        let is_shown =
            (self.actors == 1 && paper.last.contains("actors")) || paper.last.contains("10,0");
        ensure!(is_shown, "another picture: {}", paper.last);
        Ok(())
    }

    fn end(mut self) -> Result<()> {
        drop(self.tells);
        self.child.wait()?;
        Ok(())
    }
}

/// Seconds of processor time that a process has used.
fn used(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, numbers) = stat.rsplit_once(')').context("a process without a name")?;
    let times = numbers.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks = times.sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Time since this was asked first.
fn elapsed() -> Duration {
    static FIRST: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(now).elapsed()
}

/// Unfolds everything once, and stops.
struct Hand {
    unfolds_at: Option<Instant>,
    until: Instant,
}

impl Keyboard for Hand {
    fn next(&mut self, within: Duration) -> io::Result<Option<Input>> {
        if now() >= self.until {
            return Ok(Some(Input::Stop));
        }
        if self.unfolds_at.take_if(|at| now() >= *at).is_some() {
            let key = KeyEvent::new(KeyCode::Char('E'), KeyModifiers::NONE);
            return Ok(Some(Input::Key(key)));
        }
        idle(within);
        Ok(None)
    }
}

/// What is drawn is written in full, to nobody.
struct Paper {
    terminal: Terminal<CrosstermBackend<io::Sink>>,
    /// The first line that was drawn last.
    last: String,
}

impl Screen for Paper {
    fn draw(&mut self, model: &mut Model) -> io::Result<()> {
        let drawn = self.terminal.draw(|frame| model.draw(frame))?;
        let first = drawn.buffer.content().iter().take(usize::from(SIZE.width));
        self.last = first.map(|cell| cell.symbol()).collect();
        Ok(())
    }

    fn copy(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }
}
