//! One client: reads a line, answers with a line, until the client leaves or keeps us waiting.

use std::io;
use std::sync::Weak;

use raytree_types::inspect::Refused;
use raytree_types::limits;
use rustix::process::geteuid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::Inspected;
use crate::answer::{Said, Talk, refusal};

/// Answers one client until it leaves. What goes wrong here is the client's loss alone.
pub(super) async fn serve(client: UnixStream, inspected: Weak<dyn Inspected>) {
    // A client that leaves in the middle of an answer, or whose time is up.
    _ = converse(client, &inspected).await;
}

async fn converse(client: UnixStream, inspected: &Weak<dyn Inspected>) -> io::Result<()> {
    let own = client.peer_cred().is_ok_and(|peer| peer.uid() == geteuid().as_raw());
    let (reader, mut writer) = client.into_split();
    let mut reader = BufReader::with_capacity(limits::INSPECT_REQUEST_BYTES_MAX, reader);
    let mut talk = Talk::local();
    loop {
        let read = timeout(limits::INSPECT_READ_WITHIN, read_line(&mut reader)).await??;
        let last_word = match read {
            Line::Gone => return Ok(()),
            _ if !own => Refused::Stranger,
            Line::TooLong => Refused::TooLong { limit: limits::INSPECT_REQUEST_BYTES_MAX },
            Line::Whole(line) => {
                let said;
                (talk, said) = answer(talk, inspected.clone(), line).await?;
                let Some(said) = said else { return Ok(()) };
                timeout(limits::INSPECT_WRITE_WITHIN, writer.write_all(&said.line)).await??;
                said.was_sent();
                continue;
            }
        };
        let Some(line) = refusal(inspected, last_word)? else { return Ok(()) };
        timeout(limits::INSPECT_WRITE_WITHIN, writer.write_all(&line)).await??;
        return Ok(());
    }
}

/// On a thread of its own: supervision goes on meanwhile.
async fn answer(
    mut talk: Talk,
    inspected: Weak<dyn Inspected>,
    line: Vec<u8>,
) -> io::Result<(Talk, Option<Said>)> {
    let held = inspected.clone();
    let answered = spawn_blocking(move || {
        let said = talk.answer(&inspected, &line)?;
        Ok((talk, said))
    });
    match answered.await {
        Ok(answered) => answered,
        Err(panic) => {
            let line = refusal(&held, Refused::Unreadable { reason: panic.to_string() })?;
            Ok((Talk::local(), line.map(Said::plain)))
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
}
