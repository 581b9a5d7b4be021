//! What a head, its nodes and its drivers go through.

use expect_test::expect;

use super::*;

#[test]
fn jb_6_the_first_job_has_everything_and_the_second_waits_for_it() {
    let mut book = after(&[report(1, 1, &[])]);
    check(
        &book.step(open(A), ms(0)),
        &expect![[r#"
        start job-1/n.1.1: 8 CPU
          job-1 hears: granted job-1/n.1.1: 8 CPU"#]],
    );
    check(&book.step(open(B), ms(0)), &expect!["  job-2 hears: waits on n.1 for [JobId(1)]"]);
    check(
        &book.step(up(worker(A, 1)), ms(5)),
        &expect!["  job-1 hears: up job-1/n.1.1 at port 7: 8 CPU"],
    );
    check(&book.step(close(A), ms(6)), &expect!["stop job-1/n.1.1"]);
    check(
        &book.step(gone(worker(A, 1)), ms(7)),
        &expect![[r#"
        over job-1
        start job-2/n.1.1: 8 CPU
          job-2 hears: granted job-2/n.1.1: 8 CPU"#]],
    );
}

#[test]
fn jb_2_6_what_one_job_does_not_want_the_next_may_have() {
    let mut book = after(&[report(1, 1, &[]), open_for(A, 5.0)]);
    check(
        &book.step(open_for(B, 5.0), ms(0)),
        &expect![[r#"
        start job-2/n.1.1: 3 CPU
          job-2 hears: granted job-2/n.1.1: 3 CPU"#]],
    );
    check(
        &book.step(open_for(C, 1.0), ms(0)),
        &expect!["  job-3 hears: waits on n.1 for [JobId(1), JobId(2)]"],
    );
    let (_, total, free) = book.nodes().next().unwrap();
    assert_eq!((total.to_string(), free.to_string()), ("8 CPU".to_owned(), "nothing".to_owned()));
    let [wants_gpus, wants_nothing] = [Resources::none().gpus(1.0), Resources::none()]
        .map(|wants| Input::Open { job: book.next_job(), wants: Some(wants), single: false });
    check(&book.step(wants_gpus, ms(0)), &expect![""]);
    check(&book.step(wants_nothing, ms(0)), &expect![""]);
}

#[test]
fn jb_6_where_there_are_cpus_nobody_sits_without_one() {
    let mut book = Book::default();
    let total = Resources::cpus(2.0).gpus(1.0);
    let report =
        Input::NodeUp { node: node(1), session: 1, paused: false, total, workers: Vec::new() };
    book.step(report, ms(0));
    book.step(open_for(A, 2.0), ms(0));
    check(&book.step(open(B), ms(0)), &expect!["  job-2 hears: waits on n.1 for [JobId(1)]"]);
    let wants = Some(Resources::none().gpus(0.5));
    check(
        &book.step(Input::Open { job: C, wants, single: false }, ms(0)),
        &expect![[r#"
        start job-3/n.1.1: 0.5 GPU
          job-3 hears: granted job-3/n.1.1: 0.5 GPU"#]],
    );
    book.step(close(A), ms(0));
    check(
        &book.step(gone(worker(A, 1)), ms(0)),
        &expect![[r#"
        over job-1
        start job-2/n.1.1: 2 CPU, 0.5 GPU
          job-2 hears: granted job-2/n.1.1: 2 CPU, 0.5 GPU"#]],
    );
}

#[test]
fn jb_3_7_a_worker_that_dies_is_started_again_and_again_and_then_no_more() {
    let mut book = after(&[report(1, 1, &[]), open(A), open(B)]);
    let (mut now, mut waits) = (0, Vec::new());
    let end = loop {
        let life = 1 + waits.len() as u32;
        let effects = book.step(gone(worker(A, life)), ms(now));
        let mut said = told(&effects);
        if !said.contains("again") {
            break effects;
        }
        let from = now;
        while !said.contains("start") {
            now += 10;
            said = told(&book.step(Input::Tick, ms(now)));
        }
        assert!(said.ends_with(&format!("job-1 hears: granted job-1/n.1.{}: 8 CPU", life + 1)));
        waits.push(now - from);
    };
    assert_eq!(waits, [0, 50, 100, 200, 400]);
    check(
        &end,
        &expect![[r#"
          job-1 hears: down job-1/n.1.6: it died
          job-1 hears: broken on n.1: it died
        start job-2/n.1.1: 8 CPU
          job-2 hears: granted job-2/n.1.1: 8 CPU"#]],
    );
    // Another life of the node is another chance.
    check(
        &book.step(report(2, 1, &[]), ms(now)),
        &expect![[r#"
          job-2 hears: down job-2/n.1.1: n (life 2) took its place
        start job-1/n.2.1: 8 CPU
          job-1 hears: granted job-1/n.2.1: 8 CPU
          job-2 hears: waits on n.2 for [JobId(1)]"#]],
    );
}

#[test]
fn jb_3_what_ran_well_is_started_at_once() {
    let mut book = after(&[report(1, 1, &[]), open(A), gone(worker(A, 1)), up(worker(A, 2))]);
    let waits = told(&book.step(gone(worker(A, 2)), ms(29_000)));
    assert!(!waits.contains("start"), "{waits}");
    book.step(Input::Tick, ms(29_050));
    book.step(up(worker(A, 3)), ms(30_000));
    check(
        &book.step(gone(worker(A, 3)), ms(60_000)),
        &expect![[r#"
          job-1 hears: down job-1/n.1.3: it died, again
        start job-1/n.1.4: 8 CPU
          job-1 hears: granted job-1/n.1.4: 8 CPU"#]],
    );
}

#[test]
fn jb_3_what_was_never_up_has_not_run_well() {
    let mut book = after(&[report(1, 1, &[]), open(A), up(worker(A, 1)), gone(worker(A, 1))]);
    let waits = told(&book.step(gone(worker(A, 2)), ms(90_000)));
    assert!(!waits.contains("start"), "{waits}");
    // And after that long the restarts of long ago do not count.
    for (life, at) in (3..).zip([91_000, 92_000, 93_000, 94_000]) {
        book.step(Input::Tick, ms(at));
        let again = told(&book.step(gone(worker(A, life)), ms(at)));
        assert!(again.contains("again"), "{again}");
    }
    book.step(Input::Tick, ms(95_000));
    let last = told(&book.step(gone(worker(A, 7)), ms(95_000)));
    assert!(last.contains("broken"), "{last}");
}

#[test]
fn jb_3_7_a_worker_that_is_replaced_is_down_when_it_has_ended() {
    let mut book = after(&[report(1, 1, &[]), open(A), up(worker(A, 1))]);
    check(&book.step(replace(worker(A, 1)), ms(0)), &expect!["kill job-1/n.1.1"]);
    check(&book.step(replace(worker(A, 1)), ms(0)), &expect![""]);
    check(
        &book.step(told_to_end(worker(A, 1)), ms(0)),
        &expect![[r#"
          job-1 hears: down job-1/n.1.1: nobody can reach it, again
        start job-1/n.1.2: 8 CPU
          job-1 hears: granted job-1/n.1.2: 8 CPU"#]],
    );
    check(&book.step(replace(worker(A, 2)), ms(0)), &expect!["kill job-1/n.1.2"]);
    check(&book.step(up(worker(A, 2)), ms(0)), &expect![""]);
}

#[test]
fn jb_4_who_does_not_end_in_order_is_killed() {
    let mut book = after(&[report(1, 1, &[]), open(A), up(worker(A, 1)), close(A)]);
    assert_eq!(book.jobs().collect::<Vec<_>>(), [(A, true)]);
    check(&book.step(Input::Tick, ms(34_999)), &expect![""]);
    check(&book.step(Input::Tick, ms(35_000)), &expect!["kill job-1/n.1.1"]);
    check(&book.step(Input::Tick, ms(99_000)), &expect![""]);
    check(&book.step(close(A), ms(99_000)), &expect![""]);
    check(&book.step(gone(worker(A, 1)), ms(99_001)), &expect!["over job-1"]);
    assert_eq!((book.jobs().count(), book.workers().count()), (0, 0));
}

#[test]
fn jb_4_a_job_without_workers_is_over_at_once() {
    let mut book = after(&[report(1, 1, &[]), open(A), open(B)]);
    check(&book.step(close(B), ms(0)), &expect!["over job-2"]);
    // One that rests does not run.
    book.step(gone(worker(A, 1)), ms(0));
    book.step(gone(worker(A, 2)), ms(0));
    check(&book.step(open(C), ms(0)), &expect!["  job-3 hears: waits on n.1 for [JobId(1)]"]);
    check(
        &book.step(close(A), ms(0)),
        &expect![[r#"
        over job-1
        start job-3/n.1.1: 8 CPU
          job-3 hears: granted job-3/n.1.1: 8 CPU"#]],
    );
}

#[test]
fn jb_7_a_node_takes_its_workers_and_its_promises_with_it() {
    let mut book =
        after(&[report(1, 1, &[]), open_for(A, 1.0), open_for(B, 1.0), open_for(C, 1.0)]);
    book.step(gone(worker(B, 1)), ms(0));
    book.step(gone(worker(B, 2)), ms(0));
    book.step(close(C), ms(0));
    check(
        &book.step(down(1), ms(0)),
        &expect![[r#"
          job-1 hears: down job-1/n.1.1: it went dark
          job-2 hears: broken on n.1: it went dark
        over job-3"#]],
    );
    check(
        &book.step(report(2, 1, &[]), ms(0)),
        &expect![[r#"
        start job-1/n.2.1: 1 CPU
          job-1 hears: granted job-1/n.2.1: 1 CPU
        start job-2/n.2.1: 1 CPU
          job-2 hears: granted job-2/n.2.1: 1 CPU"#]],
    );
}

#[test]
fn jb_1_7_a_later_life_of_a_node_says_that_the_earlier_is_over() {
    let mut book = after(&[report(1, 1, &[]), open(A), up(worker(A, 1))]);
    check(
        &book.step(report(2, 1, &[]), ms(0)),
        &expect![[r#"
          job-1 hears: down job-1/n.1.1: n (life 2) took its place
        start job-1/n.2.1: 8 CPU
          job-1 hears: granted job-1/n.2.1: 8 CPU"#]],
    );
    check(&book.step(down(1), ms(0)), &expect![""]);
    check(&book.step(down(3), ms(0)), &expect!["  job-1 hears: down job-1/n.2.1: it went dark"]);
    check(&book.step(report(3, 9, &[]), ms(0)), &expect![""]);
    assert_eq!(book.nodes().count(), 0);
}

#[test]
fn jb_9_a_node_in_doubt_starts_nothing() {
    let mut book = after(&[report(1, 1, &[]), open_for(A, 1.0), paused(1)]);
    check(&book.step(open(B), ms(0)), &expect![""]);
    check(
        &book.step(gone(worker(A, 1)), ms(0)),
        &expect!["  job-1 hears: down job-1/n.1.1: it died, again"],
    );
    check(&book.step(Input::Tick, ms(5000)), &expect![""]);
    check(
        &book.step(resumed(1), ms(5001)),
        &expect![[r#"
        start job-1/n.1.2: 1 CPU
          job-1 hears: granted job-1/n.1.2: 1 CPU
        start job-2/n.1.1: 7 CPU
          job-2 hears: granted job-2/n.1.1: 7 CPU"#]],
    );
    let total = Resources::cpus(1.0);
    let workers = Vec::new();
    let report = Input::NodeUp { node: node(2), session: 1, paused: true, total, workers };
    let effects = told(&book.step(report, ms(5002)));
    assert!(!effects.contains("start"), "{effects}");
    check(
        &book.step(resumed(2), ms(5003)),
        &expect![[r#"
        start job-1/n.2.1: 1 CPU
          job-1 hears: granted job-1/n.2.1: 1 CPU
          job-2 hears: waits on n.2 for [JobId(1)]"#]],
    );
}

#[test]
fn jb_10_9_strangers_are_ended_before_anything_is_started_beside_them() {
    let stray = worker(B, 4);
    let mut book = after(&[open_for(A, 1.0)]);
    check(&book.step(report(1, 1, &[(stray.clone(), None)]), ms(0)), &expect!["kill job-2/n.1.4"]);
    check(&book.step(Input::Tick, ms(9)), &expect![""]);
    check(
        &book.step(gone(stray.clone()), ms(10)),
        &expect![[r#"
        start job-1/n.1.1: 1 CPU
          job-1 hears: granted job-1/n.1.1: 1 CPU"#]],
    );
    // A report without it is as good.
    let both = [(worker(A, 1), Some(3)), (stray, Some(4))];
    check(
        &book.step(report(1, 2, &both), ms(20)),
        &expect![[r#"
          job-1 hears: up job-1/n.1.1 at port 3: 1 CPU
        kill job-2/n.1.4"#]],
    );
    check(&book.step(open(B), ms(20)), &expect![""]);
    check(
        &book.step(report(1, 3, &both[..1]), ms(30)),
        &expect![[r#"
        start job-2/n.1.1: 7 CPU
          job-2 hears: granted job-2/n.1.1: 7 CPU"#]],
    );
}

#[test]
fn jb_1_3_after_a_lost_link_the_report_says_what_has_become_of_them() {
    let jobs: Vec<JobId> = (1..=6).map(JobId).collect();
    let mut book = after(&[report(1, 1, &[])]);
    jobs.iter().for_each(|job| _ = book.step(open_for(*job, 1.0), ms(0)));
    let [starts, _lost, up_unheard, ran, ends, replaced] = [0, 1, 2, 3, 4, 5].map(|at| jobs[at]);
    for job in [ran, replaced, ends] {
        book.step(up(worker(job, 1)), ms(1));
    }
    book.step(close(ends), ms(2));
    book.step(replace(worker(replaced, 1)), ms(2));
    let found =
        [(worker(starts, 1), None), (worker(up_unheard, 1), Some(3)), (worker(ends, 1), Some(4))];
    check(
        &book.step(report(1, 2, &found), ms(3)),
        &expect![[r#"
          job-2 hears: down job-2/n.1.1: the link to its node was lost before it was up, again
          job-3 hears: up job-3/n.1.1 at port 3: 1 CPU
          job-4 hears: down job-4/n.1.1: it ended while there was no link to its node, again
        stop job-5/n.1.1
          job-6 hears: down job-6/n.1.1: nobody can reach it, again
        start job-2/n.1.2: 1 CPU
          job-2 hears: granted job-2/n.1.2: 1 CPU
        start job-4/n.1.2: 1 CPU
          job-4 hears: granted job-4/n.1.2: 1 CPU
        start job-6/n.1.2: 1 CPU
          job-6 hears: granted job-6/n.1.2: 1 CPU"#]],
    );
    // Killed already, and found again.
    book.step(Input::Tick, ms(40_000));
    let found = [(worker(ends, 1), Some(4)), (worker(JobId(2), 1), None)];
    let again = told(&book.step(report(1, 3, &found), ms(40_001)));
    assert!(again.contains("kill job-5/n.1.1"), "{again}");
    assert!(again.ends_with("kill job-2/n.1.1"), "what has ended is a stranger: {again}");
}

#[test]
fn jb_9_a_node_that_declines_is_asked_again_and_nothing_is_counted() {
    let mut book = after(&[report(1, 1, &[]), open(A)]);
    let mut now = 0;
    let mut waits = Vec::new();
    for life in 1..=8 {
        let mut said = told(&book.step(declined(worker(A, life)), ms(now)));
        assert!(said.contains(": its node did not start it, again"), "{said}");
        let from = now;
        while !said.contains("start job") {
            now += 10;
            said = told(&book.step(Input::Tick, ms(now)));
        }
        waits.push(now - from);
    }
    assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 3200, 5000]);
    // Not while it is paused, and at once when it was not in time.
    book.step(paused(1), ms(now));
    book.step(declined(worker(A, 9)), ms(now));
    assert_eq!(book.step(Input::Tick, ms(now + 60_000)), []);
    let said = told(&book.step(resumed(1), ms(now + 60_000)));
    assert!(said.starts_with("start job-1/n.1.10"), "{said}");
    // It has all its restarts still.
    let at = now + 60_000;
    for life in 10..15 {
        let said = told(&book.step(gone(worker(A, life)), ms(at)));
        assert!(said.contains("again"), "{said}");
        book.step(Input::Tick, ms(at + 500 * (life as u64 - 9)));
    }
}

#[test]
fn jb_3_4_what_was_to_end_and_is_declined_has_ended() {
    let mut book = after(&[report(1, 1, &[]), open(A), replace(worker(A, 1))]);
    check(
        &book.step(declined(worker(A, 1)), ms(0)),
        &expect!["  job-1 hears: down job-1/n.1.1: nobody can reach it, again"],
    );
    let mut book = after(&[report(1, 1, &[]), open(A), close(A)]);
    check(&book.step(declined(worker(A, 1)), ms(0)), &expect!["over job-1"]);
    // One that was up has run, whatever its node says now.
    let mut book = after(&[report(1, 1, &[]), open(A), up(worker(A, 1)), gone(worker(A, 1))]);
    book.step(up(worker(A, 2)), ms(0));
    for life in 2..=5 {
        book.step(declined(worker(A, life)), ms(life as u64 * 1000));
        book.step(Input::Tick, ms(life as u64 * 1000 + 900));
        book.step(up(worker(A, life + 1)), ms(life as u64 * 1000 + 901));
    }
    let said = told(&book.step(gone(worker(A, 6)), ms(7000)));
    assert!(said.contains("broken"), "{said}");
}

#[test]
fn jb_3_who_died_before_it_was_replaced_has_its_own_cause() {
    let story = [report(1, 1, &[]), open(A), up(worker(A, 1)), replace(worker(A, 1))];
    let mut book = after(&story);
    check(
        &book.step(gone(worker(A, 1)), ms(0)),
        &expect![[r#"
          job-1 hears: down job-1/n.1.1: it died: nobody can reach it, again
        start job-1/n.1.2: 8 CPU
          job-1 hears: granted job-1/n.1.2: 8 CPU"#]],
    );
    let mut book = after(&story);
    let said = told(&book.step(report(1, 2, &[]), ms(0)));
    assert!(said.contains("down job-1/n.1.1: nobody can reach it, again"), "{said}");
}

#[test]
fn jb_6_a_grant_grows_with_the_next_life_and_not_within_one() {
    let mut book = after(&[report(1, 1, &[]), open_for(A, 7.0), open(B), up(worker(B, 1))]);
    book.step(close(A), ms(0));
    check(&book.step(gone(worker(A, 1)), ms(0)), &expect!["over job-1"]);
    check(
        &book.step(gone(worker(B, 1)), ms(1)),
        &expect![[r#"
          job-2 hears: down job-2/n.1.1: it died, again
        start job-2/n.1.2: 8 CPU
          job-2 hears: granted job-2/n.1.2: 8 CPU"#]],
    );
    // Not beyond what it wants, and an older job that has nothing comes first.
    let mut book = after(&[report(1, 1, &[]), open_for(A, 7.0), open_for(B, 1.0), open(C)]);
    let younger = JobId(4);
    book.step(gone(worker(B, 1)), ms(0));
    book.step(close(B), ms(0));
    book.step(gone(worker(B, 2)), ms(0));
    assert_eq!(book.workers().count(), 2, "C has what B had");
    book.step(open(younger), ms(0));
    book.step(gone(worker(A, 1)), ms(0));
    assert_eq!(book.workers().next().unwrap().2.to_string(), "7 CPU");
}

#[test]
fn jb_6_the_older_of_two_comes_first_whether_it_waits_or_begins_anew() {
    let mut book = after(&[report(1, 1, &[]), open_for(A, 8.0)]);
    let total = Resources::cpus(2.0).gpus(1.0);
    book.step(
        Input::NodeUp { node: node(2), session: 1, paused: false, total, workers: Vec::new() },
        ms(0),
    );
    // A has both CPUs; B waits for one, and C, which is younger, has the GPU and would take CPUs too.
    let wants = Some(Resources::none().gpus(1.0));
    book.step(open_for(B, 1.0), ms(0));
    book.step(Input::Open { job: C, wants, single: false }, ms(0));
    let of = |job| WorkerId { job, node: node(2), life: 1 };
    book.step(paused(2), ms(0));
    book.step(gone(of(C)), ms(0));
    book.step(close(A), ms(0));
    book.step(gone(of(A)), ms(0));
    check(
        &book.step(resumed(2), ms(0)),
        &expect![[r#"
        start job-2/n.2.1: 1 CPU
          job-2 hears: granted job-2/n.2.1: 1 CPU
        start job-3/n.2.2: 1 GPU
          job-3 hears: granted job-3/n.2.2: 1 GPU"#]],
    );
}

#[test]
fn jb_6_cpus_are_given_out_whole_where_there_is_one() {
    let granted = |total: f64, wants: &[Option<f64>]| {
        let mut book = Book::default();
        let (total, workers) = (Resources::cpus(total), Vec::new());
        book.step(
            Input::NodeUp { node: node(1), session: 1, paused: false, total, workers },
            ms(0),
        );
        for wants in wants {
            let job = book.next_job();
            book.step(Input::Open { job, wants: wants.map(Resources::cpus), single: false }, ms(0));
        }
        let of = |(worker, _, grant): (WorkerId, _, &Resources)| (worker.job.0, grant.to_string());
        book.workers().map(of).collect::<Vec<_>>()
    };
    let one = |job, grant: &str| (job, grant.to_owned());
    assert_eq!(granted(2.5, &[None, None]), [one(1, "2 CPU")]);
    assert_eq!(granted(2.5, &[None, Some(0.5), Some(0.5)]), [one(1, "2 CPU"), one(2, "0.5 CPU")]);
    assert_eq!(granted(2.5, &[Some(1.5), None]), [one(1, "1 CPU"), one(2, "1 CPU")]);
    assert_eq!(granted(1.0, &[Some(0.6), Some(0.6)]), [one(1, "0.6 CPU")], "all that it wants");
    assert_eq!(granted(0.5, &[None, None]), [one(1, "0.5 CPU")], "there is no whole one");
    assert_eq!(granted(0.5, &[Some(0.8)]), [one(1, "0.5 CPU")]);
}
