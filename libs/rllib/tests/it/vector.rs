//! Vector environments: rows that do not depend on the division, ends of episodes, snapshots.

use crate::broken_envs::{Counter, Fault};
use raytree_rllib::env::{EpisodeEnd, VectorSnapshot, Vectorized};
use raytree_rllib::{
    Action, Actions, Env, Error, Rng, Space, Step, Stream, VectorEnv, VectorOptions, make_vector,
};

const ENVS: usize = 8;

/// CartPoles of one experiment, divided among some number of vectors.
fn divided(parts: usize) -> Vec<Box<dyn VectorEnv>> {
    let count = ENVS / parts;
    (0..parts)
        .map(|part| {
            let options = VectorOptions::new(count).first(part * count).seed(3);
            let mut envs = make_vector("CartPole-v1", options).unwrap();
            envs.reset().unwrap();
            envs
        })
        .collect()
}

/// Everything seen in `steps` steps, as bits, and the episodes in their order.
fn trace(
    parts: &mut [Box<dyn VectorEnv>],
    actions: &mut Rng,
    steps: usize,
) -> (Vec<u32>, Vec<EpisodeEnd>) {
    let (mut bits, mut episodes) = (Vec::new(), Vec::new());
    for _ in 0..steps {
        let choices: Vec<u32> = (0..ENVS).map(|_| actions.below(2) as u32).collect();
        let each = ENVS / parts.len();
        let views: Vec<_> = parts
            .iter_mut()
            .zip(choices.chunks(each))
            .map(|(part, choices)| part.step(Actions::Discrete(choices)).unwrap())
            .collect();
        for view in &views {
            bits.extend(view.obs.iter().chain(view.rewards).map(|x| x.to_bits()));
            bits.extend(view.terminated.iter().chain(view.truncated).map(|&flag| u32::from(flag)));
            episodes.extend_from_slice(view.episodes);
        }
        for row in 0..ENVS {
            let (view, at) = (&views[row / each], row % each);
            if view.terminated[at] || view.truncated[at] {
                let last = &view.final_obs[4 * at..4 * at + 4];
                bits.extend(last.iter().map(|x| x.to_bits()));
            }
        }
    }
    (bits, episodes)
}

/// Reorders a trace so that rows of different divisions stand in one order.
fn sorted((mut bits, episodes): (Vec<u32>, Vec<EpisodeEnd>)) -> (Vec<u32>, Vec<EpisodeEnd>) {
    bits.sort_unstable();
    (bits, episodes)
}

fn actions() -> Rng {
    Rng::stream(9, Stream::Custom(0))
}

#[test]
fn rows_do_not_depend_on_the_division() {
    let whole = sorted(trace(&mut divided(1), &mut actions(), 700));
    assert!(whole.1.len() > 100);
    for parts in [2, 4, 8] {
        assert_eq!(sorted(trace(&mut divided(parts), &mut actions(), 700)), whole, "{parts}");
    }
}

#[test]
fn environments_differ_from_each_other_and_between_seeds() {
    let first = |seed: u64, evaluation: bool| {
        let mut options = VectorOptions::new(4).seed(seed);
        options.evaluation = evaluation;
        make_vector("CartPole-v1", options).unwrap().reset().unwrap().obs.to_vec()
    };
    let mut seen: Vec<Vec<f32>> = [first(1, false), first(2, false), first(1, true)]
        .iter()
        .flat_map(|obs| obs.chunks(4).map(<[f32]>::to_vec).collect::<Vec<_>>())
        .collect();
    assert!(seen.iter().flatten().all(|x| x.abs() <= 0.05));
    seen.sort_by(|a, b| a[0].total_cmp(&b[0]));
    seen.dedup();
    assert_eq!(seen.len(), 12);
}

#[test]
fn an_ended_episode_is_reset_within_the_step_and_its_last_observation_kept() {
    let mut envs = Vectorized::new(|| Counter::new(Fault::None), VectorOptions::new(2).first(5));
    envs.reset().unwrap();
    for _ in 0..19 {
        let view = envs.step(Actions::Discrete(&[1, 0])).unwrap();
        assert!(view.episodes.is_empty() && view.terminated == [false, false]);
    }
    let view = envs.step(Actions::Discrete(&[1, 0])).unwrap();
    assert_eq!(view.terminated, [true, false]);
    assert_eq!((view.obs[0], view.final_obs[0]), (0.0, 20.0));
    let end = EpisodeEnd { env: 5, episode_return: 20.0, length: 20, terminated: true };
    assert_eq!(view.episodes, [end]);
    let view = envs.step(Actions::Discrete(&[1, 0])).unwrap();
    assert!(view.episodes.is_empty());
    assert_eq!((view.obs[0], view.terminated), (1.0, &[false, false][..]));
}

#[test]
fn the_step_limit_truncates_but_not_a_terminated_episode() {
    let options = VectorOptions::new(2).max_episode_steps(20);
    let mut envs = Vectorized::new(|| Counter::new(Fault::None), options);
    envs.reset().unwrap();
    for _ in 0..19 {
        envs.step(Actions::Discrete(&[1, 0])).unwrap();
    }
    let view = envs.step(Actions::Discrete(&[1, 0])).unwrap();
    assert_eq!((view.terminated, view.truncated), (&[true, false][..], &[false, true][..]));
    assert_eq!(view.episodes.len(), 2);
    assert!(view.episodes[0].terminated && !view.episodes[1].terminated);
}

#[test]
fn a_registered_limit_holds_and_can_be_overridden() {
    for (options, limit) in
        [(VectorOptions::new(1), 500), (VectorOptions::new(1).max_episode_steps(3), 3)]
    {
        let envs = make_vector("CartPole-v1", options).unwrap();
        assert_eq!(envs.options().max_episode_steps, Some(limit));
    }
}

#[test]
fn a_snapshot_continues_bit_for_bit_in_any_division() {
    let mut choices = actions();
    let mut parts = divided(2);
    trace(&mut parts, &mut choices, 100);
    let snapshot: VectorSnapshot = parts.iter().flat_map(|part| part.snapshot().unwrap()).collect();
    let text = serde_json::to_string(&snapshot).unwrap();
    let snapshot: VectorSnapshot = serde_json::from_str(&text).unwrap();
    let rest = sorted(trace(&mut parts, &mut choices.clone(), 300));
    for count in [1, 2, 4] {
        let mut others = divided(count);
        trace(&mut others, &mut actions(), 17);
        for other in &mut others {
            other.restore(&snapshot).unwrap();
        }
        assert_eq!(sorted(trace(&mut others, &mut choices.clone(), 300)), rest, "{count}");
    }
}

#[test]
fn a_snapshot_that_does_not_fit_changes_nothing() {
    let mut envs = divided(1).remove(0);
    let good = envs.snapshot().unwrap();
    let mut damaged = good.clone();
    damaged[5].env.pop();
    let mut short = good.clone();
    short[2].obs.pop();
    let mut foreign = good.clone();
    foreign.remove(7);
    envs.step(Actions::Discrete(&[1; ENVS])).unwrap();
    let before = envs.snapshot().unwrap();
    for (bad, reason) in [
        (damaged, "environment 5: a CartPole is 32 bytes, not 31"),
        (short, "the observation of environment 2 has 3 numbers, not 4"),
        (foreign, "it has no environment 7"),
    ] {
        let error = envs.restore(&bad).unwrap_err();
        assert_eq!(error.to_string(), format!("the snapshot does not fit: {reason}"));
        assert_eq!(envs.snapshot().unwrap(), before);
    }
}

#[test]
fn single_environments_can_be_moved() {
    let mut choices = actions();
    let (mut here, mut there) = (divided(1), divided(1));
    trace(&mut here, &mut choices, 40);
    for position in 0..ENVS {
        let state = here[0].snapshot_one(position).unwrap();
        there[0].restore_one(&state).unwrap();
    }
    let rest = trace(&mut here, &mut choices.clone(), 200);
    assert_eq!(trace(&mut there, &mut choices, 200), rest);

    let state = here[0].snapshot_one(3).unwrap();
    let mut other = make_vector("CartPole-v1", VectorOptions::new(2)).unwrap();
    assert!(matches!(other.restore_one(&state), Err(Error::NeedsReset { index: 3 })));
    other.reset().unwrap();
    for error in [other.restore_one(&state), other.snapshot_one(2).map(drop)] {
        assert!(matches!(error, Err(Error::SnapshotMismatch { .. })));
    }
}

#[test]
fn what_cannot_be_done_is_a_typed_error() {
    let options = VectorOptions::new(2).first(4);
    let mut envs = Vectorized::new(|| Counter::new(Fault::NoSnapshots), options);
    assert!(matches!(envs.step(Actions::Discrete(&[0, 0])), Err(Error::NeedsReset { index: 4 })));
    assert!(matches!(envs.snapshot(), Err(Error::NeedsReset { .. })));
    envs.reset().unwrap();
    assert!(matches!(envs.snapshot(), Err(Error::SnapshotUnsupported { index: 4 })));
    let before = envs.view().obs.to_vec();
    assert!(matches!(
        envs.step(Actions::Discrete(&[0])),
        Err(Error::ActionCount { got: 1, expected: 2, environments: 2 })
    ));
    assert!(matches!(
        envs.step(Actions::Discrete(&[0, 3])),
        Err(Error::InvalidAction { index: 5, .. })
    ));
    assert!(matches!(
        envs.step(Actions::Continuous(&[0.0, 0.0])),
        Err(Error::InvalidAction { index: 4, .. })
    ));
    assert_eq!(envs.view().obs, before);
}

/// Repeats its last action as its observation.
struct Echo(Space);

impl Env for Echo {
    fn observation_space(&self) -> Space {
        Space::uniform_box(-9.0, 9.0, &[2])
    }
    fn action_space(&self) -> Space {
        self.0.clone()
    }
    fn reset(&mut self, _rng: &mut Rng, obs: &mut [f32]) {
        obs.fill(0.0);
    }
    fn step(&mut self, action: Action<'_>, _rng: &mut Rng, obs: &mut [f32]) -> Step {
        match action {
            Action::Continuous(values) => obs.copy_from_slice(values),
            _ => obs.copy_from_slice(&[action.multi()[0] as f32, action.multi()[1] as f32]),
        }
        Step::reward(0.0)
    }
}

#[test]
fn actions_of_several_numbers_reach_their_environment() {
    let run = |space: Space, actions: Actions<'_>| {
        let mut envs = Vectorized::new(|| Echo(space.clone()), VectorOptions::new(2));
        envs.reset().unwrap();
        envs.step(actions).map(|view| view.obs.to_vec())
    };
    let real = Space::uniform_box(-1.0, 1.0, &[2]);
    let obs = run(real.clone(), Actions::Continuous(&[0.1, 0.2, 0.3, 5.0])).unwrap();
    assert_eq!(
        obs,
        [0.1, 0.2, 0.3, 5.0],
        "real numbers out of bounds are the environment's to clip"
    );
    let error = run(real, Actions::Continuous(&[0.1, 0.2, f32::NAN, 0.0])).unwrap_err();
    assert!(matches!(error, Error::InvalidAction { index: 1, .. }));
    let multi = Space::MultiDiscrete { n: vec![2, 5] };
    assert_eq!(run(multi.clone(), Actions::Discrete(&[1, 4, 0, 3])).unwrap(), [1.0, 4.0, 0.0, 3.0]);
    assert!(matches!(
        run(multi, Actions::Discrete(&[1, 4, 2, 3])),
        Err(Error::InvalidAction { index: 1, .. })
    ));
    let binary = Space::MultiBinary { n: 2 };
    assert_eq!(run(binary, Actions::Discrete(&[1, 0, 0, 1])).unwrap(), [1.0, 0.0, 0.0, 1.0]);
}
