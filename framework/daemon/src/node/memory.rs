//! What the watch over the memory of a node does to its workers.
//!
//! A worker is what tasks and actors of a whole program share; the isolated processes below it are offered by itself. One that is a
//! detached actor has that actor alone, so it counts as an isolated process, and always as one at work: who waits for it is known to its
//! callers, not to its node, and its state is meant to outlive them. So what is known to be idle is ended before it; of those at work the
//! order is as ever, what may have another life first.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use raytree_config::Config;
use raytree_engine::memory::{Kind, Process, Reading, Settings, Shortage};
use raytree_memory::{Below, Household, Lost, Machine, MemoryMonitor, Meter, MonitorArgs};
use raytree_process::Offer;
use raytree_process::cluster::{Residence, Worker};
use raytree_supervise::{Addr, ChildSpec, clock};
use raytree_types::JobId;

use super::station::Station;
use super::worker::WorkerMsg;

/// A worker of this node whose process has not surely ended.
pub(super) struct Placed {
    pub(super) addr: Addr<WorkerMsg>,
    /// Where it is dialed, once it is up.
    pub(super) at: Option<SocketAddr>,
    /// Its process, and since when that has been there.
    process: Option<(u32, Duration)>,
    kind: Kind,
    /// It may have another life.
    is_retriable: bool,
    /// The actor that has it for itself.
    resident: Option<String>,
    /// What it says of isolated processes below it.
    below: Below,
}

impl Placed {
    /// Without a process yet.
    pub(super) fn new(addr: Addr<WorkerMsg>, residence: Option<&Residence>) -> Self {
        let kind = if residence.is_some() { Kind::Isolated } else { Kind::Shared };
        // A job gets another worker.
        let is_retriable = residence.is_none_or(|own| own.life < own.resident.restarts);
        let resident = residence.map(|own| &own.resident);
        let resident = resident.map(|own| own.name.as_ref().unwrap_or(&own.about.label).clone());
        Self {
            addr,
            at: None,
            process: None,
            kind,
            is_retriable,
            resident,
            below: Below::default(),
        }
    }

    /// What is lost with its process. What a job has in one its program knows, and lists when it hears of the end.
    fn lost(&self, job: JobId) -> Vec<String> {
        let resident = self.resident.as_ref().map(|name| format!("1 actor ({name})"));
        vec![resident.unwrap_or_else(|| format!("what {job} had in it, which its program lists"))]
    }

    fn weighed(&self, meter: &dyn Meter, now: Duration) -> Option<Process> {
        let (id, since) = self.process?;
        let Self { kind, is_retriable, .. } = *self;
        let (age, own) = (now.saturating_sub(since), meter.process(id)?);
        Some(Process { id, kind, is_idle: false, is_retriable, age, own })
    }
}

/// The actor, if the settings want one.
pub(super) fn spec(station: &Arc<Station>, config: &Config) -> Option<ChildSpec> {
    let node = config.node();
    let args = MonitorArgs {
        household: Arc::new(Workers(Arc::clone(station))),
        meter: Arc::new(Machine),
        settings: Settings { refuse_at: node.memory_refuse_at.thousandths() },
        every: node.memory_watch_every,
    };
    let addr = Addr::system::<MemoryMonitor>("memory_monitor");
    let spec = || ChildSpec::actor::<MemoryMonitor>(&addr, move || args.clone());
    node.memory_watch.then(spec)
}

/// All that may be ended of these, measured at that time.
fn processes(workers: &HashMap<Worker, Placed>, meter: &dyn Meter, now: Duration) -> Vec<Process> {
    let offered: Vec<_> = workers.values().filter_map(|own| own.below.offer(meter, now)).collect();
    // Asked after that. One that has isolated processes is not ended before those are known.
    let all_have_said =
        workers.values().all(|own| own.process.is_none() || own.below.has_said(now));
    let whole = workers.values().filter_map(|own| own.weighed(meter, now));
    let whole = whole.filter(|own| own.kind == Kind::Isolated || all_have_said);
    offered.into_iter().chain(whole).collect()
}

/// All of a node.
struct Workers(Arc<Station>);

impl Household for Workers {
    fn processes(&self, meter: &dyn Meter) -> Vec<Process> {
        processes(&self.0.workers.lock(), meter, clock::now())
    }

    fn holds_back(&self, short: Option<Reading>) {
        self.0.is_short.store(short.is_some(), Ordering::Release);
        if let Some(depot) = self.0.sight.store.get() {
            depot.is_short(short.is_some());
        }
        let now = clock::now();
        for own in self.0.workers.lock().values() {
            // Refused when it is ending.
            _ = own.addr.cast(match short {
                Some(reading) => {
                    own.below.tell(now);
                    WorkerMsg::Short(reading)
                }
                None => {
                    own.below.forget();
                    WorkerMsg::Eased
                }
            });
        }
    }

    fn spills(&self) -> bool {
        self.0.sight.store.get().is_some_and(|depot| depot.spills())
    }

    fn end(&self, process: u32, own: u64, shortage: Shortage) -> Option<Lost> {
        let workers = self.0.workers.lock();
        let is_it = |placed: &Placed| placed.process.is_some_and(|(id, _)| id == process);
        if let Some((worker, placed)) = workers.iter().find(|(_, placed)| is_it(placed)) {
            let error = shortage.error(format!("{worker} (process {process})"), own);
            _ = placed.addr.cast(WorkerMsg::Sacrificed(Box::new(error)));
            return Some(Lost { name: worker.to_string(), things: placed.lost(worker.job) });
        }
        let offered = workers.iter().find(|(_, placed)| placed.below.has_offered(process));
        let (worker, placed) = offered?;
        let limit = shortage.limit;
        _ = placed.addr.cast(WorkerMsg::Sacrifice { process, limit });
        Some(Lost { name: format!("an isolated process of {worker}"), things: Vec::new() })
    }
}

impl Station {
    /// It is short of memory, and starts nothing.
    pub(super) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Acquire)
    }

    /// The process of a worker is there.
    pub(super) fn runs_as(&self, worker: &Worker, process: u32) {
        if let Some(own) = self.workers.lock().get_mut(worker) {
            own.process = Some((process, clock::now()));
        }
    }

    /// Of its own processes a worker would end this one first.
    pub(super) fn offers(&self, worker: &Worker, offer: Offer) {
        if let Some(own) = self.workers.lock().get(worker) {
            own.below.says(offer);
        }
    }
}

#[cfg(test)]
mod tests {
    use raytree_engine::memory::{Decision, Watch};
    use raytree_types::ProcessIncarnation;

    use super::*;

    /// So much each process has; others are gone.
    struct Scripted(HashMap<u32, u64>);

    impl Meter for Scripted {
        fn node(&self) -> Reading {
            Reading { used: 990, total: 1000 }
        }

        fn process(&self, process: u32) -> Option<u64> {
            self.0.get(&process).copied()
        }
    }

    fn worker(job: u64) -> Worker {
        let incarnation = ProcessIncarnation(1);
        Worker { job: JobId(job), node: "n".to_owned(), incarnation, life: 1 }
    }

    fn placed(process: u32, kind: Kind) -> Placed {
        let own = Placed::new(Addr::system::<crate::node::worker::WorkerMirror>("job"), None);
        Placed { process: Some((process, Duration::ZERO)), kind, ..own }
    }

    fn offer(process: u32) -> Offer {
        Offer { process, is_idle: false, is_retriable: true, age: 7, own: 1 }
    }

    #[test]
    fn a_worker_is_ended_only_when_it_is_known_what_could_be_ended_in_its_place() {
        let workers: HashMap<Worker, Placed> =
            [(worker(1), placed(10, Kind::Shared)), (worker(2), placed(20, Kind::Shared))].into();
        let meter = Scripted([(10, 500), (20, 300), (11, 50)].into());
        let now = clock::now();
        let ids = |now| {
            let mut ids: Vec<u32> =
                processes(&workers, &meter, now).iter().map(|one| one.id).collect();
            ids.sort_unstable();
            ids
        };
        workers.values().for_each(|own| own.below.tell(now));
        assert_eq!(ids(now), [] as [u32; 0]);
        workers[&worker(1)].below.says(offer(11));
        assert_eq!(ids(now), [11], "the other has said nothing yet");
        // It has none. The number 0 says so.
        workers[&worker(2)].below.says(offer(0));
        assert_eq!(ids(now), [10, 11, 20]);
        // The one that was offered has ended: there may be another one.
        workers[&worker(1)].below.says(offer(12));
        assert_eq!(ids(now), [] as [u32; 0]);
        workers[&worker(1)].below.says(offer(11));
        assert_eq!(ids(now), [10, 11, 20]);
        // One that says nothing is not waited for for ever.
        workers[&worker(2)].below.forget();
        workers[&worker(2)].below.tell(now);
        assert_eq!(ids(now), [11]);
        assert_eq!(ids(now + Duration::from_secs(2)), [10, 11, 20]);
        let mut watch = Watch::new(Settings { refuse_at: 950 });
        let all = processes(&workers, &meter, now + Duration::from_secs(2));
        watch.read(meter.node(), &all, false, now);
        let decision = watch.read(meter.node(), &all, false, now + Duration::from_secs(1));
        let Decision::End(_, first) = decision else { panic!("{decision:?}") };
        assert_eq!((first.id, first.own, first.kind), (11, 50, Kind::Isolated));
    }

    #[test]
    fn a_detached_actor_has_its_process_for_itself() {
        let resident: HashMap<Worker, Placed> =
            [(worker(1), placed(10, Kind::Isolated)), (worker(2), placed(20, Kind::Shared))].into();
        let meter = Scripted([(10, 100), (20, 300)].into());
        let now = clock::now();
        resident.values().for_each(|own| own.below.tell(now));
        let all = processes(&resident, &meter, now);
        assert_eq!(
            all.iter().map(|one| (one.id, one.kind)).collect::<Vec<_>>(),
            [(10, Kind::Isolated)]
        );
    }

    #[test]
    fn mw_2_a_detached_actor_counts_as_one_at_work() {
        let all: HashMap<Worker, Placed> =
            [(worker(1), placed(10, Kind::Isolated)), (worker(2), placed(20, Kind::Shared))].into();
        let meter = Scripted([(10, 500), (20, 300), (21, 50)].into());
        let now = clock::now();
        let first = |offered: Offer| {
            all.values().for_each(|own| own.below.tell(now));
            all[&worker(1)].below.says(offer(0));
            all[&worker(2)].below.says(offered);
            raytree_engine::memory::first(&processes(&all, &meter, now), 1000).map(|one| one.id)
        };
        // It may have another life, and is the older one.
        let other = Offer { is_retriable: false, age: 7, ..offer(21) };
        assert_eq!(first(Offer { is_idle: true, ..other }), Some(21));
        assert_eq!(first(other), Some(10));
    }

    #[test]
    fn what_is_lost_with_a_worker_is_its_actor_or_what_its_program_lists() {
        let shared = placed(10, Kind::Shared);
        assert_eq!(shared.lost(JobId(7)), ["what job-7 had in it, which its program lists"]);
        let detached = Placed { resident: Some("ledger".to_owned()), ..shared };
        assert_eq!(detached.lost(JobId(7)), ["1 actor (ledger)"]);
    }
}
