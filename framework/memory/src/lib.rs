//! The memory watch of a node.
//!
//! ```text
//! node ─ memory_monitor ── reads, decides (engine::memory) ──▶ its own processes: begin nothing, end
//!        │  ▲
//!  short,│  │offers: which of its own it would end first         worker ─ memory_relay
//!    end ▼  │                                                              │
//!        the line of each child ◀──────────────────────────────────────────┘ its isolated processes
//! ```
//!
//! One process of a machine decides: the one that has started the others, which is a node of a cluster, a program with nodes of its
//! own, or a program without any. It has a [`MemoryMonitor`]. Isolated processes are the children of those that run tasks and
//! actors, so each of these has a [`MemoryRelay`]: asked for it, it *offers* the one of them that it would end first, and ends it
//! when it is told to. So one decision has all processes of the machine before it, and its order is one order. Nobody asks as long
//! as there is memory.
//!
//! What of a process the watch looks after is its [`Household`]; where the figures come from is a [`Meter`].

mod below;
mod household;
mod meter;
mod monitor;
mod relay;
#[cfg(test)]
mod tests;

pub use below::Below;
pub use household::{Household, Lost, cause_of, out_of_memory};
pub use meter::{Machine, Meter};
pub use monitor::{MemoryMonitor, MonitorArgs, MonitorMsg};
pub use relay::{MemoryRelay, RelayArgs, RelayMsg};
