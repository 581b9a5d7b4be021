//! Contexts: clusters under names, in the user's own configuration file, and which one is meant.
//!
//! ```toml
//! current = "lab"
//!
//! [contexts.lab]
//! address = "head.example.org:6380"
//! token_file = "lab.token" # relative to this file
//! ```
//!
//! Who wins: `--address`, then `--context`, `RAYTREE_ADDRESS`, `RAYTREE_CONTEXT`, what the file has as `current`, and last
//! `cluster.address` of the settings. A context counts as a whole or not at all: no address is used with the token of another
//! cluster. `local` is always there, and means what runs on this machine.

mod choose;
mod file;
#[cfg(test)]
mod tests;

use std::env;
use std::io::{self, Write};

use clap::{Args, Subcommand};
use raytree_config::{Config, LoadFrom};
use raytree_types::Error;
use serde::Serialize;

use crate::Code;
use crate::table::{Cell, Column, Row, View, list};
use crate::tree::Style;
pub(crate) use choose::{Chosen, LOCAL, choose};
pub use file::ContextError;
pub(crate) use file::Contexts;

/// What is done with contexts.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  it was done
  2  there is no such context, or the file is not as it has to be

Contexts are in $RAYTREE_CONFIG, else $XDG_CONFIG_HOME/raytree/config.toml, else ~/.config/raytree/config.toml:

  current = \"lab\"

  [contexts.lab]
  address = \"head.example.org:6380\"
  token_file = \"lab.token\"

Which cluster is meant, the first of these: --address, --context, RAYTREE_ADDRESS, RAYTREE_CONTEXT, `current` of the file,
cluster.address of the settings. The context `local` is always there: it means what runs on this machine.")]
pub struct ContextArgs {
    /// What to do
    #[command(subcommand)]
    pub action: ContextAction,
}

/// What is done with contexts.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ContextAction {
    /// List the contexts there are.
    #[command(after_help = "\
Exit codes:
  0  they were listed
  2  the file is not as it has to be")]
    List {
        /// Which rows
        #[command(flatten)]
        view: View,
    },
    /// Use a context from now on: it becomes `current` in the file.
    #[command(after_help = "\
Exit codes:
  0  it is used from now on
  2  there is no such context, or the file cannot be written

Everything else in the file stays as it is, comments too.")]
    Use {
        /// The context; local for what runs on this machine
        name: String,
    },
    /// Print a context, or the one that counts here and why.
    #[command(after_help = "\
Exit codes:
  0  it was printed
  2  there is no such context, or the file is not as it has to be")]
    Show {
        /// The context [default: the one that counts here]
        name: Option<String>,
    },
}

/// Why the settings of a command cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] Error),
    /// The context.
    #[error(transparent)]
    Context(#[from] ContextError),
}

/// The settings of a command that asks a cluster: this one, or that of this context, or the one that is meant otherwise.
///
/// # Errors
/// [`ConfigError`].
pub(crate) fn config_of(
    address: Option<&str>,
    context: Option<&str>,
) -> Result<Config, ConfigError> {
    let mut from = LoadFrom::process();
    match address {
        Some(address) => from = from.argument("cluster.address", address),
        None => from.context = chosen(&from, context)?.into_settings(),
    }
    Ok(Config::load(from)?)
}

/// Which context counts, when no address was given.
///
/// # Errors
/// [`ConfigError`].
pub(crate) fn chosen(from: &LoadFrom, context: Option<&str>) -> Result<Chosen, ConfigError> {
    let contexts = Contexts::of(from)?;
    let variable = |name: &str| {
        let found = from.environment.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.to_string_lossy().into_owned())
            .filter(|value| !value.is_empty())
    };
    let names_cluster = ["RAYTREE_ADDRESS", "RAYTREE_CLUSTER__ADDRESS"];
    let has_address = names_cluster.iter().any(|name| variable(name).is_some());
    let named = variable(VARIABLE);
    Ok(choose(&contexts, context, has_address, named.as_deref())?)
}

/// The variable that names a context.
pub(crate) const VARIABLE: &str = "RAYTREE_CONTEXT";

/// `raytree context`.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn context(
    args: &ContextArgs,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let from = LoadFrom::process();
    let done = match &args.action {
        ContextAction::List { view } => match Contexts::of(&from) {
            Ok(contexts) => {
                return list(&rows(&contexts), 0, view, ("no contexts", style), out, err);
            }
            Err(error) => Err(error),
        },
        ContextAction::Use { name } => uses(&from, name),
        ContextAction::Show { name } => shows(&from, name.as_deref()),
    };
    match done {
        Ok(said) => {
            write!(out, "{said}")?;
            out.flush()?;
            Ok(Code::Good)
        }
        Err(error) => {
            writeln!(err, "raytree: {error}")?;
            Ok(Code::Nothing)
        }
    }
}

fn uses(from: &LoadFrom, name: &str) -> Result<String, ConfigError> {
    let contexts = Contexts::of(from)?;
    contexts.find(name)?;
    let path = contexts.uses(name)?;
    let mut said = format!("{name} is used from now on ({})\n", path.display());
    // Whoever wonders why nothing has changed.
    for variable in ["RAYTREE_ADDRESS", VARIABLE] {
        if env::var_os(variable).is_some_and(|value| !value.is_empty()) {
            said += &format!("but not here: {variable} is set, and wins\n");
        }
    }
    Ok(said)
}

fn shows(from: &LoadFrom, name: Option<&str>) -> Result<String, ConfigError> {
    let contexts = Contexts::of(from)?;
    let (name, why) = match name {
        Some(name) => (name.to_owned(), None),
        None => match chosen(from, None)? {
            Chosen::Context { name, by, .. } => (name, Some(by.to_string())),
            Chosen::Local { by } => (LOCAL.to_owned(), Some(by.to_string())),
            Chosen::Address => {
                return Ok("none: an address of the environment wins\n".to_owned());
            }
            Chosen::Nothing => return Ok("none: no context is in use\n".to_owned()),
        },
    };
    let mut said = format!("context     {name}\n");
    if let Some(why) = why {
        said += &format!("chosen by   {why}\n");
    }
    match contexts.find(&name)? {
        None => said += "address     none: what runs on this machine\n",
        Some(context) => {
            said += &format!("address     {}\n", context.address);
            let token = context.token_file.as_deref().unwrap_or("as in the settings");
            said += &format!("token_file  {token}\n");
        }
    }
    if let Some(path) = contexts.path() {
        said += &format!("file        {}\n", path.display());
    }
    Ok(said)
}

/// A context, as it is listed.
#[derive(Clone, Debug, Serialize)]
struct Listed {
    /// Its name.
    name: String,
    /// The file has it as current.
    is_current: bool,
    /// Where its head listens; none of the local one.
    address: Option<String>,
    /// Its token, where it says one.
    token_file: Option<String>,
}

impl Row for Listed {
    const COLUMNS: &'static [Column] = &[
        Column::text("context"),
        Column::text("current"),
        Column::text("address"),
        Column::text("token_file"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let or_none = |text: &Option<String>| text.clone().map_or(Cell::None, Cell::Text);
        vec![
            Cell::Text(self.name.clone()),
            if self.is_current { Cell::Text("yes".to_owned()) } else { Cell::None },
            or_none(&self.address),
            or_none(&self.token_file),
        ]
    }
}

fn rows(contexts: &Contexts) -> Vec<Listed> {
    let is_current = |name: &str| contexts.current.as_deref() == Some(name);
    let own = contexts.all.iter().map(|(name, context)| Listed {
        name: name.clone(),
        is_current: is_current(name),
        address: Some(context.address.clone()),
        token_file: context.token_file.clone(),
    });
    let local = Listed {
        name: LOCAL.to_owned(),
        is_current: is_current(LOCAL),
        address: None,
        token_file: None,
    };
    own.chain([local]).collect()
}
