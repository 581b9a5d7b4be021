//! One connection: requests one after the other, each with its deadline, until the client leaves, stops reading, or is told to.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use raytree_types::limits;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Answers one client until it leaves. What goes wrong here is the client's loss alone.
pub(crate) async fn serve<S>(client: S, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let client = TokioIo::new(Impatient { client, stalls: None });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HTTP_HEAD_WITHIN)
        .max_buf_size(limits::HTTP_HEAD_BYTES_MAX)
        .serve_connection(client, TowerToHyperService::new(router));
    // A client that leaves in the middle, sends no HTTP, or takes too long.
    _ = serving.await;
}

/// A connection that breaks when its client takes nothing for too long.
struct Impatient<S> {
    client: S,
    /// Since nothing was taken any more.
    stalls: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    /// What came of writing, or an error when that has waited for too long.
    fn judged<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalls = None;
            return written;
        }
        let stalls = self.stalls.get_or_insert_with(|| Box::pin(sleep(limits::HTTP_STALL_MAX)));
        ready!(stalls.as_mut().poll(cx));
        self.stalls = None;
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "it takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.client).poll_write(cx, bytes);
        self.judged(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.client).poll_flush(cx);
        self.judged(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.client).poll_shutdown(cx);
        self.judged(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::{Instant, timeout};

    use super::*;

    fn router() -> Router {
        let endless = || async {
            let piece = || Ok::<_, std::convert::Infallible>(vec![b'a'; 1 << 16]);
            Body::from_stream(futures_util::stream::repeat_with(piece))
        };
        Router::new().route("/endless", get(endless)).route("/", get(async || "here"))
    }

    /// Every wait below is over by itself.
    async fn ends(serving: impl Future<Output = ()>) {
        let bound = 2 * (limits::HTTP_STALL_MAX + limits::HTTP_HEAD_WITHIN);
        timeout(bound, serving).await.expect("it ends by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stops_reading_is_cut_off() {
        let (mut client, server) = duplex(1 << 12);
        client.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("room");
        let began = Instant::now();
        ends(serve(server, router())).await;
        assert!(began.elapsed() >= limits::HTTP_STALL_MAX, "and not before");
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.expect("its end");
        assert!(read.starts_with(b"HTTP/1.1 200 OK"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_say_what_it_wants_is_cut_off() {
        for first in [&b""[..], b"GET / HTTP/1.1\r\nHost: "] {
            let (mut client, server) = duplex(1 << 12);
            client.write_all(first).await.expect("room");
            ends(serve(server, router())).await;
        }
        // Also before its next request.
        let (mut client, server) = duplex(1 << 12);
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("room");
        ends(serve(server, router())).await;
        let mut read = String::new();
        client.read_to_string(&mut read).await.expect("its end");
        assert!(read.ends_with("here"), "{read}");
    }
}
