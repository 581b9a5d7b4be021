//! What goes out: whoever has something to say writes it himself while the socket takes it, and a thread does while it
//! does not. So an idle link costs no wake-up, and nobody waits for a peer who does not read. Where messages come one upon
//! the other the thread gathers them, and writes many at a time.
//!
//! Nobody is held up here, so nothing here bounds what waits. It is counted: above
//! [`limits::LINK_WAITING_BYTES_MAX`] there is no *room*, and whoever has new work keeps it until there is again.
//!
//! Invariants:
//! - **OG-1 (in-turn):** messages go out whole, in the order in which they were given.
//! - **OG-2 (never-blocks):** giving a message never waits for the other side.
//! - **OG-3 (room-is-told):** there is no room from the moment on in which more waits than the limit until half of it does,
//!   or the end has come; that there is again is told once for each time that there was none.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use raytree_supervise::clock;
use raytree_types::{Bytes, limits};

use super::channel::{Patience, Writes};
use super::stream::Message;

/// Small messages are written together up to this.
const TOGETHER: usize = 64 << 10;
/// Apart from others, without a copy, from this size on.
const APART: usize = 8 << 10;
/// What one who has something of his own to say writes for others before a thread takes over.
const FOR_OTHERS: usize = 1 << 20;
/// Pieces in one call of the operating system.
const AT_ONCE: usize = 64;
/// Messages that follow each other within this time come one upon the other: a call of the operating system takes as long.
const QUICKLY: Duration = Duration::from_micros(8);
/// So many of them, and they are gathered.
const MANY: u32 = 32;
/// How long the thread gathers.
const GATHERED: Duration = Duration::from_micros(30);
/// There is room again when no more waits than this: many messages are sent for each time that somebody is told.
const ROOM: usize = limits::LINK_WAITING_BYTES_MAX / 2;

/// Hears that there is room again. It is called by whoever has written, and must not hold him up.
pub(super) type OnRoom = Box<dyn Fn() + Send + Sync>;

#[derive(Clone)]
pub(super) struct Outgoing(Arc<Inner>);

struct Inner {
    writes: Writes,
    queue: Mutex<Queue>,
    /// The thread that writes while the socket takes nothing.
    full: Condvar,
    is_crowded: AtomicBool,
    on_room: OnRoom,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    /// Bytes that were given and not sent, as far as is counted.
    waiting: usize,
    writer: Writer,
    has_thread: bool,
    /// When the last message came, and how many came quickly before it.
    last: Duration,
    quick: u32,
}

enum Piece {
    Together(Vec<u8>),
    Apart(Bytes),
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Writer {
    /// Nobody writes: whoever comes does.
    #[default]
    Nobody,
    /// One who had something to say.
    Somebody,
    /// The thread, once the socket takes something again.
    Thread,
    /// Nothing is written any more.
    Closed,
}

impl Outgoing {
    pub(super) fn new(writes: Writes, on_room: OnRoom) -> Self {
        let (queue, full, is_crowded) = Default::default();
        Self(Arc::new(Inner { writes, queue, full, is_crowded, on_room }))
    }

    /// Whether new work may be given (OG-3). What follows from other work is given whenever it is there.
    pub(super) fn has_room(&self) -> bool {
        !self.0.is_crowded.load(Ordering::SeqCst)
    }

    /// So many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.queue.lock().waiting
    }

    /// Gives a message. One given after the end is dropped.
    pub(super) fn give(&self, message: Message) {
        let is_mine = {
            let mut queue = self.0.queue.lock();
            if queue.writer == Writer::Closed {
                return;
            }
            queue.append(message);
            if queue.waiting > limits::LINK_WAITING_BYTES_MAX {
                self.0.is_crowded.store(true, Ordering::SeqCst);
            }
            let gathers = queue.is_quick(clock::now());
            let is_mine = queue.writer == Writer::Nobody;
            if is_mine && gathers {
                return self.hand_over(&mut queue, VecDeque::new());
            }
            if is_mine {
                queue.writer = Writer::Somebody;
            }
            is_mine
        };
        if is_mine {
            self.write();
        }
    }

    /// Writes what there is, until the socket takes no more.
    fn write(&self) {
        let (mut written, mut sent) = (0, 0);
        let mut taken = VecDeque::new();
        loop {
            {
                let mut queue = self.0.queue.lock();
                self.0.went(&mut queue, mem::take(&mut sent));
                if queue.writer == Writer::Closed {
                    return;
                }
                if taken.is_empty() {
                    mem::swap(&mut taken, &mut queue.pieces);
                }
                if taken.is_empty() {
                    queue.writer = Writer::Nobody;
                    return;
                }
                if written >= FOR_OTHERS {
                    return self.hand_over(&mut queue, taken);
                }
            }
            match self.0.send(&mut taken, Patience::None) {
                Ok(bytes) => (written, sent) = (written + bytes, bytes),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut queue = self.0.queue.lock();
                    return self.hand_over(&mut queue, taken);
                }
                // The reader sees the end, and says so.
                Err(_) => return self.close(),
            }
        }
    }

    fn hand_over(&self, queue: &mut Queue, mut taken: VecDeque<Piece>) {
        if queue.writer == Writer::Closed {
            return;
        }
        taken.append(&mut queue.pieces);
        queue.pieces = taken;
        queue.writer = Writer::Thread;
        if queue.has_thread {
            self.0.full.notify_one();
            return;
        }
        queue.has_thread = true;
        let inner = Arc::clone(&self.0);
        let thread = thread::Builder::new().name("raytree-link-out".to_owned());
        if let Err(error) = thread.spawn(move || inner.drain()) {
            tracing::error!(%error, "no thread for what goes out over a link");
            queue.writer = Writer::Closed;
            self.0.writes.close();
        }
    }

    /// The socket has taken all that was given, or never will.
    pub(super) fn is_empty(&self) -> bool {
        let queue = self.0.queue.lock();
        queue.pieces.is_empty() && matches!(queue.writer, Writer::Nobody | Writer::Closed)
    }

    /// Nothing goes out any more; the reader of both sides sees the end.
    pub(super) fn close(&self) {
        self.0.close();
    }
}

impl Inner {
    fn close(&self) {
        let (dropped, was_crowded) = {
            let mut queue = self.queue.lock();
            queue.writer = Writer::Closed;
            queue.waiting = 0;
            (mem::take(&mut queue.pieces), self.is_crowded.swap(false, Ordering::SeqCst))
        };
        drop(dropped);
        self.writes.close();
        self.full.notify_all();
        if was_crowded {
            (self.on_room)();
        }
    }

    /// So many bytes wait no more.
    fn went(&self, queue: &mut MutexGuard<'_, Queue>, bytes: usize) {
        // Nothing waits any more after the end, whatever was on its way.
        queue.waiting = queue.waiting.saturating_sub(bytes);
        if queue.waiting <= ROOM && self.is_crowded.load(Ordering::Relaxed) {
            self.is_crowded.store(false, Ordering::SeqCst);
            MutexGuard::unlocked(queue, || (self.on_room)());
        }
    }

    /// The thread: writes, waiting for the socket, whatever others could not.
    fn drain(&self) {
        let (mut taken, mut sent) = (VecDeque::new(), 0);
        loop {
            {
                let mut queue = self.queue.lock();
                self.went(&mut queue, mem::take(&mut sent));
                if taken.is_empty() && queue.writer == Writer::Thread && queue.quick >= MANY {
                    self.full.wait_for(&mut queue, GATHERED);
                }
                let is_done = taken.is_empty() && queue.pieces.is_empty();
                if is_done && queue.writer == Writer::Thread {
                    queue.writer = Writer::Nobody;
                    queue.quick = 0;
                }
                while queue.writer != Writer::Thread {
                    if queue.writer == Writer::Closed {
                        return;
                    }
                    self.full.wait(&mut queue);
                }
                if taken.is_empty() {
                    mem::swap(&mut taken, &mut queue.pieces);
                }
            }
            match self.send(&mut taken, Patience::Endless) {
                Ok(bytes) => sent = bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.close(),
            }
        }
    }

    /// Writes some of it, and takes that out.
    fn send(&self, pieces: &mut VecDeque<Piece>, patience: Patience) -> io::Result<usize> {
        let slices: Vec<IoSlice<'_>> =
            pieces.iter().take(AT_ONCE).map(|piece| IoSlice::new(piece.bytes())).collect();
        if slices.is_empty() {
            return Ok(0);
        }
        let sent = self.writes.send(&slices, patience)?;
        let mut left = sent;
        while let Some(first) = pieces.front_mut() {
            let length = first.bytes().len();
            if length > left {
                first.skip(left);
                break;
            }
            left -= length;
            pieces.pop_front();
        }
        Ok(sent)
    }
}

impl Queue {
    /// Messages come one upon the other.
    fn is_quick(&mut self, now: Duration) -> bool {
        let gap = now.saturating_sub(std::mem::replace(&mut self.last, now));
        self.quick = if gap < QUICKLY { self.quick.saturating_add(1) } else { self.quick / 2 };
        self.quick >= MANY
    }

    fn append(&mut self, message: Message) {
        self.waiting += message.bytes();
        match self.pieces.back_mut() {
            Some(Piece::Together(bytes)) if bytes.len() + message.front.len() <= TOGETHER => {
                bytes.extend_from_slice(&message.front);
            }
            _ => self.pieces.push_back(Piece::Together(message.front)),
        }
        for buffer in message.buffers {
            match self.pieces.back_mut() {
                Some(Piece::Together(bytes)) if buffer.len() < APART => {
                    bytes.extend_from_slice(&buffer);
                }
                _ => self.pieces.push_back(Piece::Apart(buffer)),
            }
        }
    }
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Together(bytes) => bytes,
            Self::Apart(bytes) => bytes,
        }
    }

    fn skip(&mut self, count: usize) {
        match self {
            Self::Together(bytes) => _ = bytes.drain(..count),
            Self::Apart(bytes) => {
                if let Some(rest) = bytes.slice(count..) {
                    *bytes = rest;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::mpsc::{Receiver, sync_channel};

    use super::super::channel::tests::ways;
    use super::*;

    const MIB: usize = 1 << 20;
    const MOST: usize = limits::LINK_WAITING_BYTES_MAX;

    fn unwatched(writes: Writes) -> Outgoing {
        Outgoing::new(writes, Box::new(|| {}))
    }

    /// With how much waits whenever it is told that there is room again.
    fn watched(writes: Writes) -> (Outgoing, Receiver<usize>) {
        let (tell, told) = sync_channel(64);
        let own: Arc<OnceLock<Outgoing>> = Arc::default();
        let known = Arc::clone(&own);
        let on_room = move || _ = tell.send(known.get().map_or(usize::MAX, Outgoing::waiting));
        let out = Outgoing::new(writes, Box::new(on_room));
        _ = own.set(out.clone());
        (out, told)
    }

    /// Nobody reads meanwhile.
    fn crowds(out: &Outgoing) -> usize {
        let mut given = 0;
        while out.has_room() {
            // What waits of all that is given is what no socket took.
            assert!(given < 2 * MOST && out.waiting() <= MOST);
            out.give(message(0, MIB));
            given += MIB + 8;
        }
        given
    }

    fn reads(from: &mut dyn std::io::Read, mut bytes: usize) {
        let mut chunk = vec![0; MIB];
        while bytes > 0 {
            let most = bytes.min(MIB);
            bytes -= from.read(&mut chunk[..most]).expect("more");
        }
    }

    fn message(number: u64, apart: usize) -> Message {
        let buffers = if apart == 0 { Vec::new() } else { vec![vec![number as u8; apart].into()] };
        Message { front: number.to_le_bytes().to_vec(), buffers }
    }

    #[test]
    fn og_1_messages_of_many_threads_go_out_whole_and_each_threads_in_order() {
        for (name, ours, mut theirs, _others) in ways() {
            let out = unwatched(ours);
            let givers: Vec<_> = (0..4u64)
                .map(|giver| {
                    let out = out.clone();
                    thread::spawn(move || {
                        for round in 0..500u64 {
                            // Small and large ones, more than a socket takes.
                            let apart = if round % 7 == 0 { 40_000 } else { 0 };
                            out.give(message(giver << 32 | round, apart));
                        }
                    })
                })
                .collect();
            let mut next = [0; 4];
            for _ in 0..4 * 500 {
                let mut number = [0; 8];
                theirs.read_exact(&mut number).expect("a message");
                let number = u64::from_le_bytes(number);
                let (giver, round) = ((number >> 32) as usize, number & 0xFFFF_FFFF);
                assert_eq!(round, next[giver]);
                next[giver] += 1;
                if round % 7 == 0 {
                    let mut apart = vec![0; 40_000];
                    theirs.read_exact(&mut apart).expect("its buffer");
                    assert!(apart.iter().all(|byte| *byte == number as u8), "{name}");
                }
            }
            givers.into_iter().for_each(|giver| giver.join().expect("no panic"));
        }
    }

    #[test]
    fn og_2_who_gives_does_not_wait_for_one_who_does_not_read() {
        for (name, ours, mut theirs, _others) in ways() {
            let out = unwatched(ours);
            let rounds = 64;
            (0..rounds).for_each(|number| out.give(message(number, 1 << 20)));
            let mut read = 0u64;
            let mut chunk = vec![0; 1 << 20];
            while read < rounds * ((1 << 20) + 8) {
                let count = theirs.read(&mut chunk).expect("more");
                assert!(count > 0, "{name}");
                read += count as u64;
            }
            out.close();
            assert!(matches!(theirs.read(&mut chunk), Ok(0) | Err(_)), "{name}");
            // Nobody is there any more.
            out.give(message(1, 0));
        }
    }

    #[test]
    fn og_3_room_is_told_once_for_each_time_that_there_was_none() {
        for (name, ours, mut theirs, _others) in ways() {
            let (out, told) = watched(ours);
            for _ in 0..2 {
                let given = crowds(&out);
                assert!(told.try_recv().is_err(), "{name}");
                // What is not new work goes in all the same.
                (0..100).for_each(|_| out.give(message(0, 0)));
                reads(&mut *theirs, given + 100 * 8);
                let waits = told.recv().expect("room");
                assert!(waits <= MOST / 2 && out.has_room(), "{name}: {waits}");
                while out.waiting() > 0 {
                    thread::yield_now();
                }
                assert!(told.try_recv().is_err(), "{name}");
            }
            crowds(&out);
            out.close();
            assert_eq!((told.try_recv(), out.has_room()), (Ok(0), true), "{name}");
            out.close();
            assert!(told.try_recv().is_err(), "{name}");
        }
    }

    #[test]
    fn og_3_one_message_may_be_larger_than_all_that_may_wait() {
        for (name, ours, mut theirs, _others) in ways() {
            let (out, told) = watched(ours);
            out.give(message(7, MOST + MIB));
            assert!(!out.has_room(), "{name}");
            reads(&mut *theirs, 8 + MOST + MIB);
            assert!(told.recv().is_ok_and(|waits| waits <= MOST / 2), "{name}");
        }
    }
}
