//! Small neural networks on the CPU: layers, optimisers, distributions, state.
