//! The settings, once loaded.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use raytree_types::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::load::LoadFrom;
use crate::relations;
use crate::settings::{Calls, Cluster, Dashboard, Inspector, Liveness, Logs, Metrics, Node, TABLE};

/// Where the value of a setting comes from; a later one has more to say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nobody gave it.
    Default,
    /// This file.
    File(PathBuf),
    /// This context of the user's own file, chosen for a command; one that an argument names lies over the environment.
    Context(String),
    /// This variable of the environment.
    Environment(String),
    /// An argument.
    Argument,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Context(name) => write!(f, "the context {name}"),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::Argument => f.write_str("an argument"),
        }
    }
}

/// One setting, with all there is to say of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// Its name: `cluster.port`.
    pub key: &'static str,
    /// Its value, as text that is read as the same value; empty for none.
    pub value: String,
    /// What it counts, or what kind of text it is.
    pub unit: &'static str,
    /// What it may be.
    pub range: &'static str,
    /// What it is on this machine if nobody says anything; empty for none.
    pub default: String,
    /// Where the value comes from.
    pub origin: Origin,
    /// What it means.
    pub meaning: &'static str,
    /// Its name in the environment: `RAYTREE_CLUSTER__PORT`.
    pub variable: String,
    /// Its shorter name there, if it has one: `RAYTREE_ADDRESS`.
    pub short_variable: Option<&'static str>,
}

/// All settings. They are in their ranges, go together, and do not change.
///
/// Two are equal if all their values are, wherever those come from. It travels as the texts of all settings, and whoever
/// receives it checks them again.
#[derive(Clone, Debug)]
pub struct Config {
    cluster: Cluster,
    liveness: Liveness,
    node: Node,
    calls: Calls,
    inspector: Inspector,
    dashboard: Dashboard,
    metrics: Metrics,
    logs: Logs,
    /// Text and origin of each setting, in the order of the table.
    given: Vec<(String, Origin)>,
    /// The default of each setting, in the order of the table.
    defaults: Vec<String>,
}

impl Config {
    /// `given` and `defaults` are in the order of the table.
    pub(crate) fn of(given: Vec<(String, Origin)>, defaults: Vec<String>) -> Result<Self> {
        let text = |key: &'static str| {
            let place = TABLE.iter().position(|entry| entry.key == key);
            place
                .and_then(|at| given.get(at))
                .map(|(text, _)| text.as_str())
                .ok_or_else(|| missing(key))
        };
        let (cluster, liveness) = (Cluster::read(text)?, Liveness::read(text)?);
        let (node, calls) = (Node::read(text)?, Calls::read(text)?);
        let (inspector, dashboard) = (Inspector::read(text)?, Dashboard::read(text)?);
        let (metrics, logs) = (Metrics::read(text)?, Logs::read(text)?);
        let config = Self {
            cluster,
            liveness,
            node,
            calls,
            inspector,
            dashboard,
            metrics,
            logs,
            given,
            defaults,
        };
        relations::check(&config)?;
        Ok(config)
    }

    /// Which cluster this process belongs to, where it listens, and who may join it.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// When a process counts as alive, suspect, stuck or dead.
    #[must_use]
    pub fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    /// What this machine offers, and how its workers are kept.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Calls between processes.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// How the runtimes of this process can be looked at.
    #[must_use]
    pub fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    /// The page on which a head shows its cluster in a browser.
    #[must_use]
    pub fn dashboard(&self) -> &Dashboard {
        &self.dashboard
    }

    /// Numbers for Prometheus, which heads and nodes offer.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What processes write to their standard output and error.
    #[must_use]
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Where the value of a setting comes from; none if there is no such setting.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.find(key).map(|(_, origin)| origin)
    }

    /// The value of a setting as text, empty for none; none if there is no such setting.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.find(key).map(|(text, _)| text.as_str())
    }

    fn find(&self, key: &str) -> Option<&(String, Origin)> {
        self.given.get(TABLE.iter().position(|entry| entry.key == key)?)
    }

    /// Every setting with all there is to say of it, section by section.
    #[must_use]
    pub fn explain(&self) -> Vec<Setting> {
        let rows = TABLE.iter().zip(&self.given).zip(&self.defaults);
        let setting = rows.map(|((entry, (value, origin)), default)| Setting {
            key: entry.key,
            value: value.clone(),
            unit: entry.unit,
            range: entry.range,
            default: default.clone(),
            origin: origin.clone(),
            meaning: entry.meaning(),
            variable: entry.variable(),
            short_variable: entry.short.map(|short| short.variable),
        });
        setting.collect()
    }

    /// Every setting as an argument: loaded again, these give the same configuration on any machine, unless
    /// `RAYTREE_INSPECTOR=off` stands in its environment.
    #[must_use]
    pub fn arguments(&self) -> Vec<(String, String)> {
        let rows = TABLE.iter().zip(&self.given);
        rows.map(|(entry, (text, _))| (entry.key.to_owned(), text.clone())).collect()
    }
}

impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        let texts =
            |config: &Self| config.given.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>();
        texts(self) == texts(other)
    }
}

impl Eq for Config {}

impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_map(TABLE.iter().zip(&self.given).map(|(entry, (text, _))| (entry.key, text)))
    }
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
        if let Some(entry) = TABLE.iter().find(|entry| !texts.contains_key(entry.key)) {
            return Err(de::Error::custom(missing(entry.key)));
        }
        let arguments = texts.into_iter().collect();
        Self::load(LoadFrom { arguments, ..LoadFrom::default() }).map_err(de::Error::custom)
    }
}

/// Who sends a configuration sends all of it.
fn missing(key: &str) -> Error {
    Error::BadOption {
        option: key.to_owned(),
        value: "``".to_owned(),
        reason: "it has no value".to_owned(),
    }
}
