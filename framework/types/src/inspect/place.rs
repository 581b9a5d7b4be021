//! Where the runtimes of a user can be asked: one socket each, in a folder that is the user's alone.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::limits;

/// Names the folder of the sockets, before all other ways.
pub const FOLDER_VARIABLE: &str = "RAYTREE_INSPECT_DIR";

/// `off` (also `0`, `false`, `no`): runtimes of this process open no socket.
pub const SWITCH_VARIABLE: &str = "RAYTREE_INSPECTOR";

/// The folder for the user `uid`: `$RAYTREE_INSPECT_DIR`, else `$XDG_RUNTIME_DIR/raytree`, else
/// `<temporary folder>/raytree-<uid>`. Variables that are empty do not count.
#[must_use]
pub fn folder(uid: u32) -> PathBuf {
    folder_of(|name| env::var_os(name), &env::temp_dir(), uid)
}

fn folder_of(variable: impl Fn(&str) -> Option<OsString>, temp: &Path, uid: u32) -> PathBuf {
    let path =
        |name| variable(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
    path(FOLDER_VARIABLE)
        .or_else(|| path("XDG_RUNTIME_DIR").map(|run| run.join("raytree")))
        .unwrap_or_else(|| temp.join(format!("raytree-{uid}")))
}

/// Whether this process's environment leaves the inspector on.
#[must_use]
pub fn switched_on() -> bool {
    leaves_on(&env::var_os(SWITCH_VARIABLE).unwrap_or_default().to_string_lossy())
}

/// Whether a value of [`SWITCH_VARIABLE`] leaves the inspector on: only a clear word switches it off.
#[must_use]
pub fn leaves_on(value: &str) -> bool {
    let value = value.trim().to_lowercase();
    !["off", "0", "false", "no"].contains(&&*value)
}

/// What is wrong with a folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsafeFolder {
    /// A file, or a link to somewhere else.
    #[error("it is not a folder")]
    NotAFolder,
    /// Somebody else made it.
    #[error("it belongs to user {owner}, not to user {user}")]
    Foreign {
        /// Whose it is.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// Others may look in.
    #[error("its mode is {mode:04o}, and others may enter: it has to be 0700")]
    Wide {
        /// Its permissions.
        mode: u32,
    },
}

/// Whether sockets may lie in a folder, from what the file system says of it (without following a link).
///
/// # Errors
/// When it is anything but a folder of `user` that nobody else may enter.
pub fn check_folder(is_folder: bool, owner: u32, mode: u32, user: u32) -> Result<(), UnsafeFolder> {
    let mode = mode & 0o7777;
    if !is_folder {
        Err(UnsafeFolder::NotAFolder)
    } else if owner != user {
        Err(UnsafeFolder::Foreign { owner, user })
    } else if mode & 0o077 != 0 {
        Err(UnsafeFolder::Wide { mode })
    } else {
        Ok(())
    }
}

/// Whose socket a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketName {
    /// The process.
    pub pid: u32,
    /// The number of the runtime within it.
    pub runtime: u64,
}

impl SocketName {
    /// The file's name: `<pid>-<runtime>.sock`.
    #[must_use]
    pub fn file(self) -> String {
        format!("{}-{}.sock", self.pid, self.runtime)
    }

    /// Its name until it listens; a file called so is nobody's business yet.
    #[must_use]
    pub fn unfinished(self) -> String {
        format!(".{}-{}.new", self.pid, self.runtime)
    }

    /// Reads the name of a file; none if it is not that of a socket that listens.
    #[must_use]
    pub fn parse(file: &str) -> Option<Self> {
        let (pid, runtime) = file.strip_suffix(".sock")?.split_once('-')?;
        let name = Self { pid: pid.parse().ok()?, runtime: runtime.parse().ok()? };
        // `+1-1.sock` and `01-1.sock` are not ours.
        (name.file() == file).then_some(name)
    }
}

/// True if a socket can have this path.
#[must_use]
pub fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= limits::SOCKET_PATH_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(variables: &[(&str, &str)]) -> PathBuf {
        let find = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        folder_of(find, Path::new("/tmp"), 1000)
    }

    #[test]
    fn the_folder_is_the_first_that_is_named() {
        let (own, run) = ((FOLDER_VARIABLE, "/a"), ("XDG_RUNTIME_DIR", "/run/user/1000"));
        assert_eq!(folder_with(&[run, own]), Path::new("/a"));
        assert_eq!(folder_with(&[run, (FOLDER_VARIABLE, "")]), Path::new("/run/user/1000/raytree"));
        assert_eq!(folder_with(&[]), Path::new("/tmp/raytree-1000"));
    }

    #[test]
    fn only_a_clear_word_switches_it_off() {
        for off in ["off", "OFF", " 0", "false", "no"] {
            assert!(!leaves_on(off), "{off}");
        }
        assert!(leaves_on("on") && leaves_on(""));
    }

    #[test]
    fn a_folder_is_the_users_alone() {
        assert_eq!(check_folder(true, 1000, 0o040_700, 1000), Ok(()));
        let wide = check_folder(true, 1000, 0o040_750, 1000).map_err(|wrong| wrong.to_string());
        assert_eq!(
            wide,
            Err("its mode is 0750, and others may enter: it has to be 0700".to_owned())
        );
        let foreign = UnsafeFolder::Foreign { owner: 0, user: 1000 };
        assert_eq!(check_folder(true, 0, 0o700, 1000), Err(foreign));
        assert_eq!(check_folder(false, 1000, 0o700, 1000), Err(UnsafeFolder::NotAFolder));
    }

    #[test]
    fn a_socket_is_known_by_its_name() {
        let name = SocketName { pid: 1234, runtime: 2 };
        assert_eq!(name.file(), "1234-2.sock");
        assert_eq!(SocketName::parse("1234-2.sock"), Some(name));
        for other in
            ["1234.sock", ".1234-2.new", "a-2.sock", "1-2-3.sock", "01-2.sock", "+1-2.sock"]
        {
            assert_eq!(SocketName::parse(other), None, "{other}");
        }
        assert_eq!(name.unfinished().len(), name.file().len(), "one length check for both");
    }
}
