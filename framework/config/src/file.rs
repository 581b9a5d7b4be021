//! The layer of the configuration file.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Profile, Provider};
use raytree_types::{Error, Result};

use crate::check::bad;
use crate::config::Origin;
use crate::layer::{Layer, Place};
use crate::limits::FILE_BYTES_MAX;
use crate::settings::TABLE;
use crate::surroundings::Surroundings;
use crate::table::Entry;

/// What the file in the working folder is called.
const NAME: &str = "raytree.toml";

/// The file that was named, else that of the working folder, else the user's own.
///
/// # Errors
/// [`Error::BadOption`] for a named file that does not exist, any that cannot be read or is not TOML, and for keys and
/// values that are no settings.
pub(crate) fn read(
    named: Option<&Path>,
    folder: Option<&Path>,
    surroundings: &Surroundings,
) -> Result<Option<Layer>> {
    if let Some(path) = named {
        let text = text_of(path)?;
        let text = text.ok_or_else(|| unreadable(path, "there is no such file"))?;
        return layer(path, &text, surroundings, true).map(Some);
    }
    if let Some(path) = folder.map(|folder| folder.join(NAME))
        && let Some(text) = text_of(&path)?
    {
        return layer(&path, &text, surroundings, false).map(Some);
    }
    let own = own(surroundings)?.filter(|(_, text)| !text.is_empty());
    own.map(|(path, text)| layer(&path, &text, surroundings, true)).transpose()
}

/// The user's own file and its text, which is empty where there is no such file.
///
/// # Errors
/// [`Error::BadOption`]: it cannot be read, or the environment names it and it does not exist.
pub(crate) fn own(surroundings: &Surroundings) -> Result<Option<(PathBuf, String)>> {
    let Some(path) = surroundings.config_file() else { return Ok(None) };
    let text = text_of(&path)?;
    if text.is_none() && surroundings.is_config_named() {
        return Err(unreadable(&path, "there is no such file, and RAYTREE_CONFIG names it"));
    }
    Ok(Some((path, text.unwrap_or_default())))
}

/// What the user's own file has beside settings: contexts of the command line.
const NO_SETTINGS: [&str; 2] = ["current", "contexts"];

fn unreadable(path: &Path, reason: &str) -> Error {
    Error::BadOption {
        option: "the configuration file".to_owned(),
        value: path.display().to_string(),
        reason: reason.to_owned(),
    }
}

/// None if there is no such file.
fn text_of(path: &Path) -> Result<Option<String>> {
    let failed = |error: &std::io::Error| unreadable(path, &format!("it cannot be read: {error}"));
    let file = match File::open(path) {
        // Also when what should be a folder on the way is a file.
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            return Ok(None);
        }
        other => other.map_err(|error| failed(&error))?,
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(path, &format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        unreadable(path, &format!("line {line}: it is not Unicode"))
    })
}

fn layer(
    path: &Path,
    text: &str,
    surroundings: &Surroundings,
    may_have_contexts: bool,
) -> Result<Layer> {
    let data = Figment::from(Toml::string(text)).data();
    let mut data = data.map_err(|error| unreadable(path, &one_line(&error.kind.to_string())))?;
    let mut reader = Reader {
        layer: Layer::new(Origin::File(path.to_owned())),
        origin: Origin::File(path.to_owned()),
        folder: path.parent().filter(|folder| !folder.as_os_str().is_empty()).map(PathBuf::from),
        home: surroundings.home(),
    };
    for (key, value) in data.remove(&Profile::Default).unwrap_or_default() {
        if may_have_contexts && NO_SETTINGS.contains(&&*key) {
            continue;
        }
        reader.add(&key, value)?;
    }
    Ok(reader.layer)
}

/// What the parser says, without its drawing of the place: `TOML parse error at line 1, column 5` and what is wrong.
fn one_line(message: &str) -> String {
    let drawing = |line: &&str| !line.is_empty() && !line.contains('|');
    let told: Vec<&str> = message.lines().map(str::trim).filter(drawing).collect();
    told.join(": ").replace("TOML parse error at line", "line")
}

struct Reader<'a> {
    layer: Layer,
    origin: Origin,
    folder: Option<PathBuf>,
    home: Option<&'a str>,
}

impl Reader<'_> {
    /// Adds a value, or all of a table.
    fn add(&mut self, key: &str, value: Value) -> Result<()> {
        let entry = TABLE.iter().find(|entry| entry.key == key);
        let text = match (value, entry) {
            (Value::Dict(_, amounts), Some(entry)) if entry.is_table => {
                self.table(entry, &amounts)?
            }
            // Sections have no sections: what lies deeper is unknown, however deep.
            (Value::Dict(_, settings), None) if is_section(key) || is_outermost(key, &settings) => {
                for (name, value) in settings {
                    self.add(&format!("{key}.{name}"), value)?;
                }
                return Ok(());
            }
            // A table that is no section is an unknown key like any other.
            (Value::Dict(..), None) => String::new(),
            (value, _) => self.text(key, &value)?,
        };
        let place = Place { folder: self.folder.as_deref(), home: self.home };
        self.layer.add_key(key, &text, place)
    }

    fn table(&self, entry: &Entry, amounts: &Dict) -> Result<String> {
        let mut parts = Vec::new();
        for (name, amount) in amounts {
            let key = format!("{}.{name}", entry.key);
            if name.contains([',', '=']) {
                let reason = "a name has neither comma nor equals sign";
                return Err(bad(entry.key, name, reason, &self.origin));
            }
            parts.push(format!("{name}={}", self.text(&key, amount)?));
        }
        Ok(parts.join(","))
    }

    fn text(&self, key: &str, value: &Value) -> Result<String> {
        match value {
            Value::String(_, text) => Ok(text.clone()),
            Value::Char(_, one) => Ok(one.to_string()),
            Value::Bool(_, on) => Ok(on.to_string()),
            Value::Num(_, number) => Ok(match (number.to_u128(), number.to_i128()) {
                (Some(number), _) => number.to_string(),
                (None, Some(number)) => number.to_string(),
                (None, None) => {
                    number.to_f64().map(|number| number.to_string()).unwrap_or_default()
                }
            }),
            Value::Array(..) => Err(bad(key, "a list", "it is one value", &self.origin)),
            // So the parser tells of dates and times.
            Value::Dict(_, parts) if parts.keys().any(|part| part.starts_with("$__toml")) => {
                Err(bad(key, "a date or time", "no setting is one; write text", &self.origin))
            }
            Value::Dict(..) => Err(bad(key, "a table", "it is one value", &self.origin)),
            Value::Empty(..) => Ok(String::new()),
        }
    }
}

fn is_section(key: &str) -> bool {
    crate::settings::SECTIONS.iter().any(|(section, _)| *section == key)
}

/// A table at the top with something in it: what it holds is named, so that the nearest name can be found.
fn is_outermost(key: &str, settings: &Dict) -> bool {
    !key.contains('.') && !settings.is_empty()
}
