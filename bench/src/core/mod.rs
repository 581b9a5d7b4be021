//! Rows of the core: tasks, their graphs, objects, methods of actors.

mod graphs;
pub(crate) mod methods;
mod objects;
pub(crate) mod pending;
mod processes;
mod rates;
mod splits;

use anyhow::Result;
use raytree::Runtime;

use crate::report::{Report, Row, median};

/// All rows, in the order in which they are printed.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "task_throughput", run: rates::throughput },
    Row { name: "task_latency_p50", run: rates::latency },
    Row { name: "task_1ms_efficiency", run: splits::efficiency },
    Row { name: "task_chain_1000", run: graphs::chain },
    Row { name: "tree_reduce_10k", run: graphs::tree },
    Row { name: "task_10k_args", run: graphs::arguments },
    Row { name: "task_10k_returns", run: graphs::returns },
    Row { name: "wait_1k_refs", run: graphs::wait_1k },
    Row { name: "actor_method_throughput_async", run: methods::throughput_async },
    Row { name: "actor_method_throughput_sync", run: methods::throughput_sync },
    Row { name: "put_small_rate", run: objects::put_small },
    Row { name: "get_small_rate", run: objects::get_small },
    Row { name: "put_100MB", run: objects::put_large },
    Row { name: "get_100MB", run: objects::get_large },
    Row { name: "get_object_holding_10k_refs", run: objects::get_holding },
    Row { name: "par_map_1ms", run: splits::par_map_1ms },
    Row { name: "par_map_10us", run: splits::par_map_10us },
    Row { name: "task_pending_bytes", run: pending::bytes },
    Row { name: "isolated_task", run: processes::isolated },
];

/// CPUs and threads of every row, the floors' included.
const CPUS: usize = 2;

/// Samples of ours and of the floor, taken in turn, so that both meet the same noise.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    pub(crate) ours: Vec<f64>,
    pub(crate) bare: Vec<f64>,
}

impl Sides {
    /// Writes the row and its floor.
    pub(crate) fn report(self, report: &mut Report, name: &str, unit: &str) {
        report.row(name, median(self.ours), unit);
        report.row(&format!("{name}.floor"), median(self.bare), unit);
    }
}

/// A runtime with [`CPUS`], and the bare tokio runtime of the floors.
fn runtimes() -> Result<(Runtime, tokio::runtime::Runtime)> {
    let ours = raytree::init().cpus(CPUS as f64).threads(CPUS).start()?;
    let bare = tokio::runtime::Builder::new_multi_thread().worker_threads(CPUS).build()?;
    Ok((ours, bare))
}
