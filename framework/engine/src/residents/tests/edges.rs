//! Bounds, and what makes no sense.

use raytree_types::limits;

use super::*;

#[test]
fn rs_6_residents_are_bounded_those_that_end_included() {
    let ids: Vec<ActorId> = ids::<{ limits::RESIDENTS_MAX + 1 }>().to_vec();
    let mut directory = Directory::default();
    for (at, id) in ids[..limits::RESIDENTS_MAX].iter().enumerate() {
        let effects = directory.step(create(one(at as u64), spec(*id, None, 0), at as u64 + 1));
        assert_eq!(effects.len(), 2, "{}", told(&effects));
    }
    directory.step(end(ids[0]));
    let (late, job) = (spec(ids[limits::RESIDENTS_MAX], Some("late"), 0), 20_000);
    let refused = told(&directory.step(create(two(1), late.clone(), job)));
    assert_eq!(refused, "job-2.1 hears: TooManyResidents { limit: 10000 }");
    assert_eq!(told(&directory.step(find(two(2), "late"))), "job-2.2 hears: missing");
    directory.step(over(1));
    assert_eq!(directory.step(create(two(1), late, job)).len(), 2);
}

#[test]
fn rs_6_followers_are_bounded_in_all() {
    let [a, b] = ids();
    let mut directory = after(&[create(one(0), spec(a, Some("a"), 0), 7)]);
    for ticket in 1..limits::RESIDENT_FOLLOWERS_MAX as u64 {
        assert_eq!(directory.step(find(one(ticket), "a")).len(), 1);
    }
    let too_many = "job-2.1 hears: TooManyFollowers { limit: 100000 }";
    assert_eq!(told(&directory.step(find(two(1), "a"))), too_many);
    let mut tries = |by| {
        let shared = told(&directory.step(get_or_create(by, spec(b, Some("a"), 0), 8)));
        let own = told(&directory.step(create(by, spec(b, Some("b"), 0), 8)));
        (shared, own)
    };
    assert_eq!(tries(two(1)), (too_many.to_owned(), too_many.to_owned()));
    // And nothing is left of it.
    assert_eq!((directory.residents().count(), directory.id_of(JobId(8))), (1, None));
    assert_eq!(told(&directory.step(find(two(1), "b"))), "job-2.1 hears: missing");
    // The dead have no followers.
    directory.step(over(7));
    assert_eq!(directory.step(create(two(1), spec(b, Some("b"), 0), 8)).len(), 2);
}

#[test]
fn rs_4_a_number_that_is_in_use_is_passed_over() {
    let [a, b] = ids();
    let mut directory = after(&[create(one(1), spec(a, Some("a"), 0), 7)]);
    assert_eq!(directory.step(create(one(1), spec(b, None, 0), 8)), []);
    assert_eq!(directory.step(find(one(1), "a")), []);
    assert_eq!(directory.step(find(one(1), "b")), []);
    let listed = directory.residents().next().map(|listed| (listed.id, listed.followers));
    assert_eq!((directory.residents().count(), listed), (1, Some((a, 1))));
}

#[test]
fn rs_1_the_same_one_again_is_the_same_one() {
    let [a] = ids();
    let mut directory = after(&[create(one(1), spec(a, Some("a"), 0), 7)]);
    let again = told(&directory.step(create(one(2), spec(a, Some("a"), 0), 8)));
    assert_eq!(again, format!("job-1.2 hears: is {a}"));
    assert_eq!((directory.id_of(JobId(8)), directory.job_of(a)), (None, Some(JobId(7))));
}

#[test]
fn rs_2_3_what_is_said_of_others_or_of_other_lives_changes_nothing() {
    let [a, unknown] = ids();
    let story = [create(one(1), spec(a, Some("a"), 0), 7), granted(7, 2), up(7, 2)];
    let expected = format!("{:?}", after(&story));
    let held_by = vec![JobId(3)];
    let node = worker(7, 1).node;
    let cause = Cause::message("it died");
    for input in [
        granted(9, 1),
        up(9, 1),
        up(7, 2),
        up(7, 1),
        down(9, 1),
        down(7, 1),
        lost(9, 1),
        lost(7, 1),
        lost(7, 3),
        ended(9, 2),
        ended(7, 1),
        over(9),
        end(unknown),
        kill(unknown),
        news(7, News::Waits { node: node.clone(), held_by }),
        news(7, News::Broken { node, cause }),
        Input::Unfollow { by: one(9) },
        Input::Unfollow { by: two(1) },
        Input::Leave { driver: JobId(2) },
    ] {
        let mut directory = after(&story);
        assert_eq!(directory.step(input.clone()), [], "{input:?}");
        assert_eq!(format!("{directory:?}"), expected, "{input:?}");
    }
}

#[test]
fn what_is_listed() {
    let [a, b] = ids();
    let mut directory =
        after(&[create(one(1), spec(a, Some("a"), 5), 7), create(one(2), spec(b, None, 0), 8)]);
    for input in [granted(7, 1), up(7, 1), down(7, 1), granted(7, 2), up(7, 2), end(b)] {
        directory.step(input);
    }
    let [first, second] = directory.residents().collect::<Vec<_>>()[..] else { panic!("two") };
    let (key, worker) = (key("a"), worker(7, 2));
    assert_eq!((first.id, first.key, first.job), (a, Some(&key), JobId(7)));
    assert_eq!(first.up.map(|(worker, address)| (worker, address.port())), Some((&worker, 7)));
    assert_eq!((first.life, first.ends, first.followers), (1, false, 1));
    assert_eq!((second.id, second.key, second.job), (b, None, JobId(8)));
    assert_eq!((second.up, second.life, second.ends), (None, 0, true));
    assert_eq!((directory.id_of(JobId(7)), directory.job_of(b)), (Some(a), Some(JobId(8))));
}
