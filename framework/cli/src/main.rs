//! `raytree`: see `raytree --help`.

use std::env;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use raytree_cli::args::{Cli, Command};
use raytree_cli::tree::Style;
use raytree_cli::{
    actor, completions, config, context, dashboard, doctor, end, events, explain, groups, jobs,
    leaks, log, log_format, logs, man, nodes, run, start, state, status, stop, timeline, top, why,
};
use raytree_config::{Config, LoadFrom, LogFormat};
use raytree_daemon::ROLE_VARIABLE;
use raytree_types::inspect::{EndHow, place};
use raytree_types::state::What;

/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 100;

/// Columns of what is no terminal: whoever reads has no edge to run into, and wants everything whole.
const PIPE_COLUMNS: usize = 1 << 20;

fn main() -> ExitCode {
    if env::var_os(ROLE_VARIABLE).is_some() {
        let settings = Config::load(LoadFrom::process()).ok();
        say(settings.map(|config| config.logs().format).unwrap_or_default());
    }
    match raytree_daemon::take_role() {
        Ok(None) => {}
        Ok(Some(code)) => return code,
        Err(error) => {
            _ = writeln!(io::stderr(), "raytree: {error}");
            return ExitCode::FAILURE;
        }
    }
    let command = Cli::parse().command;
    // A command that needs settings says itself what is wrong with them.
    let settings = Config::load(LoadFrom::process()).ok();
    let folder = settings.and_then(|config| config.inspector().folder.clone());
    let folder = folder.unwrap_or_else(|| place::folder(rustix::process::geteuid().as_raw()));
    let mut out = BufWriter::new(io::stdout().lock());
    let mut err = io::stderr();
    let ended = match command {
        Command::Tree(args) => run(&args, &folder, style(), &mut out, &mut err),
        Command::Top(args) => top(&args, &folder, is_coloured(), &mut err),
        Command::Actor(args) => actor(&args, &folder, style(), &mut out, &mut err),
        Command::Why(args) => why(&args, &folder, style(), &mut out, &mut err),
        Command::Events(args) => events(&args, &folder, style(), &mut out, &mut err),
        Command::Doctor(args) => doctor(&args, &folder, style(), &mut out, &mut err),
        Command::Kill(args) => end(&args, EndHow::Kill, &folder, &mut out, &mut err),
        Command::Restart(args) => end(&args, EndHow::Restart, &folder, &mut out, &mut err),
        Command::Logs(args) => logs(&args, &folder, style(), &mut out, &mut err),
        Command::Explain(args) => explain(&args, style(), &mut out, &mut err),
        Command::Context(args) => context(&args, style(), &mut out, &mut err),
        Command::Start(args) => {
            say(log_format(&args));
            start(&args, &folder, &mut out, &mut err)
        }
        Command::Stop(args) => stop(&args, &folder, &mut out, &mut err),
        Command::Status(args) => status(&args, &folder, style(), &mut out, &mut err),
        Command::Nodes(args) => nodes(&args, &folder, style(), &mut out, &mut err),
        Command::Jobs(args) => jobs(&args, &folder, style(), &mut out, &mut err),
        Command::Tasks(args) => state(What::Tasks, &args, &folder, style(), &mut out, &mut err),
        Command::Actors(args) => state(What::Actors, &args, &folder, style(), &mut out, &mut err),
        Command::Objects(args) if args.leaks.leaks => {
            leaks(&args, &folder, style(), &mut out, &mut err)
        }
        Command::Objects(args) => {
            state(What::Objects, &args.state, &folder, style(), &mut out, &mut err)
        }
        Command::Timeline(args) => timeline(&args, &folder, &mut out, &mut err),
        Command::Groups(_) => groups(&mut err),
        Command::Completions(args) => completions(args, &mut out),
        Command::Man(args) => man(&args, &mut out, &mut err),
        Command::Dashboard(args) => dashboard(&args, &folder, &mut out, &mut err),
        Command::Config(args) => config(&args, LoadFrom::process(), style(), &mut out, &mut err),
    };
    match ended {
        Ok(code) => ExitCode::from(code as u8),
        // Whoever reads has seen enough: `raytree tree | head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere else to say it.
            _ = writeln!(err, "raytree: cannot write: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What daemons have to say goes to standard error; `RAYTREE_LOG` says how much of it, the settings how.
fn say(format: LogFormat) {
    log(&env::var("RAYTREE_LOG").unwrap_or_default(), format);
}

fn style() -> Style {
    if !io::stdout().is_terminal() {
        return Style { columns: PIPE_COLUMNS, lines: false, colour: false };
    }
    let named = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    Style { columns: columns.or(named).unwrap_or(COLUMNS), lines: true, colour: is_coloured() }
}

fn is_coloured() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
