//! Reinforcement learning on supervised actors.
