//! What a link costs: connections a second, and 64 MiB one way, beside a bare socket.
//!
//! `cargo run --release -p raytree-wire --example throughput`

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use raytree_wire::{BindTo, Hello, Listener, Plane, Stream, Tls, Token, dial};

const MIB: usize = 1 << 20;
const SENT_BYTES: usize = 64 * MIB;
const ROUNDS: usize = 9;
const DIALS: u32 = 200;
const WITHIN: Duration = Duration::from_secs(5);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The time for all bytes to arrive, from the first write on.
fn transfer<W: Write + Send + 'static>(
    mut writes: W,
    mut reads: impl Read,
    finish: impl FnOnce(W) -> io::Result<()> + Send + 'static,
) -> Outcome<Duration> {
    let begun = Instant::now();
    let writer = thread::spawn(move || {
        let block = vec![7; MIB];
        for _ in 0..SENT_BYTES / MIB {
            writes.write_all(&block)?;
        }
        finish(writes)
    });
    let (mut block, mut arrived) = (vec![0; MIB], 0);
    loop {
        match reads.read(&mut block)? {
            0 => break,
            read => arrived += read,
        }
    }
    let took = begun.elapsed();
    writer.join().map_err(|_| "the writer panicked")??;
    if arrived == SENT_BYTES { Ok(took) } else { Err("bytes are missing".into()) }
}

fn bare() -> Outcome<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let writes = TcpStream::connect(listener.local_addr()?)?;
    writes.set_nodelay(true)?;
    let (reads, _) = listener.accept()?;
    transfer(writes, reads, |writes| writes.shutdown(Shutdown::Write))
}

/// The time for one connection, the mean of many; and the best time for the bytes.
fn links(token: &Token, tls: Option<&Tls>) -> Outcome<(Duration, Duration)> {
    let (tell, arrivals) = sync_channel(8);
    let to = BindTo { tls: tls.cloned(), ..BindTo::loopback(token.clone()) };
    let listener = Listener::bind(to, move |_, stream, _| _ = tell.send(stream))?;
    let hello = Hello::new(Plane::Bytes, "measure", b"")?;
    let meet = || -> Outcome<(Stream, Stream)> {
        let dialed = dial(listener.local_addr(), token, tls, &hello, WITHIN)?;
        Ok((dialed, arrivals.recv()?))
    };
    let begun = Instant::now();
    for _ in 0..DIALS {
        drop(meet()?);
    }
    let each = begun.elapsed() / DIALS;
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let (dialed, accepted) = meet()?;
        let ((_reads, writes), (hears, _says)) = (dialed.split(), accepted.split());
        best = best.min(transfer(writes, hears, raytree_wire::WriteHalf::finish)?);
    }
    Ok((each, best))
}

fn main() -> Outcome<()> {
    let mut out = io::stdout().lock();
    let rate = |took: Duration| 64.0 / took.as_secs_f64();
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        best = best.min(bare()?);
    }
    writeln!(out, "bare socket   {best:>9.1?}  {:>6.0} MiB/s", rate(best))?;
    let token = Token::random()?;
    #[cfg(feature = "tls")]
    let ways = [("plain link", None), ("link over TLS", Some(Tls::of_token(&token)?))];
    #[cfg(not(feature = "tls"))]
    let ways = [("plain link", None)];
    for (name, tls) in ways {
        let (each, best) = links(&token, tls.as_ref())?;
        writeln!(
            out,
            "{name:<13} {best:>9.1?}  {:>6.0} MiB/s  a connection {each:.0?}",
            rate(best)
        )?;
    }
    Ok(())
}
