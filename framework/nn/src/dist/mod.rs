//! Probability distributions as functions over rows of network outputs.
//!
//! A row belongs to one sample. Gradients are with respect to the parameters, in closed form, and are **added**,
//! times a weight, to a row of cotangents: the shape a loss is written in.

pub mod bernoulli;
pub mod beta;
pub mod categorical;
pub mod gaussian;
mod special;
