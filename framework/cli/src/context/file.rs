//! The contexts of the user's own configuration file. It is the file of a person: what is written into it leaves everything else as
//! it is.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use raytree_config::LoadFrom;
use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::ConfigError;
use super::choose::LOCAL;
use crate::near::nearest;

/// The keys of the file that are no settings.
const CURRENT: &str = "current";
const CONTEXTS: &str = "contexts";

/// What is wrong with contexts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// Nobody knows it.
    #[error("there is no context `{name}`{}: there are {known} ({place})", did_you_mean(near.as_deref()))]
    Unknown {
        /// What was said.
        name: String,
        /// What may be meant.
        near: Option<String>,
        /// All of them.
        known: String,
        /// The file, or that there is none.
        place: String,
    },
    /// An entry of the file is not as it has to be.
    #[error("{}: {entry}: {reason}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no file that could be written.
    #[error("there is no file for contexts: set RAYTREE_CONFIG or HOME")]
    NoFile,
    /// The file cannot be written.
    #[error("{} cannot be written: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"))
}

/// A cluster under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    /// Where its head listens.
    pub(crate) address: String,
    /// Its token; else that of the settings.
    pub(crate) token_file: Option<String>,
}

/// What the file says.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    path: Option<PathBuf>,
    document: DocumentMut,
    /// The one that is used where nobody says another.
    pub(crate) current: Option<String>,
    /// By name.
    pub(crate) all: BTreeMap<String, Context>,
}

impl Contexts {
    /// Those of the user's own file; none where there is no such file.
    ///
    /// # Errors
    /// [`ConfigError`]: it cannot be read, is not TOML, or an entry is not as it has to be.
    pub(super) fn of(from: &LoadFrom) -> Result<Self, ConfigError> {
        match from.user_file()? {
            Some((path, text)) => Ok(Self::parse(path, &text)?),
            None => Ok(Self::default()),
        }
    }

    /// Those of this text.
    ///
    /// # Errors
    /// [`ContextError::Bad`].
    pub(super) fn parse(path: PathBuf, text: &str) -> Result<Self, ContextError> {
        let bad = |entry: &str, reason: &str| ContextError::Bad {
            path: path.clone(),
            entry: entry.to_owned(),
            reason: reason.to_owned(),
        };
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            let line = error
                .span()
                .map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            bad(&format!("line {line}"), error.message().lines().next().unwrap_or("it is not TOML"))
        })?;
        let current = match document.get(CURRENT) {
            None => None,
            Some(item) => {
                let name =
                    item.as_str().ok_or_else(|| bad(CURRENT, "it is the name of a context"))?;
                Some(name.to_owned()).filter(|name| !name.is_empty())
            }
        };
        let mut all = BTreeMap::new();
        if let Some(item) = document.get(CONTEXTS) {
            let table = "each context is a table: [contexts.NAME]";
            let entries = item.as_table_like().ok_or_else(|| bad(CONTEXTS, table))?;
            for (name, item) in entries.iter() {
                let entry = format!("{CONTEXTS}.{name}");
                let fields = item.as_table_like().ok_or_else(|| bad(&entry, table))?;
                if name == LOCAL {
                    return Err(bad(&entry, "this name means what runs on this machine"));
                }
                let context =
                    context(fields).map_err(|(key, why)| bad(&format!("{entry}.{key}"), &why))?;
                all.insert(name.to_owned(), context);
            }
        }
        Ok(Self { path: Some(path), document, current, all })
    }

    /// The file.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The context of this name; nothing for the local one.
    ///
    /// # Errors
    /// [`ContextError::Unknown`] with what may be meant.
    pub(crate) fn find(&self, name: &str) -> Result<Option<&Context>, ContextError> {
        if name == LOCAL {
            return Ok(None);
        }
        let names = || self.all.keys().map(String::as_str).chain([LOCAL]);
        self.all.get(name).map(Some).ok_or_else(|| ContextError::Unknown {
            name: name.to_owned(),
            near: nearest(name, names()).map(str::to_owned),
            known: names().collect::<Vec<_>>().join(", "),
            place: match &self.path {
                Some(path) => format!("in {}", path.display()),
                None => "no file is known".to_owned(),
            },
        })
    }

    /// The text of the file with this one as current. Everything else in it stays as it is.
    pub(super) fn with_current(&self, name: &str) -> String {
        let mut document = self.document.clone();
        match document.get_mut(CURRENT).and_then(Item::as_value_mut) {
            Some(value) => {
                // A comment behind it is part of it.
                let decor = value.decor().clone();
                *value = Value::from(name);
                *value.decor_mut() = decor;
            }
            None => _ = document.insert(CURRENT, toml_edit::value(name)),
        }
        document.to_string()
    }

    /// Makes this one current in the file, which is replaced as a whole or not at all; where it is.
    ///
    /// # Errors
    /// [`ContextError::NoFile`], [`ContextError::Unwritable`].
    pub(super) fn uses(&self, name: &str) -> Result<PathBuf, ContextError> {
        let path = self.path.clone().ok_or(ContextError::NoFile)?;
        // A link stays one.
        let path = fs::canonicalize(&path).unwrap_or(path);
        replace(&path, &self.with_current(name)).map_err(|error| ContextError::Unwritable {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        Ok(path)
    }
}

/// Reads a context; else which key is wrong, and why.
fn context(fields: &dyn TableLike) -> Result<Context, (String, String)> {
    let text = |key: &str, item: &Item| {
        let text = item.as_str().map(str::to_owned).filter(|text| !text.is_empty());
        text.ok_or_else(|| (key.to_owned(), "it is text, and not empty".to_owned()))
    };
    let (mut address, mut token_file) = (None, None);
    for (key, item) in fields.iter() {
        match key {
            "address" => address = Some(text(key, item)?),
            "token_file" => token_file = Some(text(key, item)?),
            other => {
                let near = did_you_mean(nearest(other, ["address", "token_file"]));
                let why = format!("there is no such entry{near}: there are address and token_file");
                return Err((other.to_owned(), why));
            }
        }
    }
    let missing =
        || ("address".to_owned(), "it is missing: where the head listens, HOST:PORT".to_owned());
    Ok(Context { address: address.ok_or_else(missing)?, token_file })
}

/// Writes the file beside its place and gives it its name when it is whole, with the permissions that it had.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mode = fs::metadata(path).map_or(0o600, |is| is.permissions().mode() & 0o7777);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unnamed = folder.join(format!(".{name}.{}.new", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unnamed)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&unnamed, path)
    })();
    if written.is_err() {
        // It may not even be there.
        _ = fs::remove_file(&unnamed);
    }
    written
}
