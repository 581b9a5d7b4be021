//! How the cluster is, for whoever asks: one look at all the books.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use raytree_engine::membership::{Member, Phase};
use raytree_process::cluster::Offer;
use raytree_supervise::clock;
use raytree_types::{JobId, Resources};

use super::{Cluster, Job, Session};

/// A node, for whoever asks.
pub(crate) struct NodeRow {
    pub(crate) member: Member,
    pub(crate) phase: Phase,
    pub(crate) offer: Option<Offer>,
    pub(crate) free: Resources,
}

/// A job, for whoever asks.
pub(crate) struct JobRow {
    pub(crate) job: JobId,
    pub(crate) program: String,
    pub(crate) age: Duration,
    pub(crate) workers: usize,
}

impl Cluster {
    pub(crate) fn nodes(&self) -> Vec<NodeRow> {
        let judge = self.judge.lock();
        let book = self.book.lock();
        let sessions = self.sessions.lock();
        let with = |own: &Session| Some((own.member.clone()?, own.offer.clone()?));
        let mut offers: HashMap<_, _> = sessions.values().filter_map(with).collect();
        let mut free: HashMap<_, _> =
            book.nodes().map(|(node, _, free)| (node, free.clone())).collect();
        // In the order of their names.
        let row = |(member, phase): (Member, Phase)| {
            let (offer, free) = (offers.remove(&member), free.remove(&member).unwrap_or_default());
            NodeRow { member, phase, offer, free }
        };
        judge.members().map(row).collect()
    }

    pub(crate) fn jobs(&self) -> Vec<JobRow> {
        let book = self.book.lock();
        let jobs = self.jobs.lock();
        let now = clock::now();
        let mut workers: BTreeMap<JobId, usize> = BTreeMap::new();
        book.workers().for_each(|(worker, ..)| *workers.entry(worker.job).or_default() += 1);
        let row = |(number, job): (&JobId, &Job)| JobRow {
            job: *number,
            program: job.template.manifest.name.clone(),
            age: now.saturating_sub(job.began),
            workers: workers.get(number).copied().unwrap_or_default(),
        };
        let mut rows: Vec<_> = jobs.iter().map(row).collect();
        rows.sort_by_key(|row| row.job);
        rows
    }
}
