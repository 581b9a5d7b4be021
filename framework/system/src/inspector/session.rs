//! One client: reads a line, answers with a line, until the client leaves or keeps us waiting.

use std::env;
use std::io;
use std::sync::Weak;

use raytree_supervise::clock;
use raytree_types::inspect::{
    Answer, Asked, INSPECT_VERSION, Refused, Reply, Request, Selection, TreeRows, Versioned,
};
use raytree_types::limits;
use rustix::process::geteuid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{forest, walk};
use crate::runtime::Shared;

/// What a reply holds besides its rows, generously.
const HEAD_BYTES: usize = 8 << 10;

/// Answers one client until it leaves. What goes wrong here is the client's loss alone.
pub(super) async fn serve(client: UnixStream, runtime: Weak<Shared>) {
    // A client that leaves in the middle of an answer, or whose time is up.
    _ = converse(client, &runtime).await;
}

async fn converse(client: UnixStream, runtime: &Weak<Shared>) -> io::Result<()> {
    let own = client.peer_cred().is_ok_and(|peer| peer.uid() == geteuid().as_raw());
    let (reader, mut writer) = client.into_split();
    let mut reader = BufReader::with_capacity(limits::INSPECT_REQUEST_BYTES_MAX, reader);
    loop {
        let read = timeout(limits::INSPECT_READ_WITHIN, read_line(&mut reader)).await??;
        let (answer, more) = match read {
            Line::Gone => return Ok(()),
            _ if !own => (Answer::Refused(Refused::Stranger), false),
            Line::TooLong => {
                let limit = limits::INSPECT_REQUEST_BYTES_MAX;
                (Answer::Refused(Refused::TooLong { limit }), false)
            }
            Line::Whole(line) => match parse(&line) {
                Ok(Request::Hello) => (Answer::Hello, true),
                Ok(Request::Tree(selection)) => (tree(runtime.clone(), selection).await, true),
                Err(refused) => (Answer::Refused(refused), true),
            },
        };
        let Some(reply) = reply(runtime, answer) else { return Ok(()) };
        // A large reply is worth a thread of its own.
        let line = spawn_blocking(move || encode(&reply)).await??;
        timeout(limits::INSPECT_WRITE_WITHIN, writer.write_all(&line)).await??;
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
async fn tree(runtime: Weak<Shared>, selection: Selection) -> Answer {
    let read = spawn_blocking(move || rows(&runtime, &selection)).await;
    match read {
        Ok(Ok(rows)) => Answer::Tree(rows),
        Ok(Err(refused)) => Answer::Refused(refused),
        Err(panic) => Answer::Refused(Refused::Unreadable { reason: panic.to_string() }),
    }
}

fn rows(runtime: &Weak<Shared>, selection: &Selection) -> Result<TreeRows, Refused> {
    let bytes_max = limits::INSPECT_REPLY_BYTES_MAX - HEAD_BYTES;
    // The runtime itself is held for a moment only: whoever drops it must not wait for a reader.
    let Some(shared) = runtime.upgrade() else { return Ok(TreeRows::default()) };
    if selection.owners {
        let cells = forest::cells(&shared.table);
        drop(shared);
        walk::walk(forest::Owned::tops(cells), selection, bytes_max)
    } else {
        let root = shared.probe();
        drop(shared);
        let selection = walk::from_root(selection, root.name());
        walk::walk(vec![root], &selection, bytes_max)
    }
}

/// The answer with its head; none when the runtime is gone.
fn reply(runtime: &Weak<Shared>, answer: Answer) -> Option<Reply> {
    let shared = runtime.upgrade()?;
    Some(Reply {
        version: INSPECT_VERSION,
        pid: std::process::id(),
        runtime: shared.id,
        program: program(),
        uptime: clock::now().saturating_sub(shared.door.began),
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
