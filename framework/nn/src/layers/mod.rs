//! Layers beyond the perceptron, each an explicit forward pass and vector-Jacobian product, in PyTorch's conventions.

mod attention;
mod conv;
mod embedding;
mod gru;
mod lstm;
mod norm;
mod pool;
mod recurrent;
mod sequential;
mod softmax;

pub use attention::CausalAttention;
pub use conv::Conv2d;
pub use embedding::Embedding;
pub use gru::Gru;
pub use lstm::Lstm;
pub use norm::{BatchNorm, LayerNorm};
pub use pool::MaxPool2d;
pub use sequential::Sequential;
pub use softmax::{LogSoftmax, Softmax};
