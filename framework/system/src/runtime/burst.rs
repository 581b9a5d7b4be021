//! What a thread that hears many things at once does for others: at once as well.
//!
//! The reader of a link hears calls and answers by the hundred. Woken by each of them, whoever it is for would be done with it
//! before the next one is read, go to sleep, and have to be woken again, which takes longer than the call. So on such a thread
//! what would wake somebody is kept for a moment: until the thread has heard [`MOST`] things, or has to wait for more.
//!
//! Invariants:
//! - **BU-1 (soon):** nothing is kept while its thread waits.
//! - **BU-2 (in-order):** what is kept for mailboxes goes in the order in which it was made, and before all that is made later
//!   or stands in line behind it.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;

use raytree_supervise::panics;

use super::Shared;
use crate::object::waiter;
use crate::user::order::Deferred;

/// So many things are heard at most before others are told.
const MOST: u32 = 64;

#[derive(Default)]
struct Kept {
    calls: Vec<Arc<dyn Deferred>>,
    /// Tasks that were put into the lane of a runtime.
    tasks: Option<(Arc<Shared>, usize)>,
    /// Links over which something was left to be sent.
    links: Vec<Arc<dyn Flush>>,
}

/// Something that what is given to it may be left with for a moment.
pub(crate) trait Flush: Send + Sync {
    /// What was left goes.
    fn flush(self: Arc<Self>);
    /// It goes when the turn of the task that runs now on this thread is over.
    fn after_turn(&self);
}

/// Whether what a thread gives may be left for a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patient {
    No,
    /// Until its task has had its turn.
    Turn,
    /// Until the end of a burst.
    Burst,
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
}

/// While it lives this thread keeps what would wake others until it is told to go on.
pub(crate) struct Burst {
    heard: u32,
    /// It is this thread's.
    _here: PhantomData<*const ()>,
}

impl Burst {
    pub(crate) fn begin() -> Self {
        KEPT.set(Some(Kept::default()));
        waiter::gather();
        Self { heard: 0, _here: PhantomData }
    }

    /// One more thing was heard.
    pub(crate) fn heard(&mut self) {
        self.heard += 1;
        if self.heard >= MOST {
            self.flush();
        }
    }

    /// What is kept goes.
    pub(crate) fn flush(&mut self) {
        self.heard = 0;
        let went = || {
            loop {
                send_kept();
                serve_kept();
                // Whoever is told may call, and tell others.
                if !waiter::tell_gathered() && is_empty() {
                    return flush_links();
                }
            }
        };
        while let Err(cause) = panics::catch(went) {
            tracing::error!("what came over a link panicked: {cause}");
        }
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        self.flush();
        waiter::gather_no_more();
        KEPT.set(None);
    }
}

/// Sends a call, now or soon.
pub(crate) fn send(call: Arc<dyn Deferred>) {
    let now = KEPT.with_borrow_mut(|kept| match kept {
        Some(kept) => {
            kept.calls.push(call);
            None
        }
        None => Some(call),
    });
    if let Some(call) = now {
        call.send();
    }
}

/// Calls that are kept go now (BU-2).
pub(crate) fn send_kept() {
    let calls = KEPT.with_borrow_mut(|kept| kept.as_mut().map(|kept| mem::take(&mut kept.calls)));
    calls.into_iter().flatten().for_each(|call| call.send());
}

/// A task was put into the lane: a thread takes it from there, now or soon.
pub(crate) fn serve_lane(runtime: &Arc<Shared>) {
    let is_kept = KEPT.with_borrow_mut(|kept| match kept {
        Some(kept) => {
            let (_, tasks) = kept.tasks.get_or_insert_with(|| (Arc::clone(runtime), 0));
            *tasks += 1;
            true
        }
        None => false,
    });
    if !is_kept {
        runtime.serve_lane(1);
    }
}

fn serve_kept() {
    let tasks = KEPT.with_borrow_mut(|kept| kept.as_mut().and_then(|kept| kept.tasks.take()));
    if let Some((runtime, count)) = tasks {
        runtime.serve_lane(count);
    }
}

/// What `work` gives, as a part of the turn of its task on a thread of the runtime, goes when that is over: it is one of many
/// that are done in one turn.
pub(crate) fn in_turn<R>(work: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            IN_TURN.set(self.0);
        }
    }
    let _before = Before(IN_TURN.replace(true));
    work()
}

/// As of what runs now.
pub(crate) fn patience() -> Patient {
    if KEPT.with_borrow(Option::is_some) {
        Patient::Burst
    } else if IN_TURN.get() {
        Patient::Turn
    } else {
        Patient::No
    }
}

/// What is left with this one goes as soon as [`patience`] says.
pub(crate) fn flush_soon<F: Flush + 'static>(left: &Arc<F>) {
    let is_kept = KEPT.with_borrow_mut(|kept| match kept {
        Some(kept) => {
            kept.links.push(Arc::clone(left) as Arc<dyn Flush>);
            true
        }
        None => false,
    });
    if !is_kept {
        left.after_turn();
    }
}

fn flush_links() {
    let links = KEPT.with_borrow_mut(|kept| kept.as_mut().map(|kept| mem::take(&mut kept.links)));
    links.into_iter().flatten().for_each(Flush::flush);
}

fn is_empty() -> bool {
    KEPT.with_borrow(|kept| {
        kept.as_ref().is_none_or(|kept| kept.calls.is_empty() && kept.tasks.is_none())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use parking_lot::Mutex;

    use super::*;
    use crate::object::waiter::{Dependent, Waiter, tell_all};

    type Seen = Arc<Mutex<Vec<u32>>>;

    struct Call(u32, Seen);

    impl Deferred for Call {
        fn is_complete(&self) -> bool {
            true
        }

        fn send(self: Arc<Self>) {
            self.1.lock().push(self.0);
        }
    }

    /// Who is told, and calls when he is.
    struct Caller(u32, Seen);

    impl Dependent for Caller {
        fn argument(self: Arc<Self>, ok: bool) {
            assert!(ok, "it failed");
            self.1.lock().push(self.0);
            send(Arc::new(Call(self.0 + 1, Arc::clone(&self.1))));
        }
    }

    struct Line(Seen, Weak<()>);

    impl Flush for Line {
        fn flush(self: Arc<Self>) {
            self.0.lock().push(if self.1.upgrade().is_some() { 100 } else { 101 });
        }

        fn after_turn(&self) {
            self.0.lock().push(200);
        }
    }

    fn tell(number: u32, seen: &Seen, ok: bool) {
        let caller = Arc::new(Caller(number, Arc::clone(seen)));
        tell_all(vec![Waiter::Dependent(caller as Arc<dyn Dependent>)], ok);
    }

    #[test]
    fn bu_1_what_is_kept_goes_when_so_much_was_heard_or_nothing_more_is() {
        let seen = Seen::default();
        let mut burst = Burst::begin();
        for heard in 1..MOST {
            send(Arc::new(Call(heard, Arc::clone(&seen))));
            burst.heard();
            assert!(seen.lock().is_empty());
        }
        burst.heard();
        assert_eq!(*seen.lock(), (1..MOST).collect::<Vec<_>>());
        seen.lock().clear();
        send(Arc::new(Call(7, Arc::clone(&seen))));
        tell(10, &seen, true);
        assert!(seen.lock().is_empty());
        burst.flush();
        assert_eq!(*seen.lock(), [7, 10, 11], "and what follows from it");
        send(Arc::new(Call(8, Arc::clone(&seen))));
        drop(burst);
        send(Arc::new(Call(9, Arc::clone(&seen))));
        tell(20, &seen, true);
        assert_eq!(*seen.lock(), [7, 10, 11, 8, 9, 20, 21], "nothing is kept any more");
    }

    #[test]
    fn bu_2_what_is_kept_goes_before_what_stands_in_line_behind_it() {
        let seen = Seen::default();
        let mut burst = Burst::begin();
        (1..4).for_each(|number| send(Arc::new(Call(number, Arc::clone(&seen)))));
        send_kept();
        assert_eq!(*seen.lock(), [1, 2, 3]);
        burst.flush();
        assert_eq!(*seen.lock(), [1, 2, 3], "once");
    }

    #[test]
    fn one_who_panics_when_told_keeps_nobody_else_from_it() {
        let seen = Seen::default();
        let mut burst = Burst::begin();
        tell(1, &seen, true);
        tell(2, &seen, false);
        tell(3, &seen, true);
        burst.flush();
        assert_eq!(*seen.lock(), [1, 2, 3, 4]);
    }

    #[test]
    fn links_go_last_in_a_burst_and_after_the_turn_of_a_task() {
        let (seen, lives) = (Seen::default(), Arc::new(()));
        let line = Arc::new(Line(Arc::clone(&seen), Arc::downgrade(&lives)));
        assert!(patience() == Patient::No);
        in_turn(|| {
            assert!(patience() == Patient::Turn);
            flush_soon(&line);
        });
        assert!(patience() == Patient::No);
        let mut burst = Burst::begin();
        assert!(in_turn(patience) == Patient::Burst);
        flush_soon(&line);
        send(Arc::new(Call(1, Arc::clone(&seen))));
        tell(2, &seen, true);
        burst.flush();
        assert_eq!(*seen.lock(), [200, 1, 2, 3, 100]);
    }
}
