//! The book: told as stories, pressed at its edges, and driven through random worlds.

mod chance;
mod edges;
mod sim;
mod single;
mod stories;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use expect_test::Expect;
use raytree_types::{Cause, JobId, ProcessIncarnation, Resources};

use super::{Book, Effect, Input, News, TOLD_TO_END, WorkerId};
use crate::membership::Member;

const A: JobId = JobId(1);
const B: JobId = JobId(2);
const C: JobId = JobId(3);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn node(life: u64) -> Member {
    Member::new(Arc::from("n"), ProcessIncarnation(life))
}

fn worker(job: JobId, life: u32) -> WorkerId {
    WorkerId { job, node: node(1), life }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn cause(what: &str) -> Cause {
    Cause::message(what)
}

fn report(life: u64, session: u64, workers: &[(WorkerId, Option<u16>)]) -> Input {
    let workers = workers.iter().map(|(worker, port)| (worker.clone(), port.map(address)));
    Input::NodeUp {
        node: node(life),
        session,
        paused: false,
        total: Resources::cpus(8.0),
        workers: workers.collect(),
    }
}

fn open(job: JobId) -> Input {
    Input::Open { job, wants: None, single: false }
}

fn open_for(job: JobId, cpus: f64) -> Input {
    Input::Open { job, wants: Some(Resources::cpus(cpus)), single: false }
}

fn open_single(job: JobId, cpus: f64) -> Input {
    Input::Open { job, wants: Some(Resources::cpus(cpus)), single: true }
}

fn close(job: JobId) -> Input {
    Input::Close { job, at_once: false }
}

fn kill(job: JobId) -> Input {
    Input::Close { job, at_once: true }
}

fn up(worker: WorkerId) -> Input {
    Input::WorkerUp { worker, address: address(7) }
}

fn gone(worker: WorkerId) -> Input {
    Input::WorkerGone { worker, cause: cause("it died") }
}

fn told_to_end(worker: WorkerId) -> Input {
    Input::WorkerGone { worker, cause: cause(TOLD_TO_END) }
}

fn declined(worker: WorkerId) -> Input {
    Input::Declined { worker }
}

fn replace(worker: WorkerId) -> Input {
    Input::Replace { worker, cause: cause("nobody can reach it") }
}

fn down(life: u64) -> Input {
    Input::NodeDown { node: node(life), cause: cause("it went dark") }
}

fn paused(life: u64) -> Input {
    Input::NodePaused { node: node(life) }
}

fn resumed(life: u64) -> Input {
    Input::NodeResumed { node: node(life) }
}

fn who(worker: &WorkerId) -> String {
    let WorkerId { job, node, life } = worker;
    format!("{job}/{}.{}.{life}", node.name, node.incarnation.0)
}

fn where_(node: &Member) -> String {
    format!("{}.{}", node.name, node.incarnation.0)
}

fn news(news: &News) -> String {
    match news {
        News::Granted { worker, grant } => format!("granted {}: {grant}", who(worker)),
        News::Up { worker, address, grant } => {
            format!("up {} at port {}: {grant}", who(worker), address.port())
        }
        News::Down { worker, cause, again } => {
            format!("down {}: {cause}{}", who(worker), if *again { ", again" } else { "" })
        }
        News::Waits { node, held_by } => format!("waits on {} for {held_by:?}", where_(node)),
        News::Broken { node, cause } => format!("broken on {}: {cause}", where_(node)),
    }
}

/// What the book wants, one line each.
fn told(effects: &[Effect]) -> String {
    let line = |effect: &Effect| match effect {
        Effect::Start { worker, grant } => format!("start {}: {grant}", who(worker)),
        Effect::Stop { worker, at_once: true } => format!("kill {}", who(worker)),
        Effect::Stop { worker, at_once: false } => format!("stop {}", who(worker)),
        Effect::Tell { job, news: what } => format!("  {job} hears: {}", news(what)),
        Effect::Over { job } => format!("over {job}"),
        Effect::RefuseJob { job, why } => format!("refuse {job}: {why}"),
        Effect::RefuseNode { node, why } => format!("refuse {}: {why}", where_(node)),
    };
    effects.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(effects: &[Effect], expected: &Expect) {
    expected.assert_eq(&told(effects));
}

/// A book that was told all this, one after the other, at time 0.
fn after(story: &[Input]) -> Book {
    let mut book = Book::default();
    for input in story {
        book.step(input.clone(), Duration::ZERO);
    }
    book
}
