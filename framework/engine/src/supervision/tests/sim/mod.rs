//! A small world of actors: two or three workers with a supervisor each, actors of every restart type and budget, and one
//! caller. Bodies crash, fail in their constructors, end in order, are told to end, hang and end late; workers die with all
//! that they have, and who has restarts left is placed again elsewhere; timers fire late; calls and replies are delayed, lost
//! and repeated. The decisions are those of [`Supervision`](super::super::Supervision), [`Outbox`](crate::delivery::Outbox)
//! and [`Inbox`](crate::delivery::Inbox). After every event the truth is compared with what they promise; when the faults
//! have ended, everything is told to end, and everything must have.
//!
//! Everything follows from a seed. A failing seed is printed; to run it alone:
//!
//! ```text
//! SEED=4711 cargo test -p raytree-engine supervision::tests::sim
//! ```
//!
//! `SEEDS=1000000` runs more than the usual ten thousand, from 0; `STORY=1` prints what happens, for use with `SEED`.

mod actors;
mod calls;
mod world;

use crate::sim::{SECOND, Time, every_seed};
use world::World;

/// Faults happen until then; then everything is told to end.
const CHAOS_ENDS: Time = 8 * SECOND;
/// Everything must have ended by then.
const STORY_ENDS: Time = 40 * SECOND;

#[test]
fn sd_1_5_and_dl_1_2_3_hold_in_every_story() {
    every_seed(|seed| World::new(seed).run());
}

#[test]
fn one_seed_tells_one_story() {
    assert_eq!(World::new(7).run(), World::new(7).run());
}
