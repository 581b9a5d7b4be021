//! Small neural networks on the CPU: layers, optimisers, distributions, state.

mod activation;
mod buffer;
mod combine;
pub mod dist;
mod error;
pub mod init;
pub mod layers;
mod linear;
pub mod loss;
mod mlp;
mod model;
pub mod optim;
mod product;
mod state;

pub use activation::{Act, Activation, sigmoid, softplus, tanh};
pub use combine::{Beside, WithFree};
pub use error::StateError;
pub use init::Init;
pub use layers::{
    BatchNorm, CausalAttention, Conv2d, Embedding, Gru, LayerNorm, LogSoftmax, Lstm, MaxPool2d,
    Sequential, Softmax,
};
pub use linear::Linear;
pub use mlp::Mlp;
pub use model::{Layer, Model, Net, TensorSpec};
pub use optim::{
    AdaGrad, Adam, Optimizer, RmsProp, Schedule, Sgd, clip_global_norm, global_norm,
};
pub use rand_core::Rng;
pub use state::State;
