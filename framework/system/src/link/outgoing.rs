//! What goes out: whoever has something to say writes it himself while the socket takes it, and a thread does while it
//! does not. So an idle link costs no wake-up, and nobody waits for a peer who does not read. Where messages come one upon
//! the other the thread gathers them, and writes many at a time. An actor that works off its mailbox, and a reader that
//! hears many things at once, leave what they give, and write it when they are through ([`burst`]).
//!
//! Nobody is held up here, so nothing here bounds what waits. It is counted: above
//! [`limits::LINK_WAITING_BYTES_MAX`] there is no *room*, and whoever has new work keeps it until there is again.
//!
//! Invariants:
//! - **OG-1 (in-turn):** messages go out whole, in the order in which they were given.
//! - **OG-2 (never-blocks):** giving a message never waits for the other side.
//! - **OG-3 (room-is-told):** there is no room from the moment on in which more waits than the limit until half of it does,
//!   or the end has come; that there is again is told once for each time that there was none.
//! - **OG-4 (left-not-lost):** what is left goes at the end of the turn or burst it was given in, at the latest after
//!   [`LEFT_MOST`], and before what is given by one who leaves nothing; also when the link is closed.

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
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::channel::{Patience, Writes};
use super::stream::Message;
use crate::runtime::burst::{self, Flush, Patient};

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
/// Whoever gives one more to what was left for longer writes it all.
const LEFT: Duration = Duration::from_micros(50);
/// How long anything is left by one who then does something else, against what he has promised.
const LEFT_MOST: Duration = Duration::from_millis(10);
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
    /// Something was left: whoever looks after it looks a while later.
    left: Notify,
    is_looked_after: AtomicBool,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    /// Bytes that were given and not sent, as far as is counted.
    waiting: usize,
    /// Bytes that the other side has to take over from memory that both share.
    lent: usize,
    writer: Writer,
    has_thread: bool,
    /// Since when something is left to be written soon.
    left: Option<Duration>,
    /// When the last message came, and how many came quickly before it.
    last: Duration,
    quick: u32,
}

impl Queue {
    /// What it keeps of this process's memory.
    fn taken(&self) -> usize {
        self.waiting.saturating_add(self.lent)
    }
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
        let (queue, full, is_crowded, left, is_looked_after) = Default::default();
        Self(Arc::new(Inner { writes, queue, full, is_crowded, on_room, left, is_looked_after }))
    }

    /// Actors may leave what they give: a task of this runtime, which nobody holds up, looks after it. While messages come
    /// it is woken once in [`LEFT_MOST`].
    pub(super) fn is_looked_after(&self, runtime: &Handle) {
        self.0.is_looked_after.store(true, Ordering::Release);
        let inner = Arc::clone(&self.0);
        // It ends with the link.
        runtime.spawn(async move {
            while inner.queue.lock().writer != Writer::Closed {
                inner.left.notified().await;
                tokio::time::sleep(LEFT_MOST).await;
                Arc::clone(&inner).flush();
            }
        });
    }

    /// So many bytes were laid into memory that both sides share, where they stay until the other side has taken them over: they wait as
    /// those do that have not gone out.
    pub(super) fn lends(&self, bytes: usize) {
        let mut queue = self.0.queue.lock();
        if queue.writer == Writer::Closed {
            return;
        }
        queue.lent += bytes;
        if queue.taken() > limits::LINK_WAITING_BYTES_MAX {
            self.0.is_crowded.store(true, Ordering::SeqCst);
        }
    }

    /// The other side has taken them over.
    pub(super) fn is_given_back(&self, bytes: usize) {
        let has_room = {
            let mut queue = self.0.queue.lock();
            queue.lent = queue.lent.saturating_sub(bytes);
            self.0.has_room_again(&queue)
        };
        if has_room {
            (self.0.on_room)();
        }
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
            if queue.taken() > limits::LINK_WAITING_BYTES_MAX {
                self.0.is_crowded.store(true, Ordering::SeqCst);
            }
            let now = clock::now();
            let is_mine = queue.writer == Writer::Nobody;
            if is_mine && self.is_left(&mut queue, now) {
                return;
            }
            let gathers = queue.is_quick(now);
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

    /// Whether it is written soon, with what this thread gives next.
    fn is_left(&self, queue: &mut Queue, now: Duration) -> bool {
        let leaves = match burst::patience() {
            Patient::No => false,
            Patient::Turn => self.0.is_looked_after.load(Ordering::Acquire),
            Patient::Burst => true,
        };
        let is_enough = queue.waiting > TOGETHER
            || queue.left.is_some_and(|since| now.saturating_sub(since) > LEFT);
        if !leaves || is_enough {
            return false;
        }
        queue.left.get_or_insert(now);
        burst::flush_soon(&self.0);
        self.0.left.notify_one();
        true
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
                    queue.left = None;
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
        queue.left = None;
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

    /// What was left goes.
    pub(super) fn flush(&self) {
        Arc::clone(&self.0).flush();
    }

    /// The socket has taken all that was given, or never will.
    pub(super) fn is_empty(&self) -> bool {
        let queue = self.0.queue.lock();
        queue.pieces.is_empty() && matches!(queue.writer, Writer::Nobody | Writer::Closed)
    }

    /// Nothing goes out any more; the reader of both sides sees the end.
    pub(super) fn close(&self) {
        // What was left is a last word perhaps.
        self.flush();
        self.0.close();
    }
}

impl Flush for Inner {
    fn flush(self: Arc<Self>) {
        {
            let mut queue = self.queue.lock();
            if queue.writer != Writer::Nobody || queue.pieces.is_empty() {
                return;
            }
            queue.writer = Writer::Somebody;
        }
        Outgoing(self).write();
    }
}

impl Inner {
    /// There is, for the first time after there was none.
    fn has_room_again(&self, queue: &Queue) -> bool {
        let is_it = queue.taken() <= ROOM && self.is_crowded.load(Ordering::Relaxed);
        if is_it {
            self.is_crowded.store(false, Ordering::SeqCst);
        }
        is_it
    }

    fn close(&self) {
        let (dropped, was_crowded) = {
            let mut queue = self.queue.lock();
            queue.writer = Writer::Closed;
            (queue.waiting, queue.lent) = (0, 0);
            (mem::take(&mut queue.pieces), self.is_crowded.swap(false, Ordering::SeqCst))
        };
        drop(dropped);
        self.writes.close();
        self.full.notify_all();
        self.left.notify_one();
        if was_crowded {
            (self.on_room)();
        }
    }

    /// So many bytes wait no more.
    fn went(&self, queue: &mut MutexGuard<'_, Queue>, bytes: usize) {
        // Nothing waits any more after the end, whatever was on its way.
        queue.waiting = queue.waiting.saturating_sub(bytes);
        if self.has_room_again(queue) {
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
mod tests;
