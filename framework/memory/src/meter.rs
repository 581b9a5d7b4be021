//! Where the figures come from.

use std::time::Duration;

use raytree_config::Memory;
use raytree_engine::memory::Reading;
use raytree_process::memory_of;
use raytree_supervise::clock;

/// Measures memory.
pub trait Meter: Send + Sync + 'static {
    /// How much of the node's is in use. Blocks for as long as the operating system takes.
    fn node(&self) -> Reading;

    /// Bytes that are a process's own; none when it has ended. Blocks likewise.
    fn process(&self, process: u32) -> Option<u64>;

    /// When that is; never goes back.
    fn now(&self) -> Duration {
        clock::now()
    }
}

/// The machine that this runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Meter for Machine {
    fn node(&self) -> Reading {
        let Memory { used, total } = Memory::now().unwrap_or_default();
        Reading { used, total }
    }

    fn process(&self, process: u32) -> Option<u64> {
        memory_of(process)
    }
}
