//! Object stores as places for spilled objects: `s3://bucket/prefix`, `file:///path` and the like.
//!
//! A store that spills there has a *life* of its own below the URL, `raytree-spill-HOST-PROCESS-RANDOM`: files of fused objects, as in a folder,
//! and an object `owner`, which is written anew from time to time. What crashed stores have left is removed by the next one, as long as it
//! is sure that they are gone (`life.rs`).
//!
//! The clients are asynchronous, and the threads that spill wait for them. They have threads of their own, for they are needed at the end of a
//! node, too, when its own may be gone already. All this is there with the feature `object-store` alone (`file`), or `object-store-cloud`
//! (`s3`, `gs`, `az`): without, a URL is refused when the store is made.

#[cfg(feature = "object-store")]
mod client;
#[cfg(feature = "object-store")]
mod device;
#[cfg(feature = "object-store")]
mod life;
#[cfg(feature = "object-store")]
mod pieces;

use std::fmt;
use std::path::Path;

use raytree_store::spill::Device;

/// A place in an object store.
#[derive(Clone, PartialEq, Eq)]
pub struct SpillUrl {
    pub(crate) url: String,
    /// Names and values.
    pub(crate) options: Vec<(String, String)>,
}

impl SpillUrl {
    /// The place at this URL. Who may use it, and where its server is, is said by the environment, by the variables that such stores have for
    /// that: `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT`, `GOOGLE_SERVICE_ACCOUNT`, `AZURE_STORAGE_ACCOUNT_NAME` and so on.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), options: Vec::new() }
    }

    /// With this option in the place of what the environment says, such as `aws_endpoint`. Shown nowhere.
    #[must_use]
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl fmt::Debug for SpillUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.options.iter().map(|(name, _)| name).collect();
        f.debug_struct("SpillUrl").field("url", &self.url).field("options", &names).finish()
    }
}

/// Why nothing can be spilled to a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// This program was built without what it takes.
    #[error(
        "nothing can be spilled to {url} (node.spill_folders): this program is built without the feature `{feature}` of raytree"
    )]
    NotBuilt {
        /// Which URL.
        url: String,
        /// With this feature it could.
        feature: &'static str,
    },
    /// There are no such object stores.
    #[error(
        "nothing can be spilled to {url} (node.spill_folders): `{scheme}` is none of file, s3, s3a, gs, az, azure, abfs, abfss and adl"
    )]
    Unknown {
        /// Which URL.
        url: String,
        /// How it begins.
        scheme: String,
    },
    /// It has a user, a password or a question, or is no URL; it is not repeated.
    #[error(
        "a URL among the places to spill to (node.spill_folders) is none, or has a user, a password, a question or a fragment: who may use it is said by the environment alone"
    )]
    Refused,
    /// The environment does not say what it takes, or says nonsense.
    #[error("nothing can be spilled to {url} (node.spill_folders): {why}")]
    Client {
        /// Which URL.
        url: String,
        /// What is wrong.
        why: String,
    },
}

/// What it takes to spill to a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Cloud,
}

impl Kind {
    fn of(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Refused)?;
        if rest.contains(['@', '?', '#']) {
            return Err(UrlError::Refused);
        }
        let kind = match scheme {
            "file" => Self::File,
            "s3" | "s3a" | "gs" | "az" | "azure" | "abfs" | "abfss" | "adl" => Self::Cloud,
            _ => {
                let (url, scheme) = (url.to_owned(), scheme.to_owned());
                return Err(UrlError::Unknown { url, scheme });
            }
        };
        let feature = match kind {
            Self::File if !cfg!(feature = "object-store") => "object-store",
            Self::Cloud if !cfg!(feature = "object-store-cloud") => "object-store-cloud",
            _ => return Ok(kind),
        };
        Err(UrlError::NotBuilt { url: url.to_owned(), feature })
    }
}

/// Makes clients of object stores. Nothing is asked of them yet by which a place could fail: that is done by their own threads, and with the
/// first object that is written. `marks`: a folder of this machine, for files that say which of its stores live.
///
/// # Errors
/// [`UrlError`] of the first that cannot be one.
pub(crate) fn open(urls: &[SpillUrl], marks: &Path) -> Result<Vec<Box<dyn Device>>, UrlError> {
    let kinds = urls.iter().map(|url| Kind::of(&url.url));
    let kinds = kinds.collect::<Result<Vec<_>, _>>()?;
    #[cfg(feature = "object-store")]
    return device::open(urls.iter().zip(kinds), marks);
    // Each of them was refused.
    #[cfg(not(feature = "object-store"))]
    {
        _ = (kinds, marks);
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_refused_with_what_it_takes() {
        let told = |url: &str| match Kind::of(url) {
            Ok(kind) => format!("{kind:?}"),
            Err(why) => why.to_string(),
        };
        assert!(told("ftp://example.org/a").contains("`ftp` is none of file, s3"));
        for url in ["s3://key:hidden@bucket/a", "s3://bucket?hidden", "bucket/hidden"] {
            assert!(matches!(Kind::of(url), Err(UrlError::Refused)), "{url}");
            assert!(!told(url).contains("hidden"));
        }
        for (url, is_there, feature) in [
            ("file:///a", cfg!(feature = "object-store"), "`object-store`"),
            ("s3://bucket/a", cfg!(feature = "object-store-cloud"), "`object-store-cloud`"),
        ] {
            let why = told(url);
            let is_said = why.contains(feature) && why.contains("node.spill_folders");
            assert!(Kind::of(url).is_ok() == is_there && is_said != is_there, "{why}");
        }
    }

    #[test]
    fn an_option_is_not_shown() {
        let url = SpillUrl::new("s3://bucket").option("aws_secret_access_key", "word");
        assert_eq!(
            format!("{url:?}"),
            "SpillUrl { url: \"s3://bucket\", options: [\"aws_secret_access_key\"] }"
        );
    }
}
