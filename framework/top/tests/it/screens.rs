//! Screens as they are, in three sizes. `UPDATE_EXPECT=1` writes them anew: read them then.

use std::path::Path;
use std::time::Duration;

use expect_test::expect_file;
use raytree_top::{Demo, Moment, Order, Source as _};
use raytree_types::inspect::TreeRow;

use crate::support::{Script, View};

/// Small, usual, large.
const SIZES: [(u16, u16); 3] = [(80, 24), (100, 30), (200, 60)];

fn check(name: &str, view: &mut View) {
    for (width, height) in SIZES {
        let file = format!("tests/screens/{name}-{width}x{height}.txt");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        view.resize(width, height);
        expect_file![file].assert_eq(&view.screen(width, height));
    }
}

/// The demo in the second after `scores#8` has panicked, with that one selected.
fn troubled() -> View {
    let mut view = View::demo(7);
    view.keys("/scores<enter>G<esc>");
    view
}

#[test]
fn main_view() {
    check("main", &mut troubled());
}

#[test]
fn folded_rows_are_counted_and_trouble_stays() {
    let mut view = troubled();
    view.keys("gCl");
    check("folded", &mut view);
}

#[test]
fn filter() {
    let mut view = View::demo(7);
    view.keys("/runner");
    check("filter", &mut view);
}

#[test]
fn only_trouble() {
    let mut view = View::demo(30);
    view.keys("f");
    check("trouble", &mut view);
}

#[test]
fn the_longest_queues_first() {
    let mut view = View::demo(12);
    view.keys("oG");
    view.keys("g");
    check("by-queue", &mut view);
}

#[test]
fn the_largest_processes_first() {
    let mut view = View::demo(12);
    view.keys("ooo");
    check("by-memory", &mut view);
}

#[test]
fn the_busiest_first() {
    let mut view = View::ordered(12, Order::Busy);
    check("by-busy", &mut view);
}

#[test]
fn those_that_were_restarted_most_first() {
    let mut view = View::ordered(30, Order::Restarts);
    check("by-restarts", &mut view);
}

#[test]
fn details_on_the_whole_screen() {
    let mut view = troubled();
    view.keys("<enter>");
    check("detail", &mut view);
}

#[test]
fn why() {
    let mut view = troubled();
    view.keys("x");
    check("why", &mut view);
}

#[test]
fn events() {
    let mut view = View::demo(49);
    view.keys("ejj");
    check("events", &mut view);
}

#[test]
fn waits() {
    let mut view = View::demo(20);
    view.keys("w");
    check("waits", &mut view);
}

#[test]
fn logs() {
    let mut view = View::demo(20);
    view.keys("/learner<enter>GL");
    check("logs", &mut view);
}

#[test]
fn help() {
    let mut view = View::demo(3);
    view.keys("?");
    check("help", &mut view);
}

#[test]
fn a_kill_names_what_is_lost() {
    let mut view = View::demo(3);
    view.keys("/algorithm<enter>GK");
    view.keys("jjG ");
    check("kill", &mut view);
}

#[test]
fn a_frozen_view_says_so() {
    let mut view = View::demo(7);
    view.keys("p");
    view.seconds(12);
    check("frozen", &mut view);
}

#[test]
fn who_is_gone_stays_for_a_while() {
    let mut view = View::demo(19);
    view.keys("/report<enter>G<esc>");
    check("gone", &mut view);
}

#[test]
fn an_empty_tree() {
    let mut view = View::of(Script(vec![Moment::default(); 3]));
    view.seconds(2);
    check("empty", &mut view);
}

#[test]
fn no_answer_yet() {
    let mut view = View::of(Script(Vec::new()));
    check("nothing", &mut view);
}

#[test]
fn who_cannot_be_reached_is_shown_as_it_was() {
    let mut demo = Demo::new(7);
    let moments = (0..5).filter_map(|_| demo.look().ok()).collect();
    let mut view = View::of(Script(moments));
    view.seconds(5);
    view.seconds(14);
    check("unreachable", &mut view);
}

#[test]
fn rows_of_a_process_that_does_not_answer_are_old() {
    let mut demo = Demo::new(7);
    let mut moments: Vec<Moment> = (0..3).filter_map(|_| demo.look().ok()).collect();
    for moment in &mut moments {
        let node = moment.rows.iter_mut().find(|row| row.name == "node-2");
        if let Some(process) = node.and_then(|row| row.process.as_mut()) {
            process.stale = Some(Duration::from_secs(12));
        }
        for worker in moment.rows.iter_mut().filter(|row| row.name == "job-1") {
            worker.process = None;
        }
    }
    let mut view = View::of(Script(moments));
    view.seconds(3);
    view.keys("/node-2<enter>G<esc>jj");
    check("stale", &mut view);
}

#[test]
fn a_program_without_a_cluster() {
    let mut rows = vec![
        TreeRow { strategy: Some("one-for-one".to_owned()), ..TreeRow::named(0, "raytree") },
        TreeRow::named(1, "gcs"),
        TreeRow { queued: 140, queue_limit: 256, ..TreeRow::named(1, "half_full") },
        TreeRow { queued: 230, queue_limit: 256, ..TreeRow::named(1, "nearly_full") },
        TreeRow { queued: 123_456, queue_limit: 0, ..TreeRow::named(1, "no_bound") },
        TreeRow { remark: Some("2 abandoned threads".to_owned()), ..TreeRow::named(1, "remark") },
        TreeRow::named(1, "日本語の名前は幅が二倍になります"),
        TreeRow { hidden: 1200, ..TreeRow::named(1, "deep") },
    ];
    rows.extend((2..40).map(|depth| TreeRow::named(depth, format!("level_{depth}"))));
    let moment = Moment { rows, ..Moment::default() };
    let mut view = View::of(Script(vec![moment]));
    view.seconds(1);
    check("program", &mut view);
}
