//! One environment per rule of the contract, each of which breaks just that rule.
//!
//! They are all one [`Counter`] with one [`Fault`].

use raytree_rllib::env::{SingleEnv, Vectorized, check_env_for};
use raytree_rllib::envs::CartPole;
use raytree_rllib::{
    Action, Actions, ContractViolation, Env, Error, Rng, Space, Step, VectorEnv, VectorOptions,
    check_env,
};
use std::sync::atomic::{AtomicU32, Ordering};

/// How a [`Counter`] breaks its contract.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    NoActions,
    NoObservation,
    SpaceChanges,
    ResetWritesHalf,
    StepWritesHalf,
    NanObservation,
    InfiniteFirstObservation,
    ObservationTooLarge,
    NanReward,
    OwnRandomness,
    ResetRemembers,
    RestoreRefuses,
    RestoreForgets,
    NeverEnds,
    NoSnapshots,
}

/// Counts to 20; the second number of its observation is noise drawn from its stream.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    pub(crate) fault: Fault,
    pub(crate) count: u32,
    total: u32,
}

static OUTSIDE: AtomicU32 = AtomicU32::new(0);

impl Counter {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, count: 0, total: 0 }
    }

    fn write(&self, rng: &mut Rng, obs: &mut [f32]) {
        obs[0] = self.count as f32;
        obs[1] = rng.uniform_f32();
    }
}

impl Env for Counter {
    fn observation_space(&self) -> Space {
        match self.fault {
            Fault::NoObservation => Space::uniform_box(0.0, 1.0, &[0]),
            Fault::SpaceChanges => Space::uniform_box(0.0, 20.0 + self.total as f32, &[2]),
            _ => Space::uniform_box(0.0, 20.0, &[2]),
        }
    }

    fn action_space(&self) -> Space {
        Space::discrete(if self.fault == Fault::NoActions { 0 } else { 3 })
    }

    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]) {
        self.count = if self.fault == Fault::ResetRemembers { self.total.min(1) } else { 0 };
        match self.fault {
            Fault::ResetWritesHalf => obs[0] = 0.0,
            Fault::InfiniteFirstObservation => obs.fill(f32::INFINITY),
            Fault::NoObservation => {}
            _ => self.write(rng, obs),
        }
    }

    fn step(&mut self, action: Action<'_>, rng: &mut Rng, obs: &mut [f32]) -> Step {
        self.count += u32::from(action.discrete() > 0);
        self.total += 1;
        self.write(rng, obs);
        let mut reward = 1.0;
        match self.fault {
            Fault::StepWritesHalf => obs[1] = f32::from_bits(0x7fc5_a5a5),
            Fault::NanObservation if self.count == 5 => obs[1] = f32::NAN,
            Fault::ObservationTooLarge => obs[0] += 20.5,
            Fault::NanReward if self.count == 5 => reward = f32::NAN,
            Fault::OwnRandomness => reward = OUTSIDE.fetch_add(1, Ordering::Relaxed) as f32,
            Fault::NeverEnds => self.count = self.count.min(19),
            _ => {}
        }
        Step { reward, terminated: self.count >= 20, truncated: false }
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        (self.fault != Fault::NoSnapshots).then(|| match self.fault {
            Fault::RestoreForgets => vec![],
            _ => self.count.to_le_bytes().to_vec(),
        })
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), String> {
        match self.fault {
            Fault::RestoreRefuses => return Err("not today".to_owned()),
            Fault::RestoreForgets => self.count = 3,
            _ => self.count = u32::from_le_bytes(snapshot.try_into().map_err(|_| "4 bytes")?),
        }
        Ok(())
    }
}

fn verdict(fault: Fault) -> String {
    let error = check_env(|| Counter::new(fault)).unwrap_err();
    let name = format!("{error:?}");
    name.split([' ', '{']).next().unwrap().to_owned()
}

#[test]
fn every_rule_is_found_and_named() {
    let found: Vec<(Fault, String)> = [
        Fault::NoActions,
        Fault::NoObservation,
        Fault::SpaceChanges,
        Fault::ResetWritesHalf,
        Fault::StepWritesHalf,
        Fault::NanObservation,
        Fault::InfiniteFirstObservation,
        Fault::ObservationTooLarge,
        Fault::NanReward,
        Fault::OwnRandomness,
        Fault::ResetRemembers,
        Fault::RestoreRefuses,
        Fault::RestoreForgets,
        Fault::NeverEnds,
    ]
    .map(|fault| (fault, verdict(fault)))
    .to_vec();
    let text: String = found.iter().map(|(fault, rule)| format!("{fault:?}: {rule}\n")).collect();
    expect_test::expect![[r#"
        NoActions: EmptyActionSpace
        NoObservation: EmptyObservationSpace
        SpaceChanges: SpaceChanged
        ResetWritesHalf: ObservationNotWritten
        StepWritesHalf: ObservationNotWritten
        NanObservation: ObservationNotFinite
        InfiniteFirstObservation: ObservationNotFinite
        ObservationTooLarge: ObservationOutsideSpace
        NanReward: RewardNotFinite
        OwnRandomness: NotDeterministic
        ResetRemembers: ResetRemembers
        RestoreRefuses: RestoreFailed
        RestoreForgets: RestoreDiffers
        NeverEnds: NeverEnds
    "#]]
    .assert_eq(&text);
}

#[test]
fn sound_environments_pass() {
    let report = check_env(|| Counter::new(Fault::None)).unwrap();
    assert!(report.snapshots && report.episodes > 10, "{report:?}");
    assert!(!check_env(|| Counter::new(Fault::NoSnapshots)).unwrap().snapshots);
    assert!(check_env_for(|| Counter::new(Fault::NeverEnds), 200, false).is_ok());
    assert!(check_env(CartPole::new).unwrap().snapshots);
    let boxed = || -> Box<dyn Env> { Box::new(CartPole::new()) };
    assert!(check_env(boxed).unwrap().snapshots);
}

#[test]
fn a_violation_says_what_and_which() {
    let error = check_env(|| Counter::new(Fault::ObservationTooLarge)).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("number 0 of the observation after step is 2"), "{text}");
    assert!(text.ends_with("outside Box(0, 20, [2])"), "{text}");
    let text = Error::from(error).to_string();
    assert!(text.starts_with("the environment breaks its contract: number 0 of"), "{text}");
}

/// Runs three environments of which the one at experiment index 11 is faulty.
fn run_faulty(fault: Fault) -> Error {
    let built = AtomicU32::new(0);
    let build = || {
        let index = built.fetch_add(1, Ordering::Relaxed);
        Counter::new(if index == 1 { fault } else { Fault::None })
    };
    let mut envs = Vectorized::new(build, VectorOptions::new(3).first(10));
    if let Err(error) = envs.reset() {
        return error;
    }
    loop {
        if let Err(error) = envs.step(Actions::Discrete(&[1, 1, 1])) {
            return error;
        }
    }
}

#[test]
fn a_running_environment_that_breaks_a_rule_is_named() {
    let error = run_faulty(Fault::NanObservation);
    let Error::BrokenEnv { index: 11, violation } = &error else { panic!("{error}") };
    assert!(matches!(
        violation,
        ContractViolation::ObservationNotFinite { method: "step", at: 1, .. }
    ));
    assert_eq!(
        error.to_string(),
        "environment 11 broke its contract: \
         number 1 of the observation after step is NaN, which is not finite"
    );
    let error = run_faulty(Fault::NanReward);
    let Error::BrokenEnv { index: 11, violation } = &error else { panic!("{error}") };
    assert!(matches!(violation, ContractViolation::RewardNotFinite { .. }));
    let error = run_faulty(Fault::InfiniteFirstObservation);
    let Error::BrokenEnv { index: 11, violation } = &error else { panic!("{error}") };
    assert!(matches!(
        violation,
        ContractViolation::ObservationNotFinite { method: "reset", at: 0, .. }
    ));
}

#[test]
fn a_single_environment_checks_too() {
    let mut env = SingleEnv::new(Box::new(Counter::new(Fault::NanReward)));
    assert!(matches!(env.step(Action::Discrete(0)), Err(Error::NeedsReset { .. })));
    env.reset().unwrap();
    assert!(matches!(env.step(Action::Discrete(3)), Err(Error::InvalidAction { .. })));
    for _ in 0..4 {
        env.step(Action::Discrete(1)).unwrap();
    }
    assert!(matches!(env.step(Action::Discrete(1)), Err(Error::ContractBroken { .. })));

    let mut env = SingleEnv::new(Box::new(Counter::new(Fault::None))).max_episode_steps(Some(7));
    env.reset().unwrap();
    while !env.step(Action::Discrete(0)).unwrap().truncated {}
    assert_eq!((env.episode_steps(), env.episode_return()), (7, 7.0));
    assert!(matches!(env.step(Action::Discrete(0)), Err(Error::NeedsReset { .. })));
}
