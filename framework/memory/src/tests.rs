//! Monitor and relay in a tree of their own, with a household that writes down what it is told.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_engine::memory::{Kind, PATIENCE, Process, Reading, Settings, Shortage};
use raytree_process::Offer;
use raytree_supervise::{Addr, ChildSpec, Root, SupervisorSpec};
use raytree_types::{Cause, Error, Strategy};
use tokio::sync::mpsc;

use super::*;

/// What a household was told.
#[derive(Debug, PartialEq)]
enum Told {
    Holds(u64),
    GoesOn,
    Ends(u32, u64, Shortage),
}

/// Two processes, which end when they are told to, and a store. Time goes by when the test says so.
struct Family {
    used: AtomicU64,
    spills: AtomicBool,
    now: Mutex<Duration>,
    processes: Mutex<Vec<Process>>,
    tells: mpsc::UnboundedSender<Told>,
    own: Weak<Family>,
}

impl Family {
    fn new(processes: Vec<Process>) -> (Arc<Self>, mpsc::UnboundedReceiver<Told>) {
        #[expect(clippy::disallowed_methods, reason = "a test reads all of it")]
        let (tells, told) = mpsc::unbounded_channel();
        let family = Arc::new_cyclic(|own| Self {
            used: AtomicU64::new(0),
            spills: AtomicBool::new(false),
            now: Mutex::default(),
            processes: Mutex::new(processes),
            tells,
            own: Weak::clone(own),
        });
        (family, told)
    }

    fn use_up(&self, used: u64) {
        self.used.store(used, Ordering::SeqCst);
    }

    fn spill(&self, spills: bool) {
        self.spills.store(spills, Ordering::SeqCst);
    }

    fn wait(&self, time: Duration) {
        *self.now.lock() += time;
    }

    fn watched(self: &Arc<Self>) -> MonitorArgs {
        MonitorArgs {
            household: Arc::<Self>::clone(self),
            meter: Arc::<Self>::clone(self),
            settings: Settings { refuse_at: 900 },
            every: Duration::from_millis(1),
        }
    }
}

impl Household for Family {
    fn processes(&self, _meter: &dyn Meter) -> Vec<Process> {
        self.processes.lock().clone()
    }

    fn holds_back(&self, short: Option<Reading>) {
        _ = self.tells.send(short.map_or(Told::GoesOn, |reading| Told::Holds(reading.used)));
    }

    fn spills(&self) -> bool {
        self.spills.load(Ordering::SeqCst)
    }

    fn end(&self, process: u32, own: u64, shortage: Shortage) -> Option<Lost> {
        let mut all = self.processes.lock();
        let at = all.iter().position(|one| one.id == process)?;
        all.remove(at);
        self.used.fetch_sub(own, Ordering::SeqCst);
        _ = self.tells.send(Told::Ends(process, own, shortage));
        let things = vec!["2 tasks (a, b)".to_owned(), "1 actor (c)".to_owned()];
        Some(Lost { name: format!("job-{process}"), things })
    }
}

impl Meter for Family {
    fn node(&self) -> Reading {
        Reading { used: self.used.load(Ordering::SeqCst), total: 1000 }
    }

    fn process(&self, process: u32) -> Option<u64> {
        let family = self.own.upgrade()?;
        let all = family.processes.lock();
        all.iter().find(|one| one.id == process).map(|one| one.own)
    }

    fn now(&self) -> Duration {
        *self.now.lock()
    }
}

fn process(id: u32, own: u64) -> Process {
    let age = Duration::from_secs(u64::from(id));
    Process { id, kind: Kind::Isolated, is_idle: false, is_retriable: false, age, own }
}

fn root(child: ChildSpec) -> Root {
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(child);
    Root::start("raytree", spec).expect("a tree")
}

async fn until(told: &mut mpsc::UnboundedReceiver<Told>, wanted: impl Fn(&Told) -> bool) -> Told {
    loop {
        let one = told.recv().await.expect("the family is there");
        if wanted(&one) {
            return one;
        }
    }
}

/// Nothing else is told so far, nor by one whole reading from now on. One may be under way.
async fn all_hold(told: &mut mpsc::UnboundedReceiver<Told>, used: u64) {
    while let Ok(one) = told.try_recv() {
        assert_eq!(one, Told::Holds(used));
    }
    for _ in 0..2 {
        assert_eq!(told.recv().await, Some(Told::Holds(used)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_holds_back_and_ends_and_writes_it_down() {
    let (family, mut told) = Family::new(vec![process(1, 300), process(2, 300)]);
    family.use_up(500);
    let args = family.watched();
    let addr = Addr::system::<MemoryMonitor>("memory_monitor");
    let root = root(ChildSpec::actor::<MemoryMonitor>(&addr, move || args.clone()));
    assert_eq!(told.recv().await, Some(Told::GoesOn), "nobody knows what was before");
    family.use_up(980);
    assert_eq!(until(&mut told, |one| *one != Told::GoesOn).await, Told::Holds(980));
    let ended = until(&mut told, |one| matches!(one, Told::Ends(..))).await;
    // It has said so before it did (MW-1).
    assert_eq!(ended, Told::Ends(1, 300, Shortage { used: 980, total: 1000, limit: 900 }));
    // That was enough.
    assert_eq!(until(&mut told, |one| !matches!(one, Told::Holds(_))).await, Told::GoesOn);
    let log = addr.probe().events().expect("a log").read(&Default::default());
    let said: Vec<String> = log.events.into_iter().map(|event| event.what).collect();
    let sizes = "980 of 1000 bytes of memory are in use, where 900 is the limit";
    assert_eq!(
        said,
        [
            format!("the node is short of memory and begins nothing new: {sizes}"),
            format!(
                "job-1 (process 1) was ended for its 300 bytes of memory: {sizes}; lost with it: 2 tasks (a, b), 1 actor (c)"
            ),
            "the node is not short of memory any more".to_owned(),
        ]
    );
    root.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mw_7_nobody_is_ended_while_the_store_of_the_household_spills_and_one_is_after_that() {
    let (family, mut told) = Family::new(vec![process(1, 300), process(2, 300)]);
    // Above the limit, below the urgent line.
    family.use_up(920);
    family.spill(true);
    let args = family.watched();
    let addr = Addr::system::<MemoryMonitor>("memory_monitor");
    let root = root(ChildSpec::actor::<MemoryMonitor>(&addr, move || args.clone()));
    assert_eq!(told.recv().await, Some(Told::GoesOn));
    for _ in 0..10 {
        all_hold(&mut told, 920).await;
        family.wait(PATIENCE);
    }
    all_hold(&mut told, 920).await;
    family.spill(false);
    // What it has written is given back after that.
    all_hold(&mut told, 920).await;
    family.wait(PATIENCE);
    let ended = until(&mut told, |one| *one != Told::Holds(920)).await;
    assert_eq!(ended, Told::Ends(1, 300, Shortage { used: 920, total: 1000, limit: 900 }));
    root.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_panics_knows_of_no_shortage_and_finds_it_again() {
    let (family, mut told) = Family::new(Vec::new());
    family.use_up(950);
    let args = family.watched();
    let addr = Addr::system::<MemoryMonitor>("memory_monitor");
    let root = root(ChildSpec::actor::<MemoryMonitor>(&addr, move || args.clone()));
    until(&mut told, |one| *one == Told::Holds(950)).await;
    addr.probe().panic_now();
    until(&mut told, |one| *one == Told::GoesOn).await;
    until(&mut told, |one| *one == Told::Holds(950)).await;
    root.shutdown(Duration::from_secs(5)).await;
}

/// A relay, what its household is told and what its parent hears.
fn relay(
    processes: Vec<Process>,
) -> (Root, Addr<RelayMsg>, mpsc::UnboundedReceiver<Told>, mpsc::Receiver<Offer>) {
    let (family, told) = Family::new(processes);
    let (says, offers) = mpsc::channel(16);
    let offer = Arc::new(move |offer| _ = says.try_send(offer));
    let args = RelayArgs { household: family, offer };
    let addr = Addr::system::<MemoryRelay>("memory_relay");
    (root(ChildSpec::actor::<MemoryRelay>(&addr, move || args.clone())), addr, told, offers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_offers_what_it_would_end_first_and_ends_what_it_is_told_to() {
    // This very process is measured when it is to end; the family only writes that down.
    let own = std::process::id();
    let young = Process { age: Duration::from_millis(1234), ..process(own, 300) };
    let (root, addr, mut told, mut offers) = relay(vec![process(7, 300), young]);
    assert_eq!(told.recv().await, Some(Told::GoesOn));
    _ = addr.cast(RelayMsg::Short { used: 950, total: 1000 });
    assert_eq!(told.recv().await, Some(Told::Holds(950)));
    let offer = offers.recv().await.expect("a word");
    assert_eq!((offer.process, offer.age, offer.own), (own, 12, 300));
    _ = addr.cast(RelayMsg::Sacrifice { process: own, limit: 900 });
    let Some(Told::Ends(process, _, shortage)) = told.recv().await else { panic!("it ends") };
    assert_eq!((process, shortage), (own, Shortage { used: 950, total: 1000, limit: 900 }));
    _ = addr.cast(RelayMsg::Eased);
    assert_eq!(told.recv().await, Some(Told::GoesOn));
    // What was decided while there was too little comes too late.
    _ = addr.cast(RelayMsg::Sacrifice { process: 7, limit: 900 });
    _ = addr.cast(RelayMsg::Short { used: 910, total: 1000 });
    assert_eq!(told.recv().await, Some(Told::Holds(910)));
    root.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_without_processes_says_so() {
    let (root, addr, _told, mut offers) = relay(Vec::new());
    _ = addr.cast(RelayMsg::Short { used: 950, total: 1000 });
    assert_eq!(offers.recv().await.map(|offer| offer.process), Some(0));
    root.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn mw_6_what_is_held_back_goes_on_when_no_further_word_comes() {
    let (root, addr, mut told, _offers) = relay(Vec::new());
    assert_eq!(told.recv().await, Some(Told::GoesOn));
    let begun = tokio::time::Instant::now();
    _ = addr.cast(RelayMsg::Short { used: 950, total: 1000 });
    assert_eq!(told.recv().await, Some(Told::Holds(950)));
    assert_eq!(told.recv().await, Some(Told::GoesOn));
    assert!(begun.elapsed() >= raytree_process::SHORT_FOR);
    root.shutdown(Duration::from_secs(5)).await;
}

#[test]
fn an_error_travels_in_the_cause_of_an_end() {
    let shortage = Shortage { used: 950, total: 1000, limit: 900 };
    let error = shortage.error("eats (process 7)", 300);
    let cause = cause_of(&error);
    assert_eq!(cause.message, error.to_string());
    let wrapped = Cause { message: format!("node-1 died: {}", cause.message), ..cause };
    assert_eq!(out_of_memory(&wrapped), Some(error));
    // Another error is no reason of this kind, and neither is a sentence.
    assert_eq!(out_of_memory(&cause_of(&Error::NoRuntime)), None);
    assert_eq!(out_of_memory(&Cause::message("it was ended by signal 9")), None);
}

#[test]
fn the_machine_is_measured() {
    let Reading { used, total } = Machine.node();
    assert!(0 < used && used < total, "{used} of {total}");
    assert!(Machine.process(std::process::id()).is_some_and(|own| own > 0));
    assert_eq!(Machine.process(u32::MAX), None);
}
