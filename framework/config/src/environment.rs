//! The layer of the environment: `RAYTREE_CLUSTER__PORT=1` sets `cluster.port`, and a few settings have short names.

use std::ffi::{OsStr, OsString};

use raytree_types::inspect::place::SWITCH_VARIABLE;
use raytree_types::{Error, Result};

use crate::check::{bad, shown};
use crate::config::Origin;
use crate::layer::{Layer, Place};
use crate::near::nearest;
use crate::settings::TABLE;
use crate::table::Entry;

/// How the names of all our variables begin.
const PREFIX: &str = "RAYTREE_";

/// A variable, or all that begin alike, which begins with `RAYTREE_` and is not a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OtherVariable {
    /// The variable; with a star at its end, all variables that begin so.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
}

/// The variables that begin with `RAYTREE_` and are not settings. All others are, or are refused.
pub const OTHERS: &[OtherVariable] = &[
    OtherVariable { name: "RAYTREE_CHROMIUM", purpose: "the browser that tests start" },
    OtherVariable {
        name: "RAYTREE_CONFIG",
        purpose: "the user's own configuration file, which then has to exist",
    },
    OtherVariable {
        name: "RAYTREE_CONTEXT",
        purpose: "which context the `raytree` command uses: see `raytree context --help`",
    },
    OtherVariable { name: "RAYTREE_GOLDEN", purpose: "the folder of golden files, in tests" },
    OtherVariable { name: "RAYTREE_LOG", purpose: "what is logged" },
    OtherVariable {
        name: "RAYTREE_ROLE*",
        purpose: "what a process that the system started is to be; set by who starts it",
    },
    OtherVariable {
        name: "RAYTREE_SCREENSHOTS",
        purpose: "the folder in which tests keep what their browser showed",
    },
    OtherVariable { name: "RAYTREE_TEST_*", purpose: "tests that run themselves again" },
];

impl OtherVariable {
    fn is(&self, variable: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(start) => variable.starts_with(start),
            None => variable == self.name,
        }
    }
}

/// One layer for each variable that is a setting, in the order of the table. Empty variables do not count.
///
/// # Errors
/// [`Error::BadOption`] for a variable that is neither a setting nor in [`OTHERS`], a value that does not fit, and a
/// setting that is given by both its names.
pub(crate) fn read(variables: &[(OsString, OsString)], home: Option<&str>) -> Result<Vec<Layer>> {
    let ours =
        variables.iter().filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    let mut given: Vec<Option<Layer>> = vec![None; TABLE.len()];
    for (name, value) in ours {
        let name = name.to_string_lossy();
        if OTHERS.iter().any(|other| other.is(&name)) {
            continue;
        }
        let known = TABLE.iter().zip(&mut given);
        let mut known = known.filter_map(|(entry, slot)| Some((entry, means(entry, &name)?, slot)));
        let Some((entry, means, slot)) = known.next() else { return Err(unknown(&name)) };
        if value.is_empty() {
            continue;
        }
        let origin = Origin::Environment(name.into_owned());
        if let Some(first) = slot {
            let reason = format!("it is given twice, first by {}", first.origin());
            return Err(bad(entry.key, &value.to_string_lossy(), &reason, &origin));
        }
        *slot = Some(layer(entry, means, value, origin, home)?);
    }
    Ok(given.into_iter().flatten().collect())
}

/// How values of a variable are read, if it is one of the names of a setting.
fn means(entry: &Entry, variable: &str) -> Option<fn(&str) -> String> {
    match entry.short {
        Some(short) if short.variable == variable => Some(short.means),
        _ => (entry.variable() == variable).then_some(str::to_owned),
    }
}

fn layer(
    entry: &'static Entry,
    means: fn(&str) -> String,
    value: &OsStr,
    origin: Origin,
    home: Option<&str>,
) -> Result<Layer> {
    let Some(text) = value.to_str() else {
        return Err(bad(entry.key, &value.to_string_lossy(), "it is not Unicode", &origin));
    };
    let mut layer = Layer::new(origin);
    layer.add(entry, &means(text), Place { folder: None, home })?;
    Ok(layer)
}

/// What stays so whatever the arguments say: an inspector that is switched off by its own variable.
pub(crate) fn last_words(environment: &[Layer]) -> Vec<Layer> {
    let own = Origin::Environment(SWITCH_VARIABLE.to_owned());
    let words = environment.iter().filter(|layer| *layer.origin() == own);
    words.filter(|layer| layer.text("inspector.enabled") == Some("false")).cloned().collect()
}

/// The value is not repeated: who knows what it is.
fn unknown(variable: &str) -> Error {
    let long: Vec<String> = TABLE.iter().map(Entry::variable).collect();
    let short = TABLE.iter().filter_map(|entry| Some(entry.short?.variable));
    let others = OTHERS.iter().map(|other| other.name);
    let known = long.iter().map(String::as_str).chain(short).chain(others.clone());
    // All begin alike, which says nothing about how like they are.
    let wrong = variable.strip_prefix(PREFIX).unwrap_or(variable);
    let reason = match nearest(wrong, known.filter_map(|name| name.strip_prefix(PREFIX)), "__") {
        Some(near) => format!("it is not a setting: did you mean {PREFIX}{near}?"),
        None => {
            let others: Vec<&str> = others.collect();
            format!("it is not a setting, and not one of {}", others.join(", "))
        }
    };
    Error::BadOption { option: "the environment".to_owned(), value: shown(variable), reason }
}
