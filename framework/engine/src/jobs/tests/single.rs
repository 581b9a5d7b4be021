//! What single jobs go through.

use expect_test::expect;
use raytree_types::limits;

use super::*;

fn on(name: &str, life: u64) -> Member {
    Member::new(Arc::from(name), ProcessIncarnation(life))
}

/// A node of this name comes, in its first life, with so many CPUs.
fn comes(name: &str, cpus: f64) -> Input {
    let (node, total) = (on(name, 1), Resources::cpus(cpus));
    Input::NodeUp { node, session: 1, paused: false, total, workers: Vec::new() }
}

fn goes(name: &str) -> Input {
    Input::NodeDown { node: on(name, 1), cause: cause("it went dark") }
}

fn pauses(name: &str) -> Input {
    Input::NodePaused { node: on(name, 1) }
}

fn resumes(name: &str) -> Input {
    Input::NodeResumed { node: on(name, 1) }
}

fn at(name: &str, job: JobId, life: u32) -> WorkerId {
    WorkerId { job, node: on(name, 1), life }
}

fn tick(book: &mut Book, now: u64) -> String {
    told(&book.step(Input::Tick, ms(now)))
}

#[test]
fn jb_11_it_has_the_node_with_the_most_free_of_those_that_have_all() {
    let mut book = after(&[comes("a", 2.0), comes("b", 4.0), comes("c", 4.0)]);
    check(
        &book.step(open_single(A, 1.5), ms(0)),
        &expect![[r#"
        start job-1/b.1.1: 1.5 CPU
          job-1 hears: granted job-1/b.1.1: 1.5 CPU"#]],
    );
    check(
        &book.step(open_single(B, 3.0), ms(0)),
        &expect![[r#"
        start job-2/c.1.1: 3 CPU
          job-2 hears: granted job-2/c.1.1: 3 CPU"#]],
    );
    // Nobody has three, and it is told nothing until there are.
    check(&book.step(open_single(C, 3.0), ms(0)), &expect![""]);
    book.step(close(B), ms(0));
    check(
        &book.step(told_to_end(at("c", B, 1)), ms(0)),
        &expect![[r#"
        over job-2
        start job-3/c.1.1: 3 CPU
          job-3 hears: granted job-3/c.1.1: 3 CPU"#]],
    );
}

#[test]
fn jb_11_who_wants_nothing_takes_nothing_and_needs_a_node_all_the_same() {
    let nothing = |job, wants| Input::Open { job, wants, single: true };
    let mut book = after(&[nothing(A, Some(Resources::none())), nothing(B, None)]);
    check(
        &book.step(comes("a", 1.0), ms(0)),
        &expect![[r#"
        start job-1/a.1.1: nothing
          job-1 hears: granted job-1/a.1.1: nothing
        start job-2/a.1.1: nothing
          job-2 hears: granted job-2/a.1.1: nothing"#]],
    );
    // They hold up nobody, and nobody waits for them.
    book.step(open(C), ms(0));
    check(
        &book.step(open(JobId(4)), ms(0)),
        &expect!["  job-4 hears: waits on a.1 for [JobId(3)]"],
    );
}

#[test]
fn jb_6_what_comes_free_is_offered_to_the_older_first_whatever_they_are() {
    let story =
        [comes("a", 2.0), open(A), open_single(B, 2.0), open(C), open_single(JobId(4), 1.0)];
    let mut book = after(&story);
    book.step(close(A), ms(0));
    check(
        &book.step(told_to_end(at("a", A, 1)), ms(0)),
        &expect![[r#"
        over job-1
        start job-2/a.1.1: 2 CPU
          job-2 hears: granted job-2/a.1.1: 2 CPU"#]],
    );
    book.step(close(B), ms(0));
    let effects = told(&book.step(told_to_end(at("a", B, 1)), ms(0)));
    assert!(effects.starts_with("over job-2\nstart job-3/a.1.1: 2 CPU"), "{effects}");
}

#[test]
fn jb_3_7_11_it_rests_on_its_node_however_often_it_dies() {
    let mut book =
        after(&[comes("a", 1.0), comes("b", 1.0), open_single(A, 1.0), open_single(B, 1.0)]);
    check(
        &book.step(gone(at("a", A, 1)), ms(0)),
        &expect!["  job-1 hears: down job-1/a.1.1: it died, again"],
    );
    check(
        &book.step(Input::Tick, ms(0)),
        &expect![[r#"
        start job-1/a.1.2: 1 CPU
          job-1 hears: granted job-1/a.1.2: 1 CPU"#]],
    );
    let (mut now, mut waits) = (0, Vec::new());
    for life in 2..=12 {
        let said = told(&book.step(gone(at("a", A, life)), ms(now)));
        assert_eq!(said, format!("  job-1 hears: down job-1/a.1.{life}: it died, again"));
        let from = now;
        while !tick(&mut book, now).contains("start job-1/a") {
            now += 10;
        }
        waits.push(now - from);
    }
    assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000]);
}

#[test]
fn jb_8_11_a_single_job_has_more_lives_than_others() {
    let mut book = after(&[comes("a", 1.0), open_single(A, 1.0)]);
    for life in 1..=limits::WORKER_LIVES_MAX + 5 {
        let now = u64::from(life) * 60_000;
        let how = [gone, declined][life as usize % 2];
        let said = told(&book.step(how(at("a", A, life)), ms(now)));
        assert!(said.ends_with("again"), "{said}");
        assert!(tick(&mut book, now + 30_000).contains("start"), "{life}");
    }
}

#[test]
fn jb_7_11_when_its_node_is_down_the_next_one_has_it() {
    let mut book =
        after(&[comes("a", 4.0), comes("b", 2.0), open_single(A, 2.0), open_single(B, 2.0)]);
    book.step(up(at("a", A, 1)), ms(0));
    let both = told(&book.step(goes("a"), ms(0)));
    let down = |job: JobId| format!("  {job} hears: down {job}/a.1.1: it went dark, again");
    assert_eq!(both, [down(A), down(B)].join("\n"));
    // Its place is kept for it in the meantime, and the other one waits for one.
    assert_eq!(told(&book.step(open(C), ms(0))), "  job-3 hears: waits on b.1 for [JobId(1)]");
    check(
        &book.step(Input::Tick, ms(0)),
        &expect![[r#"
        start job-1/b.1.2: 2 CPU
          job-1 hears: granted job-1/b.1.2: 2 CPU"#]],
    );
    check(
        &book.step(comes("c", 1.0), ms(1)),
        &expect![[r#"
        start job-3/c.1.1: 1 CPU
          job-3 hears: granted job-3/c.1.1: 1 CPU"#]],
    );
    check(
        &book.step(comes("d", 2.0), ms(2)),
        &expect![[r#"
            start job-2/d.1.2: 2 CPU
              job-2 hears: granted job-2/d.1.2: 2 CPU
              job-3 hears: waits on d.1 for [JobId(2)]"#]],
    );
}

#[test]
fn jb_7_11_one_that_rests_when_its_node_is_down_hears_no_more_of_it() {
    let mut book = after(&[comes("a", 4.0), open_single(A, 2.0)]);
    book.step(gone(at("a", A, 1)), ms(0));
    tick(&mut book, 0);
    book.step(gone(at("a", A, 2)), ms(0));
    tick(&mut book, 10);
    check(&book.step(goes("a"), ms(0)), &expect![""]);
    check(
        &book.step(comes("b", 4.0), ms(1)),
        &expect![[r#"
        start job-1/b.1.3: 2 CPU
          job-1 hears: granted job-1/b.1.3: 2 CPU"#]],
    );
}

#[test]
fn jb_11_one_that_is_due_on_a_paused_node_moves_as_soon_as_it_can() {
    let mut book = after(&[comes("a", 2.0), comes("b", 1.0), open_single(A, 2.0), pauses("a")]);
    // What runs goes on.
    check(&book.step(Input::Tick, ms(0)), &expect![""]);
    check(
        &book.step(gone(at("a", A, 1)), ms(0)),
        &expect!["  job-1 hears: down job-1/a.1.1: it died, again"],
    );
    check(&book.step(Input::Tick, ms(0)), &expect![""]);
    check(
        &book.step(comes("c", 2.0), ms(1)),
        &expect![[r#"
        start job-1/c.1.2: 2 CPU
          job-1 hears: granted job-1/c.1.2: 2 CPU"#]],
    );
    // What was kept on the first node is free again.
    check(&book.step(open_single(B, 2.0), ms(1)), &expect![""]);
    check(
        &book.step(resumes("a"), ms(2)),
        &expect![[r#"
        start job-2/a.1.1: 2 CPU
          job-2 hears: granted job-2/a.1.1: 2 CPU"#]],
    );
}

#[test]
fn jb_11_one_that_is_due_on_a_paused_node_begins_there_when_it_is_resumed() {
    let mut book = after(&[comes("a", 2.0), open_single(A, 2.0), pauses("a")]);
    book.step(gone(at("a", A, 1)), ms(0));
    assert_eq!(tick(&mut book, 0), "");
    check(
        &book.step(resumes("a"), ms(9)),
        &expect![[r#"
        start job-1/a.1.2: 2 CPU
          job-1 hears: granted job-1/a.1.2: 2 CPU"#]],
    );
    // Not yet due: it keeps its seat, whoever comes.
    book.step(gone(at("a", A, 2)), ms(10));
    book.step(pauses("a"), ms(10));
    assert_eq!(told(&book.step(comes("b", 2.0), ms(20))), "");
    assert!(tick(&mut book, 60).starts_with("start job-1/b.1.3"));
}

#[test]
fn jb_11_who_hears_that_it_is_down_can_close_it_before_anything_begins() {
    let mut book = after(&[comes("a", 2.0), comes("b", 2.0), open_single(A, 2.0)]);
    book.step(goes("a"), ms(0));
    check(&book.step(close(A), ms(0)), &expect!["over job-1"]);
    // Whatever else happens meanwhile.
    let mut book = after(&[comes("a", 2.0), open_single(A, 2.0), goes("a"), comes("b", 2.0)]);
    check(&book.step(comes("c", 2.0), ms(0)), &expect![""]);
    check(&book.step(close(A), ms(0)), &expect!["over job-1"]);
    let mut book = after(&[comes("a", 2.0), open_single(A, 2.0), gone(at("a", A, 1))]);
    check(&book.step(kill(A), ms(0)), &expect!["over job-1"]);
    assert_eq!(tick(&mut book, 9_999), "");
}

#[test]
fn jb_11_a_replaced_one_is_started_when_it_has_ended_and_waits_so_long() {
    let mut book = after(&[comes("a", 1.0), comes("b", 1.0), open_single(A, 1.0)]);
    check(&book.step(replace(at("a", A, 1)), ms(0)), &expect!["kill job-1/a.1.1"]);
    book.step(pauses("a"), ms(0));
    assert_eq!(tick(&mut book, 60_000), "");
    book.step(gone(at("a", A, 1)), ms(60_000));
    assert!(tick(&mut book, 60_000).starts_with("start job-1/b.1.2"));
}

#[test]
fn jb_4_a_close_at_once_kills_also_who_may_end_in_order() {
    let mut book = after(&[comes("a", 2.0), open_single(A, 1.0), open_single(B, 1.0)]);
    book.step(up(at("a", A, 1)), ms(0));
    check(&book.step(kill(A), ms(0)), &expect!["kill job-1/a.1.1"]);
    check(&book.step(kill(A), ms(0)), &expect![""]);
    check(&book.step(close(B), ms(0)), &expect!["stop job-2/a.1.1"]);
    check(&book.step(kill(B), ms(0)), &expect!["kill job-2/a.1.1"]);
    check(&book.step(close(B), ms(0)), &expect![""]);
    check(&book.step(Input::Tick, ms(99_000)), &expect![""]);
    check(&book.step(told_to_end(at("a", B, 1)), ms(99_000)), &expect!["over job-2"]);
}

#[test]
fn jb_8_single_jobs_are_bounded_by_themselves_and_on_each_node() {
    let mut book = after(&[comes("a", 8.0)]);
    let mut started = 0;
    for _ in 0..limits::SINGLE_JOBS_MAX {
        let open = Input::Open { job: book.next_job(), wants: None, single: true };
        started += usize::from(!book.step(open, ms(0)).is_empty());
    }
    assert_eq!(started, limits::NODE_SINGLES_MAX);
    check(
        &book.step(open_single(book.next_job(), 0.0), ms(0)),
        &expect!["refuse job-10001: 10000 jobs are open already"],
    );
    check(
        &book.step(open(book.next_job()), ms(0)),
        &expect![[r#"
        start job-10002/a.1.1: 8 CPU
          job-10002 hears: granted job-10002/a.1.1: 8 CPU"#]],
    );
    let effects = book.step(comes("b", 1.0), ms(0));
    assert_eq!(effects.len(), 2 * limits::NODE_SINGLES_MAX + 2);
    // Whose place is free again is the next one's.
    book.step(close(A), ms(0));
    let effects = told(&book.step(told_to_end(at("a", A, 1)), ms(0)));
    assert!(effects.contains("start job-2049/a.1.1"), "{effects}");
}
