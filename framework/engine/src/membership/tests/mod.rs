//! The judge and the lease: told as stories, pressed at their edges, and driven through random worlds.

mod chance;
mod edges;
mod joins;
mod leases;
mod sim;
mod verdicts;

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use expect_test::Expect;
use raytree_types::ProcessIncarnation;

use super::{Effect, Input, Judge, Member, Name, Origin, Place, Settings};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn life(number: u64) -> ProcessIncarnation {
    ProcessIncarnation(number)
}

fn node(number: u64) -> Member {
    Member::new(Arc::from("node"), life(number))
}

fn origin(process: u64) -> Origin {
    Origin { process, address: Arc::from(format!("host-{process}")) }
}

fn join(claim: Option<u64>, process: u64, link: u64) -> Input {
    Input::Join {
        name: Arc::from("node"),
        claim: claim.map(ProcessIncarnation),
        place: Place::Remote,
        origin: origin(process),
        link,
        ticket: 7,
    }
}

fn register(number: u64, place: Place) -> Input {
    Input::Register { member: node(number), place, origin: origin(number) }
}

fn beat(number: u64, seq: u64, progress: u64) -> Input {
    Input::Beat { member: node(number), seq, progress }
}

/// What the judge wants, one line each, without what is the same everywhere.
fn told(effects: &[Effect]) -> String {
    let line = |effect: &Effect| {
        let text = format!("{effect:?}");
        let text = text.replace("member: Member { name: \"node\", incarnation: ", "");
        text.replace("ProcessIncarnation(1) }", "1").replace("ProcessIncarnation(2) }", "2")
    };
    effects.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(effects: &[Effect], expected: &Expect) {
    expected.assert_eq(&told(effects));
}

/// A judge at time 0 with one child that has beaten at time 0.
fn judge_of_one(place: Place) -> Judge {
    let mut judge = Judge::new(Settings::default(), Duration::ZERO);
    judge.step(register(1, place), Duration::ZERO);
    judge.step(beat(1, 1, 1), Duration::ZERO);
    judge
}

/// Ticks in time from just after `from` to `to`, in milliseconds; what was wanted, and when.
fn ticks(judge: &mut Judge, from: u64, to: u64) -> Vec<(u64, Effect)> {
    let mut all = Vec::new();
    for at in (from / 100 + 1)..=(to / 100) {
        let effects = judge.step(Input::Tick, ms(at * 100));
        all.extend(effects.into_iter().map(|effect| (at * 100, effect)));
    }
    all
}

#[track_caller]
fn check_ticks(effects: &[(u64, Effect)], expected: &Expect) {
    let line = |(at, effect): &(u64, Effect)| format!("{at}: {}", told(from_ref(effect)));
    expected.assert_eq(&effects.iter().map(line).collect::<Vec<_>>().join("\n"));
}
