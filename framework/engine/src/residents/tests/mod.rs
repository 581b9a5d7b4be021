//! The directory: told as stories, and driven through random worlds with a real book of jobs.

mod edges;
mod sim;
mod stories;

use std::net::SocketAddr;
use std::sync::Arc;

use expect_test::Expect;
use raytree_types::{ActorId, ActorIds, Cause, JobId, ProcessIncarnation, Resources, RuntimeId};

use super::{Directory, Effect, Ended, Follower, Input, Key, Refusal, Spec, Told};
use crate::jobs::{News, WorkerId};
use crate::membership::Member;

/// The first so many ids.
fn ids<const N: usize>() -> [ActorId; N] {
    let ids = ActorIds::new(RuntimeId::given(1));
    std::array::from_fn(|_| ids.next())
}

fn key(name: &str) -> Key {
    Key { namespace: Arc::from("space"), name: Arc::from(name) }
}

/// The driver of job 1, under this number.
fn one(ticket: u64) -> Follower {
    Follower { driver: JobId(1), ticket }
}

/// The driver of job 2.
fn two(ticket: u64) -> Follower {
    Follower { driver: JobId(2), ticket }
}

fn spec(id: ActorId, name: Option<&str>, restarts: u32) -> Spec {
    Spec { id, key: name.map(key), wants: Resources::cpus(1.0), restarts }
}

fn create(by: Follower, spec: Spec, job: u64) -> Input {
    Input::Create { by, spec, get_if_exists: false, job: JobId(job) }
}

fn get_or_create(by: Follower, spec: Spec, job: u64) -> Input {
    Input::Create { by, spec, get_if_exists: true, job: JobId(job) }
}

fn find(by: Follower, name: &str) -> Input {
    Input::Find { by, key: key(name) }
}

/// On node n.
fn worker(job: u64, life: u32) -> WorkerId {
    let node = Member::new(Arc::from("n"), ProcessIncarnation(1));
    WorkerId { job: JobId(job), node, life }
}

fn news(job: u64, news: News) -> Input {
    Input::News { job: JobId(job), news }
}

fn granted(job: u64, life: u32) -> Input {
    news(job, News::Granted { worker: worker(job, life), grant: Resources::cpus(1.0) })
}

fn up(job: u64, life: u32) -> Input {
    let address = SocketAddr::from(([127, 0, 0, 1], 7));
    news(job, News::Up { worker: worker(job, life), address, grant: Resources::cpus(1.0) })
}

fn down(job: u64, life: u32) -> Input {
    let cause = Cause::message("it died");
    news(job, News::Down { worker: worker(job, life), cause, again: true })
}

fn lost(job: u64, life: u32) -> Input {
    Input::Ended { worker: worker(job, life), how: Ended::Lost }
}

fn ended(job: u64, life: u32) -> Input {
    Input::Ended { worker: worker(job, life), how: Ended::Over }
}

fn end(id: ActorId) -> Input {
    Input::End { id, kill: false }
}

fn kill(id: ActorId) -> Input {
    Input::End { id, kill: true }
}

fn over(job: u64) -> Input {
    Input::Over { job: JobId(job), refused: None }
}

fn what(told: &Told) -> String {
    match told {
        Told::Missing => "missing".to_owned(),
        Told::Refused(Refusal::NameTaken { key, holder }) => format!("{key} is {holder}"),
        Told::Refused(why) => format!("{why:?}"),
        Told::Is { id } => format!("is {id}"),
        Told::Up { worker, life, address } => {
            format!("up {life} as {worker} at port {}", address.port())
        }
        Told::Down { life, cause } => format!("down {life}: {cause}"),
        Told::Dead { cause, in_order: true } => format!("dead in order: {cause}"),
        Told::Dead { cause, in_order: false } => format!("dead: {cause}"),
    }
}

/// What the directory wants, one line each.
fn told(effects: &[Effect]) -> String {
    let line = |effect: &Effect| match effect {
        Effect::Open { job, id, wants } => format!("open {job} of {id} with {wants}"),
        Effect::Close { job, at_once: true } => format!("kill {job}"),
        Effect::Close { job, at_once: false } => format!("close {job}"),
        Effect::Tell { to, what: told } => {
            format!("{}.{} hears: {}", to.driver, to.ticket, what(told))
        }
        Effect::Forget { id } => format!("forget {id}"),
    };
    effects.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(effects: &[Effect], expected: &Expect) {
    expected.assert_eq(&told(effects));
}

/// A directory that was told all this, one after the other.
fn after(story: &[Input]) -> Directory {
    let mut directory = Directory::default();
    for input in story {
        directory.step(input.clone());
    }
    directory
}
