//! Small neural networks on the CPU: layers, optimisers, distributions, state.
//!
//! What reinforcement learning asks of a network library, and little more. Everything is `f32`, in flat row-major
//! slices that the caller owns; a *row* is one sample. Everything runs on the calling thread, in a fixed order: the
//! same inputs give the same bits, however often and on whichever thread.
//!
//! - A learner speaks to a [`Model`]: parameters as one flat vector, a forward pass for inference, one for training,
//!   and a vector-Jacobian product. There is no tape: each [`Layer`] knows its own derivative.
//! - [`Mlp`] is the workhorse; [`Sequential`], [`Beside`] and [`WithFree`] build larger networks; [`layers`] has
//!   convolution, normalisation, recurrence and attention. [`Net`] makes a model of a layer.
//! - [`optim`] has optimisers, schedules and clipping, [`dist`] distributions, [`loss`] losses, [`State`] the way to
//!   and from safetensors files.
//!
//! Three promises, each with a test:
//! - **Row-stable inference:** the bits of an output row do not depend on the batch it was computed in, so a policy acts
//!   the same alone, in a vectorised environment and behind a batching server.
//! - **No allocation once warm:** the second training step of a shape allocates nothing.
//! - **PyTorch's numbers:** layers, optimisers and distributions agree with golden files to 1e-5.
//!
//! # Examples
//!
//! Teaching a network the sum of its inputs:
//!
//! ```
//! use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
//! use raytree_nn::{Activation, Adam, Mlp, Model, Net, Optimizer, init, loss};
//!
//! let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
//! let mut net = Net::new(Mlp::new(&[2, 32, 1], Activation::Tanh), &mut rng);
//! let mut adam = Adam::default();
//! let mut grad = vec![0.0; net.params().len()];
//! let (mut x, mut out, mut cotangent) = ([0.0; 128], [0.0; 64], [0.0; 64]);
//! let mut error = 0.0;
//! for _ in 0..500 {
//!     init::normals(&mut x, &mut rng);
//!     let sums: Vec<f32> = x.chunks(2).map(|pair| pair[0] + pair[1]).collect();
//!     net.forward_train(&x, 64, &mut out);
//!     error = loss::mse(&out, &sums, &mut cotangent);
//!     grad.fill(0.0);
//!     net.vjp(&x, &cotangent, &mut grad, None);
//!     adam.step(net.params_mut(), &grad, 1e-2);
//! }
//! assert!(error < 0.01);
//! ```

mod activation;
mod buffer;
mod combine;
pub mod dist;
mod error;
pub mod floor;
mod gemm;
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
pub use optim::{AdaGrad, Adam, Optimizer, RmsProp, Schedule, Sgd, clip_global_norm, global_norm};
pub use rand_core::Rng;
pub use state::State;
