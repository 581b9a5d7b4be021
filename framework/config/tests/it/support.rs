//! Files and expectations.

use std::path::PathBuf;

use raytree_config::{Config, LoadFrom, Setting};
use raytree_types::Error;
use tempfile::TempDir;

/// A folder with a configuration file in it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn with(file: &str, text: impl AsRef<[u8]>) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write(file, text);
        folder
    }

    pub(crate) fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }
}

/// The message of the refusal, which is always the same kind.
#[track_caller]
pub(crate) fn refusal(from: LoadFrom) -> String {
    let error = Config::load(from).unwrap_err();
    assert!(matches!(error, Error::BadOption { .. }), "{error:?}");
    error.to_string()
}

/// The message of the refusal of a file's text, with the path of the file as `FILE`.
#[track_caller]
pub(crate) fn refusal_of_file(text: impl AsRef<[u8]>) -> String {
    let folder = Folder::with("a.toml", text);
    let path = folder.path("a.toml");
    refusal(LoadFrom::default().file(&path)).replace(path.to_str().unwrap(), "FILE")
}

/// A setting, found among all.
pub(crate) fn setting(config: &Config, key: &str) -> Setting {
    config.explain().into_iter().find(|setting| setting.key == key).unwrap()
}
