//! `raytree`: see `raytree --help`.

use std::env;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use raytree_cli::args::{Cli, Command};
use raytree_cli::tree::Style;
use raytree_cli::{config, explain, run};
use raytree_config::LoadFrom;
use raytree_types::inspect::place;

/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 100;

/// Columns of what is no terminal: whoever reads has no edge to run into, and wants causes whole.
const PIPE_COLUMNS: usize = 1000;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut err = io::stderr().lock();
    let ended = match command {
        Command::Tree(args) => {
            let folder = place::folder(rustix::process::geteuid().as_raw());
            run(&args, &folder, style(), &mut out, &mut err)
        }
        Command::Explain(args) => explain(&args, style(), &mut out, &mut err),
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

fn style() -> Style {
    let named = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    if !io::stdout().is_terminal() {
        return Style { columns: named.unwrap_or(PIPE_COLUMNS), lines: false, colour: false };
    }
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    Style {
        columns: columns.or(named).unwrap_or(COLUMNS),
        lines: true,
        colour: env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}
