//! The other end of the socket: finds the programs, heads and nodes of this user and asks them, once or again and again.
//! Blocking, with a bound on every wait.

mod feed;
mod line;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs, io};

use raytree_types::inspect::place::{self, SocketName, UnsafeFolder};
use raytree_types::inspect::{
    Answer, Asked, INSPECT_VERSION, Refused, Reply, Request, Selection, TreeRows, Versioned,
};
use raytree_types::limits;
use rustix::process::geteuid;

pub use feed::{Dial, Feed, SocketDial};
pub use line::{Line, SocketLine};

/// Why one of them gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// Nobody listens: what is left of a runtime that is gone.
    #[error("it is gone")]
    Gone,
    /// It has no socket: it has just begun, or is not to be looked at.
    #[error("it has no socket")]
    Shut,
    /// It ended the connection.
    #[error("it hung up: it ends, or too many look at it already")]
    HungUp,
    /// It is stopped, or stuck.
    #[error("it did not answer within {within:?}")]
    Silent {
        /// How long it was waited for.
        within: Duration,
    },
    /// The socket is somebody else's.
    #[error("it belongs to user {owner}")]
    Stranger {
        /// Whose it is.
        owner: u32,
    },
    /// Another version.
    #[error(
        "it speaks version {runtime} of the inspector's protocol, this `raytree` version {INSPECT_VERSION}"
    )]
    Version {
        /// The runtime's.
        runtime: u32,
    },
    /// It has no answer to this.
    #[error("{0}")]
    Refused(Refused),
    /// The answer cannot be read.
    #[error("its answer makes no sense: {0}")]
    Nonsense(String),
    /// Anything else.
    #[error("it cannot be asked: {0}")]
    Io(#[from] io::Error),
}

/// Why no runtime can be looked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// The folder is not this user's alone.
    #[error("the folder {} is not looked at: {source}", folder.display())]
    Unsafe {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        source: UnsafeFolder,
    },
    /// The folder cannot be read.
    #[error("the folder {} cannot be read: {source}", folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The sockets in `folder`, by process and runtime. A folder that does not exist has none.
///
/// # Errors
/// A folder that others may enter is not looked at: what lies there may be anybody's.
pub fn find(folder: &Path) -> Result<Vec<(SocketName, PathBuf)>, FindError> {
    let unreadable = |source| FindError::Unreadable { folder: folder.to_owned(), source };
    let is = match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        is => is.map_err(unreadable)?,
    };
    place::check_folder(is.is_dir(), is.uid(), is.mode(), geteuid().as_raw())
        .map_err(|source| FindError::Unsafe { folder: folder.to_owned(), source })?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)?.flatten() {
        if let Some(name) = entry.file_name().to_str().and_then(SocketName::parse) {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Asks the one behind a socket a single thing. The file of one that is gone is removed.
///
/// # Errors
/// See [`AskError`]; a refusal is an error too.
pub fn ask(path: &Path, request: Request) -> Result<Reply, AskError> {
    let line = SocketLine::open(path)?;
    Client::new(Box::new(line)).ask(request, limits::INSPECT_ANSWER_WITHIN)
}

/// For tests: lets the actor at `path` of the physical tree panic. This returns when that is about to happen.
///
/// # Errors
/// As for [`ask`].
pub fn panic_now(socket: &Path, path: &str) -> Result<(), AskError> {
    ask(socket, Request::Panic { path: path.to_owned() }).map(drop)
}

/// Somebody who can be asked, over one connection, and what it has said of its tree.
pub struct Client {
    line: Box<dyn Line>,
    /// What was asked for, and the answer so far.
    tree: Option<(Selection, TreeRows)>,
}

impl Client {
    /// Asks over this line.
    #[must_use]
    pub fn new(line: Box<dyn Line>) -> Self {
        Self { line, tree: None }
    }

    /// Asks one thing.
    ///
    /// # Errors
    /// See [`AskError`]; a refusal is an error too. After any other error than a refusal nothing more can be asked here.
    pub fn ask(&mut self, request: Request, within: Duration) -> Result<Reply, AskError> {
        let asked = Asked { patience: Some(within), ..Asked::new(request) };
        let mut line = serde_json::to_vec(&asked).map_err(io::Error::from)?;
        line.push(b'\n');
        understand(&self.line.exchange(&line, within)?)
    }

    /// Asks for a tree, again and again: after the first time only what has changed is sent.
    ///
    /// # Errors
    /// As for [`Client::ask`].
    pub fn follow(
        &mut self,
        selection: &Selection,
        within: Duration,
    ) -> Result<(Reply, &TreeRows), AskError> {
        let known = self.tree.as_ref().filter(|(asked, _)| asked == selection);
        let since = Some(known.map_or(0, |(_, rows)| rows.seq));
        let request = Request::Tree(Selection { since, ..selection.clone() });
        let mut reply = self.ask(request, within)?;
        let nonsense = |what: &str| AskError::Nonsense(what.to_owned());
        let rows = match (std::mem::replace(&mut reply.answer, Answer::Hello), self.tree.take()) {
            (Answer::Tree(rows), _) => rows,
            (Answer::Changes(changes), Some((_, mut rows))) => {
                rows.changed(changes).map_err(|misfit| nonsense(&misfit.to_string()))?;
                rows
            }
            _ => return Err(nonsense("it says something else than was asked")),
        };
        let (_, rows) = self.tree.insert((selection.clone(), rows));
        Ok((reply, rows))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Reads an answer.
///
/// # Errors
/// [`AskError::Nonsense`], [`AskError::Version`], [`AskError::Refused`].
pub fn understand(line: &[u8]) -> Result<Reply, AskError> {
    if line.is_empty() {
        return Err(AskError::Nonsense("it hung up".to_owned()));
    }
    let nonsense = |error: serde_json::Error| AskError::Nonsense(error.to_string());
    let Versioned { version } = serde_json::from_slice(line).map_err(nonsense)?;
    if version != INSPECT_VERSION {
        return Err(AskError::Version { runtime: version });
    }
    let reply: Reply = serde_json::from_slice(line).map_err(nonsense)?;
    match reply.answer {
        Answer::Refused(refused) => Err(AskError::Refused(refused)),
        _ => Ok(reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_only_in_our_version() {
        let said = |line: &str| match understand(line.as_bytes()) {
            Ok(reply) => reply.program,
            Err(error) => error.to_string(),
        };
        let head = r#""pid":1,"runtime":2,"program":"a","uptime":{"secs":1,"nanos":0}"#;
        assert_eq!(said(&format!(r#"{{"version":2,{head},"answer":"hello"}}"#)), "a");
        assert_eq!(
            said(r#"{"version":9,"who":"knows"}"#),
            "it speaks version 9 of the inspector's protocol, this `raytree` version 2"
        );
        let refused = r#""answer":{"refused":{"no_such_path":{"path":"a/b"}}}"#;
        assert_eq!(
            said(&format!(r#"{{"version":2,{head},{refused}}}"#)),
            "there is no `a/b` in the tree"
        );
        assert_eq!(said(""), "its answer makes no sense: it hung up");
        assert!(said(r#"{"version":2,"answer":"hel"#).starts_with("its answer makes no sense"));
    }
}
