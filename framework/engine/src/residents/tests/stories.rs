//! What residents and those who follow them go through.

use expect_test::expect;

use super::*;

#[test]
fn rs_2_4_a_life_and_the_next_one_and_the_end() {
    let [a] = ids();
    let mut directory = Directory::default();
    check(
        &directory.step(create(one(1), spec(a, Some("a"), 1), 7)),
        &expect![[r#"
        job-1.1 hears: is actor-1-1
        open job-7 of actor-1-1 with 1 CPU"#]],
    );
    directory.step(granted(7, 1));
    check(
        &directory.step(up(7, 1)),
        &expect!["job-1.1 hears: up 0 as worker 1 of job-7 on n (life 1) at port 7"],
    );
    // Who comes later hears where it is.
    check(
        &directory.step(find(two(1), "a")),
        &expect![[r#"
        job-2.1 hears: is actor-1-1
        job-2.1 hears: up 0 as worker 1 of job-7 on n (life 1) at port 7"#]],
    );
    check(&directory.step(lost(7, 1)), &expect![""]);
    check(
        &directory.step(down(7, 1)),
        &expect![[r#"
        job-1.1 hears: down 0: it died
        job-2.1 hears: down 0: it died"#]],
    );
    check(&directory.step(find(two(2), "a")), &expect!["job-2.2 hears: is actor-1-1"]);
    directory.step(granted(7, 2));
    check(
        &directory.step(up(7, 2)),
        &expect![[r#"
        job-1.1 hears: up 1 as worker 2 of job-7 on n (life 1) at port 7
        job-2.1 hears: up 1 as worker 2 of job-7 on n (life 1) at port 7
        job-2.2 hears: up 1 as worker 2 of job-7 on n (life 1) at port 7"#]],
    );
    // No life is left.
    directory.step(lost(7, 2));
    check(&directory.step(down(7, 2)), &expect!["kill job-7"]);
    check(
        &directory.step(over(7)),
        &expect![[r#"
        job-1.1 hears: dead: it died
        job-2.1 hears: dead: it died
        job-2.2 hears: dead: it died
        forget actor-1-1"#]],
    );
    check(&directory.step(find(two(3), "a")), &expect!["job-2.3 hears: missing"]);
    assert_eq!(directory.residents().count(), 0);
}

#[test]
fn rs_1_a_name_is_one_residents_until_it_is_dead() {
    let [a, b] = ids();
    let mut directory = after(&[create(one(1), spec(a, Some("a"), 0), 7)]);
    check(
        &directory.step(create(two(1), spec(b, Some("a"), 0), 8)),
        &expect!["job-2.1 hears: space/a is actor-1-1"],
    );
    check(
        &directory.step(get_or_create(two(2), spec(b, Some("a"), 0), 8)),
        &expect!["job-2.2 hears: is actor-1-1"],
    );
    // The same name elsewhere is another one, and who has none is in nobody's way.
    let elsewhere = Key { namespace: Arc::from("elsewhere"), name: Arc::from("a") };
    let other = Spec { key: Some(elsewhere), ..spec(b, None, 0) };
    check(
        &directory.step(create(two(3), other, 8)),
        &expect![[r#"
        job-2.3 hears: is actor-1-2
        open job-8 of actor-1-2 with 1 CPU"#]],
    );
    // One that ends has its name, and would not do.
    directory.step(end(a));
    let [.., c] = ids::<3>();
    check(
        &directory.step(get_or_create(two(4), spec(c, Some("a"), 0), 9)),
        &expect!["job-2.4 hears: space/a is actor-1-1"],
    );
    check(&directory.step(find(two(5), "a")), &expect!["job-2.5 hears: is actor-1-1"]);
    check(
        &directory.step(over(7)),
        &expect![[r#"
        job-1.1 hears: dead in order: it was told to end
        job-2.2 hears: dead in order: it was told to end
        job-2.5 hears: dead in order: it was told to end
        forget actor-1-1"#]],
    );
    check(
        &directory.step(get_or_create(two(6), spec(c, Some("a"), 0), 9)),
        &expect![[r#"
        job-2.6 hears: is actor-1-3
        open job-9 of actor-1-3 with 1 CPU"#]],
    );
}

#[test]
fn rs_3_an_end_in_order_begins_no_other_life() {
    let [a] = ids();
    let story = [create(one(1), spec(a, None, 9), 7), granted(7, 1), up(7, 1)];
    let mut directory = after(&story);
    check(&directory.step(ended(7, 1)), &expect!["close job-7"]);
    // The book may have said something before it heard of the close.
    assert_eq!(directory.step(down(7, 1)), []);
    assert_eq!(directory.step(granted(7, 2)), []);
    assert_eq!(directory.step(up(7, 2)), []);
    check(
        &directory.step(over(7)),
        &expect![[r#"
        job-1.1 hears: dead in order: it has ended in order
        forget actor-1-1"#]],
    );
    // Also before it was up.
    let mut directory = after(&story[..2]);
    check(&directory.step(ended(7, 1)), &expect!["close job-7"]);
}

#[test]
fn rs_3_an_end_that_was_asked_for_begins_no_other_life() {
    let [a] = ids();
    let story = [create(one(1), spec(a, None, 9), 7), granted(7, 1), up(7, 1)];
    let mut directory = after(&story);
    check(&directory.step(end(a)), &expect!["close job-7"]);
    check(&directory.step(end(a)), &expect![""]);
    check(&directory.step(kill(a)), &expect!["kill job-7"]);
    check(&directory.step(kill(a)), &expect![""]);
    assert_eq!(directory.step(lost(7, 1)), []);
    check(
        &directory.step(over(7)),
        &expect![[r#"
        job-1.1 hears: dead in order: it was told to end
        forget actor-1-1"#]],
    );
    check(&directory.step(kill(a)), &expect![""]);
    let mut directory = after(&story);
    check(&directory.step(kill(a)), &expect!["kill job-7"]);
    assert_eq!(directory.step(end(a)), []);
}

#[test]
fn rs_4_one_that_waits_for_a_place_dies_as_soon_as_its_job_is_over() {
    let [a] = ids();
    let mut directory = after(&[create(one(1), spec(a, Some("a"), 9), 7)]);
    check(&directory.step(end(a)), &expect!["close job-7"]);
    check(
        &directory.step(over(7)),
        &expect![[r#"
        job-1.1 hears: dead in order: it was told to end
        forget actor-1-1"#]],
    );
    assert_eq!(directory.step(over(7)), []);
}

#[test]
fn rs_4_one_whose_job_is_refused_is_dead_and_so_is_one_whose_job_others_have_closed() {
    let [a] = ids();
    let mut directory = after(&[create(one(1), spec(a, Some("a"), 9), 7)]);
    let why = Some(Cause::message("10 jobs are open already"));
    check(
        &directory.step(Input::Over { job: JobId(7), refused: why }),
        &expect![[r#"
        job-1.1 hears: dead: 10 jobs are open already
        forget actor-1-1"#]],
    );
    let mut directory = after(&[create(one(1), spec(a, Some("a"), 9), 7), granted(7, 1), up(7, 1)]);
    check(
        &directory.step(over(7)),
        &expect![[r#"
        job-1.1 hears: dead: its job is over
        forget actor-1-1"#]],
    );
    assert_eq!((directory.id_of(JobId(7)), directory.job_of(a)), (None, None));
}

#[test]
fn rs_3_lives_that_do_not_come_up_count_and_those_that_never_began_do_not() {
    let [a] = ids();
    let mut directory = after(&[create(one(1), spec(a, None, 1), 7)]);
    for life in 1..=20 {
        assert_eq!(directory.step(granted(7, life)), []);
        assert_eq!(directory.step(down(7, life)), []);
    }
    for life in 21..=22 {
        assert_eq!(directory.step(granted(7, life)), []);
        assert_eq!(directory.step(lost(7, life)), []);
        let said = told(&directory.step(down(7, life)));
        // Nobody has heard of a life that was never up.
        assert_eq!(said, if life == 21 { "" } else { "kill job-7" });
    }
    check(
        &directory.step(over(7)),
        &expect![[r#"
        job-1.1 hears: dead: it died
        forget actor-1-1"#]],
    );
}

#[test]
fn rs_2_the_lives_of_one_that_failed_to_come_up_have_gaps() {
    let [a] = ids();
    let mut directory = after(&[create(one(1), spec(a, None, u32::MAX), 7)]);
    for life in 1..=4 {
        directory.step(granted(7, life));
        if life % 2 == 0 {
            let said = told(&directory.step(up(7, life)));
            assert!(said.contains(&format!("hears: up {} as", life - 1)), "{said}");
            let said = told(&directory.step(down(7, life)));
            assert_eq!(said, format!("job-1.1 hears: down {}: it died", life - 1));
        } else {
            directory.step(lost(7, life));
            assert_eq!(directory.step(down(7, life)), []);
        }
    }
}

#[test]
fn rs_5_who_leaves_hears_nothing_and_changes_nothing() {
    let [a, b] = ids();
    let story = [
        create(one(1), spec(a, Some("a"), 1), 7),
        create(one(u64::MAX), spec(b, Some("b"), 1), 8),
        find(one(0), "a"),
        find(two(0), "a"),
        find(two(1), "a"),
        granted(7, 1),
    ];
    let mut directory = after(&story);
    assert_eq!(directory.step(Input::Leave { driver: JobId(1) }), []);
    assert_eq!(directory.step(Input::Unfollow { by: two(1) }), []);
    assert_eq!(directory.step(Input::Unfollow { by: two(1) }), []);
    check(
        &directory.step(up(7, 1)),
        &expect!["job-2.0 hears: up 0 as worker 1 of job-7 on n (life 1) at port 7"],
    );
    assert_eq!(directory.step(granted(8, 1)), []);
    assert_eq!(directory.step(up(8, 1)), []);
    let followers: Vec<usize> = directory.residents().map(|listed| listed.followers).collect();
    assert_eq!(followers, [1, 0]);
}
