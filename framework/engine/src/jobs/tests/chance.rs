//! Any story at all, in any order: what must hold even if the shell makes no sense.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use raytree_types::{Backoff, RestartLimit};

use super::super::Policy;
use super::*;

const NAMES: [&str; 2] = ["n", "m"];

fn member() -> impl Strategy<Value = Member> {
    (0..NAMES.len(), 1u64..4)
        .prop_map(|(name, life)| Member::new(Arc::from(NAMES[name]), ProcessIncarnation(life)))
}

fn any_worker() -> impl Strategy<Value = WorkerId> {
    (1u64..6, member(), 1u32..6).prop_map(|(job, node, life)| WorkerId {
        job: JobId(job),
        node,
        life,
    })
}

fn wants() -> impl Strategy<Value = Option<Resources>> {
    prop_oneof![
        Just(None),
        (0u8..8).prop_map(|halves| Some(Resources::cpus(f64::from(halves) / 2.0))),
        Just(Some(Resources::none().gpus(1.0))),
        Just(Some(Resources::cpus(1.0).gpus(0.5))),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let workers = prop::collection::vec((any_worker(), any::<bool>()), 0..4);
    let reports = (member(), 1u64..5, any::<bool>(), workers);
    prop_oneof![
        6 => reports.prop_map(|(node, session, paused, workers)| {
            let workers = workers.into_iter();
            let workers = workers.map(|(worker, up)| (worker, up.then(|| address(1)))).collect();
            let total = Resources::cpus(4.5).gpus(1.0);
            Input::NodeUp { node, session, paused, total, workers }
        }),
        1 => member().prop_map(|node| Input::NodePaused { node }),
        2 => member().prop_map(|node| Input::NodeResumed { node }),
        1 => member().prop_map(|node| Input::NodeDown { node, cause: cause("dark") }),
        4 => (1u64..6, wants(), any::<bool>()).prop_map(|(job, wants, single)| {
            Input::Open { job: JobId(job), wants, single }
        }),
        1 => (1u64..6, any::<bool>()).prop_map(|(job, at_once)| {
            Input::Close { job: JobId(job), at_once }
        }),
        8 => any_worker().prop_map(up),
        8 => any_worker().prop_map(gone),
        2 => any_worker().prop_map(declined),
        2 => any_worker().prop_map(replace),
        4 => Just(Input::Tick),
    ]
}

fn policy() -> Policy {
    let limit = RestartLimit { max: 2, within: ms(500) };
    Policy { limit, backoff: Backoff { base: ms(50), max: ms(100) }, end_within: ms(300) }
}

/// What jobs have heard, by the grammar of the news.
#[derive(Default)]
struct Heard {
    lives: BTreeMap<WorkerId, &'static str>,
    broken: BTreeSet<(JobId, Member)>,
    promised: BTreeSet<(JobId, Member)>,
    waits: BTreeSet<(JobId, Member)>,
    single: BTreeSet<JobId>,
}

impl Heard {
    fn news(&mut self, job: JobId, news: &News) {
        let after = |before: Option<&str>, may: &[&str]| {
            assert!(
                before.is_some_and(|before| may.contains(&before)),
                "JB-3: {news:?}, {before:?}"
            );
        };
        match news {
            News::Granted { worker, .. } => {
                let seat = (job, worker.node.clone());
                assert!(!self.broken.contains(&seat), "JB-7: {news:?}");
                self.promised.remove(&seat);
                assert_eq!(self.lives.insert(worker.clone(), "granted"), None, "JB-3: {news:?}");
            }
            News::Up { worker, .. } => after(self.lives.insert(worker.clone(), "up"), &["granted"]),
            News::Down { worker, again, .. } => {
                after(self.lives.insert(worker.clone(), "down"), &["granted", "up"]);
                if self.single.contains(&job) {
                    assert!(again, "JB-7: {news:?}");
                } else if *again {
                    self.promised.insert((job, worker.node.clone()));
                }
            }
            News::Waits { .. } | News::Broken { .. } if self.single.contains(&job) => {
                panic!("JB-11: {news:?}");
            }
            News::Waits { node, .. } => {
                assert!(self.waits.insert((job, node.clone())), "{news:?}");
            }
            News::Broken { node, .. } => {
                self.promised.remove(&(job, node.clone()));
                assert!(self.broken.insert((job, node.clone())), "JB-7: {news:?}");
            }
        }
    }
}

/// Whether what was said means that a process has surely ended.
fn surely_ended(input: &Input, worker: &WorkerId) -> bool {
    match input {
        Input::WorkerGone { worker: gone, .. } | Input::Declined { worker: gone } => gone == worker,
        Input::NodeDown { node, .. } => {
            node.name == worker.node.name && node.incarnation >= worker.node.incarnation
        }
        Input::NodeUp { node, workers, .. } => {
            let later = node.incarnation > worker.node.incarnation;
            let same = *node == worker.node && !workers.iter().any(|(known, _)| known == worker);
            node.name == worker.node.name && (later || same)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn jb_1_2_3_4_7_9_10_11_hold_whatever_a_book_is_told(
        story in prop::collection::vec((input(), 0u64..120), 0..150),
    ) {
        let mut book = Book::new(policy());
        let mut heard = Heard::default();
        let (mut open, mut over) = (BTreeSet::new(), BTreeSet::new());
        // Processes that were started and have not surely ended.
        let mut running: BTreeSet<WorkerId> = BTreeSet::new();
        let mut newest = JobId::NONE;
        // Who has heard since the last tick that a worker is down.
        let mut down = BTreeSet::new();
        let mut now = 0;
        for (input, pause) in story {
            now += pause;
            running.retain(|worker| !surely_ended(&input, worker));
            match &input {
                Input::Open { job, single, .. } if *job > newest => {
                    newest = *job;
                    open.insert(*job);
                    if *single {
                        heard.single.insert(*job);
                    }
                }
                Input::Close { job, .. } => {
                    open.remove(job);
                    heard.promised.retain(|(promised, _)| promised != job);
                }
                _ => {}
            }
            if input == Input::Tick {
                down.clear();
            }
            let effects = book.step(input.clone(), ms(now));
            for effect in effects {
                match effect {
                    Effect::Start { worker, .. } => {
                        prop_assert!(open.contains(&worker.job), "JB-4: {}", worker);
                        let single = heard.single.contains(&worker.job);
                        let same = |other: &WorkerId| {
                            other.job == worker.job && (single || other.node.name == worker.node.name)
                        };
                        prop_assert!(!running.iter().any(same), "JB-1, JB-11: {}", worker);
                        prop_assert!(!single || !down.contains(&worker.job), "JB-11: {}", worker);
                        running.insert(worker);
                    }
                    Effect::Tell { job, news } => {
                        prop_assert!(open.contains(&job), "JB-4: {:?}", news);
                        if let News::Down { worker, .. } = &news {
                            prop_assert!(!running.contains(worker), "JB-3: {} may run", worker);
                            down.insert(job);
                        }
                        heard.news(job, &news);
                    }
                    Effect::Over { job } => {
                        prop_assert!(!open.contains(&job) && over.insert(job), "JB-4: {}", job);
                        prop_assert!(!running.iter().any(|other| other.job == job), "JB-4: {}", job);
                    }
                    Effect::Stop { .. } => {}
                    Effect::RefuseJob { .. } | Effect::RefuseNode { .. } => prop_assert!(false),
                }
            }
            let nodes: Vec<(Member, Resources, Resources)> = book
                .nodes()
                .map(|(node, total, free)| (node, total.clone(), free.clone()))
                .collect();
            for (node, total, mut sum) in nodes {
                let mine = book.workers().filter(|(worker, ..)| worker.node == node);
                mine.for_each(|(_, _, grant)| sum.add(grant));
                prop_assert_eq!(sum, total, "JB-2");
            }
            for (job, node) in &heard.promised {
                let kept = book.workers().any(|(worker, ..)| (worker.job, &worker.node) == (*job, node));
                prop_assert!(kept, "JB-7: {} on {}", job, node);
            }
        }
    }
}
