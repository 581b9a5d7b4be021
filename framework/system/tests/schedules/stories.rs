//! What is run under every schedule.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use raytree_engine::placement::{Loan, Verdict};
use raytree_types::{Demand, Resources};
use shuttle::thread;

use crate::countdown::Countdown;
use crate::lane::{Call, Lane, ONE_CPU};
use crate::ledger::{Claimant, Ledger};
use crate::sync::{AtomicUsize, Ordering};

/// Schedules tried of each story; a failure prints the one that failed.
const SCHEDULES: usize = 5_000;

/// Changes of priority in each: faults that need few of them are found early (Burckhardt et al., 2010).
const DEPTH: usize = 3;

/// A node with a lane, and with demands of two CPUs in its books; a task is a number.
struct Node {
    ledger: Ledger,
    lane: Lane<u32>,
    ran: AtomicUsize,
    /// How many tasks wait, as they do for one that another makes.
    waits: bool,
}

impl Node {
    fn new(cpus: u32, waits: bool) -> Arc<Self> {
        Arc::new(Self {
            ledger: Ledger::new(Resources::cpus(f64::from(cpus))),
            lane: Lane::new(cpus as usize),
            ran: AtomicUsize::new(0),
            waits,
        })
    }

    fn submit(self: &Arc<Self>, task: u32) {
        self.lane.push(task);
        self.serve();
    }

    fn submit_wide(self: &Arc<Self>, task: u64) {
        let demand = Demand::always(Resources::cpus(2.0));
        match self.ledger.request(Claimant::Task(task), &demand, Loan::May) {
            Verdict::Granted => {
                self.start_wide();
                self.serve();
            }
            Verdict::Waiting => self.settle(),
            Verdict::Infeasible => unreachable!("the node has two"),
        }
    }

    fn settle(self: &Arc<Self>) {
        while self.ledger.has_lines() {
            let Some((who, _)) = self.ledger.grant_next() else { break };
            match who {
                Claimant::Task(_) => self.start_wide(),
                Claimant::Lane(_) => {
                    self.lane.granted();
                    self.start_worker();
                }
                Claimant::Actor(_) => unreachable!("there are none"),
            }
        }
        self.serve();
    }

    fn serve(self: &Arc<Self>) {
        match self.lane.call(&self.ledger) {
            Call::Nothing => {}
            Call::Worker => self.start_worker(),
            Call::Settle => self.settle(),
        }
    }

    fn start_wide(self: &Arc<Self>) {
        let node = Arc::clone(self);
        thread::spawn(move || {
            node.ran.fetch_add(1, Ordering::SeqCst);
            node.ledger.ended(&Demand::always(Resources::cpus(2.0)));
            node.settle();
        });
    }

    fn start_worker(self: &Arc<Self>) {
        let node = Arc::clone(self);
        thread::spawn(move || {
            let run = |_task| {
                if node.waits {
                    node.ledger.lend(ONE_CPU);
                    node.settle();
                    thread::yield_now();
                    node.ledger.take_back(ONE_CPU);
                }
                node.ran.fetch_add(1, Ordering::SeqCst);
                true
            };
            node.lane.work(&node.ledger, run, || node.settle());
        });
    }
}

/// Runs `story` on a node; when all its threads have ended, every task has run and every CPU is back.
fn every_task_runs(cpus: u32, waits: bool, tasks: usize, story: fn(&Arc<Node>)) {
    // Shuttle ends a run when every thread has ended: the last look is taken by the last to let go of the node.
    struct AtTheEnd(Arc<Node>, usize, u32);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            assert_eq!(self.0.ran.load(Ordering::SeqCst), self.1, "LN-1: a task was left in line");
            assert!(!self.0.ledger.has_lines(), "NL-1: somebody waits for ever");
            let whole = Resources::cpus(f64::from(self.2));
            assert_eq!(self.0.ledger.free(), whole, "NL-2: every CPU comes back");
        }
    }
    shuttle::check_pct(
        move || {
            let node = Node::new(cpus, waits);
            let end = AtTheEnd(Arc::clone(&node), tasks, cpus);
            story(&node);
            while Arc::strong_count(&node) > 2 {
                thread::yield_now();
            }
            drop(end);
        },
        SCHEDULES,
        DEPTH,
    );
}

#[test]
fn ln_1_no_task_is_left_while_a_cpu_is_free() {
    every_task_runs(1, false, 4, |node| {
        let other = Arc::clone(node);
        let submits = thread::spawn(move || (0..2).for_each(|task| other.submit(task)));
        (2..4).for_each(|task| node.submit(task));
        submits.join().unwrap();
    });
}

#[test]
fn ln_2_the_lane_and_the_books_take_turns() {
    every_task_runs(2, false, 5, |node| {
        let other = Arc::clone(node);
        let submits = thread::spawn(move || (0..2).for_each(|task| other.submit_wide(task)));
        (0..3).for_each(|task| node.submit(task));
        submits.join().unwrap();
    });
}

#[test]
fn nl_1_what_is_given_while_somebody_begins_to_wait_reaches_him() {
    every_task_runs(2, false, 2, |node| {
        let other = Arc::clone(node);
        let submits = thread::spawn(move || other.submit_wide(1));
        node.submit(1);
        submits.join().unwrap();
    });
}

#[test]
fn nl_2_what_is_lent_comes_back() {
    every_task_runs(2, true, 5, |node| {
        let other = Arc::clone(node);
        let submits = thread::spawn(move || other.submit_wide(1));
        (0..4).for_each(|task| node.submit(task));
        submits.join().unwrap();
    });
}

struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn cd_1_whoever_waits_is_woken_when_it_is_over() {
    let story = || {
        let over = Countdown::new(2, false);
        let tellers: Vec<_> = (0..2)
            .map(|_| {
                let over = Arc::clone(&over);
                thread::spawn(move || over.tell(true))
            })
            .collect();
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let first = over.poll(&Context::from_waker(&waker));
        tellers.into_iter().for_each(|teller| teller.join().unwrap());
        let told = woken.0.load(Ordering::SeqCst);
        match first {
            Poll::Ready(()) => assert_eq!(told, 0),
            Poll::Pending => assert_eq!(told, 1, "CD-1: it is over and nobody was told"),
        }
        assert!(over.poll(&Context::from_waker(&waker)).is_ready());
    };
    shuttle::check_pct(story, SCHEDULES, DEPTH);
}

#[test]
fn cd_1_one_failure_ends_a_hasty_wait() {
    let story = || {
        let over = Countdown::new(3, true);
        let other = Arc::clone(&over);
        let fails = thread::spawn(move || other.tell(false));
        let succeeds = Arc::clone(&over);
        let succeeds = thread::spawn(move || succeeds.tell(true));
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let first = over.poll(&Context::from_waker(&waker));
        fails.join().unwrap();
        succeeds.join().unwrap();
        let told = woken.0.load(Ordering::SeqCst);
        assert!(first.is_ready() || told == 1, "CD-1: woken {told} times");
        assert!(over.poll(&Context::from_waker(&waker)).is_ready());
    };
    shuttle::check_pct(story, SCHEDULES, DEPTH);
}
