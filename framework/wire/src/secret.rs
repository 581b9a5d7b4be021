//! Files that hold a secret: made so that only their owner can read them, and refused when somebody else can.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;
use zeroize::Zeroizing;

use crate::random::random;

/// A file with a secret cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// It could not be opened or read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It could not be made.
    #[error("{} cannot be created", path.display())]
    NotCreated {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is a folder, a pipe or a device.
    #[error("{} is no regular file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Its group or everybody may read or change it, so it is no secret.
    #[error(
        "{} has mode {mode:04o}: others than its owner may open it. Set it to 0600, and if anybody may have read it, \
         replace it",
        path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It belongs to another user, who knows what it says and can change it.
    #[error("{} belongs to user {owner}, and this process runs as user {user}", path.display())]
    ForeignOwner {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// The effective user of this process.
        user: u32,
    },
    /// It does not hold what it should.
    #[error("{} does not hold {expected}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
}

/// The content of a file that is its owner's alone. One with more than `bytes_max` is malformed.
pub(crate) fn read(
    path: &Path,
    bytes_max: usize,
    expected: &'static str,
) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    // A pipe must not hold up whoever opens it.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
    // What was opened is looked at, not what bears the name a moment before or after.
    check(path, &file)?;
    // Its size is known to be bounded, so it is never moved and left behind in memory.
    let mut content = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    file.take(bound.saturating_add(1)).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() > bytes_max {
        return Err(SecretError::Malformed { path: path.to_owned(), expected });
    }
    Ok(content)
}

fn check(path: &Path, file: &File) -> Result<(), SecretError> {
    let path = path.to_owned();
    let is = match file.metadata() {
        Ok(is) => is,
        Err(source) => return Err(SecretError::Unreadable { path, source }),
    };
    let (mode, owner, user) = (is.mode() & 0o7777, is.uid(), geteuid().as_raw());
    if !is.is_file() {
        Err(SecretError::NotAFile { path })
    } else if owner != user {
        Err(SecretError::ForeignOwner { path, owner, user })
    } else if mode & 0o077 != 0 {
        Err(SecretError::OpenToOthers { path, mode })
    } else {
        Ok(())
    }
}

/// Makes a file with this content, whole or not at all; false when there is one already, which stays as it is.
pub(crate) fn create(path: &Path, content: &[u8]) -> Result<bool, SecretError> {
    let make = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let draft = folder.join(format!(".secret-{:032x}", u128::from_le_bytes(random()?)));
        let linked = write(&draft, content).and_then(|()| std::fs::hard_link(&draft, path));
        // It may not even be there.
        _ = std::fs::remove_file(&draft);
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    };
    make().map_err(|source| SecretError::NotCreated { path: path.to_owned(), source })
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    // A name must not survive a loss of power that its content does not.
    file.sync_all()
}
