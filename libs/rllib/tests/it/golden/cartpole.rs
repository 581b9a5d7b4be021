use super::{close, load};
use raytree_rllib::env::find;
use raytree_rllib::envs::CartPole;
use raytree_rllib::{Action, Env, Rng, Space, Stream};
use serde::Deserialize;

type State = [f64; 4];

#[derive(Deserialize)]
struct File {
    max_episode_steps: u32,
    reward_threshold: f32,
    observation_low: Vec<Option<f64>>,
    observation_high: Vec<Option<f64>>,
    action: Choices,
    trajectories: Vec<Trajectory>,
    single_steps: SingleSteps,
    time_limit: TimeLimit,
}

#[derive(Deserialize)]
struct Choices {
    n: u32,
}

#[derive(Deserialize)]
struct Trajectory {
    initial_state: State,
    actions: Vec<u32>,
    observations: Vec<State>,
    states: Vec<State>,
    rewards: Vec<f64>,
    terminated: Vec<bool>,
}

#[derive(Deserialize)]
struct SingleSteps {
    state: Vec<State>,
    action: Vec<u32>,
    next_state: Vec<State>,
    observation: Vec<State>,
    reward: Vec<f64>,
    terminated: Vec<bool>,
}

#[derive(Deserialize)]
struct TimeLimit {
    initial_state: State,
    actions: Vec<u32>,
    truncated_at_step: usize,
    last_observation: State,
    last_reward: f64,
}

/// What a step must come to, and how exactly the state must agree.
struct Expected {
    state: Option<State>,
    observation: State,
    reward: f64,
    terminated: bool,
    tolerance: f64,
}

fn check_step(what: &str, env: &mut CartPole, action: u32, expected: &Expected) {
    let (mut obs, mut rng) = ([0.0; 4], Rng::stream(0, Stream::Env(0)));
    let step = env.step(Action::Discrete(action), &mut rng, &mut obs);
    for at in 0..4 {
        if let Some(state) = expected.state {
            close(
                &format!("{what} state {at}"),
                env.state()[at],
                state[at],
                0.0,
                expected.tolerance,
            );
        }
        close(&format!("{what} obs {at}"), f64::from(obs[at]), expected.observation[at], 0.0, 2e-6);
    }
    close(&format!("{what} reward"), f64::from(step.reward), expected.reward, 0.0, 1e-8);
    assert_eq!(step.terminated, expected.terminated, "{what}");
    assert!(!step.truncated, "{what}");
}

#[test]
fn golden_cartpole_single_steps() {
    let steps = load::<File>("env_CartPole-v1.json").single_steps;
    for at in 0..steps.state.len() {
        let expected = Expected {
            state: Some(steps.next_state[at]),
            observation: steps.observation[at],
            reward: steps.reward[at],
            terminated: steps.terminated[at],
            tolerance: 1e-12,
        };
        let mut env = CartPole::with_state(steps.state[at]);
        check_step(&format!("single step {at}"), &mut env, steps.action[at], &expected);
    }
}

#[test]
fn golden_cartpole_trajectories_open_loop() {
    for (index, path) in load::<File>("env_CartPole-v1.json").trajectories.iter().enumerate() {
        let mut env = CartPole::with_state(path.initial_state);
        for at in 0..path.actions.len() {
            let expected = Expected {
                state: Some(path.states[at]),
                observation: path.observations[at],
                reward: path.rewards[at],
                terminated: path.terminated[at],
                tolerance: 1e-9,
            };
            check_step(&format!("path {index} step {at}"), &mut env, path.actions[at], &expected);
        }
    }
}

#[test]
fn golden_cartpole_time_limit_and_spaces() {
    let file: File = load("env_CartPole-v1.json");
    let spec = find("CartPole-v1").unwrap().spec;
    assert_eq!(spec.max_episode_steps, Some(file.max_episode_steps));
    assert_eq!(spec.reward_threshold, Some(file.reward_threshold));
    assert_eq!(CartPole::new().action_space(), Space::discrete(file.action.n));
    let bound = |bounds: &[Option<f64>], open: f32| -> Vec<f32> {
        bounds.iter().map(|bound| bound.map_or(open, |bound| bound as f32)).collect()
    };
    let expected = Space::bounded_box(
        &bound(&file.observation_low, f32::NEG_INFINITY),
        &bound(&file.observation_high, f32::INFINITY),
    );
    assert_eq!(CartPole::new().observation_space(), expected);

    let limit = file.time_limit;
    let mut env = CartPole::with_state(limit.initial_state);
    assert_eq!(limit.truncated_at_step, limit.actions.len());
    assert_eq!(limit.truncated_at_step, file.max_episode_steps as usize);
    let (mut obs, mut rng) = ([0.0; 4], Rng::stream(0, Stream::Env(0)));
    for (at, &action) in limit.actions.iter().enumerate() {
        let step = env.step(Action::Discrete(action), &mut rng, &mut obs);
        assert!(!step.terminated, "step {at}");
        close("reward", f64::from(step.reward), limit.last_reward, 0.0, 1e-8);
    }
    for (obs, want) in obs.into_iter().zip(limit.last_observation) {
        close("last obs", f64::from(obs), want, 0.0, 2e-6);
    }
}
