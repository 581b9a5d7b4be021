//! A layer: values for some settings, all of one origin, checked before they are laid over others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use raytree_types::Result;

use crate::check::{bad, canonical, shown};
use crate::config::Origin;
use crate::near::nearest;
use crate::settings::{SECTIONS, TABLE};
use crate::table::Entry;

/// Values of one origin.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    origin: Origin,
    texts: BTreeMap<&'static str, String>,
}

/// Against what a path of a layer is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place<'a> {
    /// The folder of relative paths; none for the working folder, against which they stay relative.
    pub(crate) folder: Option<&'a Path>,
    /// What `~/` stands for.
    pub(crate) home: Option<&'a str>,
}

impl Layer {
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin, texts: BTreeMap::new() }
    }

    /// Adds a value.
    ///
    /// # Errors
    /// When the setting has no such value, or has one from this origin already.
    pub(crate) fn add(
        &mut self,
        entry: &'static Entry,
        text: &str,
        place: Place<'_>,
    ) -> Result<()> {
        let fail = |reason: &str| bad(entry.key, text, reason, &self.origin);
        let whole = match entry.is_path {
            true => whole_path(text, place).map_err(|reason| fail(&reason))?,
            false => text.to_owned(),
        };
        let text = canonical(entry, &whole, &self.origin)?;
        if let Some(first) = self.texts.get(entry.key) {
            let reason = format!("it is given twice, first as `{}`", shown(first));
            return Err(bad(entry.key, &text, &reason, &self.origin));
        }
        self.texts.insert(entry.key, text);
        Ok(())
    }

    /// Adds a value for a key as somebody wrote it.
    ///
    /// # Errors
    /// When there is no such key; and like [`Layer::add`].
    pub(crate) fn add_key(&mut self, key: &str, text: &str, place: Place<'_>) -> Result<()> {
        match TABLE.iter().find(|entry| entry.key == key) {
            Some(entry) => self.add(entry, text, place),
            None => Err(bad("the name of a setting", key, &unknown(key), &self.origin)),
        }
    }

    /// The text for a setting, if it is in this layer.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str)
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// What to say of a key that is none.
fn unknown(key: &str) -> String {
    if let Some((section, _)) = SECTIONS.iter().find(|(section, _)| *section == key) {
        return format!("it is a section, not a setting: write {section}.<name>");
    }
    let parent = TABLE.iter().find(|entry| {
        key.strip_prefix(entry.key).is_some_and(|rest| rest.starts_with('.')) && entry.is_table
    });
    if let Some(entry) = parent {
        return format!("it is no setting of its own: write {}=<name>=<amount>,..", entry.key);
    }
    match nearest(key, TABLE.iter().map(|entry| entry.key), ".") {
        Some(near) => format!("there is no such setting: did you mean {near}?"),
        None => {
            let sections: Vec<&str> = SECTIONS.iter().map(|(section, _)| *section).collect();
            format!("there is no such setting; the sections are {}", sections.join(", "))
        }
    }
}

/// `~/` is the user's own folder; a relative path is one in the folder of the layer.
fn whole_path(text: &str, place: Place<'_>) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    if text == "~" || text.starts_with("~/") {
        let home = place.home.ok_or("`~` stands for $HOME, which is not an absolute path")?;
        return Ok(format!("{}{}", home.trim_end_matches('/'), &text[1..]));
    }
    let Some(folder) = place.folder.filter(|_| !Path::new(text).is_absolute()) else {
        return Ok(text.to_owned());
    };
    let whole: PathBuf = folder.join(text);
    let whole = whole.into_os_string().into_string();
    whole.map_err(|_| "the folder of the file is not Unicode: write an absolute path".to_owned())
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        match &self.origin {
            Origin::Default => Metadata::named("default"),
            Origin::File(path) => Metadata::from("file", path.as_path()),
            Origin::Context(name) => Metadata::from("context", name.clone()),
            Origin::Environment(name) => Metadata::from("environment", name.clone()),
            Origin::Argument => Metadata::named("argument"),
        }
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut sections = Dict::new();
        for (key, text) in &self.texts {
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            let section = sections.entry(section.to_owned()).or_insert_with(|| Dict::new().into());
            if let Value::Dict(_, settings) = section {
                settings.insert(name.to_owned(), text.clone().into());
            }
        }
        Ok(Profile::Default.collect(sections))
    }
}

/// The inverse of [`Layer::metadata`](Provider::metadata).
fn origin_of(metadata: &Metadata) -> Origin {
    match (&*metadata.name, &metadata.source) {
        ("file", Some(Source::File(path))) => Origin::File(path.clone()),
        ("context", Some(Source::Custom(name))) => Origin::Context(name.clone()),
        ("environment", Some(Source::Custom(name))) => Origin::Environment(name.clone()),
        ("argument", _) => Origin::Argument,
        _ => Origin::Default,
    }
}

/// Lays layers over each other, the last on top: for each setting, in the order of the table, text and origin.
///
/// # Errors
/// None that a caller could bring about: the lowest layer has every setting.
pub(crate) fn merged(layers: impl IntoIterator<Item = Layer>) -> Result<Vec<(String, Origin)>> {
    let figment = layers.into_iter().fold(Figment::new(), Figment::merge);
    let fail = |key: &str, why: &str| bad(key, "", why, &Origin::Default);
    let data = figment.data().map_err(|error| fail("the configuration", &error.to_string()))?;
    let values = data.get(&Profile::Default);
    let find = |entry: &Entry| {
        let (section, name) = entry.key.split_once('.')?;
        let value = values?.get(section)?.as_dict()?.get(name)?;
        let origin = origin_of(figment.get_metadata(value.tag())?);
        Some((value.as_str()?.to_owned(), origin))
    };
    TABLE
        .iter()
        .map(|entry| find(entry).ok_or_else(|| fail(entry.key, "it has no value")))
        .collect()
}
