//! How an object is given: on a thread for each connection of one who fetches.

use std::io::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::{Condvar, Mutex};
use raytree_store::Location;
use raytree_supervise::clock;
use raytree_types::{Bytes, limits};
use raytree_wire::{ReadHalf, Stream, WriteHalf};

use super::exchange::Exchange;
use super::origin::Place;
use super::spread::{Spread, Turn};
use super::words::{self, Gives, Wants};
use crate::Lost;

/// Who is served of what, and who waits.
#[derive(Default)]
pub(super) struct Served {
    books: Mutex<Books>,
    /// Somebody has his turn.
    turn: Condvar,
}

#[derive(Default)]
struct Books {
    spread: Spread,
    last: u64,
    /// What those are told who have waited.
    turns: Vec<(u64, Turn)>,
}

/// An object that somebody fetches.
struct Open<'a> {
    served: &'a Served,
    object: Location,
    bytes: Bytes,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.served.closes(&self.object);
    }
}

impl Served {
    fn closes(&self, object: &Location) {
        let mut books = self.books.lock();
        let turns = books.spread.closes(object);
        books.turns.extend(turns);
        drop(books);
        self.turn.notify_all();
    }

    fn has(&self, object: &Location, copy: Place) {
        let mut books = self.books.lock();
        let turns = books.spread.has(object, copy);
        books.turns.extend(turns);
        drop(books);
        self.turn.notify_all();
    }

    fn lacks(&self, object: &Location, copy: &Place) {
        self.books.lock().spread.lacks(object, copy);
    }

    /// Somebody asks for an object: what he is told, once it is his turn. `waits` is called from time to time until then.
    ///
    /// # Errors
    /// What `waits` says.
    fn asks(
        &self,
        object: Location,
        (but, is_last): (&[Place], bool),
        mut waits: impl FnMut() -> io::Result<()>,
    ) -> io::Result<Turn> {
        let mut books = self.books.lock();
        books.last += 1;
        let who = books.last;
        let turn = books.spread.asks(object, who, but, is_last);
        if turn != Turn::Waits {
            return Ok(turn);
        }
        let mut says_at = clock::now() + limits::PUSH_WAITS_SAID_EVERY;
        loop {
            if let Some(at) = books.turns.iter().position(|(own, _)| *own == who) {
                return Ok(books.turns.swap_remove(at).1);
            }
            let left = says_at.saturating_sub(clock::now());
            if !left.is_zero() {
                // Others are told, too.
                self.turn.wait_for(&mut books, left);
                continue;
            }
            drop(books);
            let said = waits();
            says_at = clock::now() + limits::PUSH_WAITS_SAID_EVERY;
            books = self.books.lock();
            if let Err(error) = said {
                let has_left = books.spread.leaves(&object, who);
                let turn = books.turns.iter().position(|(own, _)| *own == who);
                let turn = turn.map(|at| books.turns.swap_remove(at).1);
                drop(books);
                // His turn came just now.
                if !has_left && matches!(turn, Some(Turn::Here(_))) {
                    self.closes(&object);
                }
                return Err(error);
            }
        }
    }
}

impl Exchange {
    /// Gives what is asked for over a connection, until nothing is any more.
    pub(crate) fn serves(self: &Arc<Self>, stream: Stream) -> io::Result<()> {
        stream.give_up_after(limits::PUSH_IDLE_MAX)?;
        let (mut reads, mut writes) = stream.split();
        let mut open: Option<Open<'_>> = None;
        while let Some(wants) = next(&mut reads, open.is_some())? {
            match wants {
                Wants::Open { door, object, but, is_last } => {
                    drop(open.take());
                    open = self.opens_for(&mut writes, (&door, object), (&but, is_last))?;
                }
                Wants::Piece { from, len } => {
                    let part = open.as_ref().and_then(|open| part(&open.bytes, from, len));
                    let Some((bytes, part)) = part else {
                        let why = format!("there is no part of {len} bytes from {from} on");
                        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                    };
                    words::write(&mut writes, &Gives::Piece { len })?;
                    writes.write_all(&bytes[part])?;
                    self.pushed.fetch_add(len, Ordering::Relaxed);
                }
                Wants::Close => drop(open.take()),
                Wants::Has { door, object, copy } => {
                    if door == self.origin.door {
                        self.served.has(&object, copy);
                    }
                }
                Wants::Lacks { door, object, copy } => {
                    if door == self.origin.door {
                        self.served.lacks(&object, &copy);
                    }
                }
            }
        }
        Ok(())
    }

    fn opens_for(
        &self,
        to: &mut WriteHalf,
        (door, object): (&str, Location),
        how: (&[Place], bool),
    ) -> io::Result<Option<Open<'_>>> {
        if door != self.origin.door {
            let why = "it was in a store that has ended".to_owned();
            return words::write(to, &Gives::Gone { why }).map(|()| None);
        }
        let turn = self.served.asks(object, how, || words::write(to, &Gives::Wait))?;
        let copies = match turn {
            Turn::Here(copies) => copies,
            Turn::At(copy) => return words::write(to, &Gives::Elsewhere { copy }).map(|()| None),
            Turn::Waits => return Err(io::Error::other("nobody has said that it is his turn")),
        };
        // Whatever happens now, it is closed.
        let mut open = Open { served: &self.served, object, bytes: Bytes::from_static(&[]) };
        let read = self.session.look(object, || words::write(to, &Gives::Wait))?;
        match read {
            Ok(bytes) if bytes.len() as u64 == object.len => {
                open.bytes = bytes;
                words::write(to, &Gives::Opened { copies })?;
                Ok(Some(open))
            }
            Ok(_) => {
                let why = "it is of another length".to_owned();
                words::write(to, &Gives::Gone { why }).map(|()| None)
            }
            // Whoever has asked tries it again.
            Err(why @ Lost::Away(_)) => Err(io::Error::other(why)),
            Err(why) => words::write(to, &Gives::Gone { why: why.to_string() }).map(|()| None),
        }
    }
}

/// What is wanted next. Who has nothing open may be silent for a while, and is cut off in order after that.
fn next(from: &mut ReadHalf, is_open: bool) -> io::Result<Option<Wants>> {
    match words::read(from) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock && !is_open => Ok(None),
        wants => wants,
    }
}

fn part(bytes: &Bytes, from: u64, len: u64) -> Option<(&Bytes, Range<usize>)> {
    let end = from.checked_add(len)?;
    let part = usize::try_from(from).ok()?..usize::try_from(end).ok()?;
    (part.end <= bytes.len()).then_some((bytes, part))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{TryRecvError, sync_channel};
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn object(slot: u32) -> Location {
        Location { slot, generation: 1, offset: 0, len: 1 << 30 }
    }

    #[test]
    fn ts_2_who_waits_hears_so_however_often_others_have_their_turns() {
        let served = Served::default();
        let never = || -> io::Result<()> { unreachable!("there is a place") };
        for _ in 0..limits::PUSHES_OF_ONE {
            let turn = served.asks(object(0), (&[], false), never).expect("a turn");
            assert_eq!(turn, Turn::Here(Vec::new()));
        }
        let (tell, told) = sync_channel(1);
        thread::scope(|both| {
            both.spawn(|| {
                let waits = || {
                    tell.send(()).expect("it is heard");
                    Err(io::ErrorKind::BrokenPipe.into())
                };
                let left = served.asks(object(0), (&[], false), waits).expect_err("he leaves");
                assert_eq!(left.kind(), io::ErrorKind::BrokenPipe);
            });
            while told.try_recv() == Err(TryRecvError::Empty) {
                // Everybody is woken.
                served.closes(&object(1));
                thread::park_timeout(Duration::from_millis(20));
            }
        });
        served.closes(&object(0));
        let next = served.asks(object(0), (&[], false), never).expect("a turn");
        assert_eq!(next, Turn::Here(Vec::new()), "he who left has no turn");
    }
}
