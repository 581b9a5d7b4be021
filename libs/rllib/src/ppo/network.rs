//! What decides: a network whose output rows are `[policy outputs | value]`.

use super::config::PpoConfig;
use super::head::Head;
use super::networks;
use crate::error::{Error, Result};
use crate::rng::{Rng, Stream};
use crate::space::Space;
use raytree::Array;
use raytree_nn::{
    Activation, Beside, Init, Layer, Linear, Mlp, Model, Net, Optimizer, Sequential, WithFree,
};
use serde::{Deserialize, Serialize};

/// What a network is asked to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NetworkSpec {
    /// Numbers per observation.
    pub inputs: usize,
    /// Numbers that make the policy: a logit per choice; or the means, then the logarithms of the standard deviations.
    pub policy_outputs: usize,
    /// What observations look like.
    pub observation_space: Space,
    /// What actions look like.
    pub action_space: Space,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// What follows each hidden layer.
    pub activation: Activation,
    /// Whether policy and value share the hidden layers.
    pub shared: bool,
    /// Logarithm of the standard deviation that a Gaussian policy begins with.
    pub log_std_init: f32,
    /// The experiment's seed.
    pub seed: u64,
}

impl NetworkSpec {
    pub(super) fn new(config: &PpoConfig, observations: &Space, actions: &Space) -> Result<Self> {
        Ok(Self {
            inputs: observations.flat_len(),
            policy_outputs: Head::of(actions)?.outputs(),
            observation_space: observations.clone(),
            action_space: actions.clone(),
            hidden: config.hidden.clone(),
            activation: config.activation,
            shared: config.shared_network,
            log_std_init: config.log_std_init as f32,
            seed: config.seed,
        })
    }

    /// Numbers per output row: the policy's, then the value.
    #[must_use]
    pub const fn outputs(&self) -> usize {
        self.policy_outputs + 1
    }

    /// The stream that initial weights are drawn from.
    #[must_use]
    pub fn rng(&self) -> Rng {
        Rng::stream(self.seed, Stream::Init)
    }

    /// The network that these settings describe: multilayer perceptrons with orthogonal starting values, gain √2 in
    /// hidden layers, 0.01 before the policy and 1 before the value.
    #[must_use]
    pub fn mlp(&self) -> Box<dyn Model> {
        let mut rng = self.rng();
        if self.shared && !self.hidden.is_empty() {
            let trunk = self.trunk();
            let width = Layer::outputs(&trunk);
            let head = |outputs, gain| Linear::new(width, outputs).init(Init::Orthogonal(gain));
            let heads = Beside::new(
                ("policy", self.with_log_std(head(self.policy_means(), 0.01))),
                ("value", head(1, 1.0)),
            );
            return Box::new(Net::new(Sequential::new().then(trunk).then(heads), &mut rng));
        }
        let net = |outputs, gain| {
            let inner = self.hidden.iter().copied();
            let sizes: Vec<_> = [self.inputs].into_iter().chain(inner).chain([outputs]).collect();
            Mlp::new(&sizes, self.activation).orthogonal(std::f32::consts::SQRT_2, gain)
        };
        let policy = self.with_log_std(net(self.policy_means(), 0.01));
        Box::new(Net::new(Beside::new(("policy", policy), ("value", net(1, 1.0))), &mut rng))
    }

    fn trunk(&self) -> Mlp {
        let sizes: Vec<_> = [self.inputs].into_iter().chain(self.hidden.iter().copied()).collect();
        let gain = std::f32::consts::SQRT_2;
        Mlp::new(&sizes, self.activation).output(self.activation).orthogonal(gain, gain)
    }

    /// Outputs that depend on the observation.
    fn policy_means(&self) -> usize {
        self.policy_outputs - self.log_stds()
    }

    /// Free parameters: the logarithms of a Gaussian policy's standard deviations.
    fn log_stds(&self) -> usize {
        if matches!(self.action_space, Space::Box { .. }) { self.policy_outputs / 2 } else { 0 }
    }

    fn with_log_std(&self, policy: impl Layer + 'static) -> Box<dyn Layer> {
        match self.log_stds() {
            0 => Box::new(policy),
            count => Box::new(WithFree::new(policy, "log_std", count, self.log_std_init)),
        }
    }
}

/// Makes equal networks, for the learner and for everyone who acts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NetworkFactory {
    id: String,
    spec: NetworkSpec,
}

impl NetworkFactory {
    /// Builds one network to see that it fits.
    pub(super) fn new(config: &PpoConfig, observations: &Space, actions: &Space) -> Result<Self> {
        let spec = NetworkSpec::new(config, observations, actions)?;
        let factory = Self { id: config.network.clone(), spec };
        let model = factory.model()?;
        let check = |what, got, expected| match got == expected {
            true => Ok(()),
            false => Err(Error::BadNetwork { what, got, expected }),
        };
        check("inputs", model.inputs(), factory.spec.inputs)?;
        check("outputs", model.outputs(), factory.spec.outputs())?;
        Ok(factory)
    }

    pub(super) fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    pub(super) fn model(&self) -> Result<Box<dyn Model>> {
        Ok(networks::find(&self.id)?.build(&self.spec))
    }
}

/// All that a model has learned: its parameters, then its buffers.
pub(super) fn read_weights(model: &mut dyn Model) -> Array<f32> {
    let mut weights = model.params().to_vec();
    model.visit_buffers(&mut |_, values| weights.extend_from_slice(values));
    weights.into()
}

/// The reverse of [`read_weights`], from a model built by the same factory.
pub(super) fn write_weights(model: &mut dyn Model, weights: &[f32]) {
    let (params, mut buffers) = weights.split_at(model.params().len());
    model.params_mut().copy_from_slice(params);
    model.visit_buffers(&mut |_, values| {
        let (own, rest) = buffers.split_at(values.len());
        values.copy_from_slice(own);
        buffers = rest;
    });
}

/// The memory of an optimiser, tensor by tensor.
pub(super) fn read_memory(optimizer: &mut dyn Optimizer) -> Vec<Array<f32>> {
    let mut memory = Vec::new();
    optimizer.visit_state(&mut |_, values| memory.push(values.clone().into()));
    memory
}

/// The reverse of [`read_memory`], for an optimiser with the same settings.
pub(super) fn write_memory(optimizer: &mut dyn Optimizer, memory: &[Array<f32>]) {
    let mut tensors = memory.iter();
    optimizer.visit_state(&mut |_, values| {
        if let Some(from) = tensors.next() {
            values.clear();
            values.extend_from_slice(from);
        }
    });
}
