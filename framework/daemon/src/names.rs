//! Workers as the engine knows them, and as messages name them.

use raytree_engine::jobs::WorkerId;
use raytree_engine::membership::Member;
use raytree_process::cluster::Worker;

pub(crate) fn worker_id(worker: &Worker) -> WorkerId {
    let node = Member::new(worker.node.as_str().into(), worker.incarnation);
    WorkerId { job: worker.job, node, life: worker.life }
}

pub(crate) fn worker_of(id: &WorkerId) -> Worker {
    Worker {
        job: id.job,
        node: id.node.name.to_string(),
        incarnation: id.node.incarnation,
        life: id.life,
    }
}
