//! Stories of one stand-in, an owner and the lives of an actor, with everything on its way at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use expect_test::{Expect, expect};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;

/// What goes to a life: a call, or the fence of a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mail {
    Call(Call),
    Fence(u64),
}

/// What is not decided by the stand-in alone.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Make,
    /// What was said to the stand-in first is heard there.
    Hear,
    /// Whoever seeks a way has found one, or none.
    Find,
    /// The owner hands on what came to it first.
    HandOn,
    /// The first of what was sent directly arrives.
    Arrive,
    /// The life answers what it has begun, this one of them.
    Answer(usize),
    /// The life ends, and what it has begun has no answer.
    Die,
    /// The owner hears that the life has ended, and begins another one.
    Restart,
    Cut,
}

/// Everything that is under way gets on by one.
const QUIET: [Turn; 6] =
    [Turn::Restart, Turn::HandOn, Turn::Arrive, Turn::Answer(0), Turn::Find, Turn::Hear];

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        12 => Just(Turn::Make),
        20 => Just(Turn::Hear),
        10 => Just(Turn::Find),
        20 => Just(Turn::HandOn),
        20 => Just(Turn::Arrive),
        20 => (0_usize..4).prop_map(Turn::Answer),
        1 => Just(Turn::Die),
        8 => Just(Turn::Restart),
        1 => Just(Turn::Cut),
    ]
}

#[derive(Default)]
struct World {
    route: Route,
    retries: bool,
    made: Call,
    waiting: VecDeque<Call>,
    is_held: bool,
    /// What is said to the stand-in: of its own ways in order, as over one link each.
    said: VecDeque<Input>,
    /// On their way to the owner, and waiting there.
    owner: VecDeque<Mail>,
    direct: VecDeque<Call>,
    seeks: Option<u64>,
    /// The life that the present way leads to, and whether the way is there.
    way: Option<(u64, u32, bool)>,
    life: u32,
    lives: bool,
    /// What the life has begun and not answered, and how each came.
    begun: Vec<(Mail, Way)>,
    first_of_life: Call,
    /// Which lives each call was sent to directly, and lost with.
    directly: BTreeMap<Call, u32>,
    over: BTreeSet<u32>,
    ended: BTreeSet<Call>,
    direct_calls: usize,
    settled: usize,
}

impl World {
    fn new(retries: bool) -> Self {
        // Soon, so that stories are about what follows.
        Self { route: Route::after(2), retries, lives: true, ..Self::default() }
    }

    fn input(&mut self, input: Input) {
        for effect in self.route.step(input) {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send(call, Way::Owner) => self.owner.push_back(Mail::Call(call)),
            Effect::Send(call, Way::Direct) => {
                let (_, life, _) = self.way.expect("a way");
                assert_eq!(self.directly.insert(call, life), None, "RO-2: twice directly");
                self.direct_calls += 1;
                self.direct.push_back(call);
                self.fails_if_cut();
            }
            Effect::Hold(call) => {
                self.waiting.push_front(call);
                self.is_held = true;
            }
            Effect::Seek { way } => {
                self.way = self.lives.then_some((way, self.life, true));
                self.seeks = Some(way);
            }
            Effect::Fence { way } => self.owner.push_back(Mail::Fence(way)),
            Effect::Leave { .. } => self.way = None,
            Effect::Accuse { .. } => {
                let (_, life, _) = self.way.expect("a way");
                if life == self.life && self.lives {
                    self.die();
                }
            }
            Effect::Settle(lost) => self.settle(lost),
            Effect::Resume => self.is_held = false,
        }
    }

    fn settle(&mut self, lost: Vec<Call>) {
        assert!(lost.is_sorted(), "RO-1: {lost:?}");
        self.settled += lost.len();
        for call in lost {
            let life = self.directly[&call];
            assert!(self.over.contains(&life), "RO-2: nobody has said that life {life} is over");
            if self.retries {
                self.owner.push_back(Mail::Call(call));
            } else {
                self.ends(call);
            }
        }
        self.input(Input::Settled);
    }

    fn ends(&mut self, call: Call) {
        assert!(self.ended.insert(call), "RO-3: {call} has ended twice");
    }

    /// What was sent over a way that is not there any more is lost.
    fn fails_if_cut(&mut self) {
        let is_there =
            self.way.is_some_and(|(_, life, open)| open && life == self.life && self.lives);
        if !is_there {
            for call in std::mem::take(&mut self.direct) {
                self.said.push_back(Input::Lost(call));
            }
        }
    }

    /// The life has begun something.
    fn begins(&mut self, mail: Mail, way: Way) {
        if let Mail::Call(call) = mail {
            assert!(call >= self.first_of_life, "RO-1: {call} after {}", self.first_of_life);
            self.first_of_life = call;
        }
        self.begun.push((mail, way));
    }

    fn answer(&mut self, at: usize) {
        if self.begun.is_empty() {
            return;
        }
        let at = at % self.begun.len();
        match self.begun.remove(at) {
            (Mail::Fence(way), _) => {
                let reached = self.way.is_some_and(|(_, life, _)| life == self.life);
                self.said.push_back(Input::Fenced { way, reached });
            }
            (Mail::Call(call), Way::Owner) => self.ends(call),
            (Mail::Call(call), Way::Direct) => {
                self.ends(call);
                self.said.push_back(Input::Answered(call));
            }
        }
    }

    fn die(&mut self) {
        self.lives = false;
        let mut again = Vec::new();
        for (mail, way) in std::mem::take(&mut self.begun) {
            match (mail, way) {
                (Mail::Fence(way), _) => self.said.push_back(Input::Fenced { way, reached: false }),
                (mail, Way::Owner) if self.retries => again.push(mail),
                (Mail::Call(call), Way::Owner) => self.ends(call),
                (Mail::Call(call), Way::Direct) => self.said.push_back(Input::Lost(call)),
            }
        }
        // They go before all that waits.
        again.into_iter().rev().for_each(|mail| self.owner.push_front(mail));
        self.fails_if_cut();
        if let Some((way, _, true)) = self.way {
            self.said.push_back(Input::Fell { way, cut: false });
        }
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Make => {
                self.made += 1;
                self.waiting.push_back(self.made);
            }
            Turn::Hear => {
                if let Some(input) = self.said.pop_front() {
                    self.input(input);
                }
            }
            Turn::Find => {
                if let Some(way) = self.seeks.take() {
                    let found = self.way.is_some();
                    self.said.push_back(Input::Sought { way, found });
                }
            }
            Turn::HandOn => {
                if self.lives
                    && let Some(mail) = self.owner.pop_front()
                {
                    self.begins(mail, Way::Owner);
                }
            }
            Turn::Arrive => {
                if let Some(call) = self.direct.pop_front() {
                    self.begins(Mail::Call(call), Way::Direct);
                }
            }
            Turn::Answer(at) if self.lives => self.answer(at),
            Turn::Die if self.lives => self.die(),
            Turn::Restart if !self.lives => {
                self.over.insert(self.life);
                if let Some((way, life, _)) = self.way
                    && life == self.life
                {
                    self.said.push_back(Input::Over { way });
                }
                (self.life, self.lives, self.first_of_life) = (self.life + 1, true, 0);
            }
            Turn::Cut => self.cut(),
            Turn::Answer(_) | Turn::Die | Turn::Restart => {}
        }
        while !self.is_held
            && let Some(call) = self.waiting.pop_front()
        {
            self.input(Input::Call(call));
        }
    }

    fn cut(&mut self) {
        let Some((way, life, true)) = self.way else { return };
        self.way = Some((way, life, false));
        // The life goes on with what it has begun, and nobody hears of that.
        let (lost, stay): (Vec<_>, Vec<_>) =
            self.begun.iter().copied().partition(|(_, way)| *way == Way::Direct);
        self.begun = stay;
        for (mail, _) in lost {
            if let Mail::Call(call) = mail {
                self.said.push_back(Input::Lost(call));
            }
        }
        self.fails_if_cut();
        self.said.push_back(Input::Fell { way, cut: true });
    }

    /// Everything that is under way comes to its end.
    fn calm_down(&mut self) {
        for round in 0.. {
            QUIET.into_iter().for_each(|turn| self.turn(turn));
            if self.ended.len() as u64 == self.made {
                return;
            }
            assert!(
                round < 10_000,
                "RO-3: {:?}, {} of {}",
                self.route,
                self.ended.len(),
                self.made
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn ro_1_ro_2_ro_3_calls_are_begun_in_order_go_one_way_and_end(
        retries: bool,
        turns in proptest::collection::vec(turn(), 0..500),
    ) {
        let mut world = World::new(retries);
        turns.into_iter().for_each(|turn| world.turn(turn));
        world.calm_down();
    }
}

#[test]
fn ro_1_a_quiet_world_goes_over_to_the_direct_way_and_stays() {
    let mut world = World::new(false);
    for _ in 0..100 {
        world.turn(Turn::Make);
        QUIET.into_iter().for_each(|turn| world.turn(turn));
    }
    world.calm_down();
    assert!(world.direct_calls > 80, "{}", world.direct_calls);
}

/// The stories are about something: most go directly, and many lose a way while calls are open.
#[test]
fn ro_3_stories_have_direct_calls_and_lose_some() {
    let mut runner = TestRunner::deterministic();
    let stories = proptest::collection::vec(turn(), 400);
    let (mut direct, mut settled) = (0, 0);
    for _ in 0..100 {
        let mut world = World::new(false);
        let turns = stories.new_tree(&mut runner).expect("a story").current();
        turns.into_iter().for_each(|turn| world.turn(turn));
        world.calm_down();
        direct += usize::from(world.direct_calls > 0);
        settled += usize::from(world.settled > 0);
    }
    assert!(direct > 70 && settled > 50, "{direct} and {settled} of 100");
}

fn check(inputs: &[Input], last: &Expect) {
    let mut route = Route::default();
    let calls = u64::from(limits::DIRECT_AFTER_CALLS);
    (1..=calls).for_each(|call| _ = route.step(Input::Call(call)));
    let told = inputs.iter().map(|input| format!("{input:?} => {:?}\n", route.step(*input)));
    last.assert_eq(&told.collect::<String>());
}

#[test]
fn ro_2_a_way_that_is_cut_with_an_open_call_goes_nowhere_before_the_owner_has_spoken() {
    let inputs = [
        Input::Sought { way: 1, found: true },
        Input::Call(9),
        Input::Fenced { way: 1, reached: true },
        Input::Call(9),
        Input::Lost(9),
        Input::Fell { way: 1, cut: true },
        Input::Call(10),
        Input::Over { way: 1 },
        Input::Call(10),
        Input::Settled,
        Input::Call(10),
    ];
    check(
        &inputs,
        &expect![[r#"
            Sought { way: 1, found: true } => [Fence { way: 1 }]
            Call(9) => [Hold(9)]
            Fenced { way: 1, reached: true } => [Resume]
            Call(9) => [Send(9, Direct)]
            Lost(9) => []
            Fell { way: 1, cut: true } => [Accuse { way: 1 }]
            Call(10) => [Hold(10)]
            Over { way: 1 } => [Settle([9])]
            Call(10) => [Hold(10)]
            Settled => [Leave { way: 1 }, Resume]
            Call(10) => [Send(10, Owner)]
        "#]],
    );
}

#[test]
fn ro_3_a_way_that_falls_with_nothing_open_holds_nobody() {
    let inputs = [
        Input::Sought { way: 1, found: true },
        Input::Fenced { way: 1, reached: true },
        Input::Call(9),
        Input::Answered(9),
        Input::Fell { way: 1, cut: true },
        Input::Call(10),
        Input::Over { way: 1 },
    ];
    check(
        &inputs,
        &expect![[r#"
            Sought { way: 1, found: true } => [Fence { way: 1 }]
            Fenced { way: 1, reached: true } => [Resume]
            Call(9) => [Send(9, Direct)]
            Answered(9) => []
            Fell { way: 1, cut: true } => [Leave { way: 1 }, Resume]
            Call(10) => [Send(10, Owner)]
            Over { way: 1 } => []
        "#]],
    );
}

#[test]
fn ro_3_a_fence_that_does_not_reach_the_life_is_no_way() {
    let inputs = [
        Input::Sought { way: 1, found: true },
        Input::Call(9),
        Input::Fenced { way: 1, reached: false },
        Input::Call(9),
    ];
    check(
        &inputs,
        &expect![[r#"
            Sought { way: 1, found: true } => [Fence { way: 1 }]
            Call(9) => [Hold(9)]
            Fenced { way: 1, reached: false } => [Leave { way: 1 }, Resume]
            Call(9) => [Send(9, Owner)]
        "#]],
    );
}
