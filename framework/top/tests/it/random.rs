//! Any keys, sizes and moments, in any order.

use std::time::Duration;

use proptest::prelude::*;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use raytree_top::Moment;
use raytree_types::inspect::{ActorState, Event, EventKind, ProcessRow, Role, TreeRow};

use crate::support::{Script, View};

#[derive(Clone, Debug)]
enum Step {
    Key(KeyCode),
    Size(u16, u16),
    Look(Moment),
    Fails,
}

fn state() -> impl Strategy<Value = ActorState> {
    prop_oneof![
        6 => Just(ActorState::Running),
        1 => Just(ActorState::Restarting),
        1 => Just(ActorState::Failed),
        1 => Just(ActorState::Stopped),
    ]
}

fn row() -> impl Strategy<Value = TreeRow> {
    let name = prop_oneof![
        8 => "[a-d]",
        1 => "[a-z/#]{0,40}",
        1 => Just("日本\u{1b}[31m\u{202e}é🦀".to_owned()),
    ];
    (0..6_u32, name, state(), any::<u16>(), 0..3_u64, any::<bool>(), 0..20_u8).prop_map(
        |(depth, name, state, number, hidden, flag, rare)| TreeRow {
            state,
            queued: u64::from(number),
            queue_limit: u64::from(number / 2),
            handled: if rare == 0 { u64::MAX } else { u64::from(number) },
            busy_for: flag.then(|| Duration::from_secs(number.into())),
            current: flag.then(|| "work".to_owned()),
            restarts: u32::from(number) * u32::from(rare == 1),
            last_cause: (rare == 2).then(|| "panicked: x\ny".to_owned()),
            hidden,
            process: (rare < 4).then(|| {
                Box::new(ProcessRow {
                    pid: 1,
                    role: Role::Program,
                    program: "p".to_owned(),
                    uptime: Duration::from_secs(1),
                    cpu: Duration::from_millis(number.into()),
                    memory: u64::from(number) << 20,
                    threads: 3,
                    store: None,
                    stale: (rare == 3).then(|| Duration::from_secs(4)),
                })
            }),
            ..TreeRow::named(if rare == 5 { depth * 1000 } else { depth }, name)
        },
    )
}

fn moment() -> impl Strategy<Value = Moment> {
    let event = (0..50_u64, "[a-d]", 0..6_usize).prop_map(|(number, path, kind)| Event {
        at: Duration::from_secs(number),
        pid: 1,
        number,
        path,
        kind: EventKind::ALL[kind],
        what: "it happened".to_owned(),
        cause: None,
    });
    let rows = prop::collection::vec(row(), 0..60);
    (rows, prop::collection::vec(event, 0..4), 0..30_u64, 0..10_u64).prop_map(
        |(rows, events, at, more)| Moment {
            rows,
            events,
            captured_at: Duration::from_secs(at),
            more: more.saturating_sub(8),
            ..Moment::default()
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let codes = prop_oneof![
        "[jkhlgGECofpxewLKyn?/q a-d]"
            .prop_map(|key| KeyCode::Char(key.chars().next().unwrap_or('j'))),
        Just(KeyCode::Enter),
        Just(KeyCode::Esc),
        Just(KeyCode::Backspace),
        Just(KeyCode::PageDown),
        Just(KeyCode::PageUp),
    ];
    prop_oneof![
        8 => codes.prop_map(Step::Key),
        2 => (1..130_u16, 1..50_u16).prop_map(|(width, height)| Step::Size(width, height)),
        1 => Just(Step::Size(1, 1)),
        3 => moment().prop_map(Step::Look),
        1 => Just(Step::Fails),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn lv_2_nothing_panics_and_the_selected_row_exists(steps in prop::collection::vec(step(), 1..60)) {
        let mut view = View::of(Script(Vec::new()));
        let mut size = (80, 24);
        for step in steps {
            match step {
                Step::Key(code) => view.press(KeyEvent::new(code, KeyModifiers::NONE)),
                Step::Size(width, height) => {
                    size = (width, height);
                    view.resize(width, height);
                }
                Step::Look(moment) => {
                    view.source = Box::new(Script(vec![moment]));
                    view.seconds(1);
                }
                Step::Fails => {
                    view.source = Box::new(Script(Vec::new()));
                    view.seconds(1);
                }
            }
            view.buffer(size.0, size.1);
            prop_assert_eq!(view.model.selected_path().is_some(), view.model.shown_rows() > 0);
        }
    }
}
