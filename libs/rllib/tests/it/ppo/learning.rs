//! Does it learn?

use super::*;
use raytree_nn::{Activation, Beside, Init, Linear, Mlp, Net};
use raytree_rllib::{Policy, Schedule, register_network};

/// Two of three seeds solve CartPole within 60,000 steps and all three within 100,000, at the tuned preset.
#[test]
fn cartpole_is_solved() {
    let solved_at: Vec<u64> = [1, 2, 3]
        .map(|seed| {
            with_runtime(async move {
                let config = PpoConfig::tuned("CartPole-v1").unwrap().without_run_folder();
                let mut ppo = config.seed(seed).build().await.unwrap();
                let outcome = ppo.train(|_| {}).await.unwrap();
                let mean = outcome.evaluation.unwrap().mean();
                assert!(mean >= 475.0, "seed {seed}: {mean} after {} steps", outcome.env_steps);
                outcome.env_steps
            })
        })
        .to_vec();
    let early = solved_at.iter().filter(|steps| **steps <= 60_000).count();
    assert!(early >= 2, "{solved_at:?}");
}

/// Real-numbered actions, and a network shared by policy and value.
#[test]
fn gaussian_policies_learn() {
    for shared in [false, true] {
        with_runtime(async move {
            let config = PpoConfig::new("Reach-v0")
                .envs(16)
                .rollout_steps(32)
                .minibatches(4)
                .gamma(0.0)
                .learning_rate(Schedule::linear(3e-3, 0.0))
                .shared_network(shared)
                .total_env_steps(30_000)
                .without_run_folder();
            let mut ppo = config.build().await.unwrap();
            let before = ppo.evaluate(10).await.unwrap().mean();
            ppo.train(|_| {}).await.unwrap();
            let after = ppo.evaluate(10).await.unwrap().mean();
            assert!(before < -1.0 && after > -0.2, "{before} to {after}, shared {shared}");
        });
    }
}

register_network!("own", |spec| {
    let policy = Linear::new(spec.inputs, spec.policy_outputs).init(Init::Zeros);
    let value = Mlp::new(&[spec.inputs, 32, 1], Activation::Relu);
    let both = Beside::new(("policy", policy), ("value", value));
    Box::new(Net::new(both, &mut spec.rng()))
});
register_network!("narrow", |spec| {
    Box::new(Net::new(Linear::new(spec.inputs, 2), &mut spec.rng()))
});

#[test]
fn a_network_of_ones_own() {
    with_runtime(async {
        let config = short(20).env_runners(2);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own");
        let mut ppo = config.clone().network("own").build().await.unwrap();
        ppo.step().await.unwrap();
        ppo.save(&path).await.unwrap();
        let here = finish(&mut ppo).await.unwrap();
        // Its id is among the settings, so that whoever reads the checkpoint builds the same.
        let mut restored = Ppo::restore(&path).await.unwrap();
        assert!(here == finish(&mut restored).await.unwrap());
        assert!(Policy::load(&path).unwrap().act(&[0.0; 4]).is_ok());

        let error = config.clone().restore(&path).await.unwrap_err().to_string();
        assert!(error.ends_with("`config.network` is own, but mlp was asked for"), "{error}");
        let wrong = config.clone().network("narrow").build().await;
        let error = wrong.unwrap_err().to_string();
        assert_eq!(error, "the custom network has 2 outputs where 3 are needed");
        let error = config.network("onw").build().await.unwrap_err().to_string();
        assert_eq!(error, "unknown network `onw`: there are `mlp`, `narrow`, `own`");
    });
}
