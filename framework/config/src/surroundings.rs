//! What defaults depend on: machine, process and user.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use raytree_types::limits::{self, NAME_BYTES_MAX};
use raytree_types::{Error, Result};

/// What a configuration needs to know of machine and process. By default nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The host's name. Default: empty, and nodes are then called `node`.
    pub host: String,
    /// The process's number. Default: 0, which is unknown and left out of names.
    pub process: u32,
    /// The CPUs this process may use. Default: 0, which is unknown and counts as 1.
    pub cpus: usize,
    /// The memory it may use, in bytes. Default: 0, which is unknown.
    pub memory: u64,
}

/// The variable that names the user's own configuration file.
const CONFIG_VARIABLE: &str = "RAYTREE_CONFIG";

/// [`Machine`], and the user's folders.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    machine: Machine,
    home: Option<String>,
    config: Option<String>,
    /// The user's own configuration file, where the environment names it.
    config_file: Option<PathBuf>,
    cache: Option<String>,
    run: Option<String>,
}

impl Surroundings {
    /// Reads the user's folders from the environment.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a folder that is not Unicode.
    pub(crate) fn read<'a>(
        machine: Machine,
        variable: impl Fn(&str) -> Option<&'a OsStr>,
    ) -> Result<Self> {
        let folder = |name: &str| match variable(name).map(|value| (value, value.to_str())) {
            None => Ok(None),
            // As the XDG rules have it, a folder that is not absolute does not count.
            Some((_, Some(text))) => Ok(Some(text.to_owned()).filter(|text| text.starts_with('/'))),
            Some((value, None)) => Err(Error::BadOption {
                option: format!("the environment variable {name}"),
                value: value.to_string_lossy().into_owned(),
                reason: "it is not Unicode".to_owned(),
            }),
        };
        let home = folder("HOME")?;
        let under = |part: &str| home.as_ref().map(|home| joined(home, part));
        Ok(Self {
            config: folder("XDG_CONFIG_HOME")?.or_else(|| under(".config")),
            cache: folder("XDG_CACHE_HOME")?.or_else(|| under(".cache")),
            run: folder("XDG_RUNTIME_DIR")?,
            config_file: variable(CONFIG_VARIABLE).map(PathBuf::from),
            machine,
            home,
        })
    }

    /// The user's own folder.
    pub(crate) fn home(&self) -> Option<&str> {
        self.home.as_deref()
    }

    /// Where the user's own configuration file is, if there is one.
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        let named = self.config_file.clone();
        let in_folder = |folder| Path::new(folder).join("raytree").join("config.toml");
        named.or_else(|| self.config.as_ref().map(in_folder))
    }

    /// The environment names it, so that it has to exist.
    pub(crate) fn is_config_named(&self) -> bool {
        self.config_file.is_some()
    }

    /// `host-4711`, cut to the length of a name.
    pub(crate) fn node_name(&self) -> String {
        let Machine { host, process, .. } = &self.machine;
        let number = if *process == 0 { String::new() } else { format!("-{process}") };
        let host: String =
            host.trim().chars().map(|c| if c == '/' || c.is_control() { '-' } else { c }).collect();
        let mut end = host.len().min(NAME_BYTES_MAX - number.len());
        while !host.is_char_boundary(end) {
            end -= 1;
        }
        let host = if host.is_empty() { "node" } else { host[..end].trim_end() };
        format!("{host}{number}")
    }

    pub(crate) fn cpus(&self) -> String {
        self.machine.cpus.max(1).to_string()
    }

    /// Three tenths of the memory within bounds, as Ray has it; where that is unknown, what a small machine can give.
    pub(crate) fn object_store_bytes(&self) -> String {
        const UNKNOWN: u64 = 512 << 20;
        const MIB: u64 = 1 << 20;
        let part = match self.machine.memory {
            0 => UNKNOWN,
            memory => (memory / 10 * 3).clamp(limits::STORE_DEFAULT_MIN, limits::STORE_DEFAULT_MAX),
        };
        format!("{}MiB", part.div_ceil(MIB))
    }

    pub(crate) fn token_file(&self) -> String {
        self.config.as_ref().map(|folder| joined(folder, "raytree/token")).unwrap_or_default()
    }

    pub(crate) fn cache_dir(&self) -> String {
        self.cache.as_ref().map(|folder| joined(folder, "raytree")).unwrap_or_default()
    }

    /// Empty without a folder of the user's: the number of the user is known to the runtime only.
    pub(crate) fn inspect_folder(&self) -> String {
        self.run.as_ref().map(|folder| joined(folder, "raytree")).unwrap_or_default()
    }
}

fn joined(folder: &str, part: &str) -> String {
    format!("{}/{part}", folder.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Surroundings {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsStr::new(*value))
        };
        Surroundings::read(Machine::default(), find).unwrap()
    }

    #[test]
    fn the_users_folders_are_those_of_xdg_or_of_home() {
        let own = with(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c/"), ("XDG_RUNTIME_DIR", "/r")]);
        assert_eq!(own.token_file(), "/c/raytree/token");
        assert_eq!(own.config_file(), Some("/c/raytree/config.toml".into()));
        assert_eq!(
            (&*own.cache_dir(), &*own.inspect_folder()),
            ("/h/.cache/raytree", "/r/raytree")
        );
        let relative = with(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "c")]);
        assert_eq!(relative.token_file(), "/h/.config/raytree/token");
        let none = with(&[("HOME", "")]);
        assert_eq!((none.token_file(), none.config_file()), (String::new(), None));
    }

    #[test]
    fn a_node_is_called_after_host_and_process() {
        let name = |host: &str, process| {
            let machine = Machine { host: host.to_owned(), process, ..Machine::default() };
            Surroundings { machine, ..Surroundings::default() }.node_name()
        };
        assert_eq!(name("big\n", 4711), "big-4711");
        assert_eq!((name("", 0), name("", 7)), ("node".to_owned(), "node-7".to_owned()));
        assert_eq!(name("a/b", 1), "a-b-1");
        let long = name(&"ä".repeat(100), 12_345);
        assert!(long.len() <= NAME_BYTES_MAX && long.ends_with("ä-12345"), "{long}");
    }
}
