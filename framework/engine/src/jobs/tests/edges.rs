//! Bounds, and news that come too late.

use super::super::Policy;
use super::*;
use raytree_types::{RestartLimit, limits};

#[test]
fn jb_5_stale_news_change_nothing() {
    let story = [report(2, 2, &[]), open_for(A, 1.0), open_for(B, 1.0)];
    let on = |life: u64, job, worker: u32| WorkerId { job, node: node(life), life: worker };
    let stale = [
        report(1, 9, &[]),
        report(2, 2, &[(on(2, C, 1), None)]),
        report(2, 1, &[(on(2, C, 1), None)]),
        paused(1),
        paused(3),
        resumed(1),
        down(1),
        open(A),
        close(C),
        up(on(2, A, 2)),
        up(on(2, A, 0)),
        up(on(1, A, 1)),
        up(on(3, A, 1)),
        up(on(2, C, 1)),
        gone(on(2, A, 2)),
        gone(on(1, A, 1)),
        gone(on(3, A, 1)),
        gone(on(2, C, 1)),
        declined(on(2, A, 2)),
        declined(on(1, A, 1)),
        declined(on(2, C, 1)),
        replace(on(2, A, 2)),
        replace(on(1, A, 1)),
        replace(on(2, C, 1)),
    ];
    let expected = format!("{:?}", after(&story));
    for input in stale {
        let mut book = after(&story);
        assert_eq!(book.step(input.clone(), Duration::ZERO), [], "{input:?}");
        // Only that the first life is over may be noted.
        let is_end = matches!(input, Input::NodeDown { .. });
        assert!(is_end || format!("{book:?}") == expected, "{input:?}");
    }
}

#[test]
fn jb_5_a_repeated_close_is_no_tick() {
    let mut book = after(&[report(1, 1, &[]), open_for(A, 1.0), open_for(B, 1.0), close(A)]);
    book.step(gone(worker(B, 1)), ms(0));
    book.step(gone(worker(B, 2)), ms(0));
    assert_eq!(book.step(close(A), ms(1000)), []);
    assert_eq!(book.step(Input::Tick, ms(1000)).len(), 2);
}

#[test]
fn jb_5_a_life_that_was_declared_down_does_not_come_back() {
    let mut book = after(&[down(3), open(A), report(3, 1, &[])]);
    assert_eq!(book.nodes().count(), 0);
    assert_eq!(book.step(report(4, 1, &[]), Duration::ZERO).len(), 2);
    let mut book = after(&[report(1, 1, &[]), open(A), down(1)]);
    assert_eq!(book.step(report(1, 2, &[]), Duration::ZERO), []);
    assert_eq!(book.step(gone(worker(A, 1)), Duration::ZERO), []);
}

#[test]
fn jb_5_what_a_node_says_of_another_life_of_itself_is_nothing() {
    let mut book = after(&[open(A)]);
    let other = WorkerId { job: B, node: node(1), life: 1 };
    let effects = book.step(report(2, 1, &[(other, None)]), Duration::ZERO);
    assert!(told(&effects).starts_with("start job-1/n.2.1"), "{}", told(&effects));
}

#[test]
fn jb_5_the_better_of_two_reports_of_one_worker_counts() {
    for ports in [[None, Some(3)], [Some(3), None]] {
        let mut book = after(&[report(1, 1, &[]), open(A)]);
        let both = ports.map(|port| (worker(A, 1), port));
        let effects = book.step(report(1, 2, &both), Duration::ZERO);
        assert_eq!(told(&effects), "  job-1 hears: up job-1/n.1.1 at port 3: 8 CPU");
    }
}

#[test]
fn jb_8_jobs_are_bounded_those_that_end_included() {
    let mut book = after(&[report(1, 1, &[])]);
    for _ in 0..limits::JOBS_MAX {
        book.step(open(book.next_job()), Duration::ZERO);
    }
    book.step(close(A), Duration::ZERO);
    let refused = book.next_job();
    let effects = book.step(open(refused), Duration::ZERO);
    assert_eq!(told(&effects), "refuse job-1025: 1024 jobs are open already");
    // Its number is used up.
    book.step(gone(worker(A, 1)), Duration::ZERO);
    assert_eq!(book.step(open(refused), Duration::ZERO), []);
    let effects = book.step(open(book.next_job()), Duration::ZERO);
    assert_eq!(told(&effects), "  job-1026 hears: waits on n.1 for [JobId(2)]");
}

#[test]
fn jb_8_nodes_and_their_reports_are_bounded() {
    let named = |number: usize, workers| Input::NodeUp {
        node: Member::new(Arc::from(format!("n{number}")), ProcessIncarnation(1)),
        session: 1,
        paused: false,
        total: Resources::none(),
        workers,
    };
    let mut book = Book::default();
    let many: Vec<_> =
        (1..=limits::NODE_WORKERS_MAX as u32 + 1).map(|life| (worker(A, life), None)).collect();
    let effects = book.step(named(0, many.clone()), Duration::ZERO);
    assert_eq!(told(&effects), "refuse n0.1: a node may have 4096 workers and reports more");
    assert_eq!(book.nodes().count(), 0);
    assert_eq!(book.step(named(0, many[1..].to_vec()), Duration::ZERO), []);
    for number in 1..limits::MEMBERS_MAX {
        assert_eq!(book.step(named(number, Vec::new()), Duration::ZERO), []);
    }
    let effects = book.step(named(limits::MEMBERS_MAX, Vec::new()), Duration::ZERO);
    assert_eq!(told(&effects), "refuse n4096.1: 4096 nodes are up already");
    // One that is known may go on.
    let life = Member::new(Arc::from("n0"), ProcessIncarnation(2));
    let Input::NodeUp { session, paused, total, .. } = named(0, Vec::new()) else { return };
    let again = Input::NodeUp { node: life, session, paused, total, workers: Vec::new() };
    assert_eq!(book.step(again, Duration::ZERO), []);
}

#[test]
fn jb_8_ends_are_bounded_and_what_is_forgotten_stays_refused() {
    let mut book = Book::default();
    for number in 1..=limits::MEMBER_ENDS_MAX as u64 + 50 {
        let node = Member::new(Arc::from(format!("n{number}")), ProcessIncarnation(number));
        book.step(Input::NodeDown { node, cause: cause("dark") }, Duration::ZERO);
    }
    assert_eq!(book.ends_remembered(), limits::MEMBER_ENDS_MAX);
    for (name, life, admitted) in [("n50", 50, 0), ("n50", 51, 1), ("n99", 99, 0), ("n99", 100, 1)]
    {
        let node = Member::new(Arc::from(name), ProcessIncarnation(life));
        let total = Resources::none();
        let workers = Vec::new();
        book.step(Input::NodeUp { node, session: 1, paused: false, total, workers }, ms(0));
        assert_eq!(book.nodes().count(), admitted, "{name} {life}");
        let node = Member::new(Arc::from(name), ProcessIncarnation(life));
        book.step(Input::NodeDown { node, cause: cause("dark") }, ms(0));
    }
    // One name that ends again and again takes no more room.
    let mut book = Book::default();
    for life in 1..=3 * limits::MEMBER_ENDS_MAX as u64 {
        book.step(down(life), Duration::ZERO);
    }
    assert_eq!(book.ends_remembered(), 2 * limits::MEMBER_ENDS_MAX);
    assert_eq!(book.step(report(3 * limits::MEMBER_ENDS_MAX as u64, 1, &[]), ms(0)), []);
    assert_eq!(book.nodes().count(), 0);
}

#[test]
fn jb_8_the_lives_of_a_worker_are_bounded_however_far_apart() {
    let limit = RestartLimit { max: 1, within: ms(10) };
    let policy = Policy { limit, ..Policy::default() };
    let mut book = Book::new(policy);
    book.step(report(1, 1, &[]), Duration::ZERO);
    book.step(open(A), Duration::ZERO);
    let mut at = 0;
    for life in 1..limits::WORKER_LIVES_MAX {
        at += 10_000;
        book.step(Input::Tick, ms(at));
        let effects = told(&book.step(gone(worker(A, life)), ms(at)));
        assert!(effects.contains("again"), "{effects}");
    }
    book.step(Input::Tick, ms(at + 10_000));
    let effects = told(&book.step(gone(worker(A, limits::WORKER_LIVES_MAX)), ms(at + 20_000)));
    assert!(effects.contains("broken"), "{effects}");
}

#[test]
fn jb_8_a_node_that_declines_for_ever_gives_no_more_lives_than_there_are() {
    let mut book = after(&[report(1, 1, &[]), open(A)]);
    for life in 1..limits::WORKER_LIVES_MAX {
        let at = u64::from(life) * 60_000;
        let effects = told(&book.step(declined(worker(A, life)), ms(at)));
        assert!(effects.contains("again") && !effects.contains("start job"), "{effects}");
        book.step(Input::Tick, ms(at + 30_000));
    }
    let effects = told(&book.step(declined(worker(A, limits::WORKER_LIVES_MAX)), ms(0)));
    assert!(effects.contains("broken"), "{effects}");
}

#[test]
fn jb_8_lost_links_do_not_give_more_lives_than_there_are() {
    let mut book = after(&[report(1, 1, &[]), open(A)]);
    for session in 2..=u64::from(limits::WORKER_LIVES_MAX) {
        let effects = told(&book.step(report(1, session, &[]), Duration::ZERO));
        assert!(effects.contains("again") && effects.contains("start"), "{effects}");
    }
    let effects = told(&book.step(report(1, 5000, &[]), Duration::ZERO));
    assert!(effects.contains("broken") && !effects.contains("start"), "{effects}");
}

#[test]
fn time_does_not_go_back() {
    let mut book = after(&[report(1, 1, &[]), open(A), up(worker(A, 1))]);
    book.step(Input::Tick, ms(40_000));
    book.step(close(A), ms(0));
    assert_eq!(book.step(Input::Tick, ms(74_999)), []);
    assert_eq!(told(&book.step(Input::Tick, ms(75_000))), "kill job-1/n.1.1");
}
