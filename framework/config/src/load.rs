//! What a configuration is loaded from.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;
use std::thread::available_parallelism;

use raytree_types::{Error, Result};

use crate::check::canonical;
use crate::config::{Config, Origin};
use crate::environment;
use crate::file;
use crate::layer::{Layer, Place, merged};
use crate::memory;
use crate::settings::TABLE;
use crate::surroundings::{Machine, Surroundings};

/// All that [`Config::load`] reads beside the configuration file. By default nothing: no file, an empty environment, no
/// arguments, an unknown machine.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct LoadFrom {
    /// The configuration file, which has to exist. Default: `raytree.toml` in `folder`, else `raytree/config.toml` in
    /// `$XDG_CONFIG_HOME` or `~/.config`, else none.
    pub file: Option<PathBuf>,
    /// The working folder, where `raytree.toml` may lie. Default: none.
    pub folder: Option<PathBuf>,
    /// A context. Default: none.
    pub context: Option<ContextSettings>,
    /// The environment: names and values. Default: empty.
    pub environment: Vec<(OsString, OsString)>,
    /// Keys and values, such as `cluster.port` and `1`. Default: none.
    pub arguments: Vec<(String, String)>,
    /// Machine and process. Default: unknown.
    pub machine: Machine,
}

/// Settings that count together, under a name: a cluster of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextSettings {
    /// Its name.
    pub name: String,
    /// What relative paths in it are relative to. Default: the working folder.
    pub folder: Option<PathBuf>,
    /// Keys and values. Default: none.
    pub settings: Vec<(String, String)>,
    /// It lies over the environment; else over the file alone.
    pub over_environment: bool,
}

impl LoadFrom {
    /// The working folder, the environment and the machine of this process. Of the environment only what matters is
    /// kept: what begins with `RAYTREE_` or `XDG_`, and `HOME`.
    pub fn process() -> Self {
        let matters = |name: &OsStr| {
            let starts = |start: &str| name.as_encoded_bytes().starts_with(start.as_bytes());
            starts("RAYTREE_") || starts("XDG_") || name == "HOME"
        };
        Self {
            file: None,
            folder: env::current_dir().ok(),
            context: None,
            environment: env::vars_os().filter(|(name, _)| matters(name)).collect(),
            arguments: Vec::new(),
            machine: Machine::here(),
        }
    }

    /// The user's own configuration file and its text: `$RAYTREE_CONFIG`, else `raytree/config.toml` in `$XDG_CONFIG_HOME` or
    /// `~/.config`. The text is empty where there is no such file.
    ///
    /// # Errors
    /// [`Error::BadOption`]: it cannot be read, or the environment names it and it does not exist.
    pub fn user_file(&self) -> Result<Option<(PathBuf, String)>> {
        let of = |name: &str| variable(&self.environment, name);
        file::own(&Surroundings::read(self.machine.clone(), of)?)
    }

    /// With this configuration file, which has to exist.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// With a further variable of the environment.
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// With a further argument.
    pub fn argument(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.arguments.push((key.into(), value.into()));
        self
    }
}

/// A variable that is not empty.
fn variable<'a>(environment: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    let known = environment.iter().find(|(known, _)| known == name);
    known.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
}

impl Machine {
    /// This machine and process.
    #[must_use]
    pub fn here() -> Self {
        let told = fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let host = told.or_else(|| env::var("HOSTNAME").ok()).unwrap_or_default();
        Self {
            host: host.trim().to_owned(),
            process: std::process::id(),
            cpus: available_parallelism().map_or(1, usize::from),
            memory: memory::usable(),
        }
    }
}

/// Reads an argument as it stands on a command line: `cluster.port=1`. An empty value takes a setting back that a lower
/// layer gave, where none is a value.
///
/// # Errors
/// [`Error::BadOption`] without an equals sign.
///
/// ```
/// let argument = raytree_config::split_argument("node.resources=disk=2")?;
/// assert_eq!(argument, ("node.resources".to_owned(), "disk=2".to_owned()));
/// # Ok::<(), raytree_types::Error>(())
/// ```
pub fn split_argument(argument: &str) -> Result<(String, String)> {
    let parts = argument.split_once('=').ok_or_else(|| Error::BadOption {
        option: "a setting".to_owned(),
        value: argument.to_owned(),
        reason: "it is a name and a value, such as cluster.port=1".to_owned(),
    })?;
    Ok((parts.0.to_owned(), parts.1.to_owned()))
}

fn layer_of(context: &ContextSettings, home: Option<&str>) -> Result<Layer> {
    let mut layer = Layer::new(Origin::Context(context.name.clone()));
    for (key, text) in &context.settings {
        layer.add_key(key, text, Place { folder: context.folder.as_deref(), home })?;
    }
    Ok(layer)
}

impl Config {
    /// Loads the settings: defaults < file < environment < arguments, and a context over the file or over the environment. The only thing it reads by itself is the file.
    ///
    /// # Errors
    /// [`Error::BadOption`] for the first thing, layer by layer from the lowest, that is not as it has to be: a file that
    /// was named and does not exist, cannot be read or is not TOML; a name that is no setting; a value that cannot be
    /// read, lies out of its range or is given twice; and values that do not go together.
    pub fn load(from: LoadFrom) -> Result<Self> {
        let LoadFrom { file, folder, context, environment, arguments, machine } = from;
        let surroundings = Surroundings::read(machine, |name| variable(&environment, name))?;
        let home = surroundings.home();

        let mut lowest = Layer::new(Origin::Default);
        let mut defaults = Vec::with_capacity(TABLE.len());
        for entry in TABLE {
            let text = canonical(entry, &entry.default_in(&surroundings), &Origin::Default)?;
            lowest.add(entry, &text, Place::default())?;
            defaults.push(text);
        }
        let file = file::read(file.as_deref(), folder.as_deref(), &surroundings)?;
        let over_environment = context.as_ref().is_some_and(|context| context.over_environment);
        let context = context.map(|context| layer_of(&context, home)).transpose()?;
        let (below, above) = if over_environment { (None, context) } else { (context, None) };
        let environment = environment::read(&environment, home)?;
        let last_words = environment::last_words(&environment);
        let mut highest = Layer::new(Origin::Argument);
        for (key, text) in &arguments {
            highest.add_key(key, text, Place { folder: None, home })?;
        }

        let lower = [lowest].into_iter().chain(file).chain(below).chain(environment).chain(above);
        Self::of(merged(lower.chain([highest]).chain(last_words))?, defaults)
    }
}
