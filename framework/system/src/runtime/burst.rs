//! What a thread that hears or does many things at once does for others: at once as well.
//!
//! The reader of a link hears calls and answers by the hundred. Woken by each of them, whoever it is for would be done with it
//! before the next one is read, go to sleep, and have to be woken again, which takes longer than the call. So while such a
//! *burst* lasts, what would wake others is kept for a moment: until the thread has heard [`MOST`] things, or for [`LONG`], or
//! has to wait for more.
//!
//! An actor that works off its mailbox gives its answers one upon the other. While it has more to do that is swift, it leaves
//! them to be written together; that is its *turn*.
//!
//! Invariants:
//! - **BU-1 (soon):** nothing is kept while its thread waits, and nothing is left while it runs what is not known to be swift.
//! - **BU-2 (in-order):** what is kept for mailboxes goes in the order in which it was made, and before all that is made later
//!   or stands in line behind it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ptr::addr_eq;
use std::sync::{Arc, Weak};
use std::time::Duration;

use raytree_supervise::{clock, panics};

use super::Shared;
use crate::object::waiter;
use crate::user::order::Deferred;

/// So many things are heard at most before others are told.
const MOST: u32 = 64;
/// How long is kept what others could do meanwhile.
const LONG: Duration =
    // A thread of a test may be put to sleep for longer than this.
    if cfg!(test) { Duration::from_secs(3600) } else { Duration::from_micros(100) };

/// Something that what is given to it may be left with for a moment.
pub(crate) trait Flush: Send + Sync {
    /// What was left goes.
    fn flush(self: Arc<Self>);
}

#[derive(Default)]
struct Kept {
    /// When something was kept or left first.
    since: Option<Duration>,
    calls: VecDeque<Arc<dyn Deferred>>,
    /// Tasks that were put into the lane of a runtime.
    tasks: Option<(Arc<Shared>, usize)>,
    links: VecDeque<Arc<dyn Flush>>,
}

impl Kept {
    fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.tasks.is_none() && self.links.is_empty()
    }

    fn begins(&mut self) {
        self.since.get_or_insert_with(clock::now);
    }
}

/// Whether what a thread gives may be left for a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patient {
    No,
    /// Until the turn is over.
    Turn,
    /// Until the burst is.
    Burst,
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
    /// Where something was left in a turn.
    static LEFT: RefCell<Vec<Weak<dyn Flush>>> = const { RefCell::new(Vec::new()) };
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

    /// One more thing was heard, and what follows from it is kept.
    pub(crate) fn heard(&mut self) {
        self.heard += 1;
        if self.heard >= MOST {
            self.flush();
        } else {
            go_on();
        }
    }

    pub(crate) fn flush(&mut self) {
        self.heard = 0;
        flush();
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        self.flush();
        waiter::gather_no_more();
        KEPT.set(None);
    }
}

/// What this thread keeps in a burst; none when it is in none, or ends.
fn kept<R>(look: impl FnOnce(&mut Kept) -> R) -> Option<R> {
    KEPT.try_with(|kept| kept.borrow_mut().as_mut().map(look)).ok().flatten()
}

/// What this thread has kept goes. To be said before it waits for anything.
pub(crate) fn flush() {
    // One that panics keeps nobody else waiting.
    while let Err(cause) = panics::catch(go_all) {
        tracing::error!("what came over a link panicked: {cause}");
    }
}

fn go_all() {
    loop {
        send_kept();
        let tasks = kept(|kept| kept.tasks.take()).flatten();
        if let Some((runtime, count)) = tasks {
            runtime.serve_lane(count);
        }
        // Whoever is told may call, and tell others.
        let was_anybody = waiter::tell_gathered();
        while let Some(link) = kept(|kept| kept.links.pop_front()).flatten() {
            link.flush();
        }
        let is_done = kept(|kept| {
            let is_done = !was_anybody && kept.is_empty() && !waiter::are_gathered();
            kept.since = kept.since.filter(|_| !is_done);
            is_done
        });
        if is_done.unwrap_or(true) {
            return;
        }
    }
}

/// What this thread has kept for long goes.
pub(crate) fn go_on() {
    let is_long = kept(|kept| {
        if waiter::are_gathered() {
            kept.begins();
        }
        kept.since.is_some_and(|since| clock::now().saturating_sub(since) > LONG)
    });
    if is_long == Some(true) {
        flush();
    }
}

/// Sends a call, now or soon.
pub(crate) fn send(call: Arc<dyn Deferred>) {
    let mut call = Some(call);
    kept(|kept| {
        kept.begins();
        kept.calls.extend(call.take());
    });
    if let Some(call) = call {
        call.send();
    }
}

/// Calls that are kept go now (BU-2).
pub(crate) fn send_kept() {
    while let Some(call) = kept(|kept| kept.calls.pop_front()).flatten() {
        call.send();
    }
}

/// A task was put into the lane: a thread takes it from there, now or soon.
pub(crate) fn serve_lane(runtime: &Arc<Shared>) {
    let is_kept = kept(|kept| match &mut kept.tasks {
        Some((own, tasks)) if Arc::ptr_eq(own, runtime) => {
            *tasks += 1;
            true
        }
        // Somebody is sent to the first one, and finds those that follow.
        None => {
            kept.tasks = Some((Arc::clone(runtime), 0));
            kept.begins();
            false
        }
        Some(_) => false,
    });
    if is_kept != Some(true) {
        runtime.serve_lane(1);
    }
}

/// What `work` gives goes together with what follows: [`end_turn`] is said, on this thread, before anything that may take
/// long, and when nothing more follows.
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

/// What was left in the turns of this thread goes.
pub(crate) fn end_turn() {
    let next = || LEFT.try_with(|left| left.borrow_mut().pop()).ok().flatten();
    while let Some(link) = next() {
        // One that has ended has nothing left.
        let Some(link) = link.upgrade() else { continue };
        if let Err(cause) = panics::catch(|| link.flush()) {
            tracing::error!("what goes out over a link panicked: {cause}");
        }
    }
}

/// As of what runs now.
pub(crate) fn patience() -> Patient {
    if kept(|_| ()).is_some() {
        Patient::Burst
    } else if IN_TURN.try_with(Cell::get).unwrap_or(false) {
        Patient::Turn
    } else {
        Patient::No
    }
}

/// What is left with this one goes when [`patience`] is over.
pub(crate) fn flush_soon<F: Flush + 'static>(left: &Arc<F>) {
    let own = Arc::as_ptr(left);
    let in_burst = kept(|kept| {
        kept.begins();
        if !kept.links.iter().any(|link| addr_eq(Arc::as_ptr(link), own)) {
            kept.links.push_back(Arc::clone(left) as Arc<dyn Flush>);
        }
    });
    if in_burst.is_none() {
        let add = |links: &mut Vec<Weak<dyn Flush>>| {
            if !links.iter().any(|link| addr_eq(link.as_ptr(), own)) {
                let left: Weak<dyn Flush> = Arc::downgrade(left) as Weak<dyn Flush>;
                links.push(left);
            }
        };
        // Where there is no turn any more nothing is left.
        _ = LEFT.try_with(|left| add(&mut left.borrow_mut()));
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::object::waiter::{Dependent, Needs, Waiter, tell_all};

    type Seen = Arc<Mutex<Vec<u32>>>;

    struct Call(u32, Seen);

    impl Deferred for Call {
        fn number(&self) -> u64 {
            0
        }

        fn is_complete(&self) -> bool {
            true
        }

        fn is_over(&self) -> bool {
            false
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

    struct Line(Seen, u32);

    impl Flush for Line {
        fn flush(self: Arc<Self>) {
            self.0.lock().push(self.1);
        }
    }

    fn tell(number: u32, seen: &Seen, ok: bool) {
        let caller = Arc::new(Caller(number, Arc::clone(seen)));
        tell_all(vec![Waiter::Dependent(caller as Arc<dyn Dependent>, Needs::Value)], ok);
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
    fn links_go_last_in_a_burst_and_at_the_end_of_a_turn() {
        let seen = Seen::default();
        let [one, other] = [100, 101].map(|number| Arc::new(Line(Arc::clone(&seen), number)));
        assert!(patience() == Patient::No);
        in_turn(|| {
            assert!(patience() == Patient::Turn);
            [&one, &other, &one].into_iter().for_each(flush_soon);
        });
        assert!(patience() == Patient::No && seen.lock().is_empty());
        end_turn();
        assert_eq!(*seen.lock(), [101, 100], "each once");
        seen.lock().clear();
        let mut burst = Burst::begin();
        assert!(in_turn(patience) == Patient::Burst);
        [&one, &other, &one].into_iter().for_each(flush_soon);
        send(Arc::new(Call(1, Arc::clone(&seen))));
        tell(2, &seen, true);
        burst.flush();
        assert_eq!(*seen.lock(), [1, 2, 100, 101, 3], "and what follows from it");
    }

    #[test]
    fn a_thread_that_ends_keeps_nothing() {
        struct Last(Seen);
        impl Drop for Last {
            fn drop(&mut self) {
                send(Arc::new(Call(1, Arc::clone(&self.0))));
                assert!(patience() == Patient::No);
                end_turn();
            }
        }
        thread_local! {
            static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
        }
        let seen = Seen::default();
        let own = Arc::clone(&seen);
        let ends = std::thread::spawn(move || {
            LAST.set(Some(Last(own)));
            // Destroyed before that one.
            drop(Burst::begin());
        });
        ends.join().expect("no panic");
        assert_eq!(*seen.lock(), [1]);
    }
}
