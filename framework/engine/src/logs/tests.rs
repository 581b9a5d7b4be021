//! The engine of forwarded lines, line by line and driven at random.

use std::collections::HashMap;

use proptest::prelude::*;
use raytree_types::{LogLine, LogLines};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn source(pid: u32) -> LogSource {
    LogSource { name: "worker".to_owned(), pid, node: None }
}

fn hear(repeats: &mut Repeats, pid: u32, text: &str, now: Duration) -> Option<String> {
    let heard = repeats.heard(&source(pid), Output::Out, text.to_owned(), now);
    heard.map(|print| print.to_string())
}

fn texts(prints: Vec<Print>) -> Vec<String> {
    prints.iter().map(ToString::to_string).collect()
}

#[test]
fn lr_2_a_thousand_equal_lines_are_one_and_the_number_of_the_others() {
    let mut repeats = Repeats::default();
    let mut printed = Vec::new();
    for pid in 1..=1000 {
        let now = Duration::from_millis(u64::from(pid));
        printed.extend(hear(&mut repeats, pid, "the shard is missing", now));
    }
    assert_eq!(printed, ["(worker pid=1) the shard is missing"]);
    assert_eq!(repeats.pass(5 * SECOND), []);
    let due = repeats.due().expect("a window");
    assert_eq!(due, 5 * SECOND + Duration::from_millis(1));
    assert_eq!(
        texts(repeats.pass(due)),
        ["(worker pid=1000) the shard is missing [repeated 999x across cluster]"]
    );
}

#[test]
fn lr_2_what_one_process_alone_repeats_is_printed_as_it_comes() {
    let mut repeats = Repeats::default();
    for _ in 0..3 {
        assert!(hear(&mut repeats, 1, "tick", SECOND).is_some());
    }
    assert_eq!(hear(&mut repeats, 2, "tick", SECOND), None, "now it is of two");
    assert_eq!(hear(&mut repeats, 1, "tick", SECOND), None);
    assert!(hear(&mut repeats, 2, "tock", SECOND).is_some(), "another line");
    assert!(hear(&mut repeats, 2, "  ", SECOND).is_some());
    assert!(hear(&mut repeats, 1, "  ", SECOND).is_some(), "there is nothing to be read twice");
    let err = repeats.heard(&source(2), Output::Err, "tick".to_owned(), SECOND);
    assert!(err.is_some(), "the other output");
}

#[test]
fn lr_4_a_line_that_came_once_more_is_printed_as_itself_and_one_that_goes_on_goes_on_counting() {
    let mut repeats = Repeats::default();
    assert!(hear(&mut repeats, 1, "a", SECOND).is_some());
    assert_eq!(hear(&mut repeats, 2, "a", 2 * SECOND), None);
    assert_eq!(texts(repeats.pass(6 * SECOND)), ["(worker pid=2) a"]);
    assert_eq!(repeats.due(), None, "it is forgotten");
    assert!(hear(&mut repeats, 1, "a", 7 * SECOND).is_some());
    for pid in 2..4 {
        assert_eq!(hear(&mut repeats, pid, "a", 7 * SECOND), None);
    }
    assert_eq!(texts(repeats.pass(12 * SECOND)), ["(worker pid=3) a [repeated 2x across cluster]"]);
    assert_eq!(hear(&mut repeats, 1, "a", 13 * SECOND), None, "the next window");
    assert_eq!(texts(repeats.finish()), ["(worker pid=1) a"]);
    assert_eq!(repeats.finish(), []);
}

fn lines(texts: &[&str]) -> LogLines {
    let line = |text: &&str| LogLine { output: Output::Out, text: (*text).to_owned() };
    LogLines { source: source(1), lines: texts.iter().map(line).collect(), dropped: 0 }
}

#[test]
fn la_2_what_does_not_pass_is_counted_in_what_passes_next() {
    let mut allowance = Allowance::new(5, Duration::ZERO);
    let Passed::Pass(passed) = allowance.take(lines(&["four", "more", "none"]), Duration::ZERO)
    else {
        panic!("two seconds' worth may come at once")
    };
    assert_eq!((passed.lines.len(), passed.dropped), (2, 0));
    assert_eq!(allowance.take(lines(&["four"]), Duration::ZERO), Passed::Nothing);
    let Passed::Pass(passed) = allowance.take(lines(&["four"]), SECOND) else { panic!("a second") };
    assert_eq!((passed.lines.len(), passed.dropped), (1, 2));
    allowance.lost(&passed);
    assert_eq!((allowance.dropped(), allowance.dropped()), (3, 0));
}

#[test]
fn lines_are_cut_where_they_end_and_where_they_are_too_long() {
    let mut cutter = Cutter::default();
    let mut cut = Vec::new();
    cutter.takes(b"one\r\ntw", |line| cut.push(line));
    cutter.takes(b"o\n\nthr", |line| cut.push(line));
    assert_eq!(cut, ["one", "two", ""]);
    assert_eq!((cutter.ends().as_deref(), cutter.ends()), (Some("thr"), None));
    cut.clear();
    // Two bytes a character, the first of them at the last place.
    let long = format!("x{}\nend\n", "\u{e9}".repeat(limits::LOG_LINE_BYTES_MAX));
    cutter.takes(long.as_bytes(), |line| cut.push(line));
    assert!(cut.iter().all(|line| line.len() <= limits::LOG_LINE_BYTES_MAX));
    assert_eq!(cut.pop().as_deref(), Some("end"));
    assert_eq!(cut.concat(), long.lines().next().expect("a line"));
}

proptest! {
    #[test]
    fn lr_1_lr_3_lr_4_every_line_is_printed_or_counted_within_bounds(
        heard in proptest::collection::vec((0u32..4, 0usize..6, 0u64..3000), 0..200),
    ) {
        let settings = Settings { lines_max: 3, bytes_max: 12, ..Settings::default() };
        let mut repeats = Repeats::new(settings);
        let (mut now, mut all, mut told) = (Duration::ZERO, HashMap::new(), HashMap::new());
        let mut tell = |prints: Vec<Print>| {
            for print in prints {
                *told.entry(print.text).or_insert(0) += print.repeated.max(1);
            }
        };
        for (pid, text, after) in heard {
            now += Duration::from_millis(after);
            tell(repeats.pass(now));
            prop_assert!(repeats.due().is_none_or(|due| due > now), "LR-4");
            let text = "abcdef"[text..].to_owned();
            *all.entry(text.clone()).or_insert(0u64) += 1;
            tell(repeats.heard(&source(pid), Output::Out, text, now).into_iter().collect());
            prop_assert!(repeats.recent.len() <= 3 && repeats.bytes <= 12, "LR-3");
            prop_assert_eq!(repeats.due.len(), repeats.recent.len());
        }
        tell(repeats.finish());
        prop_assert_eq!(told, all, "LR-1");
    }

    #[test]
    fn la_1_no_more_passes_than_the_time_allows(
        sent in proptest::collection::vec((0usize..50, 0u64..2000), 1..100),
    ) {
        let mut allowance = Allowance::new(20, Duration::ZERO);
        let (mut now, mut passed, mut through, mut sent_lines) = (Duration::ZERO, 0, 0, 0);
        for (length, after) in sent {
            now += Duration::from_millis(after);
            sent_lines += 1;
            if let Passed::Pass(lines) = allowance.take(lines(&[&"x".repeat(length)]), now) {
                passed += lines.lines[0].text.len() + 1;
                through += lines.lines.len() as u64 + lines.dropped;
            }
            prop_assert!(passed as u128 <= 40 + now.as_millis() * 20 / 1000 + 1);
        }
        prop_assert_eq!(through + allowance.dropped(), sent_lines, "LA-2");
    }

    #[test]
    fn cut_lines_hold_all_that_was_written(
        text in "[a-c\n]{0,60}", pieces in proptest::collection::vec(1usize..9, 1..20),
    ) {
        let (mut cutter, mut cut) = (Cutter::default(), Vec::new());
        let (mut rest, mut pieces) = (text.as_bytes(), pieces.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(pieces.next().unwrap_or(1).min(rest.len()));
            cutter.takes(piece, |line| cut.push(line));
            rest = after;
        }
        cut.extend(cutter.ends());
        prop_assert_eq!(cut, text.lines().map(str::to_owned).collect::<Vec<_>>());
    }
}
