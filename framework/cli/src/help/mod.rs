//! `raytree completions` and `raytree man`: the command line, told to shells and to `man`. Both are made of what the parser knows, so
//! that neither can forget a command.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::Code;
use crate::args::{Cli, CompletionsArgs, ManArgs, ShellName};

/// Prints what the shell needs to complete command lines.
///
/// # Errors
/// `out` cannot be written.
pub fn completions(args: CompletionsArgs, out: &mut impl Write) -> io::Result<Code> {
    let shell = match args.shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    // Into memory first: it does not say when it cannot write.
    generate(shell, &mut Cli::command(), "raytree", &mut script);
    out.write_all(&script)?;
    out.flush()?;
    Ok(Code::Good)
}

/// Prints the manual page of the whole, or writes one for each command into a folder.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn man(args: &ManArgs, out: &mut impl Write, err: &mut impl Write) -> io::Result<Code> {
    let mut command = Cli::command().disable_help_subcommand(true);
    // Names of sub-commands become those of their pages.
    command.build();
    let Some(folder) = &args.dir else {
        out.write_all(&page(&command)?)?;
        out.flush()?;
        return Ok(Code::Good);
    };
    let mut written = 0;
    for command in commands(&command) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        let path = folder.join(format!("{name}.1"));
        if let Err(error) = std::fs::write(&path, page(command)?) {
            writeln!(err, "raytree: {} cannot be written: {error}", path.display())?;
            return Ok(Code::Nothing);
        }
        written += 1;
    }
    writeln!(out, "{written} pages were written to {}", folder.display())?;
    out.flush()?;
    Ok(Code::Good)
}

/// This command and all below it, those that are hidden left out.
fn commands(command: &clap::Command) -> Vec<&clap::Command> {
    let below = command.get_subcommands().filter(|one| !one.is_hide_set());
    [command].into_iter().chain(below.flat_map(commands)).collect()
}

/// One page. What stands below the options keeps its lines.
fn page(command: &clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let man = Man::new(command.clone()).manual("raytree");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(notes) = command.get_after_help() {
        writeln!(page, ".SH NOTES\n.nf")?;
        for line in notes.to_string().lines() {
            writeln!(page, "{}", literal(line))?;
        }
        writeln!(page, ".fi")?;
    }
    Ok(page)
}

/// A line that `troff` prints as it is.
fn literal(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    // A line that begins so would be a request.
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}
