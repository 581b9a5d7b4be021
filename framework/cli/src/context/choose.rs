//! Which context counts. Pure.

use std::fmt;
use std::path::PathBuf;

use raytree_config::ContextSettings;

use super::VARIABLE;
use super::file::{Context, ContextError, Contexts};

/// The context that means what runs on this machine.
pub(crate) const LOCAL: &str = "local";

/// What a context was chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// `--context`.
    Argument,
    /// The variable.
    Variable,
    /// The file.
    Current,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => f.write_str("--context"),
            Self::Variable => f.write_str(VARIABLE),
            Self::Current => f.write_str("`current` of the file"),
        }
    }
}

/// What counts, where no address was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// A context of the file.
    Context {
        /// Its name.
        name: String,
        /// What it says.
        context: Context,
        /// Where it stands.
        path: Option<PathBuf>,
        /// Who has chosen it.
        by: By,
    },
    /// What runs on this machine.
    Local {
        /// Who has chosen it.
        by: By,
    },
    /// The environment has an address, which wins.
    Address,
    /// None: the settings alone.
    Nothing,
}

/// Decides which context counts.
///
/// # Errors
/// [`ContextError::Unknown`], also where the file itself names one that is not there.
pub(crate) fn choose(
    contexts: &Contexts,
    argument: Option<&str>,
    has_address: bool,
    variable: Option<&str>,
) -> Result<Chosen, ContextError> {
    let named = match (argument, variable) {
        (Some(name), _) => Some((name, By::Argument)),
        _ if has_address => return Ok(Chosen::Address),
        (None, Some(name)) => Some((name, By::Variable)),
        (None, None) => contexts.current.as_deref().map(|name| (name, By::Current)),
    };
    let Some((name, by)) = named else { return Ok(Chosen::Nothing) };
    Ok(match contexts.find(name)? {
        None => Chosen::Local { by },
        Some(context) => Chosen::Context {
            name: name.to_owned(),
            context: context.clone(),
            path: contexts.path().map(PathBuf::from),
            by,
        },
    })
}

impl Chosen {
    /// Its name, where there is one.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Context { name, .. } => Some(name),
            Self::Local { .. } => Some(LOCAL),
            Self::Address | Self::Nothing => None,
        }
    }

    /// Who has chosen it.
    pub(crate) fn by(&self) -> Option<By> {
        match self {
            Self::Context { by, .. } | Self::Local { by } => Some(*by),
            Self::Address | Self::Nothing => None,
        }
    }

    /// As a layer of the settings.
    pub(crate) fn into_settings(self) -> Option<ContextSettings> {
        let key = |name: &str| format!("cluster.{name}");
        let (name, path, by, settings) = match self {
            Self::Context { name, context, path, by } => {
                let token = context.token_file.map(|file| (key("token_file"), file));
                let address = Some((key("address"), context.address));
                (name, path, by, [address, token].into_iter().flatten().collect())
            }
            Self::Local { by } => {
                (LOCAL.to_owned(), None, by, vec![(key("address"), String::new())])
            }
            Self::Address | Self::Nothing => return None,
        };
        let folder = path.as_deref().and_then(|path| path.parent()).map(PathBuf::from);
        Some(ContextSettings { name, folder, settings, over_environment: by == By::Argument })
    }
}
