//! Environments that tests need.

use raytree_rllib::envs::CartPole;
use raytree_rllib::{Action, Env, Rng, Space, Step, register_env};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// CartPole with something on its mind.
#[derive(Debug)]
pub(super) struct Odd {
    inner: CartPole,
    steps: u32,
    kind: Kind,
}

#[derive(Debug, PartialEq)]
enum Kind {
    /// Panics once in the process, in mid-training.
    PanicsOnce,
    /// Panics whenever it comes to its 40th step.
    PanicsAlways,
    /// Its 150th observation is not a number.
    Nan,
    /// Cannot be saved.
    Fleeting,
}

static PANICKED: AtomicBool = AtomicBool::new(false);
static STEPS: AtomicU32 = AtomicU32::new(0);

fn odd(kind: Kind) -> Odd {
    Odd { inner: CartPole::new(), steps: 0, kind }
}

register_env!("PanicsOnce-v0", max_episode_steps = 500, || odd(Kind::PanicsOnce));
register_env!("PanicsAlways-v0", max_episode_steps = 500, || odd(Kind::PanicsAlways));
register_env!("Nan-v0", max_episode_steps = 500, || odd(Kind::Nan));
register_env!("Fleeting-v0", max_episode_steps = 500, || odd(Kind::Fleeting));
register_env!("Reach-v0", max_episode_steps = 8, || Reach { target: 0.0 });
register_env!("Switches-v0", max_episode_steps = 8, || Switches);

impl Env for Odd {
    fn observation_space(&self) -> Space {
        self.inner.observation_space()
    }

    fn action_space(&self) -> Space {
        self.inner.action_space()
    }

    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]) {
        self.inner.reset(rng, obs);
    }

    fn step(&mut self, action: Action<'_>, rng: &mut Rng, obs: &mut [f32]) -> Step {
        self.steps += 1;
        let step = self.inner.step(action, rng, obs);
        match self.kind {
            Kind::PanicsOnce => {
                let late = STEPS.fetch_add(1, Ordering::Relaxed) == 1_500;
                assert!(!late || PANICKED.swap(true, Ordering::Relaxed), "out of luck");
            }
            Kind::PanicsAlways => assert!(self.steps < 40, "the 40th step"),
            Kind::Nan if self.steps >= 150 => obs[2] = f32::NAN,
            _ => {}
        }
        step
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        let mut bytes = self.inner.snapshot().filter(|_| self.kind != Kind::Fleeting)?;
        bytes.extend(self.steps.to_le_bytes());
        Some(bytes)
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), String> {
        let (inner, steps) = snapshot.split_last_chunk().ok_or("it is too short")?;
        self.inner.restore(inner)?;
        self.steps = u32::from_le_bytes(*steps);
        Ok(())
    }
}

/// Whether the one panic has happened.
pub(super) fn panicked() -> bool {
    PANICKED.load(Ordering::Relaxed)
}

/// Says a number; the action is to repeat it. For policies over real numbers.
#[derive(Debug)]
struct Reach {
    target: f32,
}

impl Reach {
    fn observe(&mut self, rng: &mut Rng, obs: &mut [f32]) {
        self.target = rng.range(-1.0, 1.0) as f32;
        obs[0] = self.target;
    }
}

impl Env for Reach {
    fn observation_space(&self) -> Space {
        Space::uniform_box(-1.0, 1.0, &[1])
    }

    fn action_space(&self) -> Space {
        Space::uniform_box(-2.0, 2.0, &[1])
    }

    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]) {
        self.observe(rng, obs);
    }

    fn step(&mut self, action: Action<'_>, rng: &mut Rng, obs: &mut [f32]) -> Step {
        let said = action.continuous()[0];
        assert!((-2.0..=2.0).contains(&said), "actions are carried out within their bounds");
        let reward = -(said - self.target).powi(2);
        self.observe(rng, obs);
        Step::reward(reward)
    }
}

/// Has actions that PPO does not take.
#[derive(Debug)]
struct Switches;

impl Env for Switches {
    fn observation_space(&self) -> Space {
        Space::uniform_box(-1.0, 1.0, &[1])
    }

    fn action_space(&self) -> Space {
        Space::MultiBinary { n: 3 }
    }

    fn reset(&mut self, _rng: &mut Rng, obs: &mut [f32]) {
        obs[0] = 0.0;
    }

    fn step(&mut self, _action: Action<'_>, _rng: &mut Rng, obs: &mut [f32]) -> Step {
        obs[0] = 0.0;
        Step::reward(0.0)
    }
}
