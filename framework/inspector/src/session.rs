//! One client: reads a line, answers with a line, until the client leaves or keeps us waiting.

use std::env;
use std::io;
use std::sync::{Arc, Weak};

use raytree_supervise::{Probe, clock};
use raytree_types::inspect::{
    Answer, Asked, INSPECT_VERSION, Refused, Reply, Request, Selection, TreeRows, Versioned,
};
use raytree_types::limits;
use rustix::process::geteuid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::{Inspected, walk};

/// What a reply holds besides its rows, generously.
const HEAD_BYTES: usize = 8 << 10;

/// Answers one client until it leaves. What goes wrong here is the client's loss alone.
pub(super) async fn serve(client: UnixStream, inspected: Weak<dyn Inspected>) {
    // A client that leaves in the middle of an answer, or whose time is up.
    _ = converse(client, &inspected).await;
}

async fn converse(client: UnixStream, inspected: &Weak<dyn Inspected>) -> io::Result<()> {
    let own = client.peer_cred().is_ok_and(|peer| peer.uid() == geteuid().as_raw());
    let (reader, mut writer) = client.into_split();
    let mut reader = BufReader::with_capacity(limits::INSPECT_REQUEST_BYTES_MAX, reader);
    loop {
        let read = timeout(limits::INSPECT_READ_WITHIN, read_line(&mut reader)).await??;
        let mut told = None;
        let (answer, more) = match read {
            Line::Gone => return Ok(()),
            _ if !own => (Answer::Refused(Refused::Stranger), false),
            Line::TooLong => {
                let limit = limits::INSPECT_REQUEST_BYTES_MAX;
                (Answer::Refused(Refused::TooLong { limit }), false)
            }
            Line::Whole(line) => match parse(&line) {
                Ok(Request::Hello) => (Answer::Hello, true),
                Ok(Request::Tree(selection)) => (tree(inspected.clone(), selection).await, true),
                Ok(Request::Panic { path }) => match find(inspected, &path) {
                    Ok(probe) => {
                        told = Some(probe);
                        (Answer::Panics, true)
                    }
                    Err(refused) => (Answer::Refused(refused), true),
                },
                Err(refused) => (Answer::Refused(refused), true),
            },
        };
        let Some(reply) = reply(inspected, answer) else { return Ok(()) };
        // A large reply is worth a thread of its own.
        let line = spawn_blocking(move || encode(&reply)).await??;
        timeout(limits::INSPECT_WRITE_WITHIN, writer.write_all(&line)).await??;
        if let Some(probe) = told {
            probe.panic_now();
        }
        if !more {
            return Ok(());
        }
    }
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
    Gone,
}

async fn read_line(reader: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Line> {
    let mut line = Vec::new();
    let bound = limits::INSPECT_REQUEST_BYTES_MAX as u64 + 1;
    reader.take(bound).read_until(b'\n', &mut line).await?;
    Ok(match line.last() {
        None => Line::Gone,
        Some(b'\n') => Line::Whole(line),
        Some(_) if line.len() > limits::INSPECT_REQUEST_BYTES_MAX => Line::TooLong,
        // The client has said its last word.
        Some(_) => Line::Whole(line),
    })
}

fn parse(line: &[u8]) -> Result<Request, Refused> {
    let bad = |error: serde_json::Error| Refused::BadRequest { reason: error.to_string() };
    let Versioned { version } = serde_json::from_slice(line).map_err(bad)?;
    if version != INSPECT_VERSION {
        return Err(Refused::Version { runtime: INSPECT_VERSION, client: version });
    }
    let asked: Asked = serde_json::from_slice(line).map_err(bad)?;
    Ok(asked.request)
}

/// Reads the tree on a thread of its own: supervision goes on meanwhile.
async fn tree(inspected: Weak<dyn Inspected>, selection: Selection) -> Answer {
    let read = spawn_blocking(move || rows(&inspected, &selection)).await;
    match read {
        Ok(Ok(rows)) => Answer::Tree(rows),
        Ok(Err(refused)) => Answer::Refused(refused),
        Err(panic) => Answer::Refused(Refused::Unreadable { reason: panic.to_string() }),
    }
}

fn rows(inspected: &Weak<dyn Inspected>, selection: &Selection) -> Result<TreeRows, Refused> {
    let bytes_max = limits::INSPECT_REPLY_BYTES_MAX - HEAD_BYTES;
    // What is inspected is held for a moment only: whoever drops it must not wait for a reader.
    let Some(held) = inspected.upgrade() else { return Ok(TreeRows::default()) };
    if selection.owners {
        let who = held.role();
        let owners = held.owners();
        drop(held);
        let owners = owners.ok_or_else(|| Refused::NoOwners { who: format!("the {who}") })?;
        owners(selection, bytes_max)
    } else {
        let root = held.root();
        drop(held);
        let path = selection.path.as_deref().map(|path| walk::from_root(path, root.name()));
        walk::walk(vec![root], &Selection { path, ..selection.clone() }, bytes_max)
    }
}

fn find(inspected: &Weak<dyn Inspected>, path: &str) -> Result<Arc<Probe>, Refused> {
    let gone = || Refused::NoSuchPath { path: path.to_owned() };
    let root = inspected.upgrade().ok_or_else(gone)?.root();
    let path = walk::from_root(path, root.name());
    walk::find(vec![root], &path)
}

/// The answer with its head; none when what is inspected is gone.
fn reply(inspected: &Weak<dyn Inspected>, answer: Answer) -> Option<Reply> {
    let held = inspected.upgrade()?;
    Some(Reply {
        version: INSPECT_VERSION,
        pid: std::process::id(),
        runtime: held.id(),
        program: program(),
        role: held.role(),
        uptime: clock::now().saturating_sub(held.door().began),
        answer,
    })
}

fn program() -> String {
    let file = env::current_exe().ok();
    let file = file.as_deref().and_then(|path| path.file_name());
    file.map_or_else(|| "?".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn encode(reply: &Reply) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_is_read_up_to_its_bound() {
        let long = [b'a'; limits::INSPECT_REQUEST_BYTES_MAX + 1];
        assert!(matches!(read_line(&mut &long[..]).await, Ok(Line::TooLong)));
        assert!(matches!(read_line(&mut &long[1..]).await, Ok(Line::Whole(_))));
        assert!(matches!(read_line(&mut &b""[..]).await, Ok(Line::Gone)));
        let mut two = &b"a\nb"[..];
        for expected in ["a\n", "b"] {
            let Ok(Line::Whole(line)) = read_line(&mut two).await else { panic!("a line") };
            assert_eq!(line, expected.as_bytes());
        }
    }

    #[test]
    fn what_is_not_a_request_is_said_to_be_none() {
        let skew = Refused::Version { runtime: INSPECT_VERSION, client: 99 };
        assert_eq!(parse(br#"{"version":99,"request":{"of":"the future"}}"#), Err(skew));
        for bad in ["", "hello", "{}", r#"{"version":1}"#, r#"{"version":1,"request":"kill"}"#] {
            assert!(matches!(parse(bad.as_bytes()), Err(Refused::BadRequest { .. })), "{bad}");
        }
        assert_eq!(parse(br#"{"version":1,"request":"hello"}"#), Ok(Request::Hello));
    }
}
