//! The parts of an object that is being fetched, from one node or several.
//!
//! Each part is given to one who fetches it, straight into the place where it will lie, and comes back when he has failed: then another one,
//! or the same one over another stream, begins it anew.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// See the [module documentation](self).
pub(super) struct Pieces<'a> {
    left: Mutex<Left<'a>>,
    /// One has come, or has come back.
    changed: Condvar,
    /// Goes up with whatever comes.
    moved: AtomicU64,
}

struct Left<'a> {
    /// Those that nobody fetches, the next one last.
    todo: Vec<Piece<'a>>,
    /// Those that have not come.
    missing: usize,
    /// How many have come, ever.
    come: u64,
}

/// A part of an object.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) from: u64,
    pub(super) bytes: &'a mut [u8],
}

impl<'a> Pieces<'a> {
    pub(super) fn of(object: &'a mut [u8], size: usize) -> Self {
        let pieces = object.chunks_mut(size).enumerate();
        let pieces = pieces.map(|(at, bytes)| Piece { from: (at * size) as u64, bytes });
        let mut todo: Vec<_> = pieces.collect();
        todo.reverse();
        let missing = todo.len();
        let left = Mutex::new(Left { todo, missing, come: 0 });
        Self { left, changed: Condvar::new(), moved: AtomicU64::new(0) }
    }

    pub(super) fn take(&self) -> Option<Piece<'a>> {
        self.left.lock().todo.pop()
    }

    /// It did not come.
    pub(super) fn back(&self, piece: Piece<'a>) {
        self.left.lock().todo.push(piece);
        self.changed.notify_all();
    }

    /// Some of one has come.
    pub(super) fn moves(&self) {
        self.moved.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until one has come or has come back, or for so long. False when nothing of any has come meanwhile.
    pub(super) fn waits(&self, long: Duration) -> bool {
        let mut left = self.left.lock();
        let before = self.moved.load(Ordering::Relaxed);
        let is_any_held = left.missing > left.todo.len();
        let is_late = is_any_held && self.changed.wait_for(&mut left, long).timed_out();
        !is_late || self.moved.load(Ordering::Relaxed) > before
    }

    /// It has come.
    pub(super) fn done(&self, piece: Piece<'a>) {
        let mut left = self.left.lock();
        left.missing -= 1;
        left.come += piece.bytes.len() as u64;
        drop(left);
        self.changed.notify_all();
    }

    /// How many somebody fetches.
    pub(super) fn held(&self) -> usize {
        let left = self.left.lock();
        left.missing - left.todo.len()
    }

    /// Whether all have come.
    pub(super) fn are_done(&self) -> bool {
        self.left.lock().missing == 0
    }

    /// How many bytes have come.
    pub(super) fn come(&self) -> u64 {
        self.left.lock().come
    }

    /// How many nobody fetches yet.
    pub(super) fn todo(&self) -> usize {
        self.left.lock().todo.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_once_whoever_fails() {
        let mut object = vec![0_u8; 1003];
        let pieces = Pieces::of(&mut object, 100);
        let mut fails = 0;
        while let Some(piece) = pieces.take() {
            // Each third one fails after half of it.
            if fails % 3 == 2 {
                let half = piece.bytes.len() / 2;
                piece.bytes[..half].fill(9);
                pieces.back(piece);
            } else {
                piece.bytes.iter_mut().zip(piece.from..).for_each(|(byte, at)| *byte = at as u8);
                pieces.done(piece);
            }
            fails += 1;
        }
        assert!(pieces.are_done());
        assert_eq!((pieces.come(), pieces.todo()), (1003, 0));
        assert!(object.iter().zip(0_u64..).all(|(byte, at)| *byte == at as u8));
    }

    #[test]
    fn who_waits_for_others_hears_of_what_comes_and_of_nothing() {
        const SHORT: Duration = Duration::from_millis(1);
        let mut object = [0; 2];
        let pieces = Pieces::of(&mut object, 1);
        assert!(pieces.waits(Duration::MAX), "nobody fetches any");
        let [one, other] = [(); 2].map(|()| pieces.take().unwrap());
        assert_eq!((pieces.held(), pieces.waits(SHORT)), (2, false));
        std::thread::scope(|both| {
            both.spawn(|| pieces.back(other));
            // It may come back before that, and then nothing more comes.
            while pieces.held() > 1 {
                pieces.waits(SHORT);
            }
        });
        pieces.done(one);
        assert_eq!((pieces.held(), pieces.todo()), (0, 1));
        assert!(pieces.waits(Duration::MAX));
    }

    #[test]
    fn nothing_has_no_pieces() {
        let pieces = Pieces::of(&mut [], 100);
        assert!(pieces.take().is_none() && pieces.are_done());
    }
}
