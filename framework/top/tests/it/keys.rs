//! What keys do, and what they do not.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};
use raytree_top::{Answer, Demo, Effect, Model, Moment, Options, Question, Source as _, Theme};
use raytree_types::inspect::{ActorState, Missing, TreeRow, Waits};

use crate::support::{Script, View};

fn moment(names: &[(u32, &str)]) -> Moment {
    let rows = names.iter().map(|(depth, name)| TreeRow::named(*depth, *name)).collect();
    Moment { rows, ..Moment::default() }
}

/// One moment a second, and the clock of moments goes with it.
fn script(mut moments: Vec<Moment>) -> View {
    for (moment, second) in moments.iter_mut().zip(1..) {
        moment.captured_at = Duration::from_secs(second);
    }
    View::of(Script(moments))
}

fn kills(view: &View) -> Vec<&Effect> {
    view.done.iter().filter(|done| matches!(done, Effect::Ask(Question::Kill(_)))).collect()
}

#[test]
fn the_selection_stays_on_its_row_when_others_come_and_go() {
    let mut view = script(vec![
        moment(&[(0, "top"), (1, "a"), (1, "b"), (1, "c")]),
        moment(&[(0, "top"), (1, "new"), (2, "below"), (1, "a"), (1, "c"), (1, "b")]),
        moment(&[(0, "top"), (1, "b")]),
    ]);
    view.seconds(1);
    view.keys("jj");
    assert!(view.selected().starts_with("├─ b"), "{}", view.selected());
    view.seconds(1);
    assert!(view.selected().starts_with("└─ b"), "{}", view.selected());
    view.seconds(1);
    assert!(view.selected().contains("─ b"), "{}", view.selected());
}

#[test]
fn a_row_that_is_gone_is_left_after_ten_seconds() {
    let mut moments = vec![moment(&[(0, "top"), (1, "a"), (1, "b")])];
    moments.resize(13, moment(&[(0, "top"), (1, "a")]));
    let mut view = script(moments);
    view.seconds(1);
    view.keys("G");
    view.seconds(10);
    assert!(view.selected().contains("† running"), "{}", view.selected());
    view.seconds(1);
    assert!(view.selected().starts_with("└─ a"), "{}", view.selected());
}

#[test]
fn only_a_typed_y_kills() {
    let mut view = View::demo(3);
    view.keys("/scores<enter>GK");
    view.keys("jkhlgG <enter><down>YK");
    assert_eq!(kills(&view), Vec::<&Effect>::new());
    view.press(KeyEvent::new(KeyCode::Char('y'), KeyModifiers::CONTROL));
    assert_eq!(kills(&view), Vec::<&Effect>::new());
    view.keys("nKq");
    assert!(!view.screen(80, 24).contains("Kill?"), "q leaves it");
    view.keys("Ky");
    let path = "node_pool/node-3/workers/job-1/actor_host/scores#8".to_owned();
    assert_eq!(kills(&view), [&Effect::Ask(Question::Kill(path))]);
    assert!(view.screen(80, 24).contains("killed node_pool/node-3"), "{}", view.screen(80, 24));
    view.keys("y");
    assert_eq!(kills(&view).len(), 1, "the question was answered");
}

#[test]
fn who_was_not_heard_is_named_beside_the_waits() {
    let mut view = View::demo(3);
    view.keys("w");
    let missing = vec![Missing { path: "raytree/node_pool/a".to_owned(), why: "gone".to_owned() }];
    let answer = Answer::Waits(Ok(Waits { stories: Vec::new(), missing }));
    view.model.heard(answer, view.now);
    let screen = view.screen(80, 24);
    assert!(screen.contains("of those who answer nobody waits"), "{screen}");
    assert!(screen.contains("raytree/node_pool/a is missing: gone"), "{screen}");
}

#[test]
fn what_may_not_be_killed_is_not_asked_about() {
    let mut view = View::demo(3);
    view.keys("/node-3<enter>GK");
    let screen = view.screen(100, 24);
    assert!(screen.contains("is not killed: `node_pool/node-3"), "{screen}");
    assert!(!screen.contains("Kill?"), "{screen}");
    view.keys("y");
    assert_eq!(kills(&view), Vec::<&Effect>::new());
}

#[test]
fn who_is_gone_cannot_be_killed() {
    let mut view = View::demo(19);
    view.keys("/report<enter>GK");
    assert!(view.screen(80, 24).contains("is gone already"));
}

#[test]
fn escape_closes_what_is_open_before_it_quits() {
    let mut view = View::demo(3);
    view.keys("/fork<enter>?<esc><esc>");
    assert!(!view.done.contains(&Effect::Quit));
    assert!(!view.screen(80, 24).contains("/fork"), "the filter was dropped");
    view.keys("<esc>");
    assert!(view.done.contains(&Effect::Quit));
    for key in [
        KeyEvent::from(KeyCode::Char('q')),
        KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL),
    ] {
        let mut view = View::demo(1);
        view.press(key);
        assert!(view.done.contains(&Effect::Quit));
    }
}

#[test]
fn the_id_is_copied_and_else_the_path() {
    let mut view = View::demo(3);
    view.keys("/scores<enter>Gy");
    view.keys("/<esc>gjjjy");
    let copied: Vec<_> = view.done.iter().filter(|done| matches!(done, Effect::Copy(_))).collect();
    let expected = ["actor-1-8", "gcs/membership"].map(|text| Effect::Copy(text.to_owned()));
    assert_eq!(copied, [&expected[0], &expected[1]]);
}

#[test]
fn frozen_nothing_is_asked_and_nothing_moves() {
    let mut view = View::demo(3);
    view.keys("p");
    let asked = view.done.len();
    view.seconds(5);
    assert_eq!(view.done.len(), asked);
    view.keys("p");
    assert_eq!(view.done.last(), Some(&Effect::Ask(Question::Look)));
}

#[test]
fn one_question_of_a_kind_is_under_way() {
    let mut model = Model::new(&Options::new(|| Duration::ZERO));
    let look = vec![Effect::Ask(Question::Look)];
    assert_eq!(model.tick(Duration::from_secs(1)), look);
    assert_eq!(model.tick(Duration::from_secs(2)), []);
    let refused = raytree_top::Answer::Look(Err("no".to_owned()));
    assert_eq!(model.heard(refused, Duration::from_secs(3)), []);
    assert_eq!(model.tick(Duration::from_secs(4)), look);
}

#[test]
fn lv_3_folding_hides_no_trouble() {
    let mut down = moment(&[(0, "top"), (1, "a"), (2, "fine"), (2, "ill"), (3, "well"), (1, "b")]);
    down.rows[3].state = ActorState::Failed;
    let mut view = script(vec![down]);
    view.seconds(1);
    view.keys("Cg h");
    let screen = view.screen(80, 24);
    assert!(screen.contains("ill") && screen.contains("◐ child down"), "{screen}");
    assert!(!screen.contains("well") && !screen.contains("fine"), "{screen}");
    assert!(screen.contains("a +1") && screen.contains("top +1"), "{screen}");
}

#[test]
fn the_next_row_in_trouble_is_one_key_away() {
    let mut view = View::demo(6);
    view.keys("n");
    assert!(view.selected().contains("scores#8"), "{}", view.selected());
}

#[test]
fn an_entry_of_the_log_leads_to_its_row() {
    let mut view = View::demo(49);
    view.keys("C");
    view.keys("ej<enter>");
    assert!(view.selected().contains("scores#8"), "{}", view.selected());
}

#[test]
fn colours_are_as_the_theme_says() {
    let colours = |theme: Theme| {
        let mut view = View::of(Demo::new(7));
        view.model = Model::new(&Options::new(|| Duration::ZERO).theme(theme));
        view.seconds(6);
        view.keys("n");
        let buffer = view.buffer(120, 50);
        buffer.content().iter().map(|cell| (cell.fg, cell.modifier)).collect::<Vec<_>>()
    };
    let plain = colours(Theme::plain());
    assert!(plain.iter().all(|(colour, _)| *colour == Color::Reset));
    assert!(plain.iter().any(|(_, modifier)| modifier.contains(Modifier::REVERSED)));
    let coloured = colours(Theme::colours());
    assert!(coloured.iter().any(|(colour, _)| *colour == Color::Yellow));
}

#[test]
fn a_queue_is_marked_at_half_and_at_85_percent_of_its_bound() {
    let mut queues = moment(&[(0, "low"), (0, "half"), (0, "most")]);
    for (row, queued) in queues.rows.iter_mut().zip([127, 128, 218]) {
        (row.queued, row.queue_limit) = (queued, 256);
    }
    let mut view = script(vec![queues]);
    view.seconds(1);
    let screen = view.screen(80, 24);
    assert!(screen.contains(" 127 ") && screen.contains(" 128! ") && screen.contains(" 218‼ "));
    let buffer = view.buffer(80, 24);
    let colour = |y: u16, mark: &str| {
        (0..80).find(|x| buffer[(*x, y)].symbol() == mark).map(|x| buffer[(x, y)].fg)
    };
    assert_eq!((colour(6, "!"), colour(7, "‼")), (Some(Color::Yellow), Some(Color::Red)));
}

#[test]
fn entries_of_the_log_that_are_told_twice_are_one() -> Result<(), String> {
    let mut demo = Demo::new(7);
    let mut moments = Vec::new();
    let mut told = Vec::new();
    for _ in 0..30 {
        let moment = demo.look()?;
        told.extend(moment.events.clone());
        moments.push(Moment { events: told.clone(), ..moment });
    }
    let mut view = View::of(Script(moments));
    view.seconds(30);
    view.keys("e");
    let screen = view.screen(120, 40);
    assert_eq!(screen.matches("lives again, life 2").count(), 1, "{screen}");
    Ok(())
}
